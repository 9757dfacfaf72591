//! A field has a name, and nothing else.
use paged::Paged;

#[derive(Paged)]
struct Point {
    #[paged(skip)]
    x: u32,
}

fn main() {}
