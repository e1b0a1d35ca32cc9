//! One argument of a system call as text. What the program's memory holds is read as the call itself reads it: a bad address is
//! shown as a number.

use super::names::{self, Names, one};
use super::signature::Kind;
use crate::memory::AddressSpace;
use crate::process::signal::{AlternateStack, Signal, SignalInfo, SignalSet};
use crate::syscall::Call;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;

/// Most bytes of a buffer that are shown, and most entries of a list.
const MOST_BYTES: usize = 32;
const MOST_ENTRIES: usize = 16;
/// Most bytes of a path.
const MOST_PATH: usize = 256;
/// O_CREAT and the bit of O_TMPFILE: then the mode counts.
const MAKES_FILE: u64 = 0o100 | 0o20_000_000;

/// Flags by name; bits without one as a number.
pub fn flags(value: u64, names: Names) -> String {
    let mut rest = value;
    let mut text = String::new();
    for (bits, name) in names {
        if *bits != 0 && rest & bits == *bits {
            rest &= !bits;
            if !text.is_empty() {
                text.push('|');
            }
            text.push_str(name);
        }
    }
    match (text.is_empty(), rest) {
        (false, 0) => text,
        (false, rest) => format!("{text}|{rest:#x}"),
        (true, 0) => one(0, names).unwrap_or("0").to_string(),
        (true, rest) => format!("{rest:#x}"),
    }
}

/// Bytes in quotation marks, what isn't ASCII escaped.
pub fn quoted(bytes: &[u8], most: usize) -> String {
    let shown = &bytes[..bytes.len().min(most)];
    let dots = if bytes.len() > most { "..." } else { "" };
    let mut text = String::new();
    for &byte in shown {
        match byte {
            b'\'' => text.push('\''),
            _ => text.extend(core::ascii::escape_default(byte).map(char::from)),
        }
    }
    format!("\"{text}\"{dots}")
}

/// A signal's name or number.
pub fn signal(number: u64) -> String {
    match Signal::new(number) {
        Some(signal) if signal.is_real_time() => match number - 32 {
            0 => "SIGRTMIN".to_string(),
            offset => format!("SIGRT_{offset}"),
        },
        Some(signal) => signal.name().unwrap_or("?").to_string(),
        None => number.to_string(),
    }
}

/// A set of signals; of a nearly full one, what is missing.
pub fn signals(set: SignalSet) -> String {
    let list = |set: SignalSet| {
        let members = (1..=Signal::COUNT as u64).filter(|&number| set.0 & 1 << (number - 1) != 0);
        members.map(|number| signal(number).replacen("SIG", "", 1)).collect::<Vec<_>>().join(" ")
    };
    if set.0.count_ones() > 48 { format!("~[{}]", list(SignalSet(!set.0))) } else { format!("[{}]", list(set)) }
}

/// What came with a signal.
pub fn info(info: &SignalInfo) -> String {
    use crate::process::signal::Detail;
    let name = signal(info.signal.number().into());
    let code = match one(u64::from(info.code as u32), names::SIGNAL_CODE) {
        Some(code) => code.to_string(),
        None => info.code.to_string(),
    };
    let detail = match info.detail {
        Detail::Sender { pid, uid } => format!(", si_pid={pid}, si_uid={uid}"),
        Detail::Value { pid, uid, value } => format!(", si_pid={pid}, si_uid={uid}, si_value={value:#x}"),
        Detail::Child { pid, uid, status, .. } => format!(", si_pid={pid}, si_uid={uid}, si_status={status}"),
        Detail::Fault { address } => format!(", si_addr={address:#x}"),
        Detail::Timer { id, overrun, value } => format!(", si_timerid={id}, si_overrun={overrun}, si_value={value:#x}"),
        Detail::File { band, descriptor } => format!(", si_band={band:#x}, si_fd={descriptor}"),
        Detail::SystemCall { address, number, .. } => format!(", si_call_addr={address:#x}, si_syscall={number}"),
        Detail::None => String::new(),
    };
    format!("{{si_signo={name}, si_code={code}{detail}}}")
}

fn pointer(address: u64) -> String {
    if address == 0 { "NULL".to_string() } else { format!("{address:#x}") }
}

fn string(space: &AddressSpace, address: u64) -> Option<String> {
    let mut bytes = vec![0; MOST_PATH];
    let length = space.read_some(address, &mut bytes);
    bytes.truncate(length);
    match bytes.iter().position(|&byte| byte == 0) {
        Some(end) => Some(quoted(&bytes[..end], MOST_PATH)),
        None if length == MOST_PATH => Some(format!("{}...", quoted(&bytes, MOST_PATH))),
        None => None,
    }
}

