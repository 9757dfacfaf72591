//! A log in a program without async: every call waits for its result.
//!
//! `cargo run --example no_runtime --features blocking`

use hypercore::blocking::Hypercore;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::temp_dir().join(format!("no-runtime-{}", std::process::id()));
    let log = Hypercore::open(&directory)?;
    log.append_batch(["one", "two", "three"])?;

    for (index, block) in log.read_stream(..).enumerate() {
        println!("{index}: {}", String::from_utf8_lossy(&block?));
    }
    let info = log.info()?;
    println!(
        "{} blocks, {} bytes of content, verified: {}",
        info.length,
        info.byte_length,
        log.verify()?.is_ok()
    );
    assert_eq!((info.length, info.byte_length), (3, 11));
    log.purge()?;
    Ok(())
}
