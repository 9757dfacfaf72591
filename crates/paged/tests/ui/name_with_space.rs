//! A name is one word.
use paged::Paged;

#[derive(Paged)]
struct Point {
    #[paged(name = "the x")]
    x: u32,
}

fn main() {}
