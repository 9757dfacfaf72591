//! Access by byte position, over as many pages as it takes.

use crate::{Page, PageOutOfRange, Pager};

impl Pager {
    /// The byte at `position`, or none where its page is absent.
    #[must_use]
    pub fn byte(&self, position: u64) -> Option<u8> {
        let (number, place) = self.locate(position);
        self.tree.slot(number)?.as_ref()?.get(place).copied()
    }

    /// Sets the byte at `position`; an absent page is made.
    ///
    /// # Errors
    /// [`PageOutOfRange`] when the page is past [`NUMBER_MAX`](Self::NUMBER_MAX).
    pub fn set_byte(&mut self, position: u64, byte: u8) -> Result<(), PageOutOfRange> {
        self.write_bytes(position, &[byte])
    }

    /// Fills `buffer` with the bytes at `position`; absent pages read as zeros and stay absent.
    pub fn read_bytes(&self, position: u64, buffer: &mut [u8]) {
        let (mut number, mut place) = self.locate(position);
        let mut rest = buffer;
        while !rest.is_empty() {
            let room = self.page_size().saturating_sub(place);
            let (part, after) = rest.split_at_mut(room.min(rest.len()));
            let page = self.tree.slot(number).and_then(Option::as_ref);
            let stored = page.and_then(|page| page.get(place..place.saturating_add(part.len())));
            match stored {
                Some(stored) => part.copy_from_slice(stored),
                None => part.fill(0),
            }
            rest = after;
            number = number.saturating_add(1);
            place = 0;
        }
    }

    /// Writes `data` at `position`; absent pages are made, those written to count as dirty.
    ///
    /// # Errors
    /// [`PageOutOfRange`] when the last page would be past [`NUMBER_MAX`](Self::NUMBER_MAX); then
    /// nothing was changed.
    pub fn write_bytes(&mut self, position: u64, data: &[u8]) -> Result<(), PageOutOfRange> {
        let Some(last) = (data.len() as u64).checked_sub(1) else {
            return Ok(());
        };
        let number = self.locate(position.saturating_add(last)).0;
        if number > Self::NUMBER_MAX || position.checked_add(last).is_none() {
            return Err(PageOutOfRange { number });
        }
        let page_size = self.page_size();
        let (mut number, mut place) = self.locate(position);
        let mut rest = data;
        while !rest.is_empty() {
            let room = page_size.saturating_sub(place);
            let (part, after) = rest.split_at(room.min(rest.len()));
            // A new page that is written whole is not cleared first.
            let page = self.get_or_insert(number, || {
                Page::own(
                    number,
                    match part.len() == page_size {
                        true => part.into(),
                        false => vec![0; page_size].into_boxed_slice(),
                    },
                )
            })?;
            if let Some(stored) = page.get_mut(place..place.saturating_add(part.len())) {
                stored.copy_from_slice(part);
            }
            rest = after;
            number = number.saturating_add(1);
            place = 0;
        }
        Ok(())
    }
}
