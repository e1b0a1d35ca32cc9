//! The kernel's own benchmarks: the root task `bench/kernel`, on the kernel alone.

use super::machine::measure_in_order;
use super::row::{Finding, Findings};
use crate::compile::{self, Variant};
use crate::machine::{Medium, RootTask, Settings};
use crate::setup::ensure_emulator;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;

const PACKAGE: &str = "chestnut-kernel-bench";
/// What rows' names begin with, up to the first full stop: the path that is measured.
const FAMILIES: &[&str] = &[
    "call",
    "copy",
    "create",
    "delete",
    "destroy",
    "fault",
    "fault-reply",
    "fault-round-trip",
    "interrupt",
    "map",
    "mint",
    "move",
    "null",
    "overhead",
    "protect",
    "read-registers",
    "recv",
    "redirect",
    "reply-recv",
    "resume",
    "retype",
    "revoke",
    "round-trip",
    "send",
    "set-priority",
    "signal",
    "suspend",
    "unmap",
    "wait",
    "write-registers",
    "yield",
];
/// The processor of the second table differs in nothing else.
pub const WITH_FSGSBASE: &str = "qemu64,+fsgsbase";

/// Paths of the kernel that can be named.
pub const fn families() -> &'static [&'static str] {
    FAMILIES
}

/// The name could be of one of the kernel's rows, or of several that begin with it.
pub fn is_row(name: &str) -> bool {
    FAMILIES.contains(&name.split('.').next().unwrap_or_default())
}

/// A row of this name was asked for by these words; no words ask for all.
pub fn is_wanted(name: &str, words: &[String]) -> bool {
    let matches =
        |word: &String| name.strip_prefix(word.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    words.is_empty() || words.iter().any(matches)
}

/// The kernel's figures on the processor of `settings`, as far as `words` ask for them.
pub fn run(workspace: &Workspace, settings: &Settings, words: &[String]) -> Result<Findings> {
    let mut findings: Findings = in_order(workspace, settings)?.into_iter().collect();
    check(words, findings.keys().map(|name| &**name))?;
    findings.retain(|name, _| is_wanted(name, words));
    Ok(findings)
}

/// All of them, in the order in which they are measured.
pub fn in_order(workspace: &Workspace, settings: &Settings) -> Result<Vec<(String, Finding)>> {
    ensure_emulator()?;
    let kernel = compile::kernel(workspace, Variant::Release)?;
    let medium = Medium::Direct { kernel, root_task: RootTask::File(root_task(workspace)?) };
    let title = format!("Measuring the kernel (-cpu {})", settings.cpu);
    let (findings, _) = measure_in_order(settings, medium, &title)?;
    Ok(findings)
}

/// The ELF file of the program that measures.
pub fn root_task(workspace: &Workspace) -> Result<PathBuf> {
    let mut programs = compile::user_programs(workspace, "Building the kernel's benchmarks", &[PACKAGE])?;
    programs.pop().context("no root task was built")
}

/// Each word must ask for one of these rows at least.
pub fn check<'n>(words: &[String], names: impl Iterator<Item = &'n str> + Clone) -> Result<()> {
    match words.iter().find(|word| !names.clone().any(|name| is_wanted(name, std::slice::from_ref(word)))) {
        Some(word) => {
            bail!("the kernel's benchmarks have no row \"{word}\"; `bench kernel` shows those that there are")
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_named_whole_or_by_their_beginning() {
        assert!(is_row("call.passive.4w.other-as") && is_row("yield") && !is_row("getpid"));
        let words = |word: &str| vec![word.to_owned()];
        assert!(is_wanted("call.passive.4w", &words("call")) && is_wanted("call.passive", &words("call.passive")));
        assert!(!is_wanted("call.passive", &words("call.pass")) && !is_wanted("recall", &words("call")));
        assert!(is_wanted("anything", &[]));
    }
}
