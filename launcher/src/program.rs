//! Which program the user means: a file of the host, which goes into the guest, or one that the guest has.

use crate::root_files::RootFiles;
use object::read::elf::{FileHeader, ProgramHeader};
use object::{LittleEndian, elf};
use std::ffi::OsString;
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where the shell of the guest, and most programs, look for others.
pub const PATH: &str = "/bin:/usr/bin:/sbin:/usr/sbin";
/// The home of the guest's user.
pub const HOME: &str = "/root";

/// A program, placed in the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// What the guest is to execute.
    pub path: String,
    /// The folder it starts in.
    pub directory: String,
}

/// Why a program can't be run, with the exit status that a shell gives then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CannotRun {
    pub status: u8,
    message: String,
}

impl fmt::Display for CannotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CannotRun {}

/// Finds the program of this name. A file of the host goes to its own absolute path in the guest, and starts in a folder
/// of the same name as the user's, so that a relative argv\[0\] names it there too. An absolute path that is below `root`, the
/// folder that the user has given for the guest, means the file there.
pub fn find(name: &OsString, files: &mut RootFiles, root: Option<&Path>) -> Result<Program, CannotRun> {
    let host = Path::new(name);
    if name.is_empty() {
        return Err(CannotRun { status: 127, message: "the name of the program is empty".to_owned() });
    }
    let below_root = host.strip_prefix("/").ok().zip(root).map(|(path, root)| root.join(path));
    if host.is_file() && below_root.is_none_or(|file| file.symlink_metadata().is_err()) {
        return from_host(host, files);
    }
    let name = text(host)?;
    let found = if name.contains('/') {
        files.has_file(name)
    } else {
        PATH.split(':').any(|folder| files.has_file(&format!("{folder}/{name}")))
    };
    if !found && host.is_dir() {
        return Err(CannotRun { status: 126, message: format!("{name}: is a folder, not a program") });
    }
    if !found {
        let message = format!("{name}: there is no such file on this machine and no such program in the guest");
        return Err(CannotRun { status: 127, message });
    }
    Ok(Program { path: name.to_owned(), directory: HOME.to_owned() })
}

fn from_host(host: &Path, files: &mut RootFiles) -> Result<Program, CannotRun> {
    let refuse = |message: String| CannotRun { status: 126, message: format!("{}: {message}", host.display()) };
    let unreadable = |error: std::io::Error| refuse(error.to_string());
    let bytes = std::fs::read(host).map_err(unreadable)?;
    if host.metadata().map_err(unreadable)?.permissions().mode() & 0o111 == 0 {
        return Err(refuse("is not executable; `chmod +x` makes it so".to_owned()));
    }
    if let Some(interpreter) = interpreter(&bytes).map_err(refuse)?
        && !files.has_file(&interpreter)
    {
        return Err(refuse(if bytes.starts_with(b"#!") {
            format!("needs {interpreter}, which the guest hasn't got; --root can bring it")
        } else {
            format!(
                "needs {interpreter}, which the guest hasn't got: link the program statically, or give the guest a \
                 root file system that holds it and the libraries by --root"
            )
        }));
    }
    let here = std::env::current_dir().map_err(unreadable)?;
    let path = lexically_absolute(&here, host);
    files.add_folder(text(&here)?);
    let file = host.canonicalize().map_err(unreadable)?;
    files.copy(text(&path)?, &file).map_err(|error| refuse(error.to_string()))?;
    Ok(Program { path: text(&path)?.to_owned(), directory: text(&here)?.to_owned() })
}

fn text(path: &Path) -> Result<&str, CannotRun> {
    let message = || format!("{}: the name is not UTF-8", path.display());
    path.to_str().ok_or_else(|| CannotRun { status: 126, message: message() })
}

