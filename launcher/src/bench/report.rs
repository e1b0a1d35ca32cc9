//! Figures for people.

use super::linux::Row;
use super::options::Clock;
use super::record::Record;
use super::row::{Finding, Findings};
use super::targets;
use comfy_table::{CellAlignment, Table, TableStyle, presets};
use std::collections::BTreeMap;
use std::fmt::Write;

const LIMITS: &str = "\
Counted is each instruction that the guest's one processor executes, of program, system and firmware alike, once; a repeated
string instruction counts once for each repetition. A write of CR3, a flush of the TLB, `syscall`, `iretq`, a read of a
device's register count as one like any other, whatever they cost on silicon; cache and TLB misses, mispredicted
branches and memory's latency don't count at all. So compare figures of one CPU model only. Both systems pay for their timer's
interrupts. The clock's own cost is subtracted.";

/// The tables and the limits of what they say, for a terminal.
pub fn text(record: &Record, rows: &[Row]) -> String {
    all(record, rows, presets::NOTHING)
}

/// The same for a document.
pub fn markdown(record: &Record, rows: &[Row]) -> String {
    let text = all(record, rows, presets::ASCII_MARKDOWN);
    // No line of a table ends in blanks, and titles are headings.
    let line = |line: &str| {
        let is_title = !line.starts_with('|') && line.contains("; -cpu ");
        format!("{}{}\n", if is_title { "### " } else { "" }, line.trim_end())
    };
    text.lines().map(line).collect()
}

fn all(record: &Record, rows: &[Row], style: TableStyle) -> String {
    let mut text = String::new();
    for (cpu, findings) in &record.kernel {
        let table = kernel_table(record, findings, style);
        // Writing to a string doesn't fail.
        _ = writeln!(text, "Kernel paths; {}; -cpu {cpu}\n\n{table}\n", record.clock);
    }
    if !record.chestnut.is_empty() {
        let table = linux_table(record, rows, style);
        _ = writeln!(text, "Linux calls and programs; {}; -cpu {}\n\n{table}\n", record.clock, record.cpu);
    }
    text.push_str(&missing(record));
    match record.clock {
        Clock::Instructions => _ = writeln!(text, "{LIMITS}"),
        Clock::Time | Clock::Cycles => _ = writeln!(text, "These are times: they differ from run to run."),
    }
    text
}

fn kernel_table(record: &Record, findings: &Findings, style: TableStyle) -> Table {
    let row = |(name, finding): (&String, &Finding)| {
        let known = targets::known(name);
        let mut cells = vec![name.clone()];
        cells.extend(numbers(Some(finding)));
        cells.push(known.sel4.map_or_else(String::new, |number| number.to_string()));
        cells.push(known.target.map_or_else(String::new, |number| format!("≤ {number}")));
        let is_met = finding.median().zip(known.target).map(|(median, most)| median <= most);
        cells.push(verdict(record, is_met));
        cells
    };
    table(style, &["row", "least", "median", "seL4", "target", ""], findings.iter().map(row))
}

fn linux_table(record: &Record, rows: &[Row], style: TableStyle) -> Table {
    let mut header = vec!["row", "Chestnut, least", "median"];
    if record.debian.is_some() {
        header.extend(["Debian, least", "median", "ratio"]);
    }
    header.extend(["target", ""]);
    let cells = |row: &Row| {
        let ours = record.chestnut.get(&row.name)?;
        let mut cells = vec![row.name.clone()];
        cells.extend(numbers(Some(ours)));
        let peer = record.debian.as_ref().map(|findings| findings.get(&row.name));
        if let Some(peer) = peer {
            cells.extend(numbers(peer));
            cells.push(ratio(ours, peer).unwrap_or_default());
        }
        let target = targets::of(&row.name);
        cells.push(target.to_string());
        let peer = peer.flatten().and_then(Finding::median);
        cells.push(verdict(record, ours.median().and_then(|cost| target.is_met(cost, peer))));
        Some(cells)
    };
    table(style, &header, rows.iter().filter_map(cells))
}

/// Targets are numbers of instructions.
fn verdict(record: &Record, is_met: Option<bool>) -> String {
    let is_met = is_met.filter(|_| record.clock == Clock::Instructions);
    is_met.map_or("", |is_met| if is_met { "met" } else { "missed" }).to_owned()
}

/// A table whose first column are names, the others numbers.
pub fn table<S: ToString>(style: TableStyle, header: &[S], rows: impl Iterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(style);
    table.set_header(header.iter().map(S::to_string));
    rows.for_each(|row| {
        table.add_row(row);
    });
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn numbers(finding: Option<&Finding>) -> [String; 2] {
    match finding {
        Some(Finding::Figure { min, median }) => [min.to_string(), median.to_string()],
        Some(Finding::Missing { .. }) => ["–".to_owned(), "missing".to_owned()],
        None => Default::default(),
    }
}

fn ratio(ours: &Finding, peer: Option<&Finding>) -> Option<String> {
    let (ours, peer) = (ours.median()?, peer?.median()?);
    Some(format!("{:.2}", ours as f64 / peer.max(1) as f64))
}

/// Why rows have no figure.
fn missing(record: &Record) -> String {
    let mut text = String::new();
    for (table, findings) in record.all() {
        for (name, finding) in findings {
            if let Finding::Missing { missing } = finding {
                _ = writeln!(text, "{name} on {table}: {missing}");
            }
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// What has changed since `earlier`, by medians.
pub fn changes(earlier: &Record, now: &Record) -> String {
    let mut text = String::from("\nChanges\n");
    if (&earlier.cpu, earlier.clock) != (&now.cpu, now.clock) {
        _ = writeln!(text, "The earlier figures are of another machine: {}; -cpu {}", earlier.clock, earlier.cpu);
    }
    let before: BTreeMap<String, &Findings> = earlier.all().collect();
    let mut unchanged = 0;
    for (table, findings) in now.all() {
        for (name, after) in findings {
            let before = before.get(&table).and_then(|findings| findings.get(name)?.median());
            match (before, after.median()) {
                (Some(before), Some(after)) if before == after => unchanged += 1,
                (Some(before), Some(after)) => {
                    let percent = (after as f64 / before.max(1) as f64 - 1.0) * 100.0;
                    _ = writeln!(text, "{table} {name}: {before} -> {after} ({percent:+.1} %)");
                }
                (None, Some(after)) => _ = writeln!(text, "{table} {name}: new, {after}"),
                (Some(before), None) => _ = writeln!(text, "{table} {name}: {before} -> missing"),
                (None, None) => {}
            }
        }
    }
    _ = writeln!(text, "unchanged: {unchanged}");
    text
}
