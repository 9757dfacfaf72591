//! What pages and comments name must be there: files, tasks, examples, places in pages.
//!
//! A file may be named by the end of its path. What a link leads to is looked up from the page it is on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::report::Miss;
use crate::tree;

/// Ends of the names that are looked up.
const EXTENSIONS: [&str; 4] = [".md", ".rs", ".js", ".toml"];

/// Specifications that are not part of the project: `docs/format/README.md` tells of them.
const ELSEWHERE: [&str; 3] = ["formats.md", "wire.md", "pagers.md"];

/// Where the tasks are dispatched.
const TASKS: &str = "xtask/src/main.rs";

/// The page of decisions, which has contents at its top.
const DECISIONS: &str = "docs/decisions.md";

/// Checks all pages and comments and gives the number of names that were looked up.
pub(crate) fn check(files: &[PathBuf], problems: &mut Vec<String>) -> Result<usize, Miss> {
    let there = There {
        ends: files.iter().flat_map(|path| ends(&path.to_string_lossy())).collect(),
        tasks: tree::read(Path::new(TASKS))?.unwrap_or_default(),
    };
    let mut count = 0;
    for path in files {
        let is_page = path.extension().is_some_and(|end| end == "md");
        if !is_page && !path.extension().is_some_and(|end| end == "rs" || end == "js") {
            continue;
        }
        let Some(text) = tree::read(path)? else { continue };
        for (at, line) in text.lines().enumerate() {
            let line = if is_page { line } else { comment(line).unwrap_or_default() };
            let mut miss = |what: String| {
                problems.push(format!("{}:{}: there is no {what}", path.display(), at + 1));
            };
            let names = names(line);
            count += names.len();
            names.into_iter().filter(|name| !there.has(name)).for_each(|name| miss(name.text()));
            for link in links(line).filter(|_| is_page) {
                count += 1;
                if !leads_somewhere(path, &text, link)? {
                    miss(format!("place `{link}`"));
                }
            }
        }
        if path == Path::new(DECISIONS) {
            check_decisions(&text, problems);
        }
    }
    Ok(count)
}

/// What a line names.
#[derive(Debug, PartialEq, Eq)]
enum Name<'a> {
    File(&'a str),
    Task(&'a str),
    Example(&'a str),
}

impl Name<'_> {
    fn text(&self) -> String {
        match self {
            Self::File(name) => format!("file `{name}`"),
            Self::Task(name) => format!("task `{name}`"),
            Self::Example(name) => format!("example `{name}`"),
        }
    }
}

/// What can be named.
struct There {
    /// Paths below the root, and what is left of them without their first folders.
    ends: BTreeSet<String>,
    /// The text of [`TASKS`].
    tasks: String,
}

impl There {
    fn has(&self, name: &Name<'_>) -> bool {
        match name {
            Name::File(name) => self.ends.contains(*name) || tree::root().join(name).exists(),
            Name::Task(name) => self.tasks.contains(&format!("\"{name}\" =>")),
            Name::Example(name) => {
                let places = [format!("examples/{name}.rs"), format!("examples/{name}/main.rs")];
                places.iter().any(|place| self.ends.contains(place))
            }
        }
    }
}

fn ends(path: &str) -> Vec<String> {
    let ends = std::iter::successors(Some(path), |path| Some(path.split_once('/')?.1));
    ends.map(str::to_owned).collect()
}

/// The comment of a line of code.
fn comment(line: &str) -> Option<&str> {
    let at = line.find("//")?;
    // Inside of a text it is none.
    line[..at].matches('"').count().is_multiple_of(2).then(|| &line[at..])
}

fn names(line: &str) -> Vec<Name<'_>> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_-./*".contains(c);
    let words = line.split(|c| !is_word(c)).map(|word| word.trim_end_matches('.'));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let files = words.iter().filter_map(|word| {
        let name = word.trim_start_matches("../").trim_start_matches("./");
        let is_file = EXTENSIONS.iter().any(|end| name.len() > end.len() && name.ends_with(end));
        let is_here = !name.starts_with('/') && !name.contains('*') && !ELSEWHERE.contains(&name);
        (is_file && is_here).then_some(Name::File(name))
    });
    let tasks = words.windows(3).filter_map(|words| match words {
        ["cargo", "xtask", task] if task.starts_with(|c: char| c.is_ascii_lowercase()) => {
            Some(Name::Task(task))
        }
        _ => None,
    });
    let examples = words.windows(2).filter_map(|words| match words {
        ["--example", name] => Some(Name::Example(name)),
        _ => None,
    });
    files.chain(tasks).chain(examples).collect()
}

