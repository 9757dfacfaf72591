//! SLEEP feeds against hypercore 9.12, the last package that writes them: appending, reading, opening. Everything in
//! the page cache.

mod durable;

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use hypercore_crypto::{KeyPair, leaf_hashes};
use random_access_disk::{Create, Lock, LockKind, RandomAccessDisk};
use random_access_storage::{Error, RandomAccess};
use sleep::{Access, Durability, Feed, FileName};

use crate::child;
use crate::floor::Floor;
use crate::javascript::JavaScript;
use crate::logs::{BATCH, FLOOR, Random, blocks, folder};
use crate::measure::{Contender, Table, Target, is_quick, per_operation, spaced};
use crate::open::{Above, Most};

pub use durable::child as flushes_child;

const OURS: &str = "sleep";
const JAVASCRIPT: &str = "JavaScript 9.12.0";

const BLOCK_LEN: usize = 100;
const SEED: [u8; 32] = [7; 32];

/// Blocks of the feed that is read and opened.
const STORED: usize = 1_000_000;

/// Reads of a sample of ours, and of JavaScript.
const READS: usize = 100_000;
const JAVASCRIPT_READS: usize = 5_000;

/// How many times as fast as JavaScript.
const APPEND_LEAST: f64 = 20.0;
const READ_LEAST: f64 = 10.0;
const OPEN_LEAST: f64 = 5.0;

/// What an open may take.
const OPEN_NS_MAX: f64 = 50e6;

/// Samples of each race, one more than are counted.
fn turns() -> usize {
    if is_quick() { 3 } else { 8 }
}

pub fn table() -> Table {
    let mut table = Table::default();
    let javascript = JavaScript::sleep();
    appends(&mut table, &javascript);
    durable::races(&mut table);

    let (ours, theirs) = (folder(), folder());
    let mut feed = open(ours.path(), Access::Create, Durability::Lazy);
    let blocks = blocks(BATCH, BLOCK_LEN);
    (0..STORED / BATCH).for_each(|_| _ = feed.append(&blocks).expect("an append"));
    drop(feed);
    if let Ok(javascript) = &javascript {
        let dir = theirs.path().display();
        javascript.ask(&format!("append {dir} {BLOCK_LEN} {BATCH} {}", STORED / BATCH));
    }
    opens(&mut table, ours.path(), theirs.path(), &javascript);
    reads(&mut table, ours.path(), theirs.path(), &javascript);
    table.note(
        "Neither syncs where nothing else is said. Ours verifies what it reads and opens, JavaScript does not: its \
         getBatch hands out parts of one read. The floor of reading has no tree to hold the hashes against.",
    );
    table
}

