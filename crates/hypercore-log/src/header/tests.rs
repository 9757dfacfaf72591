//! Headers: every recorded one both ways, and bytes that must be refused.

use proptest::prelude::*;

use super::*;
use crate::fixture::hex;

const LEGACY_READER: &str = concat!(
    "00", // version
    "07626c616b65326203726177",
    "0765643235353139", // types
    "00",               // no user data
    "00000000",         // tree
    "20665a41985a6c942df5d9687adc8d3c4ad884f8faa21dcef9b7ddeba74a10e443",
    "00",   // no secret key
    "0000", // hints
);

fn seeded() -> KeyPair {
    KeyPair::from_seed(&[7; 32])
}

fn sample() -> Header {
    let pair = seeded();
    let mut user_data = UserData::default();
    user_data.set("name", Some(b"value".to_vec()));
    Header {
        key: CoreKey::from_bytes(*pair.public().as_bytes()),
        manifest: Some(Manifest::single(pair.public())),
        key_pair: Some(pair.into()),
        user_data,
        tree: HeaderTree {
            fork: 2,
            length: 300,
            root_hash: Some(Hash::from_bytes([9; 32])),
            signature: Some(vec![5; 64]),
        },
        reorg_hints: vec![ReorgHint { from: 1, to: 2, ancestors: 100_000 }],
        contiguous_length: 70_000,
        counts: None,
    }
}

fn inline(bytes: &[u8]) -> Header {
    match SlotContent::from_bytes(bytes) {
        Ok(SlotContent::Inline(header)) => *header,
        other => panic!("{other:?}"),
    }
}

