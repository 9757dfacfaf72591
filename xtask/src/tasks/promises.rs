//! The tables of `docs/durability.md`: each promise names what shows it, and that must exist.
//!
//! In a table whose last column is called `shown by`, each row has in that column one or more code
//! spans: `cargo xtask TASK...`, a path of a file, or a path and the name of a test function,
//! `PATH: NAME`.

use std::path::Path;

use crate::report::Miss;
use crate::tree;

/// The page.
const PAGE: &str = "docs/durability.md";

/// Where the tasks are dispatched.
const TASKS: &str = "xtask/src/main.rs";

/// The last column of the tables that are checked.
const SHOWN_BY: &str = "shown by";

/// Checks the page and gives the number of its promises.
pub(crate) fn check(problems: &mut Vec<String>) -> Result<usize, Miss> {
    let read = |path: &str| tree::read(Path::new(path)).ok().flatten();
    let Some(page) = read(PAGE) else {
        return Err(Miss(format!("there is no {PAGE}")));
    };
    let rows = rows(&page);
    for (number, shown_by) in &rows {
        let mut names = shown_by.split('`').skip(1).step_by(2).peekable();
        if names.peek().is_none() {
            problems.push(format!("{PAGE}:{number}: a promise that nothing shows"));
        }
        for name in names.filter(|name| !exists(name, &read)) {
            problems.push(format!("{PAGE}:{number}: there is no `{name}`"));
        }
    }
    if rows.is_empty() {
        problems.push(format!("{PAGE}: no table has a column `{SHOWN_BY}`"));
    }
    Ok(rows.len())
}

/// The last cell of each row of the tables in question, with the number of its line.
fn rows(page: &str) -> Vec<(usize, &str)> {
    let mut rows = Vec::new();
    let mut in_table = false;
    for (at, line) in page.lines().enumerate() {
        let Some(cells) = line.trim().strip_prefix('|').and_then(|line| line.strip_suffix('|'))
        else {
            in_table = false;
            continue;
        };
        let last = cells.rsplit('|').next().unwrap_or_default().trim();
        if last == SHOWN_BY {
            in_table = true;
        } else if in_table && !last.chars().all(|c| c == '-') {
            rows.push((at + 1, last));
        }
    }
    rows
}

/// Whether what a code span names is there; `read` gives the text of a file.
fn exists(name: &str, read: &impl Fn(&str) -> Option<String>) -> bool {
    if let Some(command) = name.strip_prefix("cargo xtask ") {
        let task = command.split(' ').next().unwrap_or_default();
        return read(TASKS).is_some_and(|text| text.contains(&format!("\"{task}\" =>")));
    }
    match name.split_once(": ") {
        Some((path, test)) => read(path).is_some_and(|text| text.contains(&format!("fn {test}("))),
        None => read(name).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "| a | b |\n|---|---|\n| x | `no` |\n\n| promise | shown by |\n|---|---|\n\
                        | one | `cargo xtask crash --seed`, `a.rs: b` |\n| two | words |\n";

    #[test]
    fn only_the_tables_of_promises_are_read() {
        assert_eq!(rows(PAGE), [(7, "`cargo xtask crash --seed`, `a.rs: b`"), (8, "words")]);
    }

    #[test]
    fn names_are_looked_up() {
        let read = |path: &str| match path {
            TASKS => Some("\"crash\" => x,".to_owned()),
            "a.rs" => Some("async fn b() {}".to_owned()),
            _ => None,
        };
        for name in ["cargo xtask crash --seed", "a.rs", "a.rs: b"] {
            assert!(exists(name, &read), "{name}");
        }
        for name in ["cargo xtask crush", "b.rs", "a.rs: c", "a.rs: "] {
            assert!(!exists(name, &read), "{name}");
        }
    }
}
