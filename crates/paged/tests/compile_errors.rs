//! What the compiler says of a type that cannot be stored: each file of `tests/ui`, and beside it
//! what it has to say. `TRYBUILD=overwrite` writes that anew.

#[test]
fn compile_errors() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
