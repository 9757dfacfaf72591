#!/usr/bin/env node
'use strict'

/*
driver.js - the JavaScript side of the storage interop tests (`cargo xtask interop`).

It drives the published hypercore 10 by one JSON command a line on stdin and answers each with one
JSON line on stdout: {"ok":true,...} or {"ok":false,"error":"..."}. interop/driver is its Rust twin and
speaks the same protocol. Commands run one at a time, in order; one core is open at a time.

  {"op":"open","dir":D,"seed":HEX,"compat":BOOL,"eventual":BOOL}
                              open or create; the key pair is the ed25519 one of the 32 byte seed.
                              "eventual" is for the twin: this engine has one durability only.
                              Here alone: without "seed" the key pair is the stored one or random,
                              "create":false opens only what is there, "manifest":HEX is an encoded
                              manifest, "encryptionKey":HEX encrypts and decrypts the blocks
  {"op":"append","blocks":[[S,LEN],...]}
                              append one batch of generated blocks (below); answers "hashes" of what
                              it was asked to append and "length" afterwards
  {"op":"append","files":[PATH,...]}
                              here alone: one batch, a block a file
  {"op":"truncate","length":N,"fork":F}
  {"op":"clear","start":A,"end":B}
  {"op":"close","checkpoint":BOOL}
                              "checkpoint" is for the twin, which can leave entries in the oplog or not
  {"op":"hash","blocks":[[S,LEN],...]}
                              "hashes" of generated blocks; needs no open core
  {"op":"state","blocks":BOOL} "length" "byteLength" "fork" "treeHash" "contiguousLength" "key" and,
                              with "blocks":true, "blocks": one BLAKE2b-256 hash for each block, null
                              where it is missing. Here alone: "digest":"sha256" chooses another hash
  {"op":"manifest","seed":HEX,"namespace":HEX}
                              here alone: "manifest", encoded, of one signer; needs no open core
  {"op":"key","seed":HEX,"compat":BOOL} or {"op":"key","manifest":HEX}
                              here alone: the "key" a core of these must have; needs no open core

content.js says what a generated block (S, LEN) is.
*/

const { createHash } = require('crypto')
const fs = require('fs')

const b4a = require('b4a')
const c = require('compact-encoding')
const crypto = require('hypercore-crypto')
const Hypercore = require('hypercore')
const content = require('./content')
const { serve, readAll } = require('./protocol')
const messages = require('hypercore/lib/messages')
const Verifier = require('hypercore/lib/verifier')

let core = null

function hex (bytes) {
  return b4a.toString(bytes, 'hex')
}

function bytes (digits) {
  return b4a.from(digits, 'hex')
}

function keyPair (seed) {
  return crypto.keyPair(bytes(seed))
}

function decodeManifest (digits) {
  return c.decode(messages.manifest, bytes(digits))
}

const commands = {
  async open ({ dir, seed, compat, create, manifest, encryptionKey }) {
    if (core !== null) throw new Error('a core is open already')
    const opened = new Hypercore(dir, {
      keyPair: seed ? keyPair(seed) : undefined,
      compat,
      createIfMissing: create,
      manifest: manifest ? decodeManifest(manifest) : undefined,
      encryptionKey: encryptionKey ? bytes(encryptionKey) : undefined
    })
    await opened.ready()
    core = opened
    return { length: core.length, fork: core.fork }
  },

  async append ({ blocks, files }) {
    const batch = files ? files.map(path => fs.readFileSync(path)) : blocks.map(content)
    const hashes = batch.map(block => hex(crypto.hash(block)))
    await core.append(batch)
    return { length: core.length, hashes }
  },

  async hash ({ blocks }) {
    return { hashes: blocks.map(block => hex(crypto.hash(content(block)))) }
  },

  async truncate ({ length, fork }) {
    await core.truncate(length, fork)
    return { length: core.length, fork: core.fork }
  },

  async clear ({ start, end }) {
    await core.clear(start, end)
    return {}
  },

  async close () {
    await core.close()
    core = null
    return {}
  },

  async manifest ({ seed, namespace }) {
    const signer = { publicKey: keyPair(seed).publicKey, namespace: bytes(namespace) }
    const manifest = Verifier.createManifest({ signers: [signer] })
    return { manifest: hex(c.encode(messages.manifest, manifest)) }
  },

  async key ({ seed, compat, manifest }) {
    const of = manifest ? decodeManifest(manifest) : keyPair(seed).publicKey
    return { key: hex(Hypercore.key(of, { compat })) }
  },

  async state ({ blocks: all, digest }) {
    return {
      length: core.length,
      byteLength: core.byteLength,
      fork: core.fork,
      treeHash: hex(await core.treeHash()),
      contiguousLength: core.contiguousLength,
      key: hex(core.key),
      blocks: all ? await readAll(core.length, index => read(index, digest)) : null
    }
  }
}

async function read (index, digest) {
  if (!(await core.has(index))) return null
  const block = await core.get(index, { wait: false })
  return digest ? createHash(digest).update(block).digest('hex') : hex(crypto.hash(block))
}

serve(commands)
