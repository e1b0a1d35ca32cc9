//! Sending signals, and how a thread comes to take them.
//!
//! A signal is first made pending, then its target is looked at. What needs no handler (ignore, terminate, stop) is done at once.
//! For a handler the thread must come by itself, because only it can save its FPU state: if the server holds its call, the call
//! is ended; if it is in its own code, it is sent to the trampoline; if it is in the trampoline, that looks before it leaves. In
//! all three cases it asks to take signals, and finds its frame on the stack.

use super::signal::{DefaultAction, Detail, Signal, SignalAction, SignalInfo, SignalSet, action_flag, code};
use super::thread::{Activity, Answer, FLAGS, FaultDetail};
use super::{Ending, Life, Process, Thread, frame};
use crate::faults;
use crate::server::Server;
use alloc::rc::Rc;
use chestnut_abi::UserContext;
use chestnut_linux_files::wait::Events;
use chestnut_linux_trampoline::text::{self, Stopped};
use chestnut_linux_trampoline::{Frame, view};

/// What a look at a thread's deliverable signals led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settled {
    /// Nothing (more) is to be taken.
    Nothing,
    /// The next one has a handler.
    Handler(SignalAction),
    /// The process has ended or stopped.
    Gone,
}

impl Server {
    /// Sends a signal to a process: some thread that doesn't block it takes it.
    pub fn signal_process(&self, process: &Rc<Process>, info: SignalInfo) {
        if process.is_zombie() || process.threads.borrow().is_empty() || !self.prepare(process, None, info) {
            return;
        }
        if !process.pending.borrow_mut().push(info) {
            return;
        }
        self.publish_pending(process);
        self.signals_came.wake(Events::READABLE);
        let wants = |thread: &&Rc<Thread>| {
            !thread.ended.get() && (!thread.mask().contains(info.signal) || thread.awaited.get().contains(info.signal))
        };
        let target = {
            let threads = process.threads.borrow();
            let leader = threads.iter().find(|thread| thread.tid.get() == process.pid);
            leader.filter(wants).or_else(|| threads.iter().find(wants)).cloned()
        };
        if let Some(target) = target {
            self.look_at(&target);
        }
    }

    /// Sends a signal to one thread.
    pub fn signal_thread(&self, thread: &Rc<Thread>, info: SignalInfo) {
        let process = &thread.process;
        if thread.ended.get() || !self.prepare(process, Some(thread), info) {
            return;
        }
        if thread.pending.borrow_mut().push(info) {
            self.publish_pending(process);
            self.signals_came.wake(Events::READABLE);
            self.look_at(thread);
        }
    }

    /// Sends a signal of the server's own to all processes of a group.
    pub fn signal_group(&self, group: u32, signal: Signal) {
        for process in self.table.group(group) {
            self.signal_process(&process, SignalInfo::kernel(signal));
        }
    }

    /// What happens whether or not the signal is taken: continuing and stopping cancel each other. False if nobody will ever
    /// want it.
    fn prepare(&self, process: &Rc<Process>, thread: Option<&Rc<Thread>>, info: SignalInfo) -> bool {
        let signal = info.signal;
        if signal == Signal::KILL {
            self.end_process(process, Ending::Killed(signal));
            return false;
        }
        if signal == Signal::CONT {
            self.discard(process, SignalSet::STOPPING);
            self.continue_process(process);
        } else if SignalSet::STOPPING.contains(signal) {
            self.discard(process, SignalSet::of(Signal::CONT));
        }
        if !process.ignores(signal) {
            return true;
        }
        let waits = |thread: &Rc<Thread>| thread.mask().contains(signal) || thread.awaited.get().contains(signal);
        match thread {
            Some(thread) => waits(thread),
            None => process.threads.borrow().iter().any(waits),
        }
    }

    fn discard(&self, process: &Process, signals: SignalSet) {
        process.pending.borrow_mut().discard(signals);
        for thread in process.threads.borrow().iter() {
            thread.pending.borrow_mut().discard(signals);
        }
        self.publish_pending(process);
    }

    /// Writes to the thread pages what is pending.
    pub fn publish_pending(&self, process: &Process) {
        let shared = process.pending.borrow().set();
        for thread in process.threads.borrow().iter() {
            let own = thread.pending.borrow().set();
            thread.page().set_pending((shared | own).0);
        }
    }

