#!/usr/bin/env node
// Makes calls of Iterable's API through a published client for JavaScript, and prints one line of JSON: what each call answered.
//
//   node drive.mjs --sdk @iterable/api|node-iterable-api --modules DIR --host http://127.0.0.1:PORT --key KEY
//
// @iterable/api checks each answer by its own schemas and throws where one does not fit.
// node-iterable-api has its address built in: this driver sends what it asks https for to the host, as DNS and a proxy would.

import http from 'node:http'
import https from 'node:https'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    sdk: { type: 'string' },
    modules: { type: 'string' },
    host: { type: 'string' },
    key: { type: 'string' },
  },
})
const require = createRequire(path.resolve(values.modules, 'package.json'))
const answers = {}

/** Notes what a call answers, or how it fails. */
async function call(name, work) {
  try {
    answers[name] = await work()
  } catch (error) {
    answers[name] = { failed: error.name, status: error.statusCode ?? error.response?.status, code: error.code, message: error.message }
  }
}

const ADA = { email: 'ada+1@example.com', userId: 'ada' }
const CART = [{ id: 'i1', name: 'Shoe', price: 9.5, quantity: 2 }]

async function official() {
  const entry = path.resolve(values.modules, 'node_modules/@iterable/api/dist/index.js')
  const { IterableClient } = await import(pathToFileURL(entry))
  const client = new IterableClient({ apiKey: values.key, baseUrl: values.host })
  await call('update', () => client.updateUser({ ...ADA, dataFields: { plan: 'pro', address: { city: 'Ulm' } } }))
  await call('nested', () => client.updateUser({ userId: 'ada', mergeNestedObjects: true, dataFields: { address: { zip: '89073' } } }))
  await call('bulk', () => client.bulkUpdateUsers({ users: [{ email: 'b@example.com', dataFields: { n: 1 } }, { userId: 'c' }] }))
  await call('byEmail', () => client.getUserByEmail({ email: ADA.email }))
  await call('byUserId', () => client.getUserByUserId({ userId: 'c' }))
  await call('nobody', () => client.getUserByEmail({ email: 'nobody@example.com' }))
  await call('nobodyById', () => client.getUserByUserId({ userId: 'nobody' }))
  await call('fields', () => client.getUserFields())
  await call('sent', () => client.getSentMessages({ email: ADA.email, limit: 10 }))
  await call('track', () => client.trackEvent({ userId: 'ada', eventName: 'Seen', id: 'e1', createdAt: 1704164645, dataFields: { a: 1 } }))
  await call('trackBulk', () => client.trackBulkEvents({ events: [{ email: ADA.email, eventName: 'Opened', id: 'e2', createdAt: 1704164646 }, { userId: 'new', eventName: 'First', id: 'e3' }] }))
  await call('events', () => client.getUserEventsByEmail({ email: ADA.email, limit: 5 }))
  await call('eventsById', () => client.getUserEventsByUserId({ userId: 'new' }))
  await call('subscriptions', () => client.updateUserSubscriptions({ email: ADA.email, emailListIds: [1], unsubscribedChannelIds: [2] }))
  await call('createList', () => client.createList({ name: 'news' }))
  const { listId } = answers.createList
  await call('subscribe', () => client.subscribeUserToList({ listId, subscribers: [{ email: ADA.email }, { userId: 'c' }], updateExistingUsersOnly: true }))
  await call('unsubscribe', () => client.unsubscribeUserFromList({ listId, subscribers: [{ userId: 'c' }] }))
  await call('lists', () => client.getLists())
  await call('listUsers', () => client.getListUsers({ listId }))
  await call('listPreview', () => client.getListPreviewUsers({ listId, preferUserId: true }))
  await call('listSize', () => client.getListSize({ listId }))
  await call('groupBulk', () => client.bulkUpdateSubscriptions({ subscriptionGroup: 'messageChannel', subscriptionGroupId: 5, action: 'unsubscribe', users: [ADA.email] }))
  await call('groupJoin', () => client.subscribeUserByEmail({ subscriptionGroup: 'messageType', subscriptionGroupId: 6, userEmail: ADA.email }))
  await call('groupJoinById', () => client.subscribeUserByUserId({ subscriptionGroup: 'emailList', subscriptionGroupId: listId, userId: 'c' }))
  await call('groupLeaveById', () => client.unsubscribeUserByUserId({ subscriptionGroup: 'emailList', subscriptionGroupId: listId, userId: 'c' }))
  await call('groupLeave', () => client.unsubscribeUserByEmail({ subscriptionGroup: 'messageChannel', subscriptionGroupId: 7, userEmail: ADA.email }))
  await call('otherList', () => client.createList({ name: 'old' }))
  await call('deleteList', () => client.deleteList({ listId: answers.otherList.listId }))
  await call('updateEmail', () => client.updateEmail({ currentEmail: 'b@example.com', newEmail: 'bea@example.com' }))
  await call('merge', () => client.mergeUsers({ sourceUserId: 'c', destinationEmail: 'bea@example.com' }))
  await call('delete', () => client.deleteUserByUserId({ userId: 'new' }))
  await call('deleteByEmail', () => client.deleteUserByEmail({ email: 'nobody@example.com' }))
  client.destroy()
}

