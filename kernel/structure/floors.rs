//! A file imports only from floors below its own, no two files import each other, and nothing goes up by another way.

use crate::source::{self, Source};
use crate::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};
use syn::visit::Visit;

/// The one file whose symbols are handed down: the entry stubs, as `arch::EntryPoints`.
const DECLARED: &str = "main/stubs.rs";

/// The floors from the top, as `lib.rs` lists them; those beside each other in one entry.
fn order(sources: &[Source]) -> Vec<Vec<String>> {
    let library = sources.iter().find(|source| source.path == "lib.rs").expect("lib.rs");
    let docs: String = library.lines.iter().filter_map(|line| line.strip_prefix("//!")).collect();
    let (_, list) = docs.split_once("below its own:").expect("lib.rs lists the floors");
    let (list, _) = list.split_once('.').expect("the list ends with a full stop");
    let names = |entry: &str| entry.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    [vec!["main".to_owned()]].into_iter().chain(list.split('→').map(names)).collect()
}

/// The number of a file's floor, from the top, and its name.
fn floor<'o>(order: &'o [Vec<String>], path: &str) -> (usize, &'o str) {
    let name = path.split(['/', '.']).next().unwrap_or_default();
    let found = order.iter().enumerate().find_map(|(number, names)| Some((number, names.iter().find(|n| *n == name)?)));
    let (number, name) = found.unwrap_or_else(|| panic!("{path} is on no floor that lib.rs lists"));
    (number, name)
}

/// Which files a file uses, and where it says so first.
type Uses = BTreeMap<(usize, usize), (usize, String)>;

/// Every mention of what another file defines.
fn uses(tree: &Tree) -> Uses {
    let mut uses = Uses::new();
    let interface = interface();
    for (file, mentions) in tree.mentions.iter().enumerate() {
        for mention in &mentions.paths {
            let module = tree.module(file, &mention.within);
            for to in tree.files(module, &mention.segments) {
                // To bring a module in is not yet to use anything of it.
                let is_folder = mention.is_import && tree.sources[to].path.ends_with("mod.rs");
                if to != file && !is_folder {
                    uses.entry((file, to)).or_insert((mention.line, mention.segments.join("::")));
                }
            }
        }
        // A method has no path. One that only one file defines can't be anybody else's, the standard library's aside.
        for (line, name) in &mentions.methods {
            let files = tree.methods(name);
            if let (1, Some(&to)) = (files.len(), files.first())
                && to != file
                && !STANDARD.contains(&name.as_str())
                && !interface.contains(&format!("fn {name}("))
            {
                uses.entry((file, to)).or_insert((*line, format!(".{name}()")));
            }
        }
    }
    uses
}

/// Methods that kernel types share with types of the standard library.
const STANDARD: [&str; 13] =
    ["bytes", "get", "insert", "is_empty", "is_none", "iter", "map", "next", "remove", "set", "start", "take", "write"];

/// The text of the interface crate, whose types have methods too.
fn interface() -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../abi/src");
    let files = std::fs::read_dir(folder).expect("the interface crate").map(|file| file.expect("its files").path());
    files.map(|path| std::fs::read_to_string(path).expect("readable")).collect()
}

