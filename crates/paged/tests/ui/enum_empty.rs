//! Without variants there are no values.
use paged::Paged;

#[derive(Paged)]
enum Never {}

fn main() {}