/** Sends what goes to https://api.iterable.com to the host. */
function redirect() {
  const { hostname, port } = new URL(values.host)
  https.request = (options, ...rest) => {
    if (options.hostname !== 'api.iterable.com') throw new Error(`not expected: ${options.hostname}`)
    return http.request({ ...options, protocol: 'http:', agent: undefined, agents: undefined, hostname, host: hostname, port }, ...rest)
  }
}

async function community() {
  redirect()
  const client = require('node-iterable-api').create(values.key)
  await call('update', () => client.users.update({ ...ADA, dataFields: { plan: 'pro', address: { city: 'Ulm', zip: '89073' } } }))
  await call('bulk', () => client.users.bulkUpdate({ users: [{ email: 'bad@' }, { userId: 'c' }] }))
  await call('byEmail', () => client.users.get(ADA.email))
  await call('fields', () => client.users.getFields())
  await call('sent', () => client.users.getSentMessages({ email: ADA.email, limit: 10 }))
  await call('track', () => client.events.track({ userId: 'ada', eventName: 'Seen', id: 'e1', createdAt: 1704164645, dataFields: { a: 1 } }))
  await call('trackBulk', () => client.events.trackBulk({ events: [{ email: ADA.email, eventName: 'Opened', id: 'e2', createdAt: 1704164646 }] }))
  await call('events', () => client.events.get(ADA.email))
  await call('pushOpen', () => client.events.trackPushOpen({ userId: 'c', campaignId: 1, messageId: 'm1' }))
  await call('inAppOpen', () => client.events.trackInAppOpen({ userId: 'c', messageId: 'm1' }))
  await call('inAppClick', () => client.events.trackInAppClick({ userId: 'c', messageId: 'm1' }))
  await call('webPushClick', () => client.events.trackWebPushClick({ userId: 'c', messageId: 'm1' }))
  await call('subscriptions', () => client.users.updateSubscriptions({ email: ADA.email, emailListIds: [1], unsubscribedChannelIds: [2] }))
  await call('bulkSubscriptions', () => client.users.bulkUpdateSubscriptions({ updateSubscriptionsRequests: [{ userId: 'c', emailListIds: [3] }] }))
  await call('device', () => client.users.registerDeviceToken({ userId: 'c', device: { token: 't1', platform: 'GCM', applicationName: 'app' } }))
  await call('disable', () => client.users.disableDevice({ userId: 'c', token: 't1' }))
  await call('cart', () => client.commerce.updateCart({ user: { userId: 'c' }, items: CART }))
  await call('purchase', () => client.commerce.trackPurchase({ user: { userId: 'c' }, items: CART, total: 19 }))
  await call('inApp', () => client.inApp.getMessages({ email: ADA.email, count: 5 }))
  await call('createList', () => client.lists.create({ name: 'news' }))
  const { listId } = answers.createList
  await call('subscribe', () => client.lists.subscribe({ listId, subscribers: [{ email: ADA.email }] }))
  await call('lists', () => client.lists.get())
  await call('listUsers', () => client.lists.getUsers({ listId }))
  await call('unsubscribe', () => client.lists.unsubscribe({ listId, subscribers: [{ email: ADA.email }] }))
  await call('deleteList', () => client.lists.delete({ listId }))
  await call('delete', () => client.users.delete('nobody@example.com'))
}

await (values.sdk === '@iterable/api' ? official() : community())
console.log(JSON.stringify(answers))
