#!/usr/bin/env node
'use strict'

/*
driver.js - the JavaScript side of the interop tests of SLEEP feeds (`cargo xtask interop --part sleep`).

It drives the published hypercore 9.12 by one JSON command a line on stdin and answers each with one JSON
line on stdout: {"ok":true,...} or {"ok":false,"error":"..."}. interop/driver has its Rust twin, which
speaks the same protocol. Commands run one at a time, in order; one feed is open at a time.

  {"op":"open","dir":D,"seed":HEX}    open or create; the key pair is the Ed25519 one of the 32 byte seed
  {"op":"open","dir":D,"key":HEX}     open or create a copy of somebody else's feed
  {"op":"open","dir":D}               open what is stored
                              Here alone: with "pageSize" the feed is made with such pages of the
                              bitfield, 3328 as before release 6.22.1. All answer "length" "key" "isWritable"
  {"op":"append","blocks":[[S,LEN],...]}
                              append one batch of generated blocks (content.js); answers "hashes" of what
                              it was asked to append and "length" afterwards
  {"op":"hash","blocks":[[S,LEN],...]}
                              "hashes" of generated blocks; needs no open feed
  {"op":"clear","start":A,"end":B}
  {"op":"truncate","length":N}        here alone
  {"op":"audit"}              "valid" "invalid": blocks that are stored, held against their leaves
  {"op":"seek","byte":N}      "index" "offset"
  {"op":"digest","index":I}   "digest": what is known of the way from block I to its root
  {"op":"proof","index":I,"digest":N,"isHash":BOOL}
                              "block" in hex, "nodes", each [INDEX,SIZE,HASH], and "signature" or null: what
                              somebody with this digest needs in order to believe block I. With "isHash"
                              there is no block, and its leaf is the first of the nodes
  {"op":"put","index":I,"block":HEX,"nodes":[...],"signature":HEX}
                              stores what such a proof brings
  {"op":"fill","from":D,"to":D,"blocks":[[A,B],...],"hashes":[[A,B],...]}
                              here alone: a reader in one directory fetches these ranges of the feed in the
                              other one over the protocol of the package; of "hashes" no blocks, only what
                              proves them. Needs no open feed
  {"op":"lengths"}            here alone: "lengths" of all blocks, null where it is not known
  {"op":"state","blocks":BOOL} "length" "byteLength" "treeHash" "key" "isWritable" "pageSize" "signatures" and,
                              with "blocks":true, "blocks": one SHA-256 for each block, null where it is
                              missing. A signature is [INDEX,LEN]: its slot, and the bytes that it signs, 40
                              in version 9 and 32 before. One that is wrong, as those that a kill leaves
                              behind, or can not be checked for want of roots is left out
  {"op":"close"}

Hashes of blocks are SHA-256 in hex.
*/

const { createHash } = require('crypto')
const fs = require('fs')
const path = require('path')

const crypto = require('hypercore-crypto')
const hypercore = require('hypercore')
const content = require('../content')
const { serve, readAll } = require('../protocol')

let feed = null

function hex (bytes) {
  return bytes.toString('hex')
}

function bytes (digits) {
  return Buffer.from(digits, 'hex')
}

function sha256 (block) {
  return createHash('sha256').update(block).digest('hex')
}

// The result of a call that takes a callback.
function result (call) {
  return new Promise((resolve, reject) => {
    call((error, ...values) => error ? reject(error) : resolve(values.length > 1 ? values : values[0]))
  })
}

async function opened (dir, key, options) {
  const opened = hypercore(dir, key, options)
  // Told by `ready` as well.
  opened.on('error', () => {})
  await result(done => opened.ready(done))
  return opened
}

// The bitfield of a new feed whose pages are not of the usual size: the package keeps to what it finds.
function makeBitfield (dir, pageSize) {
  const header = Buffer.alloc(32)
  header.set([5, 2, 87])
  header.writeUInt16BE(pageSize, 5)
  fs.mkdirSync(dir, { recursive: true })
  fs.writeFileSync(path.join(dir, 'bitfield'), header, { flag: 'wx' })
}

// The roots of the first `length` blocks.
async function roots (length) {
  if (length === 0) return []
  const [roots] = await result(done => feed.rootHashes(length - 1, done))
  return roots
}

