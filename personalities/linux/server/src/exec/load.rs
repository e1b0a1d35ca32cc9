//! Puts a program into a new address space: its segments, its interpreter's, the stack.

use super::elf::{self, Image, Segment};
use super::{script, stack};
use crate::memory::{
    AddressSpace, Behaviour, MapRequest, Marks, Memory, PAGE, Place, Protection, Shown, USER_END, page_down,
};
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use chestnut_linux_files::buffer::SliceSink;
use chestnut_linux_files::inode::Kind;
use chestnut_linux_files::vfs::Location;
use chestnut_linux_files::{Errno, Result};

/// What an execve(2) asks for, scripts resolved.
pub struct Program {
    pub location: Rc<Location>,
    /// AT_EXECFN: the name as the caller gave it.
    pub file_name: Vec<u8>,
    pub arguments: Vec<Vec<u8>>,
    pub environment: Vec<Vec<u8>>,
}

/// What is known besides the program itself.
pub struct Circumstances<'a> {
    /// Finds an interpreter, with execute permission checked.
    pub find: &'a dyn Fn(&[u8]) -> Result<Rc<Location>>,
    pub random: &'a dyn Fn(&mut [u8]),
    /// Addresses differ from one execution to the next.
    pub randomly: bool,
    /// AT_UID, AT_EUID, AT_GID, AT_EGID.
    pub ids: [u32; 4],
    pub secure: bool,
    /// AT_HWCAP, AT_HWCAP2.
    pub features: [u64; 2],
    /// RLIMIT_STACK in bytes.
    pub stack_limit: u64,
    /// Where the trampoline, vDSO and their pages are put; the vDSO's address is returned.
    pub map_own_pages: &'a mut dyn FnMut(&Rc<AddressSpace>) -> Result<u64>,
}

/// A program that is ready to start.
pub struct Loaded {
    pub space: Rc<AddressSpace>,
    pub entry: u64,
    pub stack_pointer: u64,
    pub location: Rc<Location>,
}

const AT_PHDR: u64 = 3;
const AT_PHENT: u64 = 4;
const AT_PHNUM: u64 = 5;
const AT_PAGESZ: u64 = 6;
const AT_BASE: u64 = 7;
const AT_FLAGS: u64 = 8;
const AT_ENTRY: u64 = 9;
const AT_UID: u64 = 11;
const AT_HWCAP: u64 = 16;
const AT_CLKTCK: u64 = 17;
const AT_SECURE: u64 = 23;
const AT_HWCAP2: u64 = 26;
const AT_SYSINFO_EHDR: u64 = 33;
const AT_MINSIGSTKSZ: u64 = 51;

/// USER_HZ.
pub const TICKS_PER_SECOND: u64 = 100;
/// Bytes of the largest signal frame.
pub const SIGNAL_STACK_BYTES: u64 = 2048;

/// Position-independent programs go to about here (two thirds of the lower half).
const PROGRAM_BASE: u64 = 0x5555_5555_4000;
/// Above the stack's highest place lies what the server maps into every program.
pub const OWN_PAGES: core::ops::Range<u64> = USER_END - (1 << 30)..USER_END;
/// Bytes of the stack that exist from the start beside what is on it.
const STACK_START: u64 = 128 << 10;

/// Reads part of a file into memory of the server's: `ENOEXEC` if it is shorter.
fn read_exactly(location: &Location, offset: u64, bytes: usize) -> Result<Vec<u8>> {
    let mut buffer = vec![0; bytes];
    let contents = location.inode().contents().ok_or(Errno::EACCES)?;
    let count = contents.read(offset, &mut SliceSink::new(&mut buffer))?;
    if count == bytes { Ok(buffer) } else { Err(Errno::ENOEXEC) }
}

fn read_head(location: &Location) -> Result<Vec<u8>> {
    if location.inode().kind() != Kind::Regular {
        return Err(Errno::EACCES);
    }
    let contents = location.inode().contents().ok_or(Errno::EACCES)?;
    let mut buffer = vec![0; script::HEAD_BYTES];
    let count = contents.read(0, &mut SliceSink::new(&mut buffer))?;
    buffer.truncate(count);
    Ok(buffer)
}

