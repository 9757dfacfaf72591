//! The second half: directories that the `hypercore` command and JavaScript
//! write in turn, each checked by both after every change.
//!
//! The course is the same for all; the directories differ in who makes them,
//! what their key is made of, and whether the blocks are encrypted. What is
//! appended are files of this project.

use std::path::Path;

use crate::report::{Miss, miss};

use super::directory::{Cut, Directory, Key, Kind, Tally};
use super::driver::{Side, Sides};
use super::turns::{self, Failure};

const fn kind(name: &'static str, maker: Side, key: Key) -> Kind {
    Kind { name, maker, key, is_encrypted: false, durability: "immediate" }
}

const fn encrypted(kind: Kind) -> Kind {
    Kind { is_encrypted: true, ..kind }
}

const fn eventual(kind: Kind) -> Kind {
    Kind { durability: "eventual", ..kind }
}

/// Every directory of a run.
const KINDS: [Kind; 14] = [
    kind("append-makes", Side::Rust, Key::Random),
    kind("new-compat", Side::Rust, Key::RandomCompat),
    kind("new-seed", Side::Rust, Key::Seed),
    kind("new-seed-compat", Side::Rust, Key::SeedCompat),
    kind("new-manifest", Side::Rust, Key::Manifest),
    eventual(kind("new-eventual", Side::Rust, Key::Seed)),
    encrypted(kind("append-makes-encrypted", Side::Rust, Key::Random)),
    encrypted(kind("new-encrypted-compat", Side::Rust, Key::SeedCompat)),
    kind("javascript", Side::JavaScript, Key::Random),
    kind("javascript-compat", Side::JavaScript, Key::SeedCompat),
    kind("javascript-manifest", Side::JavaScript, Key::Manifest),
    eventual(kind("javascript-eventual", Side::JavaScript, Key::Seed)),
    encrypted(kind("javascript-encrypted", Side::JavaScript, Key::Seed)),
    encrypted(kind("javascript-encrypted-compat", Side::JavaScript, Key::RandomCompat)),
];

/// Runs the course on every directory, or on the one named `only`.
pub(super) fn run(
    sides: &mut Sides,
    binary: &Path,
    work: &Path,
    only: Option<&str>,
) -> Result<Tally, Miss> {
    let mut tally = Tally::default();
    for kind in KINDS.iter().filter(|kind| only.is_none_or(|only| only == kind.name)) {
        let folder = work.join(kind.name);
        turns::in_folder(sides, &folder, &format!("--dir {}", kind.name), |sides| {
            let [dir, empty] = ["log", "empty"].map(|name| folder.join(name));
            let (dir, empty) = (dir.to_string_lossy(), empty.to_string_lossy());
            let mut directory = Directory::new(*kind, &dir, binary);
            let result = std::fs::write(&*empty, "")
                .map_err(|error| error.to_string())
                .and_then(|()| course(&mut directory, sides, &empty, &mut tally));
            tally.directories += 1;
            tally.runs += directory.program.runs;
            result.map_err(|what| Failure {
                what: format!("directory {}: {what}", kind.name),
                log: directory.program.log,
            })
        })?;
    }
    if tally.directories == 0 {
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        return miss(format!("no such directory; there are {}", names.join(", ")));
    }
    Ok(tally)
}

/// What happens to each directory. `empty` is a file without a byte.
fn course(
    log: &mut Directory<'_>,
    sides: &mut Sides,
    empty: &str,
    tally: &mut Tally,
) -> Result<(), String> {
    log.make(sides)?;
    log.append(Cut::Whole, &["README.md", empty, "Cargo.lock"], None)?;
    log.compare(sides, tally)?;
    log.append_in_javascript(sides, &["LICENSE-MIT", empty, "Cargo.toml"])?;
    log.compare(sides, tally)?;
    // The empty lines of a text are empty blocks.
    log.append(Cut::Lines, &[], Some("Cargo.toml"))?;
    log.append(Cut::Chunks(4096), &["Cargo.lock", empty, "README.md"], None)?;
    log.compare(sides, tally)?;

    let length = log.length();
    log.clear(sides, Side::Rust, 2, 40)?;
    log.clear(sides, Side::JavaScript, length - 4, length - 2)?;
    log.compare(sides, tally)?;
    log.truncate(sides, Side::Rust, length - 3, 3)?;
    log.append(Cut::Lines, &["LICENSE-MIT"], None)?;
    log.append_in_javascript(sides, &["README.md"])?;
    log.truncate(sides, Side::JavaScript, length / 2, 1)?;
    log.compare(sides, tally)?;

    log.restore(sides, tally)?;
    log.lock(sides, tally)?;
    log.compare(sides, tally)?;
    log.truncate(sides, Side::Rust, 0, 1)?;
    log.compare(sides, tally)?;
    // Lines enough for a batch whose nodes go into the tree file at once.
    log.append(Cut::Lines, &[], Some("Cargo.lock"))?;
    log.append_in_javascript(sides, &["LICENSE-MIT"])?;
    log.append(Cut::Whole, &["LICENSE-APACHE"], None)?;
    log.compare(sides, tally)
}
