//! Damaged feeds: what commands say of them, that nothing is changed unasked, and what `verify --repair` brings back.

mod common;
#[path = "../../sleep/tests/common/damage.rs"]
mod damage;

use common::Shell;
use common::feeds::golden;
use serde_json::Value;

/// A copy of a feed of ten blocks, in `feed`, after something happened to one of its files.
fn damaged(file: &str, change: impl FnOnce(&mut Vec<u8>)) -> Shell {
    let shell = Shell::new();
    golden("v9-len10").copy(&shell, "feed");
    let path = shell.path("feed").join(file);
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
    shell
}

fn without(files: &[&str]) -> Shell {
    let shell = Shell::new();
    golden("v9-len10").copy(&shell, "feed");
    for file in files {
        std::fs::remove_file(shell.path("feed").join(file)).unwrap();
    }
    shell
}

const ALL: &str = "b0b1b2b3b4b5b6b7b8b9";

/// The codes of `info`, `cat`, `verify` and `import`, which change nothing, and the first thing that `verify` lists.
fn look(shell: &Shell) -> ([i32; 4], Value) {
    let before = shell.snapshot("feed");
    let info = shell.run(&["info", "feed"]).code;
    let cat = shell.run(&["cat", "feed"]).code;
    let verify = shell.run(&["verify", "feed", "--json"]);
    let import = shell.run(&["import", "feed", "log"]).code;
    assert!(shell.snapshot("feed") == before);
    ([info, cat, verify.code, import], verify.json()["errors"][0].clone())
}

/// Repairs, and checks that everything is there and right afterwards.
#[track_caller]
fn comes_back(shell: &Shell, options: &[&str]) {
    let report =
        shell.run(&[&["verify", "feed", "--repair", "--json"], options].concat()).ok().json();
    assert_eq!((&report["ok"], &report["checked"]), (&true.into(), &10.into()));
    assert!(!report["repaired"]["mended"].as_array().unwrap().is_empty(), "{report}");
    assert_eq!(shell.run(&["cat", "feed"]).ok().text(), ALL);
    assert_eq!(look(shell).0, [0; 4]);
}

#[test]
fn what_is_lost_and_can_be_derived_comes_back() {
    for (files, codes) in
        [(&["bitfield"][..], [0, 0, 5, 0]), (&["key"], [5, 5, 5, 5]), (&["tree"], [5, 5, 5, 5])]
    {
        let shell = without(files);
        let (found, first) = look(&shell);
        assert_eq!(found, codes, "{files:?}: {first}");
        assert!(first["message"].as_str().unwrap().contains(files[0]), "{first}");
        comes_back(&shell, &[]);
        let whole = Shell::new();
        golden("v9-len10").copy(&whole, "feed");
        for file in ["key", "tree", "bitfield", "data"] {
            let read = |shell: &Shell| std::fs::read(shell.path("feed").join(file)).unwrap();
            assert!(read(&shell) == read(&whole), "{file} after {files:?} were lost");
        }
    }
}

#[test]
fn headers_come_back() {
    for file in ["tree", "signatures", "bitfield"] {
        let shell = damaged(file, |bytes| bytes[0] = 0);
        let (codes, first) = look(&shell);
        assert_eq!((codes, &first["file"]), ([5; 4], &file.into()));
        comes_back(&shell, &[]);
    }
}

#[test]
fn a_key_that_is_lost_with_its_secret_is_given() {
    let shell = without(&["key", "secret_key"]);
    assert_eq!(look(&shell).0, [5; 4]);
    for args in [&["cat", "feed"][..], &["verify", "feed"], &["verify", "feed", "--repair"]] {
        let told = shell.run(args).exits(5).stderr;
        assert!(told.contains("verify feed --repair") && told.contains("--key"), "{told}");
    }
    let other = golden("v9-len1").expected["key"].as_str().unwrap().to_owned();
    shell.run(&["verify", "feed", "--repair", "--key", &other]).exits(5);
    assert!(!shell.path("feed/key").exists());
    let key = golden("v9-len10").expected["key"].as_str().unwrap().to_owned();
    comes_back(&shell, &["--key", &key]);
}

