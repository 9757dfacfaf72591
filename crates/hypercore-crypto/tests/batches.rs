//! Hashing many at once gives the same hashes as one by one, whatever the lengths.

use hypercore_crypto::{
    Hash, hash, hash_parts, hashes_into, leaf_hash, leaf_hashes, parent_hash, parent_hashes,
    prefixed_hashes,
};
use proptest::prelude::*;

fn check(blocks: &[Vec<u8>]) {
    let expected: Vec<_> = blocks.iter().map(|block| leaf_hash(block)).collect();
    assert_eq!(leaf_hashes(blocks), expected);
}

fn block(len: usize, number: usize) -> Vec<u8> {
    (0..len).map(|at| (at.wrapping_mul(31) ^ number) as u8).collect()
}

/// Around the ends of BLAKE2b's 128-byte blocks, of copying and of the scratch buffer.
#[test]
fn lengths_at_every_border() {
    let lengths = [0, 1, 118, 119, 120, 128, 246, 247, 248, 3071, 3072, 3073, 4096, 65_526, 65_536];
    for count in 1..=9 {
        for len in lengths {
            check(&(0..count).map(|number| block(len, number)).collect::<Vec<_>>());
        }
    }
    check(&lengths.iter().map(|len| block(*len, 1)).collect::<Vec<_>>());
    check(&(0..200).map(|number| block(lengths[number % 15], number)).collect::<Vec<_>>());
}

#[test]
fn more_than_one_group() {
    for count in [0, 1, 31, 32, 33, 63, 64, 65, 1000] {
        check(&(0..count).map(|number| block(number % 7, number)).collect::<Vec<_>>());
        let hash = |number: usize| leaf_hash(&block(5, number));
        let parents: Vec<_> =
            (0..count).map(|number| (number as u64, hash(number), hash(number + 1))).collect();
        let expected: Vec<_> =
            parents.iter().map(|(size, left, right)| parent_hash(*size, left, right)).collect();
        assert_eq!(parent_hashes(&parents), expected);
    }
}

#[test]
fn another_prefix_and_inputs_of_one_length() {
    let prefix = |len: usize| -> [u8; 11] {
        [[7; 3].as_slice(), &len.to_be_bytes()].concat().try_into().unwrap()
    };
    for count in [0, 1, 2, 8, 9, 32, 33, 100] {
        let blocks: Vec<_> =
            (0..count).map(|number| block([0, 1, 117, 3072, 3073][number % 5], number)).collect();
        let expected: Vec<_> =
            blocks.iter().map(|block| hash_parts(&[&prefix(block.len()), block])).collect();
        assert_eq!(prefixed_hashes(&blocks, prefix), expected);

        let inputs: Vec<[u8; 200]> =
            (0..count).map(|number| block(200, number).try_into().unwrap()).collect();
        let mut hashes = vec![hash(b"untouched"); count + 1];
        hashes_into(&inputs, &mut hashes);
        let expected: Vec<_> =
            inputs.iter().map(|input| hash(input)).chain([hash(b"untouched")]).collect();
        assert_eq!(hashes, expected);
        // Fewer places than inputs: as many as there are.
        let mut hashes = vec![hash(b""); count / 2];
        hashes_into(&inputs, &mut hashes);
        assert_eq!(hashes, expected[..count / 2]);
    }
}

fn lengths() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0_usize..300, 2 => 2900_usize..3300, 1 => 0_usize..20_000, 1 => Just(0)]
}

proptest! {
    #[test]
    fn leaves(lengths in prop::collection::vec(lengths(), 1..=20), salt: u8) {
        let blocks = lengths.iter().enumerate();
        check(&blocks.map(|(number, len)| block(*len, number ^ usize::from(salt))).collect::<Vec<_>>());
    }

    #[test]
    fn parents(parents in prop::collection::vec(any::<(u64, [u8; 32], [u8; 32])>(), 1..=20)) {
        let parents: Vec<_> = parents
            .iter()
            .map(|(size, left, right)| (*size, Hash::from_bytes(*left), Hash::from_bytes(*right)))
            .collect();
        let expected: Vec<_> =
            parents.iter().map(|(size, left, right)| parent_hash(*size, left, right)).collect();
        prop_assert_eq!(parent_hashes(&parents), expected);
    }
}
