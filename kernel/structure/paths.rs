//! Every path that a file mentions: in `use`, in code, and inside macros, where it is found among the tokens.

use crate::source::is_for_tests;
use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::Visit;

/// One mention of a path.
#[derive(Clone, Debug)]
pub struct Mention {
    pub line: usize,
    /// The inline module of the file that it stands in, as names from the file's own.
    pub within: Vec<String>,
    pub segments: Vec<String>,
    /// A `use` names it, not code.
    pub is_import: bool,
}

/// One name that a `use` brings in; `*` for all names of a module.
#[derive(Clone, Debug)]
pub struct Import {
    pub within: Vec<String>,
    pub name: String,
    pub path: Vec<String>,
}

#[derive(Default)]
pub struct Mentions {
    within: Vec<String>,
    pub paths: Vec<Mention>,
    pub imports: Vec<Import>,
    /// Names of methods called, with their lines.
    pub methods: Vec<(usize, String)>,
}

impl Mentions {
    pub fn of(file: &syn::File) -> Self {
        let mut mentions = Self::default();
        mentions.visit_file(file);
        mentions
    }

    fn add(&mut self, line: usize, segments: Vec<String>, is_import: bool) {
        self.paths.push(Mention { line, within: self.within.clone(), segments, is_import });
    }

    fn add_use(&mut self, tree: &syn::UseTree, mut prefix: Vec<String>) {
        let (name, last) = match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                return self.add_use(&path.tree, prefix);
            }
            syn::UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.add_use(tree, prefix.clone()));
            }
            syn::UseTree::Name(name) if name.ident == "self" => (prefix.last().cloned().unwrap_or_default(), None),
            syn::UseTree::Name(name) => (name.ident.to_string(), Some(name.ident.to_string())),
            syn::UseTree::Rename(rename) => (rename.rename.to_string(), Some(rename.ident.to_string())),
            syn::UseTree::Glob(_) => ("*".to_owned(), None),
        };
        prefix.extend(last);
        self.add(tree.span().start().line, prefix.clone(), true);
        self.imports.push(Import { within: self.within.clone(), name, path: prefix });
    }

    /// Paths of two segments or more among tokens: identifiers with `::` between them. `$crate` is `crate`.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is_colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Ident(first) => {
                    let line = first.span().start().line;
                    let mut segments = vec![first.to_string()];
                    while let (true, true, Some(TokenTree::Ident(next))) =
                        (is_colon(at + 1), is_colon(at + 2), tokens.get(at + 3))
                    {
                        segments.push(next.to_string());
                        at += 3;
                    }
                    self.add(line, segments, false);
                }
                TokenTree::Group(group) => self.add_tokens(group.stream()),
                _ => {}
            }
            at += 1;
        }
    }
}

impl<'s> Visit<'s> for Mentions {
    fn visit_item_mod(&mut self, item: &'s syn::ItemMod) {
        if !is_for_tests(&item.attrs) {
            self.within.push(item.ident.to_string());
            syn::visit::visit_item_mod(self, item);
            self.within.pop();
        }
    }
    fn visit_item_fn(&mut self, item: &'s syn::ItemFn) {
        if !is_for_tests(&item.attrs) {
            syn::visit::visit_item_fn(self, item);
        }
    }
    fn visit_item_use(&mut self, item: &'s syn::ItemUse) {
        if !is_for_tests(&item.attrs) {
            self.add_use(&item.tree, Vec::new());
        }
    }
    fn visit_attribute(&mut self, _: &'s syn::Attribute) {}
    fn visit_visibility(&mut self, _: &'s syn::Visibility) {}
    fn visit_path(&mut self, path: &'s syn::Path) {
        let segments = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add(path.span().start().line, segments, false);
        syn::visit::visit_path(self, path);
    }
    fn visit_macro(&mut self, item: &'s syn::Macro) {
        self.visit_path(&item.path);
        self.add_tokens(item.tokens.clone());
    }
    fn visit_expr_method_call(&mut self, call: &'s syn::ExprMethodCall) {
        self.methods.push((call.method.span().start().line, call.method.to_string()));
        syn::visit::visit_expr_method_call(self, call);
    }
}
