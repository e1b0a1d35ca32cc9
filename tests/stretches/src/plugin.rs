//! The emulator's side: which instructions are watched.
//!
//! `unsafe`: the emulator's functions take and give raw pointers. Invariant: handles of blocks and instructions are used
//! only within the call that brought them; what callbacks get is an index, never a pointer.

use crate::count::Counts;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The emulator's name of this plugin.
type Id = u64;
type OnExecution = extern "C" fn(c_uint, *mut c_void);

/// Callbacks neither read nor write the processor's registers.
const NO_REGISTERS: c_int = 0;
/// Inline operation: add a constant to a 64-bit word.
const ADD: c_int = 0;

unsafe extern "C" {
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: Id, callback: extern "C" fn(Id, *mut c_void));
    fn qemu_plugin_register_atexit_cb(id: Id, callback: extern "C" fn(Id, *mut c_void), data: *mut c_void);
    fn qemu_plugin_tb_n_insns(block: *const c_void) -> usize;
    fn qemu_plugin_tb_vaddr(block: *const c_void) -> u64;
    fn qemu_plugin_tb_get_insn(block: *const c_void, index: usize) -> *mut c_void;
    fn qemu_plugin_insn_data(instruction: *const c_void) -> *const u8;
    fn qemu_plugin_insn_size(instruction: *const c_void) -> usize;
    fn qemu_plugin_insn_vaddr(instruction: *const c_void) -> u64;
    fn qemu_plugin_register_vcpu_tb_exec_cb(block: *mut c_void, cb: OnExecution, flags: c_int, data: *mut c_void);
    fn qemu_plugin_register_vcpu_insn_exec_cb(insn: *mut c_void, cb: OnExecution, flags: c_int, data: *mut c_void);
    fn qemu_plugin_register_vcpu_insn_exec_inline(insn: *mut c_void, op: c_int, word: *const AtomicU64, value: u64);
}

/// Version of the interface that this plugin speaks.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: c_int = 1;

/// Instructions since the last return; the emulator's own code adds to it.
static INSTRUCTIONS: AtomicU64 = AtomicU64::new(0);
static WATCH: Mutex<Option<Watch>> = Mutex::new(None);

struct Watch {
    counts: Counts,
    /// Where the kernel begins.
    entry: u64,
    output: PathBuf,
}

fn watch() -> MutexGuard<'static, Option<Watch>> {
    WATCH.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_kernel_half(address: u64) -> bool {
    address >> 63 == 1
}

/// `sysretq`, `iretq`, `hlt`: after these interrupts are on.
fn is_return(instruction: &[u8]) -> bool {
    matches!(instruction, [0x48, 0x0f, 0x07] | [0x48, 0xcf] | [0xf4])
}

extern "C" fn on_translation(_: Id, block: *mut c_void) {
    let mut guard = watch();
    let Some(Watch { counts, entry, .. }) = guard.as_mut() else { return };
    // SAFETY: the handle is good during this call.
    let (address, length) = unsafe { (qemu_plugin_tb_vaddr(block), qemu_plugin_tb_n_insns(block)) };
    let in_kernel = is_kernel_half(address);
    // Boot code lies at low addresses. Before the kernel's entry firmware is counted too, in vain.
    if !in_kernel && counts.is_booted() {
        return;
    }
    if in_kernel {
        let index = counts.add_block(address, length as u64);
        // SAFETY: as above; the callback's data is a number.
        unsafe { qemu_plugin_register_vcpu_tb_exec_cb(block, on_block, NO_REGISTERS, index as *mut c_void) };
    }
    for index in 0..length {
        // SAFETY: as above, and the index is below the number of instructions; their bytes live as long as the handle.
        unsafe {
            let instruction = qemu_plugin_tb_get_insn(block, index);
            let bytes = qemu_plugin_insn_data(instruction);
            let bytes = std::slice::from_raw_parts(bytes, qemu_plugin_insn_size(instruction));
            let data = std::ptr::null_mut();
            if in_kernel && is_return(bytes) {
                qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_return, NO_REGISTERS, data);
            } else if qemu_plugin_insn_vaddr(instruction) == *entry {
                qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_entry, NO_REGISTERS, data);
            } else {
                qemu_plugin_register_vcpu_insn_exec_inline(instruction, ADD, &raw const INSTRUCTIONS, 1);
            }
        }
    }
}

extern "C" fn on_block(_: c_uint, index: *mut c_void) {
    if let Some(watch) = watch().as_mut() {
        watch.counts.ran(index as usize);
    }
}

/// The kernel's first instruction, which isn't counted otherwise.
extern "C" fn on_entry(_: c_uint, _: *mut c_void) {
    INSTRUCTIONS.store(1, Ordering::Relaxed);
    if let Some(watch) = watch().as_mut() {
        watch.counts.kernel_entered();
    }
}

/// A returning instruction, which isn't counted otherwise.
extern "C" fn on_return(_: c_uint, _: *mut c_void) {
    let instructions = INSTRUCTIONS.swap(0, Ordering::Relaxed) + 1;
    if let Some(watch) = watch().as_mut() {
        watch.counts.left(instructions);
    }
}

extern "C" fn on_end(_: Id, _: *mut c_void) {
    if let Some(watch) = watch().take()
        && let Err(error) = std::fs::write(&watch.output, watch.counts.report())
    {
        eprintln!("chestnut-stretches: {}: {error}", watch.output.display());
    }
}

/// The words `name=value` that the emulator was given for this plugin.
fn arguments(words: &[String]) -> Option<(u64, PathBuf)> {
    let value = |name| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let entry = value("entry")?;
    let entry = u64::from_str_radix(entry.strip_prefix("0x").unwrap_or(entry), 16).ok()?;
    Some((entry, PathBuf::from(value("output")?)))
}

/// Called by the emulator when it has loaded the plugin. Anything but 0 makes it give up.
///
/// # Safety
/// `words` are `count` strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: Id,
    _: *const c_void,
    count: c_int,
    words: *const *const c_char,
) -> c_int {
    let count = usize::try_from(count).unwrap_or(0);
    let words = (0..count).map(|index| {
        // SAFETY: the caller's promise.
        let word = unsafe { CStr::from_ptr(*words.add(index)) };
        word.to_string_lossy().into_owned()
    });
    let Some((entry, output)) = arguments(&words.collect::<Vec<_>>()) else {
        eprintln!("chestnut-stretches: expected entry=ADDRESS (hexadecimal) and output=FILE");
        return 1;
    };
    *watch() = Some(Watch { counts: Counts::default(), entry, output });
    // SAFETY: the emulator's own id; both functions live as long as the emulator.
    unsafe {
        qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
        qemu_plugin_register_atexit_cb(id, on_end, std::ptr::null_mut());
    }
    0
}
