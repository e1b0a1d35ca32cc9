//! The Linux root file system of the guest, as the boot archive will hold it.

mod overlay;

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where BusyBox is in Debian's package and in the guest.
const BUSYBOX: &str = "bin/busybox";
/// Where the links of its applets lead.
const BUSYBOX_LINK: &str = "/bin/busybox";
/// When the files that are made here were last changed: 2025-01-01, so that images don't differ from day to day.
const GENERATED: u64 = 1_735_689_600;

/// Files by their path in the guest, without the leading `/`. Each one's folders are there too.
#[derive(Clone, Debug, Default)]
pub struct RootFiles {
    entries: BTreeMap<String, Entry>,
}

/// One file.
#[derive(Clone, Debug)]
pub struct Entry {
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Seconds since 1970.
    pub modified: u64,
}

#[derive(Clone, Debug)]
pub enum Kind {
    Folder,
    Bytes(Vec<u8>),
    /// A file of the host.
    Copy(PathBuf),
    /// A symbolic link and its target.
    Link(String),
}

impl RootFiles {
    /// BusyBox with a link for each of its applets, and what a shell expects to find.
    pub fn with_busybox(package: &Path) -> Result<RootFiles> {
        let busybox = package.join(BUSYBOX);
        let list = Command::new(&busybox).arg("--list-full").output();
        let list = list.with_context(|| format!("running {} for the names of its applets", busybox.display()))?;
        if !list.status.success() {
            bail!("`{} --list-full` failed: {}", busybox.display(), String::from_utf8_lossy(&list.stderr));
        }
        let mut files = RootFiles::default();
        files.copy(BUSYBOX, &busybox)?;
        for applet in String::from_utf8_lossy(&list.stdout).lines().filter(|applet| *applet != BUSYBOX) {
            files.add(applet, Kind::Link(BUSYBOX_LINK.to_owned()), 0o777);
        }
        for (folder, mode) in [("tmp", 0o1777), ("proc", 0o555), ("dev", 0o755), ("root", 0o700), ("var/tmp", 0o1777)] {
            files.add(folder, Kind::Folder, mode);
        }
        for (path, text) in GENERATED_FILES {
            files.add(path, Kind::Bytes(text.as_bytes().to_vec()), 0o644);
        }
        files.add("root/hello.sh", Kind::Bytes(include_bytes!("root_files/hello.sh").to_vec()), 0o755);
        Ok(files)
    }

    /// Adds an entry (replacing one of the same path) and the folders above it.
    pub fn add(&mut self, path: &str, kind: Kind, mode: u32) {
        self.insert(path, Entry { kind, mode, modified: GENERATED });
    }

    /// Makes sure that there is such a folder.
    pub fn add_folder(&mut self, path: &str) {
        if !self.entries.contains_key(path.trim_matches('/')) {
            self.add(path, Kind::Folder, 0o755);
        }
    }

    fn insert(&mut self, path: &str, entry: Entry) {
        let path = path.trim_matches('/');
        for (end, _) in path.match_indices('/') {
            let folder = Entry { kind: Kind::Folder, mode: 0o755, modified: GENERATED };
            self.entries.entry(path[..end].to_owned()).or_insert(folder);
        }
        if !path.is_empty() {
            self.entries.insert(path.to_owned(), entry);
        }
    }

    /// Adds a file, folder (without its contents) or link of the host.
    pub fn copy(&mut self, path: &str, host: &Path) -> Result<()> {
        let status = host.symlink_metadata().with_context(|| format!("looking at {}", host.display()))?;
        let kind = if status.is_symlink() {
            let target = std::fs::read_link(host).with_context(|| format!("reading the link {}", host.display()))?;
            Kind::Link(target.to_str().with_context(|| not_text(&target))?.to_owned())
        } else if status.is_dir() {
            Kind::Folder
        } else if status.is_file() {
            Kind::Copy(host.to_owned())
        } else {
            bail!("{} is not a file, a folder or a link", host.display());
        };
        let modified = u64::try_from(status.mtime()).unwrap_or(0);
        self.insert(path, Entry { kind, mode: status.permissions().mode() & 0o7777, modified });
        Ok(())
    }

