#!/usr/bin/env node
// Runs Segment's React Native SDK under Node: its client, timeline, queue and flush as published. What a phone would bring is made
// here: the modules `react-native` and `@react-native-async-storage/async-storage`, which the SDK loads, and nothing of the SDK's own.
//
//   node drive.cjs --modules DIR --host http://127.0.0.1:PORT --write-key KEY --user ID [--timeout-seconds 30]
//
// DIR holds node_modules, as installed from the package-lock.json beside this file. One line of JSON is the answer: `calls`, as they
// were posted, `requests` with path and status, `errors`. Exit status 0 when every call was answered below 400.

const Module = require('node:module')
const path = require('node:path')
const { parseArgs } = require('node:util')

const CALLS = 7

/** What the SDK asks of the phone. */
const phone = {
  AppState: { currentState: 'active', addEventListener: () => ({ remove() {} }) },
  NativeEventEmitter: class {
    addListener() {
      return { remove() {} }
    }
  },
  NativeModules: {
    Sovran: {},
    AnalyticsReactNative: {
      getContextInfo: async () => ({
        appName: 'Roster tests',
        appVersion: '1.0',
        buildNumber: '1',
        bundleId: 'org.example.tests',
        deviceId: 'device-7',
        deviceName: 'phone',
        deviceType: 'ios',
        locale: 'de-DE',
        manufacturer: 'Apple',
        model: 'iPhone',
        networkType: 'wifi',
        osName: 'iOS',
        osVersion: '18.0',
        screenWidth: 390,
        screenHeight: 844,
        timezone: 'Europe/Berlin',
      }),
    },
  },
  Platform: { OS: 'ios', select: (choices) => choices.ios ?? choices.default },
}

const kept = new Map()
const storage = {
  getItem: async (key) => kept.get(key) ?? null,
  setItem: async (key, value) => void kept.set(key, value),
  removeItem: async (key) => void kept.delete(key),
}

const STANDING_IN = {
  'react-native': phone,
  '@react-native-async-storage/async-storage': { __esModule: true, default: storage },
  // Node has crypto.getRandomValues itself.
  'react-native-get-random-values': {},
}

function standIn() {
  const load = Module._load
  Module._load = (request, ...rest) => STANDING_IN[request] ?? load(request, ...rest)
}

/** Keeps what is posted, and how it was answered. */
function listen(told) {
  const send = globalThis.fetch
  globalThis.fetch = async (url, options) => {
    const reply = await send(url, options)
    const calls = options?.body ? (JSON.parse(options.body).batch ?? []) : []
    told.requests.push({ path: new URL(url).pathname, status: reply.status })
    if (reply.status < 400) told.calls.push(...calls)
    return reply
  }
}

async function visit(client, user) {
  await client.screen('Home', { tab: 1 })
  await client.track('Looked Around', { step: 1, items: [{ sku: 'A1', price: 49.99 }] })
  await client.identify(user, { email: `${user}@example.com`, age: 36, vip: true, tags: ['a', 'b'] })
  await client.track('Order Completed', { revenue: 49.99 })
  await client.group(`${user}-company`, { name: 'Initech', employees: 42 })
  await client.flush()
  await client.reset(true)
  await client.track('Browsed Again', { anonymous: true })
  await client.screen('Home', { tab: 2 })
  await client.flush()
}

const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms))

async function main() {
  globalThis.console = new console.Console(process.stderr, process.stderr)
  const text = { type: 'string' }
  const { values } = parseArgs({
    options: { modules: text, host: text, 'write-key': text, user: text, 'timeout-seconds': { ...text, default: '30' } },
  })
  const told = { calls: [], requests: [], errors: [] }
  listen(told)
  standIn()
  const load = Module.createRequire(path.join(path.resolve(values.modules), 'package.json'))
  const { createClient } = load('@segment/analytics-react-native')
  const client = createClient({
    writeKey: values['write-key'],
    proxy: `${values.host}/v1`,
    cdnProxy: `${values.host}/v1`,
    useSegmentEndpoints: true,
    allowInsecureProxy: true,
    autoAddSegmentDestination: true,
    trackAppLifecycleEvents: false,
    flushPolicies: [],
    errorHandler: (error) => told.errors.push(String(error?.message ?? error)),
  })
  const run = async () => {
    while (!client.isReady.value) await sleep(20)
    await visit(client, values.user)
    while (told.calls.length < CALLS) {
      await client.flush()
      await sleep(100)
    }
  }
  const late = sleep(Number(values['timeout-seconds']) * 1000).then(() => told.errors.push('not finished in time'))
  await Promise.race([run().catch((error) => told.errors.push(String(error?.stack ?? error))), late])
  const isClean = told.errors.length === 0 && told.calls.length === CALLS
  process.stdout.write(`${JSON.stringify(told)}\n`, () => process.exit(isClean ? 0 : 1))
}

main()
