//! What a reader asks for, and how the question is written.

use compact_encoding::{Decode, DecodeError, Decoder, Encode, Encoder, uint_len};
use flat_tree::Index;

const BLOCK: u64 = 1;
const HASH: u64 = 2;
const SEEK: u64 = 4;
const UPGRADE: u64 = 8;
const MANIFEST: u64 = 16;
const PRIORITY: u64 = 32;

/// A request for a proof.
///
/// # Source
/// formats.md sections 7.1 and 7.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Request {
    /// The requester's number for it, repeated in the answer.
    pub id: u64,
    /// The fork it is about.
    pub fork: u64,
    /// A block.
    pub block: Option<BlockRequest>,
    /// The hash of a node. Not together with a block.
    pub hash: Option<HashRequest>,
    /// Whatever tells which block holds a byte.
    pub seek: Option<SeekRequest>,
    /// A longer tree.
    pub upgrade: Option<UpgradeRequest>,
    /// Whether the manifest is wanted.
    pub manifest: bool,
    /// How urgent it is; 0 for not especially.
    pub priority: u64,
}

/// Asks for a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockRequest {
    /// The block.
    pub index: u64,
    /// Levels to climb to a node that the requester has.
    pub nodes: u64,
}

/// Asks for a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HashRequest {
    /// The node.
    pub index: Index,
    /// Levels to climb to a node that the requester has.
    pub nodes: u64,
}

/// Asks where a byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SeekRequest {
    /// The position, in bytes without padding.
    pub bytes: u64,
    /// Bytes of each block that do not count.
    pub padding: u64,
}

/// Asks for a longer tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UpgradeRequest {
    /// Blocks that the requester has, or 0 for a reorg.
    pub start: u64,
    /// Blocks that it wants beyond them.
    pub length: u64,
}

impl Request {
    fn flags(&self) -> u64 {
        let flag = |set: bool, bit: u64| if set { bit } else { 0 };
        flag(self.block.is_some(), BLOCK)
            | flag(self.hash.is_some(), HASH)
            | flag(self.seek.is_some(), SEEK)
            | flag(self.upgrade.is_some(), UPGRADE)
            | flag(self.manifest, MANIFEST)
            | flag(self.priority != 0, PRIORITY)
    }

    /// The numbers of the message in order.
    fn numbers(&self) -> impl Iterator<Item = u64> {
        let head = [Some(self.flags()), Some(self.id), Some(self.fork)];
        let block = self.block.map(|block| [block.index, block.nodes]);
        let hash = self.hash.map(|hash| [hash.index.get(), hash.nodes]);
        let seek = self.seek.map(|seek| [seek.bytes, seek.padding]);
        let upgrade = self.upgrade.map(|upgrade| [upgrade.start, upgrade.length]);
        let priority = Some(self.priority).filter(|priority| *priority != 0);
        let parts = [block, hash, seek, upgrade];
        head.into_iter().flatten().chain(parts.into_iter().flatten().flatten()).chain(priority)
    }
}

impl Encode for Request {
    fn encoded_len(&self) -> usize {
        self.numbers().map(uint_len).sum()
    }

    fn encode(&self, out: &mut Encoder) {
        for number in self.numbers() {
            out.uint(number);
        }
    }
}

/// Unknown flags are ignored, as JavaScript does.
impl Decode<'_> for Request {
    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let flags = input.uint()?;
        let mut request = Self { id: input.uint()?, fork: input.uint()?, ..Self::default() };
        if flags & BLOCK != 0 {
            request.block = Some(BlockRequest { index: input.uint()?, nodes: input.uint()? });
        }
        if flags & HASH != 0 {
            let index = Index::new(input.uint()?);
            request.hash = Some(HashRequest { index, nodes: input.uint()? });
        }
        if flags & SEEK != 0 {
            request.seek = Some(SeekRequest { bytes: input.uint()?, padding: input.uint()? });
        }
        if flags & UPGRADE != 0 {
            request.upgrade = Some(UpgradeRequest { start: input.uint()?, length: input.uint()? });
        }
        request.manifest = flags & MANIFEST != 0;
        if flags & PRIORITY != 0 {
            request.priority = input.uint()?;
        }
        Ok(request)
    }
}