// Bytes that a signature signs: 40 in version 9, 32 before. None when it signs neither.
async function signedLen (index, signature) {
  const known = await roots(index + 1).catch(() => null)
  if (known === null) return
  const signable = crypto.signable(known, index + 1)
  return [signable.length, 32].find(len => crypto.verify(signable.subarray(0, len), signature, feed.key))
}

// Every good signature of the feed.
async function signatures () {
  const found = []
  for (let index = 0; index < feed.length; index++) {
    const next = await result(done => feed.signature(index, done)).catch(() => null)
    if (next === null || next.index >= feed.length) break
    index = next.index
    const len = await signedLen(index, next.signature)
    if (len) found.push([index, len])
  }
  return found
}

async function read (index) {
  return feed.has(index) ? sha256(await result(done => feed.get(index, { wait: false }, done))) : null
}

const commands = {
  async open ({ dir, seed, key, pageSize }) {
    if (feed !== null) throw new Error('a feed is open already')
    if (pageSize) makeBitfield(dir, pageSize)
    if (seed) {
      const pair = crypto.keyPair(bytes(seed))
      feed = await opened(dir, pair.publicKey, { secretKey: pair.secretKey })
    } else if (key) {
      feed = await opened(dir, bytes(key), { sparse: true })
    } else {
      feed = await opened(dir, null, { createIfMissing: false })
    }
    return { length: feed.length, key: hex(feed.key), isWritable: feed.writable }
  },

  async append ({ blocks }) {
    const batch = blocks.map(content)
    await result(done => feed.append(batch, done))
    return { length: feed.length, hashes: batch.map(sha256) }
  },

  async hash ({ blocks }) {
    return { hashes: blocks.map(content).map(sha256) }
  },

  async clear ({ start, end }) {
    await result(done => feed.clear(start, end, done))
    return {}
  },

  async truncate ({ length }) {
    await result(done => feed.truncate(length, done))
    return { length: feed.length }
  },

  async audit () {
    return result(done => feed.audit(done))
  },

  async seek ({ byte }) {
    const [index, offset] = await result(done => feed.seek(byte, { wait: false }, done))
    return { index, offset }
  },

  async digest ({ index }) {
    return { digest: feed.digest(index) }
  },

  async proof ({ index, digest, isHash }) {
    const { nodes, signature } = await result(done => feed.proof(index, { digest, hash: !!isHash }, done))
    return {
      block: isHash ? null : hex(await result(done => feed.get(index, { wait: false }, done))),
      nodes: nodes.map(({ index, size, hash }) => [index, size, hex(hash)]),
      signature: signature && hex(signature)
    }
  },

  async put ({ index, block, nodes, signature }) {
    const proof = {
      nodes: nodes.map(([index, size, hash]) => ({ index, size, hash: bytes(hash) })),
      signature: signature && bytes(signature)
    }
    await result(done => feed.put(index, block === null ? null : bytes(block), proof, done))
    return { length: feed.length }
  },

  async fill ({ from, to, blocks = [], hashes = [] }) {
    const source = await opened(from, null, { createIfMissing: false })
    const reader = await opened(to, source.key, { sparse: true })
    // Without limits on silence: a machine that is busy would end the streams, and the download wait for ever.
    const stream = source.replicate(true, { live: true, timeout: false })
    const other = reader.replicate(false, { live: true, timeout: false })
    for (const one of [stream, other]) one.on('error', () => {})
    stream.pipe(other).pipe(stream)
    const ranges = blocks.map(range => [range, false]).concat(hashes.map(range => [range, true]))
    for (const [[start, end], hash] of ranges) {
      await result(done => reader.download({ start, end, hash }, done))
    }
    stream.destroy()
    other.destroy()
    const { length } = reader
    await result(done => reader.close(done))
    await result(done => source.close(done))
    return { length }
  },

  async lengths () {
    const lengths = []
    for (let index = 0; index < feed.length; index++) {
      const leaf = await result(done => feed.getBlockInfo(index, done)).catch(() => null)
      lengths.push(leaf && leaf.size)
    }
    return { lengths }
  },

  async state ({ blocks: all }) {
    return {
      length: feed.length,
      byteLength: feed.byteLength,
      treeHash: hex(crypto.tree(await roots(feed.length))),
      key: hex(feed.key),
      isWritable: feed.writable,
      pageSize: feed.bitfield.pages.pageSize,
      signatures: await signatures(),
      blocks: all ? await readAll(feed.length, read) : null
    }
  },

  async close () {
    const closing = feed
    feed = null
    await result(done => closing.close(done))
    return {}
  }
}

serve(commands)
