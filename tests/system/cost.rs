//! What paths cost: the benchmarks' rows against the tables in the repository.
//!
//! `bench/kernel/costs.txt` and `bench/linux/costs.txt` list each row's instructions. A row that grows by more than 3 %, or by more than what stands
//! behind its number, that is missing or that is new fails the test `cost::kernel` or `cost::linux` until the table says so, too: run it with `UPDATE=1`
//! in the environment and it writes the table anew. Rows that shrink don't fail. Instructions are counted (`-icount`), so the numbers don't depend
//! on how busy the machine is.
//!
//! The Linux table leaves out whole programs. What a row costs there depends on more than its own path: on what lies where in the server's memory, on
//! which names or pages share a place in a table. Rows for which that makes more than 3 % have a tolerance of their own.

use crate::kernel::images;
use crate::shared::{Shared, explain, system, while_doing, workspace};
use chestnut::bench::linux_costs;
use chestnut::boot::run_alone;
use chestnut::compile;
use chestnut::machine::Settings;
use libtest_mimic::{Failed, Trial};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

const UPDATE: &str = "UPDATE";
/// By how many hundredths a row may grow, if the table doesn't say otherwise.
const GROWTH: u64 = 3;
const TIME_LIMIT: Duration = Duration::from_secs(180);
/// What the root task writes to the debug-exit port when all groups were measured.
const MEASURED: u8 = 0x10;
/// Rows of whole programs: most of their instructions are their own.
const PROGRAMS: &[&str] = &[
    "sh-loop",
    "sh-spawn",
    "sh-pipeline",
    "tar",
    "untar",
    "gzip",
    "gunzip",
    "grep",
    "sort",
    "awk",
    "find",
    "cp",
    "rm",
];

/// A table in the repository.
struct Table {
    file: &'static str,
    test: &'static str,
    what: &'static str,
}

const KERNEL: Table =
    Table { file: "bench/kernel/costs.txt", test: "cost::kernel", what: "each path of the release kernel" };
const LINUX: Table =
    Table { file: "bench/linux/costs.txt", test: "cost::linux", what: "the Linux benchmark's rows on Chestnut" };

/// Instructions by row: the median.
type Costs = BTreeMap<String, u64>;
/// The same, and by how many hundredths a row may grow.
type Known = BTreeMap<String, (u64, Option<u64>)>;

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("cost::kernel", || KERNEL.check(&kernel()?)),
        Trial::test("cost::linux", || LINUX.check(&linux()?)),
        Trial::test("cost::a_row_that_grows_is_found", a_row_that_grows_is_found),
    ]
}

/// Boots the kernel's benchmark and reads its rows.
fn kernel() -> Shared<Costs> {
    let (kernel, _) = images()?;
    let programs =
        compile::user_programs(&workspace()?, "Building the kernel's benchmarks", &["chestnut-kernel-bench"]);
    let root_task = programs.map_err(explain)?.pop().ok_or("no root task was built")?;
    let settings = Settings { cpu: "qemu64".to_owned(), icount: true, ..Settings::default() };
    let transcript = run_alone(&settings, &kernel, &root_task, TIME_LIMIT).map_err(explain)?;
    let output = &transcript.output;
    match transcript.end {
        Ok(MEASURED) => {}
        Ok(status) => return Err(format!("the benchmark ended with status {status}:\n{output}")),
        Err(why) => return Err(why),
    }
    let mut costs = Costs::new();
    for (_, row) in output.lines().filter_map(|line| line.split_once("bench ")) {
        let [name, _, median, _] = row.split(' ').collect::<Vec<_>>()[..] else {
            return Err(format!("not a row: {row}"));
        };
        costs.insert(name.to_owned(), while_doing(row, median.trim().parse())?);
    }
    Ok(costs)
}

/// Boots the whole system with the Linux benchmark.
fn linux() -> Shared<Costs> {
    system()?;
    linux_costs(&workspace()?, PROGRAMS).map_err(explain)
}

