//! The bitfields of the golden directories: what they say, and what we write for the same.

use std::error::Error;
use std::ops::Range;
use std::path::{Path, PathBuf};

use flat_tree::Index;
use random_access_memory::RandomAccessMemory;
use random_access_storage::RandomAccess as _;
use serde_json::Value;
use sleep::{Bitfield, FileName, Header, PageSize, StoredHeader};

type Outcome = Result<(), Box<dyn Error>>;

struct Golden {
    name: String,
    bytes: Vec<u8>,
    store: RandomAccessMemory,
    expected: Value,
}

fn goldens() -> Result<Vec<Golden>, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()?;
    folders.retain(|path| path.is_dir());
    folders.sort();
    folders
        .into_iter()
        .map(|path| {
            let bytes = std::fs::read(path.join("storage/bitfield"))?;
            let store = RandomAccessMemory::new();
            store.write_at(0, &bytes)?;
            let expected = serde_json::from_slice(&std::fs::read(path.join("expected.json"))?)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok(Golden { name, bytes, store, expected })
        })
        .collect()
}

impl Golden {
    fn load(&self) -> Result<(Header, Bitfield), Box<dyn Error>> {
        let StoredHeader::Present(header) = Header::read(FileName::Bitfield, &self.store)? else {
            return Err("no header".into());
        };
        let page_size = header.page_size().ok_or("no page size")?;
        Ok((header, Bitfield::load(&self.store, page_size)?))
    }

    fn ranges(&self, field: &str) -> Vec<Range<u64>> {
        let ranges = self.expected[field].as_array().expect(field);
        let number = |value: &Value| value.as_u64().expect("a number");
        ranges.iter().map(|range| number(&range[0])..number(&range[1])).collect()
    }
}

#[test]
fn all_of_them_say_what_is_there() -> Outcome {
    let goldens = goldens()?;
    assert_eq!(goldens.len(), 27);
    for golden in goldens {
        let (_, mut bitfield) = golden.load()?;
        let name = &golden.name;
        let length = golden.expected["length"].as_u64().ok_or("no length")?;
        let page_size = golden.expected["bitfield_page_size"].as_u64();
        assert_eq!(Some(bitfield.page_size().bytes() as u64), page_size, "{name}");
        assert_eq!(bitfield.length(), length, "{name}");
        let blocks: Vec<_> = bitfield.blocks(0..u64::MAX).collect();
        assert_eq!(blocks, golden.ranges("blocks_present"), "{name}");
        let nodes: Vec<_> = bitfield.nodes(0..u64::MAX).collect();
        assert_eq!(nodes, golden.ranges("tree_nodes_present"), "{name}");

        let past: u64 = bitfield.count_blocks(length..u64::MAX);
        let expected = if name == "v9-truncated" { 8 } else { 0 };
        assert_eq!((past, bitfield.count_nodes_past(length)), (expected, 0), "{name}");
        assert_eq!(bitfield.truncate(length), expected, "{name}");
        assert_eq!(bitfield.length(), length, "{name}");
        assert_eq!(bitfield.is_dirty(), expected > 0, "{name}");
    }
    Ok(())
}

#[test]
fn the_same_bits_are_written_as_the_same_bytes() -> Outcome {
    for golden in goldens()? {
        let (header, loaded) = golden.load()?;
        let mut ours = Bitfield::new(loaded.page_size());
        // The tree first, as its bits are what pages are there for in a feed without blocks.
        for node in golden.ranges("tree_nodes_present").into_iter().flatten() {
            ours.set_node(Index::new(node), true)?;
        }
        for blocks in golden.ranges("blocks_present") {
            ours.set_blocks(blocks, true)?;
        }
        let store = RandomAccessMemory::new();
        header.write(&store)?;
        ours.write(&store)?;
        let written = store.read_vec_at(0, usize::try_from(store.len()?)?)?;
        // With old pages, what JavaScript leaves of the index above 4096 blocks depends on history.
        let compared = match golden.name.as_str() {
            "bitfield-pages-3328" => 3072,
            _ => loaded.page_size().bytes(),
        };
        assert_eq!(written.len(), golden.bytes.len(), "{}", golden.name);
        let pages = |bytes: &[u8]| -> Vec<Vec<u8>> {
            let pages = bytes[32..].chunks(loaded.page_size().bytes());
            pages.map(|page| page[..compared].to_vec()).collect()
        };
        assert_eq!(written[..32], golden.bytes[..32], "{}", golden.name);
        let differs = pages(&written).iter().zip(&pages(&golden.bytes)).position(|(a, b)| a != b);
        assert_eq!(differs, None, "{}", golden.name);
    }
    Ok(())
}

/// As a writer does it: block after block, a write after each batch.
#[test]
fn blocks_in_order_make_the_file_of_the_original() -> Outcome {
    let golden = goldens()?.into_iter().find(|golden| golden.name == "v9-len5000");
    let golden = golden.ok_or("no such golden")?;
    for batch in [1, 7, 500] {
        let store = RandomAccessMemory::new();
        Header::bitfield(PageSize::default()).write(&store)?;
        let mut ours = Bitfield::new(PageSize::default());
        for start in (0..5000).step_by(batch) {
            let end = 5000.min(start + batch as u64);
            ours.set_blocks(start..end, true)?;
            for block in start..end {
                ours.add_node(Index::new(2 * block))?;
            }
            ours.write(&store)?;
            if batch > 1 {
                ours = Bitfield::load(&store, PageSize::default())?;
            }
            assert_eq!(ours.length(), end);
        }
        let written = store.read_vec_at(0, usize::try_from(store.len()?)?)?;
        assert!(written == golden.bytes, "batches of {batch}");
    }
    Ok(())
}
