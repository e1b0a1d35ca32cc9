//! The boot archive: a tar file with the manifest, the run request, the services and the Linux root file system.
//!
//! Its layout is described in `chestnut_manifest::archive`. The format is plain ustar, so that the guest's reader can be
//! simple; what doesn't fit (very long paths) is an error here.

use crate::root_files::{Entry, Kind, RootFiles};
use anyhow::{Context, Result};
use chestnut_manifest::archive::{BINARIES, HEADER_BYTES, MANIFEST, ROOT_FILES, RUN};
use chestnut_manifest::{Manifest, RunRequest};
use std::path::Path;
use tar::{Builder, EntryType, Header};

/// What goes into an archive.
#[derive(Debug)]
pub struct Contents<'c> {
    pub manifest: &'c Manifest,
    pub request: &'c RunRequest,
    /// Names and ELF files of the services.
    pub services: &'c [(String, Vec<u8>)],
    pub files: &'c RootFiles,
}

impl Contents<'_> {
    /// The archive with its header page before it.
    pub fn build(&self) -> Result<Vec<u8>> {
        let mut tar = Builder::new(vec![0; HEADER_BYTES]);
        add_file(&mut tar, MANIFEST, &postcard::to_allocvec(self.manifest)?, 0o444, 0)?;
        add_file(&mut tar, RUN, &postcard::to_allocvec(self.request)?, 0o444, 0)?;
        for (name, program) in self.services {
            add_file(&mut tar, &format!("{BINARIES}{name}"), program, 0o555, 0)?;
        }
        for (path, entry) in self.files.entries() {
            add_entry(&mut tar, &format!("{ROOT_FILES}{path}"), entry)
                .with_context(|| format!("putting /{path} into the boot archive"))?;
        }
        let mut bytes = tar.into_inner().context("finishing the boot archive")?;
        let length = (bytes.len() - HEADER_BYTES) as u64;
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        Ok(bytes)
    }
}

type Tar = Builder<Vec<u8>>;

fn add_entry(tar: &mut Tar, path: &str, entry: &Entry) -> Result<()> {
    match &entry.kind {
        Kind::Bytes(bytes) => add_file(tar, path, bytes, entry.mode, entry.modified),
        Kind::Copy(host) => {
            let bytes = std::fs::read(host).with_context(|| format!("reading {}", host.display()))?;
            add_file(tar, path, &bytes, entry.mode, entry.modified)
        }
        Kind::Folder => {
            let mut header = header(&format!("{path}/"), entry.mode, entry.modified)?;
            header.set_entry_type(EntryType::Directory);
            append(tar, header, &[])
        }
        Kind::Link(target) => {
            let mut header = header(path, entry.mode, entry.modified)?;
            header.set_entry_type(EntryType::Symlink);
            header.set_link_name_literal(target)?;
            append(tar, header, &[])
        }
    }
}

fn add_file(tar: &mut Tar, path: &str, bytes: &[u8], mode: u32, modified: u64) -> Result<()> {
    let mut header = header(path, mode, modified)?;
    header.set_size(bytes.len() as u64);
    append(tar, header, bytes)
}

fn header(path: &str, mode: u32, modified: u64) -> Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path(Path::new(path))?;
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(modified);
    header.set_size(0);
    Ok(header)
}

fn append(tar: &mut Tar, mut header: Header, bytes: &[u8]) -> Result<()> {
    header.set_cksum();
    tar.append(&header, bytes)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn holds_what_it_was_given() {
        let manifest = toml::from_str(include_str!("../../services/manifest.toml")).expect("manifest");
        let request = RunRequest { commands: Vec::new(), started: 5, trace: false };
        let mut files = RootFiles::default();
        files.add("bin/sh", Kind::Link("/bin/busybox".into()), 0o777);
        files.add("etc/motd", Kind::Bytes(b"hello\n".to_vec()), 0o640);
        files.add("tmp", Kind::Folder, 0o1777);
        let services = [("chestnut-serial".to_owned(), b"ELF".to_vec())];
        let contents = Contents { manifest: &manifest, request: &request, services: &services, files: &files };
        let bytes = contents.build().expect("builds");

        let (page, tar) = bytes.split_at(HEADER_BYTES);
        assert_eq!(page[..8], (tar.len() as u64).to_le_bytes());
        let mut seen = Vec::new();
        for entry in tar::Archive::new(tar).entries().expect("tar") {
            let mut entry = entry.expect("entry");
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let link = entry.link_name().expect("link").map(|link| link.display().to_string());
            let mode = entry.header().mode().expect("mode");
            let mut data = Vec::new();
            entry.read_to_end(&mut data).expect("data");
            if path == MANIFEST {
                assert_eq!(postcard::from_bytes::<Manifest>(&data).expect("manifest"), manifest);
            } else if path == RUN {
                assert_eq!(postcard::from_bytes::<RunRequest>(&data).expect("request"), request);
            } else {
                seen.push((path, mode, link.unwrap_or_else(|| String::from_utf8_lossy(&data).into_owned())));
            }
        }
        let expected = [
            ("chestnut/bin/chestnut-serial", 0o555, "ELF"),
            ("root/bin/", 0o755, ""),
            ("root/bin/sh", 0o777, "/bin/busybox"),
            ("root/etc/", 0o755, ""),
            ("root/etc/motd", 0o640, "hello\n"),
            ("root/tmp/", 0o1777, ""),
        ];
        let expected: Vec<_> = expected.iter().map(|(p, m, d)| ((*p).to_owned(), *m, (*d).to_owned())).collect();
        assert_eq!(seen, expected);
    }
}
