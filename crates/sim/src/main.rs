//! `sim`: the simulator as a program, which `cargo xtask crash` runs.
fn main() {}
