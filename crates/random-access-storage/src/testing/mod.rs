//! A conformance suite and test backends.
