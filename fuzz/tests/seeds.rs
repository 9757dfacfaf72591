//! The seeds reach what they are for: targets that only ever see refused input test little.

use std::path::Path;

use compact_encoding::Decode;
use hypercore_fuzz::{
    Conversation, Disk, Memory, Model, Script, SleepDisk, check, check_feed, core, edited,
    edited_feed, edited_pages, extend_feed, framed, manifests, oplog_file, reader, readers,
    recorded, recorded_feeds, recorded_oplog, recorded_pages, repair_feed, request, signatures,
    sources, use_pages,
};
use hypercore_log::Access;
use hypercore_merkle::{Authority, Data, Tree};
use hypercore_replication::StandaloneProof;

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with("seed-"));
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn answers_are_accepted_by_one_of_the_readers() {
    let core = core();
    let authority = Authority { key: &core.key, manifest: None };
    let known = Authority { key: &core.key, manifest: Some(&core.manifest) };
    let (tree, stored) = reader();
    let seeds = seeds("merkle_proof_verify");
    assert_eq!(seeds.len(), 11);
    let (mut new, mut old) = (0, 0);
    for seed in seeds {
        let data = Data::from_slice(&seed).unwrap();
        new += u32::from(Tree::empty(0).verify(&stored_nothing(), &data.proof, &authority).is_ok());
        old += u32::from(tree.verify(stored, &data.proof, &known).is_ok());
    }
    assert!(new >= 3 && old >= 3, "{new} and {old} accepted");
}

fn stored_nothing() -> std::collections::HashMap<flat_tree::Index, hypercore_merkle::Node> {
    std::collections::HashMap::new()
}

#[test]
fn signatures_are_valid_under_their_manifests() {
    let stored = seeds("signature_verify");
    assert_eq!(stored, signatures());
    for ((manifest, key), signature) in manifests().iter().zip(stored) {
        assert_eq!(manifest.verify(key, &core().tree, &signature), Ok(()));
    }
}

#[test]
fn frames_stand_for_the_file_they_came_from() {
    let own = recorded_oplog();
    assert_eq!(oplog_file(&framed(own)), own);
    assert_eq!(oplog_file(&[&[0], own].concat()), own);
    assert_eq!(seeds("oplog_open").len(), 7);
}

#[test]
fn recorded_directories_are_sound() {
    for (files, length) in recorded().iter().zip([10, 13, 313, 13]) {
        let log = Disk::with(files).open(Access::ReadWrite).unwrap();
        assert_eq!((log.length(), log.recovery().lost_something()), (length, false));
        check(&log);
    }
}

#[test]
fn edited_directories_open_now_and_then() {
    let seeds = seeds("directory_open");
    let opened = seeds.iter().filter(|seed| {
        let disk = Disk::with(&edited(&mut Script::new(seed)));
        disk.open(Access::ReadOnly).map(|log| check(&log)).is_ok()
    });
    let opened = opened.count();
    assert!(opened >= 8 && opened < seeds.len(), "{opened} of {}", seeds.len());
}

#[test]
fn scripts_of_the_model_do_something() {
    let seeds = seeds("log_model");
    assert!(seeds.len() >= 6);
    for seed in seeds {
        let mut script = Script::new(&seed);
        let mut model = Model::default();
        while !script.is_empty() {
            model.step(&mut script);
        }
        model.end();
        assert!(model.operations() > 3);
    }
}

#[test]
fn recorded_page_files_are_sound() {
    for file in recorded_pages() {
        let memory = Memory::with(file);
        let mut pager = memory.open().unwrap();
        assert!(pager.check().unwrap().is_clean());
        use_pages(&memory, pager);
    }
}

/// Those whose checksums were put right get past them now and then.
#[test]
fn edited_page_files_open_now_and_then() {
    let seeds = seeds("mappedpages_open");
    let opened = seeds.iter().filter(|seed| {
        let memory = Memory::with(&edited_pages(&mut Script::new(seed)));
        memory.open().map(|pager| use_pages(&memory, pager)).is_ok()
    });
    let opened = opened.count();
    assert!(opened >= 8 && opened < seeds.len(), "{opened} of {}", seeds.len());
}

#[test]
fn recorded_feeds_are_sound() {
    for (files, length) in recorded_feeds().iter().zip([13, 13, 13, 0]) {
        let disk = SleepDisk::with(files);
        let feed = disk.open(sleep::Access::Read, false).unwrap();
        assert_eq!((feed.length(), feed.recovery().is_clean()), (length, true));
        assert!(feed.audit(&mut |_| ()).unwrap().is_ok());
        check_feed(&feed, false);
        extend_feed(&disk, false);
    }
}

/// Damage is survived, or found; and signatures of what the edits made are there and hold.
#[test]
fn edited_feeds_open_now_and_then() {
    let (mut opened, mut signed, mut repaired) = (0, 0, 0);
    let seeds = seeds("sleep_open");
    for seed in &seeds {
        let mut script = Script::new(seed);
        let edited = edited_feed(&mut script);
        let disk = SleepDisk::with(&edited.files);
        let feed = disk.open(sleep::Access::Read, false);
        opened += usize::from(feed.is_ok());
        signed += usize::from(edited.is_signed);
        repaired += usize::from(feed.is_err());
        if let Ok(feed) = feed {
            check_feed(&feed, edited.is_signed);
        }
        repair_feed(&edited, &mut script);
        extend_feed(&disk, edited.is_signed);
    }
    assert!(opened >= 6 && repaired >= 2, "{opened} opened, {repaired} did not");
    assert!(signed >= 1, "{signed} of {}", seeds.len());
}

/// Who follows the protocol gets the whole log across, then another fork of it; and one who shows a third is found out.
#[test]
fn peers_that_follow_the_protocol_get_somewhere() {
    let seeds = seeds("replication_messages");
    let talk = |seed: usize| {
        let mut script = Script::new(&seeds[seed]);
        let disk = Disk::with(&readers()[script.below(4) - 1]);
        let log = disk.open(Access::ReadWrite).unwrap();
        let mut conversation = Conversation::new(&log, &mut script);
        conversation.go_on(&mut script);
        let conflict = conversation.is_conflict();
        check(&log);
        (log.fork(), log.contiguous_length(), conflict)
    };
    assert_eq!(talk(0), (0, 13, false));
    assert_eq!(talk(1), (1, 13, false));
    assert_eq!(talk(2), (1, 13, true));
    assert_eq!(talk(3).2, false);
}

/// Those of the sources are believed, JavaScript's are of another log.
#[test]
fn proofs_that_stand_alone_are_believed() {
    let key = sources()[0].log.key();
    let seeds = seeds("standalone_verify");
    let written = seeds.iter().filter_map(|seed| seed.strip_prefix(&[1]));
    let proofs = written
        .map(|bytes| StandaloneProof::decode(&bytes.to_vec().into()).unwrap())
        .collect::<Vec<_>>();
    let believed = proofs.iter().filter(|proof| proof.verify(&key, None).is_ok());
    assert_eq!((proofs.len(), believed.count()), (8, 5));
}

#[test]
fn requests_of_the_script_are_answered() {
    for target in ["merkle_proof_mutate", "reorg_feed"] {
        let seeds = seeds(target);
        let answered = seeds.iter().filter(|seed| {
            let request = request(&mut Script::new(seed.get(2..).unwrap_or_default()), 0);
            sources().iter().any(|source| source.answer(&request).is_some())
        });
        assert!(answered.count() >= 4, "{target}");
    }
}