#[test]
fn a_lost_signature_is_made_again_when_asked_to() {
    let shell = damaged("signatures", |bytes| bytes[32 + 64 * 9..].fill(0));
    let (codes, first) = look(&shell);
    assert_eq!(
        (codes, &first["what"], &first["index"]),
        ([0, 0, 5, 5], &"signature".into(), &9.into())
    );
    shell.run(&["verify", "feed", "--repair"]).exits(5);
    comes_back(&shell, &["--sign"]);
}

#[test]
fn damaged_bytes_are_named_and_never_handed_out() {
    let shell = damaged("data", |bytes| bytes[9] ^= 1);
    let (codes, first) = look(&shell);
    assert_eq!(
        (codes, &first["what"], &first["index"]),
        ([0, 5, 5, 5], &"block".into(), &4.into())
    );
    let ran = shell.run(&["cat", "feed", "--json"]).exits(5);
    assert_eq!((ran.text().as_str(), &ran.failure()["index"]), ("b0b1b2b3", &4.into()));
    assert_eq!(ran.failure()["file"], "data");
    shell.run(&["get", "feed", "4"]).exits(5);
    assert_eq!(shell.run(&["get", "feed", "5"]).ok().text(), "b5");
    shell.run(&["verify", "feed", "--repair"]).exits(5);

    let shell = without(&["data"]);
    assert_eq!(look(&shell).0, [0, 5, 5, 5]);
    // As the content of a folder that Dat shares.
    assert!(shell.run(&["cat", "feed"]).exits(5).stderr.contains("no file `data`"));
}

#[test]
fn what_is_given_up_is_told() {
    for (option, dropped, listed) in [("--find-blocks", 0, 9), ("--accept-loss", 1, 9)] {
        let shell = damaged("data", |bytes| bytes[9] ^= 1);
        let told = shell.run(&["verify", "feed", "--repair"]).exits(5).text();
        assert!(told.contains(option), "{told}");
        let report = shell.run(&["verify", "feed", "--repair", option, "--json"]).ok().json();
        assert_eq!((&report["checked"], &report["missing"]), (&9.into(), &1.into()), "{report}");
        let repaired = &report["repaired"];
        assert_eq!((&repaired["dropped"], &repaired["listed"]), (&dropped.into(), &listed.into()));
        assert_eq!(shell.run(&["get", "feed", "4", "--json"]).exits(3).failure()["index"], 4);
    }
}

/// Where nothing but keys and blocks is left, what was there is told, and no log is made in its place.
#[test]
fn a_feed_without_tree_signatures_and_bitfield_is_one() {
    let headers = ["tree", "signatures", "bitfield"];
    for (also, code) in [(&["secret_key"][..], 5), (&["data"], 5), (&["data", "secret_key"], 3)] {
        let shell = without(&[&headers, also].concat());
        let before = shell.snapshot("feed");
        for args in [&["info", "feed"][..], &["verify", "feed"], &["verify", "feed", "--repair"]] {
            shell.run(args).exits(code);
        }
        shell.run(&["new", "feed"]).exits(if code == 5 { 4 } else { 3 });
        let kept =
            |(path, bytes): (&std::path::PathBuf, &Vec<u8>)| std::fs::read(path).unwrap() == *bytes;
        assert!(before.iter().all(kept), "{also:?}");
    }
}

#[test]
fn a_secret_key_of_another_feed_is_refused() {
    let shell = without(&["secret_key"]);
    golden("v9-len1").copy(&shell, "other");
    std::fs::copy(shell.path("other/secret_key"), shell.path("feed/secret_key")).unwrap();
    let (codes, first) = look(&shell);
    assert_eq!((codes, &first["file"]), ([5; 4], &"secret_key".into()));
}

