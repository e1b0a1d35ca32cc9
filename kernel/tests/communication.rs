//! Messages, replies, signals, faults and budgets between threads on the simulated machine.

mod machine;

use chestnut_abi::bootinfo::slot;
use chestnut_abi::registers::Register;
use chestnut_abi::{CapRights, Label, MessageInfo, ObjectType, Syscall};
use chestnut_kernel::object::{Above, ThreadState};
use chestnut_kernel::{arch, entry};
use machine::*;

const ENDPOINT: u64 = FREE;
const REPLY: u64 = FREE + 1;
const SERVER: u64 = FREE + 10;
const CLIENT: u64 = FREE + 20;
const NOTIFICATION: u64 = FREE + 30;

fn info(label: u64, length: u64) -> MessageInfo {
    MessageInfo::new(label, 0, 0, length)
}

/// An endpoint, a reply object, and the root task at the lowest priority, so that other threads run when they can.
fn scene() -> Machine {
    let m = Machine::boot();
    m.make(ObjectType::Endpoint, 0, ENDPOINT);
    m.make(ObjectType::Reply, 0, REPLY);
    m.make(ObjectType::Notification, 0, NOTIFICATION);
    m
}

fn lower_root(m: Machine) {
    m.must(slot::INIT_TCB, Label::TcbSetPriority, &[1], &[slot::INIT_TCB]);
}

#[track_caller]
fn runs(m: Machine, thread: u64) {
    assert!(m.current() == Some(m.tcb(thread)), "thread {thread} runs; its state is {:?}", m.tcb(thread).state.get());
}

#[test]
fn call_lends_the_callers_time_to_a_passive_server_and_reply_returns_it() {
    let m = scene();
    m.thread(SERVER, 100, 1000);
    m.thread(CLIENT, 90, 1000);
    m.mint(ENDPOINT, FREE + 40, 7);
    lower_root(m);
    runs(m, SERVER);
    m.system_call(Syscall::Recv, ENDPOINT, info(0, 0), [0; 4], REPLY);
    runs(m, CLIENT);
    // The server becomes passive.
    let k = m.kernel();
    let (server, client) = (m.tcb(SERVER), m.tcb(CLIENT));
    let context = m.cap(SERVER + 1).as_sched_context(k).unwrap();
    context.tcb.clear();
    server.sched_context.clear();
    m.system_call(Syscall::Call, FREE + 40, info(5, 3), [1, 2, 3, 4], 0);
    runs(m, SERVER);
    assert_eq!(client.state.get(), ThreadState::BlockedOnReply);
    assert!(client.sched_context.is_none());
    assert_eq!(server.context.get(Register::Rdi), 7, "the badge");
    assert_eq!(MessageInfo(server.context.message_info()), info(5, 3));
    assert_eq!([0, 1, 2].map(|i| server.context.message_register(i)), [1, 2, 3]);
    m.system_call(Syscall::ReplyRecv, ENDPOINT, info(9, 1), [42, 0, 0, 0], REPLY);
    runs(m, CLIENT);
    assert_eq!(client.context.message_register(0), 42);
    assert_eq!(MessageInfo(client.context.message_info()).label(), 9);
    assert!(server.sched_context.is_none());
    assert_eq!(server.state.get(), ThreadState::BlockedOnReceive);
}

