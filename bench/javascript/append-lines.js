// What `hypercore append --lines DIR FILE` does, in JavaScript: each line one block, in batches of 1,000.
'use strict'

const fs = require('fs')
const Hypercore = require('hypercore')

const BATCH = 1000

async function main (dir, file) {
  const core = new Hypercore(dir)
  await core.ready()
  let rest = Buffer.alloc(0)
  let blocks = []
  for await (const chunk of fs.createReadStream(file, { highWaterMark: 1 << 18 })) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
    let start = 0
    for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, start)) {
      blocks.push(bytes.subarray(start, end))
      start = end + 1
      if (blocks.length === BATCH) {
        await core.append(blocks)
        blocks = []
      }
    }
    rest = bytes.subarray(start)
  }
  if (rest.length > 0) blocks.push(rest)
  if (blocks.length > 0) await core.append(blocks)
  console.log(`the log has ${core.length} blocks`)
  await core.close()
}

main(process.argv[2], process.argv[3])
