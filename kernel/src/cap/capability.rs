//! One capability: two words.
//!
//! Word 0, from the top: kind (8 bits), flags (8 bits, meaning per kind), where the kernel reaches the object (48 bits, of which the highest is the
//! sign: two shifts make it an address).
//! Word 1 by kind:
//!
//! | kind | flags | word 1 |
//! |---|---|---|
//! | Untyped | device | size in bits (6), offset of the first free byte (58) |
//! | Endpoint, Notification | rights (4), for endpoints whether it can be called through (1) | badge |
//! | Reply | rights (grant) | – |
//! | CNode | size in bits of slots | guard as `CNodeCapData` |
//! | SchedContext | size in bits | – |
//! | Frame | rights (2), device (1), size (2) | where mapped: ASID (16), address (48) |
//! | PageTable | level: 1 the lowest, 4 the root | where mapped: ASID (16), address (48) |
//! | AsidPool | – | first ASID |
//! | IrqHandler | – | interrupt |
//! | IoPort | – | first port (16), last port (16) |
//! | Zombie | size in bits of slots, or `Cap::TCB_SLOTS` | slots still to empty |

use crate::mem::PhysAddr;
use chestnut_abi::{CNodeCapData, CapRights, object};

/// What a capability names. All zeroes is the empty slot's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Null = 0,
    Endpoint,
    Notification,
    Reply,
    CNode,
    Tcb,
    SchedContext,
    Untyped,
    Frame,
    PageTable,
    AsidControl,
    AsidPool,
    SchedControl,
    IrqControl,
    IrqHandler,
    IoPortControl,
    IoPort,
    Domain,
    /// A CNode or TCB under deletion: what is left are its slots.
    Zombie,
}

impl Kind {
    /// The kind of this number. Slots are only ever filled by `Cap`'s constructors, so there is one; no number makes the kernel panic.
    #[inline(always)]
    const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Endpoint,
            2 => Self::Notification,
            3 => Self::Reply,
            4 => Self::CNode,
            5 => Self::Tcb,
            6 => Self::SchedContext,
            7 => Self::Untyped,
            8 => Self::Frame,
            9 => Self::PageTable,
            10 => Self::AsidControl,
            11 => Self::AsidPool,
            12 => Self::SchedControl,
            13 => Self::IrqControl,
            14 => Self::IrqHandler,
            15 => Self::IoPortControl,
            16 => Self::IoPort,
            17 => Self::Domain,
            18 => Self::Zombie,
            _ => Self::Null,
        }
    }
}

/// Sizes of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
#[repr(u8)]
pub enum FrameSize {
    Small = 0,
    Large = 1,
    Huge = 2,
}

impl FrameSize {
    /// Size as a power of two in bytes.
    pub const fn bits(self) -> u64 {
        match self {
            Self::Small => object::PAGE_BITS,
            Self::Large => object::LARGE_PAGE_BITS,
            Self::Huge => object::HUGE_PAGE_BITS,
        }
    }
    /// The level of the table that maps such a frame.
    pub const fn level(self) -> u8 {
        self as u8 + 1
    }
}

/// What a frame capability allows its user to do with the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum VmRights {
    KernelOnly = 1,
    ReadOnly = 2,
    ReadWrite = 3,
}