#[test]
fn time_that_went_through_two_passive_servers_comes_back_step_by_step() {
    const MIDDLE: u64 = FREE + 50;
    let (inner, inner_reply) = (FREE + 60, FREE + 61);
    let m = scene();
    m.make(ObjectType::Endpoint, 0, inner);
    m.make(ObjectType::Reply, 0, inner_reply);
    m.thread(SERVER, 100, 1000);
    m.thread(MIDDLE, 95, 1000);
    m.thread(CLIENT, 90, 1000);
    lower_root(m);
    runs(m, SERVER);
    m.system_call(Syscall::Recv, inner, info(0, 0), [0; 4], inner_reply);
    runs(m, MIDDLE);
    m.system_call(Syscall::Recv, ENDPOINT, info(0, 0), [0; 4], REPLY);
    runs(m, CLIENT);
    let k = m.kernel();
    // The servers become passive.
    for server in [SERVER, MIDDLE] {
        m.cap(server + 1).as_sched_context(k).unwrap().tcb.clear();
        m.tcb(server).sched_context.clear();
    }
    let context = m.cap(CLIENT + 1).as_sched_context(k).unwrap();
    let (outer, inner_most) = (m.cap(REPLY).as_reply(k).unwrap(), m.cap(inner_reply).as_reply(k).unwrap());
    // The second time everything has to be as it was the first.
    for _ in 0..2 {
        m.system_call(Syscall::Call, ENDPOINT, info(0, 4), [1; 4], 0);
        runs(m, MIDDLE);
        assert!(outer.above(k) == Above::SchedContext(context) && outer.below.is_none());
        m.system_call(Syscall::Call, inner, info(0, 4), [2; 4], 0);
        runs(m, SERVER);
        assert!(outer.above(k) == Above::Reply(inner_most) && inner_most.below.is(outer));
        assert!(inner_most.above(k) == Above::SchedContext(context) && context.tcb.is(m.tcb(SERVER)));
        m.system_call(Syscall::ReplyRecv, inner, info(0, 4), [3; 4], inner_reply);
        runs(m, MIDDLE);
        assert!(outer.above(k) == Above::SchedContext(context) && inner_most.is_in_no_stack());
        m.system_call(Syscall::ReplyRecv, ENDPOINT, info(0, 4), [4; 4], REPLY);
        runs(m, CLIENT);
        assert!(outer.is_in_no_stack() && context.reply.is_none() && context.tcb.is(m.tcb(CLIENT)));
        assert_eq!(m.tcb(CLIENT).context.message_register(3), 4);
    }
}

#[test]
fn a_call_waits_for_a_receiver_and_is_answered_later() {
    let m = scene();
    m.thread(CLIENT, 90, 1000);
    lower_root(m);
    runs(m, CLIENT);
    m.system_call(Syscall::Call, ENDPOINT, info(1, 1), [11, 0, 0, 0], 0);
    assert!(m.current() == Some(m.root_thread()));
    m.system_call(Syscall::Recv, ENDPOINT, info(0, 0), [0; 4], REPLY);
    assert_eq!(m.answer().words[0], 11);
    m.system_call(Syscall::Send, REPLY, info(2, 1), [12, 0, 0, 0], 0);
    runs(m, CLIENT);
    assert_eq!(m.tcb(CLIENT).context.message_register(0), 12);
}

#[test]
fn without_grant_or_grant_reply_a_caller_is_left_inactive() {
    let m = scene();
    m.thread(CLIENT, 90, 1000);
    m.copy(ENDPOINT, FREE + 40, CapRights::WRITE);
    lower_root(m);
    m.system_call(Syscall::Call, FREE + 40, info(1, 0), [0; 4], 0);
    m.system_call(Syscall::Recv, ENDPOINT, info(0, 0), [0; 4], REPLY);
    assert_eq!(m.tcb(CLIENT).state.get(), ThreadState::Inactive);
}

#[test]
fn senders_are_served_by_priority_and_then_in_order() {
    let m = scene();
    for (index, priority) in [(0, 90), (1, 95), (2, 90)] {
        m.thread(CLIENT + 2 * index, priority, 1000);
    }
    lower_root(m);
    for _ in 0..3 {
        let me = m.current().unwrap();
        let index = (0..3).find(|i| m.tcb(CLIENT + 2 * i) == me).unwrap();
        m.system_call(Syscall::Send, ENDPOINT, info(0, 1), [index, 0, 0, 0], 0);
    }
    let order = [0, 1, 2].map(|_| {
        let (k, endpoint) = (m.kernel(), m.cap(ENDPOINT).as_endpoint(m.kernel()).unwrap());
        let first = endpoint.queue.first(k).unwrap();
        let index = (0..3).find(|i| m.tcb(CLIENT + 2 * i) == first).unwrap();
        m.root_thread().priority.set(254);
        m.system_call(Syscall::Recv, ENDPOINT, info(0, 0), [0; 4], REPLY);
        index
    });
    assert_eq!(order[0], 1);
    assert!(order[1..] == [0, 2] || order[1..] == [2, 0]);
}

