//! What a committed state of either format answers to a reader.

use std::fmt;
use std::sync::Arc;

use crate::error::MappedPageError;
use crate::medium::Medium;

/// What a state is read from.
pub(crate) type Origin = Arc<dyn Medium>;

/// The result of everything here.
pub(crate) type Result<T> = std::result::Result<T, MappedPageError>;

/// Turns taken to find a state that a writer does not change meanwhile, and to read a sector that is
/// not being written.
pub(crate) const TURNS_MAX: usize = 64;

/// One committed state of a file that a writer may be going on with.
///
/// Each call answers from that state or says `Stale`; never from a mixture. The source is that of
/// the file that the state was taken from.
pub(crate) trait View: fmt::Debug + Send + Sync {
    /// Pages of the file, with those of the engine.
    fn page_count(&self) -> u64;
    /// Pages that nobody has.
    fn free_page_count(&self) -> u64;
    /// Counts the commits since the file was made.
    fn generation(&self) -> u64;
    /// Whether the state is still the newest that the file has.
    fn is_newest(&self, source: &Origin) -> Result<bool>;
    /// The first regular page at or after `from`.
    fn next_regular(&self, source: &Origin, from: u64) -> Result<Option<u64>>;
    /// The id of the first protected page whose slot is at or after `from_slot`.
    fn next_protected(&self, source: &Origin, from_slot: u64) -> Result<Option<u64>>;
    /// Fills `into`, which is one page long, with the content of a regular page.
    fn read_page(&self, source: &Origin, page: u64, into: &mut [u8]) -> Result<()>;
    /// Fills `into`, which is one page long, with the content of a protected page.
    fn read_protected(&self, source: &Origin, id: u64, into: &mut [u8]) -> Result<()>;
}
