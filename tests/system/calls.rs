//! What distinguishes the kernel's builds: the debug build has the debug system calls, the benchmark build the two that read and write registers of
//! the processor, the release build neither. The root task (`tests/kernel/src/calls.rs`) tries the numbers, and tests those that are there.

use crate::kernel::images;
use crate::shared::{Shared, explain, workspace};
use chestnut::boot::run_alone;
use chestnut::compile::{self, Variant};
use chestnut::machine::Settings;
use chestnut_abi::Syscall;
use libtest_mimic::Trial;
use std::time::Duration;

/// Built beside the root task with the kernel's tests.
pub const PROGRAM: &str = "chestnut-kernel-calls";
/// The value that it ends the emulator with if all its tests passed.
const PASSED: u8 = 0x10;
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Each build with the calls that it has beside the native ones, lowest number first. `DebugHalt` isn't tried: it would end the machine.
const BUILDS: [(&str, Variant, &[Syscall]); 3] = [
    ("release", Variant::Release, &[]),
    ("bench", Variant::Bench, &[Syscall::X86DangerousRdmsr, Syscall::X86DangerousWrmsr]),
    (
        "debug",
        Variant::Debug,
        &[
            Syscall::DebugNameThread,
            Syscall::DebugSnapshot,
            Syscall::DebugCapIdentify,
            Syscall::DebugDumpScheduler,
            Syscall::DebugPutChar,
        ],
    ),
];

pub fn trials() -> Vec<Trial> {
    let trial = |(name, variant, calls)| {
        Trial::test(format!("kernel::calls::{name}"), move || Ok(knows_these(variant, calls)?))
    };
    BUILDS.into_iter().map(trial).collect()
}

fn knows_these(variant: Variant, calls: &[Syscall]) -> Shared<()> {
    let program = images()?.1.with_file_name(PROGRAM);
    let kernel = compile::kernel(&workspace()?, variant).map_err(explain)?;
    let settings = Settings { cpu: "max".to_owned(), icount: true, ..Settings::default() };
    let transcript = run_alone(&settings, &kernel, &program, TIME_LIMIT).map_err(explain)?;
    let output = &transcript.output;
    let known =
        output.lines().find_map(|line| line.strip_prefix("known:")).ok_or(format!("nothing known:\n{output}"))?;
    let wanted: String = calls.iter().map(|call| format!(" {}", *call as i64)).collect();
    if known != wanted {
        return Err(format!("the kernel knows{known}, and should{wanted}"));
    }
    match transcript.end {
        Ok(PASSED) if output.lines().last() == Some("done") => Ok(()),
        Ok(value) => Err(format!("the root task ended with status {value}:\n{output}")),
        Err(why) => Err(format!("{why}\n{output}")),
    }
}
