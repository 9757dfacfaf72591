//! Where appended blocks come from: files and pipes, cut into blocks, in batches of bounded size.
//!
//! Holds one batch in memory, whatever the length of the input. A batch of a pipe ends when the
//! pipe has no more to give at once, or was gathered for a while, so that lines are appended as
//! they come, also when they never stop coming.

use std::fs::File;
use std::io::{self, Read, Stdin};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::{Duration, Instant};

use hypercore::{BLOCK_LEN_MAX, Bytes, bytes::Buf as _};
use memchr::{memchr, memrchr};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::failure::{Exit, Failure, Outcome};

/// About how many bytes are appended with one signature.
pub(crate) const BATCH_LEN: usize = 2 * 1024 * 1024;

/// How many blocks are appended with one signature at most: each costs some 250 bytes of memory
/// beside its content, and two batches are there at a time.
pub(crate) const BATCH_BLOCKS_MAX: usize = 16 * 1024;

/// Bytes asked of the input at once.
const READ_LEN: usize = 256 * 1024;

/// How long a pipe may be empty before what it gave is appended.
const PIPE_PATIENCE: Duration = Duration::from_millis(2);

/// The longest time that what a pipe gave waits for more, when more keeps coming.
const GATHER_TIME_MAX: Duration = Duration::from_millis(100);

/// How an input becomes blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// As few blocks as the limit allows; at least one.
    Whole,
    /// One a line.
    Lines,
    /// Of so many bytes.
    Chunks(usize),
}

/// One input, being cut.
#[derive(Debug)]
pub(crate) struct Source {
    input: Input,
    name: String,
    cut: Cut,
    /// Complete lines or chunks, to be cut.
    ready: Bytes,
    /// The beginning of a line or chunk whose end was not read yet.
    rest: Vec<u8>,
    /// Length of the input, when it has one.
    len: Option<u64>,
    read: u64,
    lines: u64,
    ended: bool,
    /// When the first bytes of the batch came.
    batch_began: Option<Instant>,
}

#[derive(Debug)]
enum Input {
    Stdin(Stdin),
    File(File),
}

impl Input {
    /// Whether a read would give something (or the end) within `patience`.
    fn has_more(&self, patience: Duration) -> bool {
        let fd = match self {
            Self::Stdin(stdin) => stdin.as_fd(),
            Self::File(file) => file.as_fd(),
        };
        let mut asked = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
        let patience = Timespec::try_from(patience).ok();
        poll(&mut asked, patience.as_ref()).is_ok_and(|ready| ready > 0)
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            // The standard library's buffer behind stdin is passed by for reads as large as ours.
            Self::Stdin(stdin) => stdin.lock().read(buffer),
            Self::File(file) => file.read(buffer),
        }
    }
}

/// Length of a file in bytes; `None` for stdin, pipes and devices. Says early what can not be read.
pub(crate) fn len(path: &Path) -> Outcome<Option<u64>> {
    if path == Path::new("-") {
        return Ok(None);
    }
    let name = path.display().to_string();
    let found = std::fs::metadata(path).map_err(|error| Failure::input(&name, &error))?;
    if found.is_dir() {
        return Err(Failure::new(Exit::Failed, format!("{name} is a directory, not a file")));
    }
    Ok(found.is_file().then_some(found.len()))
}

impl Source {
    /// Opens a file, or stdin for `-`.
    #[expect(clippy::disallowed_methods, reason = "a tool reads the files it is given")]
    pub(crate) fn open(path: &Path, cut: Cut) -> Outcome<Self> {
        let len = len(path)?;
        let (input, name) = if path == Path::new("-") {
            (Input::Stdin(io::stdin()), "stdin".to_owned())
        } else {
            let name = path.display().to_string();
            let file = File::open(path).map_err(|error| Failure::input(&name, &error))?;
            (Input::File(file), name)
        };
        let (ready, rest) = (Bytes::new(), Vec::new());
        let (read, lines, ended, batch_began) = (0, 0, false, None);
        Ok(Self { input, name, cut, ready, rest, len, read, lines, ended, batch_began })
    }

    /// Bytes read so far.
    pub(crate) fn read(&self) -> u64 {
        self.read
    }

    /// Whether the next batch may be a while in coming.
    pub(crate) fn is_pipe(&self) -> bool {
        self.len.is_none()
    }

    /// The next blocks, at most [`BATCH_BLOCKS_MAX`]; `None` at the end.
    pub(crate) fn next_batch(&mut self) -> Outcome<Option<Vec<Bytes>>> {
        if self.ready.is_empty() {
            if self.ended {
                return Ok(None);
            }
            match self.cut {
                Cut::Whole => return self.next_whole(),
                Cut::Lines => self.gather_lines()?,
                Cut::Chunks(len) => self.gather_chunks(len)?,
            }
        }
        let mut blocks = Vec::new();
        while !self.ready.is_empty() && blocks.len() < BATCH_BLOCKS_MAX {
            let block = match self.cut {
                Cut::Lines => self.take_line()?,
                Cut::Chunks(len) => self.ready.split_to(len.min(self.ready.len())),
                Cut::Whole => std::mem::take(&mut self.ready),
            };
            blocks.push(block);
        }
        Ok(Some(blocks).filter(|blocks| !blocks.is_empty()))
    }

