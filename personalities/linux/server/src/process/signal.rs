//! Signals as data: sets, what a signal carries, queues of pending signals, and what a process wants done.
//!
//! Everything here is plain values, so that the rules of signal(7) — which signals coalesce, which are queued, which is
//! taken first, what happens by default — are tested without a machine. Delivery is in [`super::delivery`].

use alloc::collections::VecDeque;
use core::ops::{BitAnd, BitOr, Not};

/// A signal's number, 1–64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signal(u8);

macro_rules! signals {
    ($($name:ident = $number:literal),* $(,)?) => {
        impl Signal { $(pub const $name: Self = Self($number);)* }
        const NAMES: &[(u8, &str)] = &[$(($number, concat!("SIG", stringify!($name))),)*];
    };
}
signals! {
    HUP = 1, INT = 2, QUIT = 3, ILL = 4, TRAP = 5, ABRT = 6, BUS = 7, FPE = 8, KILL = 9, USR1 = 10, SEGV = 11, USR2 = 12,
    PIPE = 13, ALRM = 14, TERM = 15, STKFLT = 16, CHLD = 17, CONT = 18, STOP = 19, TSTP = 20, TTIN = 21, TTOU = 22,
    URG = 23, XCPU = 24, XFSZ = 25, VTALRM = 26, PROF = 27, WINCH = 28, IO = 29, PWR = 30, SYS = 31,
}

impl Signal {
    pub const COUNT: usize = 64;

    pub const fn new(number: u64) -> Option<Self> {
        if number >= 1 && number <= Self::COUNT as u64 { Some(Self(number as u8)) } else { None }
    }
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=Self::COUNT as u8).map(Self)
    }
    pub const fn number(self) -> u8 {
        self.0
    }
    /// Real-time signals are queued, one entry each time they are sent.
    pub const fn is_real_time(self) -> bool {
        self.0 >= 32
    }
    /// The name as kill(1) lists it, if the signal has one.
    pub fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|(number, _)| *number == self.0).map(|(_, name)| *name)
    }
    /// What happens when no handler is set.
    pub const fn default_action(self) -> DefaultAction {
        match self {
            Self::CHLD | Self::URG | Self::WINCH => DefaultAction::Ignore,
            Self::CONT => DefaultAction::Continue,
            Self::STOP | Self::TSTP | Self::TTIN | Self::TTOU => DefaultAction::Stop,
            _ => DefaultAction::Terminate,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAction {
    /// Also where Linux would write a core file.
    Terminate,
    Ignore,
    Stop,
    Continue,
}

/// A set of signals, as the 64-bit mask that programs pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalSet(pub u64);

impl SignalSet {
    pub const EMPTY: Self = Self(0);
    /// SIGKILL and SIGSTOP: never blocked, caught or ignored.
    pub const UNBLOCKABLE: Self = Self(1 << (Signal::KILL.0 - 1) | 1 << (Signal::STOP.0 - 1));
    /// Signals that a fault of the thread's own raises; taken before others.
    pub const SYNCHRONOUS: Self = Self(
        1 << (Signal::SEGV.0 - 1)
            | 1 << (Signal::BUS.0 - 1)
            | 1 << (Signal::ILL.0 - 1)
            | 1 << (Signal::TRAP.0 - 1)
            | 1 << (Signal::FPE.0 - 1)
            | 1 << (Signal::SYS.0 - 1),
    );
    /// The signals that stop by default.
    pub const STOPPING: Self = Self(
        1 << (Signal::STOP.0 - 1) | 1 << (Signal::TSTP.0 - 1) | 1 << (Signal::TTIN.0 - 1) | 1 << (Signal::TTOU.0 - 1),
    );

    pub const fn of(signal: Signal) -> Self {
        Self(1 << (signal.0 - 1))
    }
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & 1 << (signal.0 - 1) != 0
    }
    pub const fn with(self, signal: Signal) -> Self {
        Self(self.0 | 1 << (signal.0 - 1))
    }
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// The member that is taken first: synchronous ones, then by number.
    pub fn first(self) -> Option<Signal> {
        let synchronous = self.0 & Self::SYNCHRONOUS.0;
        let candidates = if synchronous != 0 { synchronous } else { self.0 };
        Signal::new(u64::from(candidates.trailing_zeros()) + 1)
    }
}
impl BitOr for SignalSet {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
impl BitAnd for SignalSet {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}
impl Not for SignalSet {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}

/// Why a signal was sent (si_code), where it isn't the kernel's own number per signal.
pub mod code {
    pub const USER: i32 = 0;
    pub const KERNEL: i32 = 0x80;
    pub const QUEUE: i32 = -1;
    pub const TIMER: i32 = -2;
    pub const TKILL: i32 = -6;
    pub const SEGV_MAPERR: i32 = 1;
    pub const SEGV_ACCERR: i32 = 2;
    pub const BUS_ADRALN: i32 = 1;
    pub const BUS_ADRERR: i32 = 2;
    pub const FPE_INTDIV: i32 = 1;
    pub const FPE_FLTDIV: i32 = 3;
    pub const FPE_FLTOVF: i32 = 4;
    pub const FPE_FLTUND: i32 = 5;
    pub const FPE_FLTRES: i32 = 6;
    pub const FPE_FLTINV: i32 = 7;
    pub const ILL_ILLOPN: i32 = 2;
    pub const TRAP_BRKPT: i32 = 1;
    pub const TRAP_TRACE: i32 = 2;
    pub const CLD_EXITED: i32 = 1;
    pub const CLD_KILLED: i32 = 2;
    pub const CLD_STOPPED: i32 = 5;
    pub const CLD_CONTINUED: i32 = 6;
}

/// What a signal carries besides its number and code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    None,
    Sender {
        pid: u32,
        uid: u32,
    },
    Value {
        pid: u32,
        uid: u32,
        value: u64,
    },
    Child {
        pid: u32,
        uid: u32,
        status: i32,
        user_ticks: i64,
        system_ticks: i64,
    },
    Fault {
        address: u64,
    },
    /// Of a POSIX timer: its id, and how many expirations beside the first this tells of.
    Timer {
        id: u32,
        overrun: u32,
        value: u64,
    },
    /// Of a file (O_ASYNC): what it is ready for as poll(2) says it, and by which descriptor.
    File {
        band: u32,
        descriptor: i32,
    },
    /// A call that seccomp has trapped, with what the filter says of it.
    SystemCall {
        address: u64,
        number: u32,
        data: u32,
    },
}

/// One sent signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalInfo {
    pub signal: Signal,
    pub code: i32,
    pub detail: Detail,
}

