//! What the release kernel may cost: text, instructions until the root task runs, instructions with interrupts off.
//!
//! The instructions are counted by a plugin of the emulator (`tests/stretches`) while the kernel's own tests run, each
//! instruction once, the same in every run.

use crate::kernel::{counted, images};
use crate::shared::{Shared, while_doing};
use libtest_mimic::{Failed, Trial};
use object::{Object, ObjectSection, ObjectSymbol};
use std::path::Path;

type Check = fn() -> Result<(), Failed>;

const TESTS: &[(&str, Check)] =
    &[("text", text), ("instructions_of_boot", instructions_of_boot), ("interrupts_off", interrupts_off)];

/// Bytes that can be executed.
const MOST_TEXT: u64 = 96 * 1024;
/// From the kernel's first instruction to the root task's first, with 1 GiB.
const MOST_OF_BOOT: u64 = 50_000_000;
/// From an entry to the way out.
const MOST_AT_A_STRETCH: u64 = 20_000;

pub fn trials() -> Vec<Trial> {
    TESTS.iter().map(|(name, check)| Trial::test(format!("limits::{name}"), check)).collect()
}

fn hold(what: &str, found: u64, most: u64, details: &str) -> Result<(), Failed> {
    println!("{found} {what}, of {most}");
    if found <= most { Ok(()) } else { Err(format!("{what}: {found}, at most {most} are allowed\n{details}").into()) }
}

fn text() -> Result<(), Failed> {
    let (kernel, _) = images()?;
    let bytes = std::fs::read(kernel)?;
    let file = object::File::parse(&*bytes)?;
    let is_code = |section: &object::Section<'_, '_>| section.kind() == object::SectionKind::Text;
    let size = file.sections().filter(is_code).map(|section| section.size()).sum();
    hold("bytes of text", size, MOST_TEXT, "")
}

/// The number behind `name` in the plugin's findings.
fn number(name: &str) -> Shared<u64> {
    let findings = &counted()?.findings;
    let line = findings.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let number = line.and_then(|rest| rest.split(' ').next()?.parse().ok());
    number.ok_or_else(|| format!("the plugin found no \"{name}\":\n{findings}"))
}

fn instructions_of_boot() -> Result<(), Failed> {
    hold("instructions of boot", number("boot")?, MOST_OF_BOOT, "")
}

fn interrupts_off() -> Result<(), Failed> {
    let (kernel, _) = images()?;
    let details = symbols(&kernel)?.name_addresses(&counted()?.findings);
    hold("instructions with interrupts off", number("longest")?, MOST_AT_A_STRETCH, &details)
}

/// What is where in an ELF file, sorted.
struct Symbols(Vec<(u64, String)>);

fn symbols(file: &Path) -> Shared<Symbols> {
    let bytes = while_doing("reading the kernel", std::fs::read(file))?;
    let file = while_doing("reading the kernel", object::File::parse(&*bytes))?;
    let name = |symbol: object::Symbol<'_, '_>| Some((symbol.address(), symbol.name().ok()?.to_owned()));
    let mut names: Vec<_> = file.symbols().filter_map(name).collect();
    names.sort();
    Ok(Symbols(names))
}

impl Symbols {
    /// The text with the symbol behind each address.
    fn name_addresses(&self, text: &str) -> String {
        let named = |word: &str| {
            let address = word.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
            let next = |address| self.0.partition_point(|(start, _)| *start <= address);
            match address.and_then(|address| self.0.get(next(address).checked_sub(1)?)) {
                Some((_, name)) => format!("{word} ({name})"),
                None => word.to_owned(),
            }
        };
        let lines = text.lines().map(|line| line.split(' ').map(named).collect::<Vec<_>>().join(" "));
        lines.collect::<Vec<_>>().join("\n")
    }
}
