//! Commands that read take feeds of Dat and Hypercore 6 to 9 in the place of logs, and change nothing in them.

mod common;

use common::feeds::{all, golden, make};
use common::running::Running;
use common::{SEED, Shell};
use serde_json::Value;

/// A copy of the golden feed `name`, in `feed`.
fn with(name: &str) -> Shell {
    let shell = Shell::new();
    golden(name).copy(&shell, "feed");
    shell
}

#[test]
fn info_says_what_the_packages_say() {
    for feed in all() {
        let shell = Shell::new();
        feed.copy(&shell, "feed");
        let before = shell.snapshot("feed");
        let info = shell.info("feed");
        for field in [
            "key",
            "discovery_key",
            "writable",
            "live",
            "length",
            "byte_length",
            "bitfield_page_size",
        ] {
            assert_eq!(info[field], feed.expected[field], "{field} of {}", feed.name);
        }
        if feed.length() > 0 {
            assert_eq!(info["tree_hash"], feed.expected["tree_hash"], "{}", feed.name);
        }
        assert_eq!(info["format"], "sleep");
        assert_eq!((&info["fork"], &info["manifest"]), (&0.into(), &Value::Null));
        assert_eq!(info["compat"], info["live"]);
        let present = feed.present();
        assert_eq!(info["blocks"], present.len(), "{}", feed.name);
        let contiguous = (0..).zip(&present).take_while(|(at, index)| at == *index).count();
        assert_eq!(info["contiguous_length"], contiguous, "{}", feed.name);
        assert!(info["storage"]["total"].as_u64().unwrap() > 0);
        assert!(shell.run(&["info", "feed"]).ok().text().contains("sleep"));
        assert!(shell.snapshot("feed") == before, "{} was changed", feed.name);
    }
}

#[test]
fn every_block_is_what_the_packages_wrote() {
    for feed in all() {
        let shell = Shell::new();
        feed.copy(&shell, "feed");
        let before = shell.snapshot("feed");
        let listed = shell.run(&["ls", "feed", "--json"]).ok().lines();
        let present = feed.present();
        let indices: Vec<_> = listed.iter().map(|line| line["index"].as_u64().unwrap()).collect();
        assert_eq!(indices, present, "{}", feed.name);
        if feed.is_tiny() {
            for line in &listed {
                let index = line["index"].as_u64().unwrap() as usize;
                let block = &feed.expected["blocks"][index];
                assert_eq!(line["bytes"], block["length"], "block {index} of {}", feed.name);
                assert_eq!(line["sha256"], block["sha256"], "block {index} of {}", feed.name);
            }
        }
        let whole = shell.run(&["cat", "feed"]);
        if feed.is_whole() {
            let bytes = shell.run(&["cat", "feed", "--bytes", ".."]).ok().stdout;
            assert_eq!(whole.ok().stdout, bytes);
            assert_eq!(bytes.len() as u64, feed.expected["byte_length"], "{}", feed.name);
        } else {
            whole.exits(3);
        }
        let report = shell.run(&["verify", "feed", "--json"]).ok().json();
        assert_eq!((&report["ok"], &report["checked"]), (&true.into(), &present.len().into()));
        assert_eq!(report["missing"], feed.length() - present.len() as u64, "{}", feed.name);
        assert!(shell.snapshot("feed") == before, "{} was changed", feed.name);
    }
}

#[test]
fn one_block_the_last_ones_and_where_a_byte_is() {
    let shell = with("v9-len10");
    assert_eq!(shell.run(&["get", "feed", "4"]).ok().text(), "b4");
    assert_eq!(shell.run(&["get", "feed", "10", "--json"]).exits(3).failure()["index"], 10);
    assert_eq!(shell.run(&["cat", "feed", "--blocks", "3..5"]).ok().text(), "b3b4");
    assert_eq!(shell.run(&["cat", "feed", "--bytes", "7..10"]).ok().text(), "3b4");
    shell.run(&["cat", "feed", "--bytes", "7..21"]).exits(3);
    assert_eq!(shell.run(&["tail", "feed", "-n", "2"]).ok().text(), "b8\nb9\n");
    let found = shell.run(&["seek", "feed", "7", "--json"]).ok().json();
    assert_eq!((&found["index"], &found["offset"]), (&3.into(), &1.into()));
    shell.run(&["seek", "feed", "20"]).exits(3);

    let shell = with("v9-sparse");
    let missing = golden("v9-sparse").present();
    let missing = (0..).find(|index| !missing.contains(index)).unwrap();
    let told = shell.run(&["get", "feed", &missing.to_string(), "--json"]).exits(3).failure();
    assert_eq!(told["index"], missing);
}

