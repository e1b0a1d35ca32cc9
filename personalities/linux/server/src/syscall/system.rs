//! Calls on the system as a whole and on what a process is allowed: uname, sysinfo, limits, priorities, prctl, randomness.

use super::{Call, Outcome, pieces};
use crate::memory::USER_END;
use crate::process::capabilities::{SYS_BOOT, SYS_RESOURCE};
use crate::process::limits::{self, Limit};
use crate::process::signal::Signal;
use crate::process::{Ending, INIT, persona};
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use chestnut_abi::UserContext;
use chestnut_linux_files::clock::Clock;
use chestnut_linux_files::{Errno, Result};
use chestnut_linux_trampoline::text;
use linux_raw_sys::{general as linux, prctl, system};

/// What uname says besides the names that can be set. The release is the interface's version that programs check for.
pub const RELEASE: &str = "6.1.0-chestnut";
pub const VERSION: &str = "#1 Chestnut";

/// uname(buf)
pub fn uname(call: &Call) -> Result<u64> {
    const FIELD: usize = 65;
    let host = call.server.host_name.borrow().clone();
    let domain = call.server.domain_name.borrow().clone();
    let machine: &[u8] = if call.process().persona.get() & persona::LINUX_32 != 0 { b"i686" } else { b"x86_64" };
    let fields: [&[u8]; 6] = [b"Linux", &host, RELEASE.as_bytes(), VERSION.as_bytes(), machine, &domain];
    let mut bytes = vec![0; FIELD * fields.len()];
    for (place, field) in bytes.chunks_exact_mut(FIELD).zip(fields) {
        place[..field.len()].copy_from_slice(field);
    }
    call.space().write(call.word(0), &bytes)?;
    Ok(0)
}

/// sethostname(name, length)
pub fn sethostname(call: &Call) -> Result<u64> {
    let name = read_name(call)?;
    *call.server.host_name.borrow_mut() = name;
    Ok(0)
}
/// setdomainname(name, length)
pub fn setdomainname(call: &Call) -> Result<u64> {
    let name = read_name(call)?;
    *call.server.domain_name.borrow_mut() = name;
    Ok(0)
}
fn read_name(call: &Call) -> Result<Vec<u8>> {
    if !call.is_privileged() {
        return Err(Errno::EPERM);
    }
    let length = usize::try_from(call.int(1)).ok().filter(|&length| length <= 64).ok_or(Errno::EINVAL)?;
    let mut name = vec![0; length];
    call.space().read(call.word(0), &mut name)?;
    Ok(name)
}

/// sysinfo(buf)
pub fn sysinfo(call: &Call) -> Result<u64> {
    let memory = call.server.capabilities.memory();
    let mut words = [0; 14];
    words[0] = call.server.clock.monotonic().as_secs();
    // Averages in units of 2^−16.
    for (word, average) in words[1..4].iter_mut().zip(call.server.load.averages()) {
        *word = (average << 16) / crate::load::ONE;
    }
    words[4] = memory.total;
    words[5] = memory.free;
    words[10] = call.server.table.thread_count() as u64;
    // mem_unit, after two words of high memory.
    words[13] = 1;
    call.space().write_words(call.word(0), &words)?;
    Ok(0)
}

/// getrlimit(kind, limit)
pub fn getrlimit(call: &Call) -> Result<u64> {
    let limit = call.process().limits.borrow().get(call.half(0).into())?;
    call.space().write_words(call.word(1), &[limit.soft, limit.hard])?;
    Ok(0)
}
/// setrlimit(kind, limit)
pub fn setrlimit(call: &Call) -> Result<u64> {
    let [soft, hard] = call.space().read_words(call.word(1))?;
    set_limit(call, call.process(), call.half(0).into(), Limit { soft, hard })
}
/// prlimit64(pid, kind, new, old)
pub fn prlimit64(call: &Call) -> Result<u64> {
    let process = call.server.process_or_self(call.process(), call.half(0)).ok_or(Errno::ESRCH)?;
    if !Rc::ptr_eq(&process, call.process()) && !call.can(SYS_RESOURCE) && process.ids.get() != call.process().ids.get()
    {
        return Err(Errno::EPERM);
    }
    let kind = call.half(1).into();
    let old = process.limits.borrow().get(kind)?;
    if call.word(2) != 0 {
        let [soft, hard] = call.space().read_words(call.word(2))?;
        set_limit(call, &process, kind, Limit { soft, hard })?;
    }
    if call.word(3) != 0 {
        call.space().write_words(call.word(3), &[old.soft, old.hard])?;
    }
    Ok(0)
}
fn set_limit(call: &Call, process: &Rc<crate::process::Process>, kind: u64, limit: Limit) -> Result<u64> {
    process.limits.borrow_mut().set(kind, limit, call.can(SYS_RESOURCE))?;
    match kind as usize {
        limits::FILES => process.descriptors().borrow_mut().set_limit(limit.soft as usize),
        limits::STACK => process.space().stack_limit.set(limit.soft),
        limits::SPACE => process.space().size_limit.set(limit.soft),
        limits::DATA => process.space().data_limit.set(limit.soft),
        limits::PROCESSOR => call.server.watch_limit(process),
        _ => {}
    }
    Ok(0)
}