impl SignalInfo {
    pub const BYTES: usize = 128;

    pub const fn kernel(signal: Signal) -> Self {
        Self { signal, code: code::KERNEL, detail: Detail::None }
    }
    pub const fn fault(signal: Signal, code: i32, address: u64) -> Self {
        Self { signal, code, detail: Detail::Fault { address } }
    }

    /// `siginfo_t` as programs see it.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        for (chunk, word) in bytes.as_chunks_mut().0.iter_mut().zip(self.to_words()) {
            *chunk = word.to_le_bytes();
        }
        bytes
    }
    /// Its first words; all others are 0.
    pub const fn to_words(&self) -> [u64; 6] {
        const fn pair(low: u32, high: u32) -> u64 {
            low as u64 | (high as u64) << 32
        }
        let [first, second, third, fourth] = match self.detail {
            Detail::None => [0; 4],
            Detail::Sender { pid, uid } => [pair(pid, uid), 0, 0, 0],
            Detail::Value { pid, uid, value } => [pair(pid, uid), value, 0, 0],
            Detail::Child { pid, uid, status, user_ticks, system_ticks } => {
                [pair(pid, uid), pair(status as u32, 0), user_ticks as u64, system_ticks as u64]
            }
            Detail::Fault { address } => [address, 0, 0, 0],
            Detail::Timer { id, overrun, value } => [pair(id, overrun), value, 0, 0],
            Detail::File { band, descriptor } => [band as u64, pair(descriptor as u32, 0), 0, 0],
            Detail::SystemCall { address, number, .. } => [address, pair(number, super::seccomp::ARCHITECTURE), 0, 0],
        };
        // `si_errno`, which only one kind has.
        let error = if let Detail::SystemCall { data, .. } = self.detail { data } else { 0 };
        [pair(self.signal.0 as u32, error), pair(self.code as u32, 0), first, second, third, fourth]
    }

    /// What a program passed to rt_sigqueueinfo, for `signal`.
    pub fn from_bytes(signal: Signal, bytes: &[u8; Self::BYTES]) -> Self {
        let word = |offset: usize| {
            u32::from_le_bytes([bytes[offset], bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]])
        };
        let value = u64::from(word(24)) | u64::from(word(28)) << 32;
        Self { signal, code: word(8) as i32, detail: Detail::Value { pid: word(16), uid: word(20), value } }
    }
}

