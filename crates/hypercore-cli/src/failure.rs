//! Why a command failed: the exit code it promises, and a sentence that says what to do now.

use std::io;
use std::path::Path;

use hypercore::{CoreKey, Error, ErrorKind, StoreError};
use serde_json::{Map, Value};
use sleep::{FileName, RecoveryError};

use crate::sleep_dir::SleepDir;

/// What to do about a full disk.
const MAKE_ROOM: &str = "what was stored before stays: make room and try again";

/// What a command gives back.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// The exit codes other than 0. They are a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    NotWritable = 4,
    Corrupt = 5,
    Locked = 6,
    Network = 7,
    TimedOut = 8,
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::NotWritable => 4,
            Self::Corrupt => 5,
            Self::Locked => 6,
            Self::Network => 7,
            Self::TimedOut => 8,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::NotFound => "not-found",
            Self::NotWritable => "not-writable",
            Self::Corrupt => "corrupt",
            Self::Locked => "locked",
            Self::Network => "network",
            Self::TimedOut => "timed-out",
        }
    }
}

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody reads stdout any more: not a failure, but nothing is left to do.
    NobodyReads,
    /// What went wrong was printed as data already.
    Reported(Exit),
    /// To be printed on stderr.
    Told(Box<Told>),
}

/// Why something that is stored could not be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// A log of Hypercore 10 says so.
    Log(Error),
    /// A feed of Dat or Hypercore 6 to 9 does.
    Feed(sleep::Error),
    /// A feed does, and the reason is what it does not store.
    NotHere(sleep::Error),
}

impl ReadError {
    /// Whether a writer that works on the same files explains the error.
    pub(crate) fn is_disturbance(&self) -> bool {
        match self {
            Self::Log(error) => error.kind() == ErrorKind::Corrupt || error.store_error().is_some(),
            Self::Feed(_) | Self::NotHere(_) => true,
        }
    }
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        Self::Log(error)
    }
}

impl From<sleep::Error> for ReadError {
    fn from(error: sleep::Error) -> Self {
        Self::Feed(error)
    }
}

/// A failure with its text.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    pub(crate) file: Option<&'static str>,
    pub(crate) offset: Option<u64>,
    pub(crate) index: Option<u64>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self::Told(Box::new(Told {
            exit,
            message: message.into(),
            file: None,
            offset: None,
            index: None,
        }))
    }

    /// Something that is not stored: a block index or a byte.
    pub(crate) fn missing(index: u64, message: impl Into<String>) -> Self {
        Self::Told(Box::new(Told {
            exit: Exit::NotFound,
            message: message.into(),
            file: None,
            offset: None,
            index: Some(index),
        }))
    }

    /// What the log in `dir` said, with the exit code and the advice that belong to it.
    pub(crate) fn log(dir: &Path, error: &Error) -> Self {
        let exit = exit_of(error);
        let mut message = format!("{}: {}", dir.display(), chain(error));
        if let Some(advice) = advice(error, exit) {
            message.push_str("; ");
            message.push_str(advice);
        }
        Self::Told(Box::new(Told {
            exit,
            message,
            file: error.file(),
            offset: error.offset(),
            index: None,
        }))
    }

    /// What the log or the feed in `dir` said.
    pub(crate) fn read(dir: &Path, error: &ReadError) -> Self {
        match error {
            ReadError::Log(error) => Self::log(dir, error),
            ReadError::Feed(error) => Self::feed(dir, error),
            ReadError::NotHere(error) => {
                Self::new(Exit::NotFound, format!("{}: {error}", dir.display()))
            }
        }
    }

    /// What the feed in `dir` said to a command that reads it.
    pub(crate) fn feed(dir: &Path, error: &sleep::Error) -> Self {
        let advice = "hypercore verify tells more, and with --repair makes again what can be";
        Self::feed_advised(dir, error, advice).of_reading()
    }

    /// What the feed in `dir` said, with what to do about damage unless the error says something better.
    pub(crate) fn feed_advised(dir: &Path, error: &sleep::Error, about_damage: &str) -> Self {
        let exit = exit_of_feed(error);
        let mut message = format!("{}: {}", dir.display(), chain(error));
        let advice = advice_of_feed(dir, error);
        let advice = advice.or_else(|| (exit == Exit::Corrupt).then(|| about_damage.to_owned()));
        if let Some(advice) = advice {
            message.push_str("; ");
            message.push_str(&advice);
        }
        Self::Told(Box::new(Told {
            exit,
            message,
            file: file_of(error),
            offset: None,
            index: block_of(error),
        }))
    }

    /// Whether what is stored is to blame.
    pub(crate) fn is_corrupt(&self) -> bool {
        matches!(self, Self::Told(told) if told.exit == Exit::Corrupt)
    }

    /// The block that it is about.
    pub(crate) fn at(mut self, index: u64) -> Self {
        if let Self::Told(told) = &mut self {
            told.index = Some(index);
        }
        self
    }

    /// A backup that would be written to before it is known to be the newest copy.
    pub(crate) fn unconfirmed(dir: &Path, key: CoreKey) -> Self {
        let dir = dir.display();
        Self::new(
            Exit::NotWritable,
            format!(
                "{dir}: this is a backup, and the log may have gone on since it was made; nothing was changed. Take over what readers \
                 have that it has not (hypercore clone {key} {dir} --connect ADDR), then run: hypercore confirm-newest {dir}"
            ),
        )
    }

    /// The same for a command that only reads: what may not be read is not "not writable".
    pub(crate) fn of_reading(mut self) -> Self {
        if let Self::Told(told) = &mut self
            && told.exit == Exit::NotWritable
        {
            told.exit = Exit::Failed;
        }
        self
    }

    /// A file of the user's that could not be read.
    pub(crate) fn input(name: &str, error: &io::Error) -> Self {
        Self::new(Exit::Failed, format!("{name} could not be read: {}", reason(error)))
    }

    /// Puts how much was done before the failure in front of it.
    pub(crate) fn after(mut self, done: &str) -> Self {
        if let Self::Told(told) = &mut self {
            told.message = format!("{} ({done})", told.message);
        }
        self
    }
}

