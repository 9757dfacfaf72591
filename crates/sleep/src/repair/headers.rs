//! Files that are missing or lost their header, and whether headers alone would be a lie.

use std::sync::Arc;

use random_access_storage::RandomAccess;

use crate::bitfield::Bitfield;
use crate::error::{Error, Result};
use crate::files::FileName;
use crate::header::{HEADER_LEN, Header, PageSize, StoredHeader};
use crate::repair::{Mended, Repair, Stores};
use crate::signatures::SignatureFile;
use crate::tree::TreeFile;

impl Repair<'_> {
    /// Files that are missing where nothing else is left of a feed: with new headers it would pass for one
    /// that was never written to.
    pub(super) fn lost_files(&self) -> Result<Option<Vec<FileName>>> {
        let mut lost = Vec::new();
        for name in [FileName::Tree, FileName::Signatures, FileName::Bitfield] {
            let store = self.files.get(name);
            let len = store.map_or(Ok(0), |store| store.len()).map_err(Error::in_file(name))?;
            let Some(store) = store.filter(|_| len >= HEADER_LEN as u64) else {
                lost.push(name);
                continue;
            };
            let is_empty = match name {
                FileName::Tree => TreeFile::new(Arc::clone(store)).node_count()? == 0,
                FileName::Signatures => {
                    SignatureFile::new(Arc::clone(store)).last_before(u64::MAX)?.is_none()
                }
                _ => Bitfield::load(store, likely_page_size(&**store)?)?.length() == 0,
            };
            if !is_empty {
                return Ok(None);
            }
        }
        let data_len = self.data().map_or(Ok(0), |data| data.len());
        let has_data = data_len.map_err(Error::in_file(FileName::Data))? > 0;
        Ok(Some(lost).filter(|lost| lost.len() > 1 && !has_data))
    }

    pub(super) fn headers(&mut self) -> Result<Stores> {
        let (bitfield, header) = self.header(FileName::Bitfield)?;
        let page_size = header.page_size().unwrap_or_default();
        let (signatures, _) = self.header(FileName::Signatures)?;
        let (tree, _) = self.header(FileName::Tree)?;
        let (tree, signatures) = (TreeFile::new(tree), SignatureFile::new(signatures));
        Ok(Stores { tree, signatures, bitfield, page_size })
    }

    fn header(&mut self, name: FileName) -> Result<(Arc<dyn RandomAccess>, Header)> {
        let store = self.files.create(name)?;
        match Header::read(name, &store) {
            Ok(StoredHeader::Present(header)) => return Ok((store, header)),
            Ok(StoredHeader::Missing { .. }) => {}
            // A crash may leave a file's length without its bytes.
            Err(Error::Header(error)) if error.header == [0; HEADER_LEN] => {}
            Err(Error::Header(_)) if self.options.replaces_headers => {}
            Err(error) => return Err(error),
        }
        let header = match name {
            FileName::Tree => Header::tree(),
            FileName::Signatures => Header::signatures(),
            _ => Header::bitfield(likely_page_size(&*store)?),
        };
        header.write(&*store)?;
        self.files.sync(name)?;
        self.report.mended.push(Mended::Header(name));
        Ok((store, header))
    }
}

/// The size of the pages of a bitfield whose header is lost, by its length.
fn likely_page_size(store: &dyn RandomAccess) -> Result<PageSize> {
    let len = store.len().map_err(Error::in_file(FileName::Bitfield))?;
    let pages_len = len.saturating_sub(HEADER_LEN as u64);
    let fits = |page_size: PageSize| pages_len.is_multiple_of(page_size.bytes() as u64);
    let is_old = fits(PageSize::Bytes3328) && !fits(PageSize::Bytes3584);
    Ok(if is_old { PageSize::Bytes3328 } else { PageSize::Bytes3584 })
}
