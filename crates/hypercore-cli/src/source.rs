//! Where appended blocks come from: files and pipes, cut into blocks, in batches of bounded size.
//!
//! Holds one batch in memory, whatever the length of the input. A batch of a pipe ends when the
//! pipe has no more to give at once, so that lines are appended as they come.

use std::fs::File;
use std::io::{self, Read, Stdin};
use std::path::Path;

use hypercore::{BLOCK_LEN_MAX, Bytes};

use crate::failure::{Exit, Failure, Outcome};

/// About how many bytes are appended with one signature.
const BATCH_LEN: usize = 4 * 1024 * 1024;

/// How many blocks are appended with one signature at most: each costs some 100 bytes of memory
/// beside its content.
pub(crate) const BATCH_BLOCKS_MAX: usize = 16 * 1024;

/// Bytes asked of the input at once.
const READ_LEN: usize = 256 * 1024;

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
    /// Bytes that belong to the next batch.
    rest: Vec<u8>,
    /// Length of the input, when it has one.
    len: Option<u64>,
    read: u64,
    lines: u64,
    batches: u64,
    ended: bool,
}

#[derive(Debug)]
enum Input {
    Stdin(Stdin),
    File(File),
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
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
        let rest = Vec::new();
        Ok(Self { input, name, cut, rest, len, read: 0, lines: 0, batches: 0, ended: false })
    }

    /// Bytes read so far.
    pub(crate) fn read(&self) -> u64 {
        self.read
    }

    /// Whether the next batch may be a while in coming.
    pub(crate) fn is_pipe(&self) -> bool {
        self.len.is_none()
    }

    /// The next blocks, `None` at the end.
    pub(crate) fn next_batch(&mut self) -> Outcome<Option<Vec<Bytes>>> {
        if self.ended {
            return Ok(None);
        }
        let blocks = match self.cut {
            Cut::Whole => self.next_whole()?,
            Cut::Lines => self.next_lines()?,
            Cut::Chunks(len) => self.next_chunks(len)?,
        };
        self.batches = self.batches.saturating_add(1);
        Ok(Some(blocks).filter(|blocks| !blocks.is_empty()))
    }

    fn next_whole(&mut self) -> Outcome<Vec<Bytes>> {
        let expected = self.len.map(|len| len.saturating_sub(self.read));
        let expected = expected.and_then(|len| usize::try_from(len).ok()).unwrap_or(BLOCK_LEN_MAX);
        // Room for all of it at once: growing step by step would hold it twice. What is not
        // written to takes no memory. One byte more lets the last read say that it is the end.
        let room = expected.saturating_add(1).min(BLOCK_LEN_MAX);
        let mut buffer = Vec::with_capacity(room);
        while buffer.len() < BLOCK_LEN_MAX && self.read_some(&mut buffer, BLOCK_LEN_MAX)? {}
        if buffer.is_empty() && self.batches > 0 {
            return Ok(Vec::new());
        }
        Ok(vec![Bytes::from(buffer)])
    }

    fn next_lines(&mut self) -> Outcome<Vec<Bytes>> {
        let mut buffer = std::mem::take(&mut self.rest);
        let mut complete = 0_usize;
        let mut searched = 0_usize;
        loop {
            let more = self.read_some(&mut buffer, usize::MAX)?;
            let new = buffer.get(searched..).unwrap_or_default();
            if let Some(newline) = new.iter().rposition(|byte| *byte == b'\n') {
                complete = searched.saturating_add(newline).saturating_add(1);
            }
            searched = buffer.len();
            let pending = buffer.len().saturating_sub(complete);
            if !more || pending > BLOCK_LEN_MAX || (complete > 0 && self.is_enough(buffer.len())) {
                break;
            }
        }
        if self.ended {
            complete = buffer.len();
        } else {
            self.rest = buffer.get(complete..).unwrap_or_default().to_vec();
        }
        buffer.truncate(complete);
        let mut blocks = Vec::new();
        let buffer = Bytes::from(buffer);
        let mut left = buffer.as_ref();
        while !left.is_empty() {
            let len = left.iter().position(|byte| *byte == b'\n').unwrap_or(left.len());
            let (line, after) = left.split_at(len);
            left = after.get(1..).unwrap_or_default();
            self.take_line(line.len())?;
            blocks.push(buffer.slice_ref(line));
        }
        if self.rest.len() > BLOCK_LEN_MAX {
            self.take_line(self.rest.len())?;
        }
        Ok(blocks)
    }

    /// Counts a line, and refuses one that is longer than a block.
    fn take_line(&mut self, len: usize) -> Outcome {
        self.lines = self.lines.saturating_add(1);
        if len <= BLOCK_LEN_MAX {
            return Ok(());
        }
        let (name, line) = (&self.name, self.lines);
        let message = format!(
            "line {line} of {name} is longer than the block limit of {BLOCK_LEN_MAX} bytes: append it with --chunk"
        );
        Err(Failure::new(Exit::Failed, message))
    }

    fn next_chunks(&mut self, len: usize) -> Outcome<Vec<Bytes>> {
        let mut buffer = std::mem::take(&mut self.rest);
        while !(buffer.len() >= len && self.is_enough(buffer.len())) {
            if !self.read_some(&mut buffer, usize::MAX)? {
                break;
            }
        }
        if !self.ended {
            let left_over = buffer.len().checked_rem(len).unwrap_or(0);
            let complete = buffer.len().saturating_sub(left_over);
            self.rest = buffer.get(complete..).unwrap_or_default().to_vec();
            buffer.truncate(complete);
        }
        let buffer = Bytes::from(buffer);
        Ok(buffer.chunks(len).map(|chunk| buffer.slice_ref(chunk)).collect())
    }

    /// Whether a batch of so many bytes is appended before more is read.
    fn is_enough(&self, len: usize) -> bool {
        self.is_pipe() || len >= BATCH_LEN
    }

    /// Reads once into `buffer`, up to `limit` bytes in it; `false` at the end of the input.
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
        self.read = self.read.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        self.ended = count == 0;
        Ok(count > 0)
    }
}
