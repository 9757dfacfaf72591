//! Writes the seeds of the corpora anew: `cargo run --example seeds`.
//!
//! They come from the fixtures of the crates and from the core of `src/lib.rs`.

use std::path::Path;

use compact_encoding::Encode;
use hypercore_crypto::id;
use hypercore_fuzz::{
    LENGTH, StreamSide, block, container, contents, core, framed, manifests, nodes, recorded,
    recorded_oplog, signatures, sources,
};
use hypercore_merkle::{BlockRequest, Data, HashRequest, Request, SeekRequest, UpgradeRequest};
use hypercore_replication::StandaloneProof;
use secret_stream::Role;
use serde_json::Value;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Seeds of one target, which get numbers in order.
fn write(target: &str, seeds: impl IntoIterator<Item = Vec<u8>>) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    std::fs::create_dir_all(&folder)?;
    let mut count = 0;
    for seed in seeds {
        std::fs::write(folder.join(format!("seed-{count:03}")), seed)?;
        count += 1;
    }
    println!("{target}: {count} seeds");
    Ok(())
}

fn fixture(path: &str) -> Result<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates").join(path);
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

fn unhex(digits: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("fixtures are hexadecimal");
    (0..digits.len() / 2).map(|at| pair(2 * at)).collect()
}

/// Bytes that look random and are the same in every run.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[4]
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// Seeds of the targets that read decisions: `first` ones, then noise.
fn scripts(first: &[&[u8]], count: u64, len: usize) -> Vec<Vec<u8>> {
    let noise = (0..count).map(|seed| noise(seed + 1, len));
    first.iter().map(|script| script.to_vec()).chain(noise).collect()
}

/// What stores hold, each behind the number of the decoder that reads it.
fn stored() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for files in recorded() {
        for (number, content) in contents(&files[0]).enumerate().take(9) {
            seeds.push([&[u8::from(number > 1)], &content[..]].concat());
        }
        if files[1].len() < 5000 {
            seeds.push([&[0], &files[1][..]].concat());
        }
    }
    let own = recorded_oplog();
    seeds.push([&[2], &own[8192..]].concat());
    seeds.push([&[3], &framed(own)[..]].concat());
    let nodes = recorded()[0][2].chunks(40).take(8);
    seeds.push(nodes.fold(vec![4], |seed, node| [&seed, node, &[9]].concat()));
    // This failed once: a file that ends inside a word, and a bit set behind it.
    seeds.push([&[41, 10, 10, 255][..], &[236; 72], &[255]].concat());
    // The length of a file, from two numbers, and 64 bytes that repeat in it; then ranges.
    let pages: [&[u8]; 3] = [&[0; 64], &[0xff; 64], &[0x11; 64]];
    for (number, page) in pages.into_iter().enumerate() {
        let ranges = noise(number as u64 + 40, 150);
        seeds.push([&[5, 0x10, 0x20, 0x10, 0x20], page, &ranges].concat());
    }
    seeds
}

fn requests() -> Vec<Request> {
    let upgrade = Some(UpgradeRequest { start: 0, length: LENGTH });
    let hash = |index: u64| Some(HashRequest { index: index.into(), nodes: 0 });
    let seek = Some(SeekRequest { bytes: 77, padding: 0 });
    let late = Some(SeekRequest { bytes: 110, padding: 0 });
    let block = |index, nodes| Some(BlockRequest { index, nodes });
    let part = Some(UpgradeRequest { start: 0, length: 6 });
    let plain = Request::default();
    vec![
        Request { upgrade, manifest: true, ..plain },
        Request { block: block(7, 0), upgrade, manifest: true, ..plain },
        Request { block: block(2, 0), upgrade: part, manifest: true, ..plain },
        Request { block: block(2, 0), ..plain },
        Request { block: block(7, 3), ..plain },
        Request { block: block(12, 0), ..plain },
        Request { hash: hash(3), upgrade, manifest: true, ..plain },
        Request { hash: hash(9), ..plain },
        Request { hash: hash(11), seek, ..plain },
        Request { seek, upgrade, manifest: true, ..plain },
        Request { block: block(7, 0), seek: late, id: 300, ..plain },
    ]
}

/// What the recorded remotes wrote to JavaScript's multiplexer, with an owner that opens before or after.
fn protomux_scripts() -> Result<Vec<Vec<u8>>> {
    let recorded = fixture("protomux/tests/fixtures/protomux.json")?;
    let mut seeds = Vec::new();
    for case in recorded["reactions"].as_array().into_iter().flatten() {
        let mut seed = vec![0];
        for step in case["steps"].as_array().into_iter().flatten() {
            match step["receives"].as_str().map(unhex) {
                Some(frame) => {
                    let frame = frame.get(..255).unwrap_or(&frame);
                    seed.extend([15, u8::try_from(frame.len())?]);
                    seed.extend(frame);
                }
                None => seed.extend([0, 4, 3, 5, 2, 6]),
            }
        }
        seeds.push(seed);
    }
    Ok(seeds)
}

