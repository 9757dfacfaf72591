//! One side of a scenario: JavaScript 10 or 11, the facade, or the `hypercore` command.
//!
//! The first three are driver processes that speak the protocol of interop/peer.js. The command
//! shares with `serve` and fetches with `clone`; what is written into its directories, the driver of
//! the facade writes before.

mod fetching;
mod local;

use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;

use serde_json::{Value, json};

use crate::interop::driver::{Driver, hashes};
use crate::interop::model::Spec;
use crate::interop::program::json_lines;
use crate::process::program;

use super::model::Model;
use super::running::Running;
use super::stage::Stage;

/// Time that a wait inside of a driver may take, in milliseconds: less than a driver's answer.
const WAIT_MS: u64 = 150_000;

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::interop) enum Kind {
    Js10,
    Js11,
    Facade,
    Command,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Js10 => "js10",
            Self::Js11 => "js11",
            Self::Facade => "facade",
            Self::Command => "command",
        }
    }

    pub(super) const fn is_ours(self) -> bool {
        matches!(self, Self::Facade | Self::Command)
    }
}

/// What a reader asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Wish {
    /// Ranges by their start and end. Everything, when there is none.
    pub(super) blocks: Vec<(u64, u64)>,
    /// Goes on with what is appended.
    pub(super) is_live: bool,
}

impl Wish {
    pub(super) fn all() -> Self {
        Self::default()
    }

    pub(super) fn live() -> Self {
        Self { blocks: Vec::new(), is_live: true }
    }

    pub(super) fn blocks(blocks: &[(u64, u64)]) -> Self {
        Self { blocks: blocks.to_vec(), is_live: false }
    }

    /// What has to be there when it is fulfilled.
    fn held(&self, model: &Model) -> Vec<(u64, u64)> {
        if self.blocks.is_empty() { vec![(0, model.length())] } else { self.blocks.clone() }
    }
}

/// A core of an actor.
#[derive(Debug)]
struct Core {
    name: String,
    dir: PathBuf,
    key: String,
    /// How to open it again.
    opening: Value,
    is_open: bool,
}

/// One side.
#[derive(Debug)]
pub(super) struct Actor {
    pub(super) kind: Kind,
    name: String,
    stage: Rc<Stage>,
    driver: Option<Driver>,
    cores: Vec<Core>,
    at: usize,
    serving: Option<Running>,
    cloning: Option<Running>,
    /// What its own cores are encrypted with, and what `hypercore` reads blocks with.
    pub(super) encryption_key: Option<String>,
    /// It is a block key.
    pub(super) is_block_key: bool,
}

impl Actor {
    pub(super) fn new(stage: &Rc<Stage>, name: &str, kind: Kind) -> Self {
        Self {
            kind: stage.stand_in(kind),
            name: name.to_owned(),
            stage: Rc::clone(stage),
            driver: None,
            cores: Vec::new(),
            at: 0,
            serving: None,
            cloning: None,
            encryption_key: None,
            is_block_key: false,
        }
    }

    /// The core that what follows is about, by the order of opening.
    pub(super) fn at(&mut self, index: usize) -> &mut Self {
        self.at = index;
        self
    }

    pub(super) fn key(&self) -> &str {
        &self.cores[self.at].key
    }

    // ------------------------------------------------------------ own cores

    /// Makes a core to write to; its key comes of the name of the actor.
    pub(super) fn make(&mut self, manifest: &str) -> Result<(), String> {
        self.make_after(manifest, &Value::Null)
    }

    /// Makes one whose manifest has a prologue.
    pub(super) fn make_after(&mut self, manifest: &str, prologue: &Value) -> Result<(), String> {
        let (encryption_key, is_block_key) = (self.encryption_key.clone(), self.is_block_key);
        let seed = self.seed();
        self.open(json!({
            "seed": seed,
            "manifest": manifest,
            "prologue": prologue,
            "encryptionKey": encryption_key,
            "block": is_block_key,
        }))
    }

    /// Makes a copy of somebody else's core.
    pub(super) fn copy(&mut self, key: &str) -> Result<(), String> {
        if self.kind == Kind::Command {
            let core = self.core(key, Value::Null);
            self.cores.push(core);
            self.at = self.cores.len() - 1;
            return Ok(());
        }
        self.open(json!({ "key": key }))
    }

    fn seed(&self) -> String {
        let mut seed = format!("{:02x}", self.cores.len() + 1);
        for byte in self.name.bytes().cycle().take(31) {
            seed.push_str(&format!("{byte:02x}"));
        }
        seed
    }

    fn core(&self, key: &str, opening: Value) -> Core {
        let name = format!("{}-{}", self.name, self.cores.len());
        let dir = self.stage.work.join(&name);
        Core { name, dir, key: key.to_owned(), opening, is_open: false }
    }

