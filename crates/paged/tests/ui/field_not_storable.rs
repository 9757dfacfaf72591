//! A type that differs between machines.
use paged::Paged;

#[derive(Paged)]
struct Position {
    line: usize,
}

fn main() {}
