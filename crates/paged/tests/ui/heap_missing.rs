//! A text needs a heap, so the type is marked.
use paged::Paged;

#[derive(Paged)]
struct Word {
    text: String,
}

fn main() {}