fn bytes(space: &AddressSpace, address: u64, length: u64) -> Option<String> {
    let wanted = length.min(MOST_BYTES as u64 + 1) as usize;
    let mut bytes = vec![0; wanted];
    (space.read_some(address, &mut bytes) == wanted).then(|| quoted(&bytes, MOST_BYTES))
}

fn words<const N: usize>(space: &AddressSpace, address: u64) -> Option<[u64; N]> {
    space.read_words(address).ok()
}

fn seconds([seconds, rest]: [u64; 2], unit: &str) -> String {
    format!("{{tv_sec={}, tv_{unit}={}}}", seconds as i64, rest as i64)
}
/// Two times: interval and value of a timer, or access and modification.
fn two_times(words: [u64; 4], unit: &str) -> String {
    format!("[{}, {}]", seconds([words[0], words[1]], unit), seconds([words[2], words[3]], unit))
}

fn pointers(space: &AddressSpace, address: u64) -> Option<Vec<u64>> {
    let mut list = Vec::new();
    loop {
        let word = space.read_u64(address.checked_add(8 * list.len() as u64)?).ok()?;
        if word == 0 || list.len() > 4096 {
            return Some(list);
        }
        list.push(word);
    }
}

fn vector(space: &AddressSpace, address: u64, count: u64, moved: Option<u64>) -> Option<String> {
    let pieces = space.read_vector(address, count.min(MOST_ENTRIES as u64)).ok()?;
    let mut left = moved.unwrap_or(u64::MAX);
    let mut shown = Vec::new();
    for piece in pieces {
        let length = piece.length.min(left);
        left -= length;
        let contents = bytes(space, piece.base, length).unwrap_or_else(|| pointer(piece.base));
        shown.push(format!("{{iov_base={contents}, iov_len={}}}", piece.length));
    }
    Some(format!("[{}]", shown.join(", ")))
}

fn polled(space: &AddressSpace, address: u64, count: u64) -> Option<String> {
    let mut shown = Vec::new();
    for index in 0..count.min(MOST_ENTRIES as u64) {
        let word = space.read_u64(address.checked_add(8 * index)?).ok()?;
        let events = flags(word >> 32 & 0xffff, names::POLL);
        shown.push(format!("{{fd={}, events={events}}}", word as i32));
    }
    Some(format!("[{}]", shown.join(", ")))
}

fn file_status(words: [u64; 18]) -> String {
    let mode = words[3] & 0xffff_ffff;
    let kind = one(mode & 0o170_000, names::FILE_KIND).unwrap_or("0");
    let permissions = mode & 0o7777;
    if matches!(kind, "S_IFCHR" | "S_IFBLK") {
        let device = words[5];
        return format!(
            "{{st_mode={kind}|0{permissions:o}, st_rdev=makedev({:#x}, {:#x}), ...}}",
            device >> 8 & 0xfff,
            device & 0xff | device >> 12 & 0xfff00
        );
    }
    format!("{{st_mode={kind}|0{permissions:o}, st_size={}, ...}}", words[6])
}

fn action([handler, flag_bits, restorer, mask]: [u64; 4]) -> String {
    let handler = match handler {
        0 => "SIG_DFL".to_string(),
        1 => "SIG_IGN".to_string(),
        address => format!("{address:#x}"),
    };
    let mut text = format!(
        "{{sa_handler={handler}, sa_mask={}, sa_flags={}",
        signals(SignalSet(mask)),
        flags(flag_bits, names::ACTION)
    );
    if restorer != 0 {
        let _ = write!(text, ", sa_restorer={restorer:#x}");
    }
    text.push('}');
    text
}

fn stack([base, bits, size]: [u64; 3]) -> String {
    let bits = flags(bits & 0xffff_ffff, names::STACK);
    format!("{{ss_sp={}, ss_flags={bits}, ss_size={size}}}", pointer(base))
}

fn limit([soft, hard]: [u64; 2]) -> String {
    let show = |value: u64| if value == u64::MAX { "RLIM64_INFINITY".to_string() } else { value.to_string() };
    format!("{{rlim_cur={}, rlim_max={}}}", show(soft), show(hard))
}

