//! A full disk is an error where the file grows, and never the end of the process.
//!
//! A small file system is mounted where nobody else sees it, by a second run of this test. Where that is
//! not possible the test says so and shows nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

use mappedpages::{MappedPageError, Pager};

/// Where the file system is mounted, for the second run.
const PLACE: &str = "MAPPEDPAGES_FULL_DISK";
const P: usize = 4096;
/// Ways to get a mount of one's own: for anybody, and for root where that is forbidden.
const WAYS: [&[&str]; 2] = [&["--map-root-user", "--mount"], &["--mount"]];

#[test]
fn a_full_disk_is_an_error_and_nothing_else() {
    if let Some(place) = std::env::var_os(PLACE) {
        let mounted = mount(Path::new(&place));
        assert!(mounted);
        inside(Path::new(&place));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for way in WAYS {
        let probe = Command::new("unshare").args(way).args(MOUNT).arg(folder.path()).output();
        if !probe.is_ok_and(|probe| probe.status.success()) {
            continue;
        }
        let test = "a_full_disk_is_an_error_and_nothing_else";
        let second = Command::new("unshare")
            .args(way)
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(PLACE, folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&second.stdout);
        let failed = String::from_utf8_lossy(&second.stderr);
        assert!(second.status.success(), "{}: {said}{failed}", second.status);
        return;
    }
    println!("SKIPPED: no file system can be mounted here");
}

const MOUNT: [&str; 6] = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs"];

fn mount(place: &Path) -> bool {
    Command::new(MOUNT[0]).args(&MOUNT[1..]).arg(place).status().unwrap().success()
}

fn inside(place: &Path) {
    let path = place.join("file");
    let mut pager = Pager::<P>::create(&path).unwrap();
    let protected = pager.alloc_protected().unwrap();
    let mut pages = Vec::new();
    let full = loop {
        match pager.alloc() {
            Ok(page) => pages.push(page),
            Err(error) => break error,
        }
    };
    assert!(matches!(full, MappedPageError::Full), "{full:?}");
    assert!(pages.len() > 50, "only {} pages", pages.len());

    // Nothing is left for anybody, and each page has its space.
    fill(&place.join("ballast"));
    for page in &pages {
        page.get_mut(&mut pager).unwrap().as_bytes_mut().fill(7);
    }
    let count = (pager.page_count(), pager.free_page_count());
    assert!(matches!(pager.alloc(), Err(MappedPageError::Full)));
    assert!(matches!(pager.alloc_bulk(1000), Err(MappedPageError::Full)));
    assert_eq!((pager.page_count(), pager.free_page_count()), count);

    // What needs no space goes on.
    let mut writer = protected.get_mut(&mut pager).unwrap();
    writer.page_mut().as_bytes_mut().fill(8);
    writer.commit().unwrap();
    pager.flush().unwrap();
    let freed = pages.split_off(10);
    let count = freed.len();
    pager.free_bulk(freed).unwrap();
    pages.extend(pager.alloc_bulk(count).unwrap());
    assert!(pager.check().unwrap().is_clean());
    pager.close().unwrap();

    let pager = Pager::<P>::open(&path).unwrap();
    assert_eq!(protected.get(&pager).unwrap().as_bytes(), [8; P]);
    assert_eq!(pages[9].get(&pager).unwrap().as_bytes(), [7; P]);
    drop(pager);

    fs::remove_file(place.join("ballast")).unwrap();
    fs::remove_file(&path).unwrap();
    holes_are_filled_or_refused(place);
}

/// A file that others copied with holes where it has zeros gets its space when it is opened to be written.
fn holes_are_filled_or_refused(place: &Path) {
    let (path, copy) = (place.join("whole"), place.join("holes"));
    let mut pager = Pager::<P>::create(&path).unwrap();
    let pages = pager.alloc_bulk(100).unwrap();
    pager.close().unwrap();
    let copied = Command::new("cp").arg("--sparse=always").args([&path, &copy]).status().unwrap();
    assert!(copied.success());
    fs::remove_file(&path).unwrap();

    fill(&place.join("ballast"));
    let opened = Pager::<P>::open(&copy);
    assert!(matches!(opened, Err(MappedPageError::Full)), "{opened:?}");
    fs::remove_file(place.join("ballast")).unwrap();
    let mut pager = Pager::<P>::open(&copy).unwrap();
    fill(&place.join("ballast"));
    for page in pages {
        page.get_mut(&mut pager).unwrap().as_bytes_mut().fill(7);
    }
    pager.close().unwrap();
}

/// Writes to a file until there is no space.
fn fill(path: &Path) {
    use std::io::Write as _;

    let mut file = fs::File::create(path).unwrap();
    while file.write_all(&[1; 512]).is_ok() {}
}
