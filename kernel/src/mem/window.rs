//! The kernel window: all RAM, mapped at a fixed distance from its physical addresses.
//!
//! On the bare machine the distance is a constant of the interface crate; on the host it belongs to the simulated machine,
//! so the token of a kernel entry carries it.

use core::marker::PhantomData;

/// An address in physical memory, in bytes.
pub type PhysAddr = u64;

/// Proof that the kernel has been entered, good for the time `'k` of that entry.
#[derive(Clone, Copy)]
pub struct Entry<'k> {
    #[cfg(not(target_os = "none"))]
    window: usize,
    entered: PhantomData<&'k ()>,
}

impl<'k> Entry<'k> {
    /// # Safety
    /// Only one entry exists at a time, and every physical address in a capability is mapped in the kernel window.
    #[cfg(target_os = "none")]
    pub const unsafe fn new() -> Self {
        Self { entered: PhantomData }
    }

    /// # Safety
    /// As on the bare machine, for the memory that starts at host address `window`.
    #[cfg(not(target_os = "none"))]
    pub const unsafe fn new(window: usize) -> Self {
        Self { window, entered: PhantomData }
    }

    #[inline(always)]
    #[cfg(target_os = "none")]
    const fn window(self) -> usize {
        chestnut_abi::layout::KERNEL_WINDOW as usize
    }

    #[inline(always)]
    #[cfg(not(target_os = "none"))]
    const fn window(self) -> usize {
        self.window
    }

    /// Where the kernel reaches a physical address.
    #[inline(always)]
    pub const fn address(self, physical: PhysAddr) -> usize {
        self.window().wrapping_add(physical as usize)
    }

    /// Where the kernel reaches what a capability says: on the bare machine, just there.
    #[inline(always)]
    pub(super) const fn reached(self, place: u64) -> usize {
        #[cfg(not(target_os = "none"))]
        return self.address(place);
        #[cfg(target_os = "none")]
        return place as usize;
    }

    /// The physical address that the kernel reaches at `address`.
    #[inline(always)]
    pub const fn physical(self, address: usize) -> PhysAddr {
        address.wrapping_sub(self.window()) as u64
    }
}

/// Clears `bytes` of RAM from `start` on. Both are multiples of 8.
///
/// # Safety
/// The memory is in the window and no live object is in it.
pub unsafe fn zero(entry: Entry, start: PhysAddr, bytes: usize) {
    let words = core::ptr::with_exposed_provenance_mut::<u64>(entry.address(start));
    // SAFETY: the caller says that the memory is mapped and free.
    unsafe { core::ptr::write_bytes(words, 0, bytes / 8) }
}

/// Copies bytes into RAM from `start` on.
///
/// # Safety
/// The memory is in the window and holds no kernel object.
pub unsafe fn copy_in(entry: Entry, start: PhysAddr, bytes: &[u8]) {
    let to = core::ptr::with_exposed_provenance_mut::<u8>(entry.address(start));
    // SAFETY: the caller says that the memory is mapped and holds no object; `bytes` is elsewhere, being a reference.
    unsafe { core::ptr::copy(bytes.as_ptr(), to, bytes.len()) }
}