#[test]
fn nonblocking_operations_do_not_block() {
    let m = scene();
    m.system_call(Syscall::NBSend, ENDPOINT, info(0, 0), [0; 4], 0);
    assert_eq!(m.root_thread().state.get(), ThreadState::Running);
    m.system_call(Syscall::NBRecv, ENDPOINT, info(0, 0), [0; 4], REPLY);
    assert_eq!(m.root_thread().context.get(Register::Rdi), 0);
    m.system_call(Syscall::NBWait, NOTIFICATION, info(0, 0), [0; 4], 0);
    assert_eq!(m.root_thread().context.get(Register::Rdi), 0);
}

#[test]
fn signals_accumulate_and_wake() {
    let m = scene();
    m.mint(NOTIFICATION, FREE + 40, 1);
    m.mint(NOTIFICATION, FREE + 41, 4);
    m.system_call(Syscall::Send, FREE + 40, info(0, 0), [0; 4], 0);
    m.system_call(Syscall::Send, FREE + 41, info(0, 0), [0; 4], 0);
    m.system_call(Syscall::Wait, NOTIFICATION, info(0, 0), [0; 4], 0);
    assert_eq!(m.root_thread().context.get(Register::Rdi), 5);
}

#[test]
fn a_bound_notification_wakes_a_receiver() {
    let m = scene();
    m.thread(SERVER, 100, 1000);
    m.mint(NOTIFICATION, FREE + 40, 8);
    m.must(SERVER, Label::TcbBindNotification, &[], &[NOTIFICATION]);
    lower_root(m);
    m.system_call(Syscall::Recv, ENDPOINT, info(0, 0), [0; 4], REPLY);
    assert!(m.current() == Some(m.root_thread()));
    m.system_call(Syscall::Send, FREE + 40, info(0, 0), [0; 4], 0);
    runs(m, SERVER);
    assert_eq!(m.tcb(SERVER).context.get(Register::Rdi), 8);
}

#[test]
fn a_capability_travels_with_grant_and_one_to_the_endpoint_as_its_badge() {
    use chestnut_abi::ipc_buffer::{CAPS_WORD, RECEIVE_CNODE_WORD, RECEIVE_DEPTH_WORD, RECEIVE_INDEX_WORD};
    let m = scene();
    m.thread(CLIENT, 90, 1000);
    m.make(ObjectType::X864K, 0, FREE + 50);
    m.must(CLIENT, Label::TcbSetIpcBuffer, &[0x50_0000], &[FREE + 50]);
    m.mint(ENDPOINT, FREE + 40, 33);
    for (word, value) in
        [(RECEIVE_CNODE_WORD, slot::INIT_CNODE), (RECEIVE_INDEX_WORD, FREE + 60), (RECEIVE_DEPTH_WORD, 64)]
    {
        m.write_buffer(word, value);
    }
    let buffer = m.window + m.cap(FREE + 50).address() as usize;
    for (index, cap) in [FREE + 40, NOTIFICATION].into_iter().enumerate() {
        let word = core::ptr::with_exposed_provenance_mut::<u64>(buffer + (CAPS_WORD + index) * 8);
        // SAFETY: a word of the client's buffer.
        unsafe { word.write_volatile(cap) };
    }
    lower_root(m);
    runs(m, CLIENT);
    m.system_call(Syscall::Send, ENDPOINT, MessageInfo::new(0, 0, 2, 0), [0; 4], 0);
    m.system_call(Syscall::Recv, ENDPOINT, info(0, 0), [0; 4], REPLY);
    let received = MessageInfo(m.root_thread().context.message_info());
    assert_eq!((received.extra_caps(), received.unwrapped()), (2, 1));
    assert_eq!(m.read_buffer(CAPS_WORD), 33);
    assert_eq!(m.cap(FREE + 60).address(), m.cap(NOTIFICATION).address());
}

#[test]
fn a_page_fault_reaches_the_handler_and_the_reply_restarts_the_thread() {
    let m = scene();
    m.thread(CLIENT, 90, 1000);
    m.mint(ENDPOINT, FREE + 40, 99);
    let words = [255, 90];
    m.must(CLIENT, Label::TcbSetSchedParams, &words, &[slot::INIT_TCB, CLIENT + 1, FREE + 40]);
    lower_root(m);
    runs(m, CLIENT);
    m.tcb(CLIENT).context.set_fault_ip(0x40_1234);
    entry::page_fault(0xdead_b000, 6);
    assert!(m.current() == Some(m.root_thread()));
    m.system_call(Syscall::Recv, ENDPOINT, info(0, 0), [0; 4], REPLY);
    let answer = m.answer();
    assert_eq!((answer.label, answer.words), (6, [0x40_1234, 0xdead_b000, 0, 6]));
    assert_eq!(m.root_thread().context.get(Register::Rdi), 99);
    m.system_call(Syscall::Send, REPLY, info(0, 0), [0; 4], 0);
    runs(m, CLIENT);
    assert_eq!(m.tcb(CLIENT).context.get(Register::Rip), 0x40_1234);
}

