//! Where `unsafe` is, how much of it, and that each says why it is sound.
//!
//! Macros count as expanded: what a macro's definition holds, once for each use of the macro.

use crate::source::{self, Source, each_token};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::BTreeMap;

/// `unsafe` for each 1,000 lines outside `arch/`.
const MOST_PER_1000: usize = 15;
const MOST_PER_1000_IN_ARCH: usize = 60;
const MOST_LINES_IN_ARCH: usize = 1500;

/// Modules that decide and touch no memory by themselves, and files in them that do.
const POLICY: [&str; 9] = [
    "entry",
    "invoke",
    "fastpath",
    "ipc",
    "time",
    "lifecycle/finalise.rs",
    "lifecycle/preemption.rs",
    "lifecycle/tcb_slots.rs",
    "object/x86_64/mapping.rs",
];
const NOT_POLICY: &str = "ipc/buffer.rs";

fn is_policy(source: &Source) -> bool {
    source.path != NOT_POLICY && POLICY.iter().any(|place| source.is_in(place) || source.path == *place)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Block,
    Impl,
    Function,
    /// A block of foreign items.
    Foreign,
    /// `#[unsafe(…)]`.
    Attribute,
}

struct Unsafe {
    line: usize,
    form: Form,
}

/// All `unsafe` among tokens.
fn find(tokens: TokenStream) -> Vec<Unsafe> {
    let mut found = Vec::new();
    each_token(tokens, &mut |token, rest| {
        let TokenTree::Ident(word) = token else { return };
        if word != "unsafe" {
            return;
        }
        let is = |at: usize, name: &str| matches!(rest.get(at), Some(TokenTree::Ident(word)) if word == name);
        let opens =
            |at: usize, with| matches!(rest.get(at), Some(TokenTree::Group(group)) if group.delimiter() == with);
        let form = if opens(0, Delimiter::Brace) {
            Form::Block
        } else if opens(0, Delimiter::Parenthesis) {
            Form::Attribute
        } else if is(0, "impl") || is(0, "trait") {
            Form::Impl
        } else if is(0, "extern") && opens(2, Delimiter::Brace) {
            Form::Foreign
        } else {
            Form::Function
        };
        found.push(Unsafe { line: word.span().start().line, form });
    });
    found
}

/// The bodies of a file's `macro_rules`, by name.
fn macros(source: &Source) -> Vec<(String, TokenStream)> {
    let mut found = Vec::new();
    each_token(source.tokens.clone(), &mut |token, rest| {
        if let (TokenTree::Ident(word), [TokenTree::Punct(_), TokenTree::Ident(name), TokenTree::Group(body), ..]) =
            (token, rest)
            && word == "macro_rules"
        {
            found.push((name.to_string(), body.stream()));
        }
    });
    found
}

/// How often each macro is used outside unit tests.
fn macro_uses(sources: &[Source]) -> BTreeMap<String, usize> {
    let mut uses = BTreeMap::new();
    for source in sources {
        each_token(source.tokens.clone(), &mut |token, rest| {
            if let (TokenTree::Ident(name), [TokenTree::Punct(punct), TokenTree::Group(_), ..]) = (token, rest)
                && punct.as_char() == '!'
                && !source.is_test(name.span().start().line)
            {
                *uses.entry(name.to_string()).or_default() += 1;
            }
        });
    }
    uses
}

/// How much `unsafe` a file brings about.
fn count(source: &Source, uses: &BTreeMap<String, usize>) -> usize {
    let written = find(source.tokens.clone()).iter().filter(|found| !source.is_test(found.line)).count();
    let expanded = macros(source).into_iter().map(|(name, body)| {
        let inside = find(body).len();
        inside * uses.get(&name).copied().unwrap_or(0) - inside
    });
    written + expanded.sum::<usize>()
}

