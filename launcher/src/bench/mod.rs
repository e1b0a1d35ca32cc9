//! `cargo run -- bench`: what Chestnut's paths cost, beside what its peers' cost.
//!
//! | module | question that it answers |
//! |---|---|
//! | [`row`] | what did a benchmark program say? |
//! | [`machine`] | how is it run, and how are its lines got out? |
//! | [`linux`], [`debian`], [`initrd`] | the Linux program: on Chestnut, and on Debian's own kernel in the same emulator |
//! | [`targets`] | what is to be reached? |
//! | [`report`] | how is it all shown, and what are the limits of counting? |
//! | [`record`] | how is it kept in a file and compared with one? |
//!
//! What is counted are instructions, by the emulator: the same in every run. Other clocks are for curiosity.

mod debian;
mod initrd;
mod linux;
mod machine;
mod options;
mod record;
mod report;
mod row;
mod targets;

pub use options::Options;

use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use linux::Benchmark;
use record::Record;
use std::collections::BTreeSet;
use std::path::Path;

/// Does what the user asked for. Returns the exit status: 1 if a row that was asked for by name has no figure.
pub fn bench(options: &Options) -> Result<u8> {
    let workspace = Workspace::find()?;
    let earlier = options.compare.as_deref().map(Record::read).transpose()?;
    let settings = options.settings()?;
    let benchmark = Benchmark::build(&workspace)?;
    let wanted = wanted(options, &benchmark)?;
    if options.list {
        for row in benchmark.rows() {
            println!("{:24} {}", row.name, row.what);
        }
        return Ok(0);
    }
    let chestnut = linux::on_chestnut(&workspace, &settings, &benchmark, &wanted)?;
    let debian = if options.alone { None } else { Some(debian::run(&workspace, &settings, &benchmark, &wanted)?) };
    let record = Record { cpu: settings.cpu.clone(), clock: options.clock(), chestnut, debian };
    print!("{}", report::text(&record, &benchmark));
    if let Some(earlier) = &earlier {
        print!("{}", report::changes(earlier, &record));
    }
    if let Some(file) = &options.json {
        record.write(file)?;
    }
    if let Some(file) = &options.markdown {
        write(file, &report::markdown(&record, &benchmark))?;
    }
    let failed = !options.names.is_empty() && record.has_missing();
    Ok(u8::from(failed))
}

/// The rows to measure: those that the user names, or all.
fn wanted(options: &Options, benchmark: &Benchmark) -> Result<BTreeSet<String>> {
    let known: Vec<&str> = benchmark.rows().iter().map(|row| row.name.as_str()).collect();
    let unknown: Vec<&str> = options.names.iter().map(String::as_str).filter(|name| !known.contains(name)).collect();
    if let Some(name) = unknown.first() {
        bail!("there is no benchmark \"{name}\"; there are: {}", known.join(" "));
    }
    Ok(if options.names.is_empty() {
        known.into_iter().map(str::to_owned).collect()
    } else {
        options.names.iter().cloned().collect()
    })
}

fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))
}
