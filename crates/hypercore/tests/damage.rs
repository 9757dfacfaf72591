//! Random damage to every file: never a panic, never wrong bytes, and a reader changes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use hypercore::{Create, ErrorKind, Hypercore};

const FILES: [&str; 4] = ["oplog", "tree", "bitfield", "data"];

/// Printed when a case fails, so that it can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn block(index: u64) -> String {
    format!("block {index} {}", "x".repeat((index * 7 % 60) as usize))
}

fn read(dir: &Path) -> BTreeMap<&'static str, Vec<u8>> {
    FILES.iter().map(|name| (*name, std::fs::read(dir.join(name)).unwrap_or_default())).collect()
}

/// A log with a header, entries after it, and a cleared range.
async fn make(dir: &Path) {
    let log = Hypercore::open(dir).await.unwrap();
    log.append_batch((0..40).map(block)).await.unwrap();
    log.clear(10..13).await.unwrap();
    log.close().await.unwrap();
    let log = Hypercore::open(dir).await.unwrap();
    for index in 40..50 {
        log.append(block(index)).await.unwrap();
    }
    // Dropped, not closed: the entries stay in the oplog.
}

fn damage(dir: &Path, good: &BTreeMap<&'static str, Vec<u8>>, random: &mut Random) {
    for (name, bytes) in good {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
    for _ in 0..=random.below(3) {
        let name = FILES[random.below(4) as usize];
        let mut bytes = std::fs::read(dir.join(name)).unwrap();
        let at = random.below(bytes.len().max(1) as u64) as usize;
        match random.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.extend((0..random.below(300)).map(|byte| byte as u8)),
            2 => {
                let end = (at + 64).min(bytes.len());
                bytes[at..end].fill(random.below(256) as u8);
            }
            _ => {
                // Mostly where something is: the beginning of the file and of the second header.
                let at = match random.below(3) {
                    0 => at,
                    1 => random.below(400) as usize,
                    _ => 4096 + random.below(400) as usize,
                };
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
        std::fs::write(dir.join(name), bytes).unwrap();
    }
}

/// Reads all there is; what is handed out must be what was appended.
async fn check(log: &Hypercore, case: &str) {
    assert!(log.length() <= 50, "{case}");
    for index in 0..log.length() {
        match log.get_local(index).await {
            Ok(Some(found)) => assert_eq!(found, block(index), "{case}"),
            Ok(None) => {}
            Err(error) => {
                let kind = error.kind();
                assert!(matches!(kind, ErrorKind::Corrupt | ErrorKind::Caller), "{case}: {error}");
            }
        }
    }
    for byte in [0, 1, 100, log.byte_length()] {
        let _ = log.seek_local(byte).await;
    }
    let report = log.verify().await;
    assert!(report.is_ok(), "{case}: {report:?}");
    log.info().await.unwrap();
}

#[tokio::test]
async fn never_wrong_bytes() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    make(dir).await;
    let good = read(dir);
    for seed in 1..=150_u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        damage(dir, &good, &mut random);
        let before = read(dir);
        let case = format!("seed {seed}, reading");
        match Hypercore::builder(dir).read_only().open().await {
            Ok(log) => check(&log, &case).await,
            Err(error) => {
                let told = error.kind() == ErrorKind::Corrupt || error.is_not_found();
                assert!(told, "{case}: {error}");
            }
        }
        assert!(read(dir) == before, "{case}: changed the files");

        // A writer may mend; what it then hands out is right all the same.
        let case = format!("seed {seed}, writing");
        match Hypercore::builder(dir).create(Create::Never).open().await {
            Ok(log) => check(&log, &case).await,
            Err(error) => {
                let told = error.kind() == ErrorKind::Corrupt || error.is_not_found();
                assert!(told, "{case}: {error}");
                assert!(read(dir) == before, "{case}: a refused open changed the files");
            }
        }
    }
}