/// Sum of lines and of `unsafe` of the files that `which` chooses, and a table of them.
fn tally(sources: &[Source], which: impl Fn(&Source) -> bool) -> (usize, usize, String) {
    let uses = macro_uses(sources);
    let (mut lines, mut unsafes, mut table) = (0, 0, String::new());
    for source in sources.iter().filter(|source| which(source)) {
        let (its_lines, its_unsafes) = (source.line_count(), count(source, &uses));
        lines += its_lines;
        unsafes += its_unsafes;
        if its_unsafes > 0 {
            table += &format!("{its_unsafes:5} in {its_lines:4} lines  {}\n", source.path);
        }
    }
    let rate = unsafes as f64 * 1000.0 / lines.max(1) as f64;
    table += &format!("{unsafes:5} in {lines} lines: {rate:.1} for each 1,000 lines");
    (lines, unsafes, table)
}

#[test]
fn unsafe_is_rare() {
    let sources = source::all();
    let (lines, unsafes, table) = tally(&sources, |source| !source.is_in("arch"));
    println!("kernel without arch\n{table}");
    assert!(unsafes * 1000 <= lines * MOST_PER_1000, "more than {MOST_PER_1000} for each 1,000 lines:\n{table}");
}

#[test]
fn the_processors_part_is_small() {
    let sources = source::all();
    let (lines, unsafes, table) = tally(&sources, |source| source.is_in("arch/x86_64"));
    println!("arch/x86_64\n{table}");
    assert!(lines <= MOST_LINES_IN_ARCH, "more than {MOST_LINES_IN_ARCH} lines:\n{table}");
    let most = lines * MOST_PER_1000_IN_ARCH;
    assert!(unsafes * 1000 <= most, "more than {MOST_PER_1000_IN_ARCH} for each 1,000 lines:\n{table}");
}

#[test]
fn policy_has_no_unsafe_and_forbids_it() {
    let sources = source::all();
    let (_, unsafes, table) = tally(&sources, is_policy);
    assert_eq!(unsafes, 0, "\n{table}");
    let says = |path: &str, what: &str| {
        let source = sources.iter().find(|source| source.path == path);
        source.is_some_and(|source| source.lines.iter().any(|line| line.contains(what)))
    };
    let mut open = Vec::new();
    for source in sources.iter().filter(|source| is_policy(source)) {
        // The file itself, or the `mod.rs` of a folder that it lies in; `deny` will do where nobody in between allows it again.
        let folders = source.path.match_indices('/').map(|(end, _)| format!("{}/mod.rs", &source.path[..end]));
        let mut places = folders.chain([source.path.clone()]);
        let forbidden = places.any(|place| {
            says(&place, "#![forbid(unsafe_code)]")
                || says(&place, "#![deny(unsafe_code)]") && !says(&source.path, "allow(unsafe_code)")
        });
        if !forbidden {
            open.push(source.path.as_str());
        }
    }
    assert!(open.is_empty(), "don't forbid unsafe code: {open:?}");
}

/// The comment directly above a line, or above the statement that the line goes on with.
fn comment_above(source: &Source, line: usize) -> Vec<&str> {
    let text = |line: usize| source.lines[line - 1].trim();
    let is_comment = |line: usize| text(line).starts_with("//");
    let goes_on = |line: usize| {
        let text = text(line);
        !text.is_empty() && !is_comment(line) && !text.ends_with([';', '{', '}']) || text.starts_with("#[")
    };
    let mut above = line - 1;
    while above > 0 && goes_on(above) {
        above -= 1;
    }
    let mut comment = Vec::new();
    while above > 0 && (is_comment(above) || text(above).starts_with("#[")) {
        comment.push(text(above));
        above -= 1;
    }
    comment
}

#[test]
fn every_unsafe_says_why_it_is_sound() {
    let sources = source::all();
    let mut wrong = Vec::new();
    for source in &sources {
        for found in find(source.tokens.clone()).iter().filter(|found| !source.is_test(found.line)) {
            let wanted = match found.form {
                Form::Block | Form::Impl | Form::Foreign => "// SAFETY: ",
                Form::Function => "/// # Safety",
                Form::Attribute => continue,
            };
            if !comment_above(source, found.line).iter().any(|line| line.starts_with(wanted)) {
                wrong.push(format!("{}:{}: no `{wanted}` above", source.path, found.line));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
