//! Arguments for random invocations: mostly such that the invocation can succeed, sometimes anything.

use super::choices::Choices;
use super::scene::{PLACES, PLAYGROUND, PLAYGROUNDS, SLOTS};
use super::{DEVICE, FREE, Machine, UNTYPED};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::invocation::Invocation;
use chestnut_abi::{CNodeCapData, Label, ObjectType};
use chestnut_kernel::cap::{Cap, Kind};

pub struct Call {
    pub capability: u64,
    pub label: Label,
    pub words: Vec<u64>,
    pub caps: Vec<u64>,
}

/// Any slot of the root CNode that is in play.
pub fn any_slot(choices: &mut Choices) -> u64 {
    match choices.below(12) {
        0 => choices.below(slot::FIRST_FREE + 1),
        1 => choices.pick(&[UNTYPED, DEVICE]),
        _ => FREE + choices.below(SLOTS),
    }
}

/// A slot in play whose capability is wanted, looked for from a random one on; else any.
fn slot_with(m: Machine, choices: &mut Choices, wanted: impl Fn(Cap) -> bool) -> u64 {
    let start = choices.below(SLOTS);
    let playing = (0..SLOTS).map(|index| FREE + (start + index) % SLOTS);
    let found = playing.chain(0..=slot::FIRST_FREE).chain([UNTYPED, DEVICE]).find(|&index| wanted(m.cap(index)));
    found.unwrap_or_else(|| any_slot(choices))
}

fn slot_of(m: Machine, choices: &mut Choices, kind: Kind) -> u64 {
    slot_with(m, choices, |cap| cap.kind() == kind)
}

fn table(m: Machine, choices: &mut Choices, level: u8) -> u64 {
    slot_with(m, choices, |cap| cap.kind() == Kind::PageTable && cap.table_level() == level)
}

/// A slot with what an invocation of this object is made on.
fn invoked(m: Machine, choices: &mut Choices, row: &Invocation) -> u64 {
    match row.object {
        "Untyped" if choices.one_in(3) => choices.pick(&[UNTYPED, DEVICE]),
        "Untyped" => PLAYGROUND + choices.below(PLAYGROUNDS),
        "TCB" => slot_of(m, choices, Kind::Tcb),
        "CNode" if choices.one_in(4) => slot_of(m, choices, Kind::CNode),
        "CNode" => slot::INIT_CNODE,
        "IRQControl" => slot_of(m, choices, Kind::IrqControl),
        "IRQHandler" => slot_of(m, choices, Kind::IrqHandler),
        "DomainSet" => slot_of(m, choices, Kind::Domain),
        "SchedControl" => slot_of(m, choices, Kind::SchedControl),
        "SchedContext" => slot_of(m, choices, Kind::SchedContext),
        "PDPT" => table(m, choices, 3),
        "PageDirectory" => table(m, choices, 2),
        "PageTable" => table(m, choices, 1),
        "Page" => slot_of(m, choices, Kind::Frame),
        "ASIDControl" => slot_of(m, choices, Kind::AsidControl),
        "ASIDPool" => slot_of(m, choices, Kind::AsidPool),
        "IOPortControl" => slot_of(m, choices, Kind::IoPortControl),
        "IOPort" => slot_of(m, choices, Kind::IoPort),
        other => panic!("an object that this test doesn't know: {other}"),
    }
}

