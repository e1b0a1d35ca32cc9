//! /proc/PID/fdinfo: what is open, at which offset, with which flags.

use super::process::owner;
use super::{Proc, first_number, number_of};
use crate::process::Process;
use crate::server::Server;
use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::inode::{Directory, FIRST_COOKIE, Inode, Kind, Listed};
use chestnut_linux_files::{Errno, Result};

/// Inode numbers behind those of a process's descriptors and threads.
const NUMBERS: u64 = 3 << 18;

/// The directory.
pub fn information(proc: &Proc, number: u64, process: &Rc<Process>) -> Rc<Inode> {
    proc.directory(number, owner(process), Folder { proc: proc.clone(), pid: process.pid })
}

struct Folder {
    proc: Proc,
    pid: u32,
}

impl Directory for Folder {
    fn lookup(&self, name: &[u8]) -> Result<Rc<Inode>> {
        let number = number_of(name).ok_or(Errno::ENOENT)?;
        let process = self.proc.live(self.pid)?;
        process.descriptors().borrow().get(number as i32).map_err(|_| Errno::ENOENT)?;
        let (proc, pid) = (self.proc.clone(), self.pid);
        let inode = first_number(pid) + NUMBERS + u64::from(number);
        Ok(self.proc.file(inode, 0o400, owner(&process), move || text(proc.server, &*proc.live(pid)?, number)))
    }

    fn list(&self, after: u64, emit: &mut dyn FnMut(&Listed<'_>) -> bool) -> Result<()> {
        let process = self.proc.live(self.pid)?;
        let numbers: Vec<i32> = process.descriptors().borrow().iter().map(|(number, _)| number).collect();
        for number in numbers {
            let cookie = FIRST_COOKIE + number as u64;
            let name = format!("{number}");
            let inode = first_number(self.pid) + NUMBERS + number as u64;
            if cookie > after && !emit(&Listed { name: name.as_bytes(), number: inode, kind: Kind::Regular, cookie }) {
                break;
            }
        }
        Ok(())
    }
}

fn text(server: &Server, process: &Process, number: u32) -> Result<Vec<u8>> {
    /// O_CLOEXEC is a descriptor's, and shown here nevertheless.
    const CLOSE_ON_EXEC: u32 = 0o2000000;
    let descriptors = process.descriptors();
    let (file, closes) = {
        let descriptors = descriptors.borrow();
        let file = descriptors.get(number as i32).cloned().map_err(|_| Errno::ENOENT)?;
        (file, descriptors.entry(number as i32).is_ok_and(|entry| entry.close_on_exec))
    };
    let flags = file.flags().bits() | if closes { CLOSE_ON_EXEC } else { 0 };
    let metadata = file.inode().metadata();
    let mount = super::system::mount_of(server, metadata.device);
    let mut text =
        format!("pos:\t{}\nflags:\t0{flags:o}\nmnt_id:\t{mount}\nino:\t{}\n", file.offset(), metadata.number);
    if let Ok(process) = server.process_of_file(&file) {
        let pid = if process.is_zombie() { -1 } else { process.pid as i32 };
        text.push_str(&format!("Pid:\t{pid}\nNSpid:\t{pid}\n"));
    }
    Ok(text.into_bytes())
}
