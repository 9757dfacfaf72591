//! Bounds stand in parentheses.
use paged::Paged;

#[derive(Paged)]
#[paged(bounds = "T: Copy")]
struct Pair<T>(T, T);

fn main() {}
