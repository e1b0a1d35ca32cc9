//! Calls on signals: kill(2), sigaction(2), sigprocmask(2), sigsuspend(2), sigtimedwait(2), sigaltstack(2).

use super::{Call, Outcome};
use crate::clock::duration_of;
use crate::process::capabilities::KILL;
use crate::process::limits;
use crate::process::signal::{AlternateStack, Detail, Signal, SignalAction, SignalInfo, SignalSet, action_flag, code};
use crate::process::{INIT, Process, frame};
use crate::signalfd;
use alloc::rc::Rc;
use chestnut_linux_files::clock::Clock;
use chestnut_linux_files::open::OpenFlags;
use chestnut_linux_files::{Errno, Result};
use chestnut_linux_trampoline::pages::AltStack;
use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use linux_raw_sys::general as linux;

/// Bytes of a signal set, which every call must name.
const SET_BYTES: u64 = 8;

/// A signal argument; 0 asks only whether one might be sent.
pub fn signal_argument(number: u32) -> Result<Option<Signal>> {
    if number == 0 { Ok(None) } else { Signal::new(number.into()).map(Some).ok_or(Errno::EINVAL) }
}

/// kill(2)'s rule about who may signal whom.
pub fn may_signal(call: &Call, target: &Process, signal: Option<Signal>) -> bool {
    let (own, other) = (call.process().ids.get(), target.ids.get());
    let same = [own.effective_user, own.user].iter().any(|&id| id == other.user || id == other.saved_user);
    let continues = signal == Some(Signal::CONT) && target.session.get() == call.process().session.get();
    call.can(KILL) || same || continues
}

pub fn sent_by(call: &Call, signal: Signal, code: i32) -> SignalInfo {
    let detail = Detail::Sender { pid: call.process().pid, uid: call.process().ids.get().user };
    SignalInfo { signal, code, detail }
}

/// After signalling itself a caller may be gone, or has something to take.
pub fn done(call: &Call) -> Outcome {
    match () {
        () if call.thread.ended.get() => Outcome::Gone,
        () if !call.thread.deliverable().is_empty() => Outcome::Signals,
        () => Outcome::Done(0),
    }
}

/// The id of a group, negative: i32::MIN has no positive counterpart.
const LEAST_GROUP: i32 = i32::MIN + 1;

/// kill(pid, signal)
pub fn kill(call: &Call) -> Result<Outcome> {
    let (pid, signal) = (call.int(0), signal_argument(call.half(1))?);
    let table = &call.server.table;
    let targets = match pid {
        i32::MIN => return Err(Errno::ESRCH),
        LEAST_GROUP..-1 => table.group(pid.unsigned_abs()),
        -1 => {
            let mut all = table.processes();
            all.retain(|process| process.pid != INIT && process.pid != call.process().pid);
            all
        }
        0 => table.group(call.process().group.get()),
        _ => {
            let target = call.server.process_or_self(call.process(), pid as u32).ok_or(Errno::ESRCH)?;
            if !may_signal(call, &target, signal) {
                return Err(Errno::EPERM);
            }
            if let Some(signal) = signal {
                call.server.signal_process(&target, sent_by(call, signal, code::USER));
            }
            return Ok(done(call));
        }
    };
    if targets.is_empty() {
        return Err(Errno::ESRCH);
    }
    let mut allowed = false;
    for target in targets {
        if !may_signal(call, &target, signal) {
            continue;
        }
        allowed = true;
        if let Some(signal) = signal {
            call.server.signal_process(&target, sent_by(call, signal, code::USER));
        }
    }
    if allowed { Ok(done(call)) } else { Err(Errno::EPERM) }
}

