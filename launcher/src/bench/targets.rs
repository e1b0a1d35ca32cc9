//! What each row is to reach.

/// At most so much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// Instructions.
    Instructions(u64),
    /// Of what Debian's kernel takes, in hundredths.
    Share(u64),
}

/// The rows that have a target of their own; all others must not cost more than on Debian's kernel.
const TARGETS: &[(&[&str], Target)] = &[
    (&["getpid"], Target::Instructions(60)),
    (&["lseek"], Target::Instructions(480)),
    (&["dup-close"], Target::Instructions(960)),
    (
        &[
            "pipe-round-trip",
            "unix-round-trip",
            "unix-datagram-round-trip",
            "futex-round-trip",
            "futex-shared-round-trip",
        ],
        Target::Share(50),
    ),
    (
        &[
            "fork-exit-wait",
            "fork-exec-wait",
            "vfork-exit-wait",
            "vfork-exec-wait",
            "thread-create-join",
            "fault-anonymous",
            "fault-zero",
            "fault-file",
            "fault-file-write",
            "fault-copy-on-write",
            "mmap-touch-munmap",
            "mmap-file-touch-munmap",
        ],
        Target::Share(90),
    ),
    (
        &[
            "stat",
            "stat-missing",
            "fstat",
            "open-close",
            "getdents-100",
            "file-create",
            "file-write-new",
            "file-write",
            "file-read",
            "file-delete",
            "file-life",
            "signal-deliver",
            "signal-trap",
            "poll-100",
            "epoll-100",
        ],
        Target::Share(80),
    ),
];

/// The target of a row of the Linux table.
pub fn of(name: &str) -> Target {
    let found = TARGETS.iter().find(|(names, _)| names.contains(&name));
    found.map_or(Target::Share(100), |(_, target)| *target)
}

impl Target {
    /// `None` if there is nothing to compare with.
    pub fn is_met(self, cost: u64, peer: Option<u64>) -> Option<bool> {
        match self {
            Target::Instructions(most) => Some(cost <= most),
            Target::Share(hundredths) => peer.map(|peer| cost * 100 <= peer * hundredths),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Instructions(most) => write!(f, "≤ {most}"),
            Target::Share(hundredths) => write!(f, "≤ {:.1}×", *hundredths as f64 / 100.0),
        }
    }
}