    fn open(&mut self, opening: Value) -> Result<(), String> {
        let core = self.core("", opening);
        self.cores.push(core);
        self.at = self.cores.len() - 1;
        self.reopen()
    }

    /// Opens the core if it is closed: after `close`, after a kill, or after `serve`.
    pub(super) fn reopen(&mut self) -> Result<(), String> {
        let core = &self.cores[self.at];
        if core.is_open {
            return Ok(());
        }
        let mut command = core.opening.clone();
        command["op"] = "open".into();
        command["core"] = core.name.as_str().into();
        command["dir"] = core.dir.to_string_lossy().into();
        let answer = self.call(&command)?;
        let core = &mut self.cores[self.at];
        core.is_open = true;
        core.key = answer["key"].as_str().unwrap_or_default().to_owned();
        Ok(())
    }

    /// Closes the cores that are open, and ends all connections.
    pub(super) fn close(&mut self) -> Result<(), String> {
        if self.driver.is_none() {
            return Ok(());
        }
        self.call(&json!({ "op": "disconnect" }))?;
        for index in 0..self.cores.len() {
            if std::mem::take(&mut self.cores[index].is_open) {
                let name = self.cores[index].name.clone();
                self.call(&json!({ "op": "close", "core": name }))?;
            }
        }
        Ok(())
    }

    /// Ends everything as if the machine had been switched off, the disk apart.
    pub(super) fn kill(&mut self) -> Result<(), String> {
        self.stage.note(&format!("  {}: kill -9", self.name));
        self.serving = None;
        self.cloning = None;
        if let Some(driver) = &mut self.driver {
            driver.kill()?;
        }
        for core in &mut self.cores {
            core.is_open = false;
        }
        Ok(())
    }

    /// Appends blocks of these lengths, and tells the model of them.
    pub(super) fn append(
        &mut self,
        model: &mut Model,
        lens: impl IntoIterator<Item = u32>,
    ) -> Result<(), String> {
        self.append_by(json!({ "op": "append" }), model, lens)
    }

    /// Appends by this command.
    fn append_by(
        &mut self,
        mut command: Value,
        model: &mut Model,
        lens: impl IntoIterator<Item = u32>,
    ) -> Result<(), String> {
        self.reopen()?;
        let specs = self.specs(model, lens);
        command["blocks"] = json!(specs);
        let answer = self.on_core(command)?;
        model.append(&specs, &hashes(&answer)?);
        if answer["length"].as_u64() != Some(model.length()) {
            return Err(format!("the writer has length {}", answer["length"]));
        }
        Ok(())
    }

    /// What blocks of these lengths are, after those of the model.
    fn specs(&self, model: &Model, lens: impl IntoIterator<Item = u32>) -> Vec<Spec> {
        // Content differs by position and fork, and by core.
        let salt = (self.at as u32) << 28 | (model.fork as u32) << 24;
        let first = model.length() as u32;
        lens.into_iter().zip(1..).map(|(len, n)| (salt + first + n, len)).collect()
    }

    pub(super) fn truncate(&mut self, model: &mut Model, length: u64) -> Result<(), String> {
        self.reopen()?;
        let answer = self.on_core(json!({ "op": "truncate", "length": length }))?;
        model.truncate(length, answer["fork"].as_u64().unwrap_or_default());
        Ok(())
    }

    pub(super) fn clear(&mut self, blocks: Range<u64>) -> Result<(), String> {
        self.reopen()?;
        self.on_core(json!({ "op": "clear", "start": blocks.start, "end": blocks.end }))?;
        Ok(())
    }

    pub(super) fn decrypt(&mut self, key: &str) -> Result<(), String> {
        if self.kind == Kind::Command {
            self.encryption_key = Some(key.to_owned());
            return Ok(());
        }
        self.on_core(json!({ "op": "decrypt", "encryptionKey": key })).map(drop)
    }

    /// The head and the hash of each block that is here.
    pub(super) fn state(&mut self) -> Result<Value, String> {
        if self.kind != Kind::Command {
            return self.on_core(json!({ "op": "state", "blocks": true }));
        }
        let info = self.hypercore("info")?.pop().ok_or("no info")?;
        let length = info["length"].as_u64().unwrap_or_default() as usize;
        let mut blocks = vec![Value::Null; length];
        for listed in self.hypercore("ls")? {
            let index = listed["index"].as_u64().unwrap_or_default() as usize;
            *blocks.get_mut(index).ok_or("a block past the end was listed")? =
                listed["sha256"].clone();
        }
        Ok(json!({
            "length": info["length"],
            "fork": info["fork"],
            "treeHash": info["tree_hash"],
            "blocks": blocks,
        }))
    }

