//! What a session may choose for itself; the rest belongs to the log.

/// The settings of one session.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Whether it may write, if the log may be written to at all.
    pub(crate) writable: bool,
    /// Whether it lets the log close under it.
    pub(crate) weak: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { writable: true, weak: false }
    }
}
