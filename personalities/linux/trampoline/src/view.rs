//! The server's access to a shared page through its own mapping: volatile copies in and out, never a reference.
//!
//! A [`View`] is made once for a page, with the one `unsafe` promise that the mapping stays; all its methods are safe. A
//! value read may have been written by the program a moment ago and may differ at the next reading: copy once, then check.

use core::mem::offset_of;
use core::ptr::NonNull;

use crate::pages::{AltStack, FUTEX_BUCKETS, FxArea, PLAIN_DESCRIPTORS, SIGNALS, STACK, SYSCALLS, plain};
use crate::{Frame, MmPage, ProcessPage, ThreadPage, TimePage, dispatch};

/// A page that others see too.
pub struct View<T>(NonNull<T>);

impl<T> Clone for View<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for View<T> {}

/// Reads a field.
macro_rules! get {
    ($view:expr, $($field:tt)+) => {
        // SAFETY: mapped and aligned (`View::new`); every bit pattern is a value of these fields' types.
        unsafe { (&raw const (*$view.0.as_ptr()).$($field)+).read_volatile() }
    };
}

/// Writes a field.
macro_rules! set {
    ($view:expr, $field:ident $(. $inner:ident)? $([$index:expr])?, $value:expr) => {
        // SAFETY: mapped writable and aligned (`View::new`); nobody holds a reference to the page.
        unsafe { (&raw mut (*$view.0.as_ptr()).$field $(. $inner)? $([$index])?).write_volatile($value) }
    };
}

impl<T> View<T> {
    /// # Safety
    /// `page` is aligned to 4096 and mapped readable and writable for as long as the view or a copy of it is used, the memory
    /// holds nothing but a `T`, and nobody makes a Rust reference to it.
    pub const unsafe fn new(page: NonNull<T>) -> Self {
        Self(page)
    }
}

/// Where a thread's pages are in its own address space.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    pub process: u64,
    pub time: u64,
    pub mm: u64,
}

/// How a signal's handler begins.
#[derive(Clone, Copy, Debug)]
pub struct Handler {
    pub rip: u64,
    pub rsp: u64,
    pub rflags: u64,
    /// Signal, addresses of siginfo and ucontext.
    pub arguments: [u64; 3],
}

