//! `--encryption-key`: what is stored is ciphertext, what is read is not.

mod common;

use common::Shell;

const KEY: &str = "abababababababababababababababababababababababababababababababab";

#[test]
fn encrypted_blocks_read_back_with_the_key_only() {
    let shell = Shell::new();
    let with = |args: &[&str], input: &str| {
        let mut args = args.to_vec();
        args.extend(["--encryption-key", KEY]);
        shell.run_with(&args, input.as_bytes()).ok()
    };
    with(&["append", "log", "--lines"], "hello\nworld\n!");
    assert_eq!(with(&["cat", "log"], "").text(), "helloworld!");
    assert_eq!(with(&["cat", "log", "--bytes", "3..7"], "").text(), "lowo");
    assert_eq!(with(&["seek", "log", "10"], "").text(), "block 2, offset 0\n");
    assert_eq!(with(&["info", "log", "--json"], "").json()["byte_length"], 11);
    assert_eq!(with(&["ls", "log", "--json"], "").lines()[1]["bytes"], 5);

    let data = std::fs::read(shell.path("log/data")).unwrap();
    assert_eq!(data.len(), 11 + 3 * 8);
    assert!(!data.windows(5).any(|part| part == b"hello"));
    assert_eq!(shell.info("log")["byte_length"], 35);
    assert_eq!(shell.run(&["cat", "log"]).ok().stdout, data);
    // The signature covers the ciphertext, so no key is needed to verify.
    shell.run(&["verify", "log"]).ok();
    // With another key it is noise.
    let noise = shell.run(&["cat", "log", "--encryption-key", &"cd".repeat(32)]).ok();
    assert_eq!(noise.stdout.len(), 11);
    assert_ne!(noise.stdout, b"helloworld!");
    shell.run(&["cat", "log", "--encryption-key", "abcd"]).exits(2);
}

#[test]
fn the_block_limit_is_on_the_content() {
    let shell = Shell::new();
    let bytes = vec![7; 15 * 1024 * 1024];
    let args = ["append", "log", "--encryption-key", KEY, "--json"];
    assert_eq!(shell.run_with(&args, &bytes).ok().json()["appended"], 1);
    let back = shell.run(&["get", "log", "0", "--encryption-key", KEY]).ok().stdout;
    assert!(back == bytes);
}
