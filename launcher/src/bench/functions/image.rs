//! Which function an instruction belongs to: the images that run in the guest, and what their line tables say.
//!
//! Several images lie at the same addresses, each in an address space of its own: the one counts that holds the bytes that ran. Relies on
//! `addr2line` for the line tables and on `object` for symbols, which is all that assembly and the C library have.

use super::profile::Block;
use addr2line::gimli::{self, EndianArcSlice, LittleEndian};
use addr2line::{Context as Lines, Frame};
use anyhow::{Context, Result};
use chestnut_linux_trampoline::{text, vdso};
use object::read::{Object, ObjectSection, ObjectSegment, SymbolMap, SymbolMapName};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Reader = EndianArcSlice<LittleEndian>;

/// Whose an instruction is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub image: String,
    /// The innermost function, inlined or not, whose source is in this repository; or the one that the linker knows.
    pub function: Function,
    /// The function that it is inlined into.
    pub within: Option<Function>,
}

/// A function that instructions belong to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Function {
    pub name: String,
    /// The source's path in this repository; `None` if it isn't from here.
    pub file: Option<String>,
}

/// What only reads or writes what it is given belongs to its caller, as closures do.
const ACCESSORS: &[&str] = &[
    "as_mut",
    "as_ref",
    "borrow",
    "borrow_mut",
    "clear",
    "default",
    "deref",
    "deref_mut",
    "eq",
    "from",
    "from_number",
    "get",
    "get_mut",
    "index",
    "index_mut",
    "into",
    "new",
    "replace",
    "set",
    "take",
    "update",
];

/// A file whose code runs in the guest.
struct Image {
    name: String,
    /// Address and bytes of what is executable.
    code: Vec<(u64, Vec<u8>)>,
    /// Absent if it has no line tables.
    lines: Option<Lines<Reader>>,
    symbols: Vec<(u64, String)>,
}

/// All images.
pub struct Images {
    /// Sources below it are this repository's.
    root: PathBuf,
    images: Vec<Image>,
    known: HashMap<(usize, u64), Place>,
}

/// The beginning of the kernel's half of the address space.
const KERNEL_HALF: u64 = 1 << 63;
const PAGE_BYTES: u64 = 4096;

impl Images {
    pub fn new(root: &Path) -> Images {
        Images { root: root.to_owned(), images: Vec::new(), known: HashMap::new() }
    }

    /// Adds an ELF file.
    pub fn add(&mut self, name: &str, file: &Path) -> Result<()> {
        let reading = || format!("reading {} for the names of its functions", file.display());
        let bytes = std::fs::read(file).with_context(reading)?;
        self.images.push(Image::parse(name, &bytes).with_context(reading)?);
        Ok(())
    }

    /// Whose this instruction of a block is.
    pub fn place(&mut self, block: &Block, offset: u64) -> Place {
        let address = block.address + offset;
        let Some(index) = self.images.iter().position(|image| image.holds(block)) else {
            return elsewhere(block, offset);
        };
        if let Some(place) = self.known.get(&(index, address)) {
            return place.clone();
        }
        let place = self.images[index].place(address, &self.root);
        self.known.insert((index, address), place.clone());
        place
    }
}

/// In no file: the pages that Linux programs share with the server, or unknown.
fn elsewhere(block: &Block, offset: u64) -> Place {
    let place = |image: &str, function: &str| Place {
        image: image.to_owned(),
        function: Function { name: function.to_owned(), file: None },
        within: None,
    };
    let first = usize::try_from(block.address % PAGE_BYTES).unwrap_or(0);
    let is_of = |page: &[u8]| page.get(first..first + block.bytes.len()) == Some(&block.bytes);
    if block.address >= KERNEL_HALF {
        return place("unknown", "addresses of the kernel");
    }
    if is_of(text::bytes()) {
        let is_before = block.address % PAGE_BYTES + offset < text::server_call();
        return place("trampoline", if is_before { "to the server's call" } else { "behind the server's call" });
    }
    if is_of(vdso::bytes()) {
        return place("vDSO", "text");
    }
    place("unknown", "addresses of programs")
}