    /// Adds all that is below a folder of the host, at the same places below `to`. What an archive can't hold goes to `left_out`.
    pub fn copy_tree(&mut self, to: &str, host: &Path, left_out: &mut Vec<PathBuf>) -> Result<()> {
        let entries = std::fs::read_dir(host).with_context(|| format!("reading the folder {}", host.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("reading the folder {}", host.display()))?;
            let name = entry.file_name();
            let path = format!("{to}/{}", name.to_str().with_context(|| not_text(&entry.path()))?);
            let kind = entry.file_type().with_context(|| format!("looking at {}", entry.path().display()))?;
            if !(kind.is_dir() || kind.is_file() || kind.is_symlink()) {
                left_out.push(entry.path());
                continue;
            }
            self.copy(&path, &entry.path())?;
            if kind.is_dir() {
                self.copy_tree(&path, &entry.path(), left_out)?;
            }
        }
        Ok(())
    }

    /// There is a file at this path, possibly by way of symbolic links.
    pub fn has_file(&self, path: &str) -> bool {
        let mut path = path.trim_start_matches('/').to_owned();
        // Links to folders in the middle of a path are followed too; eight links are plenty, and loops end.
        for _ in 0..8 {
            let Some((at, target)) = self.first_link(&path) else {
                return matches!(self.entries.get(&path), Some(Entry { kind: Kind::Bytes(_) | Kind::Copy(_), .. }));
            };
            path = format!("{}{}", Self::where_link_leads(&path[..at], target), &path[at..]);
        }
        false
    }

    /// The path that a link at `path` names, which may lead over further links.
    fn where_link_leads(path: &str, target: &str) -> String {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        match target.strip_prefix('/') {
            Some(absolute) => normal(absolute),
            None => normal(&format!("{folder}/{target}")),
        }
    }

    /// The first component of the path that is a link: where it ends, and its target.
    fn first_link(&self, path: &str) -> Option<(usize, &str)> {
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        ends.into_iter().find_map(|end| match self.entries.get(&path[..end])?.kind {
            Kind::Link(ref target) => Some((end, target.as_str())),
            _ => None,
        })
    }

    /// All entries, folders before what is in them.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_str(), entry))
    }
}

/// The path without `.` and `..`.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

fn not_text(path: &Path) -> String {
    format!("the name {} is not UTF-8", path.display())
}

/// Small text files: accounts, the shell's settings, and a few things to try commands on.
const GENERATED_FILES: &[(&str, &str)] = &[
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
    ("etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"),
    ("etc/hostname", "chestnut\n"),
    ("etc/shells", "/bin/sh\n/bin/ash\n"),
    ("etc/profile", include_str!("root_files/profile")),
    ("etc/motd", include_str!("root_files/motd")),
    ("root/kernels.txt", include_str!("root_files/kernels.txt")),
    ("root/poem.txt", include_str!("root_files/poem.txt")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_with_their_files_and_first() {
        let mut files = RootFiles::default();
        files.add("/usr/share/words", Kind::Bytes(b"a\n".to_vec()), 0o644);
        let paths: Vec<&str> = files.entries().map(|(path, _)| path).collect();
        assert_eq!(paths, ["usr", "usr/share", "usr/share/words"]);
    }

    #[test]
    fn links_are_followed() {
        let mut files = RootFiles::default();
        files.add("usr/lib/ld.so", Kind::Bytes(Vec::new()), 0o755);
        files.add("lib", Kind::Link("usr/lib".into()), 0o777);
        files.add("lib64", Kind::Link("/lib".into()), 0o777);
        files.add("usr/lib/up.so", Kind::Link("../lib/./ld.so".into()), 0o777);
        files.add("loop", Kind::Link("loop".into()), 0o777);
        assert!(files.has_file("/usr/lib/ld.so"));
        assert!(files.has_file("/lib64/ld.so"));
        assert!(files.has_file("/lib/up.so"));
        assert!(!files.has_file("/lib"));
        assert!(!files.has_file("/lib64/other.so"));
        assert!(!files.has_file("/loop"));
    }

    #[test]
    fn a_host_tree_is_taken_over() {
        let host = tempfile::tempdir().expect("folder");
        std::fs::create_dir(host.path().join("sub")).expect("folder");
        std::fs::write(host.path().join("sub/run"), "#!/bin/sh\n").expect("file");
        std::fs::set_permissions(host.path().join("sub/run"), PermissionsExt::from_mode(0o750)).expect("mode");
        std::os::unix::fs::symlink("sub/run", host.path().join("start")).expect("link");
        let mut files = RootFiles::default();
        files.copy_tree("", host.path(), &mut Vec::new()).expect("copies");
        let modes: Vec<(&str, u32)> = files.entries().map(|(path, entry)| (path, entry.mode)).collect();
        assert_eq!(modes.last(), Some(&("sub/run", 0o750)));
        assert!(files.has_file("/start"));
    }
}
