//! Call and ReplyRecv: one way each, and both together.

use crate::places::{move_to, other_space, set_cspace, two_levels};
use crate::report::{between, rows as print_rows};
use crate::shot::Shot;
use chestnut_abi::bootinfo::slot;
use chestnut_abi::{Label, MessageInfo, Syscall};
use chestnut_kernel_tests::scene::Scene;
use chestnut_kernel_tests::scene::fixed::{ABOVE, MAIN_TCB};
use chestnut_kernel_tests::scene::invoke::must;
use chestnut_kernel_tests::scene::thread::Thread;
use chestnut_kernel_tests::scene::{buffer, message};
use chestnut_runtime::sys;

static CLIENT: Shot = Shot::new();
static SERVER: Shot = Shot::new();
/// The server behind the server.
static INNER: Shot = Shot::new();
static OUTER: Shot = Shot::new();

/// What is special about a row.
#[derive(Clone, Copy, Default)]
struct Case {
    active: bool,
    same_space: bool,
    words: u64,
    fpu: Fpu,
    bound: bool,
    two_levels: bool,
    tls: bool,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Fpu {
    #[default]
    Nobody,
    Client,
    Both,
}

pub fn rows(t: &Scene) {
    let vspace = other_space(t);
    let tree = two_levels(t);
    let four = Case { words: 4, ..Case::default() };
    measure(t, vspace, tree, "passive.0w.other-as", Case::default());
    measure(t, vspace, tree, "passive.4w.other-as", four);
    measure(t, vspace, tree, "passive.4w.same-as", Case { same_space: true, ..four });
    measure(t, vspace, tree, "passive.10w.other-as", Case { words: 10, ..four });
    measure(t, vspace, tree, "passive.60w.other-as", Case { words: 60, ..four });
    measure(t, vspace, tree, "passive.120w.other-as", Case { words: 120, ..four });
    measure(t, vspace, tree, "passive.4w.fpu-client", Case { fpu: Fpu::Client, ..four });
    measure(t, vspace, tree, "passive.4w.fpu-both", Case { fpu: Fpu::Both, ..four });
    measure(t, vspace, tree, "passive.4w.bound", Case { bound: true, ..four });
    measure(t, vspace, tree, "passive.4w.tls", Case { tls: true, ..four });
    measure(t, vspace, tree, "passive.4w.two-level", Case { two_levels: true, ..four });
    measure(t, vspace, tree, "active.0w.other-as", Case { active: true, ..Case::default() });
    measure(t, vspace, tree, "active.4w.other-as", Case { active: true, ..four });
    measure(t, vspace, tree, "active.4w.same-as", Case { active: true, same_space: true, ..four });
    measure(t, vspace, tree, "active.10w.other-as", Case { active: true, words: 10, ..four });
    measure(t, vspace, tree, "active.120w.other-as", Case { active: true, words: 120, ..four });
    measure(t, vspace, tree, "active.4w.fpu-both", Case { active: true, fpu: Fpu::Both, ..four });
    measure(t, vspace, tree, "active.4w.two-level", Case { active: true, two_levels: true, ..four });
    nested(t, vspace);
    with_capability(t, vspace);
}

/// Uses the FPU.
fn touch_fpu() {
    // SAFETY: the compiler uses no SSE register in this program.
    unsafe { core::arch::asm!("xorps xmm0, xmm0", options(nomem, nostack)) };
}

/// The thread in its address space; it waits for calls, passive if it is to be.
fn start(
    t: &Scene,
    vspace: Option<u64>,
    active: bool,
    prepare: impl FnOnce(Thread),
    body: impl FnOnce() + 'static,
) -> Thread {
    let server = t.thread(ABOVE);
    if let Some(vspace) = vspace {
        move_to(t, server, vspace);
    }
    prepare(server);
    server.start(body);
    if !active {
        must(server.context, Label::SchedContextUnbind, &[], &[]);
    }
    server
}

fn serve(shot: &'static Shot, endpoint: u64, reply: u64, info: MessageInfo, fpu: bool) {
    shot.aim(Syscall::ReplyRecv, endpoint, info, [1, 2, 3, 4]);
    shot.with_reply(reply);
    sys::recv(endpoint, reply);
    loop {
        if fpu {
            touch_fpu();
        }
        shot.fire();
    }
}

fn measure(t: &Scene, vspace: u64, tree: u64, name: &str, case: Case) {
    let (endpoint, reply) = (t.endpoint(), t.reply());
    let info = MessageInfo::new(7, 0, 0, case.words);
    let other = (!case.same_space).then_some(vspace);
    let prepare = |server: Thread| {
        if case.two_levels {
            set_cspace(server.tcb, tree, other.unwrap_or(slot::INIT_VSPACE));
        }
        if case.bound {
            must(server.tcb, Label::TcbBindNotification, &[], &[t.notification()]);
        }
        if case.tls {
            must(server.tcb, Label::TcbSetTlsBase, &[0x1000], &[]);
        }
    };
    let server = start(t, other, case.active, prepare, move || {
        serve(&SERVER, endpoint, reply, info, case.fpu == Fpu::Both);
    });
    if case.two_levels {
        set_cspace(MAIN_TCB, tree, slot::INIT_VSPACE);
    }
    if case.tls {
        sys::set_tls_base(0x2000);
    }
    CLIENT.aim(Syscall::Call, endpoint, info, [1, 2, 3, 4]);
    print_rows(format_args!("{name}"), ["call", "reply-recv", "round-trip"], || {
        if case.fpu != Fpu::Nobody {
            touch_fpu();
        }
        // The server's stamps after this are from its own last turn and this one: the first turn isn't counted.
        CLIENT.fire();
        // With a server that has done its last turn the stamps are: client before, server after, server before, client after.
        let there = between(CLIENT.before(), SERVER.after());
        let back = between(SERVER.before(), CLIENT.after());
        [there, back, there + back]
    });
    if case.two_levels {
        set_cspace(MAIN_TCB, slot::INIT_CNODE, slot::INIT_VSPACE);
    }
    if case.tls {
        sys::set_tls_base(0);
    }
    server.suspend();
}

/// A server that calls another one before it answers: the scheduling context is lent twice.
fn nested(t: &Scene, vspace: u64) {
    let info = MessageInfo::new(7, 0, 0, 4);
    let (outer, outer_reply) = (t.endpoint(), t.reply());
    let (inner, inner_reply) = (t.endpoint(), t.reply());
    start(t, None, false, |_| (), move || serve(&INNER, inner, inner_reply, info, false));
    start(
        t,
        Some(vspace),
        false,
        |_| (),
        move || {
            OUTER.aim(Syscall::Call, inner, info, [1, 2, 3, 4]);
            sys::recv(outer, outer_reply);
            loop {
                OUTER.fire();
                sys::reply_recv(outer, info, [0; 4], outer_reply);
            }
        },
    );
    print_rows(format_args!("passive.4w.nested"), ["call", "reply-recv"], || {
        message::call(outer, 0, &[]);
        [between(OUTER.before(), INNER.after()), between(INNER.before(), OUTER.after())]
    });
}

/// A capability goes along with the message; the server deletes it before it answers.
fn with_capability(t: &Scene, vspace: u64) {
    let (endpoint, reply, notification, to) = (t.endpoint(), t.reply(), t.notification(), t.slot());
    let info = MessageInfo::new(7, 0, 0, 4);
    start(
        t,
        Some(vspace),
        false,
        |_| (),
        move || {
            buffer::set_receive_slot(slot::INIT_CNODE, to, 64);
            SERVER.aim(Syscall::ReplyRecv, endpoint, info, [1, 2, 3, 4]);
            SERVER.with_reply(reply);
            sys::recv(endpoint, reply);
            loop {
                must(slot::INIT_CNODE, Label::CNodeDelete, &[to, 64], &[]);
                SERVER.fire();
            }
        },
    );
    CLIENT.aim(Syscall::Call, endpoint, MessageInfo::new(7, 0, 1, 4), [1, 2, 3, 4]);
    print_rows(format_args!("passive.4w.capability"), ["call", "reply-recv"], || {
        buffer::set_cap(0, notification);
        CLIENT.fire();
        [between(CLIENT.before(), SERVER.after()), between(SERVER.before(), CLIENT.after())]
    });
}
