//! What all changes have in common: when they are refused, what precedes the first one, and that a
//! failed one is the last.

use std::sync::Arc;

use flat_tree::Index;
use hypercore_crypto::PublicKey;
use random_access_storage::{RandomAccess, SyncScope};

use crate::canary::{Bug, planted};
use crate::error::{Error, Result};
use crate::feed::{Durability, Feed, Stage};
use crate::files::{Access, FileName, Files};
use crate::header::{HEADER_LEN, Header};
use crate::keys::{self, KEY_LEN};
use crate::node::NODE_LEN;
use crate::signatures::SignatureFile;
use crate::tree::TreeFile;

impl Feed {
    /// Puts all that was written on stable storage, and what an open recovered too, so that other
    /// programs see it. In [`Durability::Strict`] that is all there is to do.
    ///
    /// # Durability
    /// On return every change that had returned before survives power loss, and other programs see it.
    ///
    /// # Errors
    /// [`Error::Poisoned`]; [`Error::Storage`], after which the feed is poisoned: what is stored is not
    /// known, and a second sync would not tell.
    pub fn sync(&mut self) -> Result<()> {
        if self.stage == Stage::Poisoned {
            return Err(Error::Poisoned);
        }
        if self.stage == Stage::Untouched {
            if !self.bitfield.is_dirty() || self.check_changeable().is_err() {
                return Ok(());
            }
            self.change(|_| Ok(()))?;
        }
        if self.durability == Durability::Strict {
            return Ok(());
        }
        self.run(|feed| {
            // In the order of the rounds of an append.
            feed.sync_files(&[FileName::Data, FileName::Tree])?;
            feed.sync_files(&[FileName::Signatures])?;
            feed.sync_files(&[FileName::Bitfield])
        })
    }

    /// Refuses a change that must not be begun.
    pub(super) fn check_changeable(&self) -> Result<()> {
        if self.stage == Stage::Poisoned {
            return Err(Error::Poisoned);
        }
        if self.files.access() == Access::Read {
            return Err(Error::ReadOnly);
        }
        self.recovery.check_changeable()
    }

    /// Refuses to write beside a `data` that was lost, or is kept elsewhere.
    pub(super) fn check_data(&self) -> Result<()> {
        let is_there = self.files.get(FileName::Data).is_some() || self.byte_length() == 0;
        if is_there || self.present().next().is_none() {
            return Ok(());
        }
        Err(Error::DataMissing)
    }

    /// Makes a change, and everything that must precede the first one. When it fails the feed is
    /// poisoned.
    pub(super) fn change<T>(&mut self, change: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.run(|feed| {
            if feed.stage == Stage::Untouched {
                feed.prepare()?;
                feed.stage = Stage::Prepared;
            }
            change(feed)
        })
    }

    fn run<T>(&mut self, change: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let result = change(self);
        if result.is_err() {
            self.stage = Stage::Poisoned;
        }
        result
    }

    /// Syncs files unless the feed is [`Durability::Lazy`].
    pub(super) fn sync_unless_lazy(&self, names: &[FileName]) -> Result<()> {
        if self.durability == Durability::Lazy { Ok(()) } else { self.sync_files(names) }
    }

    /// Syncs the files of `names` that are there.
    pub(super) fn sync_files(&self, names: &[FileName]) -> Result<()> {
        names.iter().try_for_each(|name| self.files.sync(*name))
    }

    /// Writes the bits that changed.
    pub(super) fn write_bits(&mut self) -> Result<()> {
        let store = self.files.create(FileName::Bitfield)?;
        self.bitfield.write(&store)
    }

