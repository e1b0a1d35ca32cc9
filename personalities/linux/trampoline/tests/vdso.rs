//! The vDSO image: read by an ELF parser, found by the C library's dynamic linker, executed.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use core::ffi::{CStr, c_char, c_void};
use core::ptr::{NonNull, null_mut};
use std::fs::File;
use std::io::Write;
use std::os::fd::FromRawFd;

use chestnut_linux_trampoline::pages::PAGE;
use chestnut_linux_trampoline::{TimePage, View, vdso};
use goblin::elf::{Elf, dynamic, program_header, sym};

const FUNCTIONS: [&CStr; 5] =
    [c"__vdso_clock_gettime", c"__vdso_gettimeofday", c"__vdso_time", c"__vdso_getcpu", c"__vdso_clock_getres"];
const OFFSET: u64 = 1_700_000_000_987_654_321;
const MHZ: u64 = 2100;

/// The image behind a time page, as the server maps them.
struct Mapped {
    base: NonNull<u8>,
}

impl Mapped {
    fn new() -> Self {
        // SAFETY: a fresh mapping of two pages; the image's becomes executable after it is written.
        unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let base = libc::mmap(null_mut(), 2 * PAGE, protection, flags, -1, 0);
            assert_ne!(base, libc::MAP_FAILED);
            let base = NonNull::new(base.cast::<u8>()).expect("mapped");
            base.add(PAGE).cast::<[u8; PAGE]>().write(*vdso::bytes());
            libc::mprotect(base.add(PAGE).as_ptr().cast(), PAGE, libc::PROT_READ | libc::PROT_EXEC);
            View::<TimePage>::new(base.cast()).initialise(0, MHZ, OFFSET);
            Self { base }
        }
    }
    /// The function's address, by the parser's reading of the symbol table.
    fn function(&self, name: &CStr) -> *const c_void {
        let elf = Elf::parse(vdso::bytes()).expect("an ELF file");
        let symbol = elf
            .dynsyms
            .iter()
            .find(|s| elf.dynstrtab.get_at(s.st_name) == name.to_str().ok())
            .expect("a symbol of that name");
        // SAFETY: symbols lie in the image (tested below).
        unsafe { self.base.add(PAGE + symbol.st_value as usize).as_ptr().cast_const().cast() }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: mapped in `new`.
        unsafe { libc::munmap(self.base.as_ptr().cast(), 2 * PAGE) };
    }
}

type Gettime = unsafe extern "C" fn(i32, *mut [u64; 2]) -> i32;
type Gettimeofday = unsafe extern "C" fn(*mut [u64; 2], *mut [u32; 2]) -> i32;
type Time = unsafe extern "C" fn(*mut u64) -> u64;
type Getcpu = unsafe extern "C" fn(*mut u32, *mut u32, *mut c_void) -> i32;

fn monotonic() -> u64 {
    // SAFETY: RDTSC has no precondition.
    TimePage::monotonic(unsafe { core::arch::x86_64::_rdtsc() }, 0, TimePage::multiplier_for(MHZ))
}

#[test]
fn image_is_a_shared_object_that_needs_nothing() {
    let elf = Elf::parse(vdso::bytes()).expect("an ELF file");
    assert!(elf.is_lib && elf.is_64 && elf.little_endian);
    assert_eq!(elf.header.e_machine, goblin::elf::header::EM_X86_64);
    assert_eq!(elf.soname, Some("linux-vdso.so.1"));
    assert_eq!((elf.libraries.len(), elf.dynrelas.len(), elf.pltrelocs.len()), (0, 0, 0));
    let kinds: Vec<_> = elf.program_headers.iter().map(|h| h.p_type).collect();
    assert_eq!(kinds, [program_header::PT_LOAD, program_header::PT_DYNAMIC, program_header::PT_GNU_STACK]);
    let load = &elf.program_headers[0];
    assert_eq!((load.p_vaddr, load.p_filesz, load.p_memsz), (0, PAGE as u64, PAGE as u64));
    assert_eq!(load.p_flags, program_header::PF_R | program_header::PF_X);
    assert_eq!(elf.program_headers[1].p_flags, program_header::PF_R, "readers must relocate pointers themselves");
    let dynamic = elf.dynamic.as_ref().expect("a dynamic section");
    for tag in [dynamic::DT_HASH, dynamic::DT_GNU_HASH, dynamic::DT_VERSYM, dynamic::DT_VERDEF] {
        assert!(dynamic.dyns.iter().any(|d| d.d_tag == tag), "{tag:#x}");
    }
}

#[test]
fn symbols_are_functions_inside_the_image() {
    let elf = Elf::parse(vdso::bytes()).expect("an ELF file");
    let names: Vec<_> = elf.dynsyms.iter().skip(1).filter_map(|s| elf.dynstrtab.get_at(s.st_name)).collect();
    assert_eq!(names, FUNCTIONS.map(|f| f.to_str().expect("ASCII")));
    for symbol in elf.dynsyms.iter().skip(1) {
        assert!(symbol.is_function() && symbol.st_bind() == sym::STB_GLOBAL && symbol.st_shndx != 0);
        assert!(symbol.st_size > 0 && symbol.st_value + symbol.st_size <= PAGE as u64);
        assert_eq!(symbol.st_value % 16, 0);
    }
}

