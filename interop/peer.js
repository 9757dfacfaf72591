#!/usr/bin/env node
'use strict'

/*
peer.js 10|11 - the JavaScript side of the network interop tests (`cargo xtask interop`).

It runs the published hypercore of that major over plain TCP on 127.0.0.1, driven by one JSON command
a line on stdin, each answered with one JSON line on stdout: {"ok":true,...} or
{"ok":false,"error":"..."}. interop/driver has its Rust twin, which speaks the same protocol. Commands
run one at a time, in order; what goes on beside them (connections, downloads) is started by one command
and waited for by another. Waiting takes "ms", after which the answer is an error.

  {"op":"open","core":NAME,"dir":D,"seed":HEX,"manifest":KIND,"encryptionKey":HEX,"block":BOOL,
   "prologue":{"length":N,"hash":HEX}}
                              open or create a core of our own. KIND is what its key is made of:
                                compat   the bare public key
                                v0 v1    a manifest of that version with one signer
                                quorum   version 1, three signers of whom two sign (0 and 2)
                                patch    as quorum, with allowPatch set: signer 2 signs all of what is
                                         appended before the first half of it is
                                v2       version 2 with userData and linked; 11 only
                                quorum0 patch0  the same two in version 0
                                static   version 1, nobody signs: for a prologue
                              with "block" the key is a block key
  {"op":"open","core":NAME,"dir":D,"key":HEX,"encryptionKey":HEX,"block":BOOL}
                              open or create a copy of somebody else's
  {"op":"open","core":NAME,"dir":D}
                              open with what is stored
                              all answer "key" "discoveryKey" "length" "fork"
  {"op":"decrypt","core":NAME,"encryptionKey":HEX,"block":BOOL}
                              hand the key over once the manifest has come: 11.37.1 throws when a core
                              opened with an encryption key turns out to be a compat one
  {"op":"blockKey","core":NAME,"encryptionKey":HEX}
                              "blockKey" of this core; here that of a core that is open with its key
  {"op":"copyPrologue","core":NAME,"from":NAME}
  {"op":"append","core":NAME,"blocks":[[S,LEN],...],"draft":BOOL,"part":PART}
                              generated blocks (content.js), with "draft" by way of a batch; "length"
                              and "hashes" of what was asked for
                              Of several signers: with "part" it stands for what signer 2 would sign
  {"op":"part","core":NAME,"seed":HEX,"blocks":[[S,LEN],...],"length":N}
                              what signer 2 of these signs for the core with these blocks, to be used for
                              its first N blocks: "part", an object with "signer", "length", "signature"
                              and "nodes", each [INDEX,SIZE,HASH]
  {"op":"keep","core":NAME,"blocks":[[S,LEN],...]}
                              the twin alone: append to a named batch that stays; answers as "append"
  {"op":"commit","core":NAME} the twin alone: commit that batch
  {"op":"backup","core":NAME,"to":D}          the twin alone
  {"op":"confirm","core":NAME,"ms":T}         the twin alone: ask the peers of a backup whether it is the newest
  {"op":"truncate","core":NAME,"length":N}    the fork grows by one
  {"op":"clear","core":NAME,"start":A,"end":B}
  {"op":"listen","cores":[NAME,...]}          "port"; every connection carries all these cores
  {"op":"connect","cores":[NAME,...],"port":P}
  {"op":"disconnect"}                         end all connections, stop listening
  {"op":"download","core":NAME,"start":A,"end":B,"linear":BOOL}    starts; "end":null goes on for ever
  {"op":"done","core":NAME,"ms":T}            waits for the downloads that end
  {"op":"wait","core":NAME,"ms":T,"length":N,"fork":F,"contiguous":C,"peers":P}
                              until all that are named are reached
  {"op":"seek","core":NAME,"byte":N,"ms":T}   "index" "offset", over the network
  {"op":"get","core":NAME,"index":I,"ms":T}   "hash", over the network
  {"op":"prove","core":NAME,"index":I}        "proof" that stands alone, of the log and this block. With
                              "node":N in place of "index", here and 11 alone, of the log up to this node
  {"op":"verify","core":NAME,"proof":HEX}     "length" "fork" "index" "hash" (of the block); not in 10
  {"op":"state","core":NAME,"blocks":BOOL}    "length" "fork" "treeHash" "byteLength" (that of the tree)
                              "contiguousLength" "peers" "manifest" (encoded, or null) and, with
                              "blocks":true, "blocks": a hash each, null where it is missing; of the
                              twin, with "kept":true, those of its batch
  {"op":"close","core":NAME}

Hashes are SHA-256 in hex.
*/

