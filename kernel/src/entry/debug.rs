//! Debug builds: system calls that look into the kernel.

use crate::arch;
use crate::cap::{Kind, lookup};
use crate::mem::Ref;
use crate::object::{Kernel, Tcb, TcbSlot};
use chestnut_abi::Syscall;
use chestnut_abi::ipc_buffer::MSG_WORD;
use core::fmt::Write;

struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        text.bytes().for_each(arch::console_put);
        Ok(())
    }
}

/// Performs a debug system call; false if it is none. Apart, so that a test finds its name where it is and only there.
#[inline(never)]
pub fn system_call<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, call: Syscall) -> bool {
    let argument = thread.context.capability_register();
    let found =
        || lookup(k.entry(), thread.slot(TcbSlot::CSpace).cap(), argument, 64).ok().map(|found| found.slot.cap());
    match call {
        Syscall::DebugPutChar => arch::console_put(argument as u8),
        Syscall::DebugDumpScheduler => dump(k),
        Syscall::DebugSnapshot => {
            _ = Console.write_str("no snapshot: capDL dumps are not part of this kernel\n");
        }
        Syscall::DebugHalt => {
            _ = Console.write_str("halted by a debug system call\n");
            arch::halt();
        }
        Syscall::DebugCapIdentify => {
            thread.context.set_badge(found().map_or(0, |cap| identity(cap.kind())));
        }
        Syscall::DebugNameThread => {
            let named = found().and_then(|cap| cap.as_tcb(k));
            let buffer = crate::ipc::Buffer::of(k, thread, false);
            if let (Some(named), Some(buffer)) = (named, buffer) {
                let mut name = [0; 32];
                for (index, word) in name.chunks_exact_mut(8).enumerate() {
                    word.copy_from_slice(&buffer.read(MSG_WORD + index).to_le_bytes());
                }
                named.name.set(name);
            }
        }
        _ => return false,
    }
    true
}

/// What CapIdentify says of a capability. User libraries' assertions know 0, 4 and 6; the other numbers are this kernel's own.
fn identity(kind: Kind) -> u64 {
    const OWN: u64 = 32;
    match kind {
        Kind::Null => 0,
        Kind::Endpoint => 4,
        Kind::Notification => 6,
        kind => OWN + kind as u64,
    }
}

fn dump(k: Kernel) {
    for priority in (0..=255u8).rev() {
        for thread in k.ready[priority as usize].iter(k) {
            let name = thread.name.get();
            let name =
                name.split(|&byte| byte == 0).next().and_then(|name| core::str::from_utf8(name).ok()).unwrap_or("?");
            _ = writeln!(Console, "ready {priority} {name} {:#x}", thread.context.fault_ip());
        }
    }
}