/// The dynamic linker of the host goes through hash tables and version definitions.
#[test]
fn section_headers_lead_to_the_same_functions() {
    // As dietlibc looks symbols up: by .dynsym, .dynstr, and the section that a symbol is in.
    let elf = goblin::elf::Elf::parse(vdso::bytes()).unwrap();
    let named = |name: &str| {
        let found = elf.section_headers.iter().find(|header| elf.shdr_strtab.get_at(header.sh_name) == Some(name));
        found.unwrap_or_else(|| panic!("section {name}"))
    };
    let (symbols, names) = (named(".dynsym"), named(".dynstr"));
    assert_eq!(symbols.sh_size / symbols.sh_entsize, elf.dynsyms.len() as u64);
    assert_eq!(names.sh_flags & 2, 2, "allocated");
    for symbol in elf.dynsyms.iter().skip(1) {
        let section = &elf.section_headers[symbol.st_shndx];
        assert_eq!(elf.shdr_strtab.get_at(section.sh_name), Some(".text"));
        assert_eq!(section.sh_addr, section.sh_offset);
        assert!((section.sh_addr..section.sh_addr + section.sh_size).contains(&symbol.st_value));
    }
}

#[test]
fn dynamic_linker_finds_the_versioned_symbols() {
    // SAFETY: plain calls with valid C strings; the file descriptor is the file's alone.
    let mut file = unsafe { File::from_raw_fd(libc::memfd_create(c"vdso".as_ptr(), 0)) };
    file.write_all(vdso::bytes()).expect("memory");
    let path = format!("/proc/self/fd/{}\0", std::os::fd::AsRawFd::as_raw_fd(&file));
    let elf = Elf::parse(vdso::bytes()).expect("an ELF file");
    // SAFETY: loading runs no code, for there is no constructor; strings end with 0.
    unsafe {
        let handle = libc::dlopen(path.as_ptr().cast::<c_char>(), libc::RTLD_NOW | libc::RTLD_LOCAL);
        assert!(!handle.is_null(), "{:?}", CStr::from_ptr(libc::dlerror()));
        let first = libc::dlvsym(handle, FUNCTIONS[0].as_ptr(), c"LINUX_2.6".as_ptr());
        for (name, symbol) in FUNCTIONS.iter().zip(elf.dynsyms.iter().skip(1)) {
            let found = libc::dlvsym(handle, name.as_ptr(), c"LINUX_2.6".as_ptr());
            assert!(!found.is_null(), "{name:?}");
            let expected = symbol.st_value - elf.dynsyms.get(1).expect("symbol 1").st_value;
            assert_eq!(found as u64 - first as u64, expected);
            assert!(libc::dlvsym(handle, name.as_ptr(), c"LINUX_2.5".as_ptr()).is_null());
        }
        assert!(libc::dlsym(handle, c"__vdso_nothing".as_ptr()).is_null());
        libc::dlclose(handle);
    }
}

#[test]
fn gettime_reads_the_time_page() {
    let mapped = Mapped::new();
    // SAFETY: the function has this type, by Linux's interface.
    let gettime: Gettime = unsafe { core::mem::transmute(mapped.function(FUNCTIONS[0])) };
    for (clock, plus) in [(0, OFFSET), (1, 0), (4, 0), (5, OFFSET), (6, 0), (7, 0)] {
        let mut time = [u64::MAX; 2];
        let before = monotonic();
        // SAFETY: writes to a local.
        assert_eq!(unsafe { gettime(clock, &mut time) }, 0);
        let value = time[0] * 1_000_000_000 + time[1] - plus;
        assert!(time[1] < 1_000_000_000 && (before..=monotonic()).contains(&value), "clock {clock}");
    }
}

#[test]
fn other_clocks_fall_back_to_the_system_call() {
    let mapped = Mapped::new();
    // SAFETY: the functions have this type; they write to locals.
    unsafe {
        let gettime: Gettime = core::mem::transmute(mapped.function(FUNCTIONS[0]));
        let getres: Gettime = core::mem::transmute(mapped.function(FUNCTIONS[4]));
        let mut time = [0; 2];
        assert_eq!((gettime(2, &mut time), gettime(999, &mut time), getres(999, &mut time)), (0, -22, -22));
        assert_eq!((getres(1, &mut time), time), (0, [0, 1]));
        assert_eq!(getres(0, null_mut()), 0);
    }
}

#[test]
fn time_and_gettimeofday_agree_with_the_time_page() {
    let mapped = Mapped::new();
    // SAFETY: the functions have these types; they write to locals.
    unsafe {
        let gettimeofday: Gettimeofday = core::mem::transmute(mapped.function(FUNCTIONS[1]));
        let time: Time = core::mem::transmute(mapped.function(FUNCTIONS[2]));
        let (mut now, mut zone, mut seconds) = ([0; 2], [7; 2], 0);
        let before = (monotonic() + OFFSET) / 1000;
        assert_eq!(gettimeofday(&mut now, &mut zone), 0);
        let value = now[0] * 1_000_000 + now[1];
        assert!(now[1] < 1_000_000 && (before..=(monotonic() + OFFSET) / 1000).contains(&value));
        assert_eq!(zone, [0, 0]);
        assert_eq!(gettimeofday(null_mut(), null_mut()), 0);
        assert_eq!(time(&mut seconds), seconds);
        assert!(seconds.abs_diff(now[0]) <= 1 && time(null_mut()).abs_diff(now[0]) <= 2);
    }
}

#[test]
fn getcpu_is_the_system_call() {
    let mapped = Mapped::new();
    let (mut cpu, mut node) = (u32::MAX, u32::MAX);
    // SAFETY: the function has this type; it writes to locals.
    let result = unsafe {
        let getcpu: Getcpu = core::mem::transmute(mapped.function(FUNCTIONS[3]));
        getcpu(&mut cpu, &mut node, null_mut())
    };
    assert!(result == 0 && cpu < 8192 && node < 8192);
}
