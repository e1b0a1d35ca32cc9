//! The root task: the one thread that the kernel makes by itself, and the capabilities to everything there is.
//!
//! What it finds is the interface's: its image in 4 KiB frames at its own addresses, then one page each for the IPC buffer,
//! bootinfo and extra bootinfo; capabilities at the fixed slots and, in this order from the first free one: scheduling
//! control, the extra bootinfo page, paging structures, image frames, untypeds. All free memory is in the untypeds.
//!
//! `unsafe`: memory becomes objects. Invariant: [`Builder::take`] gives memory out once, cleared and aligned to its size.

use super::acpi::RSDP_SIZE;
use super::image::RootImage;
use super::options::Options;
use super::regions::Regions;
use super::untypeds::Untypeds;
use crate::cap::{Cap, CapRef, FrameSize, VmRights};
use crate::mem::{self, PhysAddr, Ref};
use crate::object::x86_64::{LEVELS, TableEntry, Walk, index, walk};
use crate::object::{Kernel, TcbSlot, ThreadState};
use crate::{arch, lifecycle, time};
use chestnut_abi::bootinfo::{BootInfo, ChunkHeader, MAX_UNTYPEDS, SlotRegion, UntypedDesc, chunk, slot};
use chestnut_abi::object::{
    ASID_POOL_BITS, MIN_REFILLS, MIN_SCHED_CONTEXT_BITS, PAGE_BITS, SLOT_BITS, TCB_BITS, VmAttributes,
};
use chestnut_abi::registers::Register;
use chestnut_abi::{CNodeCapData, MAX_PRIORITY};

const PAGE: u64 = 1 << PAGE_BITS;
/// Pages after the image: IPC buffer, bootinfo, extra bootinfo.
const PAGES_AFTER_IMAGE: u64 = 3;
/// The initial thread's time slice, in microseconds.
const TIME_SLICE_US: u64 = 5000;
/// The initial address space. 0 is none.
const ROOT_ASID: u64 = 1;
/// Length of the TSC chunk: its header, a u32, and padding so that the next header is aligned.
const TSC_CHUNK: u64 = size_of::<ChunkHeader>() as u64 + 8;
const RSDP_CHUNK: u64 = (size_of::<ChunkHeader>() + RSDP_SIZE) as u64;

/// What the root task is made from and given.
pub struct Given<'a> {
    /// RAM that nobody uses, in whole pages.
    pub free: Regions,
    /// Physical addresses that are neither RAM nor the kernel's devices.
    pub devices: Regions,
    /// The root task's ELF file.
    pub file: &'a [u8],
    pub options: Options,
    /// A copy of the ACPI root pointer.
    pub rsdp: [u8; RSDP_SIZE],
    /// TSC ticks per microsecond.
    pub tsc_mhz: u64,
}

/// What was made, for the boot report.
pub struct Made {
    pub entry: u64,
    pub image_pages: u64,
    pub untypeds: usize,
    /// Bytes of RAM in untypeds.
    pub ram: u64,
    /// Bytes that no untyped covers because bootinfo's list was full.
    pub lost: u64,
}

const NO_MEMORY: &str = "there is not enough memory for the root task";

struct Builder<'k> {
    k: Kernel<'k>,
    free: Regions,
    cnode: PhysAddr,
    cnode_bits: u64,
    next_slot: u64,
    root: PhysAddr,
}