impl Image {
    fn parse(name: &str, bytes: &[u8]) -> Result<Image> {
        let file = object::File::parse(bytes)?;
        let mut code = Vec::new();
        for segment in file.segments() {
            if segment.permissions().executable() {
                code.push((segment.address(), segment.data()?.to_vec()));
            }
        }
        let section = |id: gimli::SectionId| -> Result<Reader, object::Error> {
            let data = file.section_by_name(id.name()).map(|section| section.data()).transpose()?;
            Ok(Reader::new(Arc::from(data.unwrap_or_default()), LittleEndian))
        };
        let has_lines = file.section_by_name(gimli::SectionId::DebugInfo.name()).is_some();
        let lines = if has_lines { Some(Lines::from_dwarf(gimli::Dwarf::load(section)?)?) } else { None };
        let symbols: SymbolMap<SymbolMapName> = file.symbol_map();
        let symbols = symbols.symbols().iter().map(|symbol| (symbol.address(), readable(symbol.name()))).collect();
        Ok(Image { name: name.to_owned(), code, lines, symbols })
    }

    /// The block's bytes are here.
    fn holds(&self, block: &Block) -> bool {
        self.code.iter().any(|(address, bytes)| {
            let first = block.address.checked_sub(*address).and_then(|first| usize::try_from(first).ok());
            first.is_some_and(|first| bytes.get(first..first + block.bytes.len()) == Some(&block.bytes))
        })
    }

    fn place(&self, address: u64, root: &Path) -> Place {
        let frames = self.frames(address, root);
        let outermost = self.outermost(&frames, address, root);
        let (function, within) = fold(&frames, outermost);
        Place { image: self.name.clone(), function, within }
    }

    /// The function that isn't inlined. Where the compiler names no line, the source is that of the function's beginning.
    fn outermost(&self, frames: &[Function], address: u64, root: &Path) -> Function {
        let Some((first, name)) = self.symbol(address) else {
            return Function { name: "(no symbol)".to_owned(), file: None };
        };
        let with_file = |frames: &[Function]| frames.last().filter(|frame| frame.file.is_some()).cloned();
        let found = with_file(frames).or_else(|| with_file(&self.frames(*first, root)));
        found.unwrap_or_else(|| Function { name: name.clone(), file: None })
    }

    /// The symbol that the address belongs to.
    fn symbol(&self, address: u64) -> Option<&(u64, String)> {
        let below = self.symbols.partition_point(|(first, _)| *first <= address);
        self.symbols.get(below.checked_sub(1)?)
    }

    /// Who is inlined where, from the innermost function on.
    fn frames(&self, address: u64, root: &Path) -> Vec<Function> {
        let Some(lines) = &self.lines else { return Vec::new() };
        let Ok(mut frames) = lines.find_frames(address).skip_all_loads() else { return Vec::new() };
        let mut named = Vec::new();
        while let Ok(Some(frame)) = frames.next() {
            named.extend(Function::of(&frame, root));
        }
        named
    }
}

impl Function {
    fn of(frame: &Frame<'_, Reader>, root: &Path) -> Option<Function> {
        let name = frame.function.as_ref()?.raw_name().ok()?.into_owned();
        let file = frame.location.as_ref().and_then(|location| location.file);
        let file = file.and_then(|file| Path::new(file).strip_prefix(root).ok());
        Some(Function { name: readable(&name), file: file.map(|file| file.to_string_lossy().into_owned()) })
    }

    /// Instructions are counted as its own, even if it is inlined.
    fn counts(&self) -> bool {
        self.file.is_some() && !self.name.starts_with('{') && !ACCESSORS.contains(&&*self.name)
    }
}

