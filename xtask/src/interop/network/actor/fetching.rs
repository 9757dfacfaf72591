//! How an actor reads from its peers, by its driver or by `clone`.

use serde_json::{Value, json};

use super::{Actor, Kind, Model, WAIT_MS, Wish};

impl Actor {
    /// Begins to fetch from the peers that listen on `ports`.
    pub(in crate::interop::network) fn begin(
        &mut self,
        ports: &[u16],
        wish: &Wish,
        model: &Model,
    ) -> Result<(), String> {
        if self.kind == Kind::Command {
            return self.begin_clone(ports, wish, &["--timeout", "150000"]);
        }
        self.reopen()?;
        for port in ports {
            self.connect(*port)?;
        }
        self.ask(wish, model)
    }

    /// Asks the peers that are connected.
    pub(in crate::interop::network) fn ask(
        &mut self,
        wish: &Wish,
        model: &Model,
    ) -> Result<(), String> {
        if wish.is_live {
            return self.on_core(json!({ "op": "download", "start": 0, "end": null })).map(drop);
        }
        let (length, fork) = (model.length(), model.fork);
        self.on_core(
            json!({ "op": "wait", "peers": 1, "length": length, "fork": fork, "ms": WAIT_MS }),
        )?;
        for (start, end) in wish.held(model) {
            let command = json!({ "op": "download", "start": start, "end": end });
            self.on_core(command)?;
        }
        Ok(())
    }

    /// Starts `clone` with more arguments of its own.
    pub(in crate::interop::network) fn begin_clone(
        &mut self,
        ports: &[u16],
        wish: &Wish,
        more: &[&str],
    ) -> Result<(), String> {
        let addresses: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let core = &self.cores[self.at];
        let dir = core.dir.to_string_lossy().into_owned();
        let mut arguments = vec![
            "clone".to_owned(),
            core.key.clone(),
            dir,
            "--connect".to_owned(),
            addresses.join(","),
        ];
        if !wish.blocks.is_empty() {
            let ranges: Vec<String> =
                wish.blocks.iter().map(|(start, end)| format!("{start}..{end}")).collect();
            arguments.extend(["--blocks".to_owned(), ranges.join(",")]);
        }
        if wish.is_live {
            arguments.push("--live".to_owned());
        }
        arguments.extend(more.iter().map(|&more| more.to_owned()));
        self.cloning = Some(self.start(&arguments)?);
        Ok(())
    }

    /// Waits until what was asked for is here, and gives the last event of `clone`.
    pub(in crate::interop::network) fn end(&mut self) -> Result<Value, String> {
        let Some(cloning) = self.cloning.take() else {
            return self.on_core(json!({ "op": "done", "ms": WAIT_MS }));
        };
        let (code, last) = cloning.end()?;
        if code == Some(0) && last["event"] == "done" {
            return Ok(last);
        }
        Err(format!("`clone` ended with {code:?}: {last}"))
    }

    /// Waits for `clone` to fail, and gives its exit code.
    pub(in crate::interop::network) fn exit_code(&mut self) -> Result<Option<i32>, String> {
        let cloning = self.cloning.take().ok_or("no `clone` is running")?;
        Ok(cloning.end()?.0)
    }

    /// Waits until a live reader has everything of the model.
    pub(in crate::interop::network) fn catch_up(&mut self, model: &Model) -> Result<(), String> {
        let (length, fork) = (model.length(), model.fork);
        if let Some(cloning) = &mut self.cloning {
            return cloning
                .event(&format!("length {length} and fork {fork} as done"), |event| {
                    event["event"] == "done" && event["length"] == length && event["fork"] == fork
                })
                .map(drop);
        }
        let command = json!({ "op": "wait", "length": length, "contiguous": length, "fork": fork, "ms": WAIT_MS });
        self.on_core(command).map(drop)
    }

    /// Ends a live reader in order.
    pub(in crate::interop::network) fn stop(&mut self) -> Result<(), String> {
        let Some(cloning) = self.cloning.take() else { return Ok(()) };
        cloning.terminate()?;
        let (code, last) = cloning.end()?;
        if code == Some(0) {
            return Ok(());
        }
        Err(format!("`clone --live` ended with {code:?} after SIGTERM: {last}"))
    }

    /// Waits until the length and the fork are those of the model; blocks may still be missing.
    pub(in crate::interop::network) fn wait_for_head(
        &mut self,
        model: &Model,
    ) -> Result<(), String> {
        let (length, fork) = (model.length(), model.fork);
        let command = json!({ "op": "wait", "length": length, "fork": fork, "ms": WAIT_MS });
        self.on_core(command).map(drop)
    }

    pub(in crate::interop::network) fn seek(&mut self, byte: u64) -> Result<(u64, u64), String> {
        let found = self.on_core(json!({ "op": "seek", "byte": byte, "ms": WAIT_MS }))?;
        Ok((
            found["index"].as_u64().ok_or("no index")?,
            found["offset"].as_u64().ok_or("no offset")?,
        ))
    }

    /// Asks for one block for so long, and gives its hash.
    pub(in crate::interop::network) fn get(
        &mut self,
        index: u64,
        ms: u64,
    ) -> Result<String, String> {
        let got = self.on_core(json!({ "op": "get", "index": index, "ms": ms }))?;
        got["hash"].as_str().map(str::to_owned).ok_or_else(|| "no hash".to_owned())
    }
}
