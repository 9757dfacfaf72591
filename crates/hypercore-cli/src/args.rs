//! The command line as a type: what may be written, and what the manual says about it.
//!
//! Knows how numbers, sizes, ranges and keys are spelled; opens nothing.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use hypercore::CoreKey;

use crate::key::core_key;
use crate::parse::{
    Address, BlockRange, Secret, SecretParser, Size, address, block_range, milliseconds, size,
};

const AFTER_HELP: &str = "\
Commands that only read take a packed log, or a feed of Dat or Hypercore 6 to 9 (SLEEP), in the place of DIR.

Exit codes: 0 done, 1 other failure, 2 usage, 3 nothing stored there, 4 not writable, \
5 corrupt or verification failed, 6 locked, 7 network or peer, 8 timed out.

Data goes to stdout, status and progress to stderr. With --json, stdout has one JSON object a \
line, and a failure is one JSON object on stderr: {\"error\":KIND,\"exit\":CODE,\"message\":TEXT}, \
with \"file\", \"offset\" and \"index\" where they are known.";

const CONFIRM_HELP: &str = "\
The log that a backup was taken of may have gone on since. Blocks appended to the backup then stand in the place of others that \
were signed before, and everyone who sees both stops trusting the log for good. So a backup refuses to be written to until it is \
confirmed. First stop whoever still writes to the log, and take over what readers of it have that the backup has not: \
hypercore clone KEY DIR --connect ADDR.";

const IMPORT_HELP: &str = "\
Blocks are copied in order, in batches, each verified against the feed's signature; nothing is written to SLEEP-DIR. At the end \
each is read back from DIR and compared. After an interruption the same command goes on: what is in DIR must be the feed's first \
blocks, else nothing is changed. The feed is locked against writers meanwhile.

What a log can not take is told before anything is written: a block of more than 15 MiB, which old versions allowed, or one that is \
missing, unless --missing says what becomes of it.

The log is another one than the feed: it has a fork number, a tree with other hashes, signatures of its own, and peers of the \
old network do not speak with those of the new. Its key is new, too: a random one, or that of --seed. With --keep-key it is signed by \
the feed's own key pair and its key is the feed's key, so that whoever knows the feed by its key knows the log. Do not append to the old \
feed any more then.

SLEEP-DIR has the files key, data, tree, signatures and bitfield. Where they are called metadata.tree and so on, as in the \
oldest Dat folders, it is .dat/metadata.";

/// Keep, read, verify and share signed, append-only logs.
#[derive(Debug, Parser)]
#[command(name = "hypercore", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// Print one JSON object a line on stdout
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// No status and no progress on stderr
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more on stderr: what opening found and mended, and each batch that is stored
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// When a write counts as done
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) durability: DurabilityArg,
    /// Encrypt and decrypt blocks with this key (32 bytes in hex)
    #[arg(long, global = true, value_name = "HEX", value_parser = SecretParser)]
    pub(crate) encryption_key: Option<Secret>,
    /// Change nothing on disk: commands that write are refused
    #[arg(long, global = true)]
    pub(crate) read_only: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DurabilityArg {
    /// On stable storage: survives a power cut
    #[default]
    Immediate,
    /// With the operating system: survives a kill, and a power cut about a second later
    Eventual,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an empty log
    New(NewArgs),
    /// Append files, or stdin, to a log
    Append(AppendArgs),
    /// Write one block to stdout, raw
    Get(GetArgs),
    /// Write blocks, or a range of bytes, to stdout
    Cat(CatArgs),
    /// Write the last blocks, then follow
    Tail(TailArgs),
    /// Tell which block holds a byte
    Seek(SeekArgs),
    /// Tell what is stored
    Info(DirArgs),
    /// List the blocks that are stored here
    Ls(LsArgs),
    /// Hash every stored block again; check tree, bitfield and signature. Writes nothing without --repair
    Verify(VerifyArgs),
    /// Shorten a log; its fork number rises
    Truncate(TruncateArgs),
    /// Drop the content of blocks and give the space back
    Clear(ClearArgs),
    /// Copy a log into an empty directory, to be restored one day
    Backup(BackupArgs),
    /// Freeze a log into one file, which is read and shared as a directory is
    Pack(PackArgs),
    /// Make a directory of a packed log again
    Unpack(UnpackArgs),
    /// Say that a restored backup is the newest copy of its log, so that it can be written to
    #[command(after_help = CONFIRM_HELP)]
    ConfirmNewest(DirArgs),
    /// Share logs over TCP until interrupted
    Serve(ServeArgs),
    /// Fetch a log from peers, verify it, and keep it in a directory
    Clone(CloneArgs),
    /// Copy a feed of Dat or Hypercore 6 to 9 into a log
    #[command(after_help = IMPORT_HELP)]
    Import(ImportArgs),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

impl Command {
    /// Whether it speaks with peers.
    pub(crate) fn uses_network(&self) -> bool {
        matches!(self, Self::Serve(_) | Self::Clone(_))
    }
}

#[derive(Debug, Args)]
pub(crate) struct DirArgs {
    /// Directory of the log
    pub(crate) dir: PathBuf,
}

const REPAIR_HELP: &str = "\
--repair makes tree nodes from blocks and other nodes, and lists blocks whose bytes are here. Head, keys and the bytes of \
blocks stay as they are. A damaged block of a log that can not be appended to here no longer counts as stored, so that it \
can be fetched again; it keeps its bytes. Exit code 0: nothing is wrong any more; 5: something remains.

In a feed of Dat or Hypercore 6 to 9 it makes headers, the file `key` (from `secret_key`, or --key), nodes and the bitfield again, \
believes nothing that a signature does not hold for, and drops nothing that it is not told to. Where the sizes of blocks are lost \
with their nodes, it tries them out, 1,000,000 at most, which may take minutes; nothing is written meanwhile.";

#[derive(Debug, Args)]
#[command(after_help = REPAIR_HELP)]
pub(crate) struct VerifyArgs {
    /// Directory of the log
    pub(crate) dir: PathBuf,
    /// First write again what can be derived from the rest
    #[arg(long)]
    pub(crate) repair: bool,
    #[command(flatten)]
    pub(crate) feed: FeedRepairArgs,
}

/// What a repair of a feed may do beside what needs no decision.
#[derive(Debug, Args)]
#[command(next_help_heading = "To repair feeds of Dat and Hypercore 6 to 9")]
pub(crate) struct FeedRepairArgs {
    /// Key of the feed, in hex or as a z-base-32 id, where `key` and `secret_key` are lost
    #[arg(long, requires = "repair", value_parser = core_key)]
    pub(crate) key: Option<CoreKey>,
    /// Sign again with the stored secret key where the newest signature is lost, if every block since an older one is there
    #[arg(long, requires = "repair")]
    pub(crate) sign: bool,
    /// Count all blocks as stored whose bytes are there, those that were cleared as well
    #[arg(long, requires = "repair")]
    pub(crate) find_blocks: bool,
    /// Drop blocks at the end that can not be proven any more. If others have them, do not append in their place
    #[arg(long, requires = "repair")]
    pub(crate) accept_loss: bool,
}

impl FeedRepairArgs {
    /// Whether any was given.
    pub(crate) fn is_used(&self) -> bool {
        self.key.is_some() || self.sign || self.find_blocks || self.accept_loss
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
The backup is a log of its own accord: blocks, tree, user data and the secret key, so keep it as safe as the log. Blocks of an \
encrypted log stay encrypted; the encryption key is not part of it. Damaged blocks are left out. A backup that was cut short has \
no file `oplog` and opens as nothing: delete it. A restored backup is read and shared as any log, and refuses to be written to until \
`hypercore confirm-newest`.")]
pub(crate) struct BackupArgs {
    /// Directory of the log
    pub(crate) dir: PathBuf,
    /// Directory of the backup: missing or empty
    pub(crate) target: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The file holds manifest, head and signature, the stored blocks, the tree, the bitfield and the user data, with a checksum for each \
page, and no secret key. Blocks of an encrypted log stay encrypted. Damaged blocks are left out. Commands that read take the file in \
the place of a directory. It gets its name when it is complete; until then its folder needs room for the log twice.")]
pub(crate) struct PackArgs {
    /// Directory of the log
    pub(crate) dir: PathBuf,
    /// The file to be made
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The log comes without a secret key: it is read and shared, fetches what its peers have more, and can not be appended to.")]
pub(crate) struct UnpackArgs {
    /// The packed log
    pub(crate) file: PathBuf,
    /// Directory of the log to be made: missing or empty
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Directory of the feed, which stays as it is
    #[arg(value_name = "SLEEP-DIR")]
    pub(crate) feed: PathBuf,
    /// Directory of the log: missing or empty, or what an import of this feed left
    pub(crate) dir: PathBuf,
    /// Ed25519 seed of the log's key pair (32 bytes in hex); random without it
    #[arg(long, value_name = "HEX", value_parser = SecretParser)]
    pub(crate) seed: Option<Secret>,
    /// Keep the feed's key: sign with its key pair (its file `secret_key` must be there), and use the public key as the log's key
    #[arg(long, conflicts_with = "seed")]
    pub(crate) keep_key: bool,
    /// Use the public key as the log's key, as JavaScript Hypercore 10 does
    #[arg(long)]
    pub(crate) compat: bool,
    /// What becomes of blocks that are not stored in the feed
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    pub(crate) missing: MissingArg,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum MissingArg {
    /// Nothing is imported, and the first one is named
    #[default]
    Refuse,
    /// The import ends before the first one; run again when it is there, it goes on
    Stop,
    /// An empty block stands in the place of each, so that all others keep their index
    Empty,
}

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// Directory of the log: missing or empty
    pub(crate) dir: PathBuf,
    /// Ed25519 seed of the key pair (32 bytes in hex), for tests and scripts; random without it
    #[arg(long, value_name = "HEX", value_parser = SecretParser)]
    pub(crate) seed: Option<Secret>,
    /// Use the public key as the log's key, as JavaScript Hypercore 10 does
    #[arg(long, conflicts_with = "manifest")]
    pub(crate) compat: bool,
    /// A file with the encoded manifest, raw or in hex (as `info --json` tells it in
    /// manifest.encoded). Without --seed the log can not be appended to here
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Without --lines and --chunk each file becomes one block; one longer than the block limit (15 MiB) \
is cut into blocks of that size, and an empty one makes an \
empty block. Blocks are appended in batches of about 2 MiB; a failure keeps the batches before it.")]
pub(crate) struct AppendArgs {
    /// Directory of the log; a new one is made when it is missing or empty
    pub(crate) dir: PathBuf,
    /// Files to append, in this order; "-" or none is stdin
    pub(crate) files: Vec<PathBuf>,
    /// A block a line, without its newline. A last line without one counts
    #[arg(long, conflicts_with = "chunk")]
    pub(crate) lines: bool,
    /// Blocks of this many bytes (64k, 1MiB; the last of each file may be shorter)
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) chunk: Option<Size>,
}

#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// Directory of the log
    pub(crate) dir: PathBuf,
    /// Index of the block, from 0
    pub(crate) index: u64,
}

#[derive(Debug, Args)]
pub(crate) struct CatArgs {
    /// Directory of the log
    pub(crate) dir: PathBuf,
    /// Blocks from A up to, not including, B; either may be left out
    #[arg(long, value_name = "A..B", value_parser = block_range)]
    pub(crate) blocks: Option<BlockRange>,
    /// Bytes from A up to, not including, B; either may be left out
    #[arg(long, value_name = "A..B", value_parser = block_range, conflicts_with = "blocks")]
    pub(crate) bytes: Option<BlockRange>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Each block is written raw, with a newline after it if it has none. With -f the log is read beside \
its writer, without a lock: what is read is verified.")]
pub(crate) struct TailArgs {
    /// Directory of the log
    pub(crate) dir: PathBuf,
    /// How many of the last blocks
    #[arg(short = 'n', long = "blocks", value_name = "N", default_value_t = 10)]
    pub(crate) count: u64,
    /// Go on with the blocks that are appended from now on
    #[arg(short, long)]
    pub(crate) follow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SeekArgs {
    /// Directory of the log
    pub(crate) dir: PathBuf,
    /// Offset of the byte in the log, from 0
    pub(crate) byte: u64,
}

#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    /// Directory of the log
    pub(crate) dir: PathBuf,
    /// Blocks from A up to, not including, B; either may be left out
    #[arg(long, value_name = "A..B", value_parser = block_range)]
    pub(crate) blocks: Option<BlockRange>,
}

#[derive(Debug, Args)]
pub(crate) struct TruncateArgs {
    /// Directory of the log
    pub(crate) dir: PathBuf,
    /// How many blocks stay
    pub(crate) length: u64,
    /// The new fork number, above the present one; the next one without it
    #[arg(long, value_name = "N")]
    pub(crate) fork: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct ClearArgs {
    /// Directory of the log
    pub(crate) dir: PathBuf,
    /// Blocks from A up to, not including, B; either may be left out
    #[arg(value_name = "A..B", value_parser = block_range, action = ArgAction::Set)]
    pub(crate) blocks: BlockRange,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The logs are opened for reading: what they hold is shared, and nothing is written. Whoever knows a log's key may fetch it; \
to others not even its presence is told. SIGINT and SIGTERM end it with exit code 0.

With --json: first {\"event\":\"listening\",\"address\",\"addresses\":[..],\"cores\":[{\"key\",\"discovery_key\",\"length\"}]}, then \
\"connected\" and \"disconnected\" for each peer, with the bytes that passed, and \"interrupted\" at the end.")]
pub(crate) struct ServeArgs {
    /// Directories of the logs
    #[arg(required = true, value_name = "DIR")]
    pub(crate) dirs: Vec<PathBuf>,
    /// Address and port to listen on; port 0 takes a free one. May be given several times
    #[arg(long, value_name = "ADDR", value_parser = address, default_value = "127.0.0.1:0", action = ArgAction::Append)]
    pub(crate) listen: Vec<Address>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Blocks are stored once they are proven to be the writer's. What is here already is not fetched again: after an interruption, \
the same command goes on. An encrypted log is copied as it is: its key is not needed.

A peer that goes away is dialled again for about ten seconds. Exit code 7: no peer is left that could be reached and has the \
log, or the peers broke the protocol; 8: the time was over. What came until then stays. Interrupted by SIGINT or SIGTERM, \
it ends with 0 if everything was here, else with 1.

With --json: \"connected\", \"disconnected\", \"upgraded\" and \"truncated\" as they happen, and \
{\"event\":\"done\",\"length\",\"fork\",\"tree_hash\",\"downloaded\",\"bytes\",\"elapsed_ms\"}: with --live whenever everything is here, \
else as the last one. After a signal the last one is \"interrupted\", with the same fields and \"missing\".")]
pub(crate) struct CloneArgs {
    /// Key of the log, in hex or as a z-base-32 id
    #[arg(value_parser = core_key)]
    pub(crate) key: CoreKey,
    /// Directory to keep it in; made if it is missing or empty
    pub(crate) dir: PathBuf,
    /// Addresses of peers
    #[arg(long, value_name = "ADDR,..", value_parser = address, value_delimiter = ',', required = true)]
    pub(crate) connect: Vec<Address>,
    /// Only blocks of these ranges; an end may be left open
    #[arg(long, value_name = "A..B,..", value_parser = block_range, value_delimiter = ',', conflicts_with = "no_blocks")]
    pub(crate) blocks: Vec<BlockRange>,
    /// No blocks: only the length and the tree that prove them later
    #[arg(long)]
    pub(crate) no_blocks: bool,
    /// Go on with what is appended later, until interrupted
    #[arg(long)]
    pub(crate) live: bool,
    /// Give up when not everything is here after so many milliseconds
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    pub(crate) timeout: Option<Duration>,
}
