// The JavaScript side of the comparisons: does timed jobs for the process that started it.
//
// One job a line on stdin, as words; the answer is a line on stdout: for most jobs their time in
// nanoseconds, or what went wrong. Node's start is outside of all times.
'use strict'

const fs = require('fs')
const net = require('net')
const readline = require('readline')
const Hypercore = require('hypercore')
const { MerkleTree } = require('hypercore/lib/merkle-tree')

let core = null

const now = () => Number(process.hrtime.bigint())

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

async function appendAll (core, len, batch, batches) {
  const blocks = makeBlocks(batch, len)
  const start = now()
  for (let i = 0; i < batches; i++) await core.append(batch === 1 ? blocks[0] : blocks)
  return now() - start
}

async function blockProof (index) {
  return core.proof({ block: { index, nodes: levels(index, core.length) } })
}

// Levels from a leaf to its root in a tree of `length` blocks.
function levels (index, length) {
  let start = 0
  for (;;) {
    const level = Math.floor(Math.log2(length - start))
    if (index < start + 2 ** level) return level
    start += 2 ** level
  }
}

const servers = []

function replicate (core, socket, isInitiator) {
  socket.setNoDelay(true)
  const stream = core.replicate(isInitiator)
  // However the other side ends, the time was taken before.
  for (const one of [socket, stream, stream.noiseStream]) one.on('error', () => {})
  socket.on('close', () => stream.destroy())
  socket.pipe(stream).pipe(socket)
}

const jobs = {
  async append (dir, len, batch, batches) {
    const core = new Hypercore(dir)
    await core.ready()
    const time = await appendAll(core, Number(len), Number(batch), Number(batches))
    await core.close()
    return time
  },

  async open (dir) {
    const start = now()
    core = new Hypercore(dir)
    await core.ready()
    return now() - start
  },

  async close () {
    for (const server of servers.splice(0)) server.close()
    await core.close()
    core = null
    return 0
  },

  async get (count) {
    const start = now()
    for (const index of random(core.length, Number(count))) await core.get(index)
    return now() - start
  },

  async getMany (count, inFlight) {
    const start = now()
    let pending = []
    for (const index of random(core.length, Number(count))) {
      pending.push(core.get(index))
      if (pending.length === Number(inFlight)) {
        await Promise.all(pending)
        pending = []
      }
    }
    await Promise.all(pending)
    return now() - start
  },

  async stream (count) {
    const start = now()
    let seen = 0
    for await (const block of core.createReadStream({ end: Number(count) })) seen += block.length
    if (seen === 0) throw new Error('nothing was read')
    return now() - start
  },

  async seek (count) {
    const bytes = core.byteLength
    const start = now()
    for (const byte of random(bytes, Number(count))) await core.seek(byte)
    return now() - start
  },

  async prove (count) {
    const start = now()
    for (const index of random(core.length, Number(count))) await blockProof(index)
    return now() - start
  },

  // Verifies against a core that has the head and nothing else.
  async verify (dir, count) {
    const head = await core.proof({ upgrade: { start: 0, length: core.length } })
    const reader = new Hypercore(dir, core.key)
    await reader.ready()
    await reader.applyProof({ ...head, manifest: core.core.header.manifest })
    const proofs = []
    for (const index of random(core.length, Number(count))) proofs.push(await blockProof(index))
    const start = now()
    for (const proof of proofs) await MerkleTree.verify(reader.state, proof)
    const time = now() - start
    await reader.close()
    return time
  },

  // Shares the log in a folder with whoever connects: its key and a port.
  async serve (dir) {
    core = new Hypercore(dir)
    await core.ready()
    const server = net.createServer(socket => replicate(core, socket, false))
    await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
    servers.push(server)
    return core.key.toString('hex') + ' ' + server.address().port
  },

  // Fetches a whole log from a peer: from before it connects until the last block is stored.
  async fetch (key, dir, port, count) {
    const copy = new Hypercore(dir, Buffer.from(key, 'hex'))
    await copy.ready()
    const start = now()
    const socket = net.connect(Number(port), '127.0.0.1')
    replicate(copy, socket, true)
    await copy.download({ start: 0, end: Number(count) }).done()
    const time = now() - start
    socket.destroy()
    await copy.close()
    return time
  },

  // Fetches one block: from before it connects until it is here.
  async first (key, dir, port, index) {
    const copy = new Hypercore(dir, Buffer.from(key, 'hex'))
    await copy.ready()
    const start = now()
    const socket = net.connect(Number(port), '127.0.0.1')
    replicate(copy, socket, true)
    await copy.get(Number(index))
    const time = now() - start
    socket.destroy()
    await copy.close()
    return time
  },

  // Processor time of this process so far.
  async cpu () {
    const { user, system } = process.cpuUsage()
    return 1000 * (user + system)
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
