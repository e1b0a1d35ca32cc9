//! `cargo run -- bench`: what Chestnut's paths cost, beside what its peers' cost.
//!
//! | module | question that it answers |
//! |---|---|
//! | [`row`] | what did a benchmark program say? |
//! | [`machine`] | how is it run, and how are its lines got out? |
//! | [`kernel`] | the root task that measures the kernel alone |
//! | [`linux`], [`debian`], [`initrd`] | the Linux program: on Chestnut, and on Debian's own kernel in the same emulator |
//! | [`footprint`] | what does the kernel touch meanwhile? |
//! | [`functions`] | in which functions are a row's instructions? |
//! | [`targets`] | what is to be reached? |
//! | [`report`] | how is it all shown, and what are the limits of counting? |
//! | [`record`] | how is it kept in a file and compared with one? |
//!
//! What is counted are instructions, by the emulator: the same in every run. Other clocks are for curiosity.

mod debian;
mod footprint;
mod functions;
mod initrd;
mod kernel;
mod linux;
mod machine;
mod options;
mod record;
mod report;
mod row;
mod targets;

pub use options::Options;

use crate::machine::Settings;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use linux::Benchmark;
use record::Record;
use row::{Finding, Findings};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Does what the user asked for. Returns the exit status: 1 if a row that was asked for by name has no figure.
pub fn bench(options: &Options) -> Result<u8> {
    let workspace = Workspace::find()?;
    let earlier = options.compare.as_deref().map(Record::read).transpose()?;
    let settings = options.settings()?;
    let benchmark = Benchmark::build(&workspace)?;
    if options.list {
        list(&benchmark);
        return Ok(0);
    }
    let with_missed = options.functions && options.names == [MISSED];
    if options.functions && !with_missed && (options.json.is_some() || options.compare.is_some()) {
        bail!("--functions of named rows makes no figures for --json and --compare; `--functions {MISSED}` does");
    }
    let names = if with_missed { &[][..] } else { &options.names };
    let wanted = Wanted::of(names, &benchmark)?;
    if options.footprint {
        let footprints = footprint::measure(&workspace, &settings, &benchmark, &wanted.linux)?;
        print!("{}", footprint::text(&footprints));
        return Ok(0);
    }
    if options.functions && !with_missed {
        let mut rows = Vec::new();
        if let Some(words) = &wanted.kernel {
            rows.extend(functions::of_kernel(&workspace, &settings, words, false)?);
        }
        if !wanted.linux.is_empty() {
            rows.extend(functions::of_linux(&workspace, &settings, &benchmark, &wanted.linux, None)?);
        }
        return show(options, &rows).map(|()| 0);
    }
    let mut record = Record {
        cpu: settings.cpu.clone(),
        clock: options.clock(),
        kernel: BTreeMap::new(),
        chestnut: Findings::new(),
        debian: None,
    };
    if let Some(words) = &wanted.kernel {
        let mut models = vec![settings.cpu.clone()];
        models.extend(options.cpu.is_none().then(|| kernel::WITH_FSGSBASE.to_owned()).filter(|_| !options.kvm));
        for cpu in models {
            let settings = Settings { cpu: cpu.clone(), ..settings.clone() };
            record.kernel.insert(cpu, kernel::run(&workspace, &settings, words)?);
        }
    }
    if !wanted.linux.is_empty() {
        record.chestnut = linux::on_chestnut(&workspace, &settings, &benchmark, &wanted.linux)?;
        if !options.alone {
            record.debian = Some(debian::run(&workspace, &settings, &benchmark, &wanted.linux)?);
        }
    }
    print!("{}", report::text(&record, benchmark.rows()));
    if let Some(earlier) = &earlier {
        print!("{}", report::changes(earlier, &record));
    }
    if let Some(file) = &options.json {
        record.write(file)?;
    }
    if let Some(file) = &options.markdown {
        write(file, TABLES, &report::markdown(&record, benchmark.rows()))?;
    }
    if with_missed {
        let (kernel, linux) = functions::missed(&record);
        let mut rows = Vec::new();
        if !kernel.is_empty() {
            rows.extend(functions::of_kernel(&workspace, &settings, &kernel, true)?);
        }
        if !linux.is_empty() {
            rows.extend(functions::of_linux(&workspace, &settings, &benchmark, &linux, record.debian.as_ref())?);
        }
        show(options, &rows)?;
    }
    let failed = !names.is_empty() && record.has_missing();
    Ok(u8::from(failed))
}

/// Where the instructions go.
fn show(options: &Options, rows: &[functions::Counted]) -> Result<()> {
    print!("{}", functions::text(rows));
    match &options.markdown {
        Some(file) => write(file, FUNCTIONS, &functions::markdown(rows)),
        None => Ok(()),
    }
}

