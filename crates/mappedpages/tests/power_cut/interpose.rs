//! The calls of the C library that change or sync a file, with the recorder in between.
//!
//! A program's own symbols come before those of the library, so these are what `std` and `memmap2` call. They
//! pass on what they get, by system calls that need no library.
#![expect(
    unsafe_code,
    reason = "symbols of the C library can be defined in no other way; they get raw descriptors and pointers"
)]

use std::ffi::{c_int, c_void};
use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use crate::recorder::{self, Call};

unsafe extern "C" {
    fn __errno_location() -> *mut c_int;
}

/// Turns a result into what the C library returns.
fn returned(result: Result<usize, Errno>) -> isize {
    match result {
        Ok(done) => done.cast_signed(),
        Err(error) => {
            // SAFETY: it takes no arguments and has no requirements.
            let errno = unsafe { __errno_location() };
            // SAFETY: it points to a number of this thread, which nothing else refers to.
            unsafe { *errno = error.raw_os_error() };
            -1
        }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite64(fd: c_int, from: *const c_void, len: usize, offset: i64) -> isize {
    // SAFETY: whoever writes to a descriptor has it open for as long as the call takes.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    // SAFETY: `pwrite` asks its caller for `len` readable bytes at `from`.
    let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), len) };
    let offset = offset.cast_unsigned();
    returned(recorder::around(fd, Call::Write { offset, len }, || {
        rustix::io::pwrite(fd, bytes, offset)
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite(fd: c_int, from: *const c_void, len: usize, offset: i64) -> isize {
    // SAFETY: the same call under its other name; what it asks for is what it was given.
    unsafe { pwrite64(fd, from, len, offset) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate64(fd: c_int, len: i64) -> c_int {
    // SAFETY: whoever cuts a file has it open for as long as the call takes.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let done = recorder::around(fd, Call::SetLen, || {
        rustix::fs::ftruncate(fd, len.cast_unsigned()).map(|()| 0)
    });
    returned(done) as c_int
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate(fd: c_int, len: i64) -> c_int {
    // SAFETY: the same call under its other name; what it asks for is what it was given.
    unsafe { ftruncate64(fd, len) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fdatasync(fd: c_int) -> c_int {
    // SAFETY: whoever syncs a file has it open for as long as the call takes.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    returned(recorder::around(fd, Call::Sync, || rustix::fs::fdatasync(fd).map(|()| 0))) as c_int
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    // SAFETY: whoever syncs a file has it open for as long as the call takes.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    returned(recorder::around(fd, Call::Sync, || rustix::fs::fsync(fd).map(|()| 0))) as c_int
}

/// Not needed on Linux, where a sync of the file reaches mapped pages; a pager that used it would
/// have to be looked at again here, since it makes only a range durable.
#[unsafe(no_mangle)]
unsafe extern "C" fn msync(_: *mut c_void, _: usize, _: c_int) -> c_int {
    recorder::unexpected("msync");
    returned(Err(Errno::NOSYS)) as c_int
}
