//! What a replicator and its peers are told when they are made, and the names of peers and wishes.

use std::fmt;

/// How a [`Replicator`](crate::Replicator) behaves.
#[derive(Clone, Debug)]
#[must_use]
pub struct Options {
    pub(crate) seed: u64,
    pub(crate) follow: bool,
    pub(crate) allow_push: bool,
    pub(crate) want_region: WantRegion,
}

/// How large the stretches are that a peer is asked about when it has not said what it holds.
///
/// # Source
/// wire.md section 7.4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WantRegion {
    /// 2097152 blocks: what JavaScript asks about. The answer has up to 256 KiB.
    #[default]
    Large,
    /// 4096 blocks: the answer has up to 512 bytes. For sparse readers of long logs.
    Small,
}

impl WantRegion {
    /// Blocks of a region.
    #[must_use]
    pub const fn blocks(self) -> u64 {
        match self {
            Self::Large => 2_097_152,
            Self::Small => 4096,
        }
    }
}

impl WantRegion {
    /// The first block of the region with `block` in it.
    pub(crate) const fn start_of(self, block: u64) -> u64 {
        // Both sizes are powers of two.
        block & !self.blocks().wrapping_sub(1)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl Options {
    /// Follows the peers as they grow, takes no pushes, asks about large regions, and chooses with seed 0.
    pub const fn new() -> Self {
        Self { seed: 0, follow: true, allow_push: false, want_region: WantRegion::Large }
    }

    /// Where the choices come from that any value would serve: which block of a range is asked for first. The same
    /// seed and the same calls give the same messages.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Whether the log takes over the length and the fork that a peer announces, without a wish. On by default.
    pub const fn follow(mut self, follow: bool) -> Self {
        self.follow = follow;
        self
    }

    /// Whether peers may send blocks that were not asked for. Off by default.
    pub const fn allow_push(mut self, allow: bool) -> Self {
        self.allow_push = allow;
        self
    }

    /// How large the stretches are that peers are asked about.
    pub const fn want_region(mut self, region: WantRegion) -> Self {
        self.want_region = region;
        self
    }
}

/// What may pass between this side and one peer.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct PeerOptions {
    pub(crate) upload: bool,
    pub(crate) download: bool,
}

impl Default for PeerOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl PeerOptions {
    /// Both directions.
    pub const fn new() -> Self {
        Self { upload: true, download: true }
    }

    /// Whether the peer's requests are answered.
    pub const fn upload(mut self, upload: bool) -> Self {
        self.upload = upload;
        self
    }

    /// Whether the peer is asked for anything.
    pub const fn download(mut self, download: bool) -> Self {
        self.download = download;
        self
    }
}

/// Names a peer of one replicator; never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub(crate) u64);

impl fmt::Display for PeerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Names a wish of one replicator; never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WishId(pub(crate) u64);