/// A slot with what an invocation wants beside its words.
fn beside(m: Machine, choices: &mut Choices, label: Label, name: &str) -> u64 {
    // Where "nothing" is an answer.
    let or_nothing = |choices: &mut Choices, slot| if choices.one_in(4) { slot::NULL } else { slot };
    match name {
        "root" | "src_root" | "pivot_root" | "cspace_root" if choices.one_in(4) => slot_of(m, choices, Kind::CNode),
        "root" | "src_root" | "pivot_root" | "cspace_root" => slot::INIT_CNODE,
        "vspace" if label == Label::X86AsidPoolAssign => {
            slot_with(m, choices, |cap| cap.kind() == Kind::PageTable && cap.table_level() == 4 && cap.asid() == 0)
        }
        "vspace" | "pml4" | "vspace_root" => {
            slot_with(m, choices, |cap| cap.kind() == Kind::PageTable && cap.table_level() == 4 && cap.asid() != 0)
        }
        "buffer_frame" => slot_of(m, choices, Kind::Frame),
        "authority" | "source" | "thread" => slot_of(m, choices, Kind::Tcb),
        "schedcontext" => slot_of(m, choices, Kind::SchedContext),
        "sched_context" => {
            let slot = slot_of(m, choices, Kind::SchedContext);
            or_nothing(choices, slot)
        }
        "fault_ep" | "timeout_fault_ep" => {
            let slot = slot_of(m, choices, Kind::Endpoint);
            or_nothing(choices, slot)
        }
        "notification" => slot_of(m, choices, Kind::Notification),
        "cap" => {
            let kind = choices.pick(&[Kind::Tcb, Kind::Notification]);
            slot_of(m, choices, kind)
        }
        "untyped" => slot_with(m, choices, |cap| cap.kind() == Kind::Untyped && cap.untyped_bits() == 12),
        other => panic!("a capability that this test doesn't know: {other}"),
    }
}

/// An index below a CNode and its depth.
fn place(m: Machine, choices: &mut Choices, root: u64, filled: bool) -> (u64, u64) {
    let cap = m.cap(root);
    if root == slot::INIT_CNODE || cap.kind() != Kind::CNode {
        let wish = !choices.one_in(5);
        let found = slot_with(m, choices, |cap| !wish || cap.is_null() != filled);
        return (found, if choices.one_in(24) { choices.below(70) } else { 64 });
    }
    let guard = cap.guard();
    let index = choices.below(1 << cap.cnode_bits().min(9));
    (guard.guard() << cap.cnode_bits() & !(u64::MAX << 63) | index, guard.guard_bits() + cap.cnode_bits())
}

/// What to make, and how large.
fn object(choices: &mut Choices) -> (u64, u64) {
    use ObjectType::*;
    let kinds = [
        (Untyped, 12),
        (Untyped, 13),
        (Tcb, 0),
        (Tcb, 0),
        (Endpoint, 0),
        (Endpoint, 0),
        (Notification, 0),
        (CapTable, 2),
        (CapTable, 4),
        (CapTable, 8),
        (SchedContext, 7),
        (SchedContext, 8),
        (SchedContext, 9),
        (Reply, 0),
        (Reply, 0),
        (X86Pdpt, 0),
        (X64Pml4, 0),
        (X864K, 0),
        (X864K, 0),
        (X86PageTable, 0),
        (X86PageDirectory, 0),
        (X86LargePage, 0),
        (X64HugePage, 0),
    ];
    if choices.one_in(16) {
        return (choices.below(ObjectType::COUNT + 1), choices.pick(&[0, 1, 2, 4, 7, 8, 10, 12, 14, 20, 63]));
    }
    let (kind, bits) = choices.pick(&kinds);
    (kind as u64, bits)
}

