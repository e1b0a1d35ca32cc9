//! The figures of one run, in a file.

use super::options::Clock;
use super::row::{Finding, Findings};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// All that a run has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The emulator's CPU model.
    pub cpu: String,
    pub clock: Clock,
    /// The kernel's table on each CPU model.
    #[serde(default)]
    pub kernel: BTreeMap<String, Findings>,
    /// The Linux table on Chestnut.
    #[serde(default)]
    pub chestnut: Findings,
    /// The same on Debian's kernel; absent if only Chestnut was measured.
    pub debian: Option<Findings>,
}

impl Record {
    pub fn read(file: &Path) -> Result<Record> {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} wasn't written by `bench --json`", file.display()))
    }

    pub fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(file, text + "\n").with_context(|| format!("writing {}", file.display()))
    }

    /// A row has no figure.
    pub fn has_missing(&self) -> bool {
        self.all().any(|(_, findings)| findings.values().any(|finding| matches!(finding, Finding::Missing { .. })))
    }

    /// Each table with its name.
    pub fn all(&self) -> impl Iterator<Item = (String, &Findings)> {
        let kernel = self.kernel.iter().map(|(cpu, findings)| (format!("kernel (-cpu {cpu})"), findings));
        let debian = self.debian.iter().map(|findings| ("Debian".to_owned(), findings));
        kernel.chain([("Chestnut".to_owned(), &self.chestnut)]).chain(debian)
    }
}
