//! What the kernel touches while a row is measured, counted by a plugin of the emulator (`bench/footprint`).

use super::linux::{Benchmark, on_chestnut};
use super::report::table;
use crate::compile;
use crate::machine::Settings;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use comfy_table::presets;
use std::collections::BTreeSet;

const PLUGIN: &str = "chestnut-footprint";

/// A row's name and the plugin's findings, as it names them.
type Footprint = (String, Vec<(String, u64)>);

/// Runs each row in a machine of its own, as the plugin can't tell one from another.
pub fn measure(
    workspace: &Workspace,
    settings: &Settings,
    benchmark: &Benchmark,
    wanted: &BTreeSet<String>,
) -> Result<Vec<Footprint>> {
    if wanted.is_empty() {
        bail!("--footprint is of rows of the Linux table; `bench --list` shows them");
    }
    let plugin = compile::plugin(workspace, PLUGIN)?;
    let mut footprints = Vec::new();
    for row in benchmark.rows().iter().filter(|row| wanted.contains(&row.name)) {
        let output = tempfile::NamedTempFile::new().context("making a file for the plugin's findings")?;
        let mut settings = settings.clone();
        let argument = format!("{},output={}", plugin.display(), output.path().display());
        settings.emulator_arguments.extend(["-plugin".into(), argument.into()]);
        on_chestnut(workspace, &settings, benchmark, &BTreeSet::from([row.name.clone()]))?;
        let text = std::fs::read_to_string(output.path()).context("reading the plugin's findings")?;
        footprints.push((row.name.clone(), parse(&text)));
    }
    Ok(footprints)
}

fn parse(text: &str) -> Vec<(String, u64)> {
    let line = |line: &str| {
        let (name, number) = line.split_once(' ')?;
        Some((name.to_owned(), number.parse().ok()?))
    };
    text.lines().filter_map(line).filter(|(name, _)| name != "samples").collect()
}

/// One line for each row; the columns are the findings.
pub fn text(footprints: &[Footprint]) -> String {
    let findings = footprints.iter().map(|(_, findings)| findings).find(|findings| !findings.is_empty());
    let names = findings.into_iter().flatten().map(|(name, _)| name.replace('-', "\n"));
    let header: Vec<String> = std::iter::once("row".to_owned()).chain(names).collect();
    let rows = footprints.iter().map(|(name, findings)| {
        let numbers = findings.iter().map(|(_, number)| number.to_string());
        std::iter::once(name.clone()).chain(numbers).collect()
    });
    format!("{}\n", table(presets::NOTHING, &header, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_become_columns() {
        let found = parse("samples 3\nkernel-instructions 12\nkernel-entries 1\nnonsense\n");
        assert_eq!(found, [("kernel-instructions".to_owned(), 12), ("kernel-entries".to_owned(), 1)]);
        let text = text(&[("lseek".to_owned(), found), ("absent".to_owned(), Vec::new())]);
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(words, ["row", "kernel", "kernel", "instructions", "entries", "lseek", "12", "1", "absent"]);
    }
}
