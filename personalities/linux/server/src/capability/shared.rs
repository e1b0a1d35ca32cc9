//! Frames that hold one of the trampoline's page layouts, seen by a program and by the server.

use super::{Frame, Frames, OutOfMemory};
use alloc::string::String;
use alloc::vec::Vec;
use chestnut_linux_trampoline::{MmPage, ProcessPage, ThreadPage, TimePage, View};
use core::ptr::NonNull;

/// The layouts: one page long, and every bit pattern of the memory is a value.
pub trait PageLayout: private::Sealed {}
mod private {
    pub trait Sealed {}
}
macro_rules! layouts {
    ($($name:ty),*) => { $(impl private::Sealed for $name {} impl PageLayout for $name {})* };
}
layouts!(ThreadPage, ProcessPage, MmPage, TimePage);

/// A frame with such a layout.
pub struct SharedPage<T> {
    frame: Frame,
    view: View<T>,
}

impl<T: PageLayout> SharedPage<T> {
    /// A page full of zeros.
    pub fn allocate(frames: &'static Frames) -> Result<Self, OutOfMemory> {
        let frame = frames.allocate()?;
        let page = NonNull::new(frame.window().start().cast()).ok_or(OutOfMemory)?;
        // SAFETY: the window maps the frame, aligned and writable, for the server's lifetime. A view that outlives this handle
        // spoils another page's bytes at worst, which only ever are copied in and checked. Nobody makes references.
        let view = unsafe { View::new(page) };
        Ok(Self { frame, view })
    }
    pub const fn frame(&self) -> &Frame {
        &self.frame
    }
    pub fn view(&self) -> View<T> {
        self.view
    }
}

/// The processor's features as programs are told of them: AT_HWCAP (CPUID 1, EDX) and AT_HWCAP2 (bit 1: FSGSBASE).
pub fn features() -> [u64; 2] {
    let basic = core::arch::x86_64::__cpuid(1);
    let most = core::arch::x86_64::__cpuid(0).eax;
    let extended = if most >= 7 { core::arch::x86_64::__cpuid_count(7, 0).ebx } else { 0 };
    [basic.edx.into(), u64::from(extended & 1) << 1]
}

/// What CPUID says of the processor, for /proc/cpuinfo.
pub struct Processor {
    pub vendor: String,
    pub name: String,
    pub family: u32,
    pub model: u32,
    pub stepping: u32,
}

pub fn processor() -> Processor {
    use core::arch::x86_64::__cpuid;
    let text = |registers: &[u32]| {
        let bytes: Vec<u8> = registers.iter().flat_map(|register| register.to_le_bytes()).collect();
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        String::from(String::from_utf8_lossy(&bytes[..end]).trim())
    };
    let first = __cpuid(0);
    let vendor = text(&[first.ebx, first.edx, first.ecx]);
    let name = if __cpuid(0x8000_0000).eax >= 0x8000_0004 {
        let parts: Vec<u32> = (0x8000_0002..=0x8000_0004)
            .flat_map(|leaf| {
                let part = __cpuid(leaf);
                [part.eax, part.ebx, part.ecx, part.edx]
            })
            .collect();
        text(&parts)
    } else {
        vendor.clone()
    };
    let signature = __cpuid(1).eax;
    let base = signature >> 8 & 15;
    let family = base + if base == 15 { signature >> 20 & 0xff } else { 0 };
    let model = signature >> 4 & 15 | if base == 6 || base == 15 { (signature >> 16 & 15) << 4 } else { 0 };
    Processor { vendor, name, family, model, stepping: signature & 15 }
}