impl VmRights {
    /// These rights cut down to what `mask` allows too. Writing without reading isn't a thing that the processor offers.
    pub const fn masked(self, mask: CapRights) -> Self {
        let read = mask.contains(CapRights::READ);
        let write = mask.contains(CapRights::WRITE);
        match self {
            Self::ReadWrite if read && write => Self::ReadWrite,
            Self::ReadWrite | Self::ReadOnly if read => Self::ReadOnly,
            _ => Self::KernelOnly,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    pub(super) word0: u64,
    pub(super) word1: u64,
}

const ADDRESS: u64 = (1 << 48) - 1;
/// From physical addresses to those in word 0. On the host the window isn't at a fixed place, and they are the same.
const WINDOW: u64 = if cfg!(target_os = "none") { chestnut_abi::layout::KERNEL_WINDOW } else { 0 };
const DEVICE_FRAME: u8 = 1 << 2;
const fn place_bits(address: PhysAddr) -> u64 {
    address.wrapping_add(WINDOW) & ADDRESS
}

/// Flag of an endpoint capability that can be written and replied through: computed when it is made, tested once by the fast path.
const CAN_CALL: u8 = 1 << 4;

/// Flag of a CNode, PageTable or Frame capability in a TCB's own slot.
const IN_TCB: u8 = 1 << 7;

const fn endpoint_flags(rights: CapRights) -> u8 {
    let replies = rights.contains(CapRights::GRANT) || rights.contains(CapRights::GRANT_REPLY);
    let can_call = if rights.contains(CapRights::WRITE) && replies { CAN_CALL } else { 0 };
    rights.0 as u8 & 15 | can_call
}

impl Cap {
    pub const NULL: Self = Self { word0: 0, word1: 0 };
    /// Flags of a zombie that is a TCB's slots.
    pub const TCB_SLOTS: u8 = 0xff;

    const fn new(kind: Kind, flags: u8, address: PhysAddr, word1: u64) -> Self {
        Self { word0: (kind as u64) << 56 | (flags as u64) << 48 | place_bits(address), word1 }
    }
    const fn with_flags(self, flags: u8) -> Self {
        Self { word0: self.word0 & !(0xff << 48) | (flags as u64) << 48, ..self }
    }
    const fn flags(self) -> u8 {
        (self.word0 >> 48) as u8
    }

    #[inline(always)]
    pub const fn kind(self) -> Kind {
        Kind::from_number((self.word0 >> 56) as u8)
    }
    /// Whether a copy of it is the same, whatever else there is.
    #[inline(always)]
    pub const fn copies_as_it_is(self) -> bool {
        const OTHERS: u64 = 1 << Kind::Frame as u8
            | 1 << Kind::Untyped as u8
            | 1 << Kind::PageTable as u8
            | 1 << Kind::IrqControl as u8
            | 1 << Kind::IoPortControl as u8
            | 1 << Kind::Zombie as u8;
        OTHERS >> (self.word0 >> 56 & 63) & 1 == 0
    }
    #[inline(always)]
    pub const fn is_null(self) -> bool {
        self.word0 == 0
    }
    /// Physical address of the object.
    #[inline(always)]
    pub const fn address(self) -> PhysAddr {
        self.word0.wrapping_sub(WINDOW) & ADDRESS
    }
    /// Where the object is, if it lives in memory that the window shows: what [`Ref::reached`](crate::mem::Ref::reached) takes.
    #[inline(always)]
    pub const fn place(self) -> u64 {
        ((self.word0 << 16).cast_signed() >> 16).cast_unsigned()
    }

    /// The same for an object of the same kind and size elsewhere.
    pub const fn moved_to(self, address: PhysAddr) -> Self {
        Self { word0: self.word0 & !ADDRESS | place_bits(address), ..self }
    }

    // Makers.
    pub const fn untyped(address: PhysAddr, size_bits: u64, device: bool) -> Self {
        Self::new(Kind::Untyped, device as u8, address, size_bits & 0x3f)
    }
    pub const fn endpoint(address: PhysAddr, badge: u64, rights: CapRights) -> Self {
        Self::new(Kind::Endpoint, endpoint_flags(rights), address, badge)
    }
    /// Where the endpoint is, if this is a capability through which a Call can be sent and answered.
    #[inline(always)]
    pub const fn callable_endpoint(self) -> Option<u64> {
        // An endpoint capability has no other flag among the upper four.
        const WANTED: u64 = (Kind::Endpoint as u64) << 4 | CAN_CALL as u64 >> 4;
        if self.word0 >> 52 == WANTED { Some(self.place()) } else { None }
    }
    /// Where the endpoint is, if this is a capability through which can be received.
    #[inline(always)]
    pub const fn receivable_endpoint(self) -> Option<u64> {
        const ASKED: u32 = 0xff << 8 | CapRights::READ.0 as u32;
        const WANTED: u32 = (Kind::Endpoint as u32) << 8 | CapRights::READ.0 as u32;
        if (self.word0 >> 48) as u32 & ASKED == WANTED { Some(self.place()) } else { None }
    }
    pub const fn notification(address: PhysAddr, badge: u64, rights: CapRights) -> Self {
        Self::new(Kind::Notification, rights.0 as u8 & 3, address, badge)
    }
    /// Where the notification is, if this is a capability through which it can be signalled.
    #[inline(always)]
    pub const fn signalled_notification(self) -> Option<u64> {
        // A notification capability has no other flags than the rights to write and to read.
        const WANTED: u64 = (Kind::Notification as u64) << 8 | CapRights::WRITE.0;
        if self.word0 >> 48 & !CapRights::READ.0 == WANTED { Some(self.place()) } else { None }
    }
    pub const fn reply(address: PhysAddr, rights: CapRights) -> Self {
        Self::new(Kind::Reply, rights.0 as u8 & 15, address, 0)
    }
    pub const fn cnode(address: PhysAddr, size_bits: u64, guard: CNodeCapData) -> Self {
        Self::new(Kind::CNode, size_bits as u8, address, guard.0)
    }
    pub const fn tcb(address: PhysAddr) -> Self {
        Self::new(Kind::Tcb, 0, address, 0)
    }
    pub const fn sched_context(address: PhysAddr, size_bits: u64) -> Self {
        Self::new(Kind::SchedContext, size_bits as u8, address, 0)
    }
    pub const fn frame(address: PhysAddr, size: FrameSize, rights: VmRights, device: bool) -> Self {
        let device = if device { DEVICE_FRAME } else { 0 };
        Self::new(Kind::Frame, rights as u8 | device | (size as u8) << 3, address, 0)
    }
    pub const fn page_table(address: PhysAddr, level: u8) -> Self {
        Self::new(Kind::PageTable, level, address, 0)
    }
    pub const fn asid_control() -> Self {
        Self::new(Kind::AsidControl, 0, 0, 0)
    }
    pub const fn asid_pool(address: PhysAddr, first: u64) -> Self {
        Self::new(Kind::AsidPool, 0, address, first)
    }
    pub const fn sched_control() -> Self {
        Self::new(Kind::SchedControl, 0, 0, 0)
    }
    pub const fn irq_control() -> Self {
        Self::new(Kind::IrqControl, 0, 0, 0)
    }
    pub const fn irq_handler(irq: u64) -> Self {
        Self::new(Kind::IrqHandler, 0, 0, irq)
    }
    pub const fn io_port_control() -> Self {
        Self::new(Kind::IoPortControl, 0, 0, 0)
    }
    pub const fn io_port(first: u16, last: u16) -> Self {
        Self::new(Kind::IoPort, 0, 0, (first as u64) << 16 | last as u64)
    }
    pub const fn domain() -> Self {
        Self::new(Kind::Domain, 0, 0, 0)
    }
    /// What remains of a CNode or TCB: `count` slots from `address` on that are still to be emptied. `flags` keeps the CNode's
    /// size, or says [`Cap::TCB_SLOTS`].
    pub const fn zombie(address: PhysAddr, flags: u8, count: u64) -> Self {
        Self::new(Kind::Zombie, flags, address, count)
    }

    // Readers and changers; each is meaningful only for the kinds it names.

    /// Endpoint, Notification, Reply.
    #[inline(always)]
    pub const fn rights(self) -> CapRights {
        CapRights(self.flags() as u64 & 15)
    }
    /// Endpoint, Notification.
    #[inline(always)]
    pub const fn badge(self) -> u64 {
        self.word1
    }
    /// Endpoint, Notification.
    pub const fn with_badge(self, badge: u64) -> Self {
        Self { word1: badge, ..self }
    }
    /// Every kind: with no more rights than `mask`.
    #[inline(always)]
    pub fn masked(self, mask: CapRights) -> Self {
        if mask.contains(CapRights::ALL) { self } else { self.without_others(mask) }
    }
    #[inline(never)]
    fn without_others(self, mask: CapRights) -> Self {
        match self.kind() {
            Kind::Endpoint => self.with_flags(endpoint_flags(self.rights().intersect(mask))),
            Kind::Notification | Kind::Reply => self.with_flags(self.flags() & mask.0 as u8),
            Kind::Frame => self.with_flags(self.flags() & !3 | self.vm_rights().masked(mask) as u8),
            _ => self,
        }
    }

    /// Untyped: size as a power of two in bytes.
    pub const fn untyped_bits(self) -> u64 {
        self.word1 & 0x3f
    }
    /// Untyped: bytes from its start to the first one that no object has.
    pub const fn untyped_free(self) -> u64 {
        self.word1 >> 6
    }
    pub const fn with_untyped_free(self, free: u64) -> Self {
        Self { word1: self.word1 & 0x3f | free << 6, ..self }
    }
    /// Untyped: whether it is device memory, of which only untypeds and frames can be made.
    pub const fn untyped_is_device(self) -> bool {
        self.flags() & 1 != 0
    }

    /// CNode: number of slots as a power of two. Zombie: the same, of what it was.
    #[inline(always)]
    pub const fn cnode_bits(self) -> u64 {
        (self.flags() & 0x3f) as u64
    }
    /// Number of slots as a power of two, below 64, if this is a CNode that isn't in a TCB's slot.
    #[inline(always)]
    pub const fn bits_if_cnode(self) -> Option<u64> {
        let bits = (self.word0 >> 48).wrapping_sub((Kind::CNode as u64) << 8);
        if bits < 64 { Some(bits) } else { None }
    }
    /// CNode.
    #[inline(always)]
    pub const fn guard(self) -> CNodeCapData {
        CNodeCapData(self.word1)
    }
    pub const fn with_guard(self, guard: CNodeCapData) -> Self {
        Self { word1: guard.0, ..self }
    }

    /// SchedContext: size as a power of two in bytes.
    pub const fn sched_context_bits(self) -> u64 {
        self.flags() as u64
    }

    /// Frame.
    pub const fn vm_rights(self) -> VmRights {
        match self.flags() & 3 {
            3 => VmRights::ReadWrite,
            2 => VmRights::ReadOnly,
            _ => VmRights::KernelOnly,
        }
    }
    /// Frame.
    pub const fn frame_size(self) -> FrameSize {
        match self.flags() >> 3 & 3 {
            0 => FrameSize::Small,
            1 => FrameSize::Large,
            _ => FrameSize::Huge,
        }
    }
    /// Frame.
    pub const fn frame_is_device(self) -> bool {
        self.flags() & DEVICE_FRAME != 0
    }
    /// PageTable: 1 the lowest, 4 the root.
    pub const fn table_level(self) -> u8 {
        self.flags() & 7
    }
    /// CNode, PageTable, Frame: the same capability as it stands in a TCB's slot, of which the TCB caches what it decoded.
    pub const fn in_tcb(self) -> Self {
        self.with_flags(self.flags() | IN_TCB)
    }
    /// CNode, PageTable, Frame: the same capability anywhere else.
    pub const fn outside_tcb(self) -> Self {
        self.with_flags(self.flags() & !IN_TCB)
    }
    /// Whether a TCB caches what it decoded from this capability.
    pub fn is_in_tcb(self) -> bool {
        matches!(self.kind(), Kind::CNode | Kind::PageTable | Kind::Frame) && self.flags() & IN_TCB != 0
    }
    /// Frame, PageTable: the address space it is mapped in (0: none); for a root table, the one it is.
    #[inline(always)]
    pub const fn asid(self) -> u64 {
        self.word1 >> 48
    }
    /// Frame, PageTable: where it is mapped.
    pub const fn mapped_at(self) -> u64 {
        self.word1 & ADDRESS
    }
    pub const fn with_mapping(self, asid: u64, address: u64) -> Self {
        Self { word1: asid << 48 | address & ADDRESS, ..self }
    }
    /// AsidPool: its first ASID.
    pub const fn asid_base(self) -> u64 {
        self.word1
    }
    /// IrqHandler.
    pub const fn irq(self) -> u64 {
        self.word1
    }
    /// IoPort: first and last port.
    pub const fn ports(self) -> (u16, u16) {
        ((self.word1 >> 16) as u16, self.word1 as u16)
    }
    /// Zombie: slots still to be emptied.
    pub const fn zombie_count(self) -> u64 {
        self.word1
    }
    pub const fn with_zombie_count(self, count: u64) -> Self {
        Self { word1: count, ..self }
    }
    /// Zombie: the flags it was made with.
    pub const fn zombie_flags(self) -> u8 {
        self.flags()
    }

    /// Size of the object in memory as a power of two in bytes; none for what has no memory of its own.
    pub fn memory_bits(self) -> Option<u64> {
        Some(match self.kind() {
            Kind::Untyped => self.untyped_bits(),
            Kind::Endpoint => object::ENDPOINT_BITS,
            Kind::Notification => object::NOTIFICATION_BITS,
            Kind::Reply => object::REPLY_BITS,
            Kind::CNode => self.cnode_bits() + object::SLOT_BITS,
            Kind::Tcb => object::TCB_BITS,
            Kind::SchedContext => self.sched_context_bits(),
            Kind::Frame => self.frame_size().bits(),
            Kind::PageTable => object::PAGE_BITS,
            Kind::AsidPool => object::ASID_POOL_BITS,
            Kind::Zombie if self.zombie_flags() == Self::TCB_SLOTS => object::TCB_BITS,
            Kind::Zombie => self.cnode_bits() + object::SLOT_BITS,
            _ => return None,
        })
    }

    /// Where the object's memory begins. A TCB's zombie names its slots, which lie inside the TCB.
    pub fn memory_start(self) -> PhysAddr {
        match self.kind() {
            Kind::Zombie if self.zombie_flags() == Self::TCB_SLOTS => {
                self.address() >> object::TCB_BITS << object::TCB_BITS
            }
            _ => self.address(),
        }
    }

    /// Whether both name the same object, so that deleting one of them leaves the other.
    #[inline]
    pub fn same_object(self, other: Self) -> bool {
        // Objects in memory don't overlap, so that kind and place tell them apart.
        if (self.word0 ^ other.word0) & !(0xff << 48) == 0 {
            return match self.kind() {
                Kind::IrqHandler | Kind::IoPort => self.word1 == other.word1,
                Kind::Zombie => self.flags() == other.flags(),
                kind => kind.is_in_memory(),
            };
        }
        // A zombie is what became of a CNode or TCB. Its address may lie inside the object.
        (self.kind() == Kind::Zombie || other.kind() == Kind::Zombie) && self.is_what_became_of(other)
    }

    /// Whether these, of which one is a zombie, are the same CNode or TCB.
    #[cold]
    fn is_what_became_of(self, other: Self) -> bool {
        let container = |cap: Self| matches!(cap.kind(), Kind::CNode | Kind::Tcb | Kind::Zombie);
        let memory = |cap: Self| (cap.memory_start(), cap.memory_bits());
        container(self) && container(other) && memory(self) == memory(other)
    }

    /// Whether `other` can have been derived from `self`: it names the same object, or one made from it.
    pub fn covers(self, other: Self) -> bool {
        match (self.kind(), other.kind()) {
            (Kind::Untyped, _) => other.memory_bits().is_some_and(|bits| {
                let (start, size) = (self.address(), 1u64 << self.untyped_bits());
                let inner = other.memory_start().wrapping_sub(start);
                bits <= self.untyped_bits() && inner < size
            }),
            (Kind::IrqControl, Kind::IrqControl | Kind::IrqHandler) => true,
            (Kind::IoPortControl, Kind::IoPortControl | Kind::IoPort) => true,
            (a, b) if self.memory_bits().is_none() && a == b => self.word1 == other.word1,
            _ => self.same_object(other),
        }
    }
}

impl Kind {
    /// Whether a capability of this kind names an object in memory, as its copies do. Copies of an untyped are not the same: each may be used up.
    const fn is_in_memory(self) -> bool {
        use Kind::{AsidPool, CNode, Endpoint, Frame, Notification, PageTable, Reply, SchedContext, Tcb};
        matches!(self, Endpoint | Notification | Reply | CNode | Tcb | SchedContext | Frame | PageTable | AsidPool)
    }
}

impl core::fmt::Debug for Cap {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        write!(f, "{:?}({:#x}, flags {:#x}, {:#x})", self.kind(), self.address(), self.flags(), self.word1)
    }
}
