//! Ed25519 keys, and the exchange of secrets between them.
//!
//! Both keys of a handshake, the lasting and the passing one, are signing keys, and the exchange
//! happens on the Edwards curve itself. What a peer sends as a key is refused by the rules of
//! libsodium: else it could choose a point that makes the secret known or gives bits of ours away.
//!
//! Nothing here draws randomness: seeds are arguments.

use std::fmt;

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::traits::IsIdentity as _;
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

/// An Ed25519 public key: 32 bytes that name a peer.
///
/// Any bytes; whether they are a usable point is seen when a handshake uses them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; Self::LEN]);

impl PublicKey {
    /// Bytes of a public key.
    pub const LEN: usize = 32;

    /// Takes the bytes as they are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl AsRef<[u8]> for PublicKey {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// An Ed25519 key pair: who a side of a stream is.
///
/// Wiped when dropped; `Debug` shows the public half only.
#[derive(Clone)]
pub struct KeyPair {
    // Boxed, so that moving a key pair does not leave copies of the secret behind.
    scalar: Box<Zeroizing<[u8; 32]>>,
    public: PublicKey,
}

impl KeyPair {
    /// Derives the pair of a 32-byte seed, as Ed25519 does.
    ///
    /// # Source
    /// wire.md section 2.2 (DH, step 1).
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let hash = Zeroizing::new(<[u8; 64]>::from(Sha512::digest(seed)));
        let mut scalar = Box::new(Zeroizing::new([0; 32]));
        for (to, byte) in scalar.iter_mut().zip(&*hash) {
            *to = *byte;
        }
        // Clears and sets the bits that step 1 names.
        let public = EdwardsPoint::mul_base_clamped(**scalar).compress();
        Self { scalar, public: PublicKey(public.to_bytes()) }
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// The secret shared with the holder of `point`'s secret half.
    ///
    /// # Source
    /// wire.md section 2.2 (DH, step 2).
    pub(crate) fn shared_secret(&self, point: &Point) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(point.0.mul_clamped(**self.scalar).compress().to_bytes())
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("public", &self.public).finish_non_exhaustive()
    }
}

/// A peer's key that may be multiplied with: canonical, on the curve, and in the subgroup of
/// prime order without its identity. A product with a secret is then never the identity.
pub(crate) struct Point(EdwardsPoint);

impl Point {
    /// `None` for what libsodium refuses.
    ///
    /// An encoding is not canonical if its y is 2^255 - 19 or more. There are 19 such y, and none
    /// belongs to a point that passes, so the question need not be asked.
    ///
    /// # Source
    /// wire.md section 2.2 (DH, step 3).
    pub(crate) fn decode(key: &PublicKey) -> Option<Self> {
        let point = CompressedEdwardsY(key.0).decompress()?;
        (!point.is_identity() && point.is_torsion_free()).then_some(Self(point))
    }
}

#[cfg(test)]
mod golden {
    //! Every exchange and every refused point of `noise.json`.

    use super::*;
    use crate::testing::{hex, text, unhex_array, vectors};

    const NOISE: &str = include_str!("../tests/fixtures/noise.json");

    #[test]
    fn exchanges() {
        let exchanges = vectors(NOISE, "dh");
        assert_eq!(exchanges.len(), 8);
        for exchange in exchanges {
            let pair = KeyPair::from_seed(&unhex_array(text(&exchange["seed"])));
            let point = PublicKey::from_bytes(unhex_array(text(&exchange["publicKey"])));
            let secret = pair.shared_secret(&Point::decode(&point).unwrap());
            assert_eq!(hex(*secret), text(&exchange["output"]));
        }
    }

    #[test]
    fn refused_points() {
        let refused = vectors(NOISE, "dhRefused");
        assert_eq!(refused.len(), 12);
        for point in refused {
            let key = PublicKey::from_bytes(unhex_array(text(&point["publicKey"])));
            assert!(Point::decode(&key).is_none(), "{}", text(&point["name"]));
        }
    }

    /// Points that are fine on the curve, with something of small order added: each of the eight.
    #[test]
    fn a_point_with_a_part_of_small_order_is_refused() {
        let good = EdwardsPoint::mul_base_clamped([9; 32]);
        for small in curve25519_dalek::constants::EIGHT_TORSION {
            let key = |point: EdwardsPoint| PublicKey::from_bytes(point.compress().to_bytes());
            assert_eq!(Point::decode(&key(good + small)).is_some(), small.is_identity());
            assert!(Point::decode(&key(small)).is_none());
        }
    }

    /// y and y + p name the same point; only the first is its encoding.
    #[test]
    fn encodings_that_are_not_canonical_are_refused() {
        for low in 0xed..=0xff {
            for high in [0x7f, 0xff] {
                let mut key = [0xff; 32];
                (key[0], key[31]) = (low, high);
                assert!(Point::decode(&PublicKey::from_bytes(key)).is_none(), "{low:x} {high:x}");
            }
        }
    }

    #[test]
    fn debug_shows_the_public_half_only() {
        let pair = KeyPair::from_seed(&[7; 32]);
        let shown = format!("{pair:?}");
        assert!(shown.contains(&hex(pair.public())), "{shown}");
        assert!(!shown.contains(&hex(**pair.scalar)) && !shown.contains("[7, 7"), "{shown}");
    }
}
