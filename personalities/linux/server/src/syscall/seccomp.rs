//! seccomp(2), and the two options of prctl(2) that do the same.

use super::Call;
use crate::process::packet_filter::{Instruction, MOST, Program};
use crate::process::seccomp::{DATA, Seccomp, action};
use alloc::rc::Rc;
use alloc::vec;
use chestnut_linux_files::{Errno, Result};

const SET_STRICT: u32 = 0;
const SET_FILTER: u32 = 1;
const ACTION_AVAILABLE: u32 = 2;

const FLAG_SYNCHRONISE: u32 = 1;
const FLAG_LOG: u32 = 2;
/// Speculation is the processor's affair here: nothing turns it off.
const FLAG_SPECULATION_ALLOWED: u32 = 4;
const FLAG_SYNCHRONISE_ESRCH: u32 = 16;

/// seccomp(operation, flags, arguments)
pub fn seccomp(call: &Call) -> Result<u64> {
    let (flags, argument) = (call.half(1), call.word(2));
    match call.half(0) {
        SET_STRICT if flags == 0 && argument == 0 => set_strict(call),
        SET_FILTER => set_filter(call, flags, argument),
        ACTION_AVAILABLE if flags == 0 => {
            const AVAILABLE: [u32; 7] = [
                action::KILL_PROCESS,
                action::KILL_THREAD,
                action::TRAP,
                action::ERROR,
                action::TRACE,
                action::LOG,
                action::ALLOW,
            ];
            let asked = call.space().read_u32(argument)?;
            if AVAILABLE.contains(&asked) { Ok(0) } else { Err(Errno::EOPNOTSUPP) }
        }
        _ => Err(Errno::EINVAL),
    }
}

/// PR_SET_SECCOMP
pub fn by_prctl(call: &Call) -> Result<u64> {
    match call.half(1) {
        1 => set_strict(call),
        2 => set_filter(call, 0, call.word(2)),
        _ => Err(Errno::EINVAL),
    }
}

fn set_strict(call: &Call) -> Result<u64> {
    if call.thread.seccomp().mode() == 2 {
        return Err(Errno::EINVAL);
    }
    call.thread.restrict(Seccomp::Strict);
    Ok(0)
}

fn set_filter(call: &Call, flags: u32, argument: u64) -> Result<u64> {
    // A listener (SECCOMP_FILTER_FLAG_NEW_LISTENER) is not to be had.
    let known = FLAG_SYNCHRONISE | FLAG_LOG | FLAG_SPECULATION_ALLOWED | FLAG_SYNCHRONISE_ESRCH;
    if flags & !known != 0 {
        return Err(Errno::EINVAL);
    }
    let space = call.space();
    let [length, address] = space.read_words(argument)?;
    let length = usize::from(length as u16);
    if !(1..=MOST).contains(&length) {
        return Err(Errno::EINVAL);
    }
    if !call.process().no_new_privileges.get() && !call.is_privileged() {
        return Err(Errno::EACCES);
    }
    let mut bytes = vec![0; length * Instruction::BYTES];
    space.read(address, &mut bytes)?;
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
    let instructions = bytes.chunks_exact(Instruction::BYTES).map(|bytes| Instruction::from_word(word(bytes)));
    let program = Program::new(instructions.collect(), DATA)?;
    let old = call.thread.seccomp().clone();
    if flags & FLAG_SYNCHRONISE != 0 {
        let threads = call.process().threads.borrow();
        if let Some(other) = threads.iter().find(|thread| !thread.seccomp().is_beginning_of(&old)) {
            let esrch = flags & FLAG_SYNCHRONISE_ESRCH != 0;
            return if esrch { Err(Errno::ESRCH) } else { Ok(other.tid.get().into()) };
        }
    }
    let new = old.with(program, flags & FLAG_LOG != 0)?;
    let threads = call.process().threads.borrow().clone();
    for thread in &threads {
        if flags & FLAG_SYNCHRONISE != 0 || Rc::ptr_eq(thread, call.thread) {
            thread.restrict(new.clone());
        }
    }
    Ok(0)
}