/// Signals sent and not yet taken, of one thread or of a whole process.
#[derive(Debug, Default)]
pub struct PendingSignals {
    set: SignalSet,
    queue: VecDeque<SignalInfo>,
}

impl PendingSignals {
    /// Signals queued beyond this many are kept as a bit only, without what they carry (RLIMIT_SIGPENDING's spirit).
    const LIMIT: usize = 1024;

    pub const fn set(&self) -> SignalSet {
        self.set
    }
    /// A standard signal that is pending already is not queued again. Returns false if a real-time signal found no room.
    pub fn push(&mut self, info: SignalInfo) -> bool {
        if !info.signal.is_real_time() && self.set.contains(info.signal) {
            return true;
        }
        if self.queue.len() >= Self::LIMIT {
            if info.signal.is_real_time() {
                return false;
            }
        } else {
            self.queue.push_back(info);
        }
        self.set = self.set.with(info.signal);
        true
    }
    /// How many are queued.
    pub fn len(&self) -> usize {
        self.queue.len()
    }
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
    /// Adds expirations to the signal of a timer that is pending still; false if none is.
    pub fn overrun(&mut self, timer: u32, more: u32) -> bool {
        for info in &mut self.queue {
            if let Detail::Timer { id, overrun, .. } = &mut info.detail
                && *id == timer
            {
                *overrun = overrun.saturating_add(more).saturating_add(1).min(i32::MAX as u32);
                return true;
            }
        }
        false
    }
    /// Takes the first signal that is in `wanted`.
    #[inline]
    pub fn take(&mut self, wanted: SignalSet) -> Option<SignalInfo> {
        (self.set & wanted).first().and_then(|signal| self.take_first(signal))
    }
    fn take_first(&mut self, signal: Signal) -> Option<SignalInfo> {
        // Mostly it is the only one.
        if self.queue.len() == 1 && self.queue.front().is_some_and(|info| info.signal == signal) {
            self.set = self.set.without(SignalSet::of(signal));
            return self.queue.pop_front();
        }
        let Some(position) = self.queue.iter().position(|info| info.signal == signal) else {
            self.set = self.set.without(SignalSet::of(signal));
            return Some(SignalInfo { signal, code: code::USER, detail: Detail::None });
        };
        let info = if position == 0 { self.queue.pop_front()? } else { self.queue.remove(position)? };
        if self.queue.is_empty() || !self.queue.iter().any(|other| other.signal == signal) {
            self.set = self.set.without(SignalSet::of(signal));
        }
        Some(info)
    }
    /// Forgets all signals in `which`.
    pub fn discard(&mut self, which: SignalSet) {
        self.queue.retain(|info| !which.contains(info.signal));
        self.set = self.set.without(which);
    }
}

/// Flags of a [`SignalAction`] (SA_…).
pub mod action_flag {
    pub const NOCLDSTOP: u64 = 1;
    pub const NOCLDWAIT: u64 = 2;
    pub const SIGINFO: u64 = 4;
    pub const RESTORER: u64 = 0x0400_0000;
    pub const ONSTACK: u64 = 0x0800_0000;
    pub const RESTART: u64 = 0x1000_0000;
    pub const NODEFER: u64 = 0x4000_0000;
    pub const RESETHAND: u64 = 0x8000_0000;
    /// All that are kept.
    pub const KNOWN: u64 = chestnut_linux_trampoline::pages::ACTION_FLAGS as u64;
}

