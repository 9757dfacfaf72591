//! What each command does to the open logs and their connections.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hypercore::{
    BlockKey, CoreKey, Create, Download, Hypercore, NamedBatch, RemoteProof, RemoteProven,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::connections::Connections;
use crate::drafts;
use crate::keys::{Made, Quorum, encryption, last_signer, made};
use crate::protocol::{Failure, blocks, bytes, number, text, unhex};

/// Time between two looks at what is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Everything that is open.
#[derive(Default)]
pub(crate) struct Peer {
    cores: BTreeMap<String, Core>,
    connections: Connections,
}

struct Core {
    log: Hypercore,
    /// A session that decrypts, once the key was handed over; until then the log's own.
    reading: Hypercore,
    /// Those who sign, when it takes more than one.
    quorum: Option<Quorum>,
    /// The batch that stays, while it is open.
    kept: Option<NamedBatch>,
    downloads: Vec<Download>,
    /// Those that never end.
    following: Vec<Download>,
}

impl Peer {
    /// Runs one command and gives its answer, without the `ok`.
    pub(crate) async fn run(&mut self, command: &Value) -> Result<Value, Failure> {
        match text(command, "op")? {
            "open" => return self.open(command).await,
            "listen" => {
                let port = self.connections.listen(self.named(command)?).await?;
                return Ok(json!({ "port": port }));
            }
            "connect" => {
                let port = u16::try_from(number(command, "port")?)?;
                self.connections.connect(port, &self.named(command)?).await?;
                return Ok(json!({}));
            }
            "disconnect" => {
                self.connections.end().await;
                return Ok(json!({}));
            }
            "close" => {
                let core = self.cores.remove(text(command, "core")?).ok_or("no such core")?;
                drop((core.downloads, core.following, core.kept));
                core.reading.close().await?;
                core.log.close().await?;
                return Ok(json!({}));
            }
            "copyPrologue" => {
                let source = self.core(command, "from")?.log.clone();
                self.core(command, "core")?.log.copy_prologue(&source).await?;
                return Ok(json!({}));
            }
            _ => {}
        }
        self.core(command, "core")?.run(command).await
    }

    fn core(&mut self, command: &Value, field: &str) -> Result<&mut Core, Failure> {
        Ok(self.cores.get_mut(text(command, field)?).ok_or("no such core")?)
    }

    async fn open(&mut self, command: &Value) -> Result<Value, Failure> {
        let mut builder = Hypercore::builder(text(command, "dir")?).create(Create::IfMissing);
        if let Some(key) = command["key"].as_str() {
            builder = builder.key(key.parse::<CoreKey>()?);
        }
        let mut quorum = None;
        if let Some(seed) = command["seed"].as_str() {
            builder = match made(command, seed)? {
                Made::Compat(pair) => builder.key_pair(pair).compat(true),
                Made::Nobody(manifest) => builder.manifest(manifest),
                Made::One(pair, manifest) => builder.key_pair(pair).manifest(manifest),
                Made::Several(several, manifest) => {
                    quorum = Some(several);
                    builder.manifest(manifest)
                }
            };
        }
        if let Some(encryption) = encryption(command)? {
            builder = builder.encryption(encryption);
        }
        let log = builder.open().await?;
        let answer = json!({
            "key": log.key().to_string(),
            "discoveryKey": log.discovery_key().to_string(),
            "length": log.length(),
            "fork": log.fork(),
        });
        let (downloads, following) = (Vec::new(), Vec::new());
        let core = Core { reading: log.clone(), log, quorum, kept: None, downloads, following };
        self.cores.insert(text(command, "core")?.to_owned(), core);
        Ok(answer)
    }

    /// The logs of `"cores":[NAME,...]`.
    fn named(&self, command: &Value) -> Result<Vec<Hypercore>, Failure> {
        let names = command["cores"].as_array().ok_or("`cores` is not an array")?;
        names
            .iter()
            .map(|name| {
                let core = name.as_str().and_then(|name| self.cores.get(name));
                core.map(|core| core.log.clone()).ok_or_else(|| "no such core".into())
            })
            .collect()
    }
}