#[test]
fn files_import_only_from_floors_below() {
    let sources = source::all();
    let (tree, order) = (Tree::new(&sources), order(&sources));
    let mut wrong = Vec::new();
    for ((from, to), (line, path)) in uses(&tree) {
        let (from, to) = (&sources[from].path, &sources[to].path);
        if from == "lib.rs" || to == "lib.rs" {
            wrong.push(format!("{from}:{line}: {path}: lib.rs only lists the floors"));
            continue;
        }
        let ((above, own), (below, other)) = (floor(&order, from), floor(&order, to));
        if below < above || below == above && own != other {
            wrong.push(format!("{from}:{line}: {path} is in {to}, on a floor that isn't below"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_two_files_import_each_other() {
    let sources = source::all();
    let uses = uses(&Tree::new(&sources));
    let mut wrong = Vec::new();
    for (&(from, to), (line, path)) in &uses {
        if from < to
            && let Some((back, its)) = uses.get(&(to, from))
        {
            let (a, b) = (&sources[from].path, &sources[to].path);
            wrong.push(format!("{a}:{line} uses {path} and {b}:{back} uses {its}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Longer circles would make floors within a floor impossible to tell.
#[test]
fn files_do_not_import_in_a_circle() {
    let sources = source::all();
    let uses = uses(&Tree::new(&sources));
    let mut left: BTreeSet<usize> = (0..sources.len()).collect();
    while let Some(&lowest) = left.iter().find(|&&file| uses.keys().all(|&(f, to)| f != file || !left.contains(&to))) {
        left.remove(&lowest);
    }
    // Those that only use what is in the circle aren't part of it.
    while let Some(&top) = left.iter().find(|&&file| uses.keys().all(|&(from, to)| to != file || !left.contains(&from)))
    {
        left.remove(&top);
    }
    let within = |(&(from, to), (line, path)): (&(usize, usize), &(usize, String))| {
        let both = left.contains(&from) && left.contains(&to);
        both.then(|| format!("{}:{line}: {path} is in {}", sources[from].path, sources[to].path))
    };
    let wrong: Vec<String> = uses.iter().filter_map(within).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Function pointers that are kept somewhere, and symbols taken from outside of Rust.
#[derive(Default)]
struct Escapes {
    stored: Vec<String>,
    symbols: Vec<String>,
    depth: usize,
}

impl<'s> Visit<'s> for Escapes {
    fn visit_item_struct(&mut self, item: &'s syn::ItemStruct) {
        self.within(|this| syn::visit::visit_item_struct(this, item));
    }
    fn visit_item_enum(&mut self, item: &'s syn::ItemEnum) {
        self.within(|this| syn::visit::visit_item_enum(this, item));
    }
    fn visit_item_static(&mut self, item: &'s syn::ItemStatic) {
        self.within(|this| this.visit_type(&item.ty));
    }
    fn visit_item_const(&mut self, item: &'s syn::ItemConst) {
        self.within(|this| this.visit_type(&item.ty));
    }
    fn visit_type(&mut self, kind: &'s syn::Type) {
        if self.depth > 0 && matches!(kind, syn::Type::TraitObject(_)) {
            self.stored.push("a trait object".to_owned());
        }
        syn::visit::visit_type(self, kind);
    }
    fn visit_foreign_item_fn(&mut self, item: &'s syn::ForeignItemFn) {
        self.symbols.push(item.sig.ident.to_string());
    }
    fn visit_foreign_item_static(&mut self, item: &'s syn::ForeignItemStatic) {
        self.symbols.push(item.ident.to_string());
    }
}

impl Escapes {
    fn within(&mut self, visit: impl FnOnce(&mut Self)) {
        self.depth += 1;
        visit(self);
        self.depth -= 1;
    }
}

/// A symbol that a file doesn't define itself comes from the linker script, or it is a way up that imports don't show.
#[test]
fn nothing_goes_up_by_symbol_or_stored_function() {
    let sources = source::all();
    let script = include_str!("../link.ld");
    let mut wrong = Vec::new();
    for source in &sources {
        let mut escapes = Escapes::default();
        escapes.visit_file(&source.syntax);
        wrong.extend(escapes.stored.iter().map(|what| format!("{}: {what} is stored", source.path)));
        for line in stored_function_types(source) {
            wrong.push(format!("{}:{line}: a function pointer is stored", source.path));
        }
        for symbol in escapes.symbols {
            let label = format!("\"{symbol}:");
            let own = source.lines.iter().any(|line| line.contains(&label));
            let linked = script.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == symbol);
            let declared = source.path == DECLARED && own;
            if !declared && !linked {
                wrong.push(format!("{}: the symbol {symbol} is neither the linker script's nor declared", source.path));
            }
        }
        let exports = |line: &&String| line.contains("no_mangle") || line.contains("export_name");
        if let Some(line) = source.lines.iter().find(exports) {
            wrong.push(format!("{}: exports a symbol: {line}", source.path));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Lines of types that are function pointers, in fields, statics and constants.
fn stored_function_types(source: &Source) -> Vec<usize> {
    let mut lines = Vec::new();
    let mut see = |item: &syn::Item| {
        let tokens = match item {
            syn::Item::Struct(item) => quote_fields(item.fields.iter()),
            syn::Item::Enum(item) => quote_fields(item.variants.iter().flat_map(|variant| &variant.fields)),
            syn::Item::Static(item) => is_function(&item.ty).into_iter().collect(),
            syn::Item::Const(item) => is_function(&item.ty).into_iter().collect(),
            _ => Vec::new(),
        };
        lines.extend(tokens);
    };
    fn walk(items: &[syn::Item], see: &mut impl FnMut(&syn::Item)) {
        for item in items {
            see(item);
            if let syn::Item::Mod(item) = item
                && !source::is_for_tests(&item.attrs)
                && let Some((_, items)) = &item.content
            {
                walk(items, see);
            }
        }
    }
    walk(&source.syntax.items, &mut see);
    lines
}

fn quote_fields<'f>(fields: impl Iterator<Item = &'f syn::Field>) -> Vec<usize> {
    fields.filter_map(|field| is_function(&field.ty)).collect()
}

/// The line of a function-pointer type anywhere inside a type.
fn is_function(kind: &syn::Type) -> Option<usize> {
    struct Finder(Option<usize>);
    impl<'s> Visit<'s> for Finder {
        fn visit_type_fn_ptr(&mut self, kind: &'s syn::TypeFnPtr) {
            self.0 = Some(syn::spanned::Spanned::span(kind).start().line);
        }
    }
    let mut finder = Finder(None);
    finder.visit_type(kind);
    finder.0
}