/// Makes the root task and everything that it holds; it runs as soon as the kernel is left. The error is one line for the
/// user.
pub fn create(k: Kernel, given: Given) -> Result<Made, &'static str> {
    let image = RootImage::parse(given.file, PAGES_AFTER_IMAGE * PAGE)?;
    k.set_ticks_per_us(given.tsc_mhz);
    time::read_clock(k);
    let mut b = Builder::new(k, given.free, given.options.cnode_bits)?;
    let ipc_buffer = image.end();
    let bootinfo = ipc_buffer + PAGE;
    let extra = bootinfo + PAGE;

    b.put(slot::IRQ_CONTROL, Cap::irq_control())?;
    b.put(slot::ASID_CONTROL, Cap::asid_control())?;
    b.put(slot::IO_PORT_CONTROL, Cap::io_port_control())?;
    b.put(slot::DOMAIN, Cap::domain())?;
    let sched_control = b.region(|b| b.append(Cap::sched_control()))?;

    let pages = image.pages.size() / PAGE;
    let image_memory = b.take(image.pages.size(), PAGE_BITS as u32)?;
    let [ipc_buffer_page, bootinfo_page, extra_page] = [b.page()?, b.page()?, b.page()?];
    let user_image_paging = b.region(|b| {
        image.pages.iter().try_for_each(|run| b.tables(run.start, run.end))?;
        b.tables(ipc_buffer, extra + PAGE)
    })?;
    let extra_bi_pages = b.region(|b| {
        let frame = b.map(extra, extra_page)?;
        b.append(frame)
    })?;
    let user_image_frames = b.region(|b| {
        let addresses = image.pages.iter().flat_map(|run| (run.start..run.end).step_by(PAGE as usize));
        for (address, paddr) in addresses.zip((image_memory..).step_by(PAGE as usize)) {
            let frame = b.map(address, paddr)?;
            b.append(frame)?;
        }
        Ok(())
    })?;
    load(k, &image, image_memory);
    let frame = b.map(ipc_buffer, ipc_buffer_page)?;
    b.put(slot::INIT_IPC_BUFFER, frame)?;
    let frame = b.map(bootinfo, bootinfo_page)?;
    b.put(slot::BOOT_INFO_FRAME, frame)?;
    b.start_thread(image.entry, bootinfo, ipc_buffer)?;

    let untypeds = Untypeds::new(&b.free, &given.devices);
    let untyped = b.region(|b| untypeds.as_slice().iter().try_for_each(|desc| b.append(untyped_cap(desc))))?;
    let mut list = [UntypedDesc::default(); MAX_UNTYPEDS];
    list.iter_mut().zip(untypeds.as_slice()).for_each(|(to, from)| *to = *from);
    let info = BootInfo {
        extra_len: TSC_CHUNK + RSDP_CHUNK,
        node_id: 0,
        num_nodes: 1,
        num_iopt_levels: u64::MAX,
        ipc_buffer,
        empty: SlotRegion { start: b.next_slot, end: 1 << b.cnode_bits },
        shared_frames: SlotRegion::default(),
        user_image_frames,
        user_image_paging,
        io_space_caps: SlotRegion::default(),
        extra_bi_pages,
        init_cnode_size_bits: b.cnode_bits,
        init_domain: 0,
        sched_control,
        untyped,
        untyped_list: list,
    };
    // SAFETY: a page of its own that no object is in, larger than the structure.
    unsafe { core::ptr::with_exposed_provenance_mut::<BootInfo>(k.entry().address(bootinfo_page)).write(info) };
    write_chunks(k, extra_page, given.tsc_mhz as u32, &given.rsdp);
    Ok(Made {
        entry: image.entry,
        image_pages: pages,
        untypeds: untypeds.as_slice().len(),
        ram: b.free.size(),
        lost: untypeds.lost,
    })
}

/// An untyped that counts as wholly used, so that its first Retype clears it: nobody knows what RAM holds after power-on.
fn untyped_cap(desc: &UntypedDesc) -> Cap {
    let bits = u64::from(desc.size_bits);
    let cap = Cap::untyped(desc.paddr, bits, desc.is_device != 0);
    if desc.is_device != 0 { cap } else { cap.with_untyped_free(1 << bits) }
}

