//! The seal: what is known to be durable. It is stored after a sync returned and not synced itself, so it
//! may lag behind, and never runs ahead.

use super::fields::{Reader, Sector, sector, whole_sector};
use super::layout::SEAL_MAGIC;

/// What the seal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seal {
    /// The newest commit that a sync has covered.
    pub(crate) generation: u64,
    /// The contents of the journals up to this generation are durable in their places.
    pub(crate) applied: u64,
    /// The file was closed after that commit, and no commit was begun since.
    pub(crate) is_clean: bool,
}

/// Flag: see [`Seal::is_clean`].
const CLEAN: u32 = 1;

impl Seal {
    /// `None`: it is damaged.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(whole_sector(bytes)?);
        reader.expect(SEAL_MAGIC)?;
        let (generation, applied, flags) = (reader.u64()?, reader.u64()?, reader.u32()?);
        let is_sound = applied <= generation && flags <= CLEAN;
        is_sound.then_some(Self { generation, applied, is_clean: flags == CLEAN })
    }

    pub(crate) fn encode(&self) -> Sector {
        sector(|writer| {
            writer.bytes(&SEAL_MAGIC);
            writer.u64(self.generation);
            writer.u64(self.applied);
            writer.u32(if self.is_clean { CLEAN } else { 0 });
        })
    }
}