/// Peers that follow the protocol, to a reader and to a writer; then noise.
fn replication_scripts() -> Vec<Vec<u8>> {
    let run = [0, 4];
    // What a peer says: sync with all flags of an uploader and of this fork, range from 0, want, request, data.
    let sync = |peer, fork: u8, length| [peer, 7, 0, length, fork << 6 | 1, 1];
    let range = |peer, length| [peer, 7, 0, length, 0, 11];
    let answer = |peer, source| [peer, 7, 0, 0, 0, 13, source, 1, 0];
    let answers = |count: usize, source| [&answer(0, source)[..], &run].concat().repeat(count);
    let wish = [0, 3, 13, 1];

    let download = [&[1, 0, 0], &sync(0, 0, 13)[..], &range(0, 13), &wish, &run].concat();
    let download = [download, answers(16, 0)].concat();
    let fork = [&sync(0, 1, 13)[..], &run].concat();
    let fork = [&download[..], &fork, &answers(6, 2), &range(0, 13), &wish, &run].concat();
    let fork = [fork, answers(12, 2)].concat();
    let acknowledged = [1, 7, 13, 18, 1 << 6 | 1, 1];
    let conflict = [&acknowledged[..], &run, &answer(1, 3), &run, &answer(1, 3), &run].concat();
    let conflict = [&fork[..], &conflict].concat();
    let spoiled = [&[2, 0, 1], &sync(0, 0, 13)[..], &range(0, 13), &wish, &run].concat();
    let spoiled = [&spoiled[..], &[0, 7, 0, 0, 0, 13, 0, 1, 2, 9, 9, 9, 9, 9, 9], &run].concat();

    let ask = |id, priority| [0, 7, id, 0, priority, 3, 1, id, 0, 0];
    let upgrade = [0, 7, 9, 0, 0, 3, 24, 0, 0, 13];
    let serve = [&[0, 0, 0], &sync(0, 0, 0)[..], &run, &upgrade, &ask(1, 0), &ask(2, 1)].concat();
    let want = [0, 7, 0, 32, 0, 8];
    let change =
        [&[0, 2, 0, 1, 2, 3], &run[..], &[0, 2, 2, 5], &run, &[0, 2, 3, 1, 2], &run].concat();
    let serve = [&serve[..], &want, &run, &change, &want, &run].concat();
    scripts(&[&download, &fork, &conflict, &spoiled, &serve], 12, 400)
}

/// Proofs that stand alone: those that JavaScript made, one of each source as bytes, and honest ones to be spoiled.
fn standalone() -> Result<Vec<Vec<u8>>> {
    let recorded = fixture("hypercore-replication/tests/fixtures/proofs.json")?;
    let recorded = recorded["standalone"].as_array().into_iter().flatten();
    let mut seeds: Vec<_> = recorded.filter_map(|case| case["hex"].as_str()).map(unhex).collect();
    for source in sources() {
        seeds.extend(StandaloneProof::create(&source.log, Some(2))?.map(|proof| proof.to_vec()));
    }
    for seed in &mut seeds {
        seed.insert(0, 1);
    }
    let honest: [&[u8]; 3] = [&[0, 0, 0, 20, 0, 0, 20], &[0, 1, 0, 3, 0, 0, 5], &[0, 4, 0, 9]];
    let spoiled = scripts(&[], 9, 40).into_iter().map(|script| [&[0], &script[..]].concat());
    seeds.extend(honest.map(<[u8]>::to_vec).into_iter().chain(spoiled));
    Ok(seeds)
}

