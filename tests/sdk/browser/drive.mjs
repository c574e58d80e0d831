#!/usr/bin/env node
// Plays a visit in headless Chromium with a published browser SDK, served from an origin other than Roster's.
//
//   node drive.mjs story|alias|hasty|offline|unload|tabs|rudder --modules DIR --host http://127.0.0.1:PORT --write-key KEY
//                  [--user-token JWT] [--user ID] [--tabs 3] [--delivery standard|keepalive|batching] [--api-host HOST:PORT/v1]
//                  [--chromium /usr/bin/chromium] [--timeout-seconds 60]
//
// DIR (or SDK_MODULES in the environment) holds node_modules, as installed from the package-lock.json beside this file.
// The SDK takes its settings document from the host and posts to the apiHost that this document names, by the protocol it
// names ("http" for a test), unless --api-host says otherwise. unload delivers with keepalive unless told otherwise.
// tests/sdk/README.md describes the answer line and the exit status; scenarios.mjs says what each visit does.
//
// What is as in production: the SDK's published browser build, real CORS and preflights, cookies and stored queues,
// navigation and closing tabs. What is not: Chromium resolves no host name, so that nothing can leave the machine.

import fs from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { Recorder } from './recorder.mjs'
import { SCENARIOS } from './scenarios.mjs'

const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
]
// How long to wait for requests under way, and for Chromium to end, before going without.
const QUIET_MS = 2000
const CLOSE_MS = 5000

// The browser build of each SDK, and the script that loads it.
const SDKS = {
  segment: { name: '@segment/analytics-next', build: 'dist/umd/index.js', page: './page.js' },
  // Without its plugins a page would load them from RudderStack's own servers.
  rudder: { name: '@rudderstack/analytics-js', build: 'dist/npm/modern/bundled/umd/index.js', page: './rudder.js' },
}

const DELIVERY = {
  standard: undefined,
  keepalive: { strategy: 'standard', config: { keepalive: true } },
  // Small and quick, so that a test sees several batches without waiting.
  batching: { strategy: 'batching', config: { size: 3, timeout: 500 } },
}

const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms))

function parseArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      modules: { type: 'string', default: process.env.SDK_MODULES },
      host: { type: 'string' },
      'write-key': { type: 'string' },
      'user-token': { type: 'string' },
      user: { type: 'string', default: 'browser-user' },
      tabs: { type: 'string', default: '3' },
      delivery: { type: 'string' },
      'api-host': { type: 'string' },
      chromium: { type: 'string', default: '/usr/bin/chromium' },
      'timeout-seconds': { type: 'string', default: '60' },
    },
  })
  const [scenario] = positionals
  if (positionals.length !== 1 || !Object.hasOwn(SCENARIOS, scenario)) {
    throw new Error(`name one scenario: ${Object.keys(SCENARIOS).join(', ')}`)
  }
  for (const name of ['modules', 'host', 'write-key']) if (!values[name]) throw new Error(`--${name} is missing`)
  const delivery = values.delivery ?? (scenario === 'unload' ? 'keepalive' : 'standard')
  if (!Object.hasOwn(DELIVERY, delivery)) throw new Error(`--delivery is one of ${Object.keys(DELIVERY).join(', ')}`)
  return {
    scenario,
    delivery,
    sdk: scenario === 'rudder' ? SDKS.rudder : SDKS.segment,
    modules: path.resolve(values.modules),
    host: new URL(values.host).origin,
    writeKey: values['write-key'],
    userToken: values['user-token'],
    apiHost: values['api-host'],
    user: values.user,
    tabCount: Number(values.tabs),
    chromium: values.chromium,
    timeoutSeconds: Number(values['timeout-seconds']),
  }
}

