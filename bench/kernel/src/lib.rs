//! A root task that measures what the kernel's paths cost, seen from user mode.
//!
//! It prints on COM1, for each path, `bench NAME MIN MEDIAN ticks`, and `bench-end` behind the last; then it ends the emulator through the
//! debug-exit port, with 0x10 if all went well. A tick is one of the time-stamp counter: under `-icount shift=0` that is one instruction.
//! What is counted goes from the `syscall` instruction (or the one that faults) to the `sysretq` or `iretq` inclusive; what reading the counter
//! costs is measured in the same run (`overhead`) and subtracted. A path that begins in one thread and ends in another is counted from the
//! first one's `syscall` to the instruction that the other goes on with.
//!
//! How threads are made and what a group has to make things of is that of the kernel's tests (`tests/kernel`): each group of rows runs as one of
//! those does, in a thread of its own, and leaves nothing behind. A group that fails is said (`bench-failed NAME: why`), and the others go on.
#![no_std]

#[cfg(all(feature = "guest", target_os = "none"))]
mod call;
#[cfg(all(feature = "guest", target_os = "none"))]
mod faults;
#[cfg(all(feature = "guest", target_os = "none"))]
mod growth;
#[cfg(all(feature = "guest", target_os = "none"))]
mod mark;
#[cfg(all(feature = "guest", target_os = "none"))]
mod messages;
#[cfg(all(feature = "guest", target_os = "none"))]
mod objects;
#[cfg(all(feature = "guest", target_os = "none"))]
mod places;
#[cfg(all(feature = "guest", target_os = "none"))]
mod report;
#[cfg(all(feature = "guest", target_os = "none"))]
mod shot;

#[cfg(all(feature = "guest", target_os = "none"))]
mod groups {
    use super::*;
    use chestnut_abi::BootInfo;
    use chestnut_kernel_tests::driver::console::{self, Console};
    use chestnut_kernel_tests::driver::{self, Verdict};
    use chestnut_kernel_tests::scene::Scene;
    use core::fmt::Write;

    /// What is measured together.
    type Group = (&'static str, fn(&Scene));

    const GROUPS: &[Group] = &[
        ("overhead", report::overhead),
        ("call", call::rows),
        ("nothing", messages::nothing),
        ("signals", messages::signals),
        ("sends", messages::sends),
        ("handlers", faults::handlers),
        ("interrupts", faults::interrupts),
        ("threads", objects::threads),
        ("capabilities", objects::capabilities),
        ("retype", objects::retype),
        ("pages", objects::pages),
        ("ready", growth::ready),
        ("derived", growth::derived),
        ("queued", growth::queued),
    ];

    /// Measures everything.
    pub fn run(info: &'static BootInfo) -> ! {
        let watchdog = driver::prepare(info);
        let mut failures = 0;
        for (name, group) in GROUPS {
            let verdict = driver::run_test(*group, &watchdog);
            if !matches!(verdict, Verdict::Passed) {
                _ = writeln!(Console, "bench-failed {name}: {verdict}");
                failures += 1;
            }
        }
        mark::all_done();
        _ = writeln!(Console, "bench-end");
        console::exit(failures == 0)
    }
}

#[cfg(all(feature = "guest", target_os = "none"))]
pub use groups::run;
