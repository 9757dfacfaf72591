//! Looks at everything that is stored, and says what is wrong with it.