/// Without `.` and `..`; links stay.
fn lexically_absolute(here: &Path, path: &Path) -> PathBuf {
    use std::path::Component;
    let mut absolute = PathBuf::from("/");
    for component in here.join(path).components() {
        match component {
            Component::Normal(name) => absolute.push(name),
            Component::ParentDir => drop(absolute.pop()),
            _ => {}
        }
    }
    absolute
}

/// What has to be in the guest for this program to start: the ELF interpreter of a dynamically linked one, or a script's.
fn interpreter(program: &[u8]) -> Result<Option<String>, String> {
    if let Some(rest) = program.strip_prefix(b"#!") {
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let name = line.split_whitespace().next();
        return name.map(|name| Some(name.to_owned())).ok_or_else(|| "names no interpreter after #!".to_owned());
    }
    if !program.starts_with(&elf::ELFMAG) {
        return Err("is neither a Linux program for x86_64 nor a script that begins with #!".to_owned());
    }
    let header = elf_program(program)?;
    let cut_short = || "is cut short: parts that its ELF header tells of are missing".to_owned();
    let headers = header.program_headers(LittleEndian, program).map_err(|_| cut_short())?;
    let mut interpreter = None;
    for header in headers.iter().filter(|header| matches!(header.p_type(LittleEndian), elf::PT_LOAD | elf::PT_INTERP)) {
        header.data(LittleEndian, program).map_err(|()| cut_short())?;
        if let Ok(Some(name)) = header.interpreter(LittleEndian, program) {
            interpreter = Some(String::from_utf8_lossy(name).into_owned());
        }
    }
    Ok(interpreter)
}

