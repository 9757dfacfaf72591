//! What borrows cannot be read.
use paged::Paged;

#[derive(Paged)]
#[paged(heap)]
struct Word<'a> {
    text: &'a str,
}

fn main() {}