    /// Compares what is here with the model; what was asked for must be here.
    pub(super) fn compare(&mut self, model: &mut Model, wish: &Wish) -> Result<(), String> {
        let state = self.state()?;
        self.compare_state(&state, model, wish)
    }

    fn compare_state(&self, state: &Value, model: &mut Model, wish: &Wish) -> Result<(), String> {
        let compared = model
            .compare(state, &wish.held(model))
            .map_err(|what| format!("{}: {what}", self.name))?;
        self.stage.count(compared);
        Ok(())
    }

    // ------------------------------------------------------------ sharing

    /// Listens for readers of all cores, and gives the port.
    pub(super) fn listen(&mut self) -> Result<u16, String> {
        if self.kind != Kind::Command {
            let answer = self.on_cores(json!({ "op": "listen" }))?;
            return port(&answer["port"]);
        }
        self.close()?;
        let mut arguments = vec!["serve".to_owned()];
        arguments.extend(self.cores.iter().map(|core| core.dir.to_string_lossy().into_owned()));
        arguments.extend(["--listen".to_owned(), "127.0.0.1:0".to_owned()]);
        let mut serving = self.start(&arguments)?;
        let event = serving.event("where it listens", |event| event["event"] == "listening")?;
        self.serving = Some(serving);
        let address = event["address"].as_str().unwrap_or_default();
        let digits = address.rsplit(':').next().unwrap_or_default();
        digits.parse().map_err(|_| format!("no port in {event}"))
    }

    /// Ends all connections, stops listening; `serve` is asked to end and must do so in order.
    pub(super) fn leave(&mut self) -> Result<(), String> {
        if let Some(serving) = self.serving.take() {
            serving.terminate()?;
            let (code, last) = serving.end()?;
            if code != Some(0) {
                return Err(format!("`serve` ended with {code:?} after SIGTERM: {last}"));
            }
            return Ok(());
        }
        self.call(&json!({ "op": "disconnect" })).map(drop)
    }

    /// Connects all cores to a peer.
    pub(super) fn connect(&mut self, port: u16) -> Result<(), String> {
        self.on_cores(json!({ "op": "connect", "port": port })).map(drop)
    }

    // ------------------------------------------------------------ processes

    fn on_core(&mut self, mut command: Value) -> Result<Value, String> {
        command["core"] = self.cores[self.at].name.as_str().into();
        self.call(&command)
    }

    fn on_cores(&mut self, mut command: Value) -> Result<Value, String> {
        let names: Vec<&str> = self.cores.iter().map(|core| core.name.as_str()).collect();
        command["cores"] = names.into();
        self.call(&command)
    }

    fn call(&mut self, command: &Value) -> Result<Value, String> {
        let kind = self.kind;
        self.stage.note(&format!("  {}: {}", self.name, brief(command)));
        if self.driver.is_none() {
            self.driver = Some(self.stage.driver(kind)?);
        }
        let driver = self.driver.as_mut().ok_or("no driver")?;
        let answer = driver.call(command);
        match &answer {
            Ok(answer) => self.stage.note(&format!("    {}", brief(answer))),
            Err(what) => self.stage.note(&format!("    {what}")),
        }
        answer.map_err(|what| format!("{}: {}: {what}", self.name, brief(command)))
    }

    fn start(&self, arguments: &[String]) -> Result<Running, String> {
        self.stage.note(&format!("  {}: hypercore {}", self.name, arguments.join(" ")));
        Running::start(&self.stage.hypercore, arguments, &self.stage.said)
    }

    /// A command about the directory: each line that it prints.
    fn hypercore(&mut self, name: &str) -> Result<Vec<Value>, String> {
        let dir = &self.cores[self.at].dir;
        let mut command = program(&self.stage.hypercore, [name]);
        command.arg(dir).arg("--json");
        if let Some(key) = &self.encryption_key {
            command.args(["--encryption-key", key]);
        }
        let output = command.output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            return Err(format!("`hypercore {name}` ended with {}: {error}", output.status));
        }
        json_lines(&output.stdout)
    }

    /// Gives the driver back for the next scenario, with nothing open.
    pub(super) fn retire(mut self) -> Result<(), String> {
        self.close()?;
        if let Some(driver) = self.driver.take() {
            self.stage.keep(self.kind, driver);
        }
        Ok(())
    }
}

fn port(value: &Value) -> Result<u16, String> {
    value
        .as_u64()
        .and_then(|port| u16::try_from(port).ok())
        .ok_or_else(|| format!("no port: {value}"))
}

/// A command or an answer, cut where it gets long.
fn brief(value: &Value) -> String {
    const CHARS_MAX: usize = 400;
    let mut text = value.to_string();
    if text.len() > CHARS_MAX {
        text.truncate(CHARS_MAX);
        text.push_str("...");
    }
    text
}
