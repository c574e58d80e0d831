// The visits that the browser driver can play. Each opens tabs, makes the SDK's public calls in them, and returns when it
// has seen all it can see of their delivery. What a scenario promises is what the Rust test may rely on; the rest of the
// story (ids, times, order on the wire) is in the driver's answer line.

// How many tracks each of several tabs makes.
const TRACKS_PER_TAB = 5
// Longer than the SDK's pause between looks at its queue (up to 600 ms), so that a call that would leave has left.
const SETTLE_MS = 2000
// From the last click to the closed tab.
const CLOSE_MS = 250

/** identify, track, page, group, alias, reset and an anonymous track, none waiting for another, as in a real page. */
async function story({ openTab, recorder, user }) {
  const page = await openTab()
  await page.evaluate((user) => {
    const { analytics } = window
    analytics.identify(user, { email: `${user}@example.com`, name: 'Ada Lovelace', age: 36, vip: true, tags: ['a', 'b'] })
    analytics.track('Order Completed', { revenue: 49.99, currency: 'USD', items: [{ sku: 'A1', quantity: 2 }] })
    analytics.page('Docs', 'Pricing', { plan: 'pro' })
    analytics.group(`${user}-company`, { name: 'Initech', employees: 42 })
    // The SDK sends the identified user as userId whatever is asked for here: an alias of the user to itself.
    analytics.alias(`${user}-renamed`, user)
    analytics.reset()
    analytics.track('Browsed Again', { anonymous: true })
  }, user)
  await recorder.until(() => recorder.allDelivered(6))
}

/** A visitor who looks around unnamed, then is aliased to a user id, then identified by it; each step is delivered first. */
async function alias({ openTab, recorder, user }) {
  const page = await openTab()
  await page.evaluate(() => {
    window.analytics.page('Landing')
    window.analytics.track('Looked Around', { step: 1 })
  })
  await recorder.until(() => recorder.allDelivered(2))
  await page.evaluate((user) => window.analytics.alias(user), user)
  await recorder.until(() => recorder.allDelivered(3))
  await page.evaluate((user) => window.analytics.identify(user, { email: `${user}@example.com` }), user)
  await recorder.until(() => recorder.allDelivered(4))
}

/**
 * The same calls in one breath. The SDK fills in who the visitor is when it sends, by when identify has spoken: page and
 * track leave with the user id, and alias names the user as its own previous id. Only its anonymousId tells the visitor.
 */
async function hasty({ openTab, recorder, user }) {
  const page = await openTab()
  await page.evaluate((user) => {
    const { analytics } = window
    analytics.page('Landing')
    analytics.track('Looked Around', { step: 1 })
    analytics.alias(user)
    analytics.identify(user, { email: `${user}@example.com` })
  }, user)
  await recorder.until(() => recorder.allDelivered(4))
}

/** Three tracks made while offline; none leaves before the browser is online again, then all do. */
async function offline({ context, openTab, recorder, user }) {
  const page = await openTab()
  await page.evaluate((user) => window.analytics.identify(user, { plan: 'free' }), user)
  await recorder.until(() => recorder.allDelivered(1))
  await context.setOffline(true)
  const online = await page.evaluate(() => {
    for (const step of [1, 2, 3]) window.analytics.track(`Offline ${step}`, { step })
    return navigator.onLine
  })
  if (online) recorder.fail('the page did not notice that it is offline')
  await recorder.until(() => recorder.events.length >= 4)
  await page.waitForTimeout(SETTLE_MS)
  if (recorder.hasLeft('Offline 1')) recorder.fail('a call left the page while it was offline')
  await context.setOffline(false)
  await recorder.until(() => recorder.allDelivered(4))
}

/**
 * One track made in the same breath as leaving for another page of the site, and one in a tab that is closed as soon as
 * its request is out. The first is often sent twice: by the page that goes, and from the stored queue by the page that
 * comes. A request made while a page goes is not always shown to the driver, so only the server can tell what arrived:
 * with keepalive (the default here) both tracks do.
 */
async function unload({ openTab, recorder, user }) {
  recorder.mayLeaveUnseen = true
  const page = await openTab()
  await page.evaluate((user) => window.analytics.identify(user, { plan: 'free' }), user)
  await recorder.until(() => recorder.allDelivered(1))
  const closing = await openTab()
  await Promise.all([
    page.waitForURL('**/second.html'),
    page.evaluate(() => {
      window.analytics.track('Left By Link', { leaving: true })
      window.location.assign('/second.html')
    }),
  ])
  await closing.evaluate(() => {
    window.analytics.track('Closed The Tab', { leaving: true })
  })
  // A batch leaves no sooner than the tab closes, so this waits for a request only as long as a visitor's hand would take.
  await Promise.race([recorder.until(() => recorder.hasLeft('Closed The Tab')), page.waitForTimeout(CLOSE_MS)])
  await closing.close()
  // The second page sends what the first left in the stored queue; Chromium needs a moment for what outlives its page.
  await page.waitForTimeout(SETTLE_MS)
}

/** Several tabs of one visitor load the SDK, identify the same user and track, all at once. */
async function tabs({ openTab, recorder, user, tabCount }) {
  const pages = await Promise.all(Array.from({ length: tabCount }, () => openTab()))
  const visit = ({ user, tab, tracks }) => {
    const { analytics } = window
    analytics.identify(user, { [`tab_${tab}`]: true, last_tab: tab })
    for (let step = 1; step <= tracks; step += 1) analytics.track('Tab Used', { tab, step })
  }
  const tracks = TRACKS_PER_TAB
  await Promise.all(pages.map((page, index) => page.evaluate(visit, { user, tab: index + 1, tracks })))
  await recorder.until(() => recorder.allDelivered(tabCount * (1 + tracks)))
}

/** RudderStack's SDK: somebody looks around, is named, joins a company, takes another id, and leaves the device to a stranger. */
async function rudder({ openTab, recorder, user }) {
  const page = await openTab()
  await page.evaluate((user) => {
    const { analytics } = window
    analytics.page('Docs', 'Pricing', { plan: 'pro' })
    analytics.track('Looked Around', { step: 1, items: [{ sku: 'A1', price: 49.99 }] })
    analytics.identify(user, { email: `${user}@example.com`, age: 36, vip: true, tags: ['a', 'b'] })
    analytics.track('Order Completed', { revenue: 49.99 })
    analytics.group(`${user}-company`, { name: 'Initech', employees: 42 })
    analytics.alias(user, `${user}-before`)
    analytics.reset(true)
    analytics.track('Browsed Again', { anonymous: true })
  }, user)
  await recorder.until(() => recorder.allDelivered(7))
}

export const SCENARIOS = { story, alias, hasty, offline, unload, tabs, rudder }
