//! A type stored by hand says so, or the container does not take it.
use paged::Paged;

struct Stored;

impl paged::EncodeSized for Stored {
    const ENCODED_SIZE: u32 = 0;
}

#[derive(Paged)]
#[paged(heap, encode_only)]
struct Around {
    inside: Stored,
}

impl<C> paged::EncodeOnHeap<C> for Stored {
    fn encode_on_heap(
        &self,
        _context: &C,
        _heap: &mut paged::Heap,
        _output: &mut impl std::io::Write,
    ) -> std::io::Result<u32> {
        Ok(0)
    }
}

fn main() {}