/// Copies the image's segments to their pages, which lie in `memory` one after the other.
fn load(k: Kernel, image: &RootImage, memory: PhysAddr) {
    for segment in image.segments() {
        let mut before = 0;
        for run in image.pages.iter() {
            if run.start <= segment.vaddr && segment.vaddr < run.end {
                let to = memory + before + (segment.vaddr - run.start);
                // SAFETY: pages taken for the image, which has been checked to hold the whole segment.
                unsafe { mem::copy_in(k.entry(), to, segment.data) };
            }
            before += run.size();
        }
    }
}

fn write_chunks(k: Kernel, page: PhysAddr, tsc_mhz: u32, rsdp: &[u8; RSDP_SIZE]) {
    let put = |offset: u64, bytes: &[u8]| {
        // SAFETY: a page of its own that no object is in; all chunks together are far shorter.
        unsafe { mem::copy_in(k.entry(), page + offset, bytes) };
    };
    put(0, &chunk::X86_TSC_FREQ.to_le_bytes());
    put(8, &TSC_CHUNK.to_le_bytes());
    put(16, &tsc_mhz.to_le_bytes());
    put(TSC_CHUNK, &chunk::X86_ACPI_RSDP.to_le_bytes());
    put(TSC_CHUNK + 8, &RSDP_CHUNK.to_le_bytes());
    put(TSC_CHUNK + 16, rsdp);
}

impl<'k> Builder<'k> {
    /// Takes the CNode and the root table, and puts their capabilities in place.
    fn new(k: Kernel<'k>, free: Regions, cnode_bits: u64) -> Result<Self, &'static str> {
        let mut b = Self { k, free, cnode: 0, cnode_bits, next_slot: slot::FIRST_FREE, root: 0 };
        let bits = cnode_bits + SLOT_BITS;
        b.cnode = b.take(1 << bits, bits as u32)?;
        b.put(slot::INIT_CNODE, Cap::cnode(b.cnode, cnode_bits, CNodeCapData::new(0, 64 - cnode_bits)))?;
        b.root = b.page()?;
        let root = Cap::page_table(b.root, LEVELS).with_mapping(ROOT_ASID, 0);
        b.put(slot::INIT_VSPACE, root)?;
        let table = root.as_table(k).ok_or(NO_MEMORY)?;
        table.set(511, TableEntry(arch::kernel_root_entry()));
        let pool = Cap::asid_pool(b.take(1 << ASID_POOL_BITS, ASID_POOL_BITS as u32)?, 0);
        b.put(slot::INIT_ASID_POOL, pool)?;
        let pool = pool.as_asid_pool(k).ok_or(NO_MEMORY)?;
        k.asids.pool(0).set(Some(pool));
        pool.entry(ROOT_ASID).set(Some(table));
        table.set_loadable(b.root);
        Ok(b)
    }

    /// Cleared memory that is nobody else's, aligned to 2^`bits` bytes.
    fn take(&mut self, size: u64, bits: u32) -> Result<PhysAddr, &'static str> {
        let paddr = self.free.take(size, bits, u64::MAX).ok_or(NO_MEMORY)?;
        // SAFETY: free RAM, in the window, that has just been taken out of the free list.
        unsafe { mem::zero(self.k.entry(), paddr, size as usize) };
        Ok(paddr)
    }