impl View<ThreadPage> {
    /// Makes a page full of zeros a new thread's: nothing blocked, nothing pending, no alternate stack, fresh FPU, zero frame.
    pub fn initialise(self, tid: u32, at: Addresses) {
        set!(self, tid, tid);
        self.set_addresses(at);
        self.set_fx(&FxArea::INITIAL);
    }
    /// Where the thread finds the other pages; its dispatch table becomes the ordinary one.
    pub fn set_addresses(self, at: Addresses) {
        set!(self, process, at.process);
        set!(self, time, at.time);
        set!(self, mm, at.mm);
        set!(self, dispatch, at.process + offset_of!(ProcessPage, dispatch) as u64);
    }
    /// Sends every system call of the thread to the server with all registers saved, or stops doing so.
    pub fn set_traced(self, process: u64, traced: bool) {
        let table = if traced { offset_of!(ProcessPage, dispatch_traced) } else { offset_of!(ProcessPage, dispatch) };
        set!(self, dispatch, process + table as u64);
    }
    pub fn set_tid(self, tid: u32) {
        set!(self, tid, tid);
    }
    pub fn set_cpu(self, cpu: u32) {
        set!(self, cpu, cpu);
    }
    /// Arguments 1–3 of the system call being made.
    pub fn arguments(self) -> [u64; 3] {
        [get!(self, frame.rdi), get!(self, frame.rsi), get!(self, frame.rdx)]
    }
    /// The saved registers. Which of them count, [`ThreadPage::frame`] says.
    pub fn frame(self) -> Frame {
        get!(self, frame)
    }
    /// The registers that a thread sent to `start` or answered by `Restore` goes on with.
    pub fn set_frame(self, frame: &Frame) {
        set!(self, frame, *frame);
    }
    /// Lets the saved registers begin a handler; those not named stay as they are.
    pub fn begin_handler(self, handler: &Handler) {
        let [rdi, rsi, rdx] = handler.arguments;
        set!(self, frame.rip, handler.rip);
        set!(self, frame.rsp, handler.rsp);
        set!(self, frame.rflags, handler.rflags);
        set!(self, frame.rdi, rdi);
        set!(self, frame.rsi, rsi);
        set!(self, frame.rdx, rdx);
        set!(self, frame.rax, 0);
        set!(self, frame.number, u64::MAX);
    }
    /// Where a thread was that goes to `trapenter`.
    pub fn set_interrupted(self, rip: u64, rsp: u64, rflags: u64) {
        set!(self, frame.rip, rip);
        set!(self, frame.rsp, rsp);
        set!(self, frame.rflags, rflags);
    }
    pub fn fx(self) -> FxArea {
        let mut area = FxArea([0; 512]);
        for (index, bytes) in area.0.chunks_exact_mut(8).enumerate() {
            // SAFETY: inside the area, mapped and aligned (`View::new`); a volatile copy of all at once would be made byte by byte.
            let word = unsafe { (&raw const (*self.0.as_ptr()).fx).cast::<u64>().add(index).read_volatile() };
            bytes.copy_from_slice(&word.to_ne_bytes());
        }
        area
    }
    /// A reserved bit in MXCSR makes the thread fault in the text: check what comes from the program.
    pub fn set_fx(self, fx: &FxArea) {
        for (index, bytes) in fx.0.as_chunks().0.iter().enumerate() {
            // SAFETY: as in `fx`, and writable.
            unsafe {
                (&raw mut (*self.0.as_ptr()).fx).cast::<u64>().add(index).write_volatile(u64::from_ne_bytes(*bytes));
            }
        }
    }
    /// What the system call returns, if the thread is answered by `Restore`.
    pub fn set_result(self, value: u64) {
        set!(self, frame.rax, value);
    }
    pub fn set_attention(self, on: bool) {
        set!(self, attention, on as u32);
    }
    pub fn blocked(self) -> u64 {
        get!(self, blocked)
    }
    pub fn set_blocked(self, signals: u64) {
        set!(self, blocked, signals);
    }
    /// Set this before looking at [`blocked`](Self::blocked).
    pub fn set_pending(self, signals: u64) {
        set!(self, pending, signals);
    }
    /// The text changes the process's actions on signals from now on, which are these. `struct sigaction` each, from signal 1 on.
    pub fn give_actions(self, actions: impl Iterator<Item = [u64; 4]>) {
        set!(self, changing, 0);
        for (index, action) in (0..SIGNALS).zip(actions) {
            set!(self, actions[index], action);
        }
        set!(self, has_actions, 1);
    }
    /// It no longer does.
    pub fn keep_actions(self) {
        set!(self, has_actions, 0);
    }
    /// The action on a signal (1–64; beyond: all zeros) as it is on the page. Look only while the thread doesn't run.
    pub fn action(self, signal: usize) -> [u64; 4] {
        match signal.checked_sub(1) {
            Some(_) if get!(self, changing) as usize == signal => get!(self, change),
            Some(index) if index < SIGNALS => get!(self, actions[index]),
            _ => [0; 4],
        }
    }
    /// Changes it there.
    pub fn set_action(self, signal: usize, action: [u64; 4]) {
        if let Some(index) = signal.checked_sub(1).filter(|&index| index < SIGNALS) {
            set!(self, actions[index], action);
        }
    }
    pub fn alt_stack(self) -> AltStack {
        get!(self, alt_stack)
    }
    pub fn set_alt_stack(self, stack: AltStack) {
        set!(self, alt_stack, stack);
    }
}

/// RSP for a thread that is sent to `tail`, `start`, `sigenter` or a fix-up, from its thread page's address in the program.
pub const fn stack_pointer(thread_page: u64) -> u64 {
    thread_page + STACK
}

/// A process's ids as they are read without the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    pub pid: u32,
    pub ppid: u32,
    pub uid: u32,
    pub euid: u32,
    pub gid: u32,
    pub egid: u32,
}

