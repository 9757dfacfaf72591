'use strict'

// What the drivers share: one JSON command a line on stdin, each answered with one JSON line on stdout,
// {"ok":true,...} or {"ok":false,"error":"..."}. Commands run one at a time, in order.

const readline = require('readline')

// Reads in flight while all blocks are read.
const READS_MAX = 256

async function answer (commands, line) {
  try {
    const command = JSON.parse(line)
    if (!Object.hasOwn(commands, command.op)) throw new Error('no such command: ' + command.op)
    return { ok: true, ...await commands[command.op](command) }
  } catch (error) {
    return { ok: false, error: error.message }
  }
}

// Has each command run by the function of its name, until stdin ends.
function serve (commands) {
  const run = async line => process.stdout.write(JSON.stringify(await answer(commands, line)) + '\n')
  let queue = Promise.resolve()
  const lines = readline.createInterface({ input: process.stdin })
  lines.on('line', line => { queue = queue.then(() => run(line)) })
  lines.on('close', () => { queue.then(() => process.exit(0)) })
}

// What `read` gives for each index below `length`.
async function readAll (length, read) {
  const all = []
  while (all.length < length) {
    const some = Math.min(READS_MAX, length - all.length)
    all.push(...await Promise.all(Array.from({ length: some }, (_, i) => read(all.length + i))))
  }
  return all
}

module.exports = { serve, readAll }
