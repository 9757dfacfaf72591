//! A link between two peers that counts what passes and takes its time.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::runtime::Runtime;
use tokio::time::Instant;

pub struct Proxy {
    pub port: u16,
    /// Bytes from the server to its readers.
    down: Arc<AtomicU64>,
    _runtime: Runtime,
}

impl Proxy {
    /// Carries each connection to `server`, and each byte so much later.
    pub fn start(server: u16, delay: Duration) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let listener =
            runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let down = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&down);
        runtime.spawn(async move {
            while let Ok((reader, _)) = listener.accept().await {
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await;
                let server = server.expect("a server");
                reader.set_nodelay(true).expect("a socket");
                server.set_nodelay(true).expect("a socket");
                let (from_reader, to_reader) = reader.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(carry(from_reader, to_server, delay, Arc::default()));
                tokio::spawn(carry(from_server, to_reader, delay, Arc::clone(&counter)));
            }
        });
        Self { port, down, _runtime: runtime }
    }

    /// Bytes that went from the server to its readers since the last call.
    pub fn received(&self) -> u64 {
        self.down.swap(0, Ordering::Relaxed)
    }
}

async fn carry(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    delay: Duration,
    passed: Arc<AtomicU64>,
) {
    let mut waiting: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let due = waiting.front().map(|(due, _)| *due);
        let wait = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = from.read(&mut buffer) => {
                let Ok(len @ 1..) = read else { return };
                passed.fetch_add(len as u64, Ordering::Relaxed);
                waiting.push_back((Instant::now() + delay, buffer[..len].to_vec()));
            }
            () = wait => {
                let Some((_, bytes)) = waiting.pop_front() else { continue };
                if to.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        }
    }
}