fn read_image(location: &Location, head: &[u8]) -> Result<Image> {
    let header = elf::header(head)?;
    let table = read_exactly(location, header.segments_offset, header.segments_bytes())?;
    elf::image(header, &table)
}

/// Follows `#!` lines until there is a binary.
fn resolve_scripts(mut program: Program, find: &dyn Fn(&[u8]) -> Result<Rc<Location>>) -> Result<(Program, Vec<u8>)> {
    let mut name = program.file_name.clone();
    for _ in 0..script::MAX_DEPTH {
        let head = read_head(&program.location)?;
        let Some(interpreter) = script::interpreter(&head)? else { return Ok((program, head)) };
        let location = find(&interpreter.path)?;
        let mut arguments = vec![interpreter.path.clone()];
        arguments.extend(interpreter.argument);
        arguments.push(core::mem::replace(&mut name, interpreter.path));
        arguments.extend(program.arguments.drain(1.min(program.arguments.len())..));
        program = Program { location, arguments, ..program };
    }
    Err(Errno::ELOOP)
}

/// Makes the address space of a program.
pub fn load(memory: &Rc<Memory>, program: Program, circumstances: Circumstances<'_>) -> Result<Loaded> {
    let (program, head) = resolve_scripts(program, circumstances.find)?;
    let image = read_image(&program.location, &head)?;
    let interpreter = match image.interpreter {
        None => None,
        Some((offset, bytes)) => {
            let mut name = read_exactly(&program.location, offset, bytes as usize)?;
            if name.pop() != Some(0) {
                return Err(Errno::ENOEXEC);
            }
            let location = (circumstances.find)(&name)?;
            let image = read_image(&location, &read_head(&location)?)?;
            Some((location, image))
        }
    };

    let space = AddressSpace::for_program(memory, Some(program.location.inode()))?;
    space.stack_limit.set(circumstances.stack_limit);
    let random_below = |limit: u64| {
        let mut bytes = [0; 8];
        if circumstances.randomly {
            (circumstances.random)(&mut bytes);
        }
        u64::from_le_bytes(bytes) % limit
    };
    let vdso = (circumstances.map_own_pages)(&space)?;
    let stack_top = OWN_PAGES.start - (random_below(1 << 22) + 1) * PAGE;
    let stack_gap = circumstances.stack_limit.clamp(128 << 20, 1 << 40).next_multiple_of(PAGE);
    space.map_top.set(stack_top - stack_gap - random_below(1 << 24) * PAGE);

    let bias = if image.header.relocatable {
        let base = (PROGRAM_BASE + random_below(1 << 28) * PAGE) & !(image.alignment - 1);
        base - image.extent().0
    } else {
        0
    };
    map_image(&space, &program.location, &image, bias, false)?;
    let program_end = image.extent().1 + bias;
    space.set_break_start((program_end.next_multiple_of(PAGE)) + random_below(1 << 13) * PAGE);

    let (mut entry, mut interpreter_base) = (image.header.entry.wrapping_add(bias), 0);
    if let Some((location, image)) = &interpreter {
        interpreter_base = map_image(&space, location, image, 0, true)?;
        entry = image.header.entry.wrapping_add(interpreter_base);
    }

    let [uid, euid, gid, egid] = circumstances.ids.map(u64::from);
    let mut auxiliary = vec![
        (AT_SYSINFO_EHDR, vdso),
        (AT_HWCAP, circumstances.features[0]),
        (AT_PAGESZ, PAGE),
        (AT_CLKTCK, TICKS_PER_SECOND),
        (AT_PHDR, image.headers_address.map_or(0, |address| address + bias)),
        (AT_PHENT, 56),
        (AT_PHNUM, image.header.segments as u64),
        (AT_BASE, interpreter_base),
        (AT_FLAGS, 0),
        (AT_ENTRY, image.header.entry.wrapping_add(bias)),
    ];
    auxiliary.extend([uid, euid, gid, egid].iter().enumerate().map(|(index, &id)| (AT_UID + index as u64, id)));
    auxiliary.extend([
        (AT_SECURE, circumstances.secure.into()),
        (AT_HWCAP2, circumstances.features[1]),
        (AT_MINSIGSTKSZ, SIGNAL_STACK_BYTES),
    ]);
    let mut random = [0; 16];
    (circumstances.random)(&mut random);
    let contents = stack::Contents {
        arguments: &program.arguments,
        environment: &program.environment,
        file_name: &program.file_name,
        random,
        platform: b"x86_64",
        auxiliary: &auxiliary,
    };
    let limit = (circumstances.stack_limit / 4).clamp(128 << 10, 6 << 20);
    let (layout, bytes) = stack::build(stack_top, limit, &contents)?;
    let stack_bytes = (stack_top - page_down(layout.pointer)) + STACK_START;
    let mut protection = Protection::READ | Protection::WRITE;
    protection.set(Protection::EXECUTE, image.executable_stack);
    space.map(MapRequest {
        place: Place::Exactly(stack_top - stack_bytes),
        length: stack_bytes,
        protection,
        behaviour: Behaviour::GROWS_DOWN,
        shown: Shown::Zeros,
    })?;
    space.settle();
    space.write(layout.pointer, &bytes).map_err(|_| Errno::ENOMEM)?;
    space.marks.set(marks(&image, bias, &layout));
    Ok(Loaded { space, entry, stack_pointer: layout.pointer, location: program.location })
}

