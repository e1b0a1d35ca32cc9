//! The processor: x86_64, one of it.
//!
//! What the kernel above knows of it is re-exported here under names that the simulated machine shares, besides what
//! boot and the bare-metal binary's stubs need. Sources: Intel's and AMD's manuals; 82093AA (I/O APIC), 8259A, 8254.

mod calibrate;
mod console;
mod context;
mod cpu;
mod current;
mod failure;
mod instructions;
mod interrupts;
mod single_core;
mod tables;

pub use calibrate::calibrate;
pub use console::{console_init, console_put};
pub use context::{Context, SYSTEM_CALL_LENGTH};
pub use cpu::{
    Features, FpuState, activate_vspace, active_vspace, adopt_kernel_root, features, fpu_disable, fpu_enable, fpu_load,
    fpu_save, global_bit, has_1g_pages, has_fsgsbase, invalidate_all, kernel_root_entry,
};
pub use current::{
    Resumed, cpu_init, current_context, load_fs_base, set_current_context, switch_bases, switch_context,
};
pub use failure::{kernel_fault, stop};
#[cfg(feature = "bench")]
pub use failure::{read_msr, recover, write_msr};
pub use instructions::{copy_words, fault_address, halt, invalidate_page, now, port_in, port_out};
pub use interrupts::{
    MAX_IOAPICS, TIMER_VECTOR, ioapic_add, ioapic_count, ioapic_pins, ioapic_route, irq_acknowledge, irq_mask,
    irq_unmask, lapic_init, set_deadline, timer_fired, unexpected_vector,
};
pub use tables::{EntryPoints, KERNEL_STACK, KERNEL_STACK_SIZE, TASK_STATE, TaskState};
