//! From the boot loader's hands to the first user instruction.
//!
//! In order: read what the loader says (`pvh` or `multiboot2`), the command line (`options`) and ACPI; sort physical memory into RAM,
//! devices and what is taken (`regions`); build the kernel's address space (`window`); start interrupt controllers and
//! clocks; then make the root task from its ELF file (`image`) and hand everything else out as untypeds (`untypeds`).
//!
//! Nothing here runs twice and nothing of it is needed later. Every input is checked; what is wrong is said on COM1 in
//! one line, and the machine stops.

pub mod acpi;
pub mod image;
pub mod info;
pub mod multiboot2;
pub mod options;
pub mod physical;
pub mod pvh;
pub mod regions;
pub mod root_task;
pub mod untypeds;

#[cfg(target_os = "none")]
mod hardware;
#[cfg(target_os = "none")]
mod window;
#[cfg(target_os = "none")]
pub use hardware::{discover, report};
