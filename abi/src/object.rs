//! Object types for Retype and how large each object is.

/// What Untyped_Retype can make, by the number it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum ObjectType {
    Untyped = 0,
    Tcb = 1,
    Endpoint = 2,
    Notification = 3,
    /// A CNode of 2^`size_bits` slots.
    CapTable = 4,
    SchedContext = 5,
    Reply = 6,
    X86Pdpt = 7,
    X64Pml4 = 8,
    /// 1 GiB frame.
    X64HugePage = 9,
    /// 4 KiB frame.
    X864K = 10,
    /// 2 MiB frame.
    X86LargePage = 11,
    X86PageTable = 12,
    X86PageDirectory = 13,
}

impl ObjectType {
    pub const COUNT: u64 = 14;

    pub const fn from_number(number: u64) -> Option<Self> {
        Some(match number {
            0 => Self::Untyped,
            1 => Self::Tcb,
            2 => Self::Endpoint,
            3 => Self::Notification,
            4 => Self::CapTable,
            5 => Self::SchedContext,
            6 => Self::Reply,
            7 => Self::X86Pdpt,
            8 => Self::X64Pml4,
            9 => Self::X64HugePage,
            10 => Self::X864K,
            11 => Self::X86LargePage,
            12 => Self::X86PageTable,
            13 => Self::X86PageDirectory,
            _ => return None,
        })
    }

    /// The object's size as a power of two in bytes. `user_bits` counts only for the types that have a size of their
    /// own choosing: untyped and scheduling context (bytes), CNode (slots).
    pub const fn size_bits(self, user_bits: u64) -> u64 {
        match self {
            Self::Untyped | Self::SchedContext => user_bits,
            Self::CapTable => user_bits.saturating_add(SLOT_BITS),
            Self::Tcb => TCB_BITS,
            Self::Endpoint => ENDPOINT_BITS,
            Self::Notification => NOTIFICATION_BITS,
            Self::Reply => REPLY_BITS,
            Self::X64HugePage => HUGE_PAGE_BITS,
            Self::X86LargePage => LARGE_PAGE_BITS,
            Self::X864K | Self::X86Pdpt | Self::X64Pml4 | Self::X86PageTable | Self::X86PageDirectory => PAGE_BITS,
        }
    }
}

pub const SLOT_BITS: u64 = 5;
pub const TCB_BITS: u64 = 11;
pub const ENDPOINT_BITS: u64 = 4;
pub const NOTIFICATION_BITS: u64 = 6;
pub const REPLY_BITS: u64 = 5;
pub const PAGE_BITS: u64 = 12;
pub const LARGE_PAGE_BITS: u64 = 21;
pub const HUGE_PAGE_BITS: u64 = 30;
pub const ASID_POOL_BITS: u64 = 12;
/// 2^3 ASID pools of 2^9 address spaces each.
pub const ASID_POOL_COUNT_BITS: u64 = 3;
pub const ASID_POOL_INDEX_BITS: u64 = 9;
pub const MIN_UNTYPED_BITS: u64 = 4;
pub const MAX_UNTYPED_BITS: u64 = 47;
pub const MIN_SCHED_CONTEXT_BITS: u64 = 7;
/// Bytes of a scheduling context that hold its state and the two refills every one has.
pub const CORE_SCHED_CONTEXT_BYTES: u64 = 128;
pub const REFILL_BYTES: u64 = 16;
/// Refills that every scheduling context has room for.
pub const MIN_REFILLS: u64 = 2;

/// Refills that a scheduling context of 2^`size_bits` bytes has room for beside its two.
pub const fn max_extra_refills(size_bits: u64) -> u64 {
    ((1u64 << size_bits) - CORE_SCHED_CONTEXT_BYTES) / REFILL_BYTES
}

/// Attributes of a mapping (`attr` of Page_Map and the paging-structure maps).
pub struct VmAttributes;

impl VmAttributes {
    pub const WRITE_BACK: u64 = 0;
    pub const WRITE_THROUGH: u64 = 1;
    pub const CACHE_DISABLED: u64 = 2;
    pub const UNCACHEABLE: u64 = 3;
    pub const WRITE_COMBINING: u64 = 4;
    /// Chestnut's extension: no instruction may be fetched from the page.
    pub const EXECUTE_NEVER: u64 = 8;
}

/// Flags of TCB_SetFlags.
pub struct TcbFlags;

impl TcbFlags {
    pub const FPU_DISABLED: u64 = 1;
    pub const MASK: u64 = 1;
}

/// Flags of SchedControl_ConfigureFlags.
pub struct SchedContextFlags;

impl SchedContextFlags {
    pub const SPORADIC: u64 = 1;
}
