//! The kind map: two bits a page, the lowest bits of a byte first.

/// What a page is, as a kind map stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoredKind {
    /// Nobody's.
    Free,
    /// Given out.
    Regular,
    /// Given out by the very commit that wrote this map, and zeros if that commit was the last: an open
    /// that does not know whether all of the commit arrived makes them zeros again. In an older map it
    /// means the same as [`Self::Regular`].
    Blank,
    /// Of a pair: a node of a tree, or a protected page.
    Held,
}

impl StoredKind {
    pub(crate) fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Free,
            1 => Self::Regular,
            2 => Self::Blank,
            _ => Self::Held,
        }
    }

    pub(crate) fn bits(self) -> u8 {
        match self {
            Self::Free => 0,
            Self::Regular => 1,
            Self::Blank => 2,
            Self::Held => 3,
        }
    }
}

/// The kind of unit `index` of a map; `Free` past its end.
#[inline]
pub(crate) fn kind_at(map: &[u8], index: usize) -> StoredKind {
    let byte = map.get(index / 4).copied().unwrap_or(0);
    StoredKind::from_bits(byte >> shift_of(index))
}

/// Where in its byte the kind of unit `index` is.
#[inline]
pub(crate) fn shift_of(index: usize) -> usize {
    (index % 4).wrapping_mul(2)
}
