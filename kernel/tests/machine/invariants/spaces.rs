//! Address spaces, interrupts and ports: the processor's tables name only live tables and frames, where their capabilities say so;
//! the kernel's tables say of each interrupt and port what its capability says.

use super::tree::Caps;
use crate::machine::Machine;
use chestnut_abi::object::{ASID_POOL_COUNT_BITS, ASID_POOL_INDEX_BITS};
use chestnut_kernel::arch;
use chestnut_kernel::cap::{Cap, Kind, VmRights};
use chestnut_kernel::mem::Ref;
use chestnut_kernel::object::x86_64::{LEVELS, Table, span_bits};
use chestnut_kernel::object::{IRQS, IrqState, Kernel, TcbSlot};

pub fn check(m: Machine, caps: &Caps) {
    let k = m.kernel();
    let mapped = Mapped::read(caps);
    let mut roots = vec![0];
    for base in (0..1u64 << ASID_POOL_COUNT_BITS).map(|pool| pool << ASID_POOL_INDEX_BITS) {
        let Some(pool) = k.asids.pool(base).get(k) else { continue };
        assert!(caps.is_live(pool.address(), Kind::AsidPool), "a deleted ASID pool is in the table");
        for asid in base..base + (1 << ASID_POOL_INDEX_BITS) {
            if let Some(root) = pool.entry(asid).get(k) {
                roots.push(root.physical(k));
                assert!(caps.is_live(root.address(), Kind::PageTable), "ASID {asid} is a deleted address space's");
                assert!(mapped.has_table(asid, 0, root.physical(k)), "ASID {asid} names what doesn't say so");
                check_table(k, caps, &mapped, asid, root, LEVELS, 0);
            }
        }
    }
    assert!(roots.contains(&arch::active_vspace()), "the processor is in a dead address space");
    check_caches(k, caps);
    check_interrupts(k, caps);
    check_ports(m, caps);
}

/// What a TCB has decoded from its slots is what the slots say.
fn check_caches(k: Kernel, caps: &Caps) {
    for thread in caps.objects().filter_map(|cap| cap.as_tcb(k)) {
        let (cspace, vspace) = (thread.slot(TcbSlot::CSpace).cap(), thread.slot(TcbSlot::VSpace).cap());
        if let Some(first) = thread.cspace.get().slot(k.entry(), 0) {
            let right = cspace.kind() == Kind::CNode && cspace.address() == first.physical(k) && cspace.is_in_tcb();
            assert!(right, "a thread goes on with a CSpace that its slot doesn't hold: {cspace:?}");
            let beyond = thread.cspace.get().slot(k.entry(), 1 << cspace.cnode_bits());
            assert!(beyond.is_none(), "a thread's CSpace seems larger than it is");
        }
        let held = vspace.as_table(k).filter(|_| vspace.is_in_tcb());
        let right = thread.vspace.is(None) || held.is_some() && thread.vspace.is(held);
        assert!(right, "a thread goes on in an address space that its slot doesn't hold: {vspace:?}");
        if let Some(start) = thread.buffer.get().readable() {
            let frame = thread.slot(TcbSlot::IpcBuffer).cap();
            assert!(
                frame.kind() == Kind::Frame && frame.is_in_tcb() && !frame.frame_is_device(),
                "a buffer in {frame:?}"
            );
            let offset = k.entry().physical(start).wrapping_sub(frame.address());
            assert_eq!(offset, thread.ipc_buffer.get() & ((1 << frame.frame_size().bits()) - 1), "another buffer");
            assert_eq!(frame.vm_rights() == VmRights::ReadWrite, thread.buffer.get().writable().is_some(), "{frame:?}");
        }
    }
}

/// Where capabilities say that their tables and frames are mapped: (ASID, address, object).
struct Mapped {
    tables: Vec<(u64, u64, u64)>,
    frames: Vec<(u64, u64, u64)>,
}

impl Mapped {
    fn read(caps: &Caps) -> Self {
        let place = |cap: Cap| (cap.asid(), cap.mapped_at(), cap.address());
        let sorted = |kind| {
            let mut places: Vec<_> = caps.of_kind(kind).map(place).collect();
            places.sort_unstable();
            places
        };
        Self { tables: sorted(Kind::PageTable), frames: sorted(Kind::Frame) }
    }
    fn has_table(&self, asid: u64, address: u64, table: u64) -> bool {
        self.tables.binary_search(&(asid, address, table)).is_ok()
    }
    fn has_frame(&self, asid: u64, address: u64, frame: u64) -> bool {
        self.frames.binary_search(&(asid, address, frame)).is_ok()
    }
}

fn check_table(k: Kernel, caps: &Caps, mapped: &Mapped, asid: u64, table: Ref<Table>, level: u8, base: u64) {
    // The upper half is the kernel's.
    let entries = if level == LEVELS { 256 } else { 512 };
    for index in 0..entries {
        let entry = table.entry(index);
        if !entry.is_present() {
            continue;
        }
        let (address, names) = (base + ((index as u64) << span_bits(level)), entry.address(level));
        let object = caps.object(names);
        if entry.is_leaf(level) {
            let frame = object.filter(|cap| cap.kind() == Kind::Frame && cap.frame_size().level() == level);
            assert!(frame.is_some(), "ASID {asid} maps {names:#x} at {address:#x}, which is no frame of level {level}");
            assert!(mapped.has_frame(asid, address, names), "no capability says that a frame is at {address:#x}");
        } else {
            let below = object.filter(|cap| cap.kind() == Kind::PageTable && cap.table_level() == level - 1);
            let Some(below) = below else {
                panic!("ASID {asid} has {names:#x} at {address:#x}, which is no table of level {}", level - 1)
            };
            assert!(mapped.has_table(asid, address, names), "no capability says that a table is at {address:#x}");
            let below = below.as_table(k).expect("a table");
            check_table(k, caps, mapped, asid, below, level - 1, address);
        }
    }
}

fn check_interrupts(k: Kernel, caps: &Caps) {
    let mut handled = [false; IRQS];
    caps.of_kind(Kind::IrqHandler).for_each(|cap| handled[cap.irq() as usize] = true);
    for (irq, handled) in (0..).zip(handled) {
        assert_eq!(k.irqs.state(irq) == IrqState::Active, handled, "interrupt {irq}'s state and its handler differ");
        let slot = k.state().irqs.slot(irq).expect("a slot for each");
        if !slot.is_empty() {
            assert!(handled, "interrupt {irq} signals without a handler");
            let alive = caps.object(slot.cap().address()).is_some_and(|cap| cap.kind() == Kind::Notification);
            assert!(alive, "interrupt {irq} signals a deleted notification");
        }
    }
}

/// Only the low ports are looked at: those that the random sequences ask for.
fn check_ports(m: Machine, caps: &Caps) {
    let mut held = [false; 40];
    for (first, last) in caps.of_kind(Kind::IoPort).map(Cap::ports) {
        held[usize::from(first)..=usize::from(last)].fill(true);
    }
    for (port, held) in (0..).zip(held) {
        let issued = m.state.ports.any_issued(port, port);
        assert_eq!(issued, held, "port {port:#x} is issued and nobody has it, or the other way round");
    }
}
