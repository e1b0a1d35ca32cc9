//! Faults to a handler and back, redirected system calls, and a device's interrupt to the thread that waits for it.

use crate::report::{between, row, rows};
use crate::shot::Shot;
use chestnut_abi::bootinfo::slot;
use chestnut_abi::fault::unknown_syscall;
use chestnut_abi::{Label, MessageInfo, Syscall, UserContext};
use chestnut_kernel_tests::scene::Scene;
use chestnut_kernel_tests::scene::fixed::{BELOW, FAR};
use chestnut_kernel_tests::scene::invoke::must;
use chestnut_kernel_tests::scene::message::recv;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

static HANDLER: Shot = Shot::new();
static BEFORE: AtomicU32 = AtomicU32::new(0);
static AFTER: AtomicU32 = AtomicU32::new(0);

/// A loop that stamps, faults by the instruction, and stamps. A load stands for the one that a shot has between stamp and system call.
macro_rules! faulting {
    ($name:ident, $instruction:literal) => {
        #[unsafe(naked)]
        extern "C" fn $name() {
            core::arch::naked_asm!(
                "2:",
                "rdtsc",
                "mov [{before}], eax",
                "mov ebp, [{before}]",
                $instruction,
                "rdtsc",
                "mov [{after}], eax",
                "jmp 2b",
                before = sym BEFORE,
                after = sym AFTER,
            )
        }
    };
}

faulting!(invalid, "ud2");
faulting!(unmapped, "mov rax, [rbx]");
faulting!(unknown, "syscall");
faulting!(spinning, "");
faulting!(redirected, "syscall");

const UNMAPPED_BYTES: u64 = 3;
const INVALID_BYTES: u64 = 2;
const SYSCALL_BYTES: u64 = 2;
/// Where a redirected thread's native system calls would be: nothing is there.
const NATIVE: u64 = 0x1000;

fn handled(t: &Scene, name: &str, code: extern "C" fn(), reply_info: MessageInfo, skip: u64, by_reply: bool) {
    let (endpoint, reply) = (t.endpoint(), t.reply());
    let thread = t.thread(BELOW);
    thread.set_handler(endpoint);
    let rip = code as *const () as u64;
    thread.start_with(&UserContext { rip, rsp: thread.stack(), rbx: FAR, rdx: 77, ..Default::default() });
    let fault_ip = recv(endpoint, reply).word(0);
    HANDLER.with_reply(reply);
    rows(format_args!("{name}"), ["fault", "fault-reply", "fault-round-trip"], || {
        if !by_reply && skip != 0 {
            must(thread.tcb, Label::TcbWriteRegisters, &[0, 1, fault_ip + skip], &[]);
        }
        HANDLER.aim(Syscall::ReplyRecv, endpoint, reply_info, [fault_ip + skip, 0, 0, 0]);
        HANDLER.fire();
        let (there, back) = (between(&BEFORE, HANDLER.after()), between(HANDLER.before(), &AFTER));
        [there, back, there + back]
    });
    thread.suspend();
}

pub fn handlers(t: &Scene) {
    let (empty, one) = (MessageInfo::new(0, 0, 0, 0), MessageInfo::new(0, 0, 0, 1));
    handled(t, "vm", unmapped, empty, UNMAPPED_BYTES, false);
    handled(t, "exception", invalid, one, INVALID_BYTES, true);
    unknown_calls(t);
    redirection(t);
}

/// System calls that the kernel doesn't know: all registers go to the handler, and it sets the one that says where to go on.
fn unknown_calls(t: &Scene) {
    let (endpoint, reply) = (t.endpoint(), t.reply());
    let thread = t.thread(BELOW);
    thread.set_handler(endpoint);
    let rip = unknown as *const () as u64;
    thread.start_with(&UserContext { rip, rsp: thread.stack(), rdx: 77, ..Default::default() });
    let behind = recv(endpoint, reply).word(unknown_syscall::FAULT_IP) + SYSCALL_BYTES;
    HANDLER.with_reply(reply);
    rows(format_args!("unknown-call"), ["fault", "fault-reply", "fault-round-trip"], || {
        // The stamps need RAX, RDX and RBP: RDX is the call's number, which the thread has to have again.
        let mut context = thread.read();
        context.rdx = 77;
        context.rip = behind;
        thread.write(&context);
        HANDLER.aim(Syscall::ReplyRecv, endpoint, MessageInfo::new(0, 0, 0, 0), [0; 4]);
        HANDLER.fire();
        let (there, back) = (between(&BEFORE, HANDLER.after()), between(HANDLER.before(), &AFTER));
        [there, back, there + back]
    });
    thread.suspend();
}

