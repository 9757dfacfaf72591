'use strict'

// Block content from (S, LEN): x = S, or 1 if S is 0; for every 4 bytes x = next(x), written little
// endian, cut at LEN. next(x), on unsigned 32 bit: x ^= x << 13; x ^= x >> 17; x ^= x << 5
module.exports = function content ([seed, length]) {
  const block = Buffer.allocUnsafe(Math.ceil(length / 4) * 4)
  let x = seed || 1
  for (let i = 0; i < block.length; i += 4) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    x >>>= 0
    block.writeUInt32LE(x, i)
  }
  return block.subarray(0, length)
}