/// tkill(tid, signal)
pub fn tkill(call: &Call) -> Result<Outcome> {
    signal_thread(call, None, call.int(0), call.half(1))
}
/// tgkill(tgid, tid, signal)
pub fn tgkill(call: &Call) -> Result<Outcome> {
    if call.int(0) <= 0 {
        return Err(Errno::EINVAL);
    }
    signal_thread(call, Some(call.half(0)), call.int(1), call.half(2))
}
fn signal_thread(call: &Call, group: Option<u32>, tid: i32, number: u32) -> Result<Outcome> {
    if tid <= 0 {
        return Err(Errno::EINVAL);
    }
    let thread = call.server.table.thread(tid as u32).ok_or(Errno::ESRCH)?;
    if group.is_some_and(|group| group != thread.process.pid) {
        return Err(Errno::ESRCH);
    }
    let signal = signal_argument(number)?;
    if !may_signal(call, &thread.process, signal) {
        return Err(Errno::EPERM);
    }
    if let Some(signal) = signal {
        call.server.signal_thread(&thread, sent_by(call, signal, code::TKILL));
    }
    Ok(done(call))
}

/// What a program says of a signal that it queues; it may not pass for the kernel or kill(2) towards others.
pub fn queued_info(call: &Call, signal: Signal, address: u64, target: u32) -> Result<SignalInfo> {
    let mut bytes = [0; SignalInfo::BYTES];
    call.space().read(address, &mut bytes)?;
    let info = SignalInfo::from_bytes(signal, &bytes);
    let forged = info.code >= 0 || info.code == code::TKILL;
    if forged && target != call.process().pid { Err(Errno::EPERM) } else { Ok(info) }
}

/// `EAGAIN` for a real-time signal with something to say that finds RLIMIT_SIGPENDING reached.
pub fn check_queue(target: &Process, info: SignalInfo) -> Result<()> {
    let full = target.queued_signals() as u64 >= target.limits.borrow().soft(limits::SIGNALS);
    let loses = info.signal.is_real_time() && info.code != code::USER;
    if full && loses { Err(Errno::EAGAIN) } else { Ok(()) }
}

/// rt_sigqueueinfo(pid, signal, info)
pub fn rt_sigqueueinfo(call: &Call) -> Result<Outcome> {
    let target = call.server.table.process(call.half(0)).ok_or(Errno::ESRCH)?;
    let signal = signal_argument(call.half(1))?;
    if !may_signal(call, &target, signal) {
        return Err(Errno::EPERM);
    }
    if let Some(signal) = signal {
        let info = queued_info(call, signal, call.word(2), target.pid)?;
        check_queue(&target, info)?;
        call.server.signal_process(&target, info);
    }
    Ok(done(call))
}
/// rt_tgsigqueueinfo(tgid, tid, signal, info)
pub fn rt_tgsigqueueinfo(call: &Call) -> Result<Outcome> {
    let thread = call.server.table.thread(call.half(1)).ok_or(Errno::ESRCH)?;
    if thread.process.pid != call.half(0) {
        return Err(Errno::ESRCH);
    }
    let signal = signal_argument(call.half(2))?;
    if !may_signal(call, &thread.process, signal) {
        return Err(Errno::EPERM);
    }
    if let Some(signal) = signal {
        let info = queued_info(call, signal, call.word(3), thread.process.pid)?;
        check_queue(&thread.process, info)?;
        call.server.signal_thread(&thread, info);
    }
    Ok(done(call))
}

/// rt_sigaction(signal, new, old, set size)
pub fn rt_sigaction(call: &Call) -> Result<u64> {
    let (new, old) = (call.word(1), call.word(2));
    let signal = Signal::new(call.half(0).into()).ok_or(Errno::EINVAL)?;
    if call.word(3) != SET_BYTES || (new != 0 && SignalSet::UNBLOCKABLE.contains(signal)) {
        return Err(Errno::EINVAL);
    }
    let space = call.space();
    let action = if new == 0 { None } else { Some(SignalAction::from_words(space.read_words(new)?)) };
    let process = call.process();
    let before = process.action(signal);
    if let Some(mut action) = action {
        action.mask = action.mask.without(SignalSet::UNBLOCKABLE);
        action.flags &= action_flag::KNOWN;
        process.set_action(signal, action);
        // POSIX: a pending signal that is ignored from now on is forgotten.
        if action.ignores(signal) {
            let which = SignalSet::of(signal);
            process.pending.borrow_mut().discard(which);
            for thread in process.threads.borrow().iter() {
                thread.pending.borrow_mut().discard(which);
            }
            call.server.publish_pending(process);
        }
        process.action_was_set(call.thread);
    } else {
        process.show_actions();
    }
    if old != 0 {
        space.write_words(old, &before.to_words())?;
    }
    Ok(0)
}

