//! What the engine does that the suite over both formats does not see.