fn check_refused(bytes: &[u8], kind: DecodeErrorKind) {
    match SlotContent::from_bytes(bytes) {
        Err(HeaderError::Invalid(error)) => assert_eq!(error.kind, kind),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_written_is_read() {
    let mut header = sample();
    for secret in [true, false] {
        if !secret {
            let public = seeded().public();
            header.key_pair = Some(StoredKeyPair { public, secret: None });
        }
        let bytes = header.to_vec();
        assert_eq!(bytes.len(), header.encoded_len());
        let read = inline(&bytes);
        assert_eq!(read.to_vec(), bytes);
        assert_eq!(read.tree, header.tree);
        assert_eq!(read.key_pair.unwrap().secret.is_some(), secret);
        assert_eq!(read.reorg_hints, header.reorg_hints);
    }
}

#[test]
fn a_header_may_know_nothing_but_the_key() {
    let header = Header { manifest: None, key_pair: None, ..sample() };
    let read = inline(&header.to_vec());
    assert!(read.manifest.is_none() && read.key_pair.is_none());
    assert_eq!(read.key, header.key);
}

#[test]
fn the_contiguous_length_may_be_missing() {
    let header = Header { contiguous_length: 5, ..sample() };
    let mut bytes = header.to_vec();
    assert_eq!(bytes.pop(), Some(5));
    let read = inline(&bytes);
    assert_eq!(read.contiguous_length, 0);
    assert_eq!(read.reorg_hints, header.reorg_hints);
}

#[test]
fn fields_added_at_the_end_are_ignored() {
    let mut bytes = sample().to_vec();
    bytes.extend([1, 2, 3]);
    assert_eq!(inline(&bytes).to_vec(), sample().to_vec());
}

#[test]
fn version_0_reads_as_a_compat_core_and_is_written_as_version_1() {
    let header = inline(&hex(LEGACY_READER));
    let manifest = header.manifest.clone().unwrap();
    assert_eq!(manifest.version(), 0);
    assert!(manifest.is_compat(&header.key));
    assert!(header.key_pair.is_none());
    assert_eq!(header.tree, HeaderTree::default());
    let bytes = header.to_vec();
    assert_eq!(bytes[0], 1);
    assert_eq!(inline(&bytes).manifest, header.manifest);
}

#[test]
fn other_types_in_version_0_are_refused() {
    let other = LEGACY_READER.replace("626c616b653262", "736861332d3235");
    check_refused(&hex(&other), DecodeErrorKind::Invalid("type in a version 0 header"));
}

#[test]
fn newer_versions_are_told_from_damage() {
    let mut bytes = sample().to_vec();
    bytes[0] = 2;
    assert_eq!(SlotContent::from_bytes(&bytes).unwrap_err(), HeaderError::Version);
    let mut bytes = sample().to_vec();
    // Version, flags and key come before the manifest's version.
    bytes[34] = 4;
    assert_eq!(SlotContent::from_bytes(&bytes).unwrap_err(), HeaderError::Version);
    assert!(matches!(SlotContent::from_bytes(&[]), Err(HeaderError::Invalid(_))));
}

#[test]
fn a_secret_key_of_another_public_key_is_refused() {
    let good = sample();
    let bytes = good.to_vec();
    let other = KeyPair::from_seed(&[8; 32]);
    let secret = good.key_pair.as_ref().unwrap().secret.as_ref().unwrap().secret_bytes();
    let at = bytes.windows(64).position(|window| window == secret.as_slice()).unwrap();
    let kind = DecodeErrorKind::Invalid("secret key: it does not belong to the public key");
    // A good pair, of another key.
    let mut foreign = bytes.clone();
    foreign[at..at + 64].copy_from_slice(other.secret_bytes().as_slice());
    check_refused(&foreign, kind);
    // A pair whose halves do not match.
    let mut torn = bytes;
    torn[at] ^= 1;
    check_refused(&torn, kind);
}

#[test]
fn fields_of_a_wrong_length_are_refused() {
    let pair = |bytes: &[u8]| StoredKeyPair::decode(&mut Decoder::new(bytes)).unwrap_err().kind;
    assert_eq!(pair(&[0, 0]), DecodeErrorKind::Invalid("length of a public key"));
    let mut short = vec![32];
    short.extend([1; 32]);
    short.extend([3, 1, 1, 1]);
    assert_eq!(pair(&short), DecodeErrorKind::Invalid("length of a secret key"));
    let tree = HeaderTree::decode(&mut Decoder::new(&[0, 0, 2, 1, 1, 0])).unwrap_err();
    assert_eq!(tree.kind, DecodeErrorKind::Invalid("length of a root hash"));
}

#[test]
fn no_count_or_length_makes_room_by_its_own_say_so() {
    // Ten million keys of user data in a few bytes.
    let mut bytes = vec![1, 0];
    bytes.extend([0; 32]);
    bytes.extend([0xfe, 0x80, 0x96, 0x98, 0, 0, 0]);
    check_refused(&bytes, DecodeErrorKind::TooManyElements);
    let mut bytes = vec![1, 0];
    bytes.extend([0; 32]);
    bytes.extend([0xfd, 0xff, 0xff, 0, 0]);
    check_refused(&bytes, DecodeErrorKind::UnexpectedEnd);
}

#[test]
fn secrets_are_not_printed() {
    let header = sample();
    let secret = seeded().secret_bytes();
    let seed: String = secret[..32].iter().map(|byte| format!("{byte:02x}")).collect();
    let text = format!("{header:?} {header:#?}");
    assert!(!text.contains(&seed) && !text.contains("7, 7, 7, 7"));
}

#[test]
fn headers_that_could_not_be_read_back_are_refused() {
    let mut header = sample();
    assert_eq!(header.check_len(), Ok(()));
    header.user_data.set("large", Some(vec![0; HEADER_LEN_MAX]));
    let len = header.encoded_len();
    assert_eq!(header.check_len(), Err(HeaderTooLarge { len }));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(SlotContent::Inline(header)) = SlotContent::from_bytes(&bytes) {
            let again = header.to_vec();
            prop_assert_eq!(inline(&again).to_vec(), again);
        }
    }

    #[test]
    fn one_changed_byte_is_read_or_refused(at: proptest::sample::Index, value: u8) {
        let mut bytes = sample().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = value;
        if let Ok(SlotContent::Inline(header)) = SlotContent::from_bytes(&bytes) {
            prop_assert_eq!(inline(&header.to_vec()).to_vec(), header.to_vec());
        }
    }

    #[test]
    fn a_cut_header_is_refused(at in 1_usize..300) {
        let bytes = sample().to_vec();
        // Without its last field, of five bytes, it is whole.
        let cut = &bytes[..at.min(bytes.len() - 6)];
        prop_assert!(matches!(SlotContent::from_bytes(cut), Err(HeaderError::Invalid(_))));
    }
}