#[test]
fn an_unknown_system_call_is_a_fault_whose_reply_sets_registers() {
    let m = scene();
    m.thread(CLIENT, 90, 1000);
    m.must(CLIENT, Label::TcbSetSchedParams, &[255, 90], &[slot::INIT_TCB, CLIENT + 1, ENDPOINT]);
    lower_root(m);
    m.tcb(CLIENT).context.set(Register::Rdx, 12345);
    m.enter_again();
    m.system_call(Syscall::Recv, ENDPOINT, info(0, 0), [0; 4], REPLY);
    assert_eq!((m.answer().label, m.answer().length), (2, 19));
    // Word 0 is RAX.
    m.system_call(Syscall::Send, REPLY, info(0, 1), [0x77, 0, 0, 0], 0);
    runs(m, CLIENT);
    assert_eq!(m.tcb(CLIENT).context.get(Register::Rax), 0x77);
}

#[test]
fn a_fault_without_handler_stops_only_that_thread() {
    let m = scene();
    m.thread(CLIENT, 90, 1000);
    lower_root(m);
    entry::exception(6, 0);
    assert_eq!(m.tcb(CLIENT).state.get(), ThreadState::Inactive);
    assert!(m.current() == Some(m.root_thread()));
}

#[test]
fn round_robin_threads_take_turns() {
    let m = scene();
    m.thread(CLIENT, 90, 1000);
    m.thread(SERVER, 90, 1000);
    lower_root(m);
    let first = m.current().unwrap();
    arch::set_now(arch::deadline());
    entry::timer();
    assert!(m.current() != Some(first), "the other one's turn");
    arch::set_now(arch::deadline());
    entry::timer();
    assert!(m.current() == Some(first));
}

#[test]
fn a_thread_that_yields_to_a_context_learns_what_it_consumed_when_it_runs_again() {
    let m = scene();
    m.thread(CLIENT, 90, 10_000);
    m.thread(SERVER, 90, 10_000);
    m.must(CLIENT, Label::TcbSetMcpriority, &[90], &[slot::INIT_TCB]);
    lower_root(m);
    let client = m.tcb(CLIENT);
    if m.current() != Some(client) {
        m.system_call(Syscall::Yield, 0, info(0, 0), [0; 4], 0);
    }
    runs(m, CLIENT);
    m.system_call(Syscall::Call, SERVER + 1, info(Label::SchedContextYieldTo as u64, 0), [7; 4], 0);
    runs(m, SERVER);
    let already = m.tcb(SERVER).sched_context.get(m.kernel()).unwrap().consumed.get() / 1000;
    arch::set_now(arch::now() + 300_000);
    m.system_call(Syscall::Recv, ENDPOINT, info(0, 0), [0; 4], REPLY);
    runs(m, CLIENT);
    assert_eq!((client.context.message_info(), client.context.message_register(0)), (info(0, 1).0, already + 301));
}

#[test]
fn a_context_that_ends_tells_whoever_yielded_to_it() {
    let m = scene();
    m.thread(CLIENT, 90, 10_000);
    m.thread(SERVER, 90, 10_000);
    m.must(CLIENT, Label::TcbSetMcpriority, &[90], &[slot::INIT_TCB]);
    lower_root(m);
    if m.current() != Some(m.tcb(CLIENT)) {
        m.system_call(Syscall::Yield, 0, info(0, 0), [0; 4], 0);
    }
    m.system_call(Syscall::Call, SERVER + 1, info(Label::SchedContextYieldTo as u64, 0), [0; 4], 0);
    runs(m, SERVER);
    arch::set_now(arch::now() + 300_000);
    let words = [SERVER + 1, 64, 0, 0];
    m.system_call(Syscall::Call, slot::INIT_CNODE, info(Label::CNodeDelete as u64, 2), words, 0);
    assert!(m.cap(SERVER + 1).is_null());
    runs(m, CLIENT);
    assert!(m.tcb(CLIENT).context.message_register(0) >= 300);
}

