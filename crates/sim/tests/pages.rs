//! Crashes of page files: there are enough workloads, an image can be seen again, and the oracle sees what is wrong with
//! a disk that lies.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use mappedpages::{Durability, Format, Medium, Pager};
use random_access_storage::testing::Faults;
use sim::disk::{Disk, Plan};
use sim::pages::{Life, Model, Oracle, PageFile, Setting, Timeline, WORKLOADS, cases};
use sim::trials::crash::{Judge, Settings};

#[test]
fn there_are_at_least_fourteen_workloads_in_both_formats_and_page_sizes() {
    for format in [Format::One, Format::Two] {
        for page_len in [1024, 4096] {
            let names: BTreeSet<&str> = WORKLOADS
                .iter()
                .filter(|workload| {
                    workload.formats.contains(&format) && workload.page_lens.contains(&page_len)
                })
                .map(|workload| workload.name)
                .collect();
            assert!(names.len() >= 14, "{format:?}, {page_len}: {names:?}");
        }
    }
}

#[test]
fn the_names_of_cases_differ() {
    let names: BTreeSet<String> = cases().iter().map(|case| case.name()).collect();
    assert_eq!(names.len(), cases().len());
}

#[test]
fn one_image_can_be_seen_again() {
    let cases = cases();
    let case =
        cases.iter().find(|case| case.name() == "pages/pages-format2-1024-immediate").unwrap();
    let report = case.crash(&Settings { image: Some(100), ..case.settings(1, false) });
    assert_eq!((report.bad, report.first_bad.is_none()), (0, true));
    assert!((1..200).contains(&report.counts.enumerated), "{:?}", report.counts);
}

/// A page file whose syncs do nothing.
#[derive(Debug)]
struct Lazy(PageFile);

impl Medium for Lazy {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, into)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)
    }
    fn grow(&self, len: u64) -> io::Result<()> {
        self.0.grow(len)
    }
    fn cut(&self, len: u64) -> io::Result<()> {
        self.0.cut(len)
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn commits_whose_syncs_do_nothing_are_found_out() {
    for format in [Format::One, Format::Two] {
        let setting = Setting { format, durability: Durability::Immediate };
        let (disk, life) = (Disk::new(), Life::new());
        let builder = || Pager::<1024>::builder().format(format);
        let file = || PageFile::new(&disk, &life, &Faults::none());
        drop(builder().create_on(Arc::new(file())).unwrap());
        let honest = disk.position();
        let mut pager = builder().open_on(Arc::new(Lazy(file()))).unwrap();
        let (mut model, mut before) = (Model::new(1024), Vec::new());
        for _ in 0..3 {
            before.push(model.clone());
            model.take(pager.alloc().unwrap().0);
        }
        life.end();
        drop(pager);
        let mut oracle = Oracle::<1024>::new(setting);
        let recording = disk.recording();
        let now = recording.len();
        let (mut last, mut older, mut neither) = (0, 0, 0);
        recording.crashes(now..=now, &Plan::quick(1), &mut |crash| {
            let mut is = |model: &Model| {
                let promise = Timeline::new(model.clone()).after(now);
                oracle.judge(&crash.image, &promise).is_ok()
            };
            if is(&model) {
                last += 1;
            } else if before.iter().any(&mut is) {
                older += 1;
            } else {
                neither += 1;
            }
        });
        assert!(honest < now && last > 0, "{format:?}: {last} show the last commit");
        assert!(older + neither > 0, "{format:?}: nobody noticed that nothing is synced");
    }
}

#[test]
fn a_file_that_forgets_is_found_out() {
    let setting = Setting { format: Format::Two, durability: Durability::Immediate };
    let (disk, life) = (Disk::new(), Life::new());
    let file = Arc::new(PageFile::new(&disk, &life, &Faults::none()));
    let mut pager = Pager::<1024>::builder().create_on(file).unwrap();
    let empty = disk.shown();
    let mut model = Model::new(1024);
    model.take(pager.alloc().unwrap().0);
    life.end();
    let mut oracle = Oracle::<1024>::new(setting);
    let promise = Timeline::new(model).after(disk.position());
    assert!(oracle.judge(&disk.shown(), &promise).is_ok());
    let wrong = oracle.judge(&empty, &promise).unwrap_err();
    assert!(wrong.contains("the regular pages are []"), "{wrong}");
}
