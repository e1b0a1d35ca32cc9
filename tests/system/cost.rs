//! What the kernel's paths cost: the benchmark's rows against the table in the repository.
//!
//! `bench/kernel/costs.txt` lists each row's instructions. A row that grows by more than 3 %, that is missing or that is new fails the test
//! `cost::kernel` until the table says so, too: run it with `UPDATE=1` in the environment and it writes the table anew. Rows that shrink
//! don't fail. Instructions are counted (`-icount`), so the numbers don't depend on how busy the machine is.

use crate::kernel::images;
use crate::shared::{Shared, explain, while_doing, workspace};
use chestnut::boot::run_alone;
use chestnut::compile;
use chestnut::machine::Settings;
use libtest_mimic::{Failed, Trial};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

const TABLE: &str = "bench/kernel/costs.txt";
const UPDATE: &str = "UPDATE";
/// By how much a row may grow: one part in so many.
const GROWTH: u64 = 33;
const TIME_LIMIT: Duration = Duration::from_secs(180);
/// What the root task writes to the debug-exit port when all groups were measured.
const MEASURED: u8 = 0x10;

/// Instructions by row: the median.
type Costs = BTreeMap<String, u64>;

pub fn trials() -> Vec<Trial> {
    vec![Trial::test("cost::kernel", kernel), Trial::test("cost::a_row_that_grows_is_found", a_row_that_grows_is_found)]
}

fn kernel() -> Result<(), Failed> {
    let measured = measure()?;
    let table = workspace()?.root().join(TABLE);
    if std::env::var_os(UPDATE).is_some_and(|value| value == "1") {
        while_doing("writing the table", std::fs::write(&table, text(&measured)))?;
        return Ok(());
    }
    let known = parse(&while_doing("reading the table", std::fs::read_to_string(&table))?)?;
    let complaints = compare(&known, &measured);
    if complaints.is_empty() {
        return Ok(());
    }
    Err(format!("{complaints}\nIf that is meant, {UPDATE}=1 in the environment makes this test write {TABLE} anew.")
        .into())
}

/// Boots the benchmark and reads its rows.
fn measure() -> Shared<Costs> {
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

fn text(costs: &Costs) -> String {
    let mut text = "# Instructions of each path of the release kernel (qemu64, -icount shift=0), as the test cost::kernel measures them.\n\
        # UPDATE=1 cargo test -p chestnut-tests --test system -- cost::kernel  writes this file.\n"
        .to_owned();
    for (name, cost) in costs {
        // Writing to a string doesn't fail.
        _ = writeln!(text, "{name} {cost}");
    }
    text
}

fn parse(text: &str) -> Shared<Costs> {
    let rows = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    rows.map(|line| {
        let (name, cost) = line.split_once(' ').ok_or_else(|| format!("{TABLE}: not a row: {line}"))?;
        Ok((name.to_owned(), while_doing(line, cost.parse())?))
    })
    .collect()
}

/// What is wrong, a line for each row; nothing if nothing is.
fn compare(known: &Costs, measured: &Costs) -> String {
    let mut complaints = String::new();
    for (name, &cost) in measured {
        _ = match known.get(name) {
            Some(&before) if cost > before + before / GROWTH => writeln!(complaints, "{name}: {cost}, was {before}"),
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
    let known = costs(&[("call", 100), ("gone", 5), ("map", 1000), ("signal", 200)]);
    let measured = costs(&[("call", 103), ("map", 1031), ("new", 7), ("signal", 150)]);
    let expected = "map: 1031, was 1000\nnew: 7, not in the table\ngone: not measured any more\n";
    let found = compare(&known, &measured);
    if found != expected {
        return Err(format!("found {found:?}").into());
    }
    if parse(&text(&known))? != known { Err("the table isn't read as it is written".into()) } else { Ok(()) }
}
