//! `tidy`: what no compiler checks but every reader notices.
//!
//! Module headers, ASCII source, no path of one machine, nothing left
//! unfinished, lock files that name no download host, an example in the docs
//! of every library, format tables that agree with the code, promises of
//! durability that name what shows them, test files that are run, and names of
//! files, tasks and examples that exist.

use std::path::Path;

use crate::report::{Figures, Outcome, fail_on};
use crate::tasks::{binaries, formats, promises, references};
use crate::tree;

/// Files in which only ASCII is allowed, by the end of their name.
const ASCII_EXTENSIONS: [&str; 7] = ["rs", "toml", "js", "md", "json", "yml", "lock"];

/// Folders that exist on one machine only. Written in two halves, or this file
/// would find itself.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];

/// Signs of unfinished work, in two halves likewise.
const LEFTOVERS: [&str; 6] = [
    concat!("to", "do!"),
    concat!("unimpl", "emented!"),
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
    concat!("XX", "X"),
    concat!("not yet impl", "emented"),
];

/// The one registry a lock file may name, as cargo writes it.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Checks every file a person wrote.
pub(crate) fn run() -> Outcome {
    let files = tree::files()?;
    let mut problems = Vec::new();
    let mut modules = 0_usize;
    let mut examples = 0_usize;
    let mut sources = Vec::new();
    for path in &files {
        let Some(text) = tree::read(path)? else { continue };
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        if ASCII_EXTENSIONS.contains(&extension.as_ref()) {
            check_ascii(path, &text, &mut problems);
        }
        check_machine_paths(path, &text, &mut problems);
        if extension == "rs" || extension == "js" {
            check_leftovers(path, &text, &mut problems);
        }
        if extension == "rs" {
            modules += 1;
            if !text.starts_with("//!") {
                problems.push(format!("{}: does not open with a `//!` header", path.display()));
            }
            if path.starts_with("crates") && path.ends_with("src/lib.rs") {
                examples += 1;
                check_example(path, &text, &mut problems);
            }
            if path.starts_with("crates") && path.components().any(|part| part.as_os_str() == "src")
            {
                sources.push((path.clone(), text));
                continue;
            }
        }
        if extension == "lock" || path.ends_with("package-lock.json") {
            check_lock(path, &text, &mut problems);
        }
    }
    let rows = formats::check(&files, &sources, &mut problems)?;
    let promises = promises::check(&mut problems)?;
    let binaries = binaries::check(&mut problems)?;
    let references = references::check(&files, &mut problems)?;
    fail_on(&problems, "untidy places")?;
    Ok(Figures::new(format!(
        "{} files, {modules} module headers, {examples} libraries with an example, \
         {} format constants matched in {} tables, {promises} promises that name what shows them, \
         {binaries} test binaries that leave out no file, \
         {references} names of files, tasks and places that exist",
        files.len(),
        rows.matched,
        rows.tables
    )))
}

fn check_ascii(path: &Path, text: &str, problems: &mut Vec<String>) {
    for (number, line) in numbered(text) {
        if let Some(odd) = line.chars().find(|c| !c.is_ascii()) {
            problems.push(format!("{}:{number}: {odd:?} is not ASCII", path.display()));
        }
    }
}

fn check_machine_paths(path: &Path, text: &str, problems: &mut Vec<String>) {
    for (number, line) in numbered(text) {
        for machine in MACHINE_PATHS {
            // Only where a path begins: `docs` + the folder's name is not one.
            let begins = line.match_indices(machine).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                before.is_none_or(|c| !c.is_ascii_alphanumeric() && !"_-.}".contains(c))
            });
            if begins {
                problems
                    .push(format!("{}:{number}: a path of one machine: {machine}", path.display()));
            }
        }
    }
}

fn check_leftovers(path: &Path, text: &str, problems: &mut Vec<String>) {
    for (number, line) in numbered(text) {
        for leftover in LEFTOVERS {
            if line.contains(leftover) {
                problems.push(format!("{}:{number}: left unfinished: {leftover}", path.display()));
            }
        }
    }
}

/// The header of a library holds at least one example that is compiled.
fn check_example(path: &Path, text: &str, problems: &mut Vec<String>) {
    let mut is_open = false;
    let compiled = text
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .filter_map(|line| line.trim_start_matches("//!").trim().strip_prefix("```"))
        .filter(|language| {
            is_open = !is_open;
            is_open && !language.contains("text") && !language.contains("ignore")
        })
        .filter(|language| {
            language.is_empty() || language.contains("rust") || language.contains("no_run")
        })
        .count();
    if compiled == 0 {
        problems.push(format!("{}: its header has no example that compiles", path.display()));
    }
}

fn check_lock(path: &Path, text: &str, problems: &mut Vec<String>) {
    for (number, line) in numbered(text) {
        let is_npm_host = line.contains("\"resolved\"");
        let is_cargo_source =
            line.trim_start().starts_with("source = ") && !line.contains(CRATES_IO);
        if is_npm_host || is_cargo_source {
            problems.push(format!("{}:{number}: names a download host", path.display()));
        }
    }
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(check: impl Fn(&Path, &str, &mut Vec<String>), text: &str) -> usize {
        let mut problems = Vec::new();
        check(Path::new("some/file"), text, &mut problems);
        problems.len()
    }

    #[test]
    fn only_where_a_path_begins() {
        let [root, .., work, _] = MACHINE_PATHS;
        assert_eq!(problems(check_machine_paths, &format!("open(\"{root}x\")")), 1);
        assert_eq!(
            problems(check_machine_paths, &format!("docs{work}x and example.org{root}x")),
            0
        );
    }

    #[test]
    fn an_example_must_compile() {
        let text = "//! A crate.\n//!\n//! ```text\n//! a drawing\n//! ```\n";
        assert_eq!(problems(check_example, text), 1);
        assert_eq!(problems(check_example, &format!("{text}//! ```\n//! f();\n//! ```\n")), 0);
        assert_eq!(problems(check_example, "//! A crate.\n\n//! ```\n//! f();\n//! ```\n"), 1);
    }

    #[test]
    fn lock_files_name_one_registry() {
        assert_eq!(problems(check_lock, &format!("source = \"{CRATES_IO}\"")), 0);
        assert_eq!(problems(check_lock, "source = \"sparse+https://example.org/\""), 1);
        assert_eq!(problems(check_lock, "\"resolved\": \"https://example.org/a.tgz\""), 1);
    }

    #[test]
    fn source_is_ascii_and_finished() {
        assert_eq!(problems(check_ascii, "plain\nna\u{ef}ve\n"), 1);
        assert_eq!(problems(check_leftovers, LEFTOVERS[0]), 1);
    }
}