impl Table {
    /// Compares what was measured with the table, or writes it anew.
    fn check(&self, measured: &Costs) -> Result<(), Failed> {
        let file = workspace()?.root().join(self.file);
        let updates = std::env::var_os(UPDATE).is_some_and(|value| value == "1");
        let known = match std::fs::read_to_string(&file) {
            Ok(text) => parse(&text)?,
            Err(_) if updates => Known::new(),
            Err(error) => return Err(format!("reading {}: {error}", self.file).into()),
        };
        if updates {
            while_doing("writing the table", std::fs::write(&file, self.text(&known, measured)))?;
            return Ok(());
        }
        let complaints = compare(&known, measured);
        if complaints.is_empty() {
            return Ok(());
        }
        let file = self.file;
        Err(format!("{complaints}\nIf that is meant, {UPDATE}=1 in the environment makes this test write {file} anew.")
            .into())
    }

    /// What was measured, with the tolerances that are known.
    fn text(&self, known: &Known, measured: &Costs) -> String {
        let Table { test, what, .. } = self;
        let mut text = format!(
            "# Instructions of {what} (qemu64, -icount shift=0), as the test {test} measures them. A row may grow by {GROWTH} %,\n\
             # or by what stands behind its number.\n\
             # UPDATE=1 cargo test -p chestnut-tests --test system -- {test}  writes this file.\n"
        );
        for (name, cost) in measured {
            let growth = known.get(name).and_then(|(_, growth)| *growth);
            let growth = growth.map_or_else(String::new, |growth| format!(" {growth}%"));
            // Writing to a string doesn't fail.
            _ = writeln!(text, "{name} {cost}{growth}");
        }
        text
    }
}

fn parse(text: &str) -> Shared<Known> {
    let rows = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    rows.map(|line| {
        let mut words = line.split(' ');
        let (Some(name), Some(cost)) = (words.next(), words.next()) else { return Err(format!("not a row: {line}")) };
        let growth = words.next().map(|word| while_doing(line, word.trim_end_matches('%').parse())).transpose()?;
        Ok((name.to_owned(), (while_doing(line, cost.parse())?, growth)))
    })
    .collect()
}

/// What is wrong, a line for each row; nothing if nothing is.
fn compare(known: &Known, measured: &Costs) -> String {
    let mut complaints = String::new();
    for (name, &cost) in measured {
        _ = match known.get(name) {
            Some(&(before, growth)) if cost > before + before * growth.unwrap_or(GROWTH) / 100 => {
                writeln!(complaints, "{name}: {cost}, was {before}")
            }
            Some(_) => Ok(()),
            None => writeln!(complaints, "{name}: {cost}, not in the table"),
        };
    }
    for name in known.keys().filter(|name| !measured.contains_key(*name)) {
        _ = writeln!(complaints, "{name}: not measured any more");
    }
    complaints
}

fn a_row_that_grows_is_found() -> Result<(), Failed> {
    let costs = |rows: &[(&str, u64)]| rows.iter().map(|(name, cost)| ((*name).to_owned(), *cost)).collect::<Costs>();
    let table = "# title\ncall 100\ngone 5\nlucky 1000 10%\nmap 1000\nsignal 200\nunlucky 1000 10%\n";
    let known = parse(table)?;
    let measured =
        costs(&[("call", 103), ("lucky", 1100), ("map", 1031), ("new", 7), ("signal", 150), ("unlucky", 1101)]);
    let expected =
        "map: 1031, was 1000\nnew: 7, not in the table\nunlucky: 1101, was 1000\ngone: not measured any more\n";
    let found = compare(&known, &measured);
    if found != expected {
        return Err(format!("found {found:?}").into());
    }
    let written = parse(&LINUX.text(&known, &measured))?;
    let is_kept = written.get("lucky") == Some(&(1100, Some(10))) && written.get("new") == Some(&(7, None));
    if is_kept && compare(&written, &measured).is_empty() {
        Ok(())
    } else {
        Err("the table isn't read as it is written".into())
    }
}