fn main() -> Result<()> {
    let codecs = fixture("compact-encoding/tests/fixtures/compact_encoding.json")?;
    let values = codecs["values"].as_array().into_iter().flatten().step_by(9);
    let errors = codecs["errors"].as_array().into_iter().flatten();
    let codecs = values.chain(errors).filter_map(|case| case["hex"].as_str());
    write("compact_encoding_decode", codecs.filter(|hex| hex.len() < 400).map(unhex))?;

    let numbers = [(0, 0), (7, 19), (u64::MAX, 1), (1 << 63, u64::MAX - 1), (19, 1 << 53)];
    let numbers =
        numbers.map(|(a, b): (u64, u64)| [&a.to_le_bytes()[..], &b.to_le_bytes(), &[9]].concat());
    write("flat_tree_index", numbers)?;

    let key = *core().key.as_bytes();
    let text = id::encode(&key);
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let link = format!("hypercore://{text}/path");
    let others = ["64k", "18446744073709551615", "3..", "..7", "5..9", "1GiB", "00fFA0"];
    let texts = [text, hex, link].into_iter().chain(others.map(str::to_owned));
    write("text_parse", texts.map(String::into_bytes))?;

    // Index, fork and key id, then the block: too short, plain, with a key that is known and one that is not.
    let padding: [&[u8]; 4] =
        [&[1, 2], &[0; 8], &[1, 7, 8, 9, 3, 0, 0, 0], &[1, 7, 8, 9, 4, 1, 0, 0]];
    let blocks = padding.map(|padding| [&[5, 0, 3], padding, &padding[2..]].concat());
    write("encryption_decrypt", blocks)?;

    // The container itself, and edits of it: a place in two bytes, then what it becomes.
    let edits: [&[u8]; 3] = [&[], &[65, 0, 200], &[70, 0, 9, 90, 4, 1, 97, 0, 5]];
    write("paged_container_open", edits.map(<[u8]>::to_vec).into_iter().chain([container()]))?;
    // Length and offset of pages; heap; section; the entry that is looked for.
    let handles: [[u8; 7]; 3] =
        [[64, 64, 10, 8, 0, 20, 3], [64, 64, 10, 8, 0, 199, 19], [7, 1, 0, 99, 3, 40, 5]];
    let handles = handles.map(|handles| [&handles[..], &[0; 17], &container()].concat());
    write("paged_decode", handles)?;

    write("storage_decode", stored())?;
    let directories: [&[u8]; 6] = [
        &[0, 0, 0],
        &[1, 0, 0],
        &[2, 0, 0],
        &[3, 0, 0],
        // These failed once: an entry of a large batch twice, and a data file that was cut.
        b"\x02\xfe\xff\xfc\xa4\xfe\xff\xfc",
        b"\xf4\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0\x04\xf4\xc4\xfe\0\xfe\0\xf4\xc4",
    ];
    write("directory_open", scripts(&directories, 20, 60))?;
    write("log_model", scripts(&[], 8, 160))?;
    let upgrades: [&[u8]; 3] = [&[0, 0, 25, 4, 0, 13], &[1, 0, 9, 7, 0, 7], &[2, 0, 1, 5, 3, 0]];
    write("merkle_proof_mutate", scripts(&upgrades, 12, 60))?;
    write("reorg_feed", scripts(&upgrades, 12, 80))?;

    let recorded = fixture("hypercore-crypto/tests/fixtures/manifest.json")?;
    let recorded = recorded["manifests"].as_array().into_iter().flatten();
    let recorded = recorded.filter_map(|case| case["encoded"].as_str()).map(unhex);
    write("manifest_decode", recorded.chain(manifests().iter().map(|(m, _)| m.to_vec())))?;

    // The state, then pieces: twice their length, and one more where the length goes in front.
    let mut frames = vec![vec![0, 6, 255, 255, 255], vec![3, 35, 17, 0, 0], vec![2, 113]];
    frames[2].extend([0; 56]);
    for state in 0..5 {
        frames.push(
            [&[state, 65], StreamSide::new(Role::Initiator).output.get(3..).unwrap_or(&[])]
                .concat(),
        );
        frames.push(
            [&[state, 113], &StreamSide::after_handshake(Role::Initiator).output[3..]].concat(),
        );
    }
    write("secret_stream_receive", frames.into_iter().chain(scripts(&[], 8, 300)))?;
    let conversations: [&[u8]; 4] = [
        &[0, 3, 100, 0, 0, 0, 9, 1],
        &[1, 7, 0, 2],
        &[1, 2, 50, 0, 60, 0, 1, 0, 70, 0],
        &[1, 1, 9, 0, 1, 2, 3],
    ];
    write("secret_stream_mutate", scripts(&conversations, 12, 60))?;

    write("signature_verify", signatures())?;

    let recorded =
        ["legacy-header", "manifest-v0", "prologue", "reader-partial", "unflushed-reorg"];
    let recorded = recorded.map(|name| {
        let path = format!("../crates/hypercore-log/tests/fixtures/storage-v10/{name}/oplog");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        Ok(framed(&std::fs::read(path)?))
    });
    let recorded = recorded.into_iter().collect::<Result<Vec<_>>>()?;
    let own = recorded_oplog();
    let raw = [&[0], own].concat();
    write("oplog_open", [raw, framed(own)].into_iter().chain(recorded))?;

    // Each recorded file as it is, and after a number of edits.
    let files: Vec<[u8; 2]> = (0..8).map(|file| [file, 0]).collect();
    let files: Vec<&[u8]> = files.iter().map(|file| &file[..]).collect();
    write("mappedpages_open", scripts(&files, 24, 40))?;
    // Each recorded feed as it is, one that its author signed anew, and edits.
    let feeds: [&[u8]; 5] = [&[0], &[1], &[2], &[3], &[0, 0, 3, 0, 12]];
    write("sleep_open", scripts(&feeds, 12, 40))?;
    write("protomux_frames", protomux_scripts()?)?;
    write("replication_messages", replication_scripts())?;
    write("standalone_verify", standalone()?)?;

    let answers = requests().into_iter().map(|request| {
        let core = core();
        let manifest = Some(&core.manifest);
        let mut proof = core.tree.prove(nodes(), &request, Some(&core.signature), manifest)?;
        if let Some(part) = &mut proof.block {
            part.value = block(part.index).into();
        }
        Ok(Data { request_id: request.id, proof }.to_vec())
    });
    let answers = answers.collect::<Result<Vec<_>>>()?;
    write("merkle_proof_verify", answers.clone())?;
    let requests = requests().into_iter().map(|request| request.to_vec());
    write("merkle_message_decode", requests.chain(answers))?;
    Ok(())
}