/// The header of an ELF file that is a program for this kind of machine; or what else it is.
pub fn elf_program(bytes: &[u8]) -> Result<&elf::FileHeader64<LittleEndian>, String> {
    if !bytes.starts_with(&elf::ELFMAG) {
        return Err("is no ELF file".to_owned());
    }
    if bytes.get(4) == Some(&elf::ELFCLASS32.0) {
        return Err("is a 32-bit program; those for x86_64 can be run".to_owned());
    }
    if bytes.get(5) == Some(&elf::ELFDATA2MSB.0) {
        return Err("is a program for a big-endian processor; those for x86_64 can be run".to_owned());
    }
    let header = elf::FileHeader64::<LittleEndian>::parse(bytes);
    let header = header.map_err(|_| "begins like an ELF file, but its header is cut short or wrong".to_owned())?;
    match (header.e_machine(LittleEndian), header.e_type(LittleEndian)) {
        (elf::EM_X86_64, elf::ET_EXEC | elf::ET_DYN) => Ok(header),
        (elf::EM_X86_64, elf::ET_REL) => Err("is an object file, which has to be linked first".to_owned()),
        (elf::EM_X86_64, _) => Err("is an ELF file, but no program".to_owned()),
        (machine, _) => {
            let name = match machine {
                elf::EM_AARCH64 => "AArch64",
                elf::EM_RISCV => "RISC-V",
                elf::EM_386 => "i386",
                elf::EM_PPC64 => "PowerPC",
                _ => "another processor",
            };
            Err(format!("is a program for {name} (ELF machine {machine}); those for x86_64 can be run"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root_files::Kind;

    fn guest() -> RootFiles {
        let mut files = RootFiles::default();
        files.add("bin/busybox", Kind::Bytes(b"\x7fELF".to_vec()), 0o755);
        files.add("bin/ls", Kind::Link("/bin/busybox".into()), 0o777);
        files
    }

    fn script(text: &str, mode: u32) -> (tempfile::TempDir, OsString) {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("program");
        std::fs::write(&path, text).expect("file");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("mode");
        (folder, path.into())
    }

    #[test]
    fn guest_programs_by_name_and_by_path() {
        let program = find(&"ls".into(), &mut guest(), None).expect("is there");
        assert_eq!(program, Program { path: "ls".into(), directory: HOME.into() });
        let error = find(&"no-such-program".into(), &mut guest(), None).expect_err("isn't there");
        assert_eq!(error.status, 127);
        assert!(error.to_string().starts_with("no-such-program: there is no such file"), "{error}");
    }

    #[test]
    fn host_files_go_to_their_own_place() {
        let (_folder, path) = script("#! /bin/ls -l\n", 0o755);
        let mut files = guest();
        let program = find(&path, &mut files, None).expect("runs");
        assert_eq!(program.path, path.to_str().expect("text"));
        assert!(files.has_file(&program.path));
    }

    #[test]
    fn absolute_paths_mean_the_users_root_folder_first() {
        let (folder, path) = script("#!/bin/ls\n", 0o755);
        let mut files = guest();
        let inside = path.to_str().expect("text").trim_start_matches('/').to_owned();
        let root = tempfile::tempdir().expect("folder");
        std::fs::create_dir_all(root.path().join(&inside).parent().expect("folder")).expect("folder");
        std::fs::write(root.path().join(&inside), "other").expect("file");
        files.add(&inside, Kind::Bytes(b"other".to_vec()), 0o755);
        let program = find(&path, &mut files, Some(root.path())).expect("is there");
        assert_eq!(program.directory, HOME);
        let kept = files.entries().find(|(path, _)| *path == inside).map(|(_, entry)| entry.kind.clone());
        assert!(matches!(kept, Some(Kind::Bytes(bytes)) if bytes == b"other"));
        drop(folder);
    }

    #[test]
    fn what_cannot_run_says_why() {
        let (_folder, path) = script("#!/bin/perl\n", 0o755);
        let error = find(&path, &mut guest(), None).expect_err("no perl");
        assert!(error.to_string().contains("needs /bin/perl, which the guest hasn't got; --root can"), "{error}");
        let (_folder, path) = script("#!/bin/ls\n", 0o644);
        let error = find(&path, &mut guest(), None).expect_err("mode");
        assert!(error.to_string().contains("is not executable"), "{error}");
        let (_folder, path) = script("#! \n", 0o755);
        let error = find(&path, &mut guest(), None).expect_err("no name");
        assert!(error.to_string().contains("names no interpreter"), "{error}");
        let (folder, path) = script("hello\n", 0o755);
        let error = find(&folder.path().into(), &mut guest(), None).expect_err("folder");
        assert!(error.to_string().contains("is a folder") && error.status == 126, "{error}");
        assert!(find(&"".into(), &mut guest(), None).expect_err("no name").to_string().contains("is empty"));
        let error = find(&path, &mut guest(), None).expect_err("text");
        assert!(error.to_string().contains("is neither a Linux program"), "{error}");
        // The test program itself is dynamically linked.
        let own = std::env::current_exe().expect("path").into_os_string();
        let error = find(&own, &mut guest(), None).expect_err("dynamic");
        assert!(error.to_string().contains("link the program statically"), "{error}");
        assert_eq!(error.status, 126);
    }

    #[test]
    fn files_of_other_kinds_say_what_they_are() {
        let own = std::fs::read(std::env::current_exe().expect("path")).expect("program");
        let changed = |at: usize, to: u8| {
            let mut bytes = own[..4096].to_vec();
            bytes[at] = to;
            interpreter(&bytes).expect_err("is refused")
        };
        assert!(changed(4, 1).contains("32-bit"));
        assert!(changed(5, 2).contains("big-endian"));
        assert!(changed(18, 183).contains("AArch64 (ELF machine 183)"));
        assert!(changed(16, 1).contains("object file"));
        assert!(changed(16, 4).contains("no program"));
        // Nothing is changed here, but the rest of the file isn't there.
        assert!(changed(4, 2).contains("cut short"));
        assert!(interpreter(&own[..40]).expect_err("is refused").contains("header is cut short"));
        assert!(interpreter(&own).expect("runs").is_some());
    }

    #[test]
    fn dots_are_resolved_without_links() {
        let path = lexically_absolute(Path::new("/home/me"), Path::new("../you/./bin//x"));
        assert_eq!(path, Path::new("/home/you/bin/x"));
    }
}