/** What the page passes to AnalyticsBrowser.load. */
function loadConfig({ host, writeKey, userToken, apiHost, delivery }) {
  const segment = {}
  if (apiHost) Object.assign(segment, { apiHost, protocol: 'http' })
  if (DELIVERY[delivery]) segment.deliveryStrategy = DELIVERY[delivery]
  if (userToken) segment.deliveryStrategy = { strategy: 'standard', config: { headers: { 'X-User-Token': userToken } } }
  const options = Object.keys(segment).length > 0 ? { integrations: { 'Segment.io': segment } } : {}
  return { settings: { writeKey, cdnURL: host }, options, host }
}

/** Serves the site: two pages, the SDK's published browser build, and the script that loads it. */
async function startSite(sdk, modules, config) {
  // A "<" could end the script element early.
  const inline = JSON.stringify(config).replaceAll('<', '\\u003c')
  const html = (title) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title>
<link rel="icon" href="data:,"><script src="/sdk.js"></script><script>window.CONFIG = ${inline}</script>
<script src="/page.js"></script></head><body><a href="/second.html">Second page</a></body></html>`
  const script = (file) => ['text/javascript; charset=utf-8', fs.readFileSync(file)]
  const files = {
    '/index.html': ['text/html; charset=utf-8', html('First page')],
    '/second.html': ['text/html; charset=utf-8', html('Second page')],
    '/sdk.js': script(path.join(modules, 'node_modules', sdk.name, sdk.build)),
    '/page.js': script(new URL(sdk.page, import.meta.url)),
  }
  const server = http.createServer((request, response) => {
    const file = files[new URL(request.url, 'http://site').pathname]
    response.writeHead(file ? 200 : 404, { 'Content-Type': file?.[0] ?? 'text/plain' })
    response.end(file?.[1] ?? 'no such page\n')
  })
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
  return `http://127.0.0.1:${server.address().port}`
}

async function play(options, context, recorder, origin) {
  await recorder.attach(context)
  const openTab = async () => {
    const page = await context.newPage()
    page.on('console', (message) => process.stderr.write(`console ${message.type()}: ${message.text()}\n`))
    await page.goto(`${origin}/index.html?utm_source=news&utm_campaign=spring`)
    const problem = await page.evaluate(() => window.ready)
    if (problem) throw new Error(problem)
    return page
  }
  await SCENARIOS[options.scenario]({ ...options, context, recorder, openTab })
}

async function main() {
  let options
  try {
    options = parseArguments()
  } catch (error) {
    process.stderr.write(`${error.message}\n`)
    process.exit(2)
  }
  const load = createRequire(path.join(options.modules, 'package.json'))
  const { sdk, modules } = options
  const about = path.join(modules, 'node_modules', sdk.name, 'package.json')
  const { version } = JSON.parse(fs.readFileSync(about, 'utf8'))
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'roster-chromium-'))
  process.on('exit', () => fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 }))

  const origin = await startSite(sdk, modules, loadConfig(options))
  const recorder = new Recorder(options.host, origin)
  const late = sleep(options.timeoutSeconds * 1000).then(() => {
    throw new Error(`not finished after ${options.timeoutSeconds} seconds`)
  })
  let context
  const visit = async () => {
    const launch = { executablePath: options.chromium, headless: true, args: CHROMIUM_FLAGS }
    context = await load('playwright-core').chromium.launchPersistentContext(profile, launch)
    await play(options, context, recorder, origin)
  }
  try {
    await Promise.race([visit(), recorder.until(() => recorder.errors.length > 0), late])
  } catch (error) {
    recorder.fail(error.message)
  }
  // After a first error the rest of the visit is given a moment, so that the answer line tells the fate of every call.
  await Promise.race([recorder.until(() => recorder.isQuiet()), sleep(QUIET_MS)])
  const { scenario, delivery } = options
  const answer = { scenario, delivery, sdk: `${sdk.name} ${version}`, origin, ...recorder.report() }
  const clean = answer.errors.length === 0 && answer.delivered + answer.unconfirmed === answer.sent
  await Promise.race([context?.close(), sleep(CLOSE_MS)])
  process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(clean ? 0 : 1))
}

await main()
