//! Where memory is reinterpreted: the only module with `unsafe`.
#![expect(unsafe_code, reason = "a view of bytes as a page is a cast of one reference to another")]

use crate::page::MappedPage;

/// The view of `bytes`, which are one page or one sub-page.
pub(crate) fn view(bytes: &[u8]) -> &MappedPage {
    let page = std::ptr::from_ref(bytes) as *const MappedPage;
    // SAFETY: `MappedPage` is `repr(transparent)` over `[u8]`, so address, length, alignment and
    // validity are those of `bytes`; the lifetime and the sharing are those of the argument.
    unsafe { &*page }
}

/// The view of `bytes`, to be changed.
pub(crate) fn view_mut(bytes: &mut [u8]) -> &mut MappedPage {
    let page = std::ptr::from_mut(bytes) as *mut MappedPage;
    // SAFETY: as in `view`; the exclusive borrow is that of the argument.
    unsafe { &mut *page }
}
