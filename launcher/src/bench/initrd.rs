//! The same root file system as a Linux kernel takes it from its boot loader: a cpio archive in the format `newc`.

use crate::root_files::{Entry, Kind, RootFiles};
use anyhow::{Context, Result};
use cpio::newc::{Builder, ModeFileType, trailer};
use std::io::Write;

/// The archive.
pub fn build(files: &RootFiles) -> Result<Vec<u8>> {
    let mut archive = Vec::new();
    for (number, (path, entry)) in (1..).zip(files.entries()) {
        add(&mut archive, number, path, entry).with_context(|| format!("putting /{path} into the initial RAM disk"))?;
    }
    Ok(trailer(archive)?)
}

fn add(archive: &mut Vec<u8>, number: u32, path: &str, entry: &Entry) -> Result<()> {
    let (kind, bytes) = match &entry.kind {
        Kind::Folder => (ModeFileType::Directory, Vec::new()),
        Kind::Bytes(bytes) => (ModeFileType::Regular, bytes.clone()),
        Kind::Copy(host) => {
            let bytes = std::fs::read(host).with_context(|| format!("reading {}", host.display()))?;
            (ModeFileType::Regular, bytes)
        }
        Kind::Link(target) => (ModeFileType::Symlink, target.clone().into_bytes()),
    };
    let length = u32::try_from(bytes.len()).context("the file is too large")?;
    let modified = u32::try_from(entry.modified).unwrap_or(u32::MAX);
    let header = Builder::new(path).ino(number).mode(entry.mode).mtime(modified).set_mode_file_type(kind);
    let mut writer = header.write(archive, length);
    writer.write_all(&bytes)?;
    writer.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cpio::newc::Reader;

    #[test]
    fn holds_what_it_was_given() {
        let mut files = RootFiles::default();
        files.add("bin/sh", Kind::Link("/bin/busybox".into()), 0o777);
        files.add("etc/motd", Kind::Bytes(b"hello\n".to_vec()), 0o640);
        let bytes = build(&files).expect("builds");
        let mut rest = &bytes[..];
        let mut seen = Vec::new();
        loop {
            let mut reader = Reader::new(rest).expect("entry");
            if reader.entry().is_trailer() {
                break;
            }
            let (name, mode) = (reader.entry().name().to_owned(), reader.entry().mode());
            let mut data = String::new();
            std::io::Read::read_to_string(&mut reader, &mut data).expect("data");
            seen.push((name, mode, data));
            rest = reader.finish().expect("the rest");
        }
        let expected = [
            ("bin", 0o40_755, ""),
            ("bin/sh", 0o120_777, "/bin/busybox"),
            ("etc", 0o40_755, ""),
            ("etc/motd", 0o100_640, "hello\n"),
        ];
        let expected: Vec<_> = expected.iter().map(|(n, m, d)| ((*n).to_owned(), *m, (*d).to_owned())).collect();
        assert_eq!(seen, expected);
    }
}
