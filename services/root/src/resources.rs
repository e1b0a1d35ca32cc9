//! What root has to give: slots of its CNode, untyped RAM, device memory, and a window to look into frames.

use crate::{
    device::DeviceMemory,
    failure::{Cause, Doing, Result, wrong},
    image::PAGE,
};
use chestnut_runtime::{
    CNode, Slot,
    abi::{
        BootInfo, CapRights, ObjectType,
        object::{PAGE_BITS, VmAttributes},
    },
    cap::{Frame, PageDirectory, PageTable, Pdpt, Untyped, VSpace},
    slots::SlotAllocator,
    untyped::{ByKernel, Piece, UntypedAllocator},
};

/// Where root maps frames to read or fill them: the second 512 GiB, which nothing else uses. One page table.
const WINDOW: u64 = 1 << 39;
/// Pages that fit into the window.
pub const WINDOW_PAGES: u64 = 512;

/// Everything that root hands out.
pub struct Resources {
    pub slots: SlotAllocator,
    pub ram: UntypedAllocator,
    pub devices: DeviceMemory<ByKernel>,
    window_ready: bool,
}

impl Resources {
    /// The books as the kernel hands them over.
    pub fn new(info: &BootInfo) -> Self {
        let mut ram = UntypedAllocator::new(ByKernel);
        let descriptions = info.untyped_list.iter().zip(info.untyped.start..info.untyped.end);
        let pieces = descriptions.map(|(description, slot)| {
            let size_bits = description.size_bits.into();
            (description.is_device != 0, Piece { untyped: Untyped(slot), paddr: description.paddr, size_bits })
        });
        let device = pieces.clone().filter(|(is_device, _)| *is_device).map(|(_, piece)| piece);
        let devices = DeviceMemory::new(device, ByKernel);
        for (_, piece) in pieces.filter(|(is_device, _)| !is_device) {
            ram.release(piece);
        }
        Self { slots: SlotAllocator::new(info.empty.start..info.empty.end), ram, devices, window_ready: false }
    }

    /// A free slot of root's CNode.
    pub fn slot(&mut self) -> Result<u64> {
        self.slots.allocate().ok_or_else(|| Cause::NoSlots.into())
    }

    /// Makes one object that lasts as long as root, in a slot of its own.
    pub fn object(&mut self, object: ObjectType, user_bits: u64) -> Result<u64> {
        let piece = self.ram.allocate(object.size_bits(user_bits), &mut self.slots)?;
        let slot = self.slot()?;
        piece
            .untyped
            .retype(object, user_bits, CNode::OWN, slot, 1)
            .doing(format_args!("making an object of type {object:?}"))?;
        Ok(slot)
    }

    /// Maps frames one after the other, lets `work` have their bytes, and unmaps them again.
    pub fn with_pages<T>(&mut self, frames: &[Frame], work: impl FnOnce(&mut [u8]) -> T) -> Result<T> {
        self.prepare_window()?;
        if frames.len() as u64 > WINDOW_PAGES {
            return Err(wrong(format_args!("{} pages are too many for root's window", frames.len())));
        }
        for (frame, address) in frames.iter().zip((WINDOW..).step_by(PAGE as usize)) {
            frame
                .map(VSpace::OWN, address, CapRights::READ_WRITE, VmAttributes::EXECUTE_NEVER)
                .doing("mapping a frame into root's window")?;
        }
        // SAFETY: the pages were just mapped and nothing else uses the window; they are unmapped after the last use.
        let bytes = unsafe { core::slice::from_raw_parts_mut(WINDOW as *mut u8, frames.len() << PAGE_BITS) };
        let result = work(bytes);
        for frame in frames {
            frame.unmap().doing("unmapping a frame from root's window")?;
        }
        Ok(result)
    }

    /// Makes the paging structures of the window, once.
    fn prepare_window(&mut self) -> Result<()> {
        if !self.window_ready {
            let pdpt = self.object(ObjectType::X86Pdpt, 0)?;
            Pdpt(pdpt).map(VSpace::OWN, WINDOW, VmAttributes::WRITE_BACK).doing("making root's window")?;
            let directory = self.object(ObjectType::X86PageDirectory, 0)?;
            PageDirectory(directory)
                .map(VSpace::OWN, WINDOW, VmAttributes::WRITE_BACK)
                .doing("making root's window")?;
            let table = self.object(ObjectType::X86PageTable, 0)?;
            PageTable(table).map(VSpace::OWN, WINDOW, VmAttributes::WRITE_BACK).doing("making root's window")?;
            self.window_ready = true;
        }
        Ok(())
    }

    /// Copies device or firmware memory from physical address `paddr`.
    pub fn read_physical(&mut self, paddr: u64, bytes: &mut [u8]) -> Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            let at = paddr + done as u64;
            let offset = (at % PAGE) as usize;
            let count = (bytes.len() - done).min(PAGE as usize - offset);
            let frame = self.devices.frame(at - offset as u64, &mut self.slots)?;
            self.with_pages(&[frame], |page| {
                bytes[done..done + count].copy_from_slice(&page[offset..offset + count]);
            })?;
            done += count;
        }
        Ok(())
    }
}

/// Root's own slot.
pub fn own(index: u64) -> Slot {
    Slot::own(index)
}
