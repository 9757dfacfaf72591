//! What no replication over TCP can do without: an encrypted stream, a hash of each block, and a store.
//!
//! The blocks of a frame are encrypted as one message. Both sides know beforehand what comes, and the
//! reader knows nothing of trees afterwards.

use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Instant;

use bytes::BytesMut;
use crypto_secretstream::{Header, Key, PullStream, PushStream, Tag};
use hypercore_crypto::leaf_hashes;
use secret_stream::{
    HEAD_LEN, Handshake, Limits, PublicKey, Received, Role, SecretStream, TAIL_LEN,
};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::logs::blocks;

/// Blocks in a frame.
const FRAME: usize = 16;

/// Bytes that are read, and written, at a time at least.
const CHUNK_LEN: usize = 256 * 1024;

/// Who encrypts.
#[derive(Clone, Copy)]
pub enum Cipher {
    /// Our `secret-stream`.
    Own,
    /// The `crypto_secretstream` crate of crates.io.
    Published,
}

impl Cipher {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Published => "published",
        }
    }

    pub fn parse(word: &str) -> Self {
        if word == "own" { Self::Own } else { Self::Published }
    }
}

/// Sends blocks to the next who connects, from a thread of its own. Gives the port.
pub fn serve(cipher: Cipher, len: usize, count: usize) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a reader");
        socket.set_nodelay(true).expect("a socket");
        let frame: Vec<u8> = blocks(FRAME, len).concat();
        let mut sender = Sender::new(cipher);
        let mut sent = 0;
        while sent < count {
            let now = FRAME.min(count - sent);
            sender.seal(&frame[..now * len]);
            sent += now;
            if sender.output.len() >= CHUNK_LEN || sent == count {
                socket.write_all(&sender.output).expect("a reader");
                sender.output.clear();
            }
        }
    });
    port
}

/// Nanoseconds to receive and store the blocks.
pub async fn fetch(cipher: Cipher, dir: &Path, port: u16, len: usize, count: usize) -> u128 {
    let data = File::create(dir.join("data")).expect("a file");
    let tree = File::create(dir.join("tree")).expect("a file");
    let start = Instant::now();
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("a server");
    let mut receiver = Receiver::new(cipher);
    let mut input = BytesMut::new();
    let (mut stored, mut nodes) = (0_u64, 0_u64);
    let mut batch = Vec::new();
    while nodes < count as u64 {
        input.reserve(CHUNK_LEN);
        let read = socket.read_buf(&mut input).await.expect("a server");
        assert!(read > 0, "the server ended");
        batch.clear();
        while receiver.open(&mut input, &mut batch) {}
        let hashes = leaf_hashes(&batch.chunks(len).collect::<Vec<_>>());
        let bytes: Vec<u8> = hashes
            .iter()
            .flat_map(|hash| (len as u64).to_le_bytes().into_iter().chain(*hash.as_bytes()))
            .collect();
        data.write_all_at(&batch, stored).expect("a write");
        tree.write_all_at(&bytes, nodes * 40).expect("a write");
        stored += batch.len() as u64;
        nodes += hashes.len() as u64;
        black_box(hashes);
    }
    start.elapsed().as_nanos()
}

const KEY: [u8; 32] = [5; 32];
const HEADER: [u8; 24] = [6; 24];

/// Ours begins in the middle, as a stream does whose handshake somebody else made.
fn own(role: Role, output: &mut BytesMut) -> SecretStream {
    let remote = PublicKey::from_bytes([9; 32]);
    let handshake = Handshake::from_parts(KEY, KEY, [8; 64], remote);
    SecretStream::from_handshake(role, &handshake, HEADER, Limits::default(), output)
}

enum Sealing {
    Own(Box<SecretStream>),
    Published(PushStream),
}

struct Sender {
    sealing: Sealing,
    output: BytesMut,
    message: Vec<u8>,
}

impl Sender {
    fn new(cipher: Cipher) -> Self {
        let mut output = BytesMut::new();
        let sealing = match cipher {
            Cipher::Own => Sealing::Own(Box::new(own(Role::Responder, &mut output))),
            Cipher::Published => {
                let key = Key::try_from(&KEY[..]).expect("a key");
                let (header, stream) = PushStream::init(rand_core::OsRng, &key);
                output.extend_from_slice(header.as_ref());
                Sealing::Published(stream)
            }
        };
        Self { sealing, output, message: Vec::new() }
    }

    fn seal(&mut self, blocks: &[u8]) {
        match &mut self.sealing {
            Sealing::Own(stream) => {
                let start = self.output.len();
                self.output.resize(start + HEAD_LEN, 0);
                self.output.extend_from_slice(blocks);
                self.output.resize(self.output.len() + TAIL_LEN, 0);
                stream.seal(&mut self.output[start..]).expect("an open stream");
            }
            Sealing::Published(stream) => {
                self.message.clear();
                self.message.extend_from_slice(blocks);
                stream.push(&mut self.message, &[], Tag::Message).expect("a message");
                self.output.extend_from_slice(&(self.message.len() as u32).to_le_bytes());
                self.output.extend_from_slice(&self.message);
            }
        }
    }
}

enum Opening {
    Own(Box<SecretStream>),
    /// `None` before its header has come.
    Published(Option<PullStream>),
}

struct Receiver {
    opening: Opening,
    message: Vec<u8>,
}

impl Receiver {
    fn new(cipher: Cipher) -> Self {
        let opening = match cipher {
            Cipher::Own => {
                // Nobody reads the header of a side that sends nothing.
                Opening::Own(Box::new(own(Role::Initiator, &mut BytesMut::new())))
            }
            Cipher::Published => Opening::Published(None),
        };
        Self { opening, message: Vec::new() }
    }

    /// Takes a frame off the front and appends its blocks. Whether there was one.
    fn open(&mut self, input: &mut BytesMut, blocks: &mut Vec<u8>) -> bool {
        match &mut self.opening {
            Opening::Own(stream) => {
                match stream.receive(input, &mut BytesMut::new()).expect("an honest sender") {
                    Some(Received::Message(message)) => blocks.extend_from_slice(&message),
                    Some(_) => {}
                    None => return false,
                }
            }
            Opening::Published(stream @ None) => {
                if input.len() < Header::BYTES {
                    return false;
                }
                let header = input.split_to(Header::BYTES);
                let header = Header::try_from(&header[..]).expect("a header");
                let key = Key::try_from(&KEY[..]).expect("a key");
                *stream = Some(PullStream::init(header, &key));
            }
            Opening::Published(Some(stream)) => {
                let Some((len, rest)) = input.split_first_chunk::<4>() else { return false };
                let len = u32::from_le_bytes(*len) as usize;
                if rest.len() < len {
                    return false;
                }
                let frame = input.split_to(4 + len);
                self.message.clear();
                self.message.extend_from_slice(&frame[4..]);
                stream.pull(&mut self.message, &[]).expect("an honest sender");
                blocks.extend_from_slice(&self.message);
            }
        }
        true
    }
}
