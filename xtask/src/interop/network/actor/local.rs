//! What an actor does with its own cores: keys, batches, proofs, directories.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Actor, Core, Model, WAIT_MS, Wish};

impl Actor {
    // ------------------------------------------------------------ keys

    /// Makes a copy of somebody else's core that decrypts from the beginning, before it knows the manifest.
    pub(in crate::interop::network) fn copy_decrypting(&mut self, key: &str) -> Result<(), String> {
        let (encryption_key, block) = (self.encryption_key.clone(), self.is_block_key);
        self.open(json!({ "key": key, "encryptionKey": encryption_key, "block": block }))
    }

    /// Hands a block key over to a core that is open.
    pub(in crate::interop::network) fn decrypt_blocks(&mut self, key: &str) -> Result<(), String> {
        self.on_core(json!({ "op": "decrypt", "encryptionKey": key, "block": true })).map(drop)
    }

    /// The key that reads this core, of its own encryption key.
    pub(in crate::interop::network) fn block_key(&mut self) -> Result<String, String> {
        let key = self.encryption_key.clone();
        let answer = self.on_core(json!({ "op": "blockKey", "encryptionKey": key }))?;
        text(&answer["blockKey"])
    }

    /// What the manifest of another core names as its beginning: this one, as it is.
    pub(in crate::interop::network) fn prologue(&mut self) -> Result<Value, String> {
        let state = self.on_core(json!({ "op": "state" }))?;
        Ok(json!({ "length": state["length"], "hash": state["treeHash"] }))
    }

    /// Fills the core with its prologue from another one of this actor.
    pub(in crate::interop::network) fn copy_prologue(&mut self, from: usize) -> Result<(), String> {
        let name = self.cores[from].name.clone();
        self.on_core(json!({ "op": "copyPrologue", "from": name })).map(drop)
    }

    /// The seed that the last core was made of.
    pub(in crate::interop::network) fn last_seed(&self) -> Value {
        self.cores.last().map_or(Value::Null, |core| core.opening["seed"].clone())
    }

    /// What the last signer of `seed` signs for blocks of these lengths, to be used for the first `length`.
    pub(in crate::interop::network) fn part(
        &mut self,
        seed: &Value,
        model: &Model,
        lens: impl IntoIterator<Item = u32>,
        length: u64,
    ) -> Result<Value, String> {
        let blocks = self.specs(model, lens);
        let command = json!({ "op": "part", "seed": seed, "blocks": blocks, "length": length });
        Ok(self.on_core(command)?["part"].clone())
    }

    /// Appends what somebody else has signed as well.
    pub(in crate::interop::network) fn append_with_part(
        &mut self,
        model: &mut Model,
        lens: impl IntoIterator<Item = u32>,
        part: &Value,
    ) -> Result<(), String> {
        self.append_by(json!({ "op": "append", "part": part }), model, lens)
    }

    // ------------------------------------------------------------ batches

    /// Appends by way of a batch that is committed.
    pub(in crate::interop::network) fn append_draft(
        &mut self,
        model: &mut Model,
        lens: impl IntoIterator<Item = u32>,
    ) -> Result<(), String> {
        self.append_by(json!({ "op": "append", "draft": true }), model, lens)
    }

    /// Appends to a batch that stays.
    pub(in crate::interop::network) fn keep(
        &mut self,
        model: &mut Model,
        lens: impl IntoIterator<Item = u32>,
    ) -> Result<(), String> {
        self.append_by(json!({ "op": "keep" }), model, lens)
    }

    /// Commits the batch that stays.
    pub(in crate::interop::network) fn commit(&mut self) -> Result<(), String> {
        self.on_core(json!({ "op": "commit" })).map(drop)
    }

    /// Compares the batch that stays.
    pub(in crate::interop::network) fn compare_kept(
        &mut self,
        model: &mut Model,
    ) -> Result<(), String> {
        let state = self.on_core(json!({ "op": "state", "blocks": true, "kept": true }))?;
        self.compare_state(&state, model, &Wish::all())
    }

    // ------------------------------------------------------------ directories

    /// Where the core lies.
    pub(in crate::interop::network) fn dir(&self) -> &Path {
        &self.cores[self.at].dir
    }

    /// Copies the core, which stays open, to another directory.
    pub(in crate::interop::network) fn backup(&mut self) -> Result<PathBuf, String> {
        let to = self.dir().with_extension("backup");
        self.on_core(json!({ "op": "backup", "to": to }))?;
        Ok(to)
    }

    /// Asks the peers whether a backup has everything, takes over what it has not, and writes from now on.
    pub(in crate::interop::network) fn confirm(&mut self) -> Result<(), String> {
        self.on_core(json!({ "op": "confirm", "ms": WAIT_MS })).map(drop)
    }

    /// Opens a directory that somebody else has left.
    pub(in crate::interop::network) fn take_over(&mut self, dir: &Path) -> Result<(), String> {
        let core = Core { dir: dir.to_path_buf(), ..self.core("", json!({})) };
        self.cores.push(core);
        self.at = self.cores.len() - 1;
        self.reopen()
    }

    // ------------------------------------------------------------ proofs

    /// A proof that stands alone, of the core and a block of it.
    pub(in crate::interop::network) fn prove(&mut self, index: u64) -> Result<String, String> {
        let answer = self.on_core(json!({ "op": "prove", "index": index }))?;
        text(&answer["proof"])
    }

    /// The same of JavaScript 11, of the core up to a node of the tree.
    pub(in crate::interop::network) fn prove_node(&mut self, node: u64) -> Result<String, String> {
        let answer = self.on_core(json!({ "op": "prove", "node": node }))?;
        text(&answer["proof"])
    }

    /// Checks a proof, and gives what it has proven.
    pub(in crate::interop::network) fn verify(&mut self, proof: &str) -> Result<Value, String> {
        self.on_core(json!({ "op": "verify", "proof": proof }))
    }
}

fn text(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("{value} is not a string"))
}
