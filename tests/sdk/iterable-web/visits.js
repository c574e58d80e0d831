// Runs in the page: the visits that drive.mjs can play. Each makes the SDK's public calls as a shop's page would.

const sdk = window['@iterable/web-sdk']
const outcomes = {}

/** Notes what a call answers, or how it fails. */
async function call(name, work) {
  try {
    const answer = await work()
    outcomes[name] = { status: answer?.status, data: answer?.data ?? null }
  } catch (error) {
    const response = error.response ?? {}
    outcomes[name] = { failed: String(error.message ?? error), status: response.status, code: response.data?.code }
  }
}

/** A generator of tokens that goes through `sorts`, and stays with the last. */
function tokens(...sorts) {
  return async (who) => {
    const claims = who.email ? { email: who.email } : { userId: who.userID }
    const sort = sorts.length > 1 ? sorts.shift() : sorts[0]
    const answer = await fetch(`/jwt?${new URLSearchParams({ sort, ...claims })}`)
    return answer.text()
  }
}

function start({ key, baseURL }, generateJWT, more = {}) {
  return sdk.initializeWithConfig({ authToken: key, configOptions: { baseURL, isEuIterableService: false, ...more }, generateJWT })
}

const ITEMS = [{ id: 'i1', name: 'Shoe', price: 9.5, quantity: 2 }]
const MESSAGE = { messageId: 'm1', deviceInfo: { appPackageName: 'shop' } }

/** Every call that the SDK offers about a user who is known, by email and then by user id. */
async function signed(given) {
  const visitor = start(given, tokens('good'))
  await call('setEmail', () => visitor.setEmail('Ada@example.com'))
  await call('update', () => sdk.updateUser({ dataFields: { plan: 'pro', address: { city: 'Ulm' } } }))
  await call('nested', () => sdk.updateUser({ mergeNestedObjects: true, dataFields: { address: { zip: '89073' } } }))
  await call('subscriptions', () => sdk.updateSubscriptions({ emailListIds: [1], unsubscribedChannelIds: [2] }))
  await call('track', () => sdk.track({ eventName: 'Seen', id: 'e1', createdAt: 1704164645, dataFields: { a: 1 } }))
  await call('cart', () => sdk.updateCart({ items: ITEMS }))
  // The SDK's own schema wants a text for the campaign of a purchase.
  await call('purchase', () => sdk.trackPurchase({ id: 'p1', items: ITEMS, total: 19, campaignId: '7' }))
  await call('inApp', () => sdk.getInAppMessages({ count: 5, packageName: 'shop' }))
  await call('open', () => sdk.trackInAppOpen({ ...MESSAGE }))
  await call('click', () => sdk.trackInAppClick({ ...MESSAGE, clickedUrl: 'https://example.com/' }))
  await call('beacon', () => sdk.trackInAppClick({ ...MESSAGE, clickedUrl: 'https://example.com/leave' }, true))
  await call('close', () => sdk.trackInAppClose({ ...MESSAGE, closeAction: 'link' }))
  await call('delivery', () => sdk.trackInAppDelivery({ ...MESSAGE }))
  await call('consume', () => sdk.trackInAppConsume({ ...MESSAGE }))
  await call('embedded', () => new Promise((synced) => new sdk.IterableEmbeddedManager('shop').syncMessages('shop', synced, [1])))
  await call('embeddedReceived', () => sdk.trackEmbeddedReceived('b1', 'shop'))
  await call('embeddedClick', () =>
    sdk.trackEmbeddedClick({ messageId: 'b1', buttonIdentifier: 'buy', targetUrl: 'https://example.com/', appPackageName: 'shop' }),
  )
  const session = { id: 's1', start: Date.now() - 1000, end: Date.now() }
  const impressions = [{ messageId: 'b1', displayCount: 1, displayDuration: 900 }]
  await call('embeddedSession', () => sdk.trackEmbeddedSession({ session, impressions, appPackageName: 'shop' }))
  await call('updateEmail', () => sdk.updateUserEmail('ada@new.example.com'))
  await call('afterwards', () => sdk.track({ eventName: 'Moved', id: 'e2' }))
  visitor.logout()
  await call('loggedOut', () => sdk.track({ eventName: 'Nobody', id: 'e3' }))
  await call('setUserID', () => visitor.setUserID('bob'))
  await call('bob', () => sdk.track({ eventName: 'Seen', id: 'e4' }))
  await call('bobsCart', () => sdk.updateCart({ items: ITEMS }))
}

/** The first token is old: the SDK fetches another when it hears so, and tries again. */
async function expired(given) {
  const visitor = start(given, tokens('expired', 'good'))
  await call('setEmail', () => visitor.setEmail('ada@example.com'))
  await call('track', () => sdk.track({ eventName: 'Seen', id: 'e1' }))
}

/** All tokens are somebody else's. */
async function stranger(given) {
  const visitor = start(given, tokens('stranger'))
  await call('setEmail', () => visitor.setEmail('ada@example.com'))
  await call('track', () => sdk.track({ eventName: 'Seen', id: 'e1' }))
}

/** Resolves once a condition holds. */
async function until(holds) {
  while (!holds()) await new Promise((wake) => setTimeout(wake, 20))
}

/** Somebody looks around, agrees to be remembered, does what the criteria wait for, and logs in. */
async function unknown(given) {
  let created = null
  const onUnknownUserCreated = (userId) => (created = userId)
  const visitor = start(given, tokens('good'), { enableUnknownActivation: true, onUnknownUserCreated })
  visitor.setVisitorUsageTracked(true)
  await until(() => localStorage.getItem('criteria'))
  // What is only kept in the browser is told by a refusal.
  await call('browse', () => sdk.track({ eventName: 'Browsed', dataFields: { page: 'shoes' } }))
  await call('fields', () => sdk.updateUser({ dataFields: { likes: 'shoes' } }))
  await call('cart', () => sdk.updateCart({ items: ITEMS }))
  await call('ready', () => sdk.track({ eventName: 'Ready' }))
  await until(() => created !== null)
  // The events that waited have left once none is stored.
  await until(() => localStorage.getItem('itbl_event_list') === null)
  outcomes.created = created
  await call('later', () => sdk.track({ eventName: 'Still Here', id: 'e1' }))
  await call('setEmail', () => visitor.setEmail('ada@example.com'))
  await call('known', () => sdk.track({ eventName: 'Known', id: 'e2' }))
}

/** Somebody agrees and logs in before any criterion is met: what waited is hers. */
async function visitor(given) {
  const page = start(given, tokens('good'), { enableUnknownActivation: true })
  page.setVisitorUsageTracked(true)
  await until(() => localStorage.getItem('criteria'))
  await call('browse', () => sdk.track({ eventName: 'Browsed', dataFields: { page: 'shoes' } }))
  await call('setUserID', () => page.setUserID('ada'))
  await until(() => localStorage.getItem('itbl_event_list') === null)
  await call('known', () => sdk.track({ eventName: 'Known', id: 'e1' }))
}

const VISITS = { signed, expired, stranger, unknown, visitor }

window.play = async (given) => {
  await VISITS[given.visit](given)
  return outcomes
}
