//! The page "coming from JavaScript" against the source of JavaScript: each method, property, static, option and event has
//! a row in the table that it belongs to.

use std::collections::BTreeSet;
use std::path::Path;

use crate::report::{Miss, fail_on};
use crate::tree;

const PAGE: &str = "crates/hypercore/docs/coming_from_javascript.md";

/// Tables of the page, by their headings.
const METHODS: &str = "Methods";
const PROPERTIES: &str = "Properties";
const STATICS: &str = "Statics";
const EVENTS: &str = "Events";
const OPTIONS: [&str; 2] = ["Options of the constructor", "Options of calls"];
const OLDER: &str = "Version 10 only";

/// Words that open a line of code as a method does.
const NO_METHODS: [&str; 6] = ["constructor", "if", "for", "while", "switch", "catch"];

/// Options that only the code which prints a log for people knows.
const OF_INSPECTION: [&str; 2] = ["indentationLvl", "stylize"];

/// Whatever one version of JavaScript Hypercore offers.
#[derive(Debug, Default, PartialEq, Eq)]
struct Api {
    methods: BTreeSet<String>,
    properties: BTreeSet<String>,
    statics: BTreeSet<String>,
    options: BTreeSet<String>,
    events: BTreeSet<String>,
}

/// Checks the page against what npm brought; gives the number of rows.
pub(crate) fn check(modules: &Path) -> Result<usize, Miss> {
    let page = tree::read(Path::new(PAGE))?.unwrap_or_default();
    let rows = rows(&page);
    let has = |tables: &[&str], name: &str| {
        tables.iter().any(|table| rows.contains(&((*table).to_owned(), name.to_owned())))
    };
    let mut problems = Vec::new();
    for (module, older) in [("hypercore11", None), ("hypercore", Some(OLDER))] {
        let api = read(&modules.join(module))?;
        let kinds: [(&BTreeSet<String>, &[&str]); 5] = [
            (&api.methods, &[METHODS]),
            (&api.properties, &[PROPERTIES]),
            (&api.statics, &[STATICS]),
            (&api.options, &OPTIONS),
            (&api.events, &[EVENTS]),
        ];
        for (names, tables) in kinds {
            if names.is_empty() {
                problems.push(format!("{module}: nothing was found for {}", tables.concat()));
            }
            for name in names {
                let tables: Vec<&str> = tables.iter().copied().chain(older).collect();
                if !has(&tables, name) {
                    problems.push(format!("{PAGE}: no row for {name} of {module}: {tables:?}"));
                }
            }
        }
    }
    fail_on(&problems, "rows are missing")?;
    Ok(rows.len())
}

/// The tables' headings, each with a name that stands in the first cell of a row.
fn rows(page: &str) -> BTreeSet<(String, String)> {
    let mut table = "";
    let mut rows = BTreeSet::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("# ") {
            table = heading;
        } else if let Some((name, _)) =
            line.strip_prefix("| `").and_then(|cell| cell.split_once('`'))
        {
            // `get: wait`, `Batch.flush`, `batch()`
            let name = name.rsplit([' ', '.']).next().unwrap_or(name).trim_end_matches("()");
            rows.insert((table.to_owned(), name.to_owned()));
        }
    }
    rows
}

fn read(module: &Path) -> Result<Api, Miss> {
    let mut api = Api::default();
    let index = std::fs::read_to_string(module.join("index.js"))?;
    api.read_class(&index);
    api.read_options(&index);
    api.read_events(&index);
    for entry in std::fs::read_dir(module.join("lib"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "js") {
            api.read_events(&std::fs::read_to_string(path)?);
        }
    }
    Ok(api)
}

impl Api {
    /// Methods, getters and statics of the class, and what its constructor sets.
    fn read_class(&mut self, text: &str) {
        let class = text.lines().skip_while(|line| !line.contains("class Hypercore extends"));
        let mut is_in_constructor = false;
        for line in class.take_while(|line| *line != "}") {
            let Some(member) = line.strip_prefix("  ").filter(|member| !member.starts_with(' '))
            else {
                let set = line.strip_prefix("    this.").filter(|_| is_in_constructor);
                if let Some((name, _)) = set.and_then(|set| set.split_once(" =")) {
                    insert(&mut self.properties, name);
                }
                continue;
            };
            let is_static = member.starts_with("static ");
            let member = member.trim_start_matches("static ").trim_start_matches("async ");
            let is_getter = member.starts_with("get ");
            let member = member.trim_start_matches("get ");
            let name = member.split(['(', ' ']).next().unwrap_or_default();
            is_in_constructor = name == "constructor";
            if is_static {
                insert(&mut self.statics, name);
            } else if is_getter {
                insert(&mut self.properties, name);
            } else if member.ends_with('{') && member.contains('(') {
                insert(&mut self.methods, name);
            }
        }
    }

    fn read_options(&mut self, text: &str) {
        for (at, _) in text.match_indices("opts.") {
            let is_word = text[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric());
            let name = text[at + "opts.".len()..].split(|c: char| !c.is_alphanumeric()).next();
            let name = name.filter(|name| is_word && !OF_INSPECTION.contains(name));
            insert(&mut self.options, name.unwrap_or_default());
        }
    }

    fn read_events(&mut self, text: &str) {
        for after in text.split("emit('").skip(1) {
            insert(&mut self.events, after.split('\'').next().unwrap_or_default());
        }
    }
}

/// Takes in a name, unless it is private or none.
fn insert(names: &mut BTreeSet<String>, name: &str) {
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if is_name && !NO_METHODS.contains(&name) {
        names.insert(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        let mut api = Api::default();
        let text = "class Hypercore extends EventEmitter {\n  constructor(opts) {\n    this.key = opts.key\n    \
                    this._private = 1\n  }\n\n  static enable(flag) {\n  }\n\n  get length() {\n    \
                    this.other = 1\n  }\n\n  async append(blocks) {\n    this.emit('append')\n  }\n\n  \
                    _hidden() {\n  }\n}\n";
        api.read_class(text);
        api.read_options(text);
        api.read_events(text);
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let expected = Api {
            methods: set(&["append"]),
            properties: set(&["key", "length"]),
            statics: set(&["enable"]),
            options: set(&["key"]),
            events: set(&["append"]),
        };
        assert_eq!(api, expected);
    }

    #[test]
    fn rows_are_read() {
        let page =
            "# Methods\n\n| JavaScript | here |\n|---|---|\n| `get` | x |\n| `get: wait` | y |\n";
        let expected =
            [("Methods".to_owned(), "get".to_owned()), ("Methods".into(), "wait".into())];
        assert_eq!(rows(page), BTreeSet::from(expected));
    }
}