/// rt_sigprocmask(how, set, old, set size)
pub fn rt_sigprocmask(call: &Call) -> Result<u64> {
    if call.word(3) != SET_BYTES {
        return Err(Errno::EINVAL);
    }
    let space = call.space();
    let before = call.thread.mask();
    if call.word(1) != 0 {
        let set = SignalSet(space.read_u64(call.word(1))?);
        let mask = match call.half(0) {
            linux::SIG_BLOCK => before | set,
            linux::SIG_UNBLOCK => before.without(set),
            linux::SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL),
        };
        call.thread.set_mask(mask);
        if !call.thread.deliverable().is_empty() {
            call.thread.page().set_attention(true);
        }
    }
    if call.word(2) != 0 {
        space.write_u64(call.word(2), before.0)?;
    }
    Ok(0)
}

/// rt_sigpending(set, set size)
pub fn rt_sigpending(call: &Call) -> Result<u64> {
    if call.word(1) > SET_BYTES {
        return Err(Errno::EINVAL);
    }
    let set = call.thread.all_pending() & call.thread.mask();
    call.space().write(call.word(0), &set.0.to_le_bytes()[..call.word(1) as usize])?;
    Ok(0)
}

/// A future that only a signal ends.
async fn never() -> Result<u64> {
    poll_fn(|_| Poll::<()>::Pending).await;
    Err(Errno::EINTR)
}

/// pause()
pub fn pause(call: &Call) -> Outcome {
    call.wait_once(never())
}

/// rt_sigsuspend(mask, set size)
pub fn rt_sigsuspend(call: &Call) -> Result<Outcome> {
    if call.word(1) != SET_BYTES {
        return Err(Errno::EINVAL);
    }
    let mask = SignalSet(call.space().read_u64(call.word(0))?);
    call.thread.set_temporary_mask(mask);
    attention_if_deliverable(call);
    Ok(call.wait_once(never()))
}

/// After a mask was changed by the server: the trampoline must look.
pub fn attention_if_deliverable(call: &Call) {
    if !call.thread.deliverable().is_empty() {
        call.thread.page().set_attention(true);
    }
}

/// rt_sigtimedwait(set, info, timeout, set size)
pub fn rt_sigtimedwait(call: &Call) -> Result<Outcome> {
    let (info_address, timeout) = (call.word(1), call.word(2));
    if call.word(3) != SET_BYTES {
        return Err(Errno::EINVAL);
    }
    let space = call.space();
    let wanted = SignalSet(space.read_u64(call.word(0))?).without(SignalSet::UNBLOCKABLE);
    let (server, thread) = (call.server, call.thread.clone());
    let deadline = match timeout {
        0 => None,
        address => {
            let duration = duration_of(space.read_words(address)?).ok_or(Errno::EINVAL)?;
            Some(server.clock.monotonic() + duration)
        }
    };
    let tell = move |info: SignalInfo| {
        if info_address != 0 {
            space.write(info_address, &info.to_bytes())?;
        }
        Ok(u64::from(info.signal.number()))
    };
    if let Some(info) = server.take(&thread, wanted) {
        return Ok(tell(info).into());
    }
    if deadline.is_some_and(|deadline| deadline <= server.clock.monotonic()) {
        return Err(Errno::EAGAIN);
    }
    thread.awaited.set(wanted);
    // However the wait ends, nothing is awaited any more.
    let awaiting = Awaiting(thread.clone());
    Ok(call.wait_once(async move {
        let _awaiting = awaiting;
        let mut sleep = pin!(async {
            match deadline {
                Some(deadline) => server.clock.sleep_until(deadline).await,
                None => poll_fn(|_| Poll::Pending).await,
            }
        });
        poll_fn(|context| {
            if let Some(info) = server.take(&thread, wanted) {
                return Poll::Ready(tell(info));
            }
            sleep.as_mut().poll(context).map(|()| Err(Errno::EAGAIN))
        })
        .await
    }))
}