/// What the links of a line of a page lead to, but for those that leave the project.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let links = line.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    // Others lead out of the project, or to items, which rustdoc looks up.
    links.filter(|link| link.contains(['.', '#']) && !link.contains(':'))
}

fn leads_somewhere(page: &Path, text: &str, link: &str) -> Result<bool, Miss> {
    let (file, place) = link.split_once('#').unwrap_or((link, ""));
    if file.is_empty() {
        return Ok(has_heading(text, place));
    }
    let path = page.with_file_name(file);
    if !tree::root().join(&path).exists() {
        return Ok(false);
    }
    Ok(place.is_empty() || tree::read(&path)?.is_some_and(|text| has_heading(&text, place)))
}

fn has_heading(text: &str, place: &str) -> bool {
    text.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == place)
}

/// What a heading is called in a link.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Every part is in the contents, and every decision says what, why, and what it costs.
fn check_decisions(text: &str, problems: &mut Vec<String>) {
    let contents: Vec<&str> = text.lines().flat_map(links).collect();
    for part in text.lines().filter(|line| line.starts_with("## ")) {
        if !contents.contains(&format!("#{}", anchor(part)).as_str()) {
            problems.push(format!(
                "{DECISIONS}: `{part}` is no part of the contents; a decision is `### ...`"
            ));
        }
    }
    for decision in text.split("\n### ").skip(1) {
        let title = decision.lines().next().unwrap_or_default();
        for mark in ["\n*What.* ", "\n*Why.* ", "\n*Costs.* "] {
            if decision.matches(mark).count() != 1 {
                problems.push(format!("{DECISIONS}: `{title}` has not one {}", mark.trim()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        let line = "See `docs/a.md`, ../b.rs. `cargo xtask crash --seed`, --example draw, x.rsx, *.md, formats.md 3";
        let expected = [
            Name::File("docs/a.md"),
            Name::File("b.rs"),
            Name::Task("crash"),
            Name::Example("draw"),
        ];
        assert_eq!(names(line), expected);
        assert_eq!(names("https://example.org/a.md"), []);
        assert_eq!(names("cargo xtask TASK"), []);
    }

    #[test]
    fn only_comments_of_code_are_read() {
        assert_eq!(comment("let a = 1; // b"), Some("// b"));
        assert_eq!(comment("let a = \"https://example.org\";"), None);
        assert_eq!(comment("let a = 1;"), None);
    }

    #[test]
    fn a_name_is_the_end_of_a_path() {
        let there = There {
            ends: ["a/src/b.rs", "a/examples/c/main.rs"].into_iter().flat_map(ends).collect(),
            tasks: "\"crash\" => x,".to_owned(),
        };
        for name in
            [Name::File("b.rs"), Name::File("src/b.rs"), Name::Task("crash"), Name::Example("c")]
        {
            assert!(there.has(&name), "{name:?}");
        }
        for name in
            [Name::File("rc/b.rs"), Name::File("c.rs"), Name::Task("crush"), Name::Example("b")]
        {
            assert!(!there.has(&name), "{name:?}");
        }
    }

    #[test]
    fn links_lead_to_headings() {
        let text =
            "# Page\n[a](#the-b-of-c) [d](#the-e) [f](https://example.org/)\n## The `b` of c\n";
        let found: Vec<bool> =
            text.lines().flat_map(links).map(|link| has_heading(text, &link[1..])).collect();
        assert_eq!(found, [true, false]);
    }

    #[test]
    fn a_decision_has_its_place_and_its_three_parts() {
        let good = "[P](#p)\n\n## P\n\n### D\n\n*What.* a\n*Why.* b\n*Costs.* c\n";
        for (text, expected) in [
            (good.to_owned(), 0),
            (format!("{good}\n## Q\n"), 1),
            (good.replace("*Why.* b\n", ""), 1),
            (format!("{good}*Costs.* d\n"), 1),
        ] {
            let mut problems = Vec::new();
            check_decisions(&text, &mut problems);
            assert_eq!(problems.len(), expected, "{problems:?}");
        }
    }
}