    fn page(&mut self) -> Result<PhysAddr, &'static str> {
        self.take(PAGE, PAGE_BITS as u32)
    }

    fn slot(&self, index: u64) -> Result<CapRef<'k>, &'static str> {
        if index >= 1 << self.cnode_bits {
            return Err("the root CNode is too small for the root task's image: see cnode_bits=");
        }
        // SAFETY: cleared memory of the CNode's size, and the index is below its number of slots.
        Ok(unsafe { Ref::at(self.k.entry(), self.cnode + (index << SLOT_BITS)) })
    }

    /// Fills a fixed slot.
    fn put(&self, index: u64, cap: Cap) -> Result<CapRef<'k>, &'static str> {
        let slot = self.slot(index)?;
        slot.fill_root(cap);
        Ok(slot)
    }

    /// Fills the next free slot.
    fn append(&mut self, cap: Cap) -> Result<(), &'static str> {
        self.put(self.next_slot, cap)?;
        self.next_slot += 1;
        Ok(())
    }

    /// The slots that `fill` appends.
    fn region(&mut self, fill: impl FnOnce(&mut Self) -> Result<(), &'static str>) -> Result<SlotRegion, &'static str> {
        let start = self.next_slot;
        fill(self)?;
        Ok(SlotRegion { start, end: self.next_slot })
    }

    fn walk(&self, address: u64, level: u8) -> Result<Walk<'k>, &'static str> {
        let root = Cap::page_table(self.root, LEVELS).as_table(self.k).ok_or(NO_MEMORY)?;
        Ok(walk(self.k, root, address, level))
    }

    /// Makes the paging structures that addresses from `start` to `end` still lack, and appends their capabilities.
    fn tables(&mut self, start: u64, end: u64) -> Result<(), &'static str> {
        for address in (start..end).step_by(PAGE as usize) {
            loop {
                let reached = self.walk(address, 1)?;
                if reached.level == 1 {
                    break;
                }
                let (paddr, level) = (self.page()?, reached.level - 1);
                reached.table.set(index(address, reached.level), TableEntry::table(paddr));
                let span = !((1 << (12 + 9 * u64::from(level))) - 1);
                self.append(Cap::page_table(paddr, level).with_mapping(ROOT_ASID, address & span))?;
            }
        }
        Ok(())
    }

    /// Maps a frame, readable, writable and executable as programs for this interface expect of their image.
    fn map(&self, address: u64, paddr: PhysAddr) -> Result<Cap, &'static str> {
        let entry = TableEntry::frame(paddr, 1, true, true, VmAttributes::WRITE_BACK);
        self.walk(address, 1)?.table.set(index(address, 1), entry);
        Ok(Cap::frame(paddr, FrameSize::Small, VmRights::ReadWrite, false).with_mapping(ROOT_ASID, address))
    }

    /// Makes the initial thread with its scheduling context and lets it be ready.
    fn start_thread(&mut self, entry: u64, bootinfo: u64, ipc_buffer: u64) -> Result<(), &'static str> {
        let k = self.k;
        let tcb = Cap::tcb(self.take(1 << TCB_BITS, TCB_BITS as u32)?);
        let context_bits = MIN_SCHED_CONTEXT_BITS;
        let context = Cap::sched_context(self.take(PAGE, PAGE_BITS as u32)?, context_bits);
        self.put(slot::INIT_TCB, tcb)?;
        self.put(slot::INIT_SCHED_CONTEXT, context)?;
        let (Some(thread), Some(context)) = (tcb.as_tcb(k), context.as_sched_context(k)) else { return Err(NO_MEMORY) };
        thread.initialise();
        thread.ipc_buffer.set(ipc_buffer);
        for (own, from) in [
            (TcbSlot::CSpace, slot::INIT_CNODE),
            (TcbSlot::VSpace, slot::INIT_VSPACE),
            (TcbSlot::IpcBuffer, slot::INIT_IPC_BUFFER),
        ] {
            let source = self.slot(from)?;
            let cap = if own == TcbSlot::IpcBuffer { source.cap().with_mapping(0, 0) } else { source.cap() };
            lifecycle::install(k, thread, own, cap, source);
        }
        thread.priority.set(MAX_PRIORITY);
        thread.mcp.set(MAX_PRIORITY);
        thread.context.set(Register::Rip, entry);
        thread.context.set_fault_ip(entry);
        thread.context.set(Register::Rdi, bootinfo);
        // SAFETY: a page was taken for it.
        unsafe { context.set_size(context_bits) };
        context.limit_refills(MIN_REFILLS as u32);
        let slice = TIME_SLICE_US * k.ticks_per_us.get();
        time::configure_refills(k, context, None, slice, slice);
        context.tcb.set(Some(thread));
        thread.sched_context.set(Some(context));
        thread.state.set(ThreadState::Running);
        time::resume(k, context);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::image::tests::executable;
    use super::super::regions::Region;
    use super::*;
    use crate::entry;

    #[test]
    fn the_root_task_finds_what_the_interface_promises() {
        entry::install();
        let k = entry::enter();
        let mut free = Regions::new();
        free.add(Region::new(0x10_0000, 64 << 20)).unwrap();
        let mut devices = Regions::new();
        devices.add(Region::new(0, 1 << 20)).unwrap();
        let file = executable(0x40_0010, &[(0x40_0000, 8192, 0x3000), (0x1000_0000, 16, 16)]);
        let options = Options { cnode_bits: 13, verbose: false };
        let rsdp = [7; RSDP_SIZE];
        let made = create(k, Given { free, devices, file: &file, options, rsdp, tsc_mhz: 2000 }).unwrap();
        assert_eq!((made.entry, made.image_pages, made.lost), (0x40_0010, 4, 0));
        entry::leave(k);

        let thread = k.current.get(k).unwrap();
        assert_eq!(thread.context.get(Register::Rip), 0x40_0010);
        assert_eq!(thread.context.get(Register::Rdi), 0x1000_2000);
        assert_eq!(thread.priority.get(), 255);
        let read = |vaddr: u64| {
            let root = k.vspace(ROOT_ASID).unwrap();
            let reached = walk(k, root, vaddr, 1);
            let paddr = reached.table.entry(index(vaddr, 1)).address(1) + vaddr % PAGE;
            // SAFETY: memory of the simulated machine that the root task's page table names.
            unsafe { core::ptr::with_exposed_provenance::<u64>(k.entry().address(paddr)).read_unaligned() }
        };
        assert_eq!(read(0x40_1008), 0xaaaa_aaaa_aaaa_aaaa);
        assert_eq!(read(0x40_2008), 0);
        assert_eq!(read(0x1000_2000), TSC_CHUNK + RSDP_CHUNK);
        assert_eq!(read(0x1000_2000 + 32), 0x1000_1000);
        assert_eq!([read(0x1000_3000), read(0x1000_3008), read(0x1000_3010)], [5, 24, 2000]);
        assert_eq!([read(0x1000_3018), read(0x1000_3020)], [3, 52]);

        let root = thread.slot(TcbSlot::CSpace).cap();
        let at = |index| crate::cap::lookup(k.entry(), root, index, 64).ok().unwrap().slot.cap();
        let frames = read(0x1000_2000 + 72);
        let expected = [0x40_0000, 0x40_1000, 0x40_2000, 0x1000_0000];
        assert_eq!([0, 1, 2, 3].map(|n| at(frames + n).mapped_at()), expected);
        let (start, end) = (read(0x1000_2000 + 168), read(0x1000_2000 + 176));
        let bytes = |device| {
            (start..end).map(at).filter(|c| c.untyped_is_device() == device).map(|c| 1 << c.untyped_bits()).sum::<u64>()
        };
        assert_eq!(bytes(true), 1 << 20);
        assert_eq!(bytes(false), made.ram);
        assert_eq!(read(0x1000_2000 + 40), end);
        assert!(at(end).is_null());
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        entry::install();
        let k = entry::enter();
        let file = executable(0x40_0010, &[(0x40_0000, 8192, 0x3000)]);
        let given = |pages: u64, cnode_bits| {
            let mut free = Regions::new();
            free.add(Region::sized(1 << 20, pages * PAGE)).unwrap();
            let options = Options { cnode_bits, verbose: false };
            Given { free, devices: Regions::new(), file: &file, options, rsdp: [0; RSDP_SIZE], tsc_mhz: 1000 }
        };
        assert_eq!(create(k, given(10, 12)).err(), Some(NO_MEMORY));
        assert_eq!(create(k, given(35, 12)).err(), Some(NO_MEMORY));
        assert!(create(k, given(200, 4)).err().unwrap().contains("cnode_bits="));
    }
}
