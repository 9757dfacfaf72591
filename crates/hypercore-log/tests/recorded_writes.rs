//! Replaying the operations of JavaScript Hypercore 10 gives its files, byte for byte, after each one.
//!
//! For this the log imitates the rhythm in which version 10 writes headers (formats.md section 10); what is
//! written is the same code as always.

mod support;

use compact_encoding::{Decode as _, Decoder};
use hypercore_crypto::{BlockEncryption as _, DefaultEncryption};
use hypercore_crypto::{CoreKey, KeyPair, Manifest};
use hypercore_log::{Create, Log, OpenOptions};
use hypercore_merkle::{Data, Proof};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use support::fixture::{Fixture, hex};
use support::{Disk, FILES};

/// Written by an old release, or from a prologue: recorded for information.
const NOT_COMPARED: [&str; 3] = ["legacy-header", "legacy-reader-empty", "prologue"];

fn array<const N: usize>(value: &Value) -> [u8; N] {
    hex(value.as_str().expect("hex")).try_into().expect("the right length")
}

fn proof(value: &Value) -> Proof {
    let bytes = hex(value.as_str().expect("hex"));
    Data::decode(&mut Decoder::new(&bytes)).expect("a data message").proof
}

fn create_options(op: &Value) -> OpenOptions {
    let options = OpenOptions::new().create(Create::New).imitate_version_10();
    if !op["key"].is_null() {
        return options.key(CoreKey::from_bytes(array(&op["key"])));
    }
    let options = options.key_pair(KeyPair::from_seed(&array(&op["seed"])));
    match op["manifest"].as_str() {
        Some(manifest) => {
            let bytes = hex(manifest);
            options.manifest(Manifest::decode(&mut Decoder::new(&bytes)).expect("a manifest"))
        }
        None => options.compat(op["compat"] != false),
    }
}

/// One core being written; closed between `close` and `open`.
struct Writer {
    disk: Disk,
    log: Option<Log>,
    encryption: Option<DefaultEncryption>,
}

impl Writer {
    fn log(&self) -> &Log {
        self.log.as_ref().expect("an open log")
    }

    fn append(&self, op: &Value) {
        let blocks = op["blocks"].as_array().expect("blocks");
        let blocks: Vec<Vec<u8>> =
            blocks.iter().map(|block| hex(block.as_str().expect("hex"))).collect();
        match &self.encryption {
            None => self.log().append(&blocks),
            Some(encryption) => self.log().append_with(|head| {
                let blocks = (head.length..).zip(&blocks);
                blocks.map(|(index, block)| encryption.encrypt(index, head.fork, block)).collect()
            }),
        }
        .expect("an append");
    }

    fn run(&mut self, op: &Value) {
        let number = |name: &str| op[name].as_u64().expect("a number");
        match op["op"].as_str().expect("an operation") {
            "create" => {
                let log = Log::open(self.disk.stores(), create_options(op)).expect("a new core");
                if !op["encryption_key"].is_null() {
                    let key = array(&op["encryption_key"]);
                    self.encryption =
                        Some(DefaultEncryption::new(&log.key(), log.is_compat(), &key));
                }
                self.log = Some(log);
            }
            "open" => {
                let options = OpenOptions::new().imitate_version_10();
                self.log = Some(Log::open(self.disk.stores(), options).expect("a stored core"));
            }
            "close" => self.log = None,
            "flush" => self.log().checkpoint().expect("a checkpoint"),
            "append" => self.append(op),
            "truncate" => {
                self.log().truncate(number("length"), Some(number("fork"))).expect("a truncation");
            }
            "clear" => {
                self.log().clear(number("start")..number("end")).expect("a clear");
            }
            "user_data" => {
                let value = op["value"].as_str().map(hex);
                let key = op["key"].as_str().expect("a key");
                self.log().set_user_data(key, value.as_deref()).expect("user data");
            }
            "apply_proof" => {
                let result = self.log().apply_proof(&proof(&op["data"]));
                assert_eq!(result.is_ok(), op["applied"] == true, "{result:?}");
            }
            "reorg" => {
                let log = self.log();
                let mut reorg = log.start_reorganisation(&proof(&op["upgrade"])).expect("a reorg");
                for answer in op["hashes"].as_array().expect("answers") {
                    log.feed_reorganisation(&mut reorg, &proof(answer)).expect("an answer");
                }
                log.apply_reorganisation(reorg).expect("a complete reorg");
            }
            other => panic!("no operation {other}"),
        }
    }
}

/// What a crash in the middle of a flush, or entries made by hand, need is not an operation of a log.
fn is_operation(op: &Value) -> bool {
    let name = op["op"].as_str().expect("an operation");
    !name.starts_with("crash") && name != "oplog_append"
}

#[test]
fn give_the_same_files() {
    let (mut fixtures, mut operations) = (0, 0);
    for fixture in Fixture::all() {
        let name = &fixture.name;
        if NOT_COMPARED.contains(&name.as_str()) {
            continue;
        }
        let mut writer = Writer { disk: Disk::new(), log: None, encryption: None };
        let ops = fixture.recorded["writer_ops"].as_array().expect("operations");
        for (step, op) in ops.iter().enumerate().take_while(|(_, op)| is_operation(op)) {
            if name == "user-data" && op["value"] == "" {
                break;
            }
            writer.run(op);
            for file in FILES {
                let recorded = &op["files"][file.as_str()];
                let bytes = writer.disk.bytes(file);
                let message = format!("{name}, step {step} ({}): {file}", op["op"]);
                assert_eq!(
                    bytes.len() as u64,
                    recorded["bytes"].as_u64().unwrap_or(0),
                    "{message}"
                );
                if let Some(sha256) = recorded["sha256"].as_str() {
                    let digest = Sha256::digest(&bytes);
                    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                    assert_eq!(digest, sha256, "{message}");
                }
            }
            operations += 1;
        }
        fixtures += 1;
    }
    println!("{fixtures} directories, {operations} operations");
    assert!(fixtures >= 36 && operations >= 150, "{fixtures} directories, {operations} operations");
}