#[test]
fn a_sporadic_thread_never_exceeds_its_budget_in_any_period() {
    let m = scene();
    m.thread(CLIENT, 90, 0);
    m.make(ObjectType::SchedContext, 8, CLIENT + 1);
    m.must(slot::FIRST_FREE, Label::SchedControlConfigureFlags, &[1000, 4000, 4, 0, 0], &[CLIENT + 1]);
    m.must(CLIENT + 1, Label::SchedContextBind, &[], &[CLIENT]);
    lower_root(m);
    let client = m.tcb(CLIENT);
    let mut ran = vec![];
    for _ in 0..200 {
        let start = arch::now();
        let running = m.current() == Some(client);
        // An interrupt somewhere in the slice, at the deadline at the latest.
        let step = (arch::deadline().saturating_sub(start)).clamp(1, 130_000);
        arch::set_now(start + step);
        entry::timer();
        if running {
            ran.push((start, start + step));
        }
    }
    assert!(!ran.is_empty());
    let (budget, period) = (1_000_000, 4_000_000);
    for &(start, _) in &ran {
        let used: u64 = ran.iter().map(|&(a, b)| b.min(start + period).saturating_sub(a.max(start))).sum();
        assert!(used <= budget + 20_000, "{used} ticks in a period from {start}");
    }
    let context = m.cap(CLIENT + 1).as_sched_context(m.kernel()).unwrap();
    assert_eq!(context.total(), budget);
}

#[test]
fn revoking_the_reply_returns_the_time_to_the_caller() {
    let m = scene();
    m.thread(SERVER, 100, 1000);
    m.thread(CLIENT, 90, 1000);
    lower_root(m);
    m.system_call(Syscall::Recv, ENDPOINT, info(0, 0), [0; 4], REPLY);
    let k = m.kernel();
    m.cap(SERVER + 1).as_sched_context(k).unwrap().tcb.clear();
    m.tcb(SERVER).sched_context.clear();
    m.system_call(Syscall::Call, ENDPOINT, info(0, 0), [0; 4], 0);
    runs(m, SERVER);
    let context = m.cap(CLIENT + 1).as_sched_context(k).unwrap();
    assert!(context.tcb.is(m.tcb(SERVER)));
    // The server deletes its reply capability, which is the last one.
    let server = m.tcb(SERVER);
    server.context.set_message_info(0);
    chestnut_kernel::lifecycle::delete(k, m.slot(REPLY)).unwrap();
    assert!(context.tcb.is(m.tcb(CLIENT)));
    assert_eq!(m.tcb(CLIENT).state.get(), ThreadState::Inactive);
    entry::timer();
    assert!(m.current() == Some(m.root_thread()));
}

#[test]
fn redirection_changes_three_registers_and_nothing_else() {
    let m = scene();
    m.thread(CLIENT, 90, 1000);
    m.must(CLIENT, Label::TcbSetRedirect, &[0x7000_0000, 0x1000, 0x7000_0010, 0x1234], &[]);
    assert_eq!(m.invoke(CLIENT, Label::TcbSetRedirect, &[0, 1, 1 << 63, 0], &[]).label, 4);
    lower_root(m);
    let registers = &m.tcb(CLIENT).context;
    registers.set(Register::Rax, 39);
    m.enter_again();
    runs(m, CLIENT);
    assert_eq!(registers.get(Register::Rip), 0x7000_0010);
    assert_eq!(registers.get(Register::Rcx), 0x40_0002);
    assert_eq!(registers.get(Register::R11), 0x1234);
    assert_eq!(registers.get(Register::Rax), 39);
    // From within the native range a system call is one.
    registers.set(Register::Rdx, Syscall::Yield as i64 as u64);
    registers.set(Register::Rip, 0x7000_1000);
    registers.set_fault_ip(0x7000_0ffe);
    entry::system_call();
    assert_eq!(registers.get(Register::Rip), 0x7000_1000);
}

