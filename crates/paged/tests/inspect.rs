//! The inspector shows what is in a container.

#[path = "../examples/inspect/report.rs"]
mod report;
#[path = "../examples/inspect/sample.rs"]
mod sample;
#[path = "../examples/inspect/types.rs"]
mod types;

#[test]
fn the_sample_is_shown_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sample.paged");
    sample::write(&path).expect("is written");
    let mut output = Vec::new();
    report::inspect(&path, 3, &mut output).expect("is shown");
    let text = String::from_utf8(output).expect("text");
    for line in [
        "pages of 4096 bytes from byte 4096",
        r#"  0: (text: "apple", seen: 3, found: OnPage(12), forms: ["apples", "apple tree"], lines: [[1, 2], [], [3]])"#,
        r#"  1: (text: "pear", seen: 1, found: Nowhere, forms: ["pears", "pear tree"], lines: [[1, 2], [], [3]])"#,
        "  2: 4",
        "every page is as it was written",
    ] {
        assert!(text.lines().any(|found| found == line), "no line {line:?} in\n{text}");
    }
    assert!(!text.contains("  3: "), "no more entries than asked for");
}

#[test]
fn a_damaged_page_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sample.paged");
    sample::write(&path).expect("is written");
    let mut bytes = std::fs::read(&path).expect("is read");
    bytes[4096 + 4095] ^= 1;
    std::fs::write(&path, bytes).expect("is written");
    let error = report::inspect(&path, 3, &mut Vec::new()).expect_err("is damaged");
    assert!(error.to_string().contains("page 0"), "{error}");
}

#[test]
fn types_that_somebody_made_up_are_not_followed() {
    for text in ["list<inline<list<u16>>>", "map<u8,(bool,u64)>", "wide<list<[u8;4]>>"] {
        assert!(types::Type::parse(text).is_some(), "{text}");
    }
    let deep = format!("{}u8{}", "option<".repeat(10_000), ">".repeat(10_000));
    // Each list in a list could refer to itself and would be shown as many times over.
    let endless =
        ["list<list<u8>>", "list<(u8,string)>", "set<option<wide<string>>>", "map<u8,string>"];
    for text in
        endless.into_iter().chain([&*deep, "{\u{1b}[2J:u8}", "[();4294967295]", "list<u8", ""])
    {
        assert!(types::Type::parse(text).is_none(), "{text}");
    }
}
