//! The generated pages are what the code says.

#[test]
fn generated_pages_are_current() {
    for (path, text) in roster::docs::pages() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            written == text,
            "{path} is not what the code says: run `make docs`"
        );
    }
}
