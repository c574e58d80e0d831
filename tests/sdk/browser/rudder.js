// Runs in the page, as page.js does: loads RudderStack's SDK as a site would, and tells the driver of every call that it takes.

const { settings, host } = window.CONFIG
const sdk = new window.rudderanalytics.RudderAnalytics()
const tell = (note) => window.tellDriver(JSON.stringify(note))

// The SDK hands each call, as it will leave, to the callback of the call.
const told = (name) => (...given) => sdk[name](...given, null, (event) => tell({ event: event?.message ?? event }))
window.analytics = {
  page: told('page'),
  track: told('track'),
  identify: told('identify'),
  group: told('group'),
  alias: told('alias'),
  reset: (...given) => sdk.reset(...given),
}

window.ready = new Promise((resolve) => {
  sdk.load(settings.writeKey, host, { configUrl: host, onLoaded: () => resolve(null), sendAdblockPage: false })
})