    /// Reads the next block of a whole input.
    fn next_whole(&mut self) -> Outcome<Option<Vec<Bytes>>> {
        let expected = self.len.map(|len| len.saturating_sub(self.read));
        let expected = expected.and_then(|len| usize::try_from(len).ok()).unwrap_or(BLOCK_LEN_MAX);
        let is_first = self.read == 0;
        // Room for all of it at once: growing step by step would hold it twice. What is not
        // written to takes no memory.
        let mut buffer = Vec::with_capacity(expected.min(BLOCK_LEN_MAX));
        while buffer.len() < BLOCK_LEN_MAX && self.read_some(&mut buffer, BLOCK_LEN_MAX)? {}
        let is_block = is_first || !buffer.is_empty();
        Ok(is_block.then(|| vec![Bytes::from(buffer)]))
    }

    /// Reads until there are complete lines.
    fn gather_lines(&mut self) -> Outcome {
        let mut buffer = self.begin_batch();
        let mut complete = 0_usize;
        let mut searched = 0_usize;
        loop {
            let more = self.read_some(&mut buffer, usize::MAX)?;
            let new = buffer.get(searched..).unwrap_or_default();
            if let Some(newline) = memrchr(b'\n', new) {
                complete = searched.saturating_add(newline).saturating_add(1);
            }
            searched = buffer.len();
            let pending = buffer.len().saturating_sub(complete);
            if !more || pending > BLOCK_LEN_MAX || (complete > 0 && self.is_enough(buffer.len())) {
                break;
            }
        }
        if self.ended || complete == 0 {
            // The end, or one line that is too long, which is told when it is taken.
            complete = buffer.len();
        }
        self.keep(buffer, complete);
        Ok(())
    }

    /// Reads until there are complete chunks.
    fn gather_chunks(&mut self, len: usize) -> Outcome {
        let mut buffer = self.begin_batch();
        while !(buffer.len() >= len && self.is_enough(buffer.len())) {
            if !self.read_some(&mut buffer, usize::MAX)? {
                break;
            }
        }
        let left_over = if self.ended { 0 } else { buffer.len().checked_rem(len).unwrap_or(0) };
        let complete = buffer.len().saturating_sub(left_over);
        self.keep(buffer, complete);
        Ok(())
    }

    /// What was left over, with room for a batch: growing step by step would leave holes in memory.
    fn begin_batch(&mut self) -> Vec<u8> {
        self.batch_began = None;
        let room = BATCH_LEN.saturating_add(READ_LEN).max(self.rest.len());
        let mut buffer = Vec::with_capacity(room);
        buffer.append(&mut self.rest);
        buffer
    }

    /// The first `complete` bytes are ready to be cut; the others wait for more.
    fn keep(&mut self, mut buffer: Vec<u8>, complete: usize) {
        self.rest = buffer.get(complete..).unwrap_or_default().to_vec();
        buffer.truncate(complete);
        self.ready = Bytes::from(buffer);
    }

    /// Cuts off a line, and refuses one that is longer than a block.
    fn take_line(&mut self) -> Outcome<Bytes> {
        self.lines = self.lines.saturating_add(1);
        let len = memchr(b'\n', &self.ready).unwrap_or(self.ready.len());
        if len > BLOCK_LEN_MAX {
            let (name, line) = (&self.name, self.lines);
            let message = format!(
                "line {line} of {name} is longer than the block limit of {BLOCK_LEN_MAX} bytes: append it with --chunk"
            );
            return Err(Failure::new(Exit::Failed, message));
        }
        let line = self.ready.split_to(len);
        self.ready.advance(usize::from(!self.ready.is_empty()));
        Ok(line)
    }

    /// Whether a batch of so many bytes is appended before more is read. What a pipe gives is not
    /// kept back while its writer takes its time.
    fn is_enough(&self, len: usize) -> bool {
        let is_late = || self.batch_began.is_some_and(|began| began.elapsed() >= GATHER_TIME_MAX);
        len >= BATCH_LEN || (self.is_pipe() && (is_late() || !self.input.has_more(PIPE_PATIENCE)))
    }

    /// Reads once into `buffer`, up to `limit` bytes in it; `false` at the end of the input.
    #[expect(clippy::disallowed_methods, reason = "a tool may read the clock")]
    fn read_some(&mut self, buffer: &mut Vec<u8>, limit: usize) -> Outcome<bool> {
        let start = buffer.len();
        let end = start.saturating_add(READ_LEN).min(limit);
        buffer.resize(end, 0);
        let result = loop {
            match self.input.read(buffer.get_mut(start..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        let count = match result {
            Ok(count) => count,
            Err(error) => return Err(Failure::input(&self.name, &error)),
        };
        buffer.truncate(start.saturating_add(count));
        if self.batch_began.is_none() {
            self.batch_began = Some(Instant::now());
        }
        self.read = self.read.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        self.ended = count == 0;
        Ok(count > 0)
    }
}