    /// Does what the thread's deliverable signals ask for, as far as that needs no handler, and brings the thread to its
    /// handlers otherwise.
    pub fn look_at(&self, thread: &Rc<Thread>) {
        let awaited = thread.awaited.get();
        if !(thread.all_pending() & awaited).is_empty() {
            thread.wake();
        }
        match self.settle(thread) {
            Settled::Handler(_) => self.bring_to_handler(thread),
            Settled::Nothing | Settled::Gone => {}
        }
    }

    /// Mostly there is nothing.
    #[inline]
    fn settle(&self, thread: &Rc<Thread>) -> Settled {
        match () {
            () if thread.ended.get() || thread.process.is_stopped() => Settled::Gone,
            () if thread.deliverable().is_empty() => Settled::Nothing,
            () => self.settle_some(thread),
        }
    }

    fn settle_some(&self, thread: &Rc<Thread>) -> Settled {
        let process = &thread.process;
        loop {
            if thread.ended.get() || process.is_stopped() {
                return Settled::Gone;
            }
            let Some(signal) = thread.deliverable().first() else { return Settled::Nothing };
            if thread.awaited.get().contains(signal) {
                return Settled::Nothing;
            }
            let action = process.action(signal);
            if action.handler > SignalAction::IGNORE {
                return Settled::Handler(action);
            }
            let taken = self.take(thread, SignalSet::of(signal));
            if action.handler == SignalAction::IGNORE {
                continue;
            }
            if let Some(info) = taken {
                self.trace_signal(thread, &info);
            }
            match signal.default_action() {
                DefaultAction::Ignore | DefaultAction::Continue => {}
                DefaultAction::Terminate => self.end_process(process, Ending::Killed(signal)),
                DefaultAction::Stop => {
                    let by_terminal = signal != Signal::STOP;
                    if !(by_terminal && self.is_orphaned(process.group.get(), process.session.get())) {
                        self.stop_process(process, signal);
                    }
                }
            }
        }
    }

    /// Removes the first pending signal among `which`: the thread's own before its process's.
    pub fn take(&self, thread: &Thread, which: SignalSet) -> Option<SignalInfo> {
        let own = thread.pending.borrow_mut().take(which);
        let info = own.or_else(|| thread.process.pending.borrow_mut().take(which));
        if let Some(SignalInfo { detail: Detail::Timer { id, overrun, .. }, .. }) = info {
            thread.process.timers.taken(id, overrun);
        }
        self.publish_pending(&thread.process);
        info
    }

    /// The three cases of a thread that has a handler to run.
    fn bring_to_handler(&self, thread: &Rc<Thread>) {
        thread.page().set_attention(true);
        if thread.activity() != Activity::Running {
            // Its call is held: the future notices, and ends the call.
            thread.wake();
            return;
        }
        // Its answer may be still to be sent.
        self.flush_answer();
        thread.machine.suspend();
        let registers = thread.machine.registers();
        let text = thread.process.own_pages.borrow().text_address;
        let position = registers.rip.wrapping_sub(text);
        let (fs_base, gs_base) = (registers.fs_base, registers.gs_base);
        if position >= text::LENGTH {
            thread.page().set_frame(&frame_of(&registers));
            thread.machine.set_registers(&thread.at_text(text::sigenter(), fs_base, gs_base), true);
            return;
        }
        match text::stopped_at(position) {
            Stopped::Leave => thread.machine.resume(),
            Stopped::RewindTo(position) => {
                let rsp = view::stack_pointer(thread.page_address.get());
                let registers = UserContext { rip: text + position, rsp, rflags: FLAGS, ..registers };
                thread.machine.set_registers(&registers, true);
            }
        }
    }

    /// Whether a call of the thread that waits must end because a handler is to run; with the handler's action.
    pub fn interruption(&self, thread: &Rc<Thread>) -> Option<SignalAction> {
        match self.settle(thread) {
            Settled::Handler(action) => Some(action),
            Settled::Nothing | Settled::Gone => None,
        }
    }