fn word(choices: &mut Choices, name: &str) -> u64 {
    let place = |choices: &mut Choices| match choices.below(12) {
        0 => choices.pick(&[1, 0x400, 0x7fff_ffff_f000, u64::MAX]),
        _ => choices.pick(&PLACES),
    };
    match name {
        "node_index" | "node_depth" => 0,
        "num_objects" if choices.one_in(4) => choices.below(6),
        "num_objects" => 1,
        "rights" if choices.one_in(2) => 15,
        "rights" => choices.below(16),
        "priority" | "mcp" => choices.pick(&[0, 1, 1, 2, 2, 3, 255]),
        "budget" => choices.pick(&[20, 50, 300, 1000, 1000, 5000]),
        "period" => choices.pick(&[50, 1000, 1000, 5000, 5000, 100_000]),
        "extra_refills" => choices.pick(&[0, 0, 1, 2, 4, 9]),
        "vaddr" => place(choices),
        "buffer" => choices.pick(&[0, 0x40_0000, 0x40_0400, 0x40_0c00, 0x40_0010]),
        "badge" | "dest_badge" | "pivot_badge" => choices.pick(&[0, 1, 1, 1, 2]),
        "flags" => choices.below(16),
        "count" => choices.below(22),
        "irq" | "pin" | "vector" => choices.below(6),
        "ioapic" | "level" | "polarity" => choices.below(40) / 39,
        "first_port" | "port" => choices.below(20),
        "last_port" => choices.below(40),
        "cspace_root_data" if choices.one_in(4) => CNodeCapData::new(0, choices.pick(&[55, 56, 60, 60, 62, 20])).0,
        "cspace_root_data" | "vspace_root_data" => 0,
        "base" => choices.pick(&[0x40_0000, 0x1000]),
        "length" => choices.pick(&[0, 0, 0x1000, u64::MAX]),
        "entry" => choices.pick(&[0x50_0000, u64::MAX]),
        _ => choices.below(8),
    }
}

/// A call of the invocation in `row`.
pub fn call(m: Machine, choices: &mut Choices, row: &Invocation) -> Call {
    let anything = |choices: &mut Choices, slot| if choices.one_in(10) { any_slot(choices) } else { slot };
    let capability = invoked(m, choices, row);
    let capability = anything(choices, capability);
    let mut caps: Vec<u64> = Vec::new();
    for name in row.caps {
        let slot = beside(m, choices, row.label, name);
        caps.push(anything(choices, slot));
    }
    let beside = |name: &str| row.caps.iter().position(|cap| *cap == name).map_or(capability, |index| caps[index]);
    let (what, bits) = object(choices);
    let to = place(m, choices, beside("root"), false);
    let from = place(m, choices, beside("src_root"), true);
    let pivot = place(m, choices, beside("pivot_root"), true);
    let is_badged = |cap: Cap| matches!(cap.kind(), Kind::Endpoint | Kind::Notification) && cap.badge() != 0;
    let is_plain = |cap: Cap| matches!(cap.kind(), Kind::Endpoint | Kind::Notification) && cap.badge() == 0;
    // Families of badges come about on purpose only.
    let from = match row.label {
        Label::CNodeMint if choices.one_in(2) => (slot_with(m, choices, is_plain), 64),
        Label::CNodeCopy | Label::CNodeDelete if choices.one_in(3) => (slot_with(m, choices, is_badged), 64),
        // A CNode into itself.
        Label::CNodeMove if m.cap(capability).kind() == Kind::CNode && capability != slot::INIT_CNODE => {
            (capability, 64)
        }
        _ => from,
    };
    // Of one slot that is to be emptied rather than filled.
    let to = match row.label {
        Label::CNodeRevoke | Label::CNodeDelete | Label::CNodeCancelBadgedSends => from,
        _ => to,
    };
    let mut words: Vec<u64> = Vec::new();
    for name in row.words {
        words.push(match *name {
            "type" => what,
            "size_bits" => bits,
            "node_offset" if beside("root") == slot::INIT_CNODE => to.0,
            "node_offset" => choices.below(16),
            "index" | "domain" if row.object == "DomainSet" => choices.below(8).saturating_sub(4),
            "index" | "dest_index" => to.0,
            "depth" | "dest_depth" => to.1,
            "src_index" => from.0,
            "src_depth" => from.1,
            "pivot_index" => pivot.0,
            "pivot_depth" => pivot.1,
            name => word(choices, name),
        });
    }
    if row.label == Label::TcbWriteRegisters {
        words.resize(2 + words[1] as usize, 0x40_0000);
    }
    Call { capability, label: row.label, words, caps }
}
