//! Draws the tree of a log: `cargo run -p flat-tree --example draw -- 11`.
//!
//! Full roots stand in brackets; below, what the next block adds.

use flat_tree::{Index, full_roots, patch};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let length: u64 = std::env::args().nth(1).as_deref().unwrap_or("11").parse()?;
    if length == 0 || length > 24 {
        return Err("give a length from 1 to 24".into());
    }
    let depth = full_roots(length).next().map_or(0, |root| root.depth().get());
    for level in (0..=depth).rev() {
        let mut line = String::new();
        for number in 0..2 * length - 1 {
            let index = Index::new(number);
            let inside = index.end_block() <= length && index.depth().get() == level;
            line += &match (inside, index.is_root_of(length)) {
                (true, true) => format!("[{number:>2}]"),
                (true, false) => format!(" {number:>2} "),
                (false, _) => "    ".to_owned(),
            };
        }
        println!("{}", line.trim_end());
    }
    let added: Vec<String> = patch(length, length + 1).map(|index| index.to_string()).collect();
    println!("block {length} adds nodes {}", added.join(", "));
    Ok(())
}
