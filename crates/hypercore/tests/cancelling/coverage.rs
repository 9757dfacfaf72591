//! Reads the source of the crate: whatever waits there is in a table, or here with the reason why not.

use std::collections::BTreeSet;
use std::path::Path;

/// Traits whose implementations wait.
const WAITING: [&str; 6] = ["Future", "Stream", "Sink", "AsyncRead", "AsyncWrite", "AsyncSeek"];

/// What waits and is in no table.
const ELSEWHERE: [(&str, &str); 0] = [];

/// `Type::method` of each public async method, and `Type: Trait` of whatever is polled itself.
fn waiting(text: &str, found: &mut BTreeSet<String>) {
    let mut of = String::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("impl") {
            let head = head.split(" where").next().unwrap_or(head);
            let head = without_parameters(head);
            let (implemented, name) = head.split_once(" for ").unwrap_or(("", &head));
            of = last_word(name);
            let implemented = last_word(implemented);
            if WAITING.contains(&implemented.as_str()) {
                found.insert(format!("{of}: {implemented}"));
            }
        }
        let line = line.trim_start();
        if let Some(rest) = line.strip_prefix("pub async fn ") {
            let name = rest.split(['(', '<']).next().unwrap_or(rest);
            found.insert(format!("{of}::{name}"));
        }
    }
}

/// A line without what stands in angle brackets.
fn without_parameters(line: &str) -> String {
    let mut depth = 0_usize;
    let outside = line.chars().filter(|c| {
        depth += usize::from(*c == '<');
        let is_outside = depth == 0;
        depth -= usize::from(*c == '>');
        is_outside
    });
    outside.collect()
}

fn last_word(text: &str) -> String {
    let text = text.trim().trim_end_matches('{').trim();
    text.rsplit([' ', ':']).next().unwrap_or(text).to_owned()
}

fn walk(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // What blocks can not be dropped on its way.
        if path.is_dir() && path.file_name().is_some_and(|name| name != "blocking") {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            waiting(&std::fs::read_to_string(path).unwrap(), found);
        }
    }
}

#[test]
fn every_future_of_the_api_is_in_a_table() {
    let mut source = BTreeSet::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut source);
    assert!(source.contains("Hypercore::append") && source.contains("ProtocolStream: Future"));
    let tables = crate::tables();
    let covered: BTreeSet<&str> = tables.iter().flat_map(|case| case.covers).copied().collect();
    let elsewhere = ELSEWHERE.map(|(name, _)| name);
    let missing: Vec<&String> = source
        .iter()
        .filter(|name| !covered.contains(name.as_str()) && !elsewhere.contains(&name.as_str()))
        .collect();
    assert!(missing.is_empty(), "dropped by no test: {missing:#?}");
    let unknown: Vec<&&str> = covered.iter().filter(|name| !source.contains(**name)).collect();
    assert!(unknown.is_empty(), "not in the source: {unknown:#?}");
}

#[test]
fn what_waits_is_found() {
    let mut found = BTreeSet::new();
    let text = "impl<C: Codec> Typed<C> {\n    pub async fn get(&self) {}\n}\n\
                impl<B: AsRef<[u8]>> Sink<B> for WriteSink<B> {\n}\n\
                impl fmt::Debug for X {\n}\nimpl futures_core::Stream for Events {\n";
    waiting(text, &mut found);
    let expected = ["Events: Stream", "Typed::get", "WriteSink: Sink"];
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}
