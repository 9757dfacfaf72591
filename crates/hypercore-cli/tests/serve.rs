//! `serve`: shares logs until it is told to end, and changes nothing.

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use common::running::{Running, Server};
use common::{SEED, Shell};

/// A seed of another log.
const OTHER_SEED: &str = "0202020202020202020202020202020202020202020202020202020202020202";

fn key(shell: &Shell, name: &str) -> String {
    shell.info(name)["key"].as_str().unwrap().to_owned()
}

#[test]
fn says_where_it_listens_and_ends_on_a_signal() {
    let shell = Shell::new();
    shell.log("log", "one\ntwo\n");
    let info = shell.info("log");
    for signal in ["-TERM", "-INT"] {
        let mut serving = Running::start(&shell, &["serve", "log"]);
        let listening = serving.event("listening");
        let address = listening["address"].as_str().unwrap();
        assert!(address.starts_with("127.0.0.1:") && !address.ends_with(":0"), "{address}");
        let core = &listening["cores"][0];
        assert_eq!(core["key"], info["key"]);
        assert_eq!(core["discovery_key"], info["discovery_key"]);
        assert_eq!(core["length"], 2);
        serving.signal(signal);
        let last = serving.end().exits(0).json();
        assert_eq!(last["event"], "interrupted");
        assert_eq!(last["peers"], 0);
    }
}

#[test]
fn tells_people_the_id_by_which_to_clone() {
    let shell = Shell::new();
    shell.log("log", "one\n");
    let id = shell.info("log")["id"].as_str().unwrap().to_owned();
    let mut child = shell.spawn(&["serve", "log"]);
    let mut stdout = child.stdout.take().unwrap();
    let mut text = String::new();
    while !text.contains("log\n") {
        let mut some = [0; 256];
        let len = stdout.read(&mut some).unwrap();
        assert!(len > 0, "{text}");
        text.push_str(std::str::from_utf8(&some[..len]).unwrap());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(text.starts_with("listening 127.0.0.1:"), "{text}");
    assert!(text.contains(&format!("{id}  1 blocks  log\n")), "{text}");
}

#[test]
fn several_logs_on_several_addresses() {
    let shell = Shell::new();
    shell.log("a", "one\ntwo\n");
    shell.run(&["new", "b", "--seed", OTHER_SEED]).ok();
    shell.run_with(&["append", "b", "--lines"], b"three\n").ok();
    let args = ["serve", "a", "b", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"];
    let mut serving = Running::start(&shell, &args);
    let listening = serving.event("listening");
    let addresses = listening["addresses"].as_array().unwrap();
    assert_eq!(addresses.len(), 2);
    assert_eq!(listening["address"], addresses[0]);
    for (at, address) in addresses.iter().enumerate() {
        for (name, text) in [("a", "onetwo"), ("b", "three")] {
            let copy = format!("copy-{name}-{at}");
            let address = address.as_str().unwrap();
            shell.run(&["clone", &key(&shell, name), &copy, "--connect", address]).ok();
            assert_eq!(shell.run(&["cat", &copy]).ok().text(), text);
        }
    }
    let met = serving.event("connected");
    assert_eq!(met["peer"], 1);
    let left = serving.event("disconnected");
    assert_eq!(left["peer"], 1);
    assert!(left["sent"].as_u64() > Some(100) && left["received"].as_u64() > Some(100), "{left}");
    serving.signal("-INT");
    let last = serving.end().exits(0).lines().pop().unwrap();
    assert_eq!(last["peers"], 4);
}

#[test]
fn what_it_refuses() {
    let shell = Shell::new();
    shell.log("log", "one\n");
    shell.run(&["serve", "--json"]).exits(2);
    shell.run(&["serve", "none", "--json"]).exits(3);
    shell.run(&["serve", "log", "log", "--json"]).exits(2);
    for address in ["4000", ":4000", "127.0.0.1", "127.0.0.1:70000", "::1:4000"] {
        shell.run(&["serve", "log", "--listen", address]).exits(2);
    }
    let server = Server::start(&shell, &["log"]);
    let taken = shell.run(&["serve", "log", "--listen", &server.address, "--json"]).exits(7);
    assert_eq!(taken.failure()["error"], "network");
    assert!(taken.stderr.contains("can not be listened on: address already in use"));
}

#[test]
fn changes_nothing_and_lets_others_read() {
    let shell = Shell::new();
    shell.log("log", "one\ntwo\n");
    let before = shell.snapshot("log");
    let server = Server::start(&shell, &["log"]);
    shell.run(&["clone", &key(&shell, "log"), "copy", "--connect", &server.address]).ok();
    assert_eq!(shell.run(&["cat", "log"]).ok().text(), "onetwo");
    shell.run_with(&["append", "log", "--lines"], b"three\n").exits(6);
    server.stop();
    assert_eq!(shell.snapshot("log"), before);
    shell.run_with(&["append", "log", "--lines"], b"three\n").ok();
}

#[test]
fn strangers_do_not_disturb_it() {
    let shell = Shell::new();
    shell.log("log", "one\n");
    let mut server = Server::start(&shell, &["log"]);
    // Nothing, noise, a length that promises more, and what speaks another protocol.
    let noise: Vec<u8> = (0..5000_u32).map(|n| (n * 7919 % 251) as u8).collect();
    let texts: [&[u8]; 5] = [b"", &noise, &[0xff; 3], &[0, 0, 0], b"GET / HTTP/1.1\r\n\r\n"];
    let mut strangers = Vec::new();
    for text in texts {
        let mut stranger = TcpStream::connect(&server.address).unwrap();
        // The other end may have had enough before it read all.
        drop(stranger.write_all(text));
        strangers.push(stranger);
    }
    shell.run(&["clone", &key(&shell, "log"), "copy", "--connect", &server.address]).ok();
    let reasons: Vec<String> = (0..2)
        .map(|_| server.running.event("disconnected")["reason"].as_str().unwrap().to_owned())
        .collect();
    assert!(reasons.iter().any(|reason| reason.contains("broke the protocol")), "{reasons:?}");
    server.stop();
}

#[test]
fn a_key_of_another_log_gets_nothing() {
    let shell = Shell::new();
    shell.log("log", "one\n");
    let server = Server::start(&shell, &["log"]);
    shell.run(&["new", "other", "--seed", OTHER_SEED]).ok();
    let wrong = key(&shell, "other");
    let ran = shell.run(&["clone", &wrong, "copy", "--connect", &server.address, "--json"]);
    let told = ran.exits(7).failure();
    assert!(told["message"].as_str().unwrap().contains("does not have the log"), "{told}");
    assert_eq!(SEED.len(), wrong.len());
    server.stop();
}
