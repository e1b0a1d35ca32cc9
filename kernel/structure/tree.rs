//! The kernel's modules, and from which file a name comes, however often it was re-exported on the way.

use crate::paths::{Import, Mentions};
use crate::source::{Source, is_for_tests};
use std::collections::{BTreeMap, BTreeSet};

type ModuleId = usize;
type FileId = usize;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    Module(ModuleId),
    /// A type, function, constant or macro that this file defines.
    Item(FileId),
}

struct Module {
    file: FileId,
    parent: Option<ModuleId>,
    /// Names that the module defines. One name can have several definitions, by configuration.
    names: BTreeMap<String, BTreeSet<Named>>,
    imports: Vec<Import>,
}

pub struct Tree<'s> {
    pub sources: &'s [Source],
    pub mentions: Vec<Mentions>,
    modules: Vec<Module>,
    /// The module that a file is, and by name the inline modules in it.
    places: BTreeMap<(FileId, Vec<String>), ModuleId>,
    library: ModuleId,
    /// Associated functions and constants, by type and name.
    associated: BTreeMap<(String, String), BTreeSet<FileId>>,
}

impl<'s> Tree<'s> {
    pub fn new(sources: &'s [Source]) -> Self {
        let mentions = sources.iter().map(|source| Mentions::of(&source.syntax)).collect();
        let mut tree = Self {
            sources,
            mentions,
            modules: Vec::new(),
            places: BTreeMap::new(),
            library: 0,
            associated: BTreeMap::new(),
        };
        tree.library = tree.add_file("lib.rs", None);
        tree.add_file("main.rs", None);
        for (file, source) in sources.iter().enumerate() {
            assert!(tree.places.contains_key(&(file, Vec::new())), "{} belongs to no module", source.path);
        }
        tree
    }

    fn file(&self, path: &str) -> Option<FileId> {
        self.sources.iter().position(|source| source.path == path)
    }

    fn add_file(&mut self, path: &str, parent: Option<ModuleId>) -> ModuleId {
        let file = self.file(path).unwrap_or_else(|| panic!("there is no {path}"));
        self.add_module(file, Vec::new(), parent, &self.sources[file].syntax.items)
    }

    fn add_module(
        &mut self,
        file: FileId,
        within: Vec<String>,
        parent: Option<ModuleId>,
        items: &'s [syn::Item],
    ) -> ModuleId {
        let id = *self.places.entry((file, within.clone())).or_insert_with(|| {
            let imports =
                self.mentions[file].imports.iter().filter(|import| import.within == within).cloned().collect();
            self.modules.push(Module { file, parent, names: BTreeMap::new(), imports });
            self.modules.len() - 1
        });
        for item in items {
            self.add_item(id, file, &within, item);
        }
        id
    }

    fn add_item(&mut self, id: ModuleId, file: FileId, within: &[String], item: &'s syn::Item) {
        let name = match item {
            syn::Item::Mod(item) if is_for_tests(&item.attrs) => return,
            syn::Item::Mod(item) => {
                let name = item.ident.to_string();
                let child = match &item.content {
                    Some((_, items)) => {
                        let within = within.iter().cloned().chain([name.clone()]).collect();
                        self.add_module(file, within, Some(id), items)
                    }
                    None => {
                        assert!(within.is_empty(), "a module of its own file is declared in an inline one");
                        let path = self.path_of(file, item);
                        self.add_file(&path, Some(id))
                    }
                };
                self.modules[id].names.entry(name).or_default().insert(Named::Module(child));
                return;
            }
            syn::Item::Impl(item) => return self.add_impl(file, item),
            syn::Item::Macro(item) => {
                let Some(name) = &item.ident else { return };
                let exported = item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export"));
                let at = if exported { self.library } else { id };
                self.modules[at].names.entry(name.to_string()).or_default().insert(Named::Item(file));
                return;
            }
            syn::Item::Trait(item) => {
                for member in &item.items {
                    if let syn::TraitItem::Fn(function) = member {
                        self.add_associated(file, &item.ident.to_string(), &function.sig.ident.to_string());
                    }
                }
                item.ident.to_string()
            }
            syn::Item::Const(item) => item.ident.to_string(),
            syn::Item::Enum(item) => item.ident.to_string(),
            syn::Item::Fn(item) => item.sig.ident.to_string(),
            syn::Item::Static(item) => item.ident.to_string(),
            syn::Item::Struct(item) => item.ident.to_string(),
            syn::Item::Type(item) => item.ident.to_string(),
            syn::Item::Union(item) => item.ident.to_string(),
            syn::Item::ForeignMod(item) => {
                for member in &item.items {
                    let name = match member {
                        syn::ForeignItem::Fn(item) => item.sig.ident.to_string(),
                        syn::ForeignItem::Static(item) => item.ident.to_string(),
                        _ => continue,
                    };
                    self.modules[id].names.entry(name).or_default().insert(Named::Item(file));
                }
                return;
            }
            _ => return,
        };
        self.modules[id].names.entry(name).or_default().insert(Named::Item(file));
    }

