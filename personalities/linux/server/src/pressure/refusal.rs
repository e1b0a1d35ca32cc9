//! Which calls fail while memory is scarce, for those who hold much of it.
//!
//! These are the calls that make the server keep something for the program. Each fails as its manual page says for want of kernel memory or of
//! open files. Calls that give back, look, wait, or end are never among them: so the program can go on with what it has.

use crate::server::Server;
use crate::syscall::Call;
use chestnut_linux_files::Errno;
use chestnut_linux_files::open::OpenFile;
use linux_raw_sys::general as linux;

/// How a call fails that makes the server keep more, whatever its arguments are; `None` for others.
fn of_call(number: u32) -> Option<Errno> {
    Some(match number {
        linux::__NR_open
        | linux::__NR_openat
        | linux::__NR_openat2
        | linux::__NR_creat
        | linux::__NR_pipe
        | linux::__NR_pipe2
        | linux::__NR_socket
        | linux::__NR_socketpair
        | linux::__NR_accept
        | linux::__NR_accept4
        | linux::__NR_eventfd
        | linux::__NR_eventfd2
        | linux::__NR_timerfd_create
        | linux::__NR_signalfd
        | linux::__NR_signalfd4
        | linux::__NR_epoll_create
        | linux::__NR_epoll_create1
        | linux::__NR_inotify_init
        | linux::__NR_inotify_init1
        | linux::__NR_memfd_create
        | linux::__NR_pidfd_open => Errno::ENFILE,
        linux::__NR_fork | linux::__NR_vfork | linux::__NR_clone | linux::__NR_clone3 => Errno::ENOMEM,
        linux::__NR_timer_create | linux::__NR_rt_sigqueueinfo | linux::__NR_rt_tgsigqueueinfo => Errno::EAGAIN,
        linux::__NR_mmap
        | linux::__NR_mremap
        | linux::__NR_mprotect
        | linux::__NR_epoll_ctl
        | linux::__NR_inotify_add_watch => Errno::ENOMEM,
        _ => return None,
    })
}

/// How a call fails that puts bytes into a file, if that has to take memory for them; and which argument the file is.
fn of_transfer(number: u32) -> Option<(usize, Errno)> {
    Some(match number {
        linux::__NR_write | linux::__NR_writev | linux::__NR_vmsplice => (0, Errno::ENOMEM),
        linux::__NR_sendfile => (0, Errno::ENOMEM),
        linux::__NR_tee => (1, Errno::ENOMEM),
        linux::__NR_splice => (2, Errno::ENOMEM),
        linux::__NR_sendto | linux::__NR_sendmsg | linux::__NR_sendmmsg => (0, Errno::ENOBUFS),
        _ => return None,
    })
}

/// Would a write make the server keep more?
fn takes_memory(file: &OpenFile) -> bool {
    match file.pipe() {
        Some(pipe) => pipe.grows(),
        None => file.inode().contents().is_none() && file.waiters().is_some() && file.terminal().is_none(),
    }
}

/// Record locks; duplicates cost no more than a place.
fn is_lock(call: &Call) -> bool {
    matches!(call.half(1), linux::F_SETLK | linux::F_SETLKW | linux::F_OFD_SETLK | linux::F_OFD_SETLKW)
}

impl Server {
    /// How a call fails, now that memory is scarce; `None` if it may go on.
    pub fn refusal(&self, call: &Call) -> Option<Errno> {
        let number = u32::try_from(call.number).ok()?;
        let error = match (of_call(number), of_transfer(number)) {
            (Some(error), _) => error,
            (_, Some((argument, error))) => {
                let file = call.file(argument).ok()?;
                if !takes_memory(&file) {
                    return None;
                }
                if file.socket().is_ok() { Errno::ENOBUFS } else { error }
            }
            _ if number == linux::__NR_fcntl && is_lock(call) => Errno::ENOLCK,
            _ => return None,
        };
        self.holds_much(call.process()).then_some(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gives_back_or_ends_is_never_refused() {
        for number in [
            linux::__NR_close,
            linux::__NR_munmap,
            linux::__NR_exit_group,
            linux::__NR_read,
            linux::__NR_wait4,
            linux::__NR_kill,
            linux::__NR_brk,
            linux::__NR_execve,
        ] {
            assert!(of_call(number).is_none() && of_transfer(number).is_none(), "{number}");
        }
        assert_eq!(of_call(linux::__NR_pipe2), Some(Errno::ENFILE));
    }
}
