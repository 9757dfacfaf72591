//! A small container, to be shown when none is given.

use std::error::Error;
use std::path::Path;

use paged::container::{NO_HEAP, Writer};
use paged::{Inline, Paged};

#[derive(Paged)]
#[paged(heap)]
struct Word {
    text: String,
    seen: u32,
    found: Found,
    forms: Vec<Inline<String>>,
    lines: Vec<Inline<Vec<u16>>>,
}

#[derive(Paged)]
enum Found {
    Nowhere,
    OnPage(u16),
}

/// Writes a container to `path`, where nothing is yet.
pub(crate) fn write(path: &Path) -> Result<(), Box<dyn Error>> {
    let mut file = Writer::create(path, 4096)?;
    let mut texts = file.new_heap("texts")?;
    let mut words = file.begin_section::<Word>("words", &mut texts)?;
    for (text, seen, found) in [
        ("apple", 3, Found::OnPage(12)),
        ("pear", 1, Found::Nowhere),
        ("plum", 7, Found::OnPage(9)),
    ] {
        let forms = vec![Inline(format!("{text}s")), Inline(format!("{text} tree"))];
        let lines = vec![Inline(vec![1, 2]), Inline(Vec::new()), Inline(vec![3])];
        words.push(&(), &Word { text: text.to_owned(), seen, found, forms, lines })?;
    }
    words.end()?;
    file.add_heap(texts)?;
    let mut squares = file.begin_section::<u32>("squares", NO_HEAP)?;
    for root in 0..20_u32 {
        squares.push(&(), &(root * root))?;
    }
    squares.end()?;
    file.publish()?;
    Ok(())
}
