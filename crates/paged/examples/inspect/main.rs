//! Shows what is in a container, knowing nothing but the file: `cargo run --example inspect FILE [ENTRIES]`.
//!
//! Verifies every page, lists sections and heaps, and prints the first entries of each section (10 unless said
//! otherwise), decoded by the description of their type that the container keeps.

mod types;

use std::error::Error;
use std::process::ExitCode;

use paged::container::{Container, ItemKind, SectionItem};
use paged::{FileSource, Input};
use types::Type;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(path) = arguments.next() else {
        eprintln!("usage: inspect FILE [ENTRIES]");
        return ExitCode::from(2);
    };
    let count = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(10);
    match inspect(&path, count) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn inspect(path: &str, count: u32) -> Result<(), Box<dyn Error>> {
    let container = Container::open(path)?;
    let layout = container.reader().layout();
    println!("pages of {} bytes from byte {}", layout.page_len(), layout.first_page_offset());
    for item in container.items() {
        match &item.kind {
            ItemKind::Section(section) => {
                let entries = section.entry_count;
                println!(
                    "section {:?}: {entries} of {}",
                    item.name,
                    section.type_text.escape_debug()
                );
                show(&container, section, count)?;
            }
            ItemKind::Heap(heap) => println!("heap {:?}: {} bytes", item.name, heap.byte_len),
            other => println!("{:?}: {other:?}", item.name),
        }
    }
    container.verify()?;
    println!("every page is as it was written");
    Ok(())
}

fn show(
    container: &Container<FileSource>,
    section: &SectionItem,
    count: u32,
) -> Result<(), Box<dyn Error>> {
    let known = Type::parse(&section.type_text);
    let Some(entry) = known.filter(|entry| entry.size() == u64::from(section.entry_size)) else {
        println!("  (of a type that this program does not know)");
        return Ok(());
    };
    let (reader, heap) = (container.reader(), container.heap_of(section));
    let layout = reader.layout();
    let places = layout.section(section.page_offset, section.entry_count, section.entry_size)?;
    let mut bytes = vec![0; section.entry_size as usize];
    for index in 0..count.min(section.entry_count) {
        let offset = places.entry_offset(index).ok_or("an entry without a place")?;
        reader.read_at(offset - layout.first_page_offset(), &mut bytes)?;
        println!("  {index}: {}", entry.show(&mut Input::new(&bytes), &heap)?);
    }
    Ok(())
}
