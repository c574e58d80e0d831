// Keeps what a scenario made the browser do: the calls as the SDK took them, and the requests as they left Chromium.
//
// It is the one judge of delivery. A call counts as delivered when a request that carried its message id was answered
// below 400; as unconfirmed when such a request left, but no answer was seen; else as lost.

/** The message ids a request body carries: one call, or a batch of them. */
function parseBody(text) {
  let body
  try {
    body = JSON.parse(text)
  } catch {
    return []
  }
  const calls = Array.isArray(body?.batch) ? body.batch : [body]
  return calls.filter((call) => call?.messageId)
}

export class Recorder {
  events = []
  requests = []
  errors = []
  // Set by a scenario whose pages go while their requests leave: Chromium does not always show those.
  mayLeaveUnseen = false
  #entries = new Map()
  #watchers = new Set()

  constructor(host, pageOrigin) {
    this.host = host
    this.pageOrigin = pageOrigin
  }

  /** Listens to every tab of a browser context. */
  async attach(context) {
    const tabs = new Map(context.pages().map((page, index) => [page, index]))
    context.on('page', (page) => tabs.set(page, tabs.size))
    await context.exposeBinding('tellDriver', ({ page }, text) => {
      const { event, error } = JSON.parse(text)
      if (event) this.events.push({ tab: tabs.get(page), ...event })
      if (error) this.fail(error)
      this.#wake()
    })
    context.on('request', (request) => this.#sent(request))
    context.on('response', (response) => this.#answered(response.request(), response.status()))
    context.on('requestfailed', (request) => this.#failed(request))
    context.on('weberror', (error) => this.fail(`page error: ${error.error().message}`))
  }

  fail(message) {
    if (!this.errors.includes(message)) this.errors.push(message)
    this.#wake()
  }

  #sent(request) {
    const { origin, pathname, protocol } = new URL(request.url())
    if (origin === this.pageOrigin || protocol === 'data:') return
    if (origin !== this.host) {
      this.fail(`the page asked a stranger: ${request.url()}`)
      return
    }
    const calls = parseBody(request.postData() ?? '')
    const entry = { method: request.method(), path: pathname, status: null, failure: null, calls }
    this.#entries.set(request, entry)
    this.requests.push(entry)
    this.#wake()
  }

  #answered(request, status) {
    const entry = this.#entries.get(request)
    if (entry) entry.status = status
    this.#wake()
  }

  #failed(request) {
    const entry = this.#entries.get(request)
    // A page that goes away fails its answered requests too.
    if (entry && entry.status === null) entry.failure = request.failure()?.errorText ?? 'failed'
    this.#wake()
  }

  #wake() {
    for (const look of this.#watchers) look()
  }

  /** Resolves when the condition holds; looks again whenever something happened. */
  until(condition) {
    return new Promise((resolve) => {
      const look = () => {
        if (!condition()) return
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
      look()
    })
  }

  #carriers(messageId) {
    return this.requests.filter((request) => request.calls.some((call) => call.messageId === messageId))
  }

  /** Whether a request that carries the named event has left the page. */
  hasLeft(eventName) {
    return this.requests.some((request) => request.calls.some((call) => call.event === eventName))
  }

  delivery(messageId) {
    const carriers = this.#carriers(messageId)
    if (carriers.some(({ status }) => status !== null && status < 400)) return 'delivered'
    if (carriers.some(({ status }) => status === null)) return 'unconfirmed'
    return carriers.length === 0 && this.mayLeaveUnseen ? 'unconfirmed' : 'lost'
  }

  /** Whether no request is under way. */
  isQuiet() {
    return this.requests.every(({ status, failure }) => status !== null || failure !== null)
  }

  /** Whether the SDK took this many calls and the server answered for each. */
  allDelivered(count) {
    const { events } = this
    return events.length >= count && events.every(({ messageId }) => this.delivery(messageId) === 'delivered')
  }

  report() {
    const events = this.events.map((event) => ({
      ...event,
      delivery: this.delivery(event.messageId),
      // The call as it last went out, if it did.
      wire: this.#carriers(event.messageId)
        .at(-1)
        ?.calls.find((call) => call.messageId === event.messageId),
    }))
    const count = (delivery) => events.filter((event) => event.delivery === delivery).length
    return {
      sent: events.length,
      delivered: count('delivered'),
      unconfirmed: count('unconfirmed'),
      errors: this.errors,
      events,
      requests: this.requests.map(({ calls, ...request }) => {
        return { ...request, messageIds: calls.map((call) => call.messageId) }
      }),
    }
  }
}
