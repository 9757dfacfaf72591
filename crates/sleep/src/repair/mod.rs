//! Makes again what can be derived from what is left.