#[test]
fn suspend_and_resume_make_a_blocked_thread_begin_again() {
    let m = scene();
    m.thread(CLIENT, 90, 1000);
    lower_root(m);
    m.system_call(Syscall::Wait, NOTIFICATION, info(0, 0), [0; 4], 0);
    let client = m.tcb(CLIENT);
    assert_eq!(client.state.get(), ThreadState::BlockedOnNotification);
    m.must(CLIENT, Label::TcbSuspend, &[], &[]);
    assert_eq!(client.state.get(), ThreadState::Inactive);
    m.root_thread().priority.set(200);
    m.must(CLIENT, Label::TcbResume, &[], &[]);
    m.root_thread().priority.set(1);
    m.system_call(Syscall::Yield, 0, info(0, 0), [0; 4], 0);
    runs(m, CLIENT);
    assert_eq!(client.context.get(Register::Rip), 0x40_0000);
}

#[test]
fn deleting_an_endpoint_lets_waiting_threads_begin_again() {
    let m = scene();
    m.thread(CLIENT, 90, 1000);
    lower_root(m);
    m.system_call(Syscall::Recv, ENDPOINT, info(0, 0), [0; 4], REPLY);
    m.root_thread().priority.set(200);
    assert_eq!(m.delete(ENDPOINT).label, 0);
    assert!(m.tcb(CLIENT).is_runnable());
    assert!(m.tcb(CLIENT).endpoint.is_none());
}

#[test]
fn priorities_are_bounded_by_the_authority() {
    let m = scene();
    m.thread(CLIENT, 90, 1000);
    m.must(CLIENT, Label::TcbSetMcpriority, &[100], &[slot::INIT_TCB]);
    let answer = m.invoke(CLIENT, Label::TcbSetPriority, &[101], &[CLIENT]);
    assert_eq!((answer.label, answer.words[1]), (4, 100));
    assert_eq!(m.invoke(CLIENT, Label::TcbSetPriority, &[100], &[CLIENT]).label, 0);
}

#[test]
fn an_empty_slot_beside_a_message_ends_the_transfer() {
    let m = scene();
    m.thread(SERVER, 100, 1000);
    m.share_buffer(SERVER);
    lower_root(m);
    m.write_buffer(chestnut_abi::ipc_buffer::RECEIVE_CNODE_WORD, slot::INIT_CNODE);
    m.write_buffer(chestnut_abi::ipc_buffer::RECEIVE_INDEX_WORD, FREE + 60);
    m.write_buffer(chestnut_abi::ipc_buffer::RECEIVE_DEPTH_WORD, 64);
    m.system_call(Syscall::Recv, ENDPOINT, info(0, 0), [0; 4], REPLY);
    m.write_buffer(chestnut_abi::ipc_buffer::CAPS_WORD, FREE + 61);
    m.system_call(Syscall::Send, ENDPOINT, MessageInfo::new(0, 0, 1, 0), [0; 4], 0);
    let received = MessageInfo(m.tcb(SERVER).context.message_info());
    assert_eq!(received.extra_caps(), 0);
    for index in [FREE + 60, FREE + 61] {
        assert!(m.slot(index).prev().is_none() && m.slot(index).next().is_none(), "an empty slot joined the tree");
    }
}

#[test]
fn a_fault_that_nobody_can_answer_is_reported_once() {
    let m = scene();
    m.thread(SERVER, 100, 1000);
    m.thread(CLIENT, 90, 1000);
    m.must(CLIENT, Label::TcbSetSpace, &[0, 0], &[ENDPOINT, slot::INIT_CNODE, slot::INIT_VSPACE]);
    lower_root(m);
    // A server without a reply object hears of the fault.
    m.system_call(Syscall::Wait, ENDPOINT, info(0, 0), [0; 4], 0);
    runs(m, CLIENT);
    entry::page_fault(0x1234, 4);
    runs(m, SERVER);
    assert_eq!(m.tcb(CLIENT).state.get(), ThreadState::Inactive);
    // Resumed, the thread sends a message of its own.
    m.system_call(Syscall::Wait, ENDPOINT, info(0, 0), [0; 4], 0);
    m.must(CLIENT, Label::TcbResume, &[], &[]);
    runs(m, CLIENT);
    m.system_call(Syscall::Send, ENDPOINT, info(77, 1), [5, 0, 0, 0], 0);
    let registers = &m.tcb(SERVER).context;
    assert_eq!((MessageInfo(registers.message_info()).label(), registers.message_register(0)), (77, 5));
}
