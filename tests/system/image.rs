//! The kernel's three files: what is in the release kernel and what isn't, and how the others differ from it.
//!
//! Functions are told apart by their names in the symbol table, without the hash that each build gives them, and compared by their size:
//! addresses inside them shift as soon as one of them grows.

use crate::is_wanted;
use crate::shared::{Shared, explain, while_doing, workspace};
use chestnut::compile::{self, Variant};
use libtest_mimic::{Arguments, Trial};
use object::{Object, ObjectSymbol, SymbolKind};
use std::collections::BTreeMap;

type Check = fn() -> Shared<()>;

const TESTS: &[(&str, Check)] = &[
    ("no_panic_is_reachable", no_panic_is_reachable),
    ("the_release_kernel_has_no_debug_calls", no_debug_calls),
    ("bench_and_release_kernel_differ_in_two_calls", two_calls),
];

/// The debug system calls, and the crate's text formatting that only they use.
const DEBUG_ONLY: [&str; 2] = ["5entry5debug", "core3fmt"];
/// What reading and writing processor registers changes: the general way of a system call, and the handler of exceptions in the kernel, which survives the one
/// that a register without meaning raises.
const BENCH_CHANGES: [&str; 2] = ["5entry11system_call7general", "9entrances16kernel_exception"];
/// What it adds: where that exception goes on, and the functions themselves if they are not part of that way.
const BENCH_ADDS: [&str; 4] =
    ["7failure8RECOVERY", "7failure13dangerous_msr", "7failure8read_msr", "7failure9write_msr"];

pub fn trials(arguments: &Arguments) -> Vec<Trial> {
    let named = TESTS.iter().map(|(name, check)| (format!("kernel::image::{name}"), check));
    let wanted = named.filter(|(name, _)| is_wanted(arguments, name));
    wanted.map(|(name, check)| Trial::test(name, || Ok(check()?))).collect()
}

/// A kernel: its functions and variables by name with their sizes in bytes.
struct Image {
    symbols: BTreeMap<String, u64>,
}

impl Image {
    fn of(variant: Variant) -> Shared<Self> {
        let kernel = compile::kernel(&workspace()?, variant).map_err(explain)?;
        let bytes = while_doing("reading the kernel", std::fs::read(&kernel))?;
        let file = while_doing("reading the kernel", object::File::parse(&*bytes))?;
        let mut symbols = BTreeMap::new();
        for symbol in file.symbols() {
            if let Ok(name) = symbol.name()
                && matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data)
            {
                // Parts of one name that are told apart by their hashes count as one.
                *symbols.entry(without_hash(name).to_owned()).or_default() += symbol.size();
            }
        }
        if !symbols.keys().any(|name| name.contains("KERNEL_STACK")) {
            return Err(format!("{} has no symbols to look at", kernel.display()));
        }
        Ok(Self { symbols })
    }

    /// Names with one of these in them.
    fn with(&self, parts: &[&str]) -> Vec<&String> {
        self.symbols.keys().filter(|name| is_among(name, parts)).collect()
    }
}

fn is_among(name: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| name.contains(part))
}

/// A mangled name ends in `17h`, sixteen digits and `E`, and what the linker made of it.
fn without_hash(name: &str) -> &str {
    name.find("17h").filter(|at| name[*at..].len() >= 20).map_or(name, |at| &name[..at])
}

/// Every panic ends in the panic handler, which the linker leaves out when nothing calls it.
fn no_panic_is_reachable() -> Shared<()> {
    let release = Image::of(Variant::Release)?;
    let panics = release.with(&["panicking", "rust_begin_unwind"]);
    if panics.is_empty() { Ok(()) } else { Err(format!("the kernel can panic: {panics:?}")) }
}

fn no_debug_calls() -> Shared<()> {
    let (release, debug) = (Image::of(Variant::Release)?, Image::of(Variant::Debug)?);
    for part in DEBUG_ONLY {
        if debug.with(&[part]).is_empty() {
            return Err(format!("the debug kernel has no {part}: this test looks for the wrong names"));
        }
    }
    let found = release.with(&DEBUG_ONLY);
    if found.is_empty() { Ok(()) } else { Err(format!("of debug builds, in the release kernel: {found:?}")) }
}

fn two_calls() -> Shared<()> {
    let (release, bench) = (Image::of(Variant::Release)?, Image::of(Variant::Bench)?);
    let mut differences = Vec::new();
    let mut changed = 0;
    for (name, size) in &release.symbols {
        match bench.symbols.get(name) {
            Some(other) if other == size => {}
            Some(_) if is_among(name, &BENCH_CHANGES) => changed += 1,
            Some(other) => differences.push(format!("{name}: {size} bytes, {other} in the bench kernel")),
            None => differences.push(format!("{name}: only in the release kernel")),
        }
    }
    for name in bench.symbols.keys().filter(|name| !release.symbols.contains_key(*name)) {
        if !is_among(name, &BENCH_ADDS) {
            differences.push(format!("{name}: only in the bench kernel"));
        }
    }
    if changed == 0 {
        return Err("the bench kernel's system calls are the release kernel's: is it a bench kernel?".to_owned());
    }
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}
