//! One directory that the `hypercore` command and JavaScript take turns on,
//! and what must be in it.

use std::fmt;
use std::path::Path;

use serde_json::{Value, json};

use crate::tree;

use super::driver::{Side, Sides};
use super::model::equal;
use super::program::Program;

/// How a directory is made, and what every later opening needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// Who makes it; `Side::Rust` is the command.
    pub(super) maker: Side,
    pub(super) key: Key,
    pub(super) is_encrypted: bool,
    /// What the command is told to promise.
    pub(super) durability: &'static str,
}

/// What the log's key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// A random key pair. The command's first append makes the directory.
    Random,
    /// A random key pair, and the public key is the log's key.
    RandomCompat,
    Seed,
    SeedCompat,
    /// One signer with a namespace of its own. Not more: for those JavaScript stores a bare
    /// signature when it appends, which its own verifier refuses.
    Manifest,
}

const SEED: u8 = 0x11;
const NAMESPACE: u8 = 0x22;
const ENCRYPTION_KEY: u8 = 0xee;

/// Figures over all directories.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) directories: u64,
    pub(super) runs: u64,
    pub(super) comparisons: u64,
    pub(super) blocks: u64,
    pub(super) refusals: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { directories, runs, comparisons, blocks, refusals } = self;
        write!(
            f,
            "{directories} directories of the command, {runs} runs of it, \
             {comparisons} comparisons, {blocks} blocks, {refusals} openings refused"
        )
    }
}

/// How the command cuts files into blocks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cut {
    Whole,
    Lines,
    Chunks(usize),
}

/// A directory and the dullest possible model of it.
#[derive(Debug)]
pub(super) struct Directory<'a> {
    kind: Kind,
    dir: &'a str,
    pub(super) program: Program,
    blocks: Vec<Block>,
    fork: u64,
    /// From the one who made it, until the end.
    key: Option<String>,
    manifest: Option<String>,
}

#[derive(Debug)]
struct Block {
    content: Vec<u8>,
    is_here: bool,
}

impl<'a> Directory<'a> {
    pub(super) fn new(kind: Kind, dir: &'a str, binary: &Path) -> Self {
        let mut common = vec!["--durability".to_owned(), kind.durability.to_owned()];
        if kind.is_encrypted {
            common.extend(["--encryption-key".to_owned(), hex(ENCRYPTION_KEY)]);
        }
        let program = Program::new(binary, common);
        Self { kind, dir, program, blocks: Vec::new(), fork: 0, key: None, manifest: None }
    }

