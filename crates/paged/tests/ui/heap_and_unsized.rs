//! Entries of sections have a size.
use paged::Paged;

#[derive(Paged)]
#[paged(heap, unsized)]
struct Word {
    text: String,
}

fn main() {}
