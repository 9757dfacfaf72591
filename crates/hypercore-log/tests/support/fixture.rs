//! The recorded version 10 directories: what their files hold and what JavaScript read from them.
//!
//! Used by the integration tests and, by path, by the unit tests of the byte formats.
#![allow(unreachable_pub, reason = "public in integration tests, private in unit tests")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// One directory of `tests/fixtures/storage-v10`.
#[derive(Debug)]
pub struct Fixture {
    /// Its name, for messages.
    pub name: String,
    /// The recording: `files`, `oplog`, `expected` and so on (formats.md section 15).
    pub recorded: Value,
    /// Contents of the files by name; a file that is not there is absent.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Fixture {
    /// All of them, in order of their names.
    pub fn all() -> Vec<Self> {
        let mut names: Vec<String> = std::fs::read_dir(folder())
            .expect("the fixtures are in the repository")
            .filter_map(|entry| {
                let name = entry.expect("readable").file_name().into_string().expect("ASCII");
                name.strip_suffix(".json").map(str::to_owned)
            })
            .collect();
        names.sort();
        assert!(names.len() > 38, "fixtures are missing: {names:?}");
        names.iter().map(|name| Self::load(name)).collect()
    }

    /// The one of that name.
    pub fn load(name: &str) -> Self {
        let json = std::fs::read(folder().join(format!("{name}.json"))).expect("a recording");
        let recorded = serde_json::from_slice(&json).expect("JSON");
        let directory = folder().join(name);
        let files = if directory.is_dir() {
            read_directory(&directory)
        } else {
            let archive = std::fs::read(folder().join(format!("{name}.tar.gz")));
            read_archive(&archive.expect("a directory or an archive"))
        };
        Self { name: name.to_owned(), recorded, files }
    }

    /// A file's bytes; empty when it is not there.
    pub fn file(&self, name: &str) -> &[u8] {
        self.files.get(name).map_or(&[], Vec::as_slice)
    }
}

/// The bytes of lowercase hex.
pub fn hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2) && text.is_ascii(), "hex");
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).expect("hex"))
        .collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/storage-v10")
}

fn read_directory(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(path).expect("a readable directory");
    entries
        .map(|entry| {
            let entry = entry.expect("readable");
            let name = entry.file_name().into_string().expect("ASCII");
            (name, std::fs::read(entry.path()).expect("a readable file"))
        })
        .collect()
}

/// The files of a gzipped tar archive, without their folder.
fn read_archive(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    const BLOCK: usize = 512;
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(archive).read_to_end(&mut tar).expect("gzip");
    let mut files = BTreeMap::new();
    let mut at = 0;
    while tar.get(at).is_some_and(|byte| *byte != 0) {
        let header = &tar[at..at + BLOCK];
        let text = |range: std::ops::Range<usize>| {
            let text = std::str::from_utf8(&header[range]).expect("ASCII");
            text.trim_end_matches(['\0', ' ']).to_owned()
        };
        let len = usize::from_str_radix(&text(124..136), 8).expect("an octal length");
        let name = text(0..100);
        at += BLOCK;
        if let Some((_, file)) = name.rsplit_once('/').filter(|(_, file)| !file.is_empty()) {
            files.insert(file.to_owned(), tar[at..at + len].to_vec());
        }
        at += len.next_multiple_of(BLOCK);
    }
    files
}
