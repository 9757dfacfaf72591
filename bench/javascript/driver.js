// JavaScript Hypercore 11 in the comparisons: the jobs that it does.
'use strict'

const net = require('net')
const Hypercore = require('hypercore')
const { MerkleTree } = require('hypercore/lib/merkle-tree')
const { now, random, makeBlocks, resident, serve } = require('./jobs')

let core = null

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

  resident
}

serve(jobs)
