//! Random calls do what a map of pages does.

use std::collections::{BTreeMap, BTreeSet};

use memory_pager::Pager;
use proptest::prelude::*;

const PAGE_SIZES: [usize; 4] = [1, 7, 64, 1024];

#[derive(Clone, Debug)]
enum Call {
    Alloc(u64),
    Write { page: u64, place: usize, data: Vec<u8> },
    Set { page: u64, kind: u8 },
    Remove(u64),
    Clean(u64),
    Deduplicate(u64),
    Truncate(u64),
}

/// Numbers near each other, near the borders of nodes, and far apart.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..200u64,
        (0..53u32, 0..3u64).prop_map(|(bits, off)| ((1 << bits) + off).saturating_sub(1)),
        0..=Pager::NUMBER_MAX,
    ]
    .prop_map(|number| number.min(Pager::NUMBER_MAX - 100))
}

fn call() -> impl Strategy<Value = Call> {
    let data = prop::collection::vec(any::<u8>(), 0..100);
    prop_oneof![
        number().prop_map(Call::Alloc),
        (number(), 0..1024usize, data).prop_map(|(page, place, data)| Call::Write {
            page,
            place,
            data
        }),
        (number(), 0..3u8).prop_map(|(page, kind)| Call::Set { page, kind }),
        number().prop_map(Call::Remove),
        number().prop_map(Call::Clean),
        number().prop_map(Call::Deduplicate),
        number().prop_map(Call::Truncate),
    ]
}

#[derive(Default)]
struct Model {
    pages: BTreeMap<u64, Vec<u8>>,
    dirty: BTreeSet<u64>,
    len: u64,
}

fn check(page_size: usize, calls: &[Call]) {
    let mut pager = Pager::new(page_size);
    pager.share(&[0xff]);
    let mut model = Model::default();
    for call in calls {
        apply(page_size, call, &mut pager, &mut model);
        assert_eq!(pager.len() as u64, model.len);
        assert_eq!(pager.pages_present(), model.pages.len());
    }
    let pages: Vec<_> = pager.pages().map(|(n, page)| (n as u64, page.to_vec())).collect();
    assert_eq!(pages, model.pages.clone().into_iter().collect::<Vec<_>>());
    let dirty: Vec<_> = pager.dirty().map(|(number, _)| number as u64).collect();
    assert_eq!(dirty, model.dirty.iter().copied().collect::<Vec<_>>());
    for (number, bytes) in &model.pages {
        let page = pager.get(*number as usize).unwrap();
        assert_eq!(&page[..], bytes);
        assert_eq!(page.offset() as u64, number * page_size as u64);
    }
    // Taking all out leaves nothing behind.
    for number in model.pages.keys() {
        assert!(pager.remove(*number as usize).is_some());
        assert!(pager.remove(*number as usize).is_none());
        assert!(pager.get(*number as usize).is_none());
    }
    assert_eq!(pager.pages().count() + pager.pages_present(), 0);
}

fn apply(page_size: usize, call: &Call, pager: &mut Pager, model: &mut Model) {
    let zero = || vec![0; page_size];
    match call {
        Call::Alloc(number) => {
            assert_eq!(pager.get_mut(*number as usize).is_some(), model.pages.contains_key(number));
            pager.get_mut_or_alloc(*number as usize)[0] = 5;
            model.pages.entry(*number).or_insert_with(zero)[0] = 5;
            model.dirty.insert(*number);
            model.len = model.len.max(number + 1);
        }
        Call::Write { page, place, data } => {
            let position = page * page_size as u64 + (place % page_size) as u64;
            pager.write_bytes(position, data).unwrap();
            for (position, byte) in (position..).zip(data) {
                let number = position / page_size as u64;
                let page = model.pages.entry(number).or_insert_with(zero);
                page[(position % page_size as u64) as usize] = *byte;
                model.dirty.insert(number);
                model.len = model.len.max(number + 1);
                assert_eq!(pager.byte(position), Some(*byte));
            }
            let mut read = vec![9; data.len() + 50];
            pager.read_bytes(position, &mut read);
            for (position, byte) in (position..).zip(read) {
                let page = model.pages.get(&(position / page_size as u64));
                let expected = page.map(|page| page[(position % page_size as u64) as usize]);
                assert_eq!(byte, expected.unwrap_or(0));
                assert_eq!(pager.byte(position), expected);
            }
        }
        Call::Set { page, kind } => {
            let bytes = vec![[0, 0xff, 3][*kind as usize]; page_size];
            pager.set(*page as usize, &bytes).unwrap();
            model.len = model.len.max(page + 1);
            if *kind == 0 {
                model.pages.remove(page);
                model.dirty.remove(page);
            } else {
                model.pages.insert(*page, bytes);
                model.dirty.insert(*page);
                let shared = pager.get(*page as usize).unwrap().is_shared();
                assert_eq!(shared, *kind == 1);
            }
        }
        Call::Remove(number) => {
            let page = pager.remove(*number as usize).map(|page| page.to_vec());
            assert_eq!(page, model.pages.remove(number));
            model.dirty.remove(number);
        }
        Call::Clean(number) => {
            assert_eq!(pager.clean(*number as usize), model.dirty.remove(number));
        }
        Call::Deduplicate(number) => {
            pager.deduplicate(*number as usize);
            if model.pages.get(number).is_some_and(|page| page.iter().all(|byte| *byte == 0)) {
                model.pages.remove(number);
                model.dirty.remove(number);
            }
        }
        Call::Truncate(number) => {
            pager.truncate(*number as usize);
            model.pages.retain(|page, _| page < number);
            model.dirty.retain(|page| page < number);
            model.len = model.len.min(*number);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn random_calls(
        page_size in prop::sample::select(&PAGE_SIZES[..]),
        calls in prop::collection::vec(call(), 1..60),
    ) {
        check(page_size, &calls);
    }
}
