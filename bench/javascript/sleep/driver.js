// JavaScript Hypercore 9 in the comparisons of SLEEP feeds: does timed jobs for the process that started it.
//
// One job a line on stdin, as words; the answer is a line on stdout: for most jobs their time in
// nanoseconds, or what went wrong. Node's start is outside of all times.
'use strict'

const fs = require('fs')
const readline = require('readline')
const hypercore = require('hypercore')

let feed = null

const now = () => Number(process.hrtime.bigint())

// The result of a call that takes a callback.
const result = call => new Promise((resolve, reject) => {
  call((error, value) => error ? reject(error) : resolve(value))
})

// Numbers that look random: always the same, and new ones for each job, so that nobody has them in
// a small cache.
let state = 12345

function * random (end, count) {
  for (let i = 0; i < count; i++) {
    state = (state * 48271) % 2147483647
    yield state % end
  }
}

// Bytes that do not compress; the same in each batch, as on the other sides.
function makeBlocks (count, len) {
  const bytes = Buffer.alloc(count * len)
  let state = 1
  for (let i = 0; i < bytes.length; i++) {
    state = (state * 48271) % 2147483647
    bytes[i] = state >> 8
  }
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * len, (i + 1) * len))
}

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

  // The most memory that this process ever had.
  async resident () {
    const status = fs.readFileSync('/proc/self/status', 'utf8')
    return 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)[1])
  }
}

async function main () {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [name, ...words] = line.split(' ')
    try {
      console.log(await jobs[name](...words))
    } catch (error) {
      console.log(String(error.stack || error).replace(/\s+/g, ' '))
    }
  }
}

main()