    /// Where the source of `mod name;` is.
    fn path_of(&self, file: FileId, item: &syn::ItemMod) -> String {
        let here = &self.sources[file].path;
        let folder = here.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        for attribute in &item.attrs {
            if let syn::Meta::NameValue(value) = &attribute.meta
                && value.path.is_ident("path")
                && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) = &value.value
            {
                return format!("{folder}{}", path.value());
            }
        }
        let below = match here.rsplit('/').next() {
            Some("mod.rs" | "lib.rs" | "main.rs") => folder,
            _ => format!("{}/", here.trim_end_matches(".rs")),
        };
        let (plain, with_folder) = (format!("{below}{}.rs", item.ident), format!("{below}{}/mod.rs", item.ident));
        if self.file(&plain).is_some() { plain } else { with_folder }
    }

    fn add_impl(&mut self, file: FileId, item: &syn::ItemImpl) {
        let syn::Type::Path(of) = &*item.self_ty else { return };
        let (Some(of), None) = (of.path.segments.last(), &item.trait_) else { return };
        for member in &item.items {
            match member {
                syn::ImplItem::Fn(function) => {
                    self.add_associated(file, &of.ident.to_string(), &function.sig.ident.to_string());
                }
                syn::ImplItem::Const(constant) => {
                    self.add_associated(file, &of.ident.to_string(), &constant.ident.to_string());
                }
                // A macro that makes a function is given its name first (`view!`).
                syn::ImplItem::Macro(made) => {
                    if let Some(proc_macro2::TokenTree::Ident(name)) = made.mac.tokens.clone().into_iter().next() {
                        self.add_associated(file, &of.ident.to_string(), &name.to_string());
                    }
                }
                _ => {}
            }
        }
    }

    fn add_associated(&mut self, file: FileId, of: &str, name: &str) {
        self.associated.entry((of.to_owned(), name.to_owned())).or_default().insert(file);
    }

    /// The files that define a function or constant of this name for some type.
    pub fn methods(&self, name: &str) -> BTreeSet<FileId> {
        self.associated.iter().filter(|((_, of), _)| of == name).flat_map(|(_, files)| files).copied().collect()
    }

    pub fn module(&self, file: FileId, within: &[String]) -> ModuleId {
        self.places[&(file, within.to_vec())]
    }

    /// The files that define what a path, mentioned in a module, leads to; nothing for what isn't the kernel's own.
    pub fn files(&self, from: ModuleId, segments: &[String]) -> BTreeSet<FileId> {
        let mut files = BTreeSet::new();
        for (named, rest) in self.resolve(from, segments, &mut BTreeSet::new()) {
            match named {
                Named::Module(module) => _ = files.insert(self.modules[module].file),
                Named::Item(file) => {
                    files.insert(file);
                    if let [.., of, name] = &segments[..segments.len() - rest.saturating_sub(1)]
                        && let Some(more) = self.associated.get(&(of.clone(), name.clone()))
                    {
                        files.extend(more);
                    }
                }
            }
        }
        files
    }

    /// Where a path leads, with the number of segments that are left when an item is reached.
    fn resolve(
        &self,
        from: ModuleId,
        segments: &[String],
        seen: &mut BTreeSet<(ModuleId, String)>,
    ) -> BTreeSet<(Named, usize)> {
        let Some((first, rest)) = segments.split_first() else { return BTreeSet::from([(Named::Module(from), 0)]) };
        let next: BTreeSet<Named> = match first.as_str() {
            "crate" => BTreeSet::from([Named::Module(self.root(from))]),
            "chestnut_kernel" => BTreeSet::from([Named::Module(self.library)]),
            "self" => BTreeSet::from([Named::Module(from)]),
            "super" => self.modules[from].parent.map(Named::Module).into_iter().collect(),
            name => self.look_up(from, name, seen),
        };
        let mut found = BTreeSet::new();
        for named in next {
            match named {
                Named::Module(module) if !rest.is_empty() => found.extend(self.resolve(module, rest, seen)),
                other => _ = found.insert((other, rest.len())),
            }
        }
        found
    }

    fn root(&self, mut module: ModuleId) -> ModuleId {
        while let Some(parent) = self.modules[module].parent {
            module = parent;
        }
        module
    }

    /// What a name in a module stands for: what it defines, else what it imports.
    fn look_up(&self, module: ModuleId, name: &str, seen: &mut BTreeSet<(ModuleId, String)>) -> BTreeSet<Named> {
        if let Some(own) = self.modules[module].names.get(name) {
            return own.clone();
        }
        if !seen.insert((module, name.to_owned())) {
            return BTreeSet::new();
        }
        let mut found = BTreeSet::new();
        for import in &self.modules[module].imports {
            let mut path = import.path.clone();
            if import.name == "*" {
                path.push(name.to_owned());
            } else if import.name != name {
                continue;
            }
            found.extend(self.resolve(module, &path, seen).into_iter().filter(|(_, rest)| *rest == 0).map(|(n, _)| n));
        }
        seen.remove(&(module, name.to_owned()));
        found
    }
}
