//! The tables of `docs/format/*.md` against the constants of the code.
//!
//! A table whose header starts `| constant | value |` names constants: one row
//! each, `NAME` or `crate-name::NAME`, with the value as a number or a small
//! expression (`4096`, `0x1000`, `15 * 1024 * 1024`, `1 << 30`), or as a literal.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::report::Miss;
use crate::tree;

/// Figures of the check.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) matched: usize,
    pub(crate) tables: usize,
}

/// A constant as it stands in the code.
#[derive(Debug, Clone)]
struct Constant {
    crate_name: String,
    expression: String,
}

type Constants = BTreeMap<String, Vec<Constant>>;

/// Compares every row; what differs or is missing goes to `problems`.
pub(crate) fn check(
    files: &[PathBuf],
    sources: &[(PathBuf, String)],
    problems: &mut Vec<String>,
) -> Result<Rows, Miss> {
    let constants = constants(sources);
    let mut rows = Rows::default();
    for path in files {
        let is_markdown = path.extension().is_some_and(|extension| extension == "md");
        if is_markdown && path.starts_with("docs/format") {
            let text = tree::read(path)?.unwrap_or_default();
            check_page(path, &text, &constants, &mut rows, problems);
        }
    }
    Ok(rows)
}

fn check_page(
    path: &Path,
    text: &str,
    constants: &Constants,
    rows: &mut Rows,
    problems: &mut Vec<String>,
) {
    let mut is_in_table = false;
    for (number, line) in text.lines().enumerate() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        if !line.trim_start().starts_with('|') || cells.len() < 2 {
            is_in_table = false;
            continue;
        }
        if cells[0].eq_ignore_ascii_case("constant") {
            is_in_table = true;
            rows.tables += 1;
            continue;
        }
        if !is_in_table || cells[0].chars().all(|c| "-: ".contains(c)) {
            continue;
        }
        match check_row(unquoted(cells[0]), unquoted(cells[1]), constants) {
            Ok(()) => rows.matched += 1,
            Err(what) => problems.push(format!("{}:{}: {what}", path.display(), number + 1)),
        }
    }
}

fn check_row(name: &str, value: &str, constants: &Constants) -> Result<(), String> {
    let (crate_name, name) = match name.rsplit_once("::") {
        Some((crate_name, name)) => (Some(crate_name.replace('_', "-")), name),
        None => (None, name),
    };
    let found: Vec<&Constant> = constants
        .get(name)
        .into_iter()
        .flatten()
        .filter(|constant| crate_name.as_ref().is_none_or(|wanted| *wanted == constant.crate_name))
        .collect();
    if found.is_empty() {
        return Err(format!("no crate has a constant {name}"));
    }
    for constant in found {
        if !is_same(value, constant, constants) {
            return Err(format!(
                "{name} is {value} here and {} in {}",
                constant.expression, constant.crate_name
            ));
        }
    }
    Ok(())
}

fn is_same(value: &str, constant: &Constant, constants: &Constants) -> bool {
    if squeezed(value) == squeezed(&constant.expression) {
        return true;
    }
    let said = evaluate(value, None, constants, 0);
    let coded = evaluate(&constant.expression, Some(&constant.crate_name), constants, 0);
    said.is_some() && said == coded
}

/// The inside of the first pair of backticks, or the whole cell.
fn unquoted(cell: &str) -> &str {
    cell.split('`').nth(1).unwrap_or(cell).trim()
}

fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '_').collect()
}

/// Every `const NAME: Type = expression;` of the sources.
fn constants(sources: &[(PathBuf, String)]) -> Constants {
    let mut constants = Constants::new();
    for (path, text) in sources {
        let Some(crate_name) = path.components().nth(1) else { continue };
        let crate_name = crate_name.as_os_str().to_string_lossy().into_owned();
        let text: String = text
            .lines()
            .map(|line| line.split("//").next().unwrap_or_default())
            .collect::<Vec<_>>()
            .join(" ");
        for declaration in text.split("const ").skip(1) {
            let Some((name, rest)) = declaration.split_once(':') else { continue };
            let Some((head, rest)) = rest.split_once('=') else { continue };
            let Some((expression, _)) = rest.split_once(';') else { continue };
            let is_name =
                name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            // The `;` of an array type (`[u8; 4]`) comes before the `=`.
            if is_name && !name.is_empty() && !head.contains(['{', '(']) {
                let expression = expression.trim().to_owned();
                let constant = Constant { crate_name: crate_name.clone(), expression };
                constants.entry(name.to_owned()).or_default().push(constant);
            }
        }
    }
    constants
}

/// Depth of names and parentheses one expression may have.
const DEPTH_MAX: u32 = 16;

/// The value of a constant expression over integers.
fn evaluate(
    text: &str,
    crate_name: Option<&str>,
    constants: &Constants,
    depth: u32,
) -> Option<u128> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, crate_name, constants, depth };
    let value = parser.shift()?;
    (parser.at == tokens.len()).then_some(value)
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Number(u128),
    Name(String),
    Sign(&'static str),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first.is_ascii_alphanumeric() || first == '_' {
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            tokens.push(word(&rest[..end])?);
            rest = rest[end..].trim_start();
            continue;
        }
        let sign =
            ["<<", "+", "-", "*", "/", "(", ")"].into_iter().find(|sign| rest.starts_with(sign))?;
        tokens.push(Token::Sign(sign));
        rest = rest[sign.len()..].trim_start();
    }
    Some(tokens)
}