impl Core {
    async fn run(&mut self, command: &Value) -> Result<Value, Failure> {
        let log = &self.log;
        match text(command, "op")? {
            "append" => {
                let blocks = blocks(command)?;
                let hashes: Vec<String> = blocks.iter().map(|block| hash(block)).collect();
                let part = &command["part"];
                if let Some(quorum) = self.quorum.as_ref().filter(|_| !part.is_null()) {
                    drafts::append_with_part(log, quorum, &blocks, part).await?;
                } else if let Some(quorum) = &self.quorum {
                    drafts::append_signed(log, quorum, &blocks).await?;
                } else if command["draft"] == true {
                    drafts::append(log, &blocks).await?;
                } else {
                    log.append_batch(blocks).await?;
                }
                Ok(json!({ "length": log.length(), "hashes": hashes }))
            }
            "part" => {
                let signer = last_signer(&bytes(text(command, "seed")?)?);
                let length = number(command, "length")?;
                let part = drafts::part(log, &signer, &blocks(command)?, length).await?;
                Ok(json!({ "part": part }))
            }
            "decrypt" => {
                let encryption = encryption(command)?.ok_or("no `encryptionKey`")?;
                self.reading = log.session().encryption(encryption).open().await?;
                Ok(json!({}))
            }
            "blockKey" => {
                let encryption_key = bytes(text(command, "encryptionKey")?)?;
                let derive = if log.info().await?.compat {
                    BlockKey::derive_compat
                } else {
                    BlockKey::derive
                };
                let key = derive(&log.key(), &encryption_key);
                Ok(json!({ "blockKey": hex(key.as_bytes()) }))
            }
            "keep" => {
                if self.kept.is_none() {
                    self.kept = Some(drafts::kept(log).await?);
                }
                let kept = self.kept.as_ref().ok_or("no batch")?;
                let blocks = blocks(command)?;
                let hashes: Vec<String> = blocks.iter().map(|block| hash(block)).collect();
                kept.append_batch(blocks).await?;
                Ok(json!({ "length": kept.length(), "hashes": hashes }))
            }
            "commit" => {
                self.kept.as_ref().ok_or("no batch")?.commit().await?;
                Ok(json!({ "length": log.length() }))
            }
            "backup" => {
                log.backup(text(command, "to")?).await?;
                Ok(json!({}))
            }
            "confirm" => {
                log.confirm_with_peers(Duration::from_millis(number(command, "ms")?)).await?;
                Ok(json!({ "length": log.length() }))
            }
            "prove" => {
                let proof = log.remote_proof(command["index"].as_u64()).await?;
                Ok(json!({ "proof": hex(&proof.ok_or("the block is not here")?.encode()) }))
            }
            "verify" => {
                let proof = RemoteProof::decode(unhex(text(command, "proof")?)?)?;
                let RemoteProven { length, fork, block, .. } = proof.verify(&log.key(), None)?;
                log.verify_proof(&proof.into_proof()).await?;
                Ok(json!({
                    "length": length,
                    "fork": fork,
                    "index": block.as_ref().map(|(index, _)| index),
                    "hash": block.as_ref().map(|(_, block)| hash(block)),
                }))
            }
            "truncate" => {
                let length = number(command, "length")?;
                if let Some(quorum) = &self.quorum {
                    drafts::truncate_signed(log, quorum, length).await?;
                } else {
                    log.truncate(length, None).await?;
                }
                Ok(json!({ "length": log.length(), "fork": log.fork() }))
            }
            "clear" => {
                log.clear(number(command, "start")?..number(command, "end")?).await?;
                Ok(json!({}))
            }
            "download" => {
                let start = number(command, "start")?;
                if command["end"].is_null() {
                    self.following.push(log.download(start..)?);
                } else {
                    self.downloads.push(log.download(start..number(command, "end")?)?);
                }
                Ok(json!({}))
            }
            "done" => {
                let downloads = &mut self.downloads;
                let done = async {
                    for download in downloads.iter_mut() {
                        download.done().await?;
                    }
                    Ok::<_, Failure>(())
                };
                if let Err(error) = within(command, "the download", done).await {
                    let (contiguous, length) = (log.contiguous_length(), log.length());
                    return Err(format!(
                        "{error}: {contiguous} of {length} blocks are here without a gap"
                    )
                    .into());
                }
                self.downloads.clear();
                Ok(json!({}))
            }
            "wait" => {
                self.wait(command).await?;
                Ok(json!({ "length": self.log.length(), "fork": self.log.fork() }))
            }
            "seek" => {
                let byte = number(command, "byte")?;
                let (index, offset) = within(command, "the seek", self.reading.seek(byte)).await?;
                Ok(json!({ "index": index, "offset": offset }))
            }
            "get" => {
                let index = number(command, "index")?;
                let block = within(command, "the block", self.reading.get(index)).await?;
                Ok(json!({ "hash": hash(&block) }))
            }
            "state" if command["kept"] == true => {
                let kept = self.kept.as_ref().ok_or("no batch")?;
                state(kept, command["blocks"] == true).await
            }
            "state" => state(&self.reading, command["blocks"] == true).await,
            op => Err(format!("no such command: {op}").into()),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a test's deadline")]
    async fn wait(&self, command: &Value) -> Result<(), Failure> {
        let wanted = |name| command[name].as_u64().unwrap_or_default();
        let limit = Duration::from_millis(number(command, "ms")?);
        let began = Instant::now();
        loop {
            let (length, fork) = (self.log.length(), self.log.fork());
            let contiguous = self.log.contiguous_length();
            let peers = self.log.peers().await?.len() as u64;
            if length >= wanted("length")
                && fork >= wanted("fork")
                && contiguous >= wanted("contiguous")
                && peers >= wanted("peers")
            {
                return Ok(());
            }
            if began.elapsed() > limit {
                return Err(format!(
                    "still at length {length}, fork {fork}, contiguous {contiguous}, {peers} peers \
                     after {} ms",
                    limit.as_millis()
                )
                .into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// The head; with `all` the hash of each block that is here as well.
async fn state(log: &Hypercore, all: bool) -> Result<Value, Failure> {
    let info = log.info().await?;
    let mut blocks = Vec::new();
    for index in 0..if all { info.length } else { 0 } {
        blocks.push(log.get_local(index).await?.map(|block| hash(&block)));
    }
    let peers: Vec<String> =
        log.peers().await?.iter().map(|peer| format!("{:?}", peer.info())).collect();
    Ok(json!({
        "length": info.length,
        "fork": info.fork,
        "byteLength": info.byte_length,
        "treeHash": info.tree_hash.to_string(),
        "contiguousLength": info.contiguous_length,
        "peers": peers.len(),
        "peerInfos": peers,
        "blocks": if all { Some(blocks) } else { None },
    }))
}

/// Waits for `future` no longer than the command says.
async fn within<T, E: Into<Failure>>(
    command: &Value,
    what: &str,
    future: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    let ms = number(command, "ms")?;
    match tokio::time::timeout(Duration::from_millis(ms), future).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(format!("{what} took longer than {ms} ms").into()),
    }
}

fn hash(block: &[u8]) -> String {
    hex(&Sha256::digest(block))
}

/// Bytes as digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