fn marks(image: &Image, bias: u64, layout: &stack::Layout) -> Marks {
    let find = |wanted: Protection| {
        let found = image.segments.iter().find(|segment| segment.protection.contains(wanted));
        found.map_or((0, 0), |segment| (segment.address + bias, segment.address + bias + segment.file_bytes))
    };
    Marks {
        code: find(Protection::EXECUTE),
        data: find(Protection::WRITE),
        stack_start: layout.pointer,
        arguments: layout.arguments,
        environment: layout.environment,
        auxiliary: layout.auxiliary,
    }
}

/// Maps all segments; an interpreter goes where there is room. Returns what was added to the file's addresses.
fn map_image(
    space: &Rc<AddressSpace>,
    location: &Rc<Location>,
    image: &Image,
    bias: u64,
    anywhere: bool,
) -> Result<u64> {
    let (first, end) = image.extent();
    let bias = if anywhere && image.header.relocatable {
        // Reserve the whole range, so that the segments keep their distances.
        let start = space.map(MapRequest {
            place: Place::Hint(0),
            length: end - first,
            protection: Protection::empty(),
            behaviour: Behaviour::empty(),
            shown: Shown::Zeros,
        })?;
        space.unmap(start, (end - first).next_multiple_of(PAGE))?;
        start - first
    } else {
        bias
    };
    for segment in &image.segments {
        map_segment(space, location, segment, bias)?;
    }
    Ok(bias)
}

fn map_segment(space: &Rc<AddressSpace>, location: &Rc<Location>, segment: &Segment, bias: u64) -> Result<()> {
    let address = segment.address + bias;
    let start = page_down(address);
    let file_end = address + segment.file_bytes;
    let end = address + segment.bytes;
    let mut zeros_from = start;
    if segment.file_bytes > 0 {
        zeros_from = file_end.next_multiple_of(PAGE);
        space.map(MapRequest {
            place: Place::Exactly(start),
            length: file_end - start,
            protection: segment.protection,
            behaviour: Behaviour::empty(),
            shown: Shown::File { location: location.clone(), offset: page_down(segment.offset), writes: None },
        })?;
        let tail = zeros_from - file_end;
        if end > file_end && tail > 0 && segment.protection.contains(Protection::WRITE) {
            // In the file's last page the program expects zeros, and up to the page's end: the dynamic linker allocates from
            // there before it can ask for memory. A file that is cut off there is malformed.
            space.write(file_end, &vec![0; tail as usize]).map_err(|_| Errno::ENOEXEC)?;
        }
    }
    if end > zeros_from {
        space.map(MapRequest {
            place: Place::Exactly(zeros_from),
            length: end - zeros_from,
            protection: segment.protection,
            behaviour: Behaviour::empty(),
            shown: Shown::Zeros,
        })?;
    }
    Ok(())
}
