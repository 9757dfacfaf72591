//! A union does not say what it holds.
use paged::Paged;

#[derive(Paged)]
union Bits {
    number: u32,
    bytes: [u8; 4],
}

fn main() {}