impl From<io::Error> for Failure {
    /// Writing to stdout failed.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::NobodyReads;
        }
        Self::new(Exit::Failed, format!("stdout could not be written: {}", reason(&error)))
    }
}

impl Told {
    /// The failure as `--json` prints it.
    pub(crate) fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("error".to_owned(), self.exit.name().into());
        object.insert("exit".to_owned(), self.exit.code().into());
        object.insert("message".to_owned(), self.message.as_str().into());
        if let Some(file) = self.file {
            object.insert("file".to_owned(), file.into());
        }
        if let Some(offset) = self.offset {
            object.insert("offset".to_owned(), offset.into());
        }
        if let Some(index) = self.index {
            object.insert("index".to_owned(), index.into());
        }
        Value::Object(object)
    }
}

fn exit_of(error: &Error) -> Exit {
    if error.is_locked() {
        Exit::Locked
    } else if error.is_not_found() || error.is_out_of_bounds() {
        Exit::NotFound
    } else if error.is_not_writable() || error.is_unconfirmed_backup() {
        Exit::NotWritable
    } else if error.kind() == ErrorKind::Corrupt {
        Exit::Corrupt
    } else if error.kind() == ErrorKind::Peer {
        Exit::Network
    } else {
        Exit::Failed
    }
}

/// Whether the blocks of a feed are kept elsewhere, or lost.
fn is_without_data(dir: &Path) -> bool {
    SleepDir::find(dir).is_some_and(|place| !place.has(FileName::Data))
}

/// The file of a feed that the error is about.
pub(crate) fn file_of(error: &sleep::Error) -> Option<&'static str> {
    use sleep::Error as E;
    let file = match error {
        E::Storage { file, .. } | E::TooLong { file, .. } | E::MadeMeanwhile { file } => *file,
        E::Header(error) => error.file,
        E::Recovery(error) => file_of_recovery(error)?,
        E::NeedsRepair { finding } => finding.file(),
        E::KeyMissing | E::AnotherFeed { .. } => FileName::Key,
        E::SecretKeyDamaged | E::SecretKeyMismatch { .. } => FileName::SecretKey,
        E::BytesMissing { .. } | E::BlockDamaged { .. } | E::DataMissing => FileName::Data,
        E::BlockTooLong { .. } | E::NodeMissing { .. } | E::TreeDamaged { .. } => FileName::Tree,
        E::SignatureInvalid { .. } | E::SignatureMissing { .. } => FileName::Signatures,
        _ => return None,
    };
    Some(file.as_str())
}

