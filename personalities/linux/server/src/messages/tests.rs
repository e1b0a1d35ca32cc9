//! Messages as no trampoline sends them: whatever a thread sends, and whatever it has written on its page, the server lives, and
//! once the program has ended it holds nothing of it.
//!
//! Calls go the whole way through their handlers, over the hosted kernel; arithmetic that wraps panics here.

mod parked;
mod pipes;
mod short;

use super::*;
use crate::boot::{Given, make};
use crate::capability::Kernel;
use crate::devices::Wire;
use crate::memory::{Behaviour, MapRequest, Place, Protection, Shown};
use crate::process::{INIT, Process};
use crate::turns::How;
use chestnut_abi::MessageInfo;
use chestnut_abi::fault::label;
use chestnut_linux_files::caller::Caller;
use chestnut_linux_files::clock::Clock;
use chestnut_linux_trampoline::Frame;
use chestnut_linux_trampoline::message::{SYSCALL, TAKE_SIGNALS};
use chestnut_linux_trampoline::pages::FxArea;
use chestnut_manifest::RunRequest;
use chestnut_manifest::archive::RUN;
use core::cell::Cell;
use core::future::poll_fn;
use core::task::{Poll, Waker};
use core::time::Duration;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::boxed::Box;
use std::vec::Vec;

struct Nowhere;
impl Wire for Nowhere {
    fn read(&self, _: &mut [u8]) -> usize {
        0
    }
    fn write(&self, bytes: &[u8]) -> usize {
        bytes.len()
    }
    fn driver(&self) -> u32 {
        0
    }
    fn unread(&self) -> usize {
        0
    }
}

fn server() -> &'static Server {
    server_and_devices(Box::new(|_| ())).0
}

fn server_and_devices(alarm: Box<dyn Fn(u64)>) -> (&'static Server, Devices) {
    let request = RunRequest { commands: Vec::new(), started: 1 << 50, trace: false };
    let request = postcard::to_allocvec(&request).unwrap();
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |path: &str, bytes: &[u8], mode| {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        header.set_entry_type(if path.ends_with('/') { tar::EntryType::Directory } else { tar::EntryType::Regular });
        tar.append_data(&mut header, path, bytes).unwrap();
    };
    add(RUN, &request, 0o644);
    add("root/tmp/", b"", 0o1777);
    add("root/tmp/file", b"some bytes\n", 0o666);
    add("root/tmp/script", b"#!/tmp/file\n", 0o777);
    add("root/tmp/program", b"\x7fELF\x02\x01\x01", 0o777);
    let archive: &'static [u8] = tar.into_inner().unwrap().leak();
    let (server, devices) = make(Given {
        kernel: Kernel::hosted(3000),
        tsc_mhz: 1000,
        archive,
        terminal: Box::new(Nowhere),
        host: Box::new(Nowhere),
        entropy: Box::new(|bytes, _| bytes.len()),
        alarm,
    });
    server.executor.run();
    (server, devices)
}

/// The same acts in every run.
const SEED: u64 = 20_240_601;

/// Where the program has memory: 16 pages to write, then 4 to read, then nothing.
const ARENA: u64 = 0x1000_0000;
const ARENA_PAGES: u64 = 16;
const END: u64 = ARENA + (ARENA_PAGES + 4) * 4096;

/// A program of user 1000 with one thread, which has not done anything yet.
fn start(server: &'static Server, root: bool) -> Rc<Thread> {
    let pid = server.table.new_id().unwrap();
    let mut caller = Caller::root(server.vfs.root());
    (caller.process, caller.process_group, caller.session) = (pid, pid, pid);
    let process: Rc<Process> = server.new_process(pid, INIT, caller).unwrap();
    server.table.process(INIT).unwrap().children.borrow_mut().push(process.clone());
    let thread = server.add_thread(&process, pid).unwrap();
    let space = thread.space();
    for (start, pages, protection) in
        [(ARENA, ARENA_PAGES, Protection::READ | Protection::WRITE), (ARENA + ARENA_PAGES * 4096, 4, Protection::READ)]
    {
        let request = MapRequest {
            place: Place::IfFree(start),
            length: pages * 4096,
            protection,
            behaviour: Behaviour::empty(),
            shown: Shown::Zeros,
        };
        space.map(request).unwrap();
    }
    space
        .write(ARENA, b"/tmp/file\0/tmp/script\0/tmp/program\0/proc/self/maps\0/dev/null\0/tmp/new\0/tmp\0.\0")
        .unwrap();
    thread.set_activity(Activity::Running);
    // Descriptors: a file, a folder, both ends of a pipe, two sockets, an eventfd, a device.
    for (number, arguments) in [
        (2, [ARENA, 2, 0, 0, 0, 0]),
        (2, [ARENA + 69, 0o200_000, 0, 0, 0, 0]),
        (293, [ARENA + 4096, 0o4000, 0, 0, 0, 0]),
        (53, [1, 1, 0, ARENA + 4096, 0, 0]),
        (290, [1, 0o4000, 0, 0, 0, 0]),
        (2, [ARENA + 50, 2, 0, 0, 0, 0]),
    ] {
        send(server, &thread, SYSCALL, 4, number, arguments);
    }
    if !root {
        send(server, &thread, SYSCALL, 4, 105, [1000, 0, 0, 0, 0, 0]);
    }
    thread
}

