//! `completions` and `man`.

mod common;

use common::Shell;

const COMMANDS: [&str; 18] = [
    "new",
    "append",
    "get",
    "cat",
    "tail",
    "seek",
    "info",
    "ls",
    "verify",
    "truncate",
    "clear",
    "backup",
    "confirm-newest",
    "serve",
    "clone",
    "import",
    "completions",
    "man",
];

#[test]
fn completions_for_every_shell() {
    let shell = Shell::new();
    for name in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = shell.run(&["completions", name]).ok().text();
        for command in COMMANDS {
            assert!(text.contains(command), "{name} does not know {command}");
        }
    }
    shell.run(&["completions", "csh"]).exits(2);
}

#[test]
fn the_manual_page_has_every_command() {
    let shell = Shell::new();
    let text = shell.run(&["man"]).ok().text();
    assert_eq!(text.matches("encryption\\-key").count(), 2, "common options are told once");
    assert!(text.contains("Exit codes"));
    assert!(text.contains(".TH hypercore 1"), "{}", &text[..300]);
    for command in COMMANDS {
        assert!(text.contains(&format!(".SH \"{}\"", command.to_uppercase())), "{command}");
    }
}