struct Awaiting(Rc<crate::process::Thread>);

impl Drop for Awaiting {
    fn drop(&mut self) {
        self.0.awaited.set(SignalSet::EMPTY);
    }
}

/// rt_sigreturn()
pub fn rt_sigreturn(call: &Call) -> Outcome {
    if frame::pop(call.thread).is_err() {
        let detail = crate::process::thread::FaultDetail::default();
        if !call.server.force(call.thread, SignalInfo::kernel(Signal::SEGV), detail) {
            return Outcome::Gone;
        }
        // The registers stay as they are: the handler's frame is put below the broken one.
        return Outcome::Done(0);
    }
    attention_if_deliverable(call);
    Outcome::Restore
}

/// signalfd4(fd, mask, set size, flags)
pub fn signalfd4(call: &Call) -> Result<u64> {
    let flags = OpenFlags::from_bits(call.half(3)).ok_or(Errno::EINVAL)?;
    if call.word(2) != SET_BYTES || !(OpenFlags::NONBLOCKING | OpenFlags::CLOSE_ON_EXEC).contains(flags) {
        return Err(Errno::EINVAL);
    }
    let signals = SignalSet(call.space().read_u64(call.word(1))?).without(SignalSet::UNBLOCKABLE);
    if call.int(0) != -1 {
        signalfd::change(&*call.file(0)?, signals)?;
        return Ok(u64::from(call.half(0)));
    }
    let file = signalfd::open(call.server, signals, flags - OpenFlags::CLOSE_ON_EXEC);
    let descriptors = call.process().descriptors();
    let descriptor = descriptors.borrow_mut().insert(file, flags.contains(OpenFlags::CLOSE_ON_EXEC))?;
    Ok(descriptor as u64)
}
/// signalfd(fd, mask, set size)
pub fn signalfd(call: &Call) -> Result<u64> {
    let [fd, mask, size, ..] = call.arguments;
    let call =
        Call { server: call.server, thread: call.thread, number: call.number, arguments: [fd, mask, size, 0, 0, 0] };
    signalfd4(&call)
}

/// sigaltstack(new, old): as the trampoline does it, for whoever comes by another way.
pub fn sigaltstack(call: &Call) -> Result<u64> {
    const AUTODISARM: u64 = 1 << 31;
    let space = call.space();
    let page = call.thread.page();
    let (stack, sp) = (page.alt_stack(), page.frame().rsp);
    let current = AlternateStack { base: stack.base, size: stack.size };
    let on_it = current.contains(sp) && stack.flags & AUTODISARM == 0;
    let state = match (current.size, on_it) {
        (0, _) => AlternateStack::DISABLE,
        (_, true) => AlternateStack::ON_STACK,
        _ => 0,
    };
    if call.word(0) != 0 {
        let [base, flags, size] = space.read_words(call.word(0))?;
        let flags = flags & 0xffff_ffff;
        if on_it {
            return Err(Errno::EPERM);
        }
        let new = match flags & !AUTODISARM {
            flag if flag == u64::from(AlternateStack::DISABLE) => AltStack { base: 0, size: 0, flags: 0 },
            0 | 1 if size < AlternateStack::MINIMUM_SIZE => return Err(Errno::ENOMEM),
            0 | 1 => AltStack { base, size, flags: flags & AUTODISARM },
            _ => return Err(Errno::EINVAL),
        };
        page.set_alt_stack(new);
    }
    if call.word(1) != 0 {
        space.write_words(call.word(1), &[stack.base, u64::from(state) | stack.flags, stack.size])?;
    }
    Ok(0)
}
