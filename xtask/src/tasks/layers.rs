//! `layers`: the walls of `docs/architecture.md`, read from `cargo metadata`.
//!
//! A crate has a row here or the check fails, so a new crate cannot be added
//! without saying what it may know. Development dependencies may reach the
//! storage backends and the simulator as well: tests need somewhere to write.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::report::{Figures, Outcome, fail_on};
use crate::tree;

use Outside::{Crypto, Entropy, Runtime, System};

/// What one crate may know.
struct Row {
    name: &'static str,
    /// Crates of this workspace that it may name.
    workspace: &'static [&'static str],
    /// Kinds of outside crates that it may name although they are walled off.
    outside: &'static [Outside],
}

/// Kinds of outside crates that most of the workspace must not name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outside {
    /// Executors and what only makes sense on one.
    Runtime,
    /// Files, sockets, memory maps, system calls.
    System,
    /// Sources of randomness and of time.
    Entropy,
    /// Hashes, ciphers, signatures.
    Crypto,
}

const OUTSIDE: [(Outside, &[&str]); 4] = [
    (
        Runtime,
        &[
            "tokio",
            "tokio-util",
            "tokio-stream",
            "async-io",
            "async-std",
            "smol",
            "futures-executor",
        ],
    ),
    (
        System,
        &[
            "rustix",
            "nix",
            "libc",
            "memmap2",
            "mio",
            "socket2",
            "fs4",
            "tempfile",
            "winapi",
            "windows-sys",
        ],
    ),
    (
        Entropy,
        &["getrandom", "rand", "rand_core", "rand_chacha", "fastrand", "chrono", "time", "jiff"],
    ),
    (
        Crypto,
        &[
            "blake2",
            "blake2b_simd",
            "blake3",
            "chacha20",
            "chacha20poly1305",
            "crypto_secretstream",
            "curve25519-dalek",
            "digest",
            "ed25519",
            "ed25519-dalek",
            "hmac",
            "md-5",
            "poly1305",
            "ring",
            "rustls",
            "salsa20",
            "sha1",
            "sha2",
            "sha3",
            "signature",
            "snow",
            "x25519-dalek",
            "xsalsa20poly1305",
        ],
    ),
];

/// What any crate may name in its development dependencies besides its row.
const TEST_SUPPORT: [&str; 4] =
    ["random-access-disk", "random-access-memory", "random-access-storage", "sim"];

const ROWS: &[Row] = &[
    // 0 storage
    Row { name: "random-access-storage", workspace: &[], outside: &[] },
    Row { name: "memory-pager", workspace: &[], outside: &[] },
    Row {
        name: "random-access-memory",
        workspace: &["random-access-storage", "memory-pager"],
        outside: &[],
    },
    Row { name: "random-access-disk", workspace: &["random-access-storage"], outside: &[System] },
    Row { name: "mappedpages", workspace: &[], outside: &[Runtime, System] },
    Row {
        name: "random-access-pages",
        workspace: &["random-access-storage", "mappedpages"],
        outside: &[],
    },
    Row { name: "paged-derive", workspace: &[], outside: &[] },
    Row { name: "paged", workspace: &["paged-derive"], outside: &[System] },
    // 1 pure
    Row { name: "flat-tree", workspace: &[], outside: &[] },
    Row { name: "compact-encoding", workspace: &[], outside: &[] },
    Row { name: "hypercore-crypto", workspace: &["compact-encoding"], outside: &[Crypto] },
    Row {
        name: "hypercore-merkle",
        workspace: &["compact-encoding", "flat-tree", "hypercore-crypto"],
        outside: &[],
    },
    // 2 log, synchronous
    Row {
        name: "hypercore-log",
        workspace: &[
            "compact-encoding",
            "flat-tree",
            "hypercore-crypto",
            "hypercore-merkle",
            "random-access-storage",
        ],
        outside: &[],
    },
    Row {
        name: "sleep",
        workspace: &["flat-tree", "hypercore-crypto", "random-access-storage"],
        outside: &[],
    },
    // 3 network, sans-I/O
    Row { name: "secret-stream", workspace: &["compact-encoding"], outside: &[Crypto] },
    Row { name: "protomux", workspace: &["compact-encoding"], outside: &[] },
    Row {
        name: "hypercore-replication",
        workspace: &[
            "compact-encoding",
            "flat-tree",
            "hypercore-crypto",
            "hypercore-merkle",
            "hypercore-log",
            "protomux",
        ],
        outside: &[],
    },
    // 4 facade
    Row {
        name: "hypercore",
        workspace: &[
            "compact-encoding",
            "flat-tree",
            "hypercore-crypto",
            "hypercore-merkle",
            "hypercore-log",
            "memory-pager",
            "hypercore-replication",
            "protomux",
            "secret-stream",
            "random-access-storage",
            "random-access-memory",
            "random-access-disk",
            "paged",
        ],
        outside: &[Runtime, Entropy],
    },
    // 5 tools. The command prints SHA-256 of blocks, which no lower crate knows.
    Row {
        name: "hypercore-cli",
        workspace: &["hypercore", "random-access-disk", "sleep"],
        outside: &[Runtime, Entropy, System, Crypto],
    },
    Row {
        name: "interop-driver",
        workspace: &[
            "flat-tree",
            "hypercore",
            "hypercore-crypto",
            "hypercore-log",
            "random-access-disk",
            "random-access-storage",
            "sleep",
        ],
        outside: &[Runtime, Crypto],
    },
    Row { name: "xtask", workspace: &[], outside: &[] },
    Row { name: "sim", workspace: &["*"], outside: &[Runtime, System, Entropy, Crypto] },
];

