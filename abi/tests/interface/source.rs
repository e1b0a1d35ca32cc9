//! Names, values and comments, read from the crate's source files.

use syn::spanned::Spanned;

/// A constant, a variant or a field.
pub struct Entry {
    pub name: String,
    /// As the source writes it; empty where there is none.
    pub value: String,
    pub docs: String,
}

pub struct Source {
    text: String,
    file: syn::File,
}

impl Source {
    /// One of the crate's files, by the name of its module.
    pub fn of(module: &str) -> Self {
        let path = format!("{}/src/{module}.rs", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path}: {why}"));
        let file = syn::parse_file(&text).expect("the crate compiles");
        Self { text, file }
    }

    /// What the file says about itself.
    pub fn docs(&self) -> String {
        docs(&self.file.attrs)
    }

    /// The comment on an item of this name.
    pub fn docs_of(&self, name: &str) -> String {
        let attributes = self.file.items.iter().find_map(|item| match item {
            syn::Item::Const(item) if item.ident == name => Some(&item.attrs),
            syn::Item::Enum(item) if item.ident == name => Some(&item.attrs),
            syn::Item::Mod(item) if item.ident == name => Some(&item.attrs),
            syn::Item::Struct(item) if item.ident == name => Some(&item.attrs),
            _ => None,
        });
        docs(attributes.unwrap_or_else(|| panic!("no {name}")))
    }

    /// Public constants of the file itself.
    pub fn constants(&self) -> Vec<Entry> {
        self.constants_among(&self.file.items)
    }

    /// Public constants of a module inside the file.
    pub fn constants_in(&self, module: &str) -> Vec<Entry> {
        let items = self.file.items.iter().find_map(|item| match item {
            syn::Item::Mod(item) if item.ident == module => item.content.as_ref().map(|(_, items)| items),
            _ => None,
        });
        self.constants_among(items.unwrap_or_else(|| panic!("no module {module}")))
    }

    fn constants_among(&self, items: &[syn::Item]) -> Vec<Entry> {
        let constants = items.iter().filter_map(|item| match item {
            syn::Item::Const(item) if matches!(item.vis, syn::Visibility::Public(_)) => Some(item),
            _ => None,
        });
        constants.map(|item| self.entry(&item.ident, Some(&*item.expr), &item.attrs)).collect()
    }

    /// Associated constants of a type.
    pub fn constants_of(&self, name: &str) -> Vec<Entry> {
        let mut entries = Vec::new();
        for item in &self.file.items {
            if let syn::Item::Impl(block) = item
                && let syn::Type::Path(of) = &*block.self_ty
                && of.path.is_ident(name)
            {
                for member in &block.items {
                    if let syn::ImplItem::Const(item) = member {
                        entries.push(self.entry(&item.ident, Some(&item.expr), &item.attrs));
                    }
                }
            }
        }
        entries
    }

    pub fn variants(&self, name: &str) -> Vec<Entry> {
        let found = self.file.items.iter().find_map(|item| match item {
            syn::Item::Enum(item) if item.ident == name => Some(item),
            _ => None,
        });
        let variants = &found.unwrap_or_else(|| panic!("no enumeration {name}")).variants;
        variants
            .iter()
            .map(|v| self.entry(&v.ident, v.discriminant.as_ref().map(|(_, value)| value), &v.attrs))
            .collect()
    }

    /// Fields of a structure; the values are their types.
    pub fn fields(&self, name: &str) -> Vec<Entry> {
        let found = self.file.items.iter().find_map(|item| match item {
            syn::Item::Struct(item) if item.ident == name => Some(item),
            _ => None,
        });
        let fields = found.unwrap_or_else(|| panic!("no structure {name}")).fields.iter();
        let entry = |field: &syn::Field| Entry {
            name: field.ident.as_ref().map(ToString::to_string).unwrap_or_default(),
            value: self.text_of(&field.ty),
            docs: docs(&field.attrs),
        };
        fields.map(entry).collect()
    }

    /// The comments in a macro's rows, by the name that follows each.
    pub fn row_docs(&self, name: &str) -> String {
        let lines: Vec<&str> = self.text.lines().map(str::trim).collect();
        let row = lines.iter().position(|line| line.starts_with(&format!("{name} = "))).unwrap_or(0);
        let above = lines[..row].iter().rev().map_while(|line| line.strip_prefix("///"));
        let mut comment: Vec<&str> = above.map(str::trim).collect();
        comment.reverse();
        plain(&comment.join(" "))
    }

    fn entry(&self, name: &syn::Ident, value: Option<&syn::Expr>, attributes: &[syn::Attribute]) -> Entry {
        let value = value.map_or(String::new(), |value| self.text_of(value));
        Entry { name: name.to_string(), value, docs: docs(attributes) }
    }

    fn text_of(&self, part: &impl Spanned) -> String {
        let text = part.span().source_text().expect("the text that was parsed");
        // Digits are grouped for readers of the source; names keep their underscores.
        if text.starts_with(|first: char| first.is_ascii_digit() || first == '-') {
            text.replace('_', "")
        } else {
            text
        }
    }
}

/// Comments as one paragraph, without links to code.
fn docs(attributes: &[syn::Attribute]) -> String {
    let mut text = String::new();
    for attribute in attributes {
        if let syn::Meta::NameValue(value) = &attribute.meta
            && value.path.is_ident("doc")
            && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(line), .. }) = &value.value
        {
            text += &match line.value().trim() {
                "" => "\n\n".to_owned(),
                line => format!("{line} "),
            };
        }
    }
    plain(text.trim())
}

/// `[name](place)` and `[name]` are just the name.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[`") {
        let Some((name, after)) = after.split_once("`]") else { break };
        plain += &format!("{before}`{name}`");
        rest = match after.strip_prefix('(').and_then(|after| after.split_once(')')) {
            Some((_, after)) => after,
            None => after,
        };
    }
    (plain + rest).lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
