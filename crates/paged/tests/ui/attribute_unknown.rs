//! An attribute that does not exist names those that do.
use paged::Paged;

#[derive(Paged)]
#[paged(heaped)]
struct Word {
    text: String,
}

fn main() {}