/// The feed in a folder.
pub fn open(folder: &Path, access: Access, durability: Durability) -> Feed {
    let folder = folder.to_path_buf();
    let storage = move |name: FileName, access: Access| -> Result<_, Error> {
        let create = if access == Access::Create { Create::Now } else { Create::Never };
        let mut file = RandomAccessDisk::builder(folder.join(name.as_str())).create(create);
        if name == FileName::Bitfield {
            let lock = if access == Access::Read { Lock::Shared } else { Lock::Exclusive };
            file = file.lock(lock).lock_kind(LockKind::Flock);
        }
        match file.open() {
            Ok(file) => Ok(Some(Arc::new(file) as Arc<dyn RandomAccess>)),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    };
    let options = Feed::options().access(access).durability(durability);
    let options = match access {
        Access::Create => options.key_pair(KeyPair::from_seed(&SEED)),
        _ => options,
    };
    options.open(storage).expect("a feed")
}

fn appends(table: &mut Table, javascript: &Result<JavaScript, String>) {
    let batches = if is_quick() { 200 } else { 2_000 };
    let blocks = blocks(BATCH, BLOCK_LEN);
    let ours = || {
        let folder = folder();
        let mut feed = open(folder.path(), Access::Create, Durability::Lazy);
        per_operation(BATCH * batches, || {
            (0..batches).for_each(|_| _ = feed.append(&blocks).expect("an append"));
        })
    };
    let theirs = |javascript: &JavaScript| {
        let folder = folder();
        let job = format!("append {} {BLOCK_LEN} {BATCH} {batches}", folder.path().display());
        javascript.ask(&job) / (BATCH * batches) as f64
    };
    let floor = || {
        let folder = folder();
        let mut floor = Floor::new(folder.path());
        per_operation(BATCH * batches, || (0..batches).for_each(|_| floor.append(&blocks)))
    };
    let contenders = vec![
        Contender::new(format!("{OURS}, unsynced"), ours),
        JavaScript::contender(javascript, JAVASCRIPT, theirs).target(Target::Faster(APPEND_LEAST)),
        Contender::new(FLOOR, floor),
    ];
    let case =
        format!("append {BLOCK_LEN} bytes, {BATCH} at a time, {} blocks", spaced(BATCH * batches));
    table.race(&case, turns(), contenders);

    let block = &blocks[..1];
    let count = if is_quick() { 1_000 } else { 10_000 };
    let ours = || {
        let folder = folder();
        let mut feed = open(folder.path(), Access::Create, Durability::Lazy);
        per_operation(count, || (0..count).for_each(|_| _ = feed.append(block).expect("an append")))
    };
    let theirs = |javascript: &JavaScript| {
        let folder = folder();
        let job = format!("append {} {BLOCK_LEN} 1 {count}", folder.path().display());
        javascript.ask(&job) / count as f64
    };
    let contenders = vec![
        Contender::new(format!("{OURS}, unsynced"), ours),
        JavaScript::contender(javascript, JAVASCRIPT, theirs),
    ];
    table.race(&format!("append {BLOCK_LEN} bytes, one at a time"), turns(), contenders);
}

fn opens(table: &mut Table, ours: &Path, theirs: &Path, javascript: &Result<JavaScript, String>) {
    let open_for = |access| {
        move || {
            let mut feed = None;
            let time = per_operation(1, || feed = Some(open(ours, access, Durability::Lazy)));
            assert_eq!(feed.expect("a feed").length(), STORED as u64);
            time
        }
    };
    let opened = |javascript: &JavaScript| {
        let time = javascript.ask(&format!("open {}", theirs.display()));
        javascript.ask("close");
        time
    };
    let contenders = vec![
        Contender::new(format!("{OURS}, to write"), open_for(Access::Write))
            .target(Target::Nanoseconds(OPEN_NS_MAX)),
        Contender::new(format!("{OURS}, to read"), open_for(Access::Read)),
        JavaScript::contender(javascript, JAVASCRIPT, opened).target(Target::Faster(OPEN_LEAST)),
    ];
    let case = format!("{} blocks", spaced(STORED));
    table.race(&format!("open {case}"), 2 * turns(), contenders);

    let empty = folder();
    drop(open(empty.path(), Access::Create, Durability::Lazy));
    let most = Most {
        ours: Above::of(|path| child::open("open-sleep", path), empty.path(), ours),
        theirs: javascript.is_ok().then(|| {
            let most = |path: &Path| JavaScript::sleep().expect("it is there").opened_memory(path);
            Above::of(most, folder().path(), theirs)
        }),
    };
    most.rows(table, &case, [OURS, JAVASCRIPT], None);
}

fn reads(table: &mut Table, ours: &Path, theirs: &Path, javascript: &Result<JavaScript, String>) {
    let feed = &open(ours, Access::Read, Durability::Lazy);
    if let Ok(javascript) = javascript {
        javascript.ask(&format!("open {}", theirs.display()));
    }
    let ask = |job: &'static str| {
        move |javascript: &JavaScript| {
            javascript.ask(&format!("{job} {JAVASCRIPT_READS}")) / JAVASCRIPT_READS as f64
        }
    };
    let batches = |javascript: &JavaScript| {
        javascript.ask(&format!("getBatch {READS} {BATCH}")) / READS as f64
    };
    let in_order = || {
        per_operation(READS, || {
            for block in feed.blocks(0..READS as u64).expect("a range") {
                black_box(block.expect("a block"));
            }
        })
    };
    let one_by_one = || {
        per_operation(READS, || {
            for index in 0..READS as u64 {
                black_box(feed.get(index).expect("a block"));
            }
        })
    };
    let data = File::open(ours.join("data")).expect("a file");
    let least = || {
        let mut bytes = vec![0; BATCH * BLOCK_LEN];
        per_operation(READS, || {
            for batch in 0..READS / BATCH {
                let offset = batch * bytes.len();
                data.read_exact_at(&mut bytes, offset as u64).expect("a read");
                let blocks: Vec<&[u8]> = bytes.chunks(BLOCK_LEN).collect();
                black_box(leaf_hashes(&blocks));
            }
        })
    };
    let contenders = vec![
        Contender::new(format!("{OURS}, blocks"), in_order),
        Contender::new(format!("{OURS}, get after get"), one_by_one),
        JavaScript::contender(javascript, format!("{JAVASCRIPT}, createReadStream"), ask("stream"))
            .target(Target::Faster(READ_LEAST)),
        JavaScript::contender(
            javascript,
            format!("{JAVASCRIPT}, get after get"),
            ask("getInOrder"),
        )
        .target(Target::Faster(READ_LEAST)),
        JavaScript::contender(javascript, format!("{JAVASCRIPT}, getBatch of {BATCH}"), batches),
        Contender::new("floor: pread and hash", least),
    ];
    table.race("blocks in order", turns(), contenders);

    let random = &Random::new();
    let get = || {
        per_operation(READS, || {
            for index in random.below(STORED as u64, READS) {
                black_box(feed.get(index).expect("a block"));
            }
        })
    };
    let contenders =
        vec![Contender::new(OURS, get), JavaScript::contender(javascript, JAVASCRIPT, ask("get"))];
    table.race("get of a random block", turns(), contenders);
}
