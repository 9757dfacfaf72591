//! Damaged feeds: what commands say of them, that nothing is changed unasked, and what `verify --repair` brings back.

mod common;

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
    shell.run(&["verify", "feed", "--repair"]).exits(5);
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