/// The function that counts, and the outermost one if that is another. What is inlined from elsewhere belongs to its caller.
fn fold(frames: &[Function], outermost: Function) -> (Function, Option<Function>) {
    let inlined = frames.split_last().map_or(frames, |(_, inlined)| inlined);
    match inlined.iter().find(|frame| frame.counts()) {
        Some(frame) => (frame.clone(), Some(outermost)),
        None => (outermost, None),
    }
}

/// A name without hash, type arguments and all but the last two parts of its path.
fn readable(name: &str) -> String {
    let name = format!("{:#}", rustc_demangle::demangle(name));
    let mut depth = 0_u32;
    let mut plain = String::new();
    let mut before = ' ';
    for sign in name.chars() {
        match sign {
            '<' => depth += 1,
            // Not the arrow of a function's type.
            '>' if before != '-' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(sign),
            _ => {}
        }
        before = sign;
    }
    let parts: Vec<&str> = plain.split("::").filter(|part| !part.is_empty()).collect();
    let last = parts.len().saturating_sub(2);
    if parts.is_empty() { name } else { parts[last..].join("::") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, file: Option<&str>) -> Function {
        Function { name: name.to_owned(), file: file.map(str::to_owned) }
    }

    #[test]
    fn names_are_short() {
        assert_eq!(readable("_ZN15chestnut_kernel5stubs4call17h2ae3dfa5f2976917E"), "stubs::call");
        assert_eq!(readable("get<chestnut_kernel::object::data::Tcb>"), "get");
        assert_eq!(readable("{closure#0}<(), fn(u8) -> u8>"), "{closure#0}");
        assert_eq!(readable("system_call_stub"), "system_call_stub");
        assert_eq!(readable("<impl a::B for c::D>"), "<impl a::B for c::D>");
    }

    #[test]
    fn what_is_inlined_from_elsewhere_belongs_to_its_caller() {
        let call = function("call", Some("kernel/src/main/stubs.rs"));
        let plain_info = function("plain_info", Some("kernel/src/fastpath/steps.rs"));
        let (foreign, get) = (function("read", None), function("get", Some("kernel/src/mem/link.rs")));
        let closure = function("{closure#0}", Some("kernel/src/a.rs"));
        let frames = [foreign.clone(), get, closure, plain_info.clone(), call.clone()];
        assert_eq!(fold(&frames, call.clone()), (plain_info, Some(call.clone())));
        assert_eq!(fold(&[foreign.clone(), call.clone()], call.clone()), (call, None));
        assert_eq!(fold(std::slice::from_ref(&foreign), foreign.clone()), (foreign, None));
        let stub = function("system_call_stub", None);
        assert_eq!(fold(&[], stub.clone()), (stub, None));
    }

    #[test]
    fn images_are_told_apart_by_their_bytes() {
        let image = |name: &str, byte: u8| Image {
            name: name.to_owned(),
            code: vec![(0x40_0000, vec![byte; 16])],
            lines: None,
            symbols: vec![(0x40_0000, "first".to_owned()), (0x40_0008, "second".to_owned())],
        };
        let mut images = Images::new(Path::new("/"));
        images.images.extend([image("a", 0x90), image("b", 0xcc)]);
        let mut place = |address: u64, bytes: &[u8]| {
            let block = Block { address, bytes: bytes.to_vec(), times: Vec::new() };
            let Place { image, function, .. } = images.place(&block, 0);
            format!("{image} {}", function.name)
        };
        assert_eq!(place(0x40_0004, &[0x90; 2]), "a first");
        assert_eq!(place(0x40_0009, &[0xcc; 2]), "b second");
        assert_eq!(place(0x40_0000, &[0xf4]), "unknown addresses of programs");
        assert_eq!(place(0x40_000f, &[0x90; 2]), "unknown addresses of programs");
        assert_eq!(place(u64::MAX - 4096, &[0x90]), "unknown addresses of the kernel");
        let call = usize::try_from(text::server_call()).expect("a position");
        assert_eq!(
            place(0x7000_0000 + call as u64, &text::bytes()[call..call + 8]),
            "trampoline behind the server's call"
        );
    }
}
