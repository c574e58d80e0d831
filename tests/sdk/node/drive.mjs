#!/usr/bin/env node
// Makes tracking calls through a published server-side JavaScript SDK, as an application would.
//
//   node drive.mjs --sdk @segment/analytics-node|@rudderstack/rudder-sdk-node|analytics-node --modules DIR
//                  --host http://127.0.0.1:PORT --write-key KEY [--max-retries 3] [--timeout-seconds 60] < plan.ndjson
//
// DIR (or SDK_MODULES in the environment) holds node_modules, as installed from the package-lock.json beside this file.
// tests/sdk/README.md describes the plan, the answer line and the exit status. Lines are acted on as they are read, so
// a test may write some calls, wait, and write more.
//
// What these SDKs cannot do, or do in their own way:
// - @segment/analytics-node: alias takes no anonymous id; the driver leaves it out and counts it under "omitted". User ids
//   must be strings, or the call is refused. A path in the host is dropped by the SDK. Calls over 32 KiB are sent.
// - @rudderstack/rudder-sdk-node: sends the plan's timestamp as `timestamp` and adds an `originalTimestamp` of its own,
//   the present; puts identify traits in context.traits as well, over what stood there. Its types do not list messageId;
//   its code takes it. Calls over 32 KiB are sent.
// - analytics-node: throws on a call over 32 KiB (an error here).
// - The last two post the first call on its own at once; of ids that are numbers, only user and anonymous ids become text.
// - The plan is read as JavaScript reads it: integers beyond 2^53 lose digits, NaN and Infinity cannot be written.

import { createRequire } from 'node:module'
import path from 'node:path'
import readline from 'node:readline'
import { parseArgs } from 'node:util'

const IDENTITY = { user_id: 'userId', anonymous_id: 'anonymousId' }
const PAGE = { ...IDENTITY, category: 'category', name: 'name', properties: 'properties' }
const COMMON = { message_id: 'messageId', context: 'context', integrations: 'integrations', timestamp: 'timestamp' }
// The plan's fields of each call, by the names these SDKs give them.
const FIELDS = {
  identify: { ...IDENTITY, traits: 'traits', ...COMMON },
  track: { ...IDENTITY, event: 'event', properties: 'properties', ...COMMON },
  page: { ...PAGE, ...COMMON },
  screen: { ...PAGE, ...COMMON },
  group: { ...IDENTITY, group_id: 'groupId', traits: 'traits', ...COMMON },
  alias: { ...IDENTITY, previous_id: 'previousId', ...COMMON },
}
// Closing @segment/analytics-node while a batch is under way leaves the last, unfilled batch to its timer (10 s unless
// told otherwise), so the timer is short here.
const SEGMENT_FLUSH_MS = 500
// How often to look whether the SDK has answered for every call.
const POLL_MS = 20

/** A line of the plan that no SDK could act on: the test's mistake, not the server's. */
class PlanError extends Error {}

/** Counts what the SDK took and what it reports as delivered or lost. */
class Tally {
  sent = 0
  delivered = 0
  lost = 0
  errors = []
  undelivered = []
  omitted = {}

  settle(messageId, error) {
    if (!error) {
      this.delivered += 1
      return
    }
    this.lost += 1
    this.undelivered.push(messageId ?? null)
    this.fail(`not delivered: ${error.message ?? error}`)
  }

  /** Keeps each message once: a refused batch reports the same reason for every call in it. */
  fail(message) {
    if (!this.errors.includes(message)) this.errors.push(message)
  }

  omit(field) {
    this.omitted[field] = (this.omitted[field] ?? 0) + 1
  }

  get open() {
    return this.sent - this.delivered - this.lost
  }

  report(finished) {
    const { sent, errors, undelivered, omitted } = this
    const delivered = finished ? this.delivered : null
    const line = JSON.stringify({ sent, delivered, errors, undelivered, omitted })
    const status = finished && errors.length === 0 && delivered === sent ? 0 : 1
    return { line, status }
  }
}

const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms))

function segmentNode(load, options, tally) {
  const { Analytics } = load('@segment/analytics-node')
  const client = new Analytics({
    writeKey: options.writeKey,
    host: options.host,
    maxRetries: options.maxRetries,
    maxRateLimitDuration: options.timeoutSeconds,
    flushInterval: SEGMENT_FLUSH_MS,
  })
  // Failed deliveries reach each call's callback; only what breaks before sending is told here alone.
  client.on('error', ({ code, reason }) => {
    if (code !== 'delivery_failure') tally.settle(null, reason instanceof Error ? reason : new Error(`${code}: ${reason}`))
  })
  return {
    omits: { alias: ['anonymous_id'] },
    call: (name, message, done) => client[name](message, done),
    close: () => client.closeAndFlush({ timeout: options.timeoutSeconds * 1000 }),
  }
}

