//! An attribute stands once.
use paged::Paged;

#[derive(Paged)]
#[paged(heap)]
#[paged(heap)]
struct Word {
    text: String,
}

fn main() {}
