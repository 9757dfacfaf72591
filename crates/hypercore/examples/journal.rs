//! Keeps a journal: appends the words given as an entry and prints the whole journal.
//!
//! `cargo run --example journal -- DIRECTORY WORDS...`

use hypercore::Hypercore;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let directory = words.next().map_or_else(
        || std::env::temp_dir().join(format!("journal-{}", std::process::id())),
        Into::into,
    );
    let entry: Vec<String> = words.collect();
    let entry = if entry.is_empty() { "a quiet day".to_owned() } else { entry.join(" ") };

    let log = Hypercore::open(&directory).await?;
    log.append(entry).await?;
    for index in 0..log.length() {
        if let Some(block) = log.get_local(index).await? {
            println!("{index}: {}", String::from_utf8_lossy(&block));
        }
    }
    println!("kept in {}, signed by {}", directory.display(), log.key());
    log.close().await?;
    Ok(())
}