/// The message as the kernel brings it.
fn send(server: &'static Server, thread: &Thread, label: u64, length: u64, number: u64, arguments: [u64; 6]) {
    let [rdi, rsi, rdx, fourth, fifth, sixth] = arguments;
    thread.page().set_frame(&Frame { rdi, rsi, rdx, rip: ARENA, rsp: ARENA + 0x8000, ..thread.page().frame() });
    let words = [fourth, fifth, sixth, number, 0];
    take(server, thread.machine.badge(), MessageInfo::new(label, 0, 0, length), words);
}
fn take(server: &'static Server, badge: u64, info: MessageInfo, words: [u64; 5]) {
    let reply = server.capabilities.replies.allocate().unwrap();
    let [words @ .., fifth] = words;
    server.kernel.fifth_word.set(fifth);
    server.take_message(&mut Service { served: None, since: 0 }, reply, Message { badge, info, words });
    server.executor.run();
    server.clock.wake();
    server.clock.tell();
    server.flush_answer();
}

/// What a thread does.
#[derive(Clone, Debug)]
enum Act {
    Call(u64, [u64; 6]),
    Message {
        label: u64,
        length: u64,
        caps: u64,
        words: [u64; 5],
    },
    Fault {
        label: u64,
        words: [u64; 5],
    },
    /// Writes on its page: the registers, the mask, the alternate stack, the FPU's image.
    Scribble(u64, [u64; 6]),
    Write(u64, u64),
}