fn status(word: u32) -> String {
    let signal_of = |number: u32| signal(number.into());
    match (word & 0x7f, word >> 8 & 0xff) {
        _ if word == 0xffff => "[{WIFCONTINUED(s)}]".to_string(),
        (0, code) => format!("[{{WIFEXITED(s) && WEXITSTATUS(s) == {code}}}]"),
        (0x7f, number) => format!("[{{WIFSTOPPED(s) && WSTOPSIG(s) == {}}}]", signal_of(number)),
        (number, _) => format!("[{{WIFSIGNALED(s) && WTERMSIG(s) == {}}}]", signal_of(number)),
    }
}

fn clone_arguments(space: &AddressSpace, address: u64) -> Option<String> {
    let [bits, pidfd, child, parent, exit, stack, size, tls] = words(space, address)?;
    let exit = signal(exit);
    Some(format!(
        "{{flags={}, pidfd={}, child_tid={}, parent_tid={}, exit_signal={exit}, stack={}, stack_size={size:#x}, tls={}}}",
        flags(bits, names::CLONE),
        pointer(pidfd),
        pointer(child),
        pointer(parent),
        pointer(stack),
        pointer(tls)
    ))
}

/// The text of argument `index`. `result` is there once the call has been carried out.
pub fn show(call: &Call, kind: Kind, index: usize, result: Option<u64>) -> String {
    let value = call.arguments[index];
    let half = value & 0xffff_ffff;
    let space = call.space();
    let next = call.arguments.get(index + 1).copied().unwrap_or(0);
    let failed = result.is_some_and(|result| result > -4096i64 as u64);
    if value == 0 && is_pointer(kind) {
        return "NULL".to_string();
    }
    if failed && kind.is_result() {
        return pointer(value);
    }
    let times = |unit: &str| words(&space, value).map(|words| seconds(words, unit));
    let pairs = |unit: &str| words(&space, value).map(|words| two_times(words, unit));
    let shown = match kind {
        Kind::Int => Some((value as i32).to_string()),
        Kind::Size => Some(value.to_string()),
        Kind::Long => Some((value as i64).to_string()),
        Kind::Mode => Some(format!("0{half:o}")),
        Kind::CreateMode => Some(format!("0{half:o}")),
        Kind::Hex => None,
        Kind::Bits => Some(if value == 0 { "0".to_string() } else { format!("{value:#x}") }),
        Kind::At => Some(if value as i32 == -100 { "AT_FDCWD".to_string() } else { (value as i32).to_string() }),
        Kind::Path => string(&space, value),
        Kind::In => bytes(&space, value, next),
        Kind::Out => bytes(&space, value, result.unwrap_or(0)),
        Kind::OutString => string(&space, value),
        Kind::Strings => pointers(&space, value).map(|list| {
            let shown: Vec<String> =
                list.iter().take(MOST_ENTRIES).map(|&at| string(&space, at).unwrap_or_else(|| pointer(at))).collect();
            format!("[{}{}]", shown.join(", "), if list.len() > MOST_ENTRIES { ", ..." } else { "" })
        }),
        Kind::Environment => pointers(&space, value).map(|list| format!("{value:#x} /* {} vars */", list.len())),
        Kind::Flags(names) => Some(if names.as_ptr() == names::OPEN.as_ptr() {
            open_flags(half)
        } else if names.as_ptr() == names::ACCESS.as_ptr() && half == 0 {
            "F_OK".to_string()
        } else {
            flags(half, names)
        }),
        Kind::One(names) => Some(match one(half, names) {
            Some(name) => name.to_string(),
            None => format!("{half:#x}"),
        }),
        Kind::OneWith(choices, flag_names) => {
            let all = flag_names.iter().fold(0, |all, (bits, _)| all | bits);
            let choice = one(half & !all, choices).map_or_else(|| format!("{:#x}", half & !all), str::to_string);
            Some(if half & all == 0 { choice } else { format!("{choice}|{}", flags(half & all, flag_names)) })
        }
        Kind::Signal => Some(signal(half)),
        Kind::Clone => {
            let bits = flags(value & !0xff, names::CLONE);
            Some(match value & 0xff {
                0 => bits,
                exit if value & !0xff == 0 => signal(exit),
                exit => format!("{bits}|{}", signal(exit)),
            })
        }
        Kind::SignalSet | Kind::SignalSetOut => space.read_u64(value).ok().map(|set| signals(SignalSet(set))),
        Kind::Action | Kind::ActionOut => words(&space, value).map(action),
        Kind::Stack | Kind::StackOut => words(&space, value).map(stack),
        Kind::Time | Kind::TimeOut => times("nsec"),
        Kind::Times | Kind::TimesOut => pairs("nsec"),
        Kind::Micros | Kind::MicrosOut => times("usec"),
        Kind::MicrosPair | Kind::MicrosPairOut => pairs("usec"),
        Kind::Stat => words(&space, value).map(file_status),
        Kind::IntsOut(count) => {
            let list: Option<Vec<String>> = (0..count as u64)
                .map(|index| space.read_u32(value.wrapping_add(4 * index)).ok().map(|word| (word as i32).to_string()))
                .collect();
            list.map(|list| format!("[{}]", list.join(", ")))
        }
        Kind::WordOut => space.read_u64(value).ok().map(|word| format!("[{word:#x}]")),
        Kind::Status if result == Some(0) => None,
        Kind::Status => space.read_u32(value).ok().map(status),
        Kind::Limit | Kind::LimitOut => words(&space, value).map(limit),
        Kind::VectorIn => vector(&space, value, next, None),
        Kind::VectorOut => vector(&space, value, next, result),
        Kind::Poll => polled(&space, value, next),
        Kind::CloneArguments => clone_arguments(&space, value),
        Kind::InfoOut => {
            let mut bytes = [0; SignalInfo::BYTES];
            let read = space.read(value, &mut bytes).ok();
            read.and_then(|()| Signal::new(bytes[0].into())).map(|signal| info(&SignalInfo::from_bytes(signal, &bytes)))
        }
        Kind::Names => {
            string(&space, value.wrapping_add(65)).map(|name| format!("{{sysname=\"Linux\", nodename={name}, ...}}"))
        }
    };
    shown.unwrap_or_else(|| pointer(value))
}