    /// The thread has come to take its signals, its whole state in its page. Answers it unless it has ended.
    pub fn take_signals(&self, thread: &Rc<Thread>) {
        loop {
            match self.settle(thread) {
                Settled::Gone if thread.ended.get() => return,
                Settled::Gone => {
                    // Stopped: it asks again when it goes on, since attention is still set.
                    thread.page().set_attention(true);
                    break;
                }
                Settled::Nothing => {
                    thread.page().set_attention(false);
                    thread.restore_mask();
                    // Restoring the mask may have unblocked something.
                    if !thread.deliverable().is_empty() {
                        continue;
                    }
                    break;
                }
                Settled::Handler(action) => {
                    let Some(info) = self.take(thread, thread.deliverable()) else { continue };
                    if !self.run_handler(thread, info, action) {
                        return;
                    }
                }
            }
        }
        self.answer(thread, Answer::Restore);
    }

    /// Puts a frame on the thread's stack. False if there was no room and the process has ended of that.
    fn run_handler(&self, thread: &Rc<Thread>, mut info: SignalInfo, action: SignalAction) -> bool {
        let signal = info.signal;
        if signal == Signal::FPE
            && let Detail::Fault { .. } = info.detail
            && let Some(code) = faults::float_code(thread.fault.get().vector, &thread.page().fx())
        {
            info.code = code;
        }
        self.taken(thread, &info, action);
        let mask = thread.mask();
        let saved = thread.saved_mask.take().unwrap_or(mask);
        if frame::push(thread, &info, action, saved).is_err() {
            let segv_fails_itself = signal == Signal::SEGV;
            if segv_fails_itself || !self.force(thread, SignalInfo::kernel(Signal::SEGV), FaultDetail::default()) {
                self.end_process(&thread.process, Ending::Killed(Signal::SEGV));
                return false;
            }
            return true;
        }
        thread.set_mask(action.mask_after(mask, signal));
        true
    }

    /// A handler for it begins.
    fn taken(&self, thread: &Thread, info: &SignalInfo, action: SignalAction) {
        self.trace_signal(thread, info);
        if action.flags & action_flag::RESETHAND != 0 {
            thread.process.set_action(info.signal, SignalAction { handler: SignalAction::DEFAULT, ..action });
        }
    }

    /// Makes a signal pending that can't be put off: if it is blocked or ignored it ends the process. False if it did.
    pub fn force(&self, thread: &Rc<Thread>, info: SignalInfo, detail: FaultDetail) -> bool {
        let signal = info.signal;
        let action = thread.process.action(signal);
        let no_handler = action.handler <= SignalAction::IGNORE;
        if no_handler || thread.mask().contains(signal) {
            let registers = thread.machine.registers();
            log::info!(
                "process {} ends by {}: vector {}, code {:#x}, address {:#x}, ip {:#x}, sp {:#x}",
                thread.process.pid,
                signal.name().unwrap_or("signal"),
                detail.vector,
                detail.code,
                detail.address,
                registers.rip,
                registers.rsp,
            );
            self.trace_signal(thread, &info);
            self.end_process(&thread.process, Ending::Killed(signal));
            return false;
        }
        thread.fault.set(detail);
        thread.pending.borrow_mut().push(info);
        self.publish_pending(&thread.process);
        thread.page().set_attention(true);
        true
    }

    /// A thread whose fault the server holds has raised a signal: it ends, or goes to its handler.
    pub fn fault_signal(&self, thread: &Rc<Thread>, info: SignalInfo, detail: FaultDetail) {
        if !self.force(thread, info, detail) {
            return;
        }
        let registers = thread.machine.registers();
        thread.page().set_frame(&frame_of(&registers));
        self.redirect(thread, &thread.at_text(text::sigenter(), registers.fs_base, registers.gs_base));
    }

    /// The same after an exception, whose message says where the thread was: nothing else of it need be read or written.
    pub fn exception_signal(&self, thread: &Rc<Thread>, info: SignalInfo, detail: FaultDetail, at: [u64; 3]) {
        if self.begin_handler(thread, &info, detail, at) || !self.force(thread, info, detail) {
            return;
        }
        let [rip, rsp, rflags] = at;
        thread.page().set_interrupted(rip, rsp, rflags);
        let ip = thread.process.own_pages.borrow().text_address + text::trapenter();
        self.answer(thread, Answer::Enter { ip, sp: view::stack_pointer(thread.page_address.get()) });
    }

