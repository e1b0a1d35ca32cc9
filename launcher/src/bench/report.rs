//! Figures for people.

use super::linux::Benchmark;
use super::options::Clock;
use super::record::Record;
use super::row::Finding;
use super::targets;
use comfy_table::{CellAlignment, Table, TableStyle, presets};
use std::fmt::Write;

const LIMITS: &str = "\
Counted is each instruction that the guest's one processor executes, of program, system and firmware alike, once; a repeated
string instruction counts once for each repetition. A write of CR3, a flush of the TLB, `syscall`, `iretq`, a read of a
device's register count as one like any other, whatever they cost on silicon; cache and TLB misses, mispredicted
branches and memory's latency don't count at all. So compare figures of one CPU model only. Both systems pay for their timer's
interrupts. The clock's own cost is subtracted.";

/// The table and the limits of what it says, for a terminal.
pub fn text(record: &Record, benchmark: &Benchmark) -> String {
    let table = table(record, benchmark, presets::NOTHING);
    let mut text = format!("{}\n{table}\n\n", heading(record));
    text.push_str(&missing(record, benchmark));
    text.push_str(&limits(record));
    text
}

/// The same for a document.
pub fn markdown(record: &Record, benchmark: &Benchmark) -> String {
    let table = table(record, benchmark, presets::ASCII_MARKDOWN);
    let mut text = format!("{}\n\n{table}\n\n", heading(record));
    text.push_str(&missing(record, benchmark));
    text.push_str(&limits(record));
    text
}

fn heading(record: &Record) -> String {
    format!("Linux calls and programs; {}; -cpu {}", record.clock, record.cpu)
}

fn limits(record: &Record) -> String {
    match record.clock {
        Clock::Instructions => format!("{LIMITS}\n"),
        Clock::Time | Clock::Cycles => "Times differ from run to run.\n".to_owned(),
    }
}

fn table(record: &Record, benchmark: &Benchmark, style: TableStyle) -> Table {
    let mut table = Table::new();
    table.load_style(style);
    let mut header = vec!["row", "Chestnut, least", "median"];
    if record.debian.is_some() {
        header.extend(["Debian, least", "median", "ratio"]);
    }
    header.extend(["target", ""]);
    table.set_header(header);
    for row in benchmark.rows() {
        let Some(ours) = record.chestnut.get(&row.name) else { continue };
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
        let is_met =
            ours.median().filter(|_| record.clock == Clock::Instructions).and_then(|cost| target.is_met(cost, peer));
        cells.push(is_met.map_or("", |is_met| if is_met { "met" } else { "missed" }).to_owned());
        table.add_row(cells);
    }
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
fn missing(record: &Record, benchmark: &Benchmark) -> String {
    let mut text = String::new();
    let systems = [("Chestnut", Some(&record.chestnut)), ("Debian", record.debian.as_ref())];
    for (system, findings) in systems.into_iter().filter_map(|(system, findings)| Some((system, findings?))) {
        for row in benchmark.rows() {
            if let Some(Finding::Missing { missing }) = findings.get(&row.name) {
                // Writing to a string doesn't fail.
                _ = writeln!(text, "{} on {system}: {missing}", row.name);
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
    let mut text = String::new();
    if (&earlier.cpu, earlier.clock) != (&now.cpu, now.clock) {
        _ = writeln!(text, "\nThe earlier figures are of another machine: {}; -cpu {}", earlier.clock, earlier.cpu);
    }
    _ = writeln!(text, "\nChanges since then");
    let mut same = 0;
    let systems = [
        ("Chestnut", Some(&earlier.chestnut), Some(&now.chestnut)),
        ("Debian", earlier.debian.as_ref(), now.debian.as_ref()),
    ];
    for (system, before, after) in systems {
        let (Some(before), Some(after)) = (before, after) else { continue };
        for (name, after) in after {
            match (before.get(name).and_then(Finding::median), after.median()) {
                (Some(before), Some(after)) if before == after => same += 1,
                (Some(before), Some(after)) => {
                    let percent = (after as f64 / before.max(1) as f64 - 1.0) * 100.0;
                    _ = writeln!(text, "{system} {name}: {before} -> {after} ({percent:+.1} %)");
                }
                (None, Some(after)) => _ = writeln!(text, "{system} {name}: new, {after}"),
                (Some(before), None) => _ = writeln!(text, "{system} {name}: {before} -> missing"),
                (None, None) => {}
            }
        }
    }
    _ = writeln!(text, "unchanged: {same}");
    text
}