    /// Cuts off what lies past the length, and makes what is missing but needed: see the module above.
    fn prepare(&mut self) -> Result<()> {
        // Where the bitfield is missing nobody has the lock, until it is made.
        let page_size = self.bitfield.page_size();
        let bits = with_header(&mut self.files, FileName::Bitfield, &Header::bitfield(page_size))?;
        write_key(&mut self.files, &self.key)?;
        if self.length == 0 {
            rewrite_key(&self.files, &self.key)?;
            // Whoever made the feed may have failed to sync its keys, which nothing else could bring back.
            self.sync_files(&[FileName::Key, FileName::SecretKey])?;
        }
        let signatures = with_header(&mut self.files, FileName::Signatures, &Header::signatures())?;
        let tree = with_header(&mut self.files, FileName::Tree, &Header::tree())?;
        let tree = TreeFile::new(tree);

        // A killed process may have left it to this one to sync what it wrote, and to write again what a
        // failed sync of it lost. What is signed comes first, as when it is written.
        self.sync_unless_lazy(&[FileName::Data, FileName::Tree])?;
        let signatures = SignatureFile::new(signatures);
        if !self.recovery.is_clean() {
            rewrite(&signatures, self.length)?;
        }
        // Without signatures nothing vouches for the rest of a tail.
        signatures.truncate(self.length)?;
        self.sync_unless_lazy(&[FileName::Signatures])?;

        // A node that is cut would count as one once the file is longer.
        let node_count = self.length.saturating_mul(2).saturating_sub(1).min(tree.node_count()?);
        let nodes_end = TreeFile::offset(Index::new(node_count)).unwrap_or(u64::MAX);
        let mut is_cut = cut(FileName::Tree, tree.store(), nodes_end)?;
        is_cut |= blank_later_parents(&tree, self.length)?;
        if let Some(data) = self.files.get(FileName::Data) {
            is_cut |= cut(FileName::Data, data, self.byte_length())?;
        }
        if is_cut {
            self.sync_unless_lazy(&[FileName::Tree, FileName::Data])?;
        }
        if self.bitfield.is_dirty() {
            self.write_bits()?;
            self.sync_unless_lazy(&[FileName::Bitfield])?;
        } else if self.length == 0 {
            // With the blank slot a page of zeros says that the feed was empty when its first block came: a
            // crash then is told from the loss of the bits and signatures of a longer feed.
            blank_page(&*bits, page_size.bytes(), 0)?;
            self.sync_unless_lazy(&[FileName::Bitfield])?;
        }
        self.tree = Some(tree);
        self.signatures = Some(signatures);
        Ok(())
    }
}

/// Writes the signature of a length once more.
fn rewrite(signatures: &SignatureFile, length: u64) -> Result<()> {
    let Some(slot) = length.checked_sub(1) else { return Ok(()) };
    match signatures.slot(slot)? {
        Some(signature) => signatures.write(slot, &signature),
        None => Ok(()),
    }
}

/// Writes `key` once more: where a sync of it failed, another sync alone keeps nothing.
fn rewrite_key(files: &Files, key: &PublicKey) -> Result<()> {
    match files.get(FileName::Key) {
        Some(store) if keys::read_key(store)? == Some(*key) => keys::write_key(store, key),
        _ => Ok(()),
    }
}

/// Writes `key` where it is missing, so that what is appended can be opened again.
fn write_key(files: &mut Files, key: &PublicKey) -> Result<()> {
    let store = files.create(FileName::Key)?;
    let failed = Error::in_file(FileName::Key);
    if store.len().map_err(&failed)? >= KEY_LEN as u64 {
        return Ok(());
    }
    keys::write_key(&store, key)?;
    store.sync(SyncScope::Data).map_err(failed)
}

/// The store of a file that begins with a header; made, or given one, where it has none.
pub(super) fn with_header(
    files: &mut Files,
    name: FileName,
    header: &Header,
) -> Result<Arc<dyn RandomAccess>> {
    let store = files.create(name)?;
    let failed = Error::in_file(name);
    if store.len().map_err(&failed)? < HEADER_LEN as u64 {
        store.write_at(0, &header.encode()).map_err(&failed)?;
    }
    Ok(store)
}

/// Cuts a store that is longer than `end`; whether it was.
fn cut(name: FileName, store: &dyn RandomAccess, end: u64) -> Result<bool> {
    let failed = Error::in_file(name);
    if store.len().map_err(&failed)? <= end || planted(Bug::TailNotCut) {
        return Ok(false);
    }
    store.truncate(end).map_err(failed)?;
    Ok(true)
}

/// Blanks the nodes of a longer tree that lie left of the end of this one; whether there were any.
fn blank_later_parents(tree: &TreeFile, length: u64) -> Result<bool> {
    let end = length.saturating_mul(2);
    let mut is_changed = false;
    let mut parent = Index::new(end).parent();
    // Above, all parents begin with the first block and lie right of the end.
    while let Some(index) = parent.filter(|index| index.get() < end || index.first_block() > 0) {
        if index.get() < end && tree.node(index)?.is_some() {
            let offset = TreeFile::offset(index).unwrap_or(u64::MAX);
            let blanked = tree.store().write_at(offset, &[0; NODE_LEN]);
            blanked.map_err(Error::in_file(FileName::Tree))?;
            is_changed = true;
        }
        parent = index.parent();
    }
    Ok(is_changed)
}

/// Writes zeros for a page of the bitfield that the file does not have yet; whether it did not.
pub(super) fn blank_page(store: &dyn RandomAccess, page_len: usize, page: u64) -> Result<bool> {
    let failed = Error::in_file(FileName::Bitfield);
    let offset = page.saturating_mul(page_len as u64).saturating_add(HEADER_LEN as u64);
    if store.len().map_err(&failed)? > offset {
        return Ok(false);
    }
    store.write_at(offset, &vec![0; page_len]).map_err(failed)?;
    Ok(true)
}
