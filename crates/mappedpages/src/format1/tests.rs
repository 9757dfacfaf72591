//! Tests of the engine over media in memory.

mod behaviour;
mod damage;
mod harness;
mod power_cut;