    pub(super) const fn length(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// Makes it, empty, by its maker; the key must be the one that both would derive.
    pub(super) fn make(&mut self, sides: &mut Sides) -> Result<(), String> {
        let key = self.kind.key;
        let is_compat = matches!(key, Key::RandomCompat | Key::SeedCompat);
        if key == Key::Manifest {
            let manifest =
                json!({ "op": "manifest", "seed": hex(SEED), "namespace": hex(NAMESPACE) });
            let answer = self.call(sides, &manifest)?;
            self.manifest = answer["manifest"].as_str().map(str::to_owned);
        }
        let seed = hex(SEED);
        let is_seeded = matches!(key, Key::Seed | Key::SeedCompat | Key::Manifest);

        let made = if self.kind.maker == Side::JavaScript {
            let mut open = self.open_command();
            open["compat"] = is_compat.into();
            open["create"] = true.into();
            if is_seeded {
                open["seed"] = seed.clone().into();
            }
            open["manifest"] = self.manifest.clone().into();
            self.call(sides, &open)?;
            let state = self.call(sides, &json!({ "op": "state" }))?;
            self.call(sides, &json!({ "op": "close" }))?;
            state["key"].clone()
        } else if key == Key::Random {
            // The first append makes it; what key it took, the first comparison learns.
            return Ok(());
        } else {
            let file = format!("{}.manifest", self.dir);
            let mut arguments = vec!["new", self.dir];
            if is_compat {
                arguments.push("--compat");
            }
            if is_seeded {
                arguments.extend(["--seed", &seed]);
            }
            if let Some(manifest) = &self.manifest {
                std::fs::write(&file, manifest).map_err(|error| error.to_string())?;
                arguments.extend(["--manifest", &file]);
            }
            self.program.object(&arguments)?["key"].clone()
        };
        self.key = made.as_str().map(str::to_owned);

        if is_seeded {
            let derive = match &self.manifest {
                Some(manifest) => json!({ "op": "key", "manifest": manifest }),
                None => json!({ "op": "key", "seed": seed, "compat": is_compat }),
            };
            let derived = self.call(sides, &derive)?;
            equal("the derived key", &derived["key"], &made)?;
        }
        Ok(())
    }

    /// Appends files of the project by the command; without `files` the text of `stdin`.
    pub(super) fn append(
        &mut self,
        cut: Cut,
        files: &[&str],
        stdin: Option<&str>,
    ) -> Result<(), String> {
        let before = self.blocks.len();
        for file in files.iter().copied().chain(stdin) {
            let text = std::fs::read(tree::root().join(file)).map_err(|error| error.to_string())?;
            match cut {
                Cut::Whole => self.push(text),
                Cut::Lines => {
                    let text = text.strip_suffix(b"\n").unwrap_or(&text);
                    text.split(|byte| *byte == b'\n').for_each(|line| self.push(line.to_vec()));
                }
                Cut::Chunks(len) => text.chunks(len).for_each(|chunk| self.push(chunk.to_vec())),
            }
        }

        let chunk = if let Cut::Chunks(len) = cut { len.to_string() } else { String::new() };
        let mut arguments = vec!["append", self.dir, "--json"];
        match cut {
            Cut::Whole => {}
            Cut::Lines => arguments.push("--lines"),
            Cut::Chunks(_) => arguments.extend(["--chunk", &chunk]),
        }
        arguments.extend(files);
        let path = stdin.map(|file| tree::root().join(file));
        let stdout = self.program.run_with(&arguments, path.as_deref())?;
        let told: Value = serde_json::from_slice(&stdout).map_err(|error| error.to_string())?;
        equal("length", &told["length"], &self.length().into())?;
        equal("appended", &told["appended"], &(self.blocks.len() - before).into())
    }

    /// Appends files by JavaScript, a block each.
    pub(super) fn append_in_javascript(
        &mut self,
        sides: &mut Sides,
        files: &[&str],
    ) -> Result<(), String> {
        let paths: Vec<_> = files.iter().map(|file| tree::root().join(file)).collect();
        self.in_javascript(sides, &json!({ "op": "append", "files": paths }))?;
        for path in &paths {
            let content = std::fs::read(path).map_err(|error| error.to_string())?;
            self.push(content);
        }
        Ok(())
    }

    /// Drops the content of blocks.
    pub(super) fn clear(
        &mut self,
        sides: &mut Sides,
        side: Side,
        start: u64,
        end: u64,
    ) -> Result<(), String> {
        if side == Side::JavaScript {
            self.in_javascript(sides, &json!({ "op": "clear", "start": start, "end": end }))?;
        } else {
            self.program.object(&["clear", self.dir, &format!("{start}..{end}")])?;
        }
        self.blocks[start as usize..end as usize]
            .iter_mut()
            .for_each(|block| block.is_here = false);
        Ok(())
    }

    /// Shortens the log; the fork rises by `rise`.
    pub(super) fn truncate(
        &mut self,
        sides: &mut Sides,
        side: Side,
        length: u64,
        rise: u64,
    ) -> Result<(), String> {
        self.fork += rise;
        if side == Side::JavaScript {
            let truncate = json!({ "op": "truncate", "length": length, "fork": self.fork });
            self.in_javascript(sides, &truncate)?;
        } else {
            let (length, fork) = (length.to_string(), self.fork.to_string());
            let mut arguments = vec!["truncate", self.dir, &length];
            if rise != 1 {
                arguments.extend(["--fork", &fork]);
            }
            self.program.object(&arguments)?;
        }
        self.blocks.truncate(length as usize);
        Ok(())
    }

    /// Goes on in a backup of it, which JavaScript opens as well, and which the command writes to once it is confirmed.
    pub(super) fn restore(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let (dir, copy) = (self.dir, format!("{}.backup", self.dir));
        self.program.object(&["backup", dir, &copy])?;
        std::fs::remove_dir_all(dir)
            .and_then(|()| std::fs::rename(&copy, dir))
            .map_err(|error| error.to_string())?;
        for arguments in [&["append", dir, "README.md"][..], &["truncate", dir, "0"]] {
            self.program.refused(arguments, 4)?;
            tally.refusals += 1;
        }
        let state = self.in_javascript(sides, &json!({ "op": "state" }))?;
        equal("JavaScript's length", &state["length"], &self.length().into())?;
        self.program.run(&["confirm-newest", dir])?;
        Ok(())
    }

    /// While JavaScript has it open, the command is told so; while the command
    /// has it open, JavaScript is.
    pub(super) fn lock(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let dir = self.dir;
        self.call(sides, &self.open_command())?;
        let end = self.length().to_string();
        for arguments in [
            &["append", dir, "README.md"][..],
            &["truncate", dir, "0"],
            &["clear", dir, &format!("0..{end}")],
            &["info", dir],
        ] {
            self.program.refused(arguments, 6)?;
            tally.refusals += 1;
        }
        self.call(sides, &json!({ "op": "close" }))?;

        let waiting = self.program.start(&["append", dir, "--lines"])?;
        match self.call(sides, &self.open_command()) {
            Err(what) if what.contains("ELOCKED") => tally.refusals += 1,
            Err(what) => return Err(format!("JavaScript should have found a lock: {what}")),
            Ok(_) => return Err("JavaScript opened what the command has open".into()),
        }
        waiting.finish(b"from\n\na pipe\n")?;
        ["from", "", "a pipe"].iter().for_each(|line| self.push(line.as_bytes().to_vec()));
        Ok(())
    }

    /// JavaScript opens and closes it, the command describes, lists, reads and
    /// verifies it: all must be what the model says.
    pub(super) fn compare(&mut self, sides: &mut Sides, tally: &mut Tally) -> Result<(), String> {
        let dir = self.dir;
        // The command first: what JavaScript left is read before JavaScript touches it again.
        let info = self.program.object(&["info", dir])?;
        let listed = self.program.json(&["ls", dir])?;
        let report = self.program.object(&["verify", dir])?;
        let state = json!({ "op": "state", "blocks": true, "digest": "sha256" });
        let state = self.in_javascript(sides, &state)?;

        let bytes: u64 = self.blocks.iter().map(|block| block.content.len() as u64).sum();
        let missing = self.blocks.iter().filter(|block| !block.is_here).count() as u64;
        let contiguous = self.blocks.iter().take_while(|block| block.is_here).count() as u64;
        let key = self.key.get_or_insert_with(|| text(&info["key"]).to_owned()).clone();
        let (length, fork) = (self.length(), self.fork);
        let is_compat = matches!(self.kind.key, Key::RandomCompat | Key::SeedCompat);
        for (name, said, wanted) in [
            ("key", &info["key"], json!(key)),
            ("length", &info["length"], json!(length)),
            ("byte_length", &info["byte_length"], json!(bytes)),
            ("contiguous_length", &info["contiguous_length"], json!(contiguous)),
            ("fork", &info["fork"], json!(fork)),
            ("compat", &info["compat"], json!(is_compat)),
            ("writable", &info["writable"], json!(true)),
            ("verify ok", &report["ok"], json!(true)),
            ("verify length", &report["length"], json!(length)),
            ("verify checked", &report["checked"], json!(length - missing)),
            ("verify missing", &report["missing"], json!(missing)),
            ("JavaScript's key", &state["key"], json!(key)),
            ("JavaScript's length", &state["length"], json!(length)),
            ("JavaScript's byteLength", &state["byteLength"], json!(bytes)),
            ("JavaScript's fork", &state["fork"], json!(fork)),
            ("JavaScript's treeHash", &state["treeHash"], info["tree_hash"].clone()),
        ] {
            equal(name, said, &wanted)?;
        }
        self.compare_blocks(&listed, &state)?;
        self.compare_content()?;
        tally.comparisons += 1;
        tally.blocks += length;
        Ok(())
    }

    /// Each block by its hash: what the command lists and what JavaScript read.
    fn compare_blocks(&self, listed: &[Value], state: &Value) -> Result<(), String> {
        let mut listed = listed.iter();
        let read = state["blocks"].as_array().ok_or("JavaScript read no blocks")?;
        equal("JavaScript's blocks", &read.len().into(), &self.length().into())?;
        for (index, (block, sha256)) in self.blocks.iter().zip(read).enumerate() {
            if !block.is_here {
                equal(&format!("JavaScript's block {index}"), sha256, &Value::Null)?;
                continue;
            }
            let line = listed.next().ok_or_else(|| format!("block {index} is not listed"))?;
            equal("the next listed block", &line["index"], &index.into())?;
            equal(&format!("bytes of block {index}"), &line["bytes"], &block.content.len().into())?;
            equal(&format!("sha256 of block {index}"), &line["sha256"], sha256)?;
        }
        listed.next().map_or(Ok(()), |line| Err(format!("listed but not there: {line}")))
    }

    /// The bytes themselves: the longest run of blocks, one block, and one that is missing.
    fn compare_content(&mut self) -> Result<(), String> {
        let run = longest_run(&self.blocks);
        let content: Vec<u8> =
            self.blocks[run.clone()].iter().flat_map(|block| block.content.clone()).collect();
        let blocks = format!("{}..{}", run.start, run.end);
        if self.program.run(&["cat", self.dir, "--blocks", &blocks])? != content {
            return Err(format!("cat gave other bytes for the blocks {blocks}"));
        }
        if let Some(last) = run.last() {
            let block = self.program.run(&["get", self.dir, &last.to_string()])?;
            if block != self.blocks[last].content {
                return Err(format!("get gave other bytes for block {last}"));
            }
        }
        if let Some(missing) = self.blocks.iter().position(|block| !block.is_here) {
            self.program.refused(&["get", self.dir, &missing.to_string()], 3)?;
        }
        Ok(())
    }

    /// One command of the driver on the open directory, between opening and closing it.
    fn in_javascript(&mut self, sides: &mut Sides, command: &Value) -> Result<Value, String> {
        self.call(sides, &self.open_command())?;
        let answer = self.call(sides, command)?;
        self.call(sides, &json!({ "op": "close" }))?;
        Ok(answer)
    }

    /// Opens what is there with what is stored: no key pair is given.
    fn open_command(&self) -> Value {
        let mut open = json!({ "op": "open", "dir": self.dir, "create": false });
        if self.kind.is_encrypted {
            open["encryptionKey"] = hex(ENCRYPTION_KEY).into();
        }
        open
    }

    fn call(&mut self, sides: &mut Sides, command: &Value) -> Result<Value, String> {
        self.program.log.push_str(&format!("javascript {command}\n"));
        let answer = sides.of(Side::JavaScript).call(command);
        answer.map_err(|what| format!("JavaScript's {}: {what}", text(&command["op"])))
    }

    fn push(&mut self, content: Vec<u8>) {
        self.blocks.push(Block { content, is_here: true });
    }
}

/// The longest run of blocks that are here; empty when there is none.
fn longest_run(blocks: &[Block]) -> std::ops::Range<usize> {
    let mut longest = 0..0;
    let mut start = 0;
    for (index, block) in blocks.iter().enumerate() {
        if !block.is_here {
            start = index + 1;
        } else if index + 1 - start > longest.len() {
            longest = start..index + 1;
        }
    }
    longest
}

/// 32 times the same byte, as digits.
fn hex(byte: u8) -> String {
    format!("{byte:02x}").repeat(32)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
