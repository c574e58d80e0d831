// Runs in the page: loads the SDK as a site would, and tells the driver of every call the SDK takes.
//
// The driver's server puts window.CONFIG (the SDK's load settings and options) before this script, and Playwright puts
// window.tellDriver. After it, window.analytics is the SDK and window.ready settles when the SDK has its settings.

const { settings, options } = window.CONFIG
const analytics = window.AnalyticsNext.AnalyticsBrowser.load(settings, options)
window.analytics = analytics

const tell = (note) => window.tellDriver(JSON.stringify(note))
const reason = (error) => String(error?.message ?? error)

// Fires before the call is queued, so it also tells of calls that never leave the page. The event is the SDK's own, with
// its ids and identity; context and what is stamped on sending are on the wire alone.
analytics.on('dispatch_start', (context) => tell({ event: context.event }))
analytics.on('error', (error) => tell({ error: `${error.code}: ${reason(error.reason)}` }))

window.ready = analytics.then(
  () => null,
  (error) => `the SDK did not load: ${reason(error) || 'no reason given'}`,
)