/// Checks direct edges of every crate, then what the runtime wall lets through.
pub(crate) fn run() -> Outcome {
    let metadata = tree::metadata(&["--locked"])?;
    let members: BTreeSet<&str> = strings(&metadata["workspace_members"]).collect();
    let packages: Vec<&Value> = array(&metadata["packages"])
        .filter(|package| package["id"].as_str().is_some_and(|id| members.contains(id)))
        .collect();
    let names: BTreeSet<&str> =
        packages.iter().filter_map(|package| package["name"].as_str()).collect();

    let mut problems = Vec::new();
    let mut edges = 0_usize;
    let mut outside_edges = 0_usize;
    for package in &packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(row) = ROWS.iter().find(|row| row.name == name) else {
            problems.push(format!("{name} has no row in xtask/src/tasks/layers.rs"));
            continue;
        };
        for dependency in array(&package["dependencies"]) {
            let wanted = dependency["name"].as_str().unwrap_or_default();
            let is_dev = dependency["kind"].as_str() == Some("dev");
            if names.contains(wanted) {
                edges += 1;
                if !may_name(row, wanted, is_dev) {
                    problems.push(format!("{name} must not know {wanted}"));
                }
            } else {
                outside_edges += 1;
                let wall = kind_of(wanted).filter(|kind| !is_dev && !row.outside.contains(kind));
                if let Some(kind) = wall {
                    problems.push(format!("{name} must not name {wanted} ({kind:?})"));
                }
            }
        }
    }
    problems.extend(runtime_leaks(&metadata, &packages));
    fail_on(&problems, "edges through a wall")?;
    Ok(Figures::new(format!(
        "{} crates, {edges} edges inside and {outside_edges} outside, all allowed",
        packages.len()
    )))
}

fn may_name(row: &Row, wanted: &str, is_dev: bool) -> bool {
    // The example of a macro needs the crate that it writes for.
    let is_its_macro = row.name.strip_suffix("-derive") == Some(wanted);
    row.workspace.contains(&wanted)
        || row.workspace.contains(&"*")
        || (is_dev && (wanted == row.name || is_its_macro || TEST_SUPPORT.contains(&wanted)))
}

fn kind_of(name: &str) -> Option<Outside> {
    OUTSIDE.iter().find(|(_, names)| names.contains(&name)).map(|(kind, _)| *kind)
}

/// Crates without the right to a runtime that reach one through what they name.
fn runtime_leaks(metadata: &Value, packages: &[&Value]) -> Vec<String> {
    let name_of: BTreeMap<&str, &str> = array(&metadata["packages"])
        .filter_map(|package| Some((package["id"].as_str()?, package["name"].as_str()?)))
        .collect();
    let ships: BTreeMap<&str, Vec<&str>> = array(&metadata["resolve"]["nodes"])
        .filter_map(|node| {
            let shipped = array(&node["deps"]).filter(|dep| {
                array(&dep["dep_kinds"]).any(|kind| kind["kind"].as_str() != Some("dev"))
            });
            Some((node["id"].as_str()?, shipped.filter_map(|dep| dep["pkg"].as_str()).collect()))
        })
        .collect();

    let mut problems = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(id) = package["id"].as_str() else { continue };
        if ROWS.iter().any(|row| row.name == name && row.outside.contains(&Runtime)) {
            continue;
        }
        let mut seen = BTreeSet::from([id]);
        let mut open = vec![id];
        while let Some(next) = open.pop() {
            for dep in ships.get(next).into_iter().flatten() {
                if seen.insert(dep) {
                    open.push(dep);
                }
            }
        }
        for runtime in seen.iter().filter_map(|id| name_of.get(id)) {
            if kind_of(runtime) == Some(Runtime) {
                problems.push(format!("{name} reaches {runtime} through what it names"));
            }
        }
    }
    problems
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    array(value).filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str) -> &'static Row {
        ROWS.iter().find(|row| row.name == name).unwrap()
    }

    #[test]
    fn tests_may_reach_a_backend_and_the_product_may_not() {
        assert!(may_name(row("hypercore-log"), "random-access-disk", true));
        assert!(!may_name(row("hypercore-log"), "random-access-disk", false));
        assert!(!may_name(row("hypercore"), "sim", false));
        assert!(may_name(row("random-access-storage"), "random-access-storage", true));
    }

    #[test]
    fn nothing_points_up() {
        assert!(!may_name(row("hypercore-merkle"), "hypercore-log", true));
        assert!(!may_name(row("flat-tree"), "compact-encoding", true));
        // The rows are in the order of the layers, so an edge can only go to an earlier one.
        for (at, row) in ROWS.iter().enumerate().filter(|(_, row)| row.name != "sim") {
            let earlier = |name| ROWS[..at].iter().any(|row| row.name == name);
            assert!(row.workspace.iter().all(|name| earlier(*name)), "{}", row.name);
        }
    }

    #[test]
    fn outside_crates_have_their_wall() {
        assert_eq!(kind_of("tokio"), Some(Runtime));
        assert_eq!(kind_of("blake2b_simd"), Some(Crypto));
        assert_eq!(kind_of("thiserror"), None);
        assert!(!row("hypercore-merkle").outside.contains(&Crypto));
    }
}
