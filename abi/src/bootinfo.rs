//! What the kernel tells the root task: where its capabilities are and which memory they cover.

/// Most untypeds that bootinfo can list.
pub const MAX_UNTYPEDS: usize = 230;

/// Capabilities that the root task finds at fixed slots of its root CNode.
pub mod slot {
    pub const NULL: u64 = 0;
    pub const INIT_TCB: u64 = 1;
    pub const INIT_CNODE: u64 = 2;
    pub const INIT_VSPACE: u64 = 3;
    pub const IRQ_CONTROL: u64 = 4;
    pub const ASID_CONTROL: u64 = 5;
    pub const INIT_ASID_POOL: u64 = 6;
    pub const IO_PORT_CONTROL: u64 = 7;
    /// Empty: there is no IOMMU support.
    pub const IO_SPACE: u64 = 8;
    pub const BOOT_INFO_FRAME: u64 = 9;
    pub const INIT_IPC_BUFFER: u64 = 10;
    pub const DOMAIN: u64 = 11;
    /// Empty on x86.
    pub const SMMU_SID_CONTROL: u64 = 12;
    /// Empty on x86.
    pub const SMMU_CB_CONTROL: u64 = 13;
    pub const INIT_SCHED_CONTEXT: u64 = 14;
    /// Empty on x86.
    pub const SMC: u64 = 15;
    pub const FIRST_FREE: u64 = 16;
}

/// Slots from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SlotRegion {
    pub start: u64,
    pub end: u64,
}

/// One untyped: physical address, size as a power of two in bytes, and whether it is device memory (1) or RAM (0).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct UntypedDesc {
    pub paddr: u64,
    pub size_bits: u8,
    pub is_device: u8,
    pub padding: [u8; 6],
}

/// The root task finds this structure at the address in rdi, and `extra_len` bytes of chunks on the page after it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct BootInfo {
    /// Bytes of extra bootinfo: chunks that each begin with a [`ChunkHeader`].
    pub extra_len: u64,
    pub node_id: u64,
    pub num_nodes: u64,
    /// −1: no IOMMU.
    pub num_iopt_levels: u64,
    pub ipc_buffer: u64,
    pub empty: SlotRegion,
    pub shared_frames: SlotRegion,
    pub user_image_frames: SlotRegion,
    pub user_image_paging: SlotRegion,
    pub io_space_caps: SlotRegion,
    pub extra_bi_pages: SlotRegion,
    pub init_cnode_size_bits: u64,
    pub init_domain: u64,
    pub sched_control: SlotRegion,
    pub untyped: SlotRegion,
    pub untyped_list: [UntypedDesc; MAX_UNTYPEDS],
}

/// Start of a chunk of extra bootinfo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ChunkHeader {
    pub id: u64,
    /// Bytes, this header included.
    pub len: u64,
}

/// Kinds of chunks.
pub mod chunk {
    pub const PADDING: u64 = 0;
    pub const X86_VBE: u64 = 1;
    pub const X86_MBMMAP: u64 = 2;
    /// The RSDP itself, 36 bytes.
    pub const X86_ACPI_RSDP: u64 = 3;
    pub const X86_FRAMEBUFFER: u64 = 4;
    /// A u32: time-stamp counter ticks per microsecond.
    pub const X86_TSC_FREQ: u64 = 5;
    pub const FDT: u64 = 6;
}

const _: () = {
    use core::mem::{offset_of, size_of};
    assert!(size_of::<BootInfo>() == 3864);
    assert!(offset_of!(BootInfo, ipc_buffer) == 32);
    assert!(offset_of!(BootInfo, user_image_frames) == 72);
    assert!(offset_of!(BootInfo, extra_bi_pages) == 120);
    assert!(offset_of!(BootInfo, init_cnode_size_bits) == 136);
    assert!(offset_of!(BootInfo, sched_control) == 152);
    assert!(offset_of!(BootInfo, untyped) == 168);
    assert!(offset_of!(BootInfo, untyped_list) == 184);
};
