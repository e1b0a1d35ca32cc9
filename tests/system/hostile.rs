//! Hostile threads: ten million random system calls by threads that hold small objects of their own, and by threads that hold all that a root task is
//! given but the ports. The kernel lives if the witness beside them ends the emulator; what it looks at is in `tests/kernel/src/hostile`.
//!
//! Every call follows from the seed: time advances by instructions. `CHESTNUT_HOSTILE_SEED=n` plays another seed, `CHESTNUT_HOSTILE_CALLS=n` makes more
//! calls or fewer.

use crate::kernel::images;
use crate::shared::{Shared, explain, while_doing};
use chestnut::boot::run_alone;
use chestnut::machine::{MemorySize, Settings};
use libtest_mimic::Trial;
use object::{Object, ObjectSegment, ObjectSymbol};
use std::time::Duration;

const CALLS: u64 = 10_000_000;
const SEED: u64 = 20_251_121;
/// The value that the root task ends the emulator with if nobody was harmed.
const UNHARMED: u8 = 0x10;
/// One run takes a minute and a half on a core of its own.
const TIME_LIMIT: Duration = Duration::from_secs(900);
/// Built beside the root task with the kernel's tests.
const PROGRAM: &str = "chestnut-kernel-hostile";
/// Its variable with the settings: a mark, the number of calls, the seed, whether they hold everything.
const SETTINGS: &str = "HOSTILE_SETTINGS";

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, cpu, everything| {
        Trial::test(format!("kernel::hostile::{name}"), move || Ok(play(cpu, everything)?))
    };
    vec![
        trial("threads_that_hold_their_own_objects", "qemu64", false),
        trial("threads_that_hold_everything_but_ports", "max", true),
    ]
}

fn number(variable: &str, default: u64) -> Shared<u64> {
    match std::env::var(variable) {
        Ok(text) => while_doing(variable, text.parse()),
        Err(_) => Ok(default),
    }
}

fn play(cpu: &str, everything: bool) -> Shared<()> {
    let (calls, seed) = (number("CHESTNUT_HOSTILE_CALLS", CALLS)?, number("CHESTNUT_HOSTILE_SEED", SEED)?);
    let (kernel, tests) = images()?;
    let mut program = while_doing("reading the program", std::fs::read(tests.with_file_name(PROGRAM)))?;
    set(&mut program, &[calls, seed, u64::from(everything)])?;
    let file = while_doing("making a file", tempfile::NamedTempFile::new())?;
    while_doing("writing the program", std::fs::write(file.path(), program))?;
    let settings = Settings { cpu: cpu.to_owned(), memory: MemorySize(24), icount: true, ..Settings::default() };
    let transcript = run_alone(&settings, &kernel, file.path(), TIME_LIMIT).map_err(explain)?;
    let lines: Vec<&str> = transcript.output.lines().collect();
    let end = lines[lines.len().saturating_sub(90)..].join("\n");
    match transcript.end {
        Ok(UNHARMED) if lines.last() == Some(&"done") => Ok(()),
        Ok(value) => Err(format!("seed {seed}: the root task ended with status {value}; its last lines:\n{end}")),
        Err(why) => Err(format!("seed {seed}: {why}\n{end}")),
    }
}

/// Writes the settings behind their mark.
fn set(program: &mut [u8], settings: &[u64; 3]) -> Shared<()> {
    let offset = {
        let file = while_doing("reading the program", object::File::parse(&*program))?;
        let symbol = file.symbols().find(|symbol| symbol.name() == Ok(SETTINGS)).ok_or("no settings in the program")?;
        let holds = |segment: &object::Segment<'_, '_>| {
            (segment.address()..segment.address() + segment.size()).contains(&symbol.address())
        };
        let segment = file.segments().find(holds).ok_or("settings outside of the program")?;
        (segment.file_range().0 + symbol.address() - segment.address()) as usize
    };
    let bytes: Vec<u8> = settings.iter().flat_map(|value| value.to_le_bytes()).collect();
    let place = program.get_mut(offset + 8..offset + 8 + bytes.len()).ok_or("settings outside of the file")?;
    place.copy_from_slice(&bytes);
    Ok(())
}
