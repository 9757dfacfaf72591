//! The store does what every store does, made at once or at the first write.

use std::sync::atomic::{AtomicU64, Ordering};

use random_access_disk::{Create, RandomAccessDisk};
use random_access_storage::RandomAccess;
use random_access_storage::testing::{OneByte, conformance, conformance_large};

/// Makes a new store in `directory` each time.
fn stores(directory: &tempfile::TempDir, create: Create) -> impl FnMut() -> RandomAccessDisk {
    let path = directory.path().to_path_buf();
    let count = AtomicU64::new(0);
    move || {
        let name = count.fetch_add(1, Ordering::Relaxed).to_string();
        RandomAccessDisk::builder(path.join(name)).create(create).open().unwrap()
    }
}

#[test]
fn conforms() {
    for create in [Create::Now, Create::OnFirstWrite] {
        let directory = tempfile::tempdir().unwrap();
        conformance(stores(&directory, create));
    }
}

#[test]
fn conforms_one_byte_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let mut make = stores(&directory, Create::Now);
    conformance(|| OneByte::new(make()));
}

#[test]
fn large_reads_and_writes_are_exact() {
    let directory = tempfile::tempdir().unwrap();
    conformance_large(stores(&directory, Create::Now));
}

/// More than one system call can move (0x7ffff000 bytes) would be 2 GiB; this is what users do.
#[test]
#[ignore = "writes and reads 1 GiB"]
fn a_gibibyte_is_exact() {
    let directory = tempfile::tempdir().unwrap();
    let store = stores(&directory, Create::Now)();
    let mut data = vec![0; 1 << 30];
    for (word, bytes) in data.chunks_exact_mut(8).enumerate() {
        bytes.copy_from_slice(&(word as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    }
    store.write_at(1, &data).unwrap();
    assert!(store.read_vec_at(1, 1 << 30).unwrap() == data);
}