#[test]
fn options_of_a_repair_are_for_feeds() {
    let shell = Shell::new();
    shell.log("log", "a\n");
    shell.run(&["verify", "log", "--repair", "--sign"]).exits(2);
    shell.run(&["verify", "log", "--sign"]).exits(2);
    golden("v9-len10").copy(&shell, "feed");
    let before = shell.snapshot("feed");
    shell.run(&["verify", "feed", "--repair", "--read-only"]).exits(4);
    let bitfield = std::fs::File::open(shell.path("feed/bitfield")).unwrap();
    bitfield.try_lock_shared().unwrap();
    shell.run(&["verify", "feed"]).ok();
    shell.run(&["verify", "feed", "--repair"]).exits(6);
    drop(bitfield);
    assert!(shell.snapshot("feed") == before);
    let report = shell.run(&["verify", "feed", "--repair", "--json"]).ok().json();
    assert_eq!(report["ok"], true);
    assert!(shell.snapshot("feed") == before, "nothing was to be repaired");
}

/// The exit codes of `info`, `cat`, `verify`, `import` and `verify --repair`, and the file that `verify` blames first, for
/// each directory that the packages were tried with. What becomes of its feed says the page of the crate `sleep`.
const CODES: &str = "\
another key given | 0 0 0 0 0 -
another key given, force true | -
bitfield all bits zero | 0 0 5 0 0 bitfield
bitfield cut to 32 | 0 0 5 0 0 bitfield
bitfield data bit 10 set | 0 0 0 0 0 -
bitfield data bits zero | 0 3 0 3 0 -
bitfield empty | 0 0 5 0 0 bitfield
bitfield header magic wrong | 5 5 5 5 0 bitfield
bitfield header only 20 bytes | 0 0 5 0 0 bitfield
bitfield header type 1 | 5 5 5 5 0 bitfield
bitfield index bits zero | 0 0 0 0 0 -
bitfield missing | 0 0 5 0 0 bitfield
bitfield page cut to 2000 bytes | 0 0 0 0 0 -
bitfield page cut to 500 bytes | 0 0 5 0 0 bitfield
bitfield tree bit 20 set | 0 0 0 0 0 -
bitfield tree bits 20 and 22 set | 0 0 0 0 0 -
bitfield tree bits zero | 0 0 5 0 0 bitfield
data byte flipped (block 4) | 0 5 5 5 5 data
data empty | 0 5 5 5 5 data
data has extra bytes | 0 0 0 0 0 -
data lacks last byte | 0 5 5 5 5 data
data missing | 0 5 5 5 5 data
directory empty | 3 3 3 3 3 -
directory empty, createIfMissing false | 3 3 3 3 3 -
intact | 0 0 0 0 0 -
key 31 bytes | 5 5 5 5 0 key
key 33 bytes | 0 0 0 0 0 -
key and secret_key missing | 5 5 5 5 5 key
key empty | 5 5 5 5 0 key
key file holds another key | 5 5 5 5 0 secret_key
key missing, createIfMissing false | 5 5 5 5 0 key
key missing, no key given | 5 5 5 5 0 key
key missing, right key and secret key given | 5 5 5 5 0 key
key missing, right key given | 5 5 5 5 0 key
last signature cut | 0 0 5 5 5 signatures
last signature cut in half | 0 0 5 5 5 signatures
last signature flipped | 5 5 5 5 5 signatures
last signature zeroed | 0 0 5 5 5 signatures
overwrite true | -
secret_key 63 bytes | 0 0 0 0 0 -
secret_key empty | 0 0 0 0 0 -
secret_key missing | 0 0 0 0 0 -
secret_key missing, secret key given | 0 0 0 0 0 -
secret_key of another pair | 5 5 5 5 5 secret_key
signatures empty | 0 0 5 5 5 signatures
signatures header magic wrong | 5 5 5 5 0 signatures
signatures missing | 0 0 5 5 5 signatures
tree empty | 5 5 5 5 0 tree
tree ends inside last leaf | 0 5 5 5 0 tree
tree header algorithm name BLAKE2x | 5 5 5 5 0 tree
tree header entry size 41 | 5 5 5 5 0 tree
tree header magic wrong | 5 5 5 5 0 tree
tree header padding not zero | 0 0 0 0 0 -
tree header version 1 | 5 5 5 5 0 tree
tree lacks last leaf (block 9) | 0 5 5 5 0 tree
tree lacks leaves 8 and 9 | 5 5 5 5 0 tree
tree leaf 18 zeroed | 0 5 5 5 0 tree
tree leaf 4 hash flipped | 0 5 5 5 0 tree
tree leaf 4 size changed | 0 5 5 5 0 tree
tree missing | 5 5 5 5 0 tree
tree root 17 zeroed | 0 0 5 5 0 tree
tree root 7 hash flipped | 5 5 5 5 0 signatures
tree root 7 zeroed | 5 5 5 5 0 tree
bitfield header page size 0 | 5 5 5 5 0 bitfield
bitfield header page size 100 | 5 5 5 5 0 bitfield
bitfield header page size 3072 | 5 5 5 5 0 bitfield
bitfield header page size 3328 over 3584 pages | 0 0 0 0 0 -";

