//! The kernel's source files, parsed, without their unit tests.

use proc_macro2::{TokenStream, TokenTree};
use std::path::{Path, PathBuf};
use syn::spanned::Spanned;
use syn::visit::Visit;

pub struct Source {
    /// Relative to `kernel/src`.
    pub path: String,
    pub lines: Vec<String>,
    pub syntax: syn::File,
    pub tokens: TokenStream,
    /// First and last lines, from 1, of what only unit tests see.
    tests: Vec<(usize, usize)>,
}

impl Source {
    fn read(root: &Path, path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("a source file is readable");
        let syntax = syn::parse_file(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let mut tests = TestItems::default();
        tests.visit_file(&syntax);
        Self {
            path: path.strip_prefix(root).expect("below the root").to_str().expect("a plain name").to_owned(),
            lines: text.lines().map(str::to_owned).collect(),
            syntax,
            tokens: text.parse().expect("what parses has tokens"),
            tests: tests.0,
        }
    }

    pub fn is_test(&self, line: usize) -> bool {
        self.tests.iter().any(|&(first, last)| (first..=last).contains(&line))
    }

    /// Lines, unit tests aside.
    pub fn line_count(&self) -> usize {
        (1..=self.lines.len()).filter(|&line| !self.is_test(line)).count()
    }

    /// Whether the file lies in a folder, or is the file, of this name.
    pub fn is_in(&self, place: &str) -> bool {
        self.path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/') || rest == ".rs" || rest.is_empty())
    }
}

/// All of `kernel/src`, by path.
pub fn all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    paths.sort();
    paths.iter().map(|path| Source::read(&root, path)).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// Whether attributes leave an item to unit tests.
pub fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::NameValue(_) => false,
    })
}

#[derive(Default)]
struct TestItems(Vec<(usize, usize)>);

impl TestItems {
    fn note(&mut self, attributes: &[syn::Attribute], span: proc_macro2::Span) {
        if is_for_tests(attributes) {
            self.0.push((span.start().line, span.end().line));
        }
    }
}

impl<'s> Visit<'s> for TestItems {
    fn visit_item_mod(&mut self, item: &'s syn::ItemMod) {
        self.note(&item.attrs, item.span());
        syn::visit::visit_item_mod(self, item);
    }
    fn visit_item_fn(&mut self, item: &'s syn::ItemFn) {
        self.note(&item.attrs, item.span());
    }
}

/// Calls `see` for each token, groups opened, with the tokens that follow it at its own level.
pub fn each_token(tokens: TokenStream, see: &mut impl FnMut(&TokenTree, &[TokenTree])) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        see(token, &tokens[index + 1..]);
        if let TokenTree::Group(group) = token {
            each_token(group.stream(), see);
        }
    }
}
