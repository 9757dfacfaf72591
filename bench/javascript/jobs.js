// What the JavaScript sides of the comparisons share: timed jobs for the process that started them.
//
// One job a line on stdin, as words; the answer is a line on stdout: for most jobs their time in
// nanoseconds, or what went wrong. Node's start is outside of all times.
'use strict'

const fs = require('fs')
const readline = require('readline')

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

// The most memory that this process ever had.
async function resident () {
  const status = fs.readFileSync('/proc/self/status', 'utf8')
  return 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)[1])
}

// Does each job by the function of its name, until stdin ends.
async function serve (jobs) {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [name, ...words] = line.split(' ')
    try {
      console.log(await jobs[name](...words))
    } catch (error) {
      console.log(String(error.stack || error).replace(/\s+/g, ' '))
    }
  }
}

module.exports = { now, random, makeBlocks, resident, serve }