const { createHash } = require('crypto')
const net = require('net')

const b4a = require('b4a')
const c = require('compact-encoding')
const crypto = require('hypercore-crypto')
const flat = require('flat-tree')
const content = require('./content')
const { serve, readAll } = require('./protocol')

const VERSION = Number(process.argv[2])
const PACKAGE = VERSION === 10 ? 'hypercore' : 'hypercore11'
const Hypercore = require(PACKAGE)
const messages = require(PACKAGE + '/lib/messages')
const multisig = require(PACKAGE + '/lib/multisig')
const remote = VERSION === 10 ? null : require(PACKAGE + '/lib/fully-remote-proof')

// A batch ends at the first of these.
const BATCH_BLOCKS_MAX = 4096
const BATCH_BYTES_MAX = 8 * 1024 * 1024

const { DEFAULT_NAMESPACE } = require(PACKAGE + '/lib/caps')
const TREE = crypto.namespace('hypercore', 1)[0]

// By name: {core, downloads, following, quorum}
const open = new Map()
const streams = new Set()
const servers = new Set()

function hex (bytes) {
  return b4a.toString(bytes, 'hex')
}

function bytes (digits) {
  return b4a.from(digits, 'hex')
}

function sha256 (...parts) {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

// ---------------------------------------------------------------- manifests and signatures

// Of several signers: the first has the seed itself, the others a hash of it.
function keyPairs (seed) {
  const others = [1, 2].map(n => sha256(seed, Buffer.from([n])))
  return [seed, ...others].map(one => crypto.keyPair(one))
}

function manifest (kind, pairs, prologue) {
  const found = manifestOfKind(kind, pairs)
  if (found && prologue) found.prologue = { length: prologue.length, hash: bytes(prologue.hash) }
  return found
}

function manifestOfKind (kind, pairs) {
  const signers = pairs.map(pair => ({ signature: 'ed25519', publicKey: pair.publicKey }))
  switch (kind) {
    case 'compat': return null
    case 'v0': return { version: 0, quorum: 1, signers: signers.slice(0, 1) }
    case 'v1': return { version: 1, quorum: 1, signers: signers.slice(0, 1) }
    case 'quorum': return { version: 1, quorum: 2, signers }
    case 'patch': return { version: 1, quorum: 2, allowPatch: true, signers }
    case 'quorum0': return { version: 0, quorum: 2, signers }
    case 'patch0': return { version: 0, quorum: 2, allowPatch: true, signers }
    case 'static': return { version: 1, quorum: 0, signers: [] }
    case 'v2': return {
      version: 2,
      quorum: 1,
      signers: signers.slice(0, 1),
      linked: [sha256(Buffer.from('linked'))],
      userData: Buffer.from('interop')
    }
  }
  throw new Error('no such manifest: ' + kind)
}

// Blocks beside a core of several signers: their tree has to be known before it can be signed.
class Quorum {
  constructor (pairs, { version, allowPatch }) {
    this.pairs = pairs
    this.version = version
    this.isPatched = !!allowPatch
    this.leaves = []
  }

  async append (core, blocks, other) {
    const first = this.leaves.length
    this.leaves = this.leaves.concat(blocks.map((block, i) => leaf(first + i, block)))
    if (other) {
      const own = this.by(0, core, this.leaves.length, core.fork)
      await core.append(blocks, { signature: this.assemble([own, decodePart(other, this.leaves.length)]) })
      return
    }
    const half = blocks.length >> 1
    if (this.isPatched && half > 0) {
      const signature = await this.signAhead(core, first + half, blocks)
      await core.append(blocks.slice(0, half), { signature })
      blocks = blocks.slice(half)
    }
    await core.append(blocks, { signature: this.sign(core, core.fork) })
  }

  by (n, core, length, fork) {
    const lengths = Buffer.alloc(16)
    lengths.writeBigUInt64LE(BigInt(length), 0)
    lengths.writeBigUInt64LE(BigInt(fork), 8)
    const hash = crypto.tree(roots(this.leaves.slice(0, length)))
    const context = this.version === 0 ? DEFAULT_NAMESPACE : core.key
    const signable = Buffer.concat([TREE, context, hash, lengths])
    return { signer: n, signature: crypto.sign(signable, this.pairs[n].secretKey), patch: 0, nodes: null }
  }

  sign (core, fork) {
    const length = this.leaves.length
    return this.assemble([this.by(0, core, length, fork), this.by(2, core, length, fork)])
  }

  // A signature of `length`, for which signer 2 signs everything, `blocks` being what the core has not yet.
  async signAhead (core, length, blocks) {
    const ahead = this.leaves.length
    const { signature } = this.by(2, core, ahead, core.fork)
    const part = await signPart(core, blocks, length, () => signature)
    return this.assemble([this.by(0, core, length, core.fork), part])
  }

  assemble (parts) {
    return this.version === 0 ? multisig.assemblev0(parts) : multisig.assemble(parts)
  }
}

// What signer 2 signs for the core with these blocks, for its first `length` blocks; `sign` is given
// what is to be signed.
async function signPart (core, blocks, length, sign) {
  const ahead = core.length + blocks.length
  if (VERSION === 10) {
    const tree = core.core.tree.batch()
    for (const block of blocks) tree.append(block)
    return multisig.partialSignature(tree, 2, length, ahead, sign(tree.signable(core.key)))
  }
  const draft = core.session({ name: 'proposal', overwrite: true })
  await draft.append(blocks)
  const signature = sign(await draft.signable(ahead, core.fork))
  const part = await multisig.partialSignature(draft, 2, length, ahead, signature)
  await draft.close()
  return part
}

function encodePart (part, length) {
  const nodes = (part.nodes || []).map(node => [node.index, node.size, hex(node.hash)])
  return { signer: part.signer, length: length + part.patch, signature: hex(part.signature), nodes }
}

function decodePart (part, length) {
  const nodes = part.nodes.map(([index, size, hash]) => ({ index, size, hash: bytes(hash) }))
  return {
    signer: part.signer,
    signature: bytes(part.signature),
    patch: part.length - length,
    nodes: nodes.length > 0 ? nodes : null
  }
}

function leaf (index, block) {
  return { index: 2 * index, size: block.byteLength, hash: crypto.data(block) }
}

function roots (leaves) {
  const found = []
  for (let node of leaves) {
    const iterator = flat.iterator(node.index)
    while (found.length > 0 && iterator.sibling() === found[found.length - 1].index) {
      const left = found.pop()
      node = { index: iterator.parent(), size: left.size + node.size, hash: crypto.parent(left, node) }
    }
    found.push(node)
  }
  return found
}

// ---------------------------------------------------------------- connections

function attach (socket, isInitiator, names) {
  socket.setNoDelay(true)
  const stream = Hypercore.createProtocolStream(isInitiator)
  streams.add(stream)
  const note = error => console.error('stream:', error.message)
  stream.on('error', note)
  stream.noiseStream.on('error', note)
  socket.on('error', note)
  socket.on('close', () => stream.destroy())
  stream.on('close', () => {
    streams.delete(stream)
    socket.destroy()
  })
  socket.pipe(stream).pipe(socket)
  for (const name of names) opened(name).core.replicate(stream)
}

function opened (name) {
  const found = open.get(name)
  if (!found) throw new Error('no core is open as ' + name)
  return found
}

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

// `promise`, or an error after `ms`.
async function within (ms, what, promise) {
  let timer = null
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(what + ' took longer than ' + ms + ' ms')), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

// ---------------------------------------------------------------- commands

const tree = core => VERSION === 10 ? core.core.tree : core.core.state

function encryptionOf (encryptionKey, block) {
  return { key: bytes(encryptionKey), block: !!block }
}

// One append by way of a batch.
async function appendDraft (core, blocks) {
  if (VERSION === 10) {
    const draft = core.batch()
    await draft.append(blocks)
    await draft.flush()
    return
  }
  const draft = core.session({ name: 'draft', overwrite: true })
  await draft.append(blocks)
  if (await core.commit(draft) === null) throw new Error('the batch was not committed')
  await draft.close()
}

function manifestOf (core) {
  return core.manifest ? hex(c.encode(messages.manifest, core.manifest)) : null
}

const commands = {
  async open ({ core: name, dir, key, seed, manifest: kind, prologue, encryptionKey, block }) {
    if (open.has(name)) throw new Error('a core is open already as ' + name)
    const options = {}
    let quorum = null
    if (seed) {
      const pairs = keyPairs(bytes(seed))
      options.compat = kind === 'compat'
      options.manifest = manifest(kind, pairs, prologue) || undefined
      if (options.manifest && options.manifest.quorum > 1) quorum = new Quorum(pairs, options.manifest)
      else if (kind !== 'static') options.keyPair = pairs[0]
    }
    if (encryptionKey) {
      if (VERSION === 10) Object.assign(options, { encryptionKey: bytes(encryptionKey), isBlockKey: !!block })
      else options.encryption = encryptionOf(encryptionKey, block)
    }
    const core = key ? new Hypercore(dir, bytes(key), options) : new Hypercore(dir, options)
    await core.ready()
    core.on('verification-error', error => console.error(name + ': verification:', error.message))
    open.set(name, { core, quorum, downloads: [], following: [] })
    return {
      key: hex(core.key),
      discoveryKey: hex(core.discoveryKey),
      length: core.length,
      fork: core.fork
    }
  },

  async decrypt ({ core: name, encryptionKey, block }) {
    const { core } = opened(name)
    const options = VERSION === 10 ? { isBlockKey: !!block } : { block: !!block }
    if (!core.encryption) await core.setEncryptionKey(bytes(encryptionKey), options)
    return {}
  },

  async blockKey ({ core: name }) {
    return { blockKey: hex(opened(name).core.encryption.blockKey) }
  },

  async copyPrologue ({ core: name, from }) {
    const source = opened(from).core.core
    await opened(name).core.core.copyPrologue(VERSION === 10 ? source : source.state)
    return {}
  },

  async append ({ core: name, blocks, draft, part }) {
    const { core, quorum } = opened(name)
    const hashes = []
    let batch = []
    let size = 0
    const flush = async () => {
      if (quorum) await quorum.append(core, batch, part)
      else if (draft) await appendDraft(core, batch)
      else await core.append(batch)
      batch = []
      size = 0
    }
    for (const spec of blocks) {
      const block = content(spec)
      hashes.push(hex(sha256(block)))
      batch.push(block)
      size += block.byteLength
      if (batch.length >= BATCH_BLOCKS_MAX || size >= BATCH_BYTES_MAX) await flush()
    }
    if (batch.length > 0) await flush()
    return { length: core.length, hashes }
  },

  async part ({ core: name, seed, blocks, length }) {
    const pair = keyPairs(bytes(seed))[2]
    const sign = signable => crypto.sign(signable, pair.secretKey)
    const part = await signPart(opened(name).core, blocks.map(content), length, sign)
    return { part: encodePart(part, length) }
  },

  async truncate ({ core: name, length }) {
    const { core, quorum } = opened(name)
    const fork = core.fork + 1
    if (quorum) {
      quorum.leaves = quorum.leaves.slice(0, length)
      await core.truncate(length, { fork, signature: quorum.sign(core, fork) })
    } else {
      await core.truncate(length, VERSION === 10 ? fork : { fork, keyPair: core.keyPair })
    }
    return { length: core.length, fork: core.fork }
  },

  async clear ({ core: name, start, end }) {
    await opened(name).core.clear(start, end)
    return {}
  },

  async listen ({ cores }) {
    const server = net.createServer(socket => attach(socket, false, cores))
    servers.add(server)
    await new Promise((resolve, reject) => {
      server.on('error', reject)
      server.listen(0, '127.0.0.1', resolve)
    })
    return { port: server.address().port }
  },

  async connect ({ cores, port }) {
    const socket = net.connect(port, '127.0.0.1')
    await new Promise((resolve, reject) => {
      socket.once('error', reject)
      socket.once('connect', resolve)
    })
    attach(socket, true, cores)
    return {}
  },

  async disconnect () {
    for (const server of servers) server.close()
    servers.clear()
    const ended = [...streams].map(stream => new Promise(resolve => stream.on('close', resolve)))
    for (const stream of streams) stream.destroy()
    await Promise.all(ended)
    return {}
  },

  async download ({ core: name, start, end, linear }) {
    const { core, downloads, following } = opened(name)
    const range = core.download({ start, end: end === null ? -1 : end, linear: !!linear })
    if (end === null) {
      following.push(range)
    } else {
      const done = range.done()
      done.catch(() => {}) // told by `done`
      downloads.push(done)
    }
    return {}
  },

  async done ({ core: name, ms }) {
    const found = opened(name)
    try {
      await within(ms, 'the download', Promise.all(found.downloads))
    } catch (error) {
      const { contiguousLength, length } = found.core
      throw new Error(error.message + ': ' + contiguousLength + ' of ' + length + ' blocks are here without a gap')
    }
    found.downloads = []
    return {}
  },

  async wait ({ core: name, ms, length = 0, fork = 0, contiguous = 0, peers = 0 }) {
    const { core } = opened(name)
    let update = null
    const until = Date.now() + ms
    const isReached = () => core.length >= length && core.fork >= fork &&
      core.contiguousLength >= contiguous && core.peers.length >= peers
    while (!isReached()) {
      if (Date.now() > until) {
        throw new Error('still at length ' + core.length + ', fork ' + core.fork + ', contiguous ' +
          core.contiguousLength + ', ' + core.peers.length + ' peers after ' + ms + ' ms')
      }
      if (update === null) {
        const over = () => { update = null }
        update = core.update({ wait: true }).then(over, over)
      }
      await sleep(5)
    }
    return { length: core.length, fork: core.fork }
  },

  async seek ({ core: name, byte, ms }) {
    const found = await within(ms, 'the seek', opened(name).core.seek(byte))
    if (found === null) throw new Error('nothing was found')
    return { index: found[0], offset: found[1] }
  },

  async get ({ core: name, index, ms }) {
    const block = await opened(name).core.get(index, { timeout: ms })
    if (block === null) throw new Error('block ' + index + ' is not to be had')
    return { hash: hex(sha256(block)) }
  },

  async prove ({ core: name, index, node }) {
    const { core } = opened(name)
    if (node !== undefined) return { proof: hex(await core.generateRemoteProofForTreeNode(node)) }
    return { proof: hex(await remote.proof(core, { index, block: await core.get(index) })) }
  },

  async verify ({ core: name, proof: digits }) {
    const { core } = opened(name)
    const buffer = bytes(digits)
    const proof = c.decode(messages.wire.data, buffer.subarray(32))
    const batch = await core.verifyFullyRemote(proof)
    // What follows is for logs of one signer, and gives null for those of an older kind.
    if (core.manifest && core.manifest.signers.length === 1 && !core.core.compat) {
      const known = await remote.verify(core.core.db, buffer)
      if (known === null) throw new Error('the proof says nothing of a core that is known')
    }
    return {
      length: batch.length,
      fork: batch.fork,
      index: proof.block && proof.block.index,
      hash: proof.block && hex(sha256(proof.block.value))
    }
  },

  async state ({ core: name, blocks: all }) {
    const { core } = opened(name)
    const read = async index => {
      const block = await core.get(index, { wait: false })
      return block === null ? null : hex(sha256(block))
    }
    return {
      length: core.length,
      fork: core.fork,
      byteLength: tree(core).byteLength,
      treeHash: hex(crypto.tree(core.length === 0 ? [] : tree(core).roots)),
      contiguousLength: core.contiguousLength,
      peers: core.peers.length,
      manifest: manifestOf(core),
      blocks: all ? await readAll(core.length, read) : null
    }
  },

  async close ({ core: name }) {
    const { core, following } = opened(name)
    open.delete(name)
    for (const range of following) range.destroy()
    await core.close()
    return {}
  }
}

serve(commands)