/// getcpu(cpu, node)
pub fn getcpu(call: &Call) -> Result<u64> {
    for index in 0..2 {
        if call.word(index) != 0 {
            call.space().write_u32(call.word(index), 0)?;
        }
    }
    Ok(0)
}

/// getrandom(buf, length, flags)
pub fn getrandom(call: &Call) -> Result<Outcome> {
    const MOST: u64 = 0x1ff_ffff;
    let (flags, exclusive) = (call.half(2), linux::GRND_RANDOM | linux::GRND_INSECURE);
    if flags & !(linux::GRND_NONBLOCK | exclusive) != 0 || flags & exclusive == exclusive {
        return Err(Errno::EINVAL);
    }
    let (address, length) = (call.word(0), call.word(1).min(MOST));
    let mut bytes = [0; 256];
    if length > bytes.len() as u64 {
        let generator = call.server.generator.clone();
        return Ok(pieces::fill(call, address, length, move |bytes| generator.fill(bytes)));
    }
    let bytes = &mut bytes[..length as usize];
    call.server.generator.fill(bytes);
    match call.space().write_some(address, bytes) {
        0 if length > 0 => Err(Errno::EFAULT),
        written => Ok(Outcome::value(written as u64)),
    }
}

const ARCH_SET_GS: u32 = 0x1001;
const ARCH_SET_FS: u32 = 0x1002;
const ARCH_GET_FS: u32 = 0x1003;
const ARCH_GET_GS: u32 = 0x1004;

