//! `new` and `info`: the fields that are promised, and the ways to name a log.

mod common;

use common::{SEED, Shell};
use serde_json::Value;

fn is_hex(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[test]
fn info_has_the_promised_fields() {
    let shell = Shell::new();
    shell.log("log", "hello\nworld\n");
    let info = shell.info("log");
    assert_eq!(info["format"], "hypercore-10");
    for field in ["key", "discovery_key", "tree_hash"] {
        assert!(is_hex(&info[field]), "{field}");
    }
    let id = info["id"].as_str().unwrap();
    assert_eq!(id.len(), 52);
    assert!(id.bytes().all(|letter| b"ybndrfg8ejkmcpqxot1uwisza345h769".contains(&letter)));
    assert_eq!(info["writable"], true);
    assert_eq!(info["length"], 2);
    assert_eq!(info["byte_length"], 10);
    assert_eq!(info["contiguous_length"], 2);
    assert_eq!(info["fork"], 0);
    assert_eq!(info["compat"], false);
    let manifest = &info["manifest"];
    assert_eq!((&manifest["version"], &manifest["quorum"]), (&1.into(), &1.into()));
    assert_eq!(manifest["signers"].as_array().unwrap().len(), 1);
    assert!(is_hex(&manifest["signers"][0]["public_key"]));
    assert!(manifest["encoded"].as_str().is_some_and(|hex| hex.starts_with("0100")));
    let storage = &info["storage"];
    let parts = ["oplog", "tree", "bitfield", "data"].map(|part| storage[part].as_u64().unwrap());
    assert_eq!(storage["total"], parts.iter().sum::<u64>());
    assert!(parts.iter().all(|bytes| *bytes > 0));
    assert!(info.get("bytes_freed").is_none());
    let read_only = shell.run(&["info", "log", "--json", "--read-only"]).ok().json();
    assert_eq!(read_only["writable"], false);
    let text = shell.run(&["info", "log"]).ok().text();
    assert!(text.contains(info["key"].as_str().unwrap()) && text.contains(id));
}

#[test]
fn new_prints_the_fields_of_info() {
    let shell = Shell::new();
    let made = shell.run(&["new", "log", "--seed", SEED, "--json"]).ok().json();
    assert_eq!(made["length"], 0);
    let info = shell.info("log");
    for (field, value) in info.as_object().unwrap() {
        if field != "storage" {
            assert_eq!(made[field], *value, "{field}");
        }
    }
}

#[test]
fn a_seed_makes_the_same_log_and_none_makes_another() {
    let shell = Shell::new();
    let key = |args: &[&str]| shell.run(args).ok().json()["key"].as_str().unwrap().to_owned();
    let seeded = key(&["new", "a", "--json", "--seed", SEED]);
    assert_eq!(seeded, key(&["new", "b", "--json", "--seed", SEED]));
    let random = key(&["new", "c", "--json"]);
    assert_ne!(random, seeded);
    assert_ne!(random, key(&["new", "d", "--json"]));
}

#[test]
fn compat_makes_the_public_key_the_key() {
    let shell = Shell::new();
    let info = shell.run(&["new", "log", "--compat", "--seed", SEED, "--json"]).ok().json();
    assert_eq!(info["compat"], true);
    // The Ed25519 public key of 32 bytes of 1.
    assert_eq!(info["key"], "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c");
    assert_eq!(info["key"], info["manifest"]["signers"][0]["public_key"]);
    shell.run_with(&["append", "log"], b"x").ok();
    shell.run(&["verify", "log"]).ok();
}

#[test]
fn new_where_a_log_is_changes_nothing() {
    let shell = Shell::new();
    shell.log("log", "a\n");
    let before = shell.snapshot("log");
    let ran = shell.run(&["new", "log", "--seed", SEED]).exits(1);
    assert!(ran.stderr.contains("already stored"), "{}", ran.stderr);
    assert_eq!(shell.snapshot("log"), before);
}

#[test]
fn a_manifest_says_who_may_sign() {
    let shell = Shell::new();
    let single = shell.run(&["new", "first", "--seed", SEED, "--json"]).ok().json();
    let signer = &single["manifest"]["signers"][0];
    // Version 1, no flags, blake2b, quorum 1, one signer: the default manifest, spelled out.
    let encoded = format!(
        "01000001010{}{}{}",
        "0",
        signer["namespace"].as_str().unwrap(),
        signer["public_key"].as_str().unwrap()
    );
    assert_eq!(single["manifest"]["encoded"], encoded);
    shell.write("manifest.hex", format!("{encoded}\n").as_bytes());
    let raw: Vec<u8> = (0..encoded.len() / 2)
        .map(|byte| u8::from_str_radix(&encoded[2 * byte..2 * byte + 2], 16).unwrap())
        .collect();
    shell.write("manifest.bin", &raw);
    for (dir, file) in [("hex", "manifest.hex"), ("raw", "manifest.bin")] {
        let args = ["new", dir, "--manifest", file, "--seed", SEED, "--json"];
        let info = shell.run(&args).ok().json();
        assert_eq!(info["key"], single["key"]);
        assert_eq!(info["writable"], true);
        shell.run_with(&["append", dir], b"x").ok();
    }
    // Without the seed nobody can sign here.
    let info = shell.run(&["new", "reader", "--manifest", "manifest.hex", "--json"]).ok().json();
    assert_eq!((&info["key"], &info["writable"]), (&single["key"], &false.into()));
    let before = shell.snapshot("reader");
    shell.run_with(&["append", "reader"], b"x").exits(4);
    assert_eq!(shell.snapshot("reader"), before);
    // Another seed is none of the signers: nothing is made.
    shell.run(&["new", "wrong", "--manifest", "manifest.hex", "--seed", &"02".repeat(32)]).exits(1);
    assert!(!shell.path("wrong").exists());
}

#[test]
fn bad_manifests_are_refused_with_a_place() {
    let shell = Shell::new();
    shell.write("short", b"01000001");
    shell.write("junk", b"this is no manifest");
    shell.write("long", &vec![1; 2 * 1024 * 1024]);
    for file in ["short", "junk", "long"] {
        let ran = shell.run(&["new", "log", "--manifest", file]).exits(2);
        assert!(ran.stderr.contains("is no manifest"), "{}", ran.stderr);
    }
    shell.run(&["new", "log", "--manifest", "none"]).exits(1);
    assert!(!shell.path("log").exists());
}

#[test]
fn mistyped_secrets_are_not_repeated() {
    let shell = Shell::new();
    let nearly = "5a".repeat(31);
    for option in ["--seed", "--encryption-key"] {
        for json in [false, true] {
            let mut args = vec!["new", "log", option, &nearly];
            args.extend(json.then_some("--json"));
            let ran = shell.run(&args).exits(2);
            assert!(ran.stderr.contains(option) && ran.stderr.contains("not 62"), "{}", ran.stderr);
            assert!(!ran.stderr.contains("5a5a"), "{}", ran.stderr);
        }
    }
    assert!(!shell.path("log").exists());
}