    /// Lets a thread that has raised an exception begin its handler at once, if that is all there is to do: what the server doesn't know
    /// of it the thread adds to the frame. False if nothing has been done.
    fn begin_handler(&self, thread: &Rc<Thread>, info: &SignalInfo, detail: FaultDetail, at: [u64; 3]) -> bool {
        let signal = info.signal;
        let action = thread.process.action(signal);
        let mask = thread.mask();
        let is_plain = action.handler > SignalAction::IGNORE
            && !mask.contains(signal)
            && thread.deliverable().is_empty()
            && thread.saved_mask.get().is_none()
            && !thread.process.is_stopped()
            // Which exception it was, the FPU's state says.
            && signal != Signal::FPE;
        if !is_plain {
            return false;
        }
        thread.fault.set(detail);
        if frame::push_interrupted(thread, info, action, mask, at).is_err() {
            return false;
        }
        self.taken(thread, info, action);
        thread.set_mask(action.mask_after(mask, signal));
        let ip = thread.process.own_pages.borrow().text_address + text::handlerenter();
        self.answer(thread, Answer::Enter { ip, sp: view::stack_pointer(thread.page_address.get()) });
        true
    }

    /// Stops all threads of a process.
    fn stop_process(&self, process: &Rc<Process>, signal: Signal) {
        self.flush_answer();
        process.life.set(Life::Stopped(signal));
        process.stop_untold.set(true);
        process.continue_untold.set(false);
        for thread in process.threads.borrow().iter() {
            if thread.activity() == Activity::Running {
                thread.machine.suspend();
                thread.set_activity(Activity::Suspended);
            }
        }
        for thread in process.threads.borrow().iter() {
            thread.wake();
        }
        self.tell_parent(process, code::CLD_STOPPED, signal.number().into());
    }

    /// Lets a stopped process go on.
    fn continue_process(&self, process: &Rc<Process>) {
        if !process.is_stopped() {
            return;
        }
        process.life.set(Life::Running);
        process.stop_untold.set(false);
        process.continue_untold.set(true);
        let threads = process.threads.borrow().clone();
        for thread in &threads {
            if let Some(answer) = thread.take_answer() {
                self.answer(thread, answer);
            } else if thread.activity() == Activity::Suspended {
                thread.set_activity(Activity::Running);
                thread.machine.resume();
            }
        }
        self.tell_parent(process, code::CLD_CONTINUED, Signal::CONT.number().into());
        for thread in &threads {
            self.look_at(thread);
        }
    }

    /// SIGCHLD for a stop or a continuation, and a wake-up for whoever waits.
    fn tell_parent(&self, process: &Rc<Process>, why: i32, status: i32) {
        let Some(parent) = self.table.process(process.parent.get()) else { return };
        let action = parent.action(Signal::CHLD);
        if action.flags & action_flag::NOCLDSTOP == 0 {
            self.signal_process(&parent, child_info(process, why, status));
        }
        parent.child_changed.wake(Events::all());
    }
}

/// The SIGCHLD that tells of a child.
pub fn child_info(child: &Process, why: i32, status: i32) -> SignalInfo {
    // Microseconds to ticks of 10 ms.
    let ticks = |micros: u64| (micros / 10_000) as i64;
    let usage = child.total_usage();
    let (user_ticks, system_ticks) = (ticks(usage.user), ticks(usage.system));
    let detail = Detail::Child { pid: child.pid, uid: child.ids.get().user, status, user_ticks, system_ticks };
    SignalInfo { signal: Signal::CHLD, code: why, detail }
}

/// Registers as the thread page keeps them.
pub fn frame_of(registers: &UserContext) -> Frame {
    Frame {
        r15: registers.r15,
        r14: registers.r14,
        r13: registers.r13,
        r12: registers.r12,
        rbp: registers.rbp,
        rbx: registers.rbx,
        r11: registers.r11,
        r10: registers.r10,
        r9: registers.r9,
        r8: registers.r8,
        rax: registers.rax,
        rcx: registers.rcx,
        rdx: registers.rdx,
        rsi: registers.rsi,
        rdi: registers.rdi,
        number: u64::MAX,
        rip: registers.rip,
        cs: 0,
        rflags: registers.rflags,
        rsp: registers.rsp,
        ss: 0,
    }
}
