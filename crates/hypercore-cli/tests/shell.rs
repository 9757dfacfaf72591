//! `completions` and `man`.

mod common;

use common::Shell;

/// The commands that the help lists.
fn commands(shell: &Shell) -> Vec<String> {
    let help = shell.run(&["--help"]).ok().text();
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let lines = list.lines().take_while(|line| !line.is_empty());
    // What a description goes on with is indented further.
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !["", "help"].contains(name)).map(ToOwned::to_owned).collect()
}

#[test]
fn completions_for_every_shell() {
    let shell = Shell::new();
    let commands = commands(&shell);
    assert!(commands.len() >= 20, "{commands:?}");
    for name in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = shell.run(&["completions", name]).ok().text();
        for command in &commands {
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
    for command in commands(&shell) {
        assert!(text.contains(&format!(".SH \"{}\"", command.to_uppercase())), "{command}");
    }
}
