//! The emulator's side: what is watched.
//!
//! `unsafe`: the emulator's functions take and give raw pointers. Invariant: handles of blocks and instructions are used
//! only within the call that brought them; what callbacks get is an index, never a pointer.

use crate::count::Counts;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The emulator's name of this plugin.
type Id = u64;
type OnExecution = extern "C" fn(c_uint, *mut c_void);
type OnAccess = extern "C" fn(c_uint, u32, u64, *mut c_void);

/// Callbacks neither read nor write the processor's registers.
const NO_REGISTERS: c_int = 0;
/// Reads and writes.
const ALL_ACCESSES: c_int = 3;

unsafe extern "C" {
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: Id, callback: extern "C" fn(Id, *mut c_void));
    fn qemu_plugin_tb_n_insns(block: *const c_void) -> usize;
    fn qemu_plugin_tb_get_insn(block: *const c_void, index: usize) -> *mut c_void;
    fn qemu_plugin_insn_data(instruction: *const c_void) -> *const u8;
    fn qemu_plugin_insn_size(instruction: *const c_void) -> usize;
    fn qemu_plugin_insn_vaddr(instruction: *const c_void) -> u64;
    fn qemu_plugin_register_vcpu_insn_exec_cb(insn: *mut c_void, cb: OnExecution, flags: c_int, data: *mut c_void);
    fn qemu_plugin_register_vcpu_mem_cb(insn: *mut c_void, cb: OnAccess, flags: c_int, rw: c_int, data: *mut c_void);
    fn qemu_plugin_mem_size_shift(info: u32) -> c_uint;
}

/// Version of the interface that this plugin speaks.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: c_int = 1;

static WATCH: Mutex<Option<Watch>> = Mutex::new(None);
/// Something is being measured: most instructions run at other times.
static MEASURING: AtomicBool = AtomicBool::new(false);

struct Watch {
    counts: Counts,
    /// What callbacks name by index.
    instructions: Vec<Instruction>,
    output: PathBuf,
}

#[derive(Clone, Copy)]
struct Instruction {
    address: u64,
    bytes: u64,
    loads_cr3: bool,
}

/// What a mark says: the displacement of `nopl disp32(%rax)`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Begin,
    End,
    AllDone,
}

fn mark(instruction: &[u8]) -> Option<Mark> {
    match instruction {
        [0x0f, 0x1f, 0x80, 0x01, 0x00, 0x45, 0x51] => Some(Mark::Begin),
        [0x0f, 0x1f, 0x80, 0x01, 0x80, 0x45, 0x51] => Some(Mark::End),
        [0x0f, 0x1f, 0x80, 0xff, 0xff, 0x45, 0x51] => Some(Mark::AllDone),
        _ => None,
    }
}

/// `mov %reg, %cr3`, with or without a prefix.
fn loads_cr3(instruction: &[u8]) -> bool {
    matches!(instruction, [0x0f, 0x22, 0xd8..=0xdf] | [0x40..=0x4f, 0x0f, 0x22, 0xd8..=0xdf])
}

fn watch() -> MutexGuard<'static, Option<Watch>> {
    WATCH.lock().unwrap_or_else(PoisonError::into_inner)
}

extern "C" fn on_translation(_: Id, block: *mut c_void) {
    let mut guard = watch();
    let Some(Watch { instructions, .. }) = guard.as_mut() else { return };
    // SAFETY: the handle is good during this call.
    let length = unsafe { qemu_plugin_tb_n_insns(block) };
    for index in 0..length {
        // SAFETY: as above, and the index is below the number of instructions; their bytes live as long as the handle.
        unsafe {
            let instruction = qemu_plugin_tb_get_insn(block, index);
            let bytes = qemu_plugin_insn_data(instruction);
            let bytes = std::slice::from_raw_parts(bytes, qemu_plugin_insn_size(instruction));
            if let Some(mark) = mark(bytes) {
                let on_mark = match mark {
                    Mark::Begin => on_begin,
                    Mark::End => on_end,
                    Mark::AllDone => on_all_done,
                };
                qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_mark, NO_REGISTERS, std::ptr::null_mut());
                continue;
            }
            let address = qemu_plugin_insn_vaddr(instruction);
            let data = instructions.len() as *mut c_void;
            instructions.push(Instruction { address, bytes: bytes.len() as u64, loads_cr3: loads_cr3(bytes) });
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_instruction, NO_REGISTERS, data);
            if crate::count::is_kernel(address) {
                let nothing = std::ptr::null_mut();
                qemu_plugin_register_vcpu_mem_cb(instruction, on_access, NO_REGISTERS, ALL_ACCESSES, nothing);
            }
        }
    }
}

extern "C" fn on_begin(_: c_uint, _: *mut c_void) {
    if let Some(watch) = watch().as_mut() {
        watch.counts.begin();
        MEASURING.store(true, Ordering::Relaxed);
    }
}

extern "C" fn on_end(_: c_uint, _: *mut c_void) {
    if let Some(watch) = watch().as_mut() {
        watch.counts.end();
        MEASURING.store(false, Ordering::Relaxed);
    }
}

/// Whoever started the emulator ends it now, perhaps not gently.
extern "C" fn on_all_done(_: c_uint, _: *mut c_void) {
    if let Some(watch) = watch().as_ref()
        && let Err(error) = std::fs::write(&watch.output, watch.counts.report())
    {
        eprintln!("chestnut-footprint: {}: {error}", watch.output.display());
    }
}

extern "C" fn on_instruction(_: c_uint, index: *mut c_void) {
    if MEASURING.load(Ordering::Relaxed)
        && let Some(Watch { counts, instructions, .. }) = watch().as_mut()
        && let Some(Instruction { address, bytes, loads_cr3 }) = instructions.get(index as usize)
    {
        counts.executed(*address, *bytes, *loads_cr3);
    }
}

extern "C" fn on_access(_: c_uint, info: u32, address: u64, _: *mut c_void) {
    if !MEASURING.load(Ordering::Relaxed) {
        return;
    }
    // SAFETY: the information is of this access.
    let bytes = 1 << unsafe { qemu_plugin_mem_size_shift(info) };
    if let Some(watch) = watch().as_mut() {
        watch.counts.accessed(address, bytes);
    }
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
    let mut words = (0..count).map(|index| {
        // SAFETY: the caller's promise.
        let word = unsafe { CStr::from_ptr(*words.add(index)) };
        word.to_string_lossy().into_owned()
    });
    let Some(output) = words.find_map(|word| word.strip_prefix("output=").map(PathBuf::from)) else {
        eprintln!("chestnut-footprint: expected output=FILE");
        return 1;
    };
    *watch() = Some(Watch { counts: Counts::default(), instructions: Vec::new(), output });
    // SAFETY: the emulator's own id; the function lives as long as the emulator.
    unsafe { qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation) };
    0
}