/// Makes a row of the table anew.
fn codes(case: &str) -> String {
    let shell = Shell::new();
    let feed = shell.path("feed");
    golden("v9-len10").copy(&shell, "feed");
    let names = ["key", "secret_key", "data", "tree", "signatures", "bitfield"];
    let read = |name| (name, std::fs::read(feed.join(name)).unwrap());
    let mut files = damage::FeedFiles::from(names.map(read));
    let other = hypercore::KeyPair::from_seed(&[0x55; 32]).secret_bytes();
    if !damage::damage(&mut files, case, &other) {
        return format!("{case} | -");
    }
    for name in names {
        match files.get(name) {
            Some(bytes) => std::fs::write(feed.join(name), bytes).unwrap(),
            None => std::fs::remove_file(feed.join(name)).unwrap(),
        }
    }
    let before = shell.snapshot("feed");
    let verify = shell.run(&["verify", "feed", "--json"]);
    let report = verify.lines();
    let file =
        report.first().and_then(|report| report["errors"][0]["file"].as_str()).unwrap_or("-");
    let info = shell.run(&["info", "feed", "--json"]);
    if info.code != 0 {
        let wanted = if info.code == 3 { "not-found" } else { "corrupt" };
        assert_eq!(info.failure()["error"], wanted, "{case}");
        assert_eq!(info.failure()["file"].as_str().unwrap_or("-"), file, "{case}");
    }
    let import = shell.run(&["import", "feed", "log"]).code;
    let cat = shell.run(&["cat", "feed"]);
    assert!(ALL.starts_with(&cat.text()), "{case}: {}", cat.text());
    assert!(shell.snapshot("feed") == before, "{case}: it was changed");
    let repaired = shell.run(&["verify", "feed", "--repair"]).code;
    format!("{case} | {} {} {} {import} {repaired} {file}", info.code, cat.code, verify.code)
}

#[test]
fn each_damaged_directory_has_its_exit_codes() {
    let cases = damage::cases();
    assert_eq!(cases.len(), 67);
    let half = cases.len() / 2;
    let rows = std::thread::scope(|scope| {
        let halves = [&cases[..half], &cases[half..]];
        let halves = halves
            .map(|cases| scope.spawn(|| cases.iter().map(|case| codes(case)).collect::<Vec<_>>()));
        halves.map(|half| half.join().unwrap()).concat()
    });
    let found = rows.join("\n");
    for (row, expected) in rows.iter().zip(CODES.lines()) {
        assert_eq!(row, expected, "{found}");
    }
    assert_eq!(rows.len(), CODES.lines().count(), "{found}");
}