/// The access mode is a number of two bits, not flags.
fn open_flags(value: u64) -> String {
    let access = match value & 3 {
        0 => "O_RDONLY",
        1 => "O_WRONLY",
        2 => "O_RDWR",
        _ => "O_ACCMODE",
    };
    match value & !3 {
        0 => access.to_string(),
        rest => format!("{access}|{}", flags(rest, names::OPEN)),
    }
}

const fn is_pointer(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Int
            | Kind::Size
            | Kind::Long
            | Kind::Bits
            | Kind::Mode
            | Kind::CreateMode
            | Kind::At
            | Kind::Flags(_)
            | Kind::One(_)
            | Kind::OneWith(..)
            | Kind::Signal
            | Kind::Clone
    )
}

/// An argument that the call doesn't look at, and all after it.
pub fn is_absent(call: &Call, kind: Kind, index: usize) -> bool {
    matches!(kind, Kind::CreateMode) && index > 0 && call.arguments[index - 1] & MAKES_FILE == 0
}

// `AlternateStack`'s flags and the names here are the same numbers.
const _: () = assert!(AlternateStack::ON_STACK == 1 && AlternateStack::DISABLE == 2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_names_and_unknown_bits_numbers() {
        assert_eq!(flags(3, names::PROTECTION), "PROT_READ|PROT_WRITE");
        assert_eq!(flags(0, names::PROTECTION), "0");
        assert_eq!(flags(0x41, names::PROTECTION), "PROT_READ|0x40");
        assert_eq!(open_flags(0o2_000_000), "O_RDONLY|O_CLOEXEC");
        assert_eq!(open_flags(0o1101), "O_WRONLY|O_CREAT|O_TRUNC");
        assert_eq!(flags(0x22, names::MAP), "MAP_PRIVATE|MAP_ANONYMOUS");
    }

    #[test]
    fn bytes_are_escaped_and_cut() {
        assert_eq!(quoted(b"a\n\x7f\"", 32), "\"a\\n\\x7f\\\"\"");
        assert_eq!(quoted(b"abcdef", 3), "\"abc\"...");
    }

    #[test]
    fn signals_by_name() {
        assert_eq!(
            (signal(17), signal(34), signal(32), signal(99)),
            ("SIGCHLD".into(), "SIGRT_2".into(), "SIGRTMIN".into(), "99".into())
        );
        assert_eq!(signals(SignalSet(0b11)), "[HUP INT]");
        assert_eq!(signals(SignalSet(!1)), "~[HUP]");
    }

    #[test]
    fn statuses_of_children() {
        assert_eq!(status(0x300), "[{WIFEXITED(s) && WEXITSTATUS(s) == 3}]");
        assert_eq!(status(9), "[{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}]");
        assert_eq!(status(0x137f), "[{WIFSTOPPED(s) && WSTOPSIG(s) == SIGSTOP}]");
    }
}
