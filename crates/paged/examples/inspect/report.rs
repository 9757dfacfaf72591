//! What is in a container, as text, knowing nothing but the file.

use std::error::Error;
use std::io::Write;
use std::path::Path;

use paged::container::{Container, ItemKind, SectionItem};
use paged::{FileSource, Input};

use crate::types::Type;

/// What is in the container at `path`, with `count` entries of each section.
pub(crate) fn inspect(
    path: &Path,
    count: u32,
    output: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let container = Container::open(path)?;
    let layout = container.reader().layout();
    writeln!(
        output,
        "pages of {} bytes from byte {}",
        layout.page_len(),
        layout.first_page_offset()
    )?;
    for item in container.items() {
        match &item.kind {
            ItemKind::Section(section) => {
                let entries = section.entry_count;
                writeln!(
                    output,
                    "section {:?}: {entries} of {}",
                    item.name,
                    section.type_text.escape_debug()
                )?;
                show(&container, section, count, output)?;
            }
            ItemKind::Heap(heap) => {
                writeln!(output, "heap {:?}: {} bytes", item.name, heap.byte_len)?
            }
            other => writeln!(output, "{:?}: {other:?}", item.name)?,
        }
    }
    container.verify()?;
    writeln!(output, "every page is as it was written")?;
    Ok(())
}

fn show(
    container: &Container<FileSource>,
    section: &SectionItem,
    count: u32,
    output: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let known = Type::parse(&section.type_text);
    let Some(entry) = known.filter(|entry| entry.size() == u64::from(section.entry_size)) else {
        writeln!(output, "  (of a type that this program does not know)")?;
        return Ok(());
    };
    let (reader, heap) = (container.reader(), container.heap_of(section));
    let layout = reader.layout();
    let places = layout.section(section.page_offset, section.entry_count, section.entry_size)?;
    let mut bytes = vec![0; section.entry_size as usize];
    for index in 0..count.min(section.entry_count) {
        let offset = places.entry_offset(index).ok_or("an entry without a place")?;
        reader.read_at(offset - layout.first_page_offset(), &mut bytes)?;
        writeln!(output, "  {index}: {}", entry.show(&mut Input::new(&bytes), &heap)?)?;
    }
    Ok(())
}