/// The file that keeps a feed from being opened.
fn file_of_recovery(error: &RecoveryError) -> Option<FileName> {
    use RecoveryError as E;
    match error {
        E::KeyMismatch { .. } => Some(FileName::Key),
        E::RootMissing { .. } | E::TooManyBytes { .. } => Some(FileName::Tree),
        E::SignatureWrong { .. } => Some(FileName::Signatures),
        E::NothingProven { .. } => Some(FileName::Bitfield),
        E::FilesMissing { files } => files.first().copied(),
        _ => None,
    }
}

/// The block that the error is about.
fn block_of(error: &sleep::Error) -> Option<u64> {
    use sleep::Error as E;
    match error {
        E::NotStored { block }
        | E::BytesMissing { block }
        | E::BlockDamaged { block }
        | E::BlockTooLong { block, .. } => Some(*block),
        _ => None,
    }
}

fn exit_of_feed(error: &sleep::Error) -> Exit {
    use sleep::Error as E;
    match error {
        E::Storage { source: StoreError::Locked, .. } => Exit::Locked,
        E::NotFound | E::NotStored { .. } | E::OutOfBounds { .. } | E::BytesOutOfBounds { .. } => {
            Exit::NotFound
        }
        E::ReadOnly | E::SecretKeyMissing => Exit::NotWritable,
        E::Storage { source, .. } if source.is_permission_denied() => Exit::NotWritable,
        E::Storage { .. } | E::MadeMeanwhile { .. } | E::Poisoned => Exit::Failed,
        // What is left says that the files do not agree.
        _ => Exit::Corrupt,
    }
}

/// What to do about what a feed said, where more is known than the exit code.
fn advice_of_feed(dir: &Path, error: &sleep::Error) -> Option<String> {
    use sleep::Error as E;
    let repair = format!("hypercore verify {} --repair", dir.display());
    match error {
        E::KeyMissing => Some(format!(
            "{repair} makes it again from `secret_key`; where that is lost too, add --key with the key that the feed was shared by"
        )),
        E::Recovery(RecoveryError::KeyMismatch { .. }) => {
            Some(format!("put the right one there: {repair} --key KEY"))
        }
        E::Recovery(RecoveryError::SignatureWrong { .. }) => Some(format!(
            "{repair} --sign signs again with the stored secret key, --accept-loss drops what older signatures do not prove"
        )),
        E::Recovery(RecoveryError::NothingProven { .. }) => Some(format!(
            "{repair} --sign signs with the stored secret key what is whole, --accept-loss gives up what is not proven"
        )),
        E::Recovery(RecoveryError::FilesMissing { .. }) => {
            Some(format!("where that is wanted: {repair} --accept-loss"))
        }
        E::SecretKeyMismatch { .. } | E::SecretKeyDamaged => Some(format!(
            "{repair} mends `key` if that is the wrong one of the two; else move `secret_key` away, which reading needs not"
        )),
        E::BytesMissing { .. } if is_without_data(dir) => Some(
            "there is no file `data`: Dat keeps the content of a folder in the files of that folder, and only the rest in feeds"
                .to_owned(),
        ),
        E::Storage { source: StoreError::Locked, .. } => Some(
            "one program writes to a feed, or any number read it: wait for it to finish, or end it"
                .to_owned(),
        ),
        E::Storage { source, .. } if source.is_storage_full() => Some(MAKE_ROOM.to_owned()),
        _ => None,
    }
}

fn advice(error: &Error, exit: Exit) -> Option<&'static str> {
    match exit {
        Exit::Locked => Some(
            "one process writes to a log, or any number read and serve it: wait for it to finish, or end it",
        ),
        Exit::Corrupt if error.is_unsupported() => Some("read it with the program that wrote it"),
        Exit::Corrupt => {
            Some("nothing was changed: restore the file from a copy, or clone the log again")
        }
        Exit::Failed if error.is_storage_full() => Some(MAKE_ROOM),
        Exit::Failed if error.is_already_exists() => {
            Some("choose another place, or go on with what is there")
        }
        _ => None,
    }
}

/// The error and its causes, joined, without what the system adds in brackets.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = match (cause.downcast_ref::<io::Error>(), cause.downcast_ref()) {
            (Some(error), _) => reason(error),
            // Opening, locking and syncing concern no bytes: their numbers say nothing.
            (_, Some(StoreError::Io { operation, offset: 0, len: 0, .. })) => {
                format!("{operation} failed")
            }
            _ => cause.to_string(),
        };
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// The system's reason as a lower-case clause.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = match text.find(" (os error") {
        Some(end) => text.get(..end).unwrap_or(&text),
        None => &text,
    };
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