/// Instructions of the rows of the Linux table on Chestnut, all but `without`: the medians, for tests. A row without a figure is an error.
pub fn linux_costs(workspace: &Workspace, without: &[&str]) -> Result<BTreeMap<String, u64>> {
    let benchmark = Benchmark::build(workspace)?;
    let names = benchmark.rows().iter().map(|row| row.name.clone());
    let wanted: BTreeSet<String> = names.filter(|name| !without.contains(&&**name)).collect();
    let findings = linux::on_chestnut(workspace, &Options::default().settings()?, &benchmark, &wanted)?;
    let cost = |(name, finding): (String, Finding)| match finding {
        Finding::Figure { median, .. } => Ok((name, median)),
        Finding::Missing { missing } => bail!("{name}: {missing}"),
    };
    findings.into_iter().map(cost).collect()
}

fn list(benchmark: &Benchmark) {
    println!("{KERNEL}: the kernel's paths, whose names begin with: {}\n", kernel::families().join(" "));
    println!("{LINUX}:");
    for row in benchmark.rows() {
        println!("{:24} {}", row.name, row.what);
    }
}

/// Stand for all rows of a table.
const KERNEL: &str = "kernel";
const LINUX: &str = "linux";
/// Stands for the rows that miss their targets.
const MISSED: &str = "missed";

/// The rows to measure.
struct Wanted {
    /// Of the kernel's table: how names begin; an empty list stands for all.
    kernel: Option<Vec<String>>,
    linux: BTreeSet<String>,
}

impl Wanted {
    /// Those that the user names, or all.
    fn of(names: &[String], benchmark: &Benchmark) -> Result<Wanted> {
        let all = || benchmark.rows().iter().map(|row| row.name.clone());
        if names.is_empty() {
            return Ok(Wanted { kernel: Some(Vec::new()), linux: all().collect() });
        }
        let mut wanted = Wanted { kernel: None, linux: BTreeSet::new() };
        for name in names {
            if name == LINUX {
                wanted.linux.extend(all());
            } else if name == KERNEL {
                wanted.kernel = Some(Vec::new());
            } else {
                let mut rows = benchmark.matching(name).peekable();
                let is_kernel_row = kernel::is_row(name);
                if rows.peek().is_none() && !is_kernel_row {
                    let known: Vec<String> = all().collect();
                    bail!(
                        "there is no benchmark \"{name}\"; there are {KERNEL} (all of the kernel's, or those that begin with {}) \
                         and {LINUX} (all of these: {})",
                        kernel::families().join(" "),
                        known.join(" ")
                    );
                }
                wanted.linux.extend(rows.map(|row| row.name.clone()));
                // If all are wanted already, they stay so.
                if is_kernel_row && !names.iter().any(|name| name == KERNEL) {
                    wanted.kernel.get_or_insert_default().push(name.clone());
                }
            }
        }
        Ok(wanted)
    }
}

/// Writes tables to a file: between their marks. If it has none, they are all of it; those by function are put at its end.
fn write(file: &Path, marks: Marks, tables: &str) -> Result<()> {
    let before = std::fs::read_to_string(file).unwrap_or_default();
    let alone = || if marks == FUNCTIONS { format!("{before}\n{tables}") } else { tables.to_owned() };
    let text = with_tables(&before, marks, tables).unwrap_or_else(alone);
    std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))
}

/// Lines of a document around what `bench --markdown` writes.
type Marks = [&'static str; 2];
const TABLES: Marks = ["<!-- bench -->\n", "<!-- end of bench -->\n"];
const FUNCTIONS: Marks = ["<!-- functions -->\n", "<!-- end of functions -->\n"];

fn with_tables(document: &str, [begin, end]: Marks, tables: &str) -> Option<String> {
    let (before, rest) = document.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n{tables}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_written_anew() {
        let [begin, end] = TABLES;
        let document = format!("# Title\n{begin}old\n{end}what stays\n");
        let expected = format!("# Title\n{begin}\nnew\n{end}what stays\n");
        assert_eq!(with_tables(&document, TABLES, "new").as_deref(), Some(&*expected));
        assert_eq!(with_tables("# Title\n", TABLES, "new"), None);
    }

    #[test]
    fn tables_by_function_leave_what_is_there() {
        let folder = tempfile::tempdir().expect("makes a folder");
        let file = folder.path().join("tables.md");
        let text = || std::fs::read_to_string(&file).expect("reads");
        write(&file, TABLES, "first\n").and_then(|()| write(&file, TABLES, "tables\n")).expect("writes");
        write(&file, FUNCTIONS, "functions\n").expect("writes");
        assert_eq!(text(), "tables\n\nfunctions\n");
        std::fs::write(&file, FUNCTIONS.concat()).expect("writes");
        write(&file, FUNCTIONS, "functions\n").expect("writes");
        assert_eq!(text(), format!("{}\nfunctions\n\n{}", FUNCTIONS[0], FUNCTIONS[1]));
    }
}
