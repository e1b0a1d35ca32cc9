//! From number to handler. Tracing and the log take their names from here, documentation its list of what works.

use super::{
    Call, Outcome, attributes, capabilities, directories, epoll, files, foreign, futex, futex_more, identity, inotify,
    ioprio, locking, locks, memfd, memory, message_queues, messages, mounts, named_queues, poll, processes, read_write,
    scheduling, seccomp, semaphores, shared_memory, sharing, signals, sockets, status, syslog, system, terminals, time,
    timerfd, timers, transfer,
};

use chestnut_linux_trampoline::pages::SYSCALLS;

/// What answers a call.
pub type Handler = fn(&Call) -> Outcome;

/// The handler of a number: if there is none for it, what says so.
#[inline]
pub fn handler(number: u64) -> Handler {
    HANDLERS.get(number as usize).copied().unwrap_or(missing)
}

/// The name of a number that has a handler.
pub fn name(number: u64) -> Option<&'static str> {
    NAMES.get(number as usize).copied().flatten()
}

fn missing(call: &Call) -> Outcome {
    call.server.missing(call)
}

macro_rules! calls {
    ($($number:literal $name:ident => $family:ident :: $handler:ident;)*) => {
        /// All numbers that have a handler, ascending.
        pub const NUMBERS: &[u64] = &[$($number),*];

        static HANDLERS: [Handler; SYSCALLS] = {
            let mut handlers: [Handler; SYSCALLS] = [missing; SYSCALLS];
            $(handlers[$number] = |call| $family::$handler(call).into();)*
            handlers
        };

        static NAMES: [Option<&str>; SYSCALLS] = {
            let mut names = [None; SYSCALLS];
            $(names[$number] = Some(stringify!($name));)*
            names
        };
    };
}