/// A system call that goes to the thread's own entry, behind the `syscall`, and comes back to where it was made by a fault.
fn redirection(t: &Scene) {
    let endpoint = t.endpoint();
    let reply = t.reply();
    let thread = t.thread(BELOW);
    thread.set_handler(endpoint);
    let rip = redirected as *const () as u64;
    // The thread's entry is what follows the `syscall`: found by letting it fault there first.
    thread.start_with(&UserContext { rip, rsp: thread.stack(), rdx: 77, ..Default::default() });
    let behind = recv(endpoint, reply).word(unknown_syscall::FAULT_IP) + SYSCALL_BYTES;
    must(thread.tcb, Label::TcbSetRedirect, &[NATIVE, 1, behind, 0], &[]);
    thread.write(&UserContext { rip, rsp: thread.stack(), rdx: 77, ..Default::default() });
    HANDLER.aim(Syscall::Send, reply, MessageInfo::new(0, 0, 0, 0), [0; 4]);
    HANDLER.fire();
    // It runs in circles while this thread sleeps.
    let timer = Timer::new(t);
    row(format_args!("redirect"), || {
        loop {
            timer.wait();
            // The interrupt may have come between the two stamps: then the next one is asked.
            let (before, after) = (BEFORE.load(Relaxed), AFTER.load(Relaxed));
            if after.wrapping_sub(before) < u32::MAX / 2 {
                return between(&BEFORE, &AFTER);
            }
        }
    });
    timer.stop();
    thread.suspend();
}

/// The interval timer and the notification that its interrupt signals.
struct Timer {
    handler: u64,
    notification: u64,
    ports: u64,
}

impl Timer {
    const PIN: u64 = 2;
    const IRQ: u64 = 20;
    const PORT: u64 = 0x40;
    const COMMAND: u64 = 0x43;
    /// 1 ms.
    const COUNT: u64 = 1193;

    fn new(t: &Scene) -> Self {
        let (ports, handler, notification) = (t.slot(), t.slot(), t.notification());
        let root = slot::INIT_CNODE;
        must(slot::IO_PORT_CONTROL, Label::X86IoPortControlIssue, &[Self::PORT, Self::COMMAND, ports, 64], &[root]);
        let words = [handler, 64, 0, Self::PIN, 0, 0, Self::IRQ];
        must(slot::IRQ_CONTROL, Label::X86IrqIssueIrqHandlerIoApic, &words, &[root]);
        must(handler, Label::IrqSetIrqHandler, &[], &[t.mint(notification, 1)]);
        must(handler, Label::IrqAckIrq, &[], &[]);
        let timer = Self { handler, notification, ports };
        timer.out(Self::COMMAND, 0x34);
        timer.out(Self::PORT, Self::COUNT & 0xff);
        timer.out(Self::PORT, Self::COUNT >> 8);
        timer
    }

    fn out(&self, port: u64, value: u64) {
        must(self.ports, Label::X86IoPortOut8, &[port, value], &[]);
    }

    /// Acknowledges the last interrupt and waits for the next.
    fn wait(&self) {
        must(self.handler, Label::IrqAckIrq, &[], &[]);
        HANDLER.aim(Syscall::Wait, self.notification, MessageInfo::new(0, 0, 0, 0), [0; 4]);
        HANDLER.fire();
    }

    fn stop(&self) {
        self.out(Self::COMMAND, 0x30);
    }
}

/// A thread stamps all the time: its last stamp is a few instructions before the interrupt.
pub fn interrupts(t: &Scene) {
    let thread = t.thread(BELOW);
    let rip = spinning as *const () as u64;
    thread.start_with(&UserContext { rip, rsp: thread.stack(), ..Default::default() });
    let timer = Timer::new(t);
    row(format_args!("interrupt"), || {
        timer.wait();
        let (before, after) = (BEFORE.load(Relaxed), AFTER.load(Relaxed));
        // The later of the loop's two stamps.
        let last = if after.wrapping_sub(before) < u32::MAX / 2 { &AFTER } else { &BEFORE };
        between(last, HANDLER.after())
    });
    timer.stop();
    thread.suspend();
}
