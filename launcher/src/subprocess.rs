//! Runs another program whose output matters only if it fails.

use crate::progress::Step;
use crate::tail::Tail;
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Runs it with nothing on standard input; each line of standard error is a note of the step. Returns standard output.
/// An error holds the command line and the end of what it said.
pub fn run(command: &mut Command, step: &mut Step) -> Result<String> {
    run_noting(command, step, |_| true)
}

/// The same, but only the lines that are `news` are notes.
pub fn run_noting(command: &mut Command, step: &mut Step, news: impl Fn(&str) -> bool) -> Result<String> {
    let line = command_line(command);
    let output = tempfile::tempfile().context("making a temporary file")?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("running `{line}`"))?;
    let mut said = Tail::new(16 * 1024);
    if let Some(stderr) = child.stderr.take() {
        for text in BufReader::new(stderr).split(b'\n') {
            let text = text.with_context(|| format!("reading what `{line}` says"))?;
            said.push(&text);
            said.push(b"\n");
            let text = String::from_utf8_lossy(&text);
            if news(&text) {
                step.note(&text);
            }
        }
    }
    let status = child.wait().with_context(|| format!("waiting for `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status}):\n{}", said.text());
    }
    read_from_start(output).with_context(|| format!("reading the output of `{line}`"))
}

fn read_from_start(mut file: std::fs::File) -> Result<String> {
    use std::io::{Read, Seek};
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// The program's file, if it is in a folder of PATH.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The effective user is root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