/// arch_prctl(code, address). FS is set by the trampoline, unless the thread is traced.
pub fn arch_prctl(call: &Call) -> Result<u64> {
    let base = call.word(1);
    let registers = call.thread.machine.registers();
    match call.half(0) {
        ARCH_GET_FS => call.space().write_u64(call.word(1), registers.fs_base)?,
        ARCH_GET_GS => call.space().write_u64(call.word(1), registers.gs_base)?,
        ARCH_SET_FS | ARCH_SET_GS if base >= USER_END => return Err(Errno::EPERM),
        ARCH_SET_FS => set_bases(call, UserContext { fs_base: base, ..registers }),
        ARCH_SET_GS => set_bases(call, UserContext { gs_base: base, ..registers }),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// Gives the thread, whose call is held, these registers.
fn set_bases(call: &Call, registers: UserContext) {
    /// Bytes of the instruction that calls the server.
    const SYSCALL: u64 = 2;
    // What is read of it is where it would begin the call again; it must go on behind.
    let rip = call.process().own_pages.borrow().text_address + text::server_call() + SYSCALL;
    call.thread.machine.set_registers(&UserContext { rip, ..registers }, false);
}

/// prctl(option, …)
pub fn prctl(call: &Call) -> Result<u64> {
    let process = call.process();
    let space = call.space();
    let argument = call.word(1);
    if let Some(result) = super::capabilities::control(call) {
        return result;
    }
    match call.half(0) {
        prctl::PR_SET_NAME => {
            let mut name = [0; 16];
            let length = space.read_some(argument, &mut name[..15]);
            let end = name[..length].iter().position(|&byte| byte == 0).unwrap_or(length);
            name[end..].fill(0);
            call.thread.name.set(name);
        }
        prctl::PR_GET_NAME => space.write(argument, &call.thread.name.get())?,
        prctl::PR_SET_PDEATHSIG => {
            if argument > Signal::COUNT as u64 {
                return Err(Errno::EINVAL);
            }
            process.parent_death_signal.set(argument as u8);
        }
        prctl::PR_GET_PDEATHSIG => space.write_u32(argument, process.parent_death_signal.get().into())?,
        prctl::PR_GET_DUMPABLE => return Ok(process.dumpable.get().into()),
        prctl::PR_SET_DUMPABLE if argument <= 1 => process.dumpable.set(argument as u32),
        prctl::PR_SET_NO_NEW_PRIVS if argument == 1 => process.no_new_privileges.set(true),
        prctl::PR_GET_NO_NEW_PRIVS => return Ok(process.no_new_privileges.get().into()),
        prctl::PR_SET_CHILD_SUBREAPER => process.subreaper.set(argument != 0),
        prctl::PR_GET_CHILD_SUBREAPER => space.write_u32(argument, process.subreaper.get().into())?,
        prctl::PR_GET_TID_ADDRESS => space.write_u64(argument, call.thread.clear_tid_address.get())?,
        // Timers are as exact as they can be, which every slack allows; there is no huge page to forbid.
        prctl::PR_GET_TIMERSLACK => return Ok(call.thread.timer_slack.get().0),
        prctl::PR_SET_TIMERSLACK => {
            let (_, first) = call.thread.timer_slack.get();
            let slack = if argument as i64 <= 0 { first } else { argument };
            call.thread.timer_slack.set((slack, first));
        }
        prctl::PR_GET_THP_DISABLE => return Ok(0),
        prctl::PR_GET_TIMING => return Ok(prctl::PR_TIMING_STATISTICAL.into()),
        prctl::PR_SET_TIMING if argument == u64::from(prctl::PR_TIMING_STATISTICAL) => {}
        prctl::PR_GET_TSC => space.write_u32(argument, prctl::PR_TSC_ENABLE)?,
        prctl::PR_SET_TSC if argument == u64::from(prctl::PR_TSC_ENABLE) => {}
        prctl::PR_MCE_KILL_GET => return Ok(prctl::PR_MCE_KILL_DEFAULT.into()),
        prctl::PR_GET_SECCOMP => return Ok(call.thread.seccomp().mode().into()),
        prctl::PR_SET_SECCOMP => return super::seccomp::by_prctl(call),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// personality(persona): what it was.
pub fn personality(call: &Call) -> Result<u64> {
    const ASK: u32 = 0xffff_ffff;
    let old = call.process().persona.get();
    match call.half(0) {
        ASK => {}
        new if new & !(persona::LINUX_32 | persona::FIXED_ADDRESSES) == 0 => call.process().persona.set(new),
        _ => return Err(Errno::EINVAL),
    }
    Ok(old.into())
}

/// reboot(magic, magic 2, command): powering off or restarting ends the program that the launcher asked for, and so the
/// machine.
pub fn reboot(call: &Call) -> Result<Outcome> {
    if call.half(0) != system_magic::FIRST || !system_magic::SECOND.contains(&call.half(1)) {
        return Err(Errno::EINVAL);
    }
    if !call.can(SYS_BOOT) {
        return Err(Errno::EPERM);
    }
    match call.half(2) {
        // Ctrl-Alt-Del on or off: there is no such key.
        0x89ab_cdef | 0 => Ok(Outcome::value(0u64)),
        // Restart, halt, power off.
        0x0123_4567 | 0xcdef_0123 | 0x4321_fedc => {
            let program = call.server.table.process(call.server.init_program.get());
            let ended = program.filter(|process| process.pid != INIT).ok_or(Errno::EINVAL)?;
            call.server.end_process(&ended, Ending::Exited(0));
            Ok(if call.thread.ended.get() { Outcome::Gone } else { Outcome::value(0u64) })
        }
        _ => Err(Errno::EINVAL),
    }
}

mod system_magic {
    pub const FIRST: u32 = 0xfee1_dead;
    pub const SECOND: [u32; 4] = [672_274_793, 85_072_278, 369_367_448, 537_993_216];
}

// `sysinfo` above is laid out by hand; this keeps its size honest.
const _: () = assert!(size_of::<system::sysinfo>() == 112);