/// What a process asked to be done on a signal: `struct sigaction` as the system call takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalAction {
    /// 0: default, 1: ignore, else the handler's address.
    pub handler: u64,
    pub flags: u64,
    pub restorer: u64,
    pub mask: SignalSet,
}

impl SignalAction {
    pub const DEFAULT: u64 = 0;
    pub const IGNORE: u64 = 1;
    pub const BYTES: usize = 32;

    /// What is blocked while the handler runs for this signal, if `mask` was before.
    pub const fn mask_after(self, mask: SignalSet, signal: Signal) -> SignalSet {
        let blocked = SignalSet(mask.0 | self.mask.0);
        if self.flags & action_flag::NODEFER == 0 { blocked.with(signal) } else { blocked }
    }

    /// Whether the signal, if it is not blocked, is thrown away when sent.
    pub fn ignores(self, signal: Signal) -> bool {
        match self.handler {
            Self::IGNORE => true,
            Self::DEFAULT => signal.default_action() == DefaultAction::Ignore,
            _ => false,
        }
    }

    pub fn to_words(self) -> [u64; 4] {
        [self.handler, self.flags, self.restorer, self.mask.0]
    }
    pub const fn from_words([handler, flags, restorer, mask]: [u64; 4]) -> Self {
        Self { handler, flags, restorer, mask: SignalSet(mask) }
    }
}

/// A process's action for every signal.
#[derive(Clone, Debug)]
pub struct SignalActions([SignalAction; Signal::COUNT]);

impl Default for SignalActions {
    fn default() -> Self {
        Self([SignalAction::default(); Signal::COUNT])
    }
}

impl SignalActions {
    pub const fn get(&self, signal: Signal) -> SignalAction {
        self.0[signal.0 as usize - 1]
    }
    pub const fn set(&mut self, signal: Signal, action: SignalAction) {
        self.0[signal.0 as usize - 1] = action;
    }
    /// In the order of their signals.
    pub const fn all(&self) -> &[SignalAction; Signal::COUNT] {
        &self.0
    }
    /// execve: handlers go back to the default, ignored signals stay ignored.
    pub fn reset_handlers(&mut self) {
        for action in &mut self.0 {
            let handler =
                if action.handler == SignalAction::IGNORE { SignalAction::IGNORE } else { SignalAction::DEFAULT };
            *action = SignalAction { handler, ..SignalAction::default() };
        }
    }
    /// The signals whose handler is a function, and those ignored: SigCgt and SigIgn of /proc/PID/status.
    pub fn caught_and_ignored(&self) -> (SignalSet, SignalSet) {
        let (mut caught, mut ignored) = (0, 0);
        for (bit, action) in self.0.iter().enumerate() {
            match action.handler {
                SignalAction::DEFAULT => {}
                SignalAction::IGNORE => ignored |= 1 << bit,
                _ => caught |= 1 << bit,
            }
        }
        (SignalSet(caught), SignalSet(ignored))
    }
}

/// The stack that handlers with SA_ONSTACK run on: `stack_t`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlternateStack {
    pub base: u64,
    /// Bytes; 0 when there is none.
    pub size: u64,
}

impl AlternateStack {
    pub const ON_STACK: u32 = 1;
    pub const DISABLE: u32 = 2;
    pub const MINIMUM_SIZE: u64 = 2048;

