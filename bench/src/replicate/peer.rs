//! A peer in a process of its own, which does the jobs of `driver.js` and some more: `bench child peer`.

use std::future::ready;
use std::io::{BufRead as _, Write as _};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use hypercore::{
    Create, Hypercore, PeerOptions, ProtocolStream, Replication, Role, Storage, StreamOptions,
};
use hypercore_log::Durability;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::floor::{self, Cipher};
use crate::javascript::JavaScript;
use crate::measure::{process_time, resident, resident_max};

/// Starts one.
pub fn start() -> JavaScript {
    let own = std::env::current_exe().expect("a path");
    JavaScript::spawn(Command::new(own).args(["child", "peer"])).expect("a process")
}

/// Does what stdin asks for, line by line.
pub fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let mut peer = Peer::default();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let words: Vec<&str> = line.split(' ').collect();
        let answer = runtime.block_on(peer.run(&words));
        println!("{answer}");
        std::io::stdout().flush().expect("somebody listens");
    }
}

#[derive(Default)]
struct Peer {
    served: Option<(Hypercore, JoinHandle<()>)>,
    /// Readers that stay connected.
    idle: Vec<(Hypercore, Replication)>,
}

impl Peer {
    async fn run(&mut self, words: &[&str]) -> String {
        match words {
            ["serve", dir] => self.serve(Path::new(dir)).await,
            ["close"] => self.close().await,
            ["fetch", key, dir, port, count] => {
                fetch(key, Path::new(dir), number(port), number(count)).await.to_string()
            }
            ["first", key, dir, port, index] => {
                first(key, Path::new(dir), number(port), number(index)).await.to_string()
            }
            ["connect", key, port, count] => {
                for _ in 0..number(count) {
                    self.connect(key, number(port)).await;
                }
                "0".to_owned()
            }
            ["floor-serve", cipher, len, count] => {
                let cipher = Cipher::parse(cipher);
                floor::serve(cipher, number(len) as usize, number(count) as usize).to_string()
            }
            ["floor-fetch", cipher, dir, port, len, count] => {
                let (len, count) = (number(len) as usize, number(count) as usize);
                let port = number(port) as u16;
                let cipher = Cipher::parse(cipher);
                floor::fetch(cipher, Path::new(dir), port, len, count).await.to_string()
            }
            ["cpu"] => process_time().to_string(),
            ["resident"] => resident_max().to_string(),
            ["resident-now"] => resident().to_string(),
            _ => format!("no such job: {words:?}"),
        }
    }

    /// Shares a log as the `serve` command does.
    async fn serve(&mut self, dir: &Path) -> String {
        let log = Hypercore::builder(dir).read_only().open().await.expect("a log");
        let key = log.key();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let served = log.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                socket.set_nodelay(true).expect("a socket");
                let log = served.clone();
                let options = StreamOptions::new()
                    .peers(PeerOptions::new().download(false))
                    .on_offer(move |_| ready(Some(log.clone())));
                ProtocolStream::new(socket, Role::Responder, options).detach();
            }
        });
        self.served = Some((log, accepting));
        format!("{} {port}", hex(key.as_bytes()))
    }

    async fn close(&mut self) -> String {
        self.idle.clear();
        if let Some((log, accepting)) = self.served.take() {
            accepting.abort();
            log.close().await.expect("a close");
        }
        "0".to_owned()
    }

    /// A reader that knows the head, and then does nothing.
    async fn connect(&mut self, key: &str, port: u64) {
        let log = reader(key, Storage::memory()).await;
        let stream = log.replicate(connected(port).await, Role::Initiator);
        log.get(0).await.expect("a block");
        self.idle.push((log, stream));
    }
}

/// Nanoseconds from before the connection until the last block is stored.
async fn fetch(key: &str, dir: &Path, port: u64, count: u64) -> u128 {
    let log = reader(key, dir.into()).await;
    let start = Instant::now();
    let stream = log.replicate(connected(port).await, Role::Initiator);
    log.download(0..count).expect("a download").done().await.expect("blocks");
    let time = start.elapsed().as_nanos();
    drop(stream);
    log.close().await.expect("a close");
    time
}

/// Nanoseconds from before the connection until the block is here.
async fn first(key: &str, dir: &Path, port: u64, index: u64) -> u128 {
    let log = reader(key, dir.into()).await;
    let start = Instant::now();
    let stream = log.replicate(connected(port).await, Role::Initiator);
    log.get(index).await.expect("a block");
    let time = start.elapsed().as_nanos();
    drop(stream);
    log.close().await.expect("a close");
    time
}

/// A new log that somebody else writes, as the `clone` command opens it.
async fn reader(key: &str, storage: Storage) -> Hypercore {
    let key = hypercore::id::decode(key).expect("a key");
    Hypercore::builder(storage)
        .key(hypercore::CoreKey::from_bytes(key))
        .create(Create::IfMissing)
        .durability(Durability::Eventual)
        .open()
        .await
        .expect("a log")
}

async fn connected(port: u64) -> TcpStream {
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port as u16)).await.expect("a server");
    socket.set_nodelay(true).expect("a socket");
    socket
}

fn number(word: &str) -> u64 {
    word.parse().expect("a number")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
