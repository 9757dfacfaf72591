//! Tests of the engine over media in memory.