/** The two SDKs grown from analytics-node: same constructor, same callbacks, a flush that sends one batch at a time. */
function classicNode(packageName, extra) {
  return (load, options, tally) => {
    const Analytics = load(packageName)
    const client = new Analytics(options.writeKey, {
      ...extra(options.host),
      retryCount: options.maxRetries,
      // Each call hears of its failure; without this the SDK would reject a promise that nobody holds.
      errorHandler: () => {},
    })
    return {
      omits: {},
      call: (name, message, done) => client[name](message, done),
      close: async () => {
        while (tally.open > 0) {
          await client.flush()
          await sleep(POLL_MS)
        }
      },
    }
  }
}

const SDKS = {
  '@segment/analytics-node': segmentNode,
  // Above any plan, so that a slow server never makes the SDK drop calls at its own queue.
  '@rudderstack/rudder-sdk-node': classicNode('@rudderstack/rudder-sdk-node', (host) => ({
    dataPlaneUrl: host,
    maxInternalQueueSize: 1_000_000,
  })),
  'analytics-node': classicNode('analytics-node', (host) => ({ host })),
}

/** Turns a line of the plan into the call's name and its fields, by the plan's names. */
function parseCall(line) {
  let fields
  try {
    fields = JSON.parse(line)
  } catch (error) {
    throw new PlanError(`not JSON: ${error.message}`)
  }
  if (fields === null || typeof fields !== 'object') throw new PlanError('not an object')
  const { call: name, ...given } = fields
  if (!Object.hasOwn(FIELDS, name ?? '')) throw new PlanError(`unknown call ${JSON.stringify(name)}`)
  for (const field of Object.keys(given)) {
    if (!Object.hasOwn(FIELDS[name], field)) throw new PlanError(`${name} takes no ${field}`)
  }
  if (given.timestamp !== undefined) {
    given.timestamp = new Date(given.timestamp)
    if (Number.isNaN(given.timestamp.getTime())) throw new PlanError('timestamp: not a time')
  }
  return { name, given }
}

/** Renames a call's fields as the SDKs have them, without those that this SDK's call cannot carry. */
function buildMessage(name, given, sdk, tally) {
  const message = {}
  for (const [field, value] of Object.entries(given)) {
    if (sdk.omits[name]?.includes(field)) {
      tally.omit(`${name}.${field}`)
    } else {
      message[FIELDS[name][field]] = value
    }
  }
  return message
}

/** Makes the plan's calls, then waits until the SDK has delivered or given up on each. */
async function play(lines, sdk, tally) {
  let number = 0
  for await (const line of lines) {
    number += 1
    if (!line.trim()) continue
    let name, given
    try {
      ;({ name, given } = parseCall(line))
    } catch (error) {
      throw new PlanError(`plan line ${number}: ${error.message}`)
    }
    const message = buildMessage(name, given, sdk, tally)
    const { messageId } = message
    try {
      sdk.call(name, message, (error) => tally.settle(messageId, error))
      tally.sent += 1
    } catch (error) {
      tally.fail(`plan line ${number}: ${name} refused: ${error.message}`)
      tally.undelivered.push(messageId ?? null)
    }
  }
  await sdk.close()
  while (tally.open > 0) await sleep(POLL_MS)
}

function parseArguments() {
  const { values } = parseArgs({
    options: {
      sdk: { type: 'string' },
      modules: { type: 'string', default: process.env.SDK_MODULES },
      host: { type: 'string' },
      'write-key': { type: 'string' },
      'max-retries': { type: 'string', default: '3' },
      'timeout-seconds': { type: 'string', default: '60' },
    },
  })
  for (const name of ['sdk', 'modules', 'host', 'write-key']) {
    if (!values[name]) throw new Error(`--${name} is missing`)
  }
  if (!Object.hasOwn(SDKS, values.sdk)) throw new Error(`--sdk is one of ${Object.keys(SDKS).join(', ')}`)
  return {
    sdk: values.sdk,
    modules: path.resolve(values.modules),
    host: values.host,
    writeKey: values['write-key'],
    maxRetries: Number(values['max-retries']),
    timeoutSeconds: Number(values['timeout-seconds']),
  }
}

async function main() {
  // Standard output carries the answer line alone; SDKs log wherever they like.
  globalThis.console = new console.Console(process.stderr, process.stderr)
  let options
  try {
    options = parseArguments()
  } catch (error) {
    process.stderr.write(`${error.message}\n`)
    process.exit(2)
  }
  const tally = new Tally()
  process.on('unhandledRejection', (reason) => tally.fail(`unhandled rejection: ${reason?.message ?? reason}`))

  const load = createRequire(path.join(options.modules, 'package.json'))
  let finished = false
  let planError = false
  const run = async () => {
    const sdk = SDKS[options.sdk](load, options, tally)
    await play(readline.createInterface({ input: process.stdin }), sdk, tally)
    finished = true
  }
  const deadline = sleep(options.timeoutSeconds * 1000).then(() => {
    throw new Error(`not finished after ${options.timeoutSeconds} seconds`)
  })
  try {
    await Promise.race([run(), deadline])
  } catch (error) {
    tally.fail(error.message)
    planError = error instanceof PlanError
  }
  const { line, status } = tally.report(finished)
  process.stdout.write(`${line}\n`, () => process.exit(planError ? 2 : status))
}

await main()