fn argument() -> impl Strategy<Value = u64> {
    let edges = [
        0,
        1,
        2,
        3,
        8,
        16,
        255,
        4095,
        4096,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        1 << 32,
        1 << 47,
        (1 << 47) - 1,
        0x7fff_ffff_f000,
        1 << 62,
        i64::MAX as u64,
        1 << 63,
        u64::MAX,
        u64::MAX - 4095,
        u64::MAX - 99,
    ];
    prop_oneof![
        3 => 0..12u64,
        2 => proptest::sample::select(&[0u64, 10, 22, 35, 50, 60, 69, 74][..]).prop_map(|at| ARENA + at),
        2 => (0..ARENA_PAGES * 512).prop_map(|word| ARENA + word * 8),
        1 => (0..40u64).prop_map(|short| ARENA + ARENA_PAGES * 4096 - short),
        1 => (0..40u64).prop_map(|short| END - short),
        2 => proptest::sample::select(edges.to_vec()),
        1 => (0..64u32).prop_map(|bit| 1 << bit),
        1 => any::<u64>(),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let words = || proptest::array::uniform5(argument());
    let fault = proptest::sample::select(&[label::VM, label::USER_EXCEPTION, 1, 2, 7, 0][..]);
    prop_oneof![
        20 => (prop_oneof![4 => 0..470u64, 1 => argument()], proptest::array::uniform6(argument())).prop_map(|(number, arguments)| Act::Call(number, arguments)),
        1 => (prop_oneof![Just(SYSCALL), Just(TAKE_SIGNALS), 0..1u64 << 52], 0..128u64, 0..4u64, words())
            .prop_map(|(label, length, caps, words)| Act::Message { label, length, caps, words }),
        1 => (fault, words()).prop_map(|(label, words)| Act::Fault { label, words }),
        2 => (any::<u64>(), proptest::array::uniform6(argument())).prop_map(|(mask, words)| Act::Scribble(mask, words)),
        3 => ((0..ARENA_PAGES * 512).prop_map(|word| ARENA + word * 8), argument()).prop_map(|(at, value)| Act::Write(at, value)),
    ]
}

fn perform(server: &'static Server, thread: &Thread, act: &Act) {
    let badge = thread.machine.badge();
    match *act {
        Act::Call(number, arguments) => send(server, thread, SYSCALL, 4, number, arguments),
        Act::Message { label, length, caps, words } => {
            take(server, badge, MessageInfo::new(label, 0, caps, length), words)
        }
        Act::Fault { label, words } => take(server, badge | Threads::FAULT, MessageInfo::new(label, 0, 0, 5), words),
        Act::Scribble(mask, [base, size, flags, rip, rsp, rflags]) => {
            let page = thread.page();
            page.set_frame(&Frame { rip, rsp, rflags, ..page.frame() });
            page.set_blocked(mask);
            page.set_alt_stack(chestnut_linux_trampoline::pages::AltStack { base, size, flags });
            page.set_fx(&FxArea([mask as u8; 512]));
        }
        Act::Write(at, value) => {
            let _ = thread.space().write(at, &value.to_le_bytes());
        }
    }
}

/// The same acts, by a thread and those that it makes.
fn play(server: &'static Server, root: bool, acts: &[Act]) {
    let first = start(server, root);
    let family = |server: &Server| -> Vec<Rc<Thread>> {
        server.table.processes().iter().flat_map(|process| process.threads.borrow().clone()).collect()
    };
    let badge = first.machine.badge();
    drop(first);
    for (index, act) in acts.iter().enumerate() {
        let threads = family(server);
        // A thread whose call waits is left alone, mostly: a second message is its end.
        let free: Vec<_> = threads.iter().filter(|thread| !thread.is_held()).collect();
        let Some(thread) = free.get(index % free.len().max(1)).copied().or(threads.first()) else { break };
        perform(server, thread, act);
        if threads.len() > 20 {
            break;
        }
    }
    assert!(server.table.by_badge(badge).is_none_or(|thread| thread.machine.badge() == badge));
    server.end_all();
    server.executor.run();
    server.flush_answer();
}

fn check(root: bool) {
    let server = server();
    // What the first programs make stays for the next ones; from then on nothing may be missing.
    play(server, root, &[]);
    // Longer runs by hand: 1,500 cases and other seeds.
    let config = ProptestConfig {
        cases: 150,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(SEED),
        ..ProptestConfig::default()
    };
    proptest!(config, |(acts in proptest::collection::vec(act(), 1..150))| {
        let (before, pending) = (server.capabilities.holdings(), server.executor.len());
        let file_pages = server.memory.store.used() as usize;
        play(server, root, &acts);
        let after = server.capabilities.holdings();
        prop_assert_eq!(after.threads.used, before.threads.used);
        prop_assert_eq!(after.spaces.used, before.spaces.used);
        prop_assert_eq!(after.replies.used, before.replies.used);
        prop_assert_eq!(after.mappings, before.mappings);
        prop_assert_eq!(server.executor.len(), pending);
        // Beyond what they wrote into files.
        prop_assert_eq!(after.frames.used - server.memory.store.used() as usize, before.frames.used - file_pages);
    });
}

#[test]
fn nothing_that_a_user_sends_ends_the_server_or_is_kept() {
    check(false);
}

#[test]
fn nothing_that_root_sends_ends_the_server_or_is_kept() {
    check(true);
}

/// SIGXFSZ comes while the call looks at the file.
#[test]
fn a_process_may_end_inside_a_file_call() {
    let server = server();
    let thread = start(server, false);
    let (path, limit) = (ARENA, ARENA + 0x2000);
    thread.space().write(limit, &[0; 16]).unwrap();
    send(server, &thread, SYSCALL, 4, 160, [1, limit, 0, 0, 0, 0]);
    send(server, &thread, SYSCALL, 4, 76, [path, 100_000, 0, 0, 0, 0]);
    assert_eq!(thread.process.ending.get(), Some(Ending::Killed(Signal::XFSZ)));
}

/// Numbers that are no calls are not remembered.
#[test]
fn unknown_numbers_cost_nothing() {
    let server = server();
    let thread = start(server, false);
    for number in 1000..2000 {
        send(server, &thread, SYSCALL, 4, number, [0; 6]);
    }
    assert!(server.reported.borrow().iter().all(|number| *number < 512));
    assert!(!thread.ended.get());
}

/// The clock stands still here: whose time is now is woken, and the timer service must know until when it sleeps then.
#[test]
fn who_sleeps_again_when_woken_is_not_forgotten() {
    let told = Rc::new(Cell::new(0));
    let alarm = told.clone();
    let (server, devices) = server_and_devices(Box::new(move |deadline| alarm.set(deadline)));
    let mut asleep = false;
    server.executor.start(async move {
        poll_fn(|context| {
            if core::mem::replace(&mut asleep, true) {
                return Poll::Ready(());
            }
            server.clock.wake_at(Duration::ZERO, context.waker());
            Poll::Pending
        })
        .await;
        server.clock.sleep_until(Duration::from_micros(3)).await;
    });
    server.do_what_is_due(&devices, 0);
    assert_eq!(told.get(), 3001, "ticks of a nanosecond");
    assert!(!server.agenda.is_pressing());
}

/// What is left awake when the loop is about to wait keeps it from waiting.
#[test]
fn nobody_waits_for_messages_while_a_task_is_awake() {
    let (server, devices) = server_and_devices(Box::new(|_| ()));
    server.do_what_is_due(&devices, 0);
    assert!(!server.agenda.is_pressing());
    let thread = start(server, false);
    server.do_what_is_due(&devices, 0);
    server.wait_for_turn(&thread, 1, 1, How::Wake(Waker::noop().clone()));
    assert!(server.agenda.is_pressing(), "the timer service doesn't know of it yet");
}
