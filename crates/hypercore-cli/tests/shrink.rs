//! `truncate` and `clear`.

mod common;

use common::Shell;

#[test]
fn truncate_shortens_and_raises_the_fork() {
    let shell = Shell::new();
    shell.log("log", "a\nb\nc\n");
    let two = shell.run(&["truncate", "log", "2", "--json"]).ok().json();
    assert_eq!((&two["length"], &two["fork"]), (&2.into(), &1.into()));
    assert!(two["bytes_freed"].is_u64());
    assert_eq!(shell.run(&["cat", "log"]).ok().text(), "ab");
    let seven = shell.run(&["truncate", "log", "1", "--fork", "7", "--json"]).ok().json();
    assert_eq!((&seven["length"], &seven["fork"]), (&1.into(), &7.into()));
    assert_eq!(shell.info("log")["fork"], 7);
    shell.run(&["truncate", "log", "0"]).ok();
    assert_eq!(shell.info("log")["length"], 0);
    shell.run_with(&["append", "log", "--lines"], b"new\n").ok();
    assert_eq!(shell.run(&["cat", "log"]).ok().text(), "new");
    shell.run(&["verify", "log"]).ok();
}

#[test]
fn truncate_refuses_what_can_not_be() {
    let shell = Shell::new();
    shell.log("log", "a\nb\nc\n");
    shell.run(&["truncate", "log", "2", "--fork", "3"]).ok();
    let before = shell.snapshot("log");
    shell.run(&["truncate", "log", "9"]).exits(3);
    shell.run(&["truncate", "log", "1", "--fork", "3"]).exits(1);
    shell.run(&["truncate", "log", "1", "--read-only"]).exits(4);
    shell.run(&["truncate", "log"]).exits(2);
    assert_eq!(shell.snapshot("log"), before);
    shell.run(&["truncate", "none", "0"]).exits(3);
    assert!(!shell.path("none").exists());
}

#[test]
fn truncate_gives_space_back() {
    let shell = Shell::new();
    let bytes = vec![9; 4 * 1024 * 1024];
    shell.run_with(&["append", "log", "--chunk", "1MiB"], &bytes).ok();
    let result = shell.run(&["truncate", "log", "1", "--json"]).ok().json();
    let freed = result["bytes_freed"].as_u64().unwrap();
    assert!(freed >= 3 * 1024 * 1024 - 64 * 1024, "{freed}");
}

#[test]
fn clear_drops_blocks_and_gives_space_back() {
    let shell = Shell::new();
    let bytes = vec![9; 4 * 1024 * 1024];
    shell.run_with(&["append", "log", "--chunk", "1MiB"], &bytes).ok();
    let hash = shell.info("log")["tree_hash"].clone();
    let before = shell.info("log")["storage"]["data"].as_u64().unwrap();
    let result = shell.run(&["clear", "log", "1..3", "--json"]).ok().json();
    assert_eq!(result["bytes_freed"], 2 * 1024 * 1024);
    assert_eq!((&result["length"], &result["contiguous_length"]), (&4.into(), &1.into()));
    assert_eq!(result["tree_hash"], hash);
    let after = shell.info("log")["storage"]["data"].as_u64().unwrap();
    assert_eq!(before - after, 2 * 1024 * 1024);
    let verified = shell.run(&["verify", "log", "--json"]).ok().json();
    assert_eq!((&verified["checked"], &verified["missing"]), (&2.into(), &2.into()));
    shell.run(&["get", "log", "3"]).ok();
    shell.run(&["clear", "log", "3..5"]).exits(3);
    shell.run(&["clear", "log", "3"]).exits(2);
    shell.run(&["clear", "log", "1..2", "--read-only"]).exits(4);
}