#[test]
fn commands_that_need_a_log_name_import_and_change_nothing() {
    let shell = with("v9-len10");
    let before = shell.snapshot("feed");
    for args in [
        &["append", "feed", "--lines"][..],
        &["new", "feed"],
        &["truncate", "feed", "3"],
        &["clear", "feed", "0..1"],
        &["backup", "feed", "copy"],
        &["pack", "feed", "copy"],
        &["serve", "feed"],
        &["confirm-newest", "feed"],
        &["clone", SEED, "feed", "--connect", "127.0.0.1:1"],
    ] {
        let ran = shell.run_with(args, b"x\n").exits(4);
        assert!(ran.stderr.contains("hypercore import feed"), "{args:?}: {}", ran.stderr);
        assert!(shell.snapshot("feed") == before, "{args:?}");
    }
    assert!(!shell.path("copy").exists());
}

#[test]
fn files_with_a_name_in_front_are_a_feed_as_well() {
    let shell = Shell::new();
    golden("v6_12-len10").copy_as(&shell, "folder/.dat", "metadata.");
    golden("v6_12-len100").copy_as(&shell, "folder/.dat", "content.");
    let before = shell.snapshot("folder");
    assert_eq!(shell.info("folder/.dat/metadata")["length"], 10);
    assert_eq!(shell.info("folder/.dat/content")["length"], 100);
    shell.run(&["append", "folder/.dat/metadata"]).exits(4);
    for folder in ["folder", "folder/.dat"] {
        for command in ["info", "cat", "verify", "tail"] {
            let ran = shell.run(&[command, folder]).exits(3);
            assert!(ran.stderr.contains("folder/.dat/metadata"), "{}", ran.stderr);
            assert!(ran.stderr.contains("folder/.dat/content"), "{}", ran.stderr);
        }
    }
    assert!(shell.run(&["import", "folder", "log"]).exits(3).stderr.contains(".dat/metadata"));
    assert!(shell.snapshot("folder") == before);
}

#[test]
fn a_folder_of_feeds_names_them() {
    let shell = Shell::new();
    golden("v9-len10").copy(&shell, "drive/metadata");
    golden("v9-len1").copy(&shell, "drive/content");
    let ran = shell.run(&["info", "drive", "--json"]).exits(3);
    let message = ran.failure()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("drive/metadata") && message.contains("drive/content"), "{message}");
    assert_eq!(shell.info("drive/content")["length"], 1);
}

#[test]
fn logs_are_none() {
    let shell = Shell::new();
    shell.log("log", "a\n");
    assert_eq!(shell.info("log")["format"], "hypercore-10");
    // Whatever else lies beside it.
    shell.write("log/signatures", b"mine");
    shell.write("log/key", b"mine");
    assert_eq!(shell.info("log")["format"], "hypercore-10");
    shell.run(&["import", "log", "other"]).exits(3);
    shell.run(&["import", "nowhere", "other"]).exits(3);
    assert!(!shell.path("other").exists());
}

/// What Hypercore 8 and 9 lock, and how.
#[test]
fn the_lock_of_the_packages_counts() {
    let shell = with("v9-len10");
    let bitfield = std::fs::File::open(shell.path("feed/bitfield")).unwrap();
    bitfield.try_lock().unwrap();
    for args in [&["info", "feed"][..], &["verify", "feed"], &["import", "feed", "log"]] {
        shell.run(args).exits(6);
    }
    bitfield.unlock().unwrap();
    bitfield.try_lock_shared().unwrap();
    shell.run(&["info", "feed"]).ok();
    assert!(!shell.path("log").exists());
}

/// Its writer holds the lock all the time.
#[test]
fn what_a_writer_appends_is_followed() {
    let shell = Shell::new();
    let mut feed = make(&shell, "feed");
    feed.append(&[b"a", b"b"]).unwrap();
    let mut follower = Running::start(&shell, &["tail", "feed", "-f", "-n", "1"]);
    assert_eq!(follower.object()["index"], 1);
    for index in 2..10 {
        feed.append(&[format!("block {index}")]).unwrap();
        assert_eq!(follower.object()["index"], index);
    }
    shell.run(&["info", "feed"]).exits(6);
    follower.kill();
}