fn word(word: &str) -> Option<Token> {
    if !word.starts_with(|c: char| c.is_ascii_digit()) {
        let name = word.rsplit("::").next()?;
        return Some(Token::Name(name.to_owned()));
    }
    let digits = word.replace('_', "");
    let (digits, radix) = match digits.get(..2) {
        Some("0x") => (digits[2..].to_owned(), 16),
        Some("0b") => (digits[2..].to_owned(), 2),
        _ => (digits, 10),
    };
    // A type suffix: never part of hexadecimal digits, `u` and `i` are not among them.
    let end = digits.find(['u', 'i']).unwrap_or(digits.len());
    u128::from_str_radix(&digits[..end], radix).ok().map(Token::Number)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    crate_name: Option<&'a str>,
    constants: &'a Constants,
    depth: u32,
}

impl Parser<'_> {
    fn take(&mut self, signs: &[&'static str]) -> Option<&'static str> {
        let Some(Token::Sign(sign)) = self.tokens.get(self.at) else { return None };
        signs.contains(sign).then(|| {
            self.at += 1;
            *sign
        })
    }

    fn shift(&mut self) -> Option<u128> {
        let mut value = self.sum()?;
        while self.take(&["<<"]).is_some() {
            value = value.checked_shl(u32::try_from(self.sum()?).ok()?)?;
        }
        Some(value)
    }

    fn sum(&mut self) -> Option<u128> {
        let mut value = self.product()?;
        while let Some(sign) = self.take(&["+", "-"]) {
            let right = self.product()?;
            value =
                if sign == "+" { value.checked_add(right)? } else { value.checked_sub(right)? };
        }
        Some(value)
    }

    fn product(&mut self) -> Option<u128> {
        let mut value = self.atom()?;
        while let Some(sign) = self.take(&["*", "/"]) {
            let right = self.atom()?;
            value =
                if sign == "*" { value.checked_mul(right)? } else { value.checked_div(right)? };
        }
        Some(value)
    }

    fn atom(&mut self) -> Option<u128> {
        if self.depth > DEPTH_MAX {
            return None;
        }
        let value = if self.take(&["("]).is_some() {
            self.depth += 1;
            let value = self.shift()?;
            self.depth -= 1;
            self.take(&[")"])?;
            value
        } else {
            let token = self.tokens.get(self.at)?;
            self.at += 1;
            match token {
                Token::Number(value) => *value,
                Token::Name(name) => self.named(name)?,
                Token::Sign(_) => return None,
            }
        };
        self.skip_cast();
        Some(value)
    }

    /// Another constant: of the same crate where there is one.
    fn named(&self, name: &str) -> Option<u128> {
        let all = self.constants.get(name)?;
        let same =
            all.iter().find(|constant| Some(constant.crate_name.as_str()) == self.crate_name);
        let constant = same.or(all.first())?;
        evaluate(&constant.expression, Some(&constant.crate_name), self.constants, self.depth + 1)
    }

    /// `as u64` changes no value that fits, and those that do not are not constants.
    fn skip_cast(&mut self) {
        if self.tokens.get(self.at) == Some(&Token::Name("as".to_owned())) {
            self.at += 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Constants {
        let source = "pub const PAGE_LEN: usize = 4096; // bytes\n\
                      const ENTRY_LEN: u64 = (PAGE_LEN as u64) * 2;\n\
                      /// The limit.\npub const BLOCK_LEN_MAX: usize = 15 * 1024 * 1024;\n\
                      const MAGIC: [u8; 4] = [5, 2, 0x57, 2];\n\
                      const fn not_one(x: u8) -> u8 { x }\nconst BIG: u64 = 1 << 30;";
        constants(&[(PathBuf::from("crates/some-crate/src/lib.rs"), source.to_owned())])
    }

    fn check_one(name: &str, value: &str) -> bool {
        check_row(name, value, &sample()).is_ok()
    }

    #[test]
    fn values_are_compared_as_numbers() {
        assert!(check_one("PAGE_LEN", "4096"));
        assert!(check_one("PAGE_LEN", "0x1000"));
        assert!(check_one("PAGE_LEN", "4_096"));
        assert!(check_one("ENTRY_LEN", "8192"));
        assert!(check_one("BLOCK_LEN_MAX", "15728640"));
        assert!(check_one("some-crate::BLOCK_LEN_MAX", "15 * 1024 * 1024"));
        assert!(check_one("BIG", "1073741824"));
        assert!(check_one("MAGIC", "[5, 2, 0x57, 2]"));
    }

    #[test]
    fn what_differs_is_told() {
        assert!(!check_one("PAGE_LEN", "4095"));
        assert!(!check_one("ABSENT", "1"));
        assert!(!check_one("other-crate::PAGE_LEN", "4096"));
        assert!(!check_one("PAGE_LEN", "4096 +"));
    }

    #[test]
    fn only_tables_of_constants_are_read() {
        let page = "| offset | bytes |\n|---|---|\n| 0 | 4 |\n\n| constant | value | meaning |\n|---|---|---|\n\
                    | `PAGE_LEN` | `4096` bytes | a page |\n| `BIG` | 2 | wrong |\n";
        let mut rows = Rows::default();
        let mut problems = Vec::new();
        check_page(Path::new("docs/format/x.md"), page, &sample(), &mut rows, &mut problems);
        assert_eq!((rows.tables, rows.matched), (1, 1));
        assert_eq!(problems, ["docs/format/x.md:8: BIG is 2 here and 1 << 30 in some-crate"]);
    }
}