    pub const fn contains(&self, sp: u64) -> bool {
        self.size != 0 && sp > self.base && sp - self.base <= self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(signal: Signal, value: u64) -> SignalInfo {
        SignalInfo { signal, code: code::QUEUE, detail: Detail::Value { pid: 1, uid: 0, value } }
    }

    #[test]
    fn standard_signals_coalesce_and_keep_the_first_info() {
        let mut pending = PendingSignals::default();
        assert!(pending.push(sent(Signal::USR1, 1)));
        assert!(pending.push(sent(Signal::USR1, 2)));
        assert_eq!(pending.take(!SignalSet::EMPTY), Some(sent(Signal::USR1, 1)));
        assert_eq!(pending.take(!SignalSet::EMPTY), None);
    }

    #[test]
    fn real_time_signals_queue_in_order_and_up_to_a_limit() {
        let signal = Signal::new(34).unwrap();
        let mut pending = PendingSignals::default();
        for value in 0..PendingSignals::LIMIT as u64 {
            assert!(pending.push(sent(signal, value)));
        }
        assert!(!pending.push(sent(signal, 9999)));
        assert_eq!(pending.take(SignalSet::of(signal)), Some(sent(signal, 0)));
        assert_eq!(pending.take(SignalSet::of(signal)), Some(sent(signal, 1)));
        assert!(pending.set().contains(signal));
    }

    #[test]
    fn faults_come_first_then_the_lowest_number() {
        let mut pending = PendingSignals::default();
        for signal in [Signal::TERM, Signal::HUP, Signal::SEGV] {
            pending.push(SignalInfo::kernel(signal));
        }
        let order: [Option<Signal>; 3] =
            core::array::from_fn(|_| pending.take(!SignalSet::EMPTY).map(|info| info.signal));
        assert_eq!(order, [Some(Signal::SEGV), Some(Signal::HUP), Some(Signal::TERM)]);
    }

    #[test]
    fn blocked_signals_stay() {
        let mut pending = PendingSignals::default();
        pending.push(SignalInfo::kernel(Signal::INT));
        assert_eq!(pending.take(!SignalSet::of(Signal::INT)), None);
        pending.discard(SignalSet::of(Signal::INT));
        assert_eq!(pending.take(!SignalSet::EMPTY), None);
    }

    #[test]
    fn a_full_queue_keeps_standard_signals_as_a_bit() {
        let mut pending = PendingSignals::default();
        let real_time = Signal::new(40).unwrap();
        for value in 0..PendingSignals::LIMIT as u64 {
            pending.push(sent(real_time, value));
        }
        assert!(pending.push(sent(Signal::TERM, 7)));
        let taken = pending.take(SignalSet::of(Signal::TERM)).unwrap();
        assert_eq!((taken.signal, taken.detail), (Signal::TERM, Detail::None));
        assert!(!pending.set().contains(Signal::TERM));
    }

    #[test]
    fn exec_keeps_only_what_is_ignored() {
        let mut actions = SignalActions::default();
        actions.set(Signal::INT, SignalAction { handler: SignalAction::IGNORE, ..SignalAction::default() });
        actions.set(
            Signal::TERM,
            SignalAction { handler: 0x1000, flags: action_flag::RESTART, ..SignalAction::default() },
        );
        actions.reset_handlers();
        let ignores = |signal| actions.get(signal).ignores(signal);
        assert!(ignores(Signal::INT));
        assert_eq!(actions.get(Signal::TERM), SignalAction::default());
        assert!(ignores(Signal::CHLD) && !ignores(Signal::TERM));
    }

    #[test]
    fn siginfo_has_linux_offsets() {
        let info = SignalInfo {
            signal: Signal::CHLD,
            code: code::CLD_KILLED,
            detail: Detail::Child { pid: 5, uid: 6, status: 9, user_ticks: 1, system_ticks: 2 },
        };
        let bytes = info.to_bytes();
        assert_eq!((bytes[0], bytes[8], bytes[16], bytes[20], bytes[24], bytes[32], bytes[40]), (17, 2, 5, 6, 9, 1, 2));
        let queued = sent(Signal::USR2, 0x1234_5678_9abc);
        assert_eq!(SignalInfo::from_bytes(Signal::USR2, &queued.to_bytes()), queued);
    }

    #[test]
    fn alternate_stack_bounds() {
        let stack = AlternateStack { base: 0x1000, size: 0x1000 };
        assert!(stack.contains(0x2000) && stack.contains(0x1001) && !stack.contains(0x1000) && !stack.contains(0x2001));
        assert!(!AlternateStack::default().contains(1));
    }
}
