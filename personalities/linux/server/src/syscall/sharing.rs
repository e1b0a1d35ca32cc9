//! unshare(2) and setns(2): what a thread no longer shares with others. There are no namespaces, as on a Linux built without them.

use super::Call;
use alloc::rc::Rc;
use chestnut_linux_files::{Errno, Result};
use linux_raw_sys::general as linux;

/// unshare(flags): descriptors become the process's own. Directories and masks belong to a process and not to its threads, so only
/// the threads of one process could part there, and may not.
pub fn unshare(call: &Call) -> Result<u64> {
    let flags = call.half(0);
    let alone = call.process().threads.borrow().len() == 1;
    let of_threads = linux::CLONE_THREAD | linux::CLONE_SIGHAND | linux::CLONE_VM | linux::CLONE_FS;
    let known = of_threads | linux::CLONE_FILES | linux::CLONE_SYSVSEM;
    if flags & !known != 0 || flags & of_threads != 0 && !alone {
        return Err(Errno::EINVAL);
    }
    if flags & linux::CLONE_SYSVSEM != 0 && alone {
        // What its semaphore operations have to be undone for is undone now.
        call.server.ipc.semaphores.borrow().process_ended(call.process().pid, call.now());
    }
    if flags & linux::CLONE_FILES != 0 && alone {
        let files = call.process().descriptors();
        // The process's own and ours: nobody else's.
        if Rc::strong_count(&files) > 2 {
            call.process().separate_descriptors();
        }
    } else if flags & linux::CLONE_FILES != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(0)
}

/// setns(fd, kind): nothing that can be opened is a namespace.
pub fn setns(call: &Call) -> Result<u64> {
    call.file(0)?;
    Err(Errno::EINVAL)
}
