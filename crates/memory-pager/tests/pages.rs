//! Named cases of page access, with the slips of earlier pagers among them.

use memory_pager::{Page, PageOutOfRange, Pager};

#[test]
fn names_and_signatures_of_0_9() {
    let mut pager: Pager = Pager::default();
    assert_eq!(pager.page_size(), 1024);
    assert!(pager.is_empty());
    let page: &mut Page = pager.get_mut_or_alloc(2);
    page[3] = 4;
    let page: Option<&Page> = pager.get(2);
    assert_eq!(page.unwrap().offset(), 2048);
    let page: Option<&mut Page> = pager.get_mut(1);
    assert!(page.is_none());
    let len: usize = pager.len();
    assert_eq!(len, 3);
    let present: Vec<bool> = pager.iter().map(|page: &Option<Page>| page.is_some()).collect();
    assert_eq!(present, [false, false, true]);
    assert_eq!((&pager).into_iter().len(), 3);
    assert_eq!(Page::new(3, vec![0; 10]).offset(), 30);
    let mut roomy = Vec::with_capacity(100);
    roomy.resize(10, 0);
    assert_eq!(Page::new(3, roomy).offset(), 30, "the offset is not that of the capacity");
}

#[test]
fn bytes_are_where_the_arithmetic_says() {
    let mut pager = Pager::new(1024);
    pager.set_byte(2000, 7).unwrap();
    assert_eq!(pager.get(1).unwrap()[976], 7);
    // The formulas with `page_size - 1` put both of these into one place.
    pager.set_byte(0, 1).unwrap();
    pager.set_byte(1023, 2).unwrap();
    assert_eq!((pager.byte(0), pager.byte(1023)), (Some(1), Some(2)));
}

#[test]
fn growing_at_a_border_of_nodes_shows_no_other_page() {
    for border in [64, 32_768, 65_536, 1 << 26, 1 << 36] {
        let mut pager = Pager::new(16);
        pager.get_mut_or_alloc(0)[0] = 1;
        assert!(pager.get(border).is_none());
        pager.get_mut_or_alloc(border)[0] = 2;
        assert_eq!(pager.get(0).unwrap()[0], 1);
        assert_eq!(pager.get(border).unwrap()[0], 2);
        assert_eq!(pager.pages_present(), 2);
    }
}

#[test]
fn numbers_end_at_2_to_the_52() {
    let max = Pager::NUMBER_MAX as usize;
    let mut pager = Pager::new(1024);
    pager.get_mut_or_alloc(max)[0] = 1;
    assert_eq!(pager.len(), max + 1);
    assert_eq!(pager.pages().map(|(number, _)| number).collect::<Vec<_>>(), [max]);
    let error = PageOutOfRange { number: Pager::NUMBER_MAX + 1 };
    assert_eq!(pager.try_get_mut_or_alloc(max + 1).unwrap_err(), error);
    assert_eq!(pager.set(max + 1, &[1; 1024]), Err(error));
    assert_eq!(pager.set(max + 1, &[0; 1024]), Err(error));
    assert!(pager.get(max + 1).is_none());
    assert!(pager.get(usize::MAX).is_none());
    assert!(pager.get_mut(usize::MAX).is_none());
    assert!(pager.remove(usize::MAX).is_none());
    assert_eq!(pager.next_present(usize::MAX), None);
    assert!(pager.write_bytes(u64::MAX, &[1]).is_err());
    assert!(pager.write_bytes(u64::MAX, &[1, 2]).is_err());
    assert_eq!(pager.byte(u64::MAX), None);
    let mut buffer = [9; 10];
    pager.read_bytes(u64::MAX, &mut buffer);
    assert_eq!(buffer, [0; 10]);
    // A write that would pass the end changes nothing.
    let last = (Pager::NUMBER_MAX + 1) * 1024 - 1;
    assert!(pager.write_bytes(last, &[1, 2]).is_err());
    assert_eq!(pager.byte(last), Some(0));
    pager.write_bytes(last, &[1]).unwrap();
    assert_eq!(pager.byte(last), Some(1));
}

#[test]
fn offsets_that_do_not_fit_are_held_at_the_top() {
    let mut pager = Pager::new(1 << 14);
    assert_eq!(pager.get_mut_or_alloc(1 << 52).offset(), usize::MAX - 1);
}

#[test]
#[should_panic(expected = "a page size of at least 1")]
fn a_page_size_of_0_panics_as_documented() {
    let _ = Pager::new(0);
}

#[test]
fn a_shared_page_costs_nothing_and_is_copied_when_written() {
    let mut pager = Pager::new(1 << 16);
    pager.share(&[0xab, 0xcd]);
    let content: Vec<u8> = [0xab, 0xcd].repeat(1 << 15);
    for number in 0..1000 {
        pager.set(number, &content).unwrap();
    }
    let first = pager.get(0).unwrap().as_ptr();
    assert!(pager.pages().all(|(_, page)| page.as_ptr() == first && page.is_shared()));
    pager.set_byte(5, 1).unwrap();
    assert!(!pager.get(0).unwrap().is_shared());
    assert_eq!(pager.byte(5), Some(1));
    assert_eq!(pager.byte(5 + (1 << 16)), Some(0xcd));
    pager.set_byte(5, 0xcd).unwrap();
    assert!(pager.is_dirty(0));
    pager.clean_all();
    assert!(pager.deduplicate(0));
    assert!(!pager.deduplicate(0));
    assert!(!pager.is_dirty(0));
    assert_eq!(pager.get(0).unwrap().as_ptr(), first);
    assert_eq!(pager.get(77).unwrap().offset(), 77 << 16);
}

#[test]
fn clones_do_not_see_each_other() {
    let mut pager = Pager::new(8);
    pager.get_mut_or_alloc(1 << 30)[0] = 1;
    let mut other = pager.clone();
    other.get_mut_or_alloc(1 << 30)[0] = 2;
    assert_eq!(pager.get(1 << 30).unwrap()[0], 1);
    assert_eq!(other.get(1 << 30).unwrap()[0], 2);
}
