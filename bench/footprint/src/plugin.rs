//! The emulator's side: what is watched.
//!
//! `unsafe`: the emulator's functions take and give raw pointers. Invariant: handles of blocks and instructions are used
//! only within the call that brought them; what callbacks get is an index, never a pointer.

use crate::code::{Code, Kind};
use crate::count::Counts;
use crate::mark::Mark;
use crate::rows::Rows;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::path::{Path, PathBuf};
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
    fn qemu_plugin_mem_is_store(info: u32) -> bool;
}

/// Version of the interface that this plugin speaks.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: c_int = 1;

static WATCH: Mutex<Option<Watch>> = Mutex::new(None);
/// Something is being measured: most instructions run at other times.
static MEASURING: AtomicBool = AtomicBool::new(false);

/// What is counted, each with the file that it is written to.
#[derive(Default)]
struct Watch {
    counts: Option<(Counts, PathBuf)>,
    rows: Option<(Rows, PathBuf)>,
    /// What callbacks name by index.
    code: Code,
}

fn watch() -> MutexGuard<'static, Option<Watch>> {
    WATCH.lock().unwrap_or_else(PoisonError::into_inner)
}

extern "C" fn on_translation(_: Id, block: *mut c_void) {
    let mut guard = watch();
    let Some(Watch { code, rows, .. }) = guard.as_mut() else { return };
    // SAFETY: the handle is good during this call.
    let length = unsafe { qemu_plugin_tb_n_insns(block) };
    let mut handles = Vec::with_capacity(length);
    let mut contents = Vec::with_capacity(length);
    let mut address = 0;
    for index in 0..length {
        // SAFETY: as above, and the index is below the number of instructions; their bytes live as long as the handle.
        unsafe {
            let instruction = qemu_plugin_tb_get_insn(block, index);
            if index == 0 {
                address = qemu_plugin_insn_vaddr(instruction);
            }
            let bytes = qemu_plugin_insn_data(instruction);
            contents.push(std::slice::from_raw_parts(bytes, qemu_plugin_insn_size(instruction)));
            handles.push(instruction);
        }
    }
    let first = code.add(address, &contents);
    for (index, handle) in (first..).zip(handles) {
        let Some(instruction) = code.instructions.get(index) else { break };
        let is_mark = matches!(instruction.kind, Kind::Mark(_));
        let on_execution = if is_mark { on_mark } else { on_instruction };
        // SAFETY: the handle is good during this call; what the callback gets is an index.
        unsafe { qemu_plugin_register_vcpu_insn_exec_cb(handle, on_execution, NO_REGISTERS, index as *mut c_void) };
        // What programs read and write counts only where they say so by it.
        if rows.is_some() || crate::count::is_kernel(instruction.address) {
            let nothing = std::ptr::null_mut();
            // SAFETY: as above.
            unsafe { qemu_plugin_register_vcpu_mem_cb(handle, on_access, NO_REGISTERS, ALL_ACCESSES, nothing) };
        }
    }
}

extern "C" fn on_mark(_: c_uint, index: *mut c_void) {
    let mut guard = watch();
    let Some(Watch { counts, rows, code }) = guard.as_mut() else { return };
    let Some(instruction) = code.instructions.get(index as usize) else { return };
    let Kind::Mark(mark) = instruction.kind else { return };
    if let Some((rows, _)) = rows {
        rows.executed(code, index as usize);
    }
    if let Some((counts, _)) = counts {
        counts.mark(mark);
    }
    match mark {
        Mark::Begin | Mark::Turn => MEASURING.store(true, Ordering::Relaxed),
        Mark::End | Mark::RowEnd => MEASURING.store(false, Ordering::Relaxed),
        // Whoever started the emulator ends it now, perhaps not gently.
        Mark::AllDone => {
            if let Some((counts, file)) = counts {
                write(file, &counts.report());
            }
            if let Some((rows, file)) = rows {
                write(file, &rows.report(code));
            }
        }
        _ => {}
    }
}

fn write(file: &Path, text: &str) {
    if let Err(error) = std::fs::write(file, text) {
        eprintln!("chestnut-footprint: {}: {error}", file.display());
    }
}

extern "C" fn on_instruction(_: c_uint, index: *mut c_void) {
    if MEASURING.load(Ordering::Relaxed)
        && let Some(Watch { counts, rows, code }) = watch().as_mut()
    {
        if let Some((rows, _)) = rows {
            rows.executed(code, index as usize);
        }
        if let (Some((counts, _)), Some(instruction)) = (counts, code.instructions.get(index as usize)) {
            counts.executed(instruction.address, instruction.length, instruction.kind == Kind::LoadsCr3);
        }
    }
}

extern "C" fn on_access(_: c_uint, info: u32, address: u64, _: *mut c_void) {
    if !MEASURING.load(Ordering::Relaxed) {
        return;
    }
    // SAFETY: the information is of this access.
    let (bytes, is_store) = unsafe { (1 << qemu_plugin_mem_size_shift(info), qemu_plugin_mem_is_store(info)) };
    if let Some(Watch { counts, rows, .. }) = watch().as_mut() {
        if let Some((rows, _)) = rows {
            rows.accessed(address, is_store);
        }
        if let Some((counts, _)) = counts {
            counts.accessed(address, bytes);
        }
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
    let words = (0..count).map(|index| {
        // SAFETY: the caller's promise.
        let word = unsafe { CStr::from_ptr(*words.add(index)) };
        word.to_string_lossy().into_owned()
    });
    let mut new = Watch::default();
    for word in words {
        match word.split_once('=') {
            Some(("output", file)) => new.counts = Some((Counts::default(), file.into())),
            Some(("rows", file)) => new.rows = Some((Rows::default(), file.into())),
            _ => {}
        }
    }
    if new.counts.is_none() && new.rows.is_none() {
        eprintln!("chestnut-footprint: expected output=FILE or rows=FILE");
        return 1;
    }
    *watch() = Some(new);
    // SAFETY: the emulator's own id; the function lives as long as the emulator.
    unsafe { qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation) };
    0
}
