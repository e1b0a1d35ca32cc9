//! The user's files over the guest's: what `--root` brings comes before BusyBox.
//!
//! A root folder is often the whole root of a distribution: its `/bin` may be a link to `usr/bin`, its programs have the names of BusyBox's applets
//! but lie elsewhere, its `/dev` has device nodes. So: folders of the guest that are links there move to where the links lead; an applet that the
//! user has a program for leads to that program; what a boot archive can't hold is left out and told.

use super::{Entry, Kind, RootFiles};
use crate::program::PATH;
use anyhow::Result;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

impl RootFiles {
    /// Adds all that is below a folder of the host. Returns what was left out: what is neither a file, a folder nor a link.
    pub fn take_over(&mut self, host: &Path) -> Result<Vec<PathBuf>> {
        let mut user = RootFiles::default();
        let mut left_out = Vec::new();
        user.copy_tree("", host, &mut left_out)?;
        self.follow_links_of(&user);
        self.make_room_for(&user);
        self.lead_applets_to(&user);
        self.entries.extend(user.entries);
        Ok(left_out)
    }

    /// What lies in a folder here that is a link there moves to where the link leads.
    fn follow_links_of(&mut self, user: &RootFiles) {
        for (path, entry) in &user.entries {
            let Kind::Link(target) = &entry.kind else { continue };
            if !matches!(self.entries.get(path), Some(Entry { kind: Kind::Folder, .. })) {
                continue;
            }
            let to = RootFiles::where_link_leads(path, target);
            for (rest, entry) in self.take_below(path) {
                let new = format!("{to}/{rest}");
                if !self.entries.contains_key(&new) {
                    self.insert(&new, entry);
                }
            }
        }
    }

    /// Where the user has something else than a folder, nothing lies below.
    fn make_room_for(&mut self, user: &RootFiles) {
        for (path, entry) in &user.entries {
            if !matches!(entry.kind, Kind::Folder) && self.entries.contains_key(path) {
                self.take_below(path);
            }
        }
    }

    /// Removes what lies below a path and returns it, by what comes behind the path.
    fn take_below(&mut self, path: &str) -> BTreeMap<String, Entry> {
        let prefix = format!("{path}/");
        let below = self.entries.extract_if(prefix.clone().., |path, _| path.starts_with(&prefix));
        below.map(|(path, entry)| (path[prefix.len()..].to_owned(), entry)).collect()
    }

    /// Applets of the same name as a program of the user lead to that program, whatever folder a script or PATH looks into first.
    fn lead_applets_to(&mut self, user: &RootFiles) {
        let folders = || PATH.split(':').map(|folder| folder.trim_start_matches('/'));
        for (path, entry) in &mut self.entries {
            let Some((folder, name)) =
                path.rsplit_once('/').filter(|(folder, _)| folders().any(|known| known == *folder))
            else {
                continue;
            };
            let is_applet = matches!(&entry.kind, Kind::Link(target) if target == super::BUSYBOX_LINK);
            let programs = folders().filter(|other| *other != folder).map(|other| format!("{other}/{name}"));
            if let Some(program) = programs.into_iter().find(|program| is_applet && user.has_file(program)) {
                entry.kind = Kind::Link(format!("/{program}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, write};
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    fn guest() -> RootFiles {
        let mut files = RootFiles::default();
        files.add("bin/busybox", Kind::Bytes(Vec::new()), 0o755);
        for applet in ["bin/ls", "bin/sh", "usr/bin/awk", "sbin/init"] {
            files.add(applet, Kind::Link("/bin/busybox".into()), 0o777);
        }
        files.add("etc/passwd", Kind::Bytes(Vec::new()), 0o644);
        files
    }

    fn target(files: &RootFiles, path: &str) -> Option<String> {
        match &files.entries.get(path)?.kind {
            Kind::Link(target) => Some(target.clone()),
            _ => None,
        }
    }

    #[test]
    fn the_users_programs_come_before_the_applets() {
        let host = tempfile::tempdir().expect("folder");
        create_dir_all(host.path().join("usr/bin")).expect("folder");
        write(host.path().join("usr/bin/ls"), "").expect("file");
        symlink("nowhere", host.path().join("usr/bin/sh")).expect("link");
        let mut files = guest();
        assert!(files.take_over(host.path()).expect("taken over").is_empty());
        assert_eq!(target(&files, "bin/ls").as_deref(), Some("/usr/bin/ls"));
        // Nothing is behind that link.
        assert_eq!(target(&files, "bin/sh").as_deref(), Some("/bin/busybox"));
        assert!(files.has_file("/bin/ls") && files.has_file("/usr/bin/awk"));
    }

    #[test]
    fn a_merged_root_takes_the_applets_along() {
        let host = tempfile::tempdir().expect("folder");
        create_dir_all(host.path().join("usr/bin")).expect("folder");
        write(host.path().join("usr/bin/ls"), "user").expect("file");
        symlink("usr/bin", host.path().join("bin")).expect("link");
        let mut files = guest();
        files.take_over(host.path()).expect("taken over");
        assert_eq!(target(&files, "bin").as_deref(), Some("usr/bin"));
        assert!(!files.entries().any(|(path, _)| path.starts_with("bin/")));
        assert!(matches!(files.entries["usr/bin/ls"].kind, Kind::Copy(_)));
        assert!(matches!(files.entries["usr/bin/busybox"].kind, Kind::Bytes(_)));
        // By way of /bin, which leads to usr/bin.
        assert!(files.has_file("/bin/sh") && files.has_file("/sbin/init"));
    }

    #[test]
    fn files_may_stand_where_folders_were() {
        let host = tempfile::tempdir().expect("folder");
        write(host.path().join("etc"), "").expect("file");
        let mut files = guest();
        files.take_over(host.path()).expect("taken over");
        assert!(files.has_file("/etc") && !files.entries().any(|(path, _)| path == "etc/passwd"));
    }

    #[test]
    fn what_an_archive_cannot_hold_is_told() {
        let host = tempfile::tempdir().expect("folder");
        let socket = host.path().join("socket");
        let _listener = UnixListener::bind(&socket).expect("socket");
        assert_eq!(guest().take_over(host.path()).expect("taken over"), [socket]);
    }
}