calls! {
    0 read => read_write::read;
    1 write => read_write::write;
    2 open => files::open;
    3 close => files::close;
    4 stat => status::stat;
    5 fstat => status::fstat;
    6 lstat => status::lstat;
    7 poll => poll::poll;
    8 lseek => files::lseek;
    9 mmap => memory::mmap;
    10 mprotect => memory::mprotect;
    11 munmap => memory::munmap;
    12 brk => memory::brk;
    13 rt_sigaction => signals::rt_sigaction;
    14 rt_sigprocmask => signals::rt_sigprocmask;
    15 rt_sigreturn => signals::rt_sigreturn;
    16 ioctl => terminals::ioctl;
    17 pread64 => read_write::pread64;
    18 pwrite64 => read_write::pwrite64;
    19 readv => read_write::readv;
    20 writev => read_write::writev;
    21 access => status::access;
    22 pipe => files::pipe;
    23 select => poll::select;
    24 sched_yield => time::sched_yield;
    25 mremap => memory::mremap;
    26 msync => memory::msync;
    27 mincore => memory::mincore;
    28 madvise => memory::madvise;
    29 shmget => shared_memory::shmget;
    30 shmat => shared_memory::shmat;
    31 shmctl => shared_memory::shmctl;
    32 dup => files::dup;
    33 dup2 => files::dup2;
    34 pause => signals::pause;
    35 nanosleep => time::nanosleep;
    36 getitimer => timers::getitimer;
    37 alarm => timers::alarm;
    38 setitimer => timers::setitimer;
    39 getpid => identity::getpid;
    40 sendfile => transfer::sendfile;
    41 socket => sockets::socket;
    42 connect => sockets::connect;
    43 accept => sockets::accept;
    44 sendto => messages::sendto;
    45 recvfrom => messages::recvfrom;
    46 sendmsg => messages::sendmsg;
    47 recvmsg => messages::recvmsg;
    48 shutdown => sockets::shutdown;
    49 bind => sockets::bind;
    50 listen => sockets::listen;
    51 getsockname => sockets::getsockname;
    52 getpeername => sockets::getpeername;
    53 socketpair => sockets::socketpair;
    54 setsockopt => sockets::setsockopt;
    55 getsockopt => sockets::getsockopt;
    56 clone => processes::clone;
    57 fork => processes::fork;
    58 vfork => processes::vfork;
    59 execve => processes::execve;
    60 exit => processes::exit;
    61 wait4 => processes::wait4;
    62 kill => signals::kill;
    63 uname => system::uname;
    64 semget => semaphores::semget;
    65 semop => semaphores::semop;
    66 semctl => semaphores::semctl;
    67 shmdt => shared_memory::shmdt;
    68 msgget => message_queues::msgget;
    69 msgsnd => message_queues::msgsnd;
    70 msgrcv => message_queues::msgrcv;
    71 msgctl => message_queues::msgctl;
    72 fcntl => files::fcntl;
    73 flock => locks::flock;
    74 fsync => files::fsync;
    75 fdatasync => files::fsync;
    76 truncate => files::truncate;
    77 ftruncate => files::ftruncate;
    78 getdents => directories::getdents;
    79 getcwd => directories::getcwd;
    80 chdir => directories::chdir;
    81 fchdir => directories::fchdir;
    82 rename => directories::rename;
    83 mkdir => directories::mkdir;
    84 rmdir => directories::rmdir;
    85 creat => files::creat;
    86 link => directories::link;
    87 unlink => directories::unlink;
    88 symlink => directories::symlink;
    89 readlink => directories::readlink;
    90 chmod => status::chmod;
    91 fchmod => status::fchmod;
    92 chown => status::chown;
    93 fchown => status::fchown;
    94 lchown => status::lchown;
    95 umask => directories::umask;
    96 gettimeofday => time::gettimeofday;
    97 getrlimit => system::getrlimit;
    98 getrusage => time::getrusage;
    99 sysinfo => system::sysinfo;
    100 times => time::times;
    101 ptrace => foreign::ptrace;
    102 getuid => identity::getuid;
    103 syslog => syslog::syslog;
    104 getgid => identity::getgid;
    105 setuid => identity::setuid;
    106 setgid => identity::setgid;
    107 geteuid => identity::geteuid;
    108 getegid => identity::getegid;
    109 setpgid => processes::setpgid;
    110 getppid => identity::getppid;
    111 getpgrp => processes::getpgrp;
    112 setsid => processes::setsid;
    113 setreuid => identity::setreuid;
    114 setregid => identity::setregid;
    115 getgroups => identity::getgroups;
    116 setgroups => identity::setgroups;
    117 setresuid => identity::setresuid;
    118 getresuid => identity::getresuid;
    119 setresgid => identity::setresgid;
    120 getresgid => identity::getresgid;
    121 getpgid => processes::getpgid;
    122 setfsuid => identity::setfsuid;
    123 setfsgid => identity::setfsgid;
    124 getsid => processes::getsid;
    125 capget => capabilities::capget;
    126 capset => capabilities::capset;
    127 rt_sigpending => signals::rt_sigpending;
    128 rt_sigtimedwait => signals::rt_sigtimedwait;
    129 rt_sigqueueinfo => signals::rt_sigqueueinfo;
    130 rt_sigsuspend => signals::rt_sigsuspend;
    131 sigaltstack => signals::sigaltstack;
    132 utime => status::utime;
    133 mknod => directories::mknod;
    135 personality => system::personality;
    137 statfs => status::statfs;
    138 fstatfs => status::fstatfs;
    140 getpriority => scheduling::getpriority;
    141 setpriority => scheduling::setpriority;
    142 sched_setparam => scheduling::sched_setparam;
    143 sched_getparam => scheduling::sched_getparam;
    144 sched_setscheduler => scheduling::sched_setscheduler;
    145 sched_getscheduler => scheduling::sched_getscheduler;
    146 sched_get_priority_max => scheduling::sched_get_priority_max;
    147 sched_get_priority_min => scheduling::sched_get_priority_min;
    148 sched_rr_get_interval => scheduling::sched_rr_get_interval;
    149 mlock => locking::mlock;
    150 munlock => locking::munlock;
    151 mlockall => locking::mlockall;
    152 munlockall => locking::munlockall;
    155 pivot_root => mounts::pivot_root;
    157 prctl => system::prctl;
    158 arch_prctl => system::arch_prctl;
    159 adjtimex => time::adjtimex;
    160 setrlimit => system::setrlimit;
    161 chroot => directories::chroot;
    162 sync => files::sync;
    164 settimeofday => time::settimeofday;
    165 mount => mounts::mount;
    166 umount2 => mounts::umount2;
    169 reboot => system::reboot;
    170 sethostname => system::sethostname;
    171 setdomainname => system::setdomainname;
    186 gettid => identity::gettid;
    187 readahead => files::readahead;
    188 setxattr => attributes::setxattr;
    189 lsetxattr => attributes::lsetxattr;
    190 fsetxattr => attributes::fsetxattr;
    191 getxattr => attributes::getxattr;
    192 lgetxattr => attributes::lgetxattr;
    193 fgetxattr => attributes::fgetxattr;
    194 listxattr => attributes::listxattr;
    195 llistxattr => attributes::llistxattr;
    196 flistxattr => attributes::flistxattr;
    197 removexattr => attributes::removexattr;
    198 lremovexattr => attributes::lremovexattr;
    199 fremovexattr => attributes::fremovexattr;
    200 tkill => signals::tkill;
    201 time => time::time;
    202 futex => futex::futex;
    203 sched_setaffinity => scheduling::sched_setaffinity;
    204 sched_getaffinity => scheduling::sched_getaffinity;
    213 epoll_create => epoll::epoll_create;
    217 getdents64 => directories::getdents64;
    218 set_tid_address => processes::set_tid_address;
    220 semtimedop => semaphores::semtimedop;
    221 fadvise64 => files::fadvise64;
    222 timer_create => timers::timer_create;
    223 timer_settime => timers::timer_settime;
    224 timer_gettime => timers::timer_gettime;
    225 timer_getoverrun => timers::timer_getoverrun;
    226 timer_delete => timers::timer_delete;
    227 clock_settime => time::clock_settime;
    228 clock_gettime => time::clock_gettime;
    229 clock_getres => time::clock_getres;
    230 clock_nanosleep => time::clock_nanosleep;
    231 exit_group => processes::exit_group;
    232 epoll_wait => epoll::epoll_wait;
    233 epoll_ctl => epoll::epoll_ctl;
    234 tgkill => signals::tgkill;
    235 utimes => status::utimes;
    240 mq_open => named_queues::mq_open;
    241 mq_unlink => named_queues::mq_unlink;
    242 mq_timedsend => named_queues::mq_timedsend;
    243 mq_timedreceive => named_queues::mq_timedreceive;
    244 mq_notify => named_queues::mq_notify;
    245 mq_getsetattr => named_queues::mq_getsetattr;
    247 waitid => processes::waitid;
    251 ioprio_set => ioprio::ioprio_set;
    252 ioprio_get => ioprio::ioprio_get;
    253 inotify_init => inotify::inotify_init;
    254 inotify_add_watch => inotify::inotify_add_watch;
    255 inotify_rm_watch => inotify::inotify_rm_watch;
    257 openat => files::openat;
    258 mkdirat => directories::mkdirat;
    259 mknodat => directories::mknodat;
    260 fchownat => status::fchownat;
    261 futimesat => status::futimesat;
    262 newfstatat => status::newfstatat;
    263 unlinkat => directories::unlinkat;
    264 renameat => directories::renameat;
    265 linkat => directories::linkat;
    266 symlinkat => directories::symlinkat;
    267 readlinkat => directories::readlinkat;
    268 fchmodat => status::fchmodat;
    269 faccessat => status::faccessat;
    270 pselect6 => poll::pselect6;
    271 ppoll => poll::ppoll;
    272 unshare => sharing::unshare;
    273 set_robust_list => processes::set_robust_list;
    274 get_robust_list => processes::get_robust_list;
    275 splice => transfer::splice;
    276 tee => transfer::tee;
    277 sync_file_range => files::sync_file_range;
    278 vmsplice => transfer::vmsplice;
    280 utimensat => status::utimensat;
    281 epoll_pwait => epoll::epoll_pwait;
    282 signalfd => signals::signalfd;
    283 timerfd_create => timerfd::timerfd_create;
    284 eventfd => files::eventfd;
    285 fallocate => files::fallocate;
    286 timerfd_settime => timerfd::timerfd_settime;
    287 timerfd_gettime => timerfd::timerfd_gettime;
    288 accept4 => sockets::accept4;
    289 signalfd4 => signals::signalfd4;
    290 eventfd2 => files::eventfd2;
    291 epoll_create1 => epoll::epoll_create1;
    292 dup3 => files::dup3;
    293 pipe2 => files::pipe2;
    294 inotify_init1 => inotify::inotify_init1;
    295 preadv => read_write::preadv;
    296 pwritev => read_write::pwritev;
    297 rt_tgsigqueueinfo => signals::rt_tgsigqueueinfo;
    299 recvmmsg => messages::recvmmsg;
    302 prlimit64 => system::prlimit64;
    303 name_to_handle_at => files::name_to_handle_at;
    304 open_by_handle_at => files::open_by_handle_at;
    305 clock_adjtime => time::clock_adjtime;
    306 syncfs => files::syncfs;
    307 sendmmsg => messages::sendmmsg;
    308 setns => sharing::setns;
    309 getcpu => system::getcpu;
    310 process_vm_readv => foreign::process_vm_readv;
    311 process_vm_writev => foreign::process_vm_writev;
    312 kcmp => foreign::kcmp;
    314 sched_setattr => scheduling::sched_setattr;
    315 sched_getattr => scheduling::sched_getattr;
    316 renameat2 => directories::renameat2;
    317 seccomp => seccomp::seccomp;
    318 getrandom => system::getrandom;
    319 memfd_create => memfd::memfd_create;
    322 execveat => processes::execveat;
    324 membarrier => memory::membarrier;
    325 mlock2 => locking::mlock2;
    326 copy_file_range => transfer::copy_file_range;
    327 preadv2 => read_write::preadv2;
    328 pwritev2 => read_write::pwritev2;
    332 statx => status::statx;
    424 pidfd_send_signal => foreign::pidfd_send_signal;
    434 pidfd_open => foreign::pidfd_open;
    435 clone3 => processes::clone3;
    436 close_range => files::close_range;
    437 openat2 => files::openat2;
    438 pidfd_getfd => foreign::pidfd_getfd;
    439 faccessat2 => status::faccessat2;
    440 process_madvise => memory::process_madvise;
    441 epoll_pwait2 => epoll::epoll_pwait2;
    449 futex_waitv => futex_more::futex_waitv;
    452 fchmodat2 => status::fchmodat2;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscall::names;
    use std::vec::Vec;

    #[test]
    fn numbers_ascend_and_names_are_known() {
        assert!(NUMBERS.is_sorted());
        assert_eq!(name(0), Some("read"));
        assert_eq!(name(59), Some("execve"));
        assert_eq!(names::of(101), Some("ptrace"));
        assert_eq!(names::of(231), Some("exit_group"));
        assert_eq!(names::of(400), None);
        let both: Vec<_> = NUMBERS.iter().filter(|&&number| names::is_missing(number)).collect();
        assert!(both.is_empty(), "listed as missing: {both:?}");
    }

    /// Rows of docs/linux.md: number and name.
    fn documented() -> Vec<(u64, &'static str)> {
        let rows = include_str!("../../../../../docs/linux.md").lines();
        let row = |line: &'static str| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            Some((cells.next()?.parse().ok()?, cells.next()?))
        };
        rows.filter_map(row).collect()
    }

    #[test]
    fn the_documentation_lists_what_works() {
        let mut documented = documented();
        documented.sort_unstable();
        let known: Vec<(u64, &str)> = NUMBERS.iter().filter_map(|&number| Some((number, name(number)?))).collect();
        let undocumented: Vec<_> = known.iter().filter(|row| !documented.contains(row)).collect();
        assert!(undocumented.is_empty(), "docs/linux.md has no row for {undocumented:?}");
        let gone: Vec<_> = documented.iter().filter(|row| !known.contains(row)).collect();
        assert!(gone.is_empty(), "docs/linux.md has rows for calls that there aren't: {gone:?}");
        assert_eq!(documented.len(), known.len(), "a call has two rows in docs/linux.md");
    }
}
