// JavaScript Hypercore 9 in the comparisons of SLEEP feeds: the jobs that it does.
'use strict'

const hypercore = require('hypercore')
const { now, random, makeBlocks, resident, serve } = require('../jobs')

let feed = null

// The result of a call that takes a callback.
const result = call => new Promise((resolve, reject) => {
  call((error, value) => error ? reject(error) : resolve(value))
})

async function opened (dir) {
  const opened = hypercore(dir)
  // Told by `ready` as well.
  opened.on('error', () => {})
  await result(done => opened.ready(done))
  return opened
}

const jobs = {
  async append (dir, len, batch, batches) {
    const feed = await opened(dir)
    const blocks = makeBlocks(Number(batch), Number(len))
    const start = now()
    for (let i = 0; i < Number(batches); i++) {
      await result(done => feed.append(blocks.length === 1 ? blocks[0] : blocks, done))
    }
    const time = now() - start
    await result(done => feed.close(done))
    return time
  },

  async open (dir) {
    const start = now()
    feed = await opened(dir)
    return now() - start
  },

  async close () {
    await result(done => feed.close(done))
    feed = null
    return 0
  },

  async get (count) {
    const start = now()
    for (const index of random(feed.length, Number(count))) await result(done => feed.get(index, done))
    return now() - start
  },

  // Blocks in order: one `get` after the other.
  async getInOrder (count) {
    const start = now()
    for (let index = 0; index < Number(count); index++) await result(done => feed.get(index, done))
    return now() - start
  },

  // Blocks in order: so many with one call.
  async getBatch (count, batch) {
    const start = now()
    for (let index = 0; index < Number(count); index += Number(batch)) {
      await result(done => feed.getBatch(index, index + Number(batch), done))
    }
    return now() - start
  },

  async stream (count) {
    const start = now()
    let seen = 0
    for await (const block of feed.createReadStream({ start: 0, end: Number(count) })) seen += block.length
    if (seen === 0) throw new Error('nothing was read')
    return now() - start
  },

  resident
}

serve(jobs)
