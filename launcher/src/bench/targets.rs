//! What each row is to reach, and what seL4's kernel takes for the same.

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

/// What is known of a row of the kernel's table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Instructions that seL4's kernel takes: MCS, release, in its fastest configuration, on a Haswell model with FSGSBASE, from
    /// `syscall` to `sysretq`; counted once in the same emulator.
    pub sel4: Option<u64>,
    pub target: Option<u64>,
}

/// Rows by name, or by how it begins with a `.` at the end; seL4's figure and the target, 0 if there is none. The first that fits counts.
const KERNEL: &[(&str, u64, u64)] = &[
    ("call.passive.4w.fpu-client", 227, 137),
    ("reply-recv.passive.4w.fpu-client", 298, 162),
    ("call.passive.4w.fpu-both", 227, 137),
    ("reply-recv.passive.4w.fpu-both", 298, 162),
    ("call.passive.4w.bound", 227, 137),
    ("reply-recv.passive.4w.bound", 298, 162),
    ("call.passive.4w.nested", 227, 137),
    ("reply-recv.passive.4w.nested", 298, 162),
    ("call.passive.4w.tls", 227, 137),
    ("reply-recv.passive.4w.tls", 298, 162),
    ("call.passive.4w.two-level", 0, 200),
    ("reply-recv.passive.4w.two-level", 0, 260),
    ("call.passive.4w.capability", 0, 0),
    ("reply-recv.passive.4w.capability", 0, 0),
    ("call.passive.10w.", 1030, 170),
    ("reply-recv.passive.10w.", 1236, 200),
    ("call.passive.60w.", 0, 0),
    ("reply-recv.passive.60w.", 0, 0),
    ("call.passive.120w.", 0, 0),
    ("reply-recv.passive.120w.", 0, 0),
    ("call.passive.", 217, 125),
    ("reply-recv.passive.", 286, 150),
    // As much more than the plain row as a passive server may cost.
    ("call.active.4w.fpu-both", 0, 192),
    ("reply-recv.active.4w.fpu-both", 0, 232),
    ("call.active.4w.two-level", 0, 255),
    ("reply-recv.active.4w.two-level", 0, 330),
    ("call.active.4w.", 0, 180),
    ("reply-recv.active.4w.", 0, 220),
    ("call.active.0w.", 0, 180),
    ("reply-recv.active.0w.", 0, 220),
    ("send.higher", 888, 250),
    ("send.reply.", 0, 200),
    ("signal.higher", 715, 250),
    ("signal.lower", 457, 120),
    ("fault.vm", 711, 0),
    ("fault-reply.vm", 1319, 0),
    ("fault-round-trip.vm", 2023, 600),
    ("interrupt", 698, 300),
    ("yield.alone", 461, 0),
    ("map.1", 868, 350),
    ("protect.1", 0, 350),
    ("unmap.1", 0, 350),
    ("copy.capability", 0, 250),
    ("delete.mapped-frame", 0, 350),
    ("read-registers", 0, 400),
    ("write-registers", 0, 400),
    ("retype.frame.1", 1104, 0),
];

/// Of a row of the kernel's table.
pub fn known(name: &str) -> Known {
    let fits = |pattern: &str| name == pattern || (pattern.ends_with('.') && name.starts_with(pattern));
    let number = |number: u64| (number > 0).then_some(number);
    let found = KERNEL.iter().find(|(pattern, _, _)| fits(pattern));
    found.map_or(Known::default(), |(_, sel4, target)| Known { sel4: number(*sel4), target: number(*target) })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_entry_counts() {
        assert_eq!(known("call.passive.4w.other-as"), Known { sel4: Some(217), target: Some(125) });
        assert_eq!(known("call.passive.10w.other-as"), Known { sel4: Some(1030), target: Some(170) });
        assert_eq!(known("call.passive.120w.other-as"), Known::default());
        assert_eq!(known("map.1"), Known { sel4: Some(868), target: Some(350) });
        assert_eq!(known("map.100"), Known::default());
        assert_eq!(of("stat"), Target::Share(80));
        assert_eq!(Target::Share(80).is_met(80, Some(100)), Some(true));
        assert_eq!(Target::Share(80).is_met(81, Some(100)), Some(false));
        assert_eq!(Target::Share(80).is_met(1, None), None);
    }
}
