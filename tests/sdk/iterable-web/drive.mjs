#!/usr/bin/env node
// Plays a visit in headless Chromium with Iterable's Web SDK as it is published, on a page of another origin than Roster's.
//
//   node drive.mjs signed|expired|stranger|unknown|visitor --modules DIR --host http://127.0.0.1:PORT --key KEY --secret SECRET
//                  [--chromium /usr/bin/chromium] [--timeout-seconds 60]
//
// DIR holds node_modules, as installed from the package-lock.json beside this file. The published build does nothing without a
// generator of JWTs: the page asks its own server for them, which signs as the customer's would, and badly where a visit says so.
// One line of JSON tells: outcomes (what each call of the SDK answered, or how it failed), requests (as they left Chromium, with
// their answers), tokens (whom tokens were made for, and how). visits.js says what each visit does.
//
// Chromium resolves no host name, so that nothing can leave the machine.

import crypto from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'

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
const BUILD = 'node_modules/@iterable/web-sdk/index.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    modules: { type: 'string' },
    host: { type: 'string' },
    key: { type: 'string' },
    secret: { type: 'string' },
    chromium: { type: 'string', default: '/usr/bin/chromium' },
    'timeout-seconds': { type: 'string', default: '60' },
  },
})
const [visit] = positionals
const modules = path.resolve(values.modules)
const answer = { outcomes: {}, requests: [], tokens: [] }

/** A token as the customer's server signs it; `sort` says what is wrong with it. */
function token(claims, sort) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const [iat, exp] = sort === 'expired' ? [now - 600, now - 120] : [now - 10, now + 600]
  const who = sort === 'stranger' ? { email: 'stranger@example.com' } : claims
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ ...who, iat, exp })}`
  return `${text}.${crypto.createHmac('sha256', values.secret).update(text).digest('base64url')}`
}

/** The page, the SDK, and the customer's own endpoint for tokens. */
async function startSite() {
  const script = (file) => ['text/javascript; charset=utf-8', fs.readFileSync(file)]
  const page = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title><link rel="icon" href="data:,">
<script src="/sdk.js"></script><script src="/visits.js"></script></head><body>Shop</body></html>`
  const files = {
    '/': ['text/html; charset=utf-8', page],
    '/sdk.js': script(path.join(modules, BUILD)),
    '/visits.js': script(new URL('./visits.js', import.meta.url)),
  }
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, 'http://site')
    if (url.pathname === '/jwt') {
      const { sort, ...claims } = Object.fromEntries(url.searchParams)
      answer.tokens.push({ sort, ...claims })
      response.end(token(claims, sort))
      return
    }
    const file = files[url.pathname]
    response.writeHead(file ? 200 : 404, { 'Content-Type': file?.[0] ?? 'text/plain' })
    response.end(file?.[1] ?? 'no such page\n')
  })
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
  return `http://127.0.0.1:${server.address().port}`
}

/** Notes each request to Roster as it left, and how it was answered. */
function watch(context, origin) {
  const entries = new Map()
  context.on('request', (request) => {
    const url = new URL(request.url())
    if (url.origin === origin || url.protocol === 'data:') return
    const body = request.postData()
    const entry = { method: request.method(), path: url.pathname, query: url.search, body: body && JSON.parse(body), status: null }
    entry.isElsewhere = url.origin !== values.host
    entry.hasToken = Boolean(request.headers().authorization)
    entries.set(request, entry)
    answer.requests.push(entry)
  })
  context.on('response', (response) => {
    const entry = entries.get(response.request())
    if (entry) entry.status = response.status()
  })
  context.on('requestfailed', (request) => {
    const entry = entries.get(request)
    if (entry && entry.status === null) entry.failure = request.failure()?.errorText ?? 'failed'
  })
}

const isQuiet = () => answer.requests.every(({ status, failure }) => status !== null || failure)
const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms))

async function play() {
  const { chromium } = createRequire(path.join(modules, 'package.json'))('playwright-core')
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'roster-chromium-'))
  process.on('exit', () => fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 }))
  const origin = await startSite()
  const launch = { executablePath: values.chromium, headless: true, args: CHROMIUM_FLAGS }
  const context = await chromium.launchPersistentContext(profile, launch)
  watch(context, origin)
  const page = await context.newPage()
  page.on('console', (message) => process.stderr.write(`console ${message.type()}: ${message.text()}\n`))
  page.on('pageerror', (error) => process.stderr.write(`page error: ${error.message}\n`))
  await page.goto(`${origin}/`)
  const given = { visit, baseURL: `${values.host}/api`, key: values.key }
  answer.outcomes = await page.evaluate((given) => window.play(given), given)
  // What the SDK sends without waiting for it: a click that outlives its page, events that waited.
  while (!isQuiet()) await sleep(25)
  await context.close()
}

const late = sleep(Number(values['timeout-seconds']) * 1000).then(() => {
  throw new Error(`not finished after ${values['timeout-seconds']} seconds: ${JSON.stringify(answer)}`)
})
await Promise.race([play(), late])
process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(0))
