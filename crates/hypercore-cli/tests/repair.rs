//! `verify --repair`: what it brings back, what it leaves and says so, and its exit codes.

mod common;

use common::Shell;

fn log() -> Shell {
    let shell = Shell::new();
    let lines: String = (0..64).map(|line| format!("this is line {line}\n")).collect();
    shell.log("log", &lines);
    shell
}

fn damage(shell: &Shell, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = format!("log/{file}");
    let mut bytes = std::fs::read(shell.path(&path)).unwrap();
    change(&mut bytes);
    shell.write(&path, &bytes);
}

#[test]
fn a_log_without_damage_is_left_as_it_is() {
    let shell = log();
    let key = shell.run(&["info", "log", "--json"]).ok().json()["tree_hash"].clone();
    let report = shell.run(&["verify", "log", "--repair", "--json"]).ok().json();
    assert_eq!(report["repaired"], serde_json::json!({"nodes": 0, "listed": 0, "dropped": 0}));
    assert_eq!(report["ok"], true);
    assert_eq!(shell.run(&["info", "log", "--json"]).ok().json()["tree_hash"], key);
    assert!(shell.run(&["verify", "log", "--json"]).ok().json().get("repaired").is_none());
}

#[test]
fn a_node_and_a_root_come_back() {
    for node in [4, 9, 63] {
        let shell = log();
        let whole = std::fs::read(shell.path("log/tree")).unwrap();
        damage(&shell, "tree", |tree| tree[node * 40..][..40].fill(0));
        shell.run(&["verify", "log"]).exits(5);
        let text = shell.run(&["verify", "log", "--repair"]).ok().text();
        assert!(text.contains("repaired: ") && text.contains("ok: 64 blocks"), "{text}");
        assert!(std::fs::read(shell.path("log/tree")).unwrap() == whole, "node {node}");
    }
}

#[test]
fn a_missing_bitfield_comes_back() {
    let shell = log();
    std::fs::remove_file(shell.path("log/bitfield")).unwrap();
    let report = shell.run(&["verify", "log", "--json"]).exits(5).json();
    assert_eq!((&report["missing"], &report["unlisted"]), (&64.into(), &64.into()));
    assert_eq!(report["errors"][0]["what"], "bitfield");
    let report = shell.run(&["verify", "log", "--repair", "--json"]).ok().json();
    assert_eq!((&report["repaired"]["listed"], &report["checked"]), (&64.into(), &64.into()));
    shell.run(&["get", "log", "63"]).ok();
}

#[test]
fn what_remains_is_told() {
    let shell = log();
    damage(&shell, "data", |data| data[3] ^= 1);
    let data = std::fs::read(shell.path("log/data")).unwrap();
    let report = shell.run(&["verify", "log", "--repair", "--json"]).exits(5).json();
    assert_eq!((&report["ok"], &report["errors"][0]["index"]), (&false.into(), &0.into()));
    assert_eq!(report["repaired"]["dropped"], 0);
    assert!(std::fs::read(shell.path("log/data")).unwrap() == data);
    shell.run(&["get", "log", "0"]).exits(5);
}

#[test]
fn heads_are_not_repaired() {
    let shell = log();
    damage(&shell, "oplog", |oplog| oplog[4096..4100].fill(7));
    damage(&shell, "oplog", |oplog| oplog[0..4].fill(7));
    let before = shell.snapshot("log");
    shell.run(&["verify", "log", "--repair"]).exits(5);
    assert!(shell.snapshot("log") == before);
}

#[test]
fn it_is_a_command_that_writes() {
    let shell = log();
    let before = shell.snapshot("log");
    shell.run(&["verify", "log", "--repair", "--read-only"]).exits(4);
    assert!(shell.snapshot("log") == before);
    shell.run(&["verify", "nowhere", "--repair"]).exits(3);
}