impl View<ProcessPage> {
    /// Makes a page full of zeros a new process's, or a new program's: ids and the two dispatch tables.
    pub fn initialise(self, ids: Ids) {
        self.set_ids(ids);
        set!(self, dispatch, dispatch::ORDINARY);
        set!(self, dispatch_traced, dispatch::TRACED);
    }
    /// What a descriptor is read and written like, from now on: bits of [`plain`], none of them if the server is to be asked.
    /// Returns whether there is room to say so.
    pub fn set_plain(self, descriptor: usize, bits: u8) -> bool {
        if descriptor >= PLAIN_DESCRIPTORS {
            return false;
        }
        let old = get!(self, plain[descriptor]);
        set!(self, plain[descriptor], bits);
        // Who has no such descriptor isn't kept by looking for one.
        let count = |number: u16, mask: u8| {
            number.wrapping_add((bits & mask != 0).into()).wrapping_sub((old & mask != 0).into())
        };
        let read = count(get!(self, plain_read), plain::READS_END | plain::READS_ZEROS);
        let written = count(get!(self, plain_written), plain::DISCARDS);
        set!(self, plain_read, read);
        set!(self, plain_written, written);
        let code = |count: u16, code: u8| if count == 0 { dispatch::SERVER } else { code };
        set!(self, dispatch[dispatch::READ_NUMBER], code(read, dispatch::READ));
        set!(self, dispatch[dispatch::WRITE_NUMBER], code(written, dispatch::WRITE));
        true
    }
    /// The actions on signals are no longer told without the server.
    pub fn hide_actions(self) {
        set!(self, actions_version, 0);
    }
    /// Whether they are.
    pub fn shows_actions(self) -> bool {
        get!(self, actions_version) != 0
    }
    /// From now on they are told without the server, until they change: then this is to be called again, or `hide_actions`.
    /// `actions` are those of the signals from `first` on; the others stay.
    pub fn show_actions(self, first: usize, actions: impl Iterator<Item = [u64; 4]>) {
        let version: u32 = get!(self, actions_version);
        self.hide_actions();
        for (index, action) in (first..SIGNALS).zip(actions) {
            set!(self, actions[index], action);
        }
        set!(self, actions_version, version.wrapping_add(1).max(1));
    }
    pub fn set_ids(self, ids: Ids) {
        set!(self, pid, ids.pid);
        set!(self, ppid, ids.ppid);
        set!(self, uid, ids.uid);
        set!(self, euid, ids.euid);
        set!(self, gid, ids.gid);
        set!(self, egid, ids.egid);
    }
    /// From now on the number is answered with ENOSYS without the server. Numbers that the table doesn't cover are left.
    pub fn retire(self, number: u64) {
        let index = number as usize;
        if index < SYSCALLS {
            set!(self, dispatch[index], dispatch::NO_SYSTEM_CALL);
        }
    }
}

impl View<TimePage> {
    /// The monotonic clock counts from a TSC reading of `tsc_base`.
    pub fn initialise(self, tsc_base: u64, tsc_mhz: u64, wall_offset: u64) {
        set!(self, tsc_base, tsc_base);
        set!(self, multiplier, TimePage::multiplier_for(tsc_mhz));
        self.set_wall_offset(wall_offset);
    }
    /// Whether somebody may want to hear that devices are read and written.
    pub fn set_devices_watched(self, watched: bool) {
        set!(self, devices_watched, watched.into());
    }
    /// Nanoseconds to add to CLOCK_MONOTONIC for CLOCK_REALTIME.
    pub fn set_wall_offset(self, nanoseconds: u64) {
        set!(self, wall_offset, nanoseconds);
    }
}

impl View<MmPage> {
    pub fn initialise(self) {
        set!(self, waiters, [0; FUTEX_BUCKETS]);
    }
    /// What [`set_waiters`](Self::set_waiters) has set.
    pub fn waiters(self, bucket: usize) -> u32 {
        if bucket < FUTEX_BUCKETS { get!(self, waiters[bucket]) } else { 0 }
    }
    /// How many threads wait on private futexes whose [`futex_bucket`](crate::pages::futex_bucket) this is. Set it before
    /// reading the futex word of a new waiter. Buckets out of range are ignored.
    pub fn set_waiters(self, bucket: usize, count: u32) {
        if bucket < FUTEX_BUCKETS {
            set!(self, waiters[bucket], count);
        }
    }
}
