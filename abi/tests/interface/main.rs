//! `docs/interface.md` is made from this crate: its tables, the values of its constants, and its comments.
//!
//! The test fails when the page isn't what it would make now. With `UPDATE=1` in the environment it writes the page.

mod page;
mod source;

#[test]
fn the_reference_page_is_current() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/interface.md");
    let page = page::page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, page).expect("the page can be written");
        return;
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    let different = page.lines().zip(written.lines()).position(|(new, old)| new != old);
    let line = different.unwrap_or(page.lines().count().min(written.lines().count())) + 1;
    assert!(
        page == written,
        "docs/interface.md isn't current from line {line} on: UPDATE=1 cargo test -p chestnut-abi"
    );
}
