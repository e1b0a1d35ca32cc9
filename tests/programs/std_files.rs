//! Files of Rust's standard library: writing, reading, seeking, metadata, directories, links, errors.
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

fn kind<T>(result: io::Result<T>) -> String {
    match result {
        Ok(_) => "fine".into(),
        Err(error) => format!("{:?}", error.kind()),
    }
}

/// Names below a directory, relative to it, with a mark for their kind.
fn tree(top: &Path) -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let mut open = vec![PathBuf::new()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(top.join(&directory))? {
            let entry = entry?;
            let path = directory.join(entry.file_name());
            let kind = entry.file_type()?;
            let mark = if kind.is_dir() {
                "/"
            } else if kind.is_symlink() {
                "@"
            } else {
                ""
            };
            names.insert(format!("{}{mark}", path.display()));
            if kind.is_dir() {
                open.push(path);
            }
        }
    }
    Ok(names)
}

fn main() -> io::Result<()> {
    let top = PathBuf::from(format!("/tmp/chestnut-files-{}", std::process::id()));
    fs::create_dir(&top)?;
    let path = |name: &str| top.join(name);

    let mut writer = BufWriter::new(File::create(path("lines"))?);
    for i in 0..20_000 {
        writeln!(writer, "line {i}")?;
    }
    writer.into_inner()?.sync_all()?;
    let sum: u64 = BufReader::new(File::open(path("lines"))?)
        .lines()
        .map(|line| line.ok().and_then(|l| l.strip_prefix("line ")?.parse::<u64>().ok()).unwrap_or(0))
        .sum();
    println!("{} bytes, sum {sum}", fs::metadata(path("lines"))?.len());

    let mut file = OpenOptions::new().read(true).write(true).open(path("lines"))?;
    file.seek(SeekFrom::End(-6))?;
    let mut end = String::new();
    file.read_to_string(&mut end)?;
    file.write_all_at(b"LINE", 0)?;
    file.set_len(13)?;
    println!("{end:?}, {:?}", fs::read_to_string(path("lines"))?);
    OpenOptions::new().append(true).open(path("lines"))?.write_all(b"more")?;
    println!("{:?}", fs::read(path("lines"))?.len());

    fs::create_dir_all(path("a/b/c/d"))?;
    fs::write(path("a/b/file"), vec![7; 300_000])?;
    println!("copied {}", fs::copy(path("a/b/file"), path("a/copy"))?);
    assert_eq!(fs::read(path("a/copy"))?, vec![7; 300_000]);
    fs::hard_link(path("a/copy"), path("a/b/c/hard"))?;
    symlink("../copy", path("a/b/soft"))?;
    fs::rename(path("lines"), path("a/b/c/d/moved"))?;
    println!("{:?}", tree(&top)?);
    println!("{} names, target {:?}", fs::metadata(path("a/copy"))?.nlink(), fs::read_link(path("a/b/soft"))?);
    fs::set_permissions(path("a/copy"), fs::Permissions::from_mode(0o640))?;
    println!("{:o}", fs::metadata(path("a/b/soft").canonicalize().unwrap_or(path("a/copy")))?.permissions().mode());

    println!("{}", kind(File::open(path("none"))));
    println!("{}", kind(File::create_new(path("a/copy"))));
    println!("{}", kind(fs::create_dir(path("a"))));
    println!("{}", kind(fs::remove_dir(path("a"))));
    println!("{}", kind(fs::read_dir(path("a/copy")).map(|_| ())));
    println!("{}", kind(fs::read(path("a"))));
    println!("{}", kind(fs::remove_file(path("a/b/soft"))));
    fs::remove_dir_all(&top)?;
    println!("{}", top.exists());
    Ok(())
}
