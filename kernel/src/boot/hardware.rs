//! Hardware discovery: what there is, before any capability exists.

use super::acpi::{self, Madt};
use super::info::BootLoaderInfo;
use super::physical::Physical;
use super::pvh;
use super::regions::{Full, Region, Regions};
use super::root_task::{Given, Made};
use super::window::{self, EARLY_SIZE, ImageLayout, WINDOW_SIZE};
use super::{multiboot2, options};
use crate::arch::{self, EntryPoints};
use crate::print::Hex;
use crate::print_line;
use chestnut_abi::layout::KERNEL_WINDOW;

const PAGE_BITS: u32 = 12;
const PAGE: u64 = 1 << PAGE_BITS;
/// All of it is one device untyped: users look for firmware tables there.
const FIRST_MIB: Region = Region::new(0, 1 << 20);
/// Where device memory ends: what an untyped can cover.
const DEVICE_END: u64 = 1 << 47;

/// Physical memory up to `limit`, through the window.
struct WindowMemory {
    limit: u64,
}

impl Physical for WindowMemory {
    fn bytes(&self, paddr: u64, length: u64) -> Option<&[u8]> {
        paddr.checked_add(length).filter(|end| *end <= self.limit)?;
        // SAFETY: the boot tables map all physical addresses up to the limit at the window, and nothing writes there
        // while boot looks at what firmware and loader left.
        Some(unsafe { core::slice::from_raw_parts((KERNEL_WINDOW + paddr) as *const u8, length as usize) })
    }
}

const TOO_MANY: &str = "the memory map is too fragmented";

impl From<Full> for &'static str {
    fn from(_: Full) -> Self {
        TOO_MANY
    }
}

/// Finds out what machine this is and takes processor, address space, interrupt controllers and clocks into use.
/// `magic` and `info` are what the boot loader passed in EAX and EBX. The error is one line for the user.
pub fn discover(magic: u32, info: u64, entries: &EntryPoints) -> Result<Given<'static>, &'static str> {
    let memory = WindowMemory { limit: EARLY_SIZE };
    // PVH leaves EAX undefined, so that its own magic number decides first.
    let info = if pvh::is_start_info(&memory, info) {
        pvh::parse(&memory, info)?
    } else if magic == multiboot2::MAGIC {
        multiboot2::parse(&memory, info)?
    } else {
        return Err("the boot loader speaks no protocol that this kernel knows (PVH, multiboot2)");
    };
    let options = options::parse(info.command_line, |word| {
        print_line!("chestnut: command line: not understood: ", core::str::from_utf8(word).unwrap_or("(no text)"));
    });
    let module = info.module.filter(|module| !module.is_empty()).ok_or("no root task: the boot module is missing")?;
    let rsdp = acpi::find_rsdp(&memory, info.rsdp).ok_or("the firmware has no ACPI root pointer")?;
    let madt = acpi::madt(&memory, rsdp)?;
    arch::cpu_init(entries)?;

    let rsdp = acpi::copy_rsdp(&memory, rsdp);
    let ram = usable_ram(&info)?;
    if !ram.contains(module) {
        return Err("the boot module does not lie in RAM");
    }
    if options.verbose {
        report_loader(&info, &madt);
    }
    // From here on the boot tables, and what could be read through them, are gone.
    let image = ImageLayout::get().physical;
    let mut free = ram.clone();
    for taken in [FIRST_MIB, image, module.grown(PAGE_BITS)] {
        free.remove(taken)?;
    }
    let controllers = controllers(&madt)?;
    let before = free.size();
    window::build(&ram, controllers.as_slice(), &mut free)?;
    // All that the kernel ever has: it allocates nothing later.
    let kernel_size = image.size() + before - free.size();
    let tsc_mhz = start_devices(&madt)?;

    let mut kept = ram;
    kept.remove(FIRST_MIB)?;
    for page in controllers.as_slice() {
        kept.add(Region::sized(*page, PAGE))?;
    }
    let devices = kept.gaps(Region::new(0, DEVICE_END))?;
    // SAFETY: the module lies in RAM that the window maps, and in no untyped, so nothing ever writes it.
    let file =
        unsafe { core::slice::from_raw_parts((KERNEL_WINDOW + module.start) as *const u8, module.size() as usize) };
    let given = Given { free, devices, file, options, rsdp, tsc_mhz };
    if options.verbose {
        report_machine(&given, module, image, kernel_size);
    }
    Ok(given)
}

/// All RAM in whole pages, as far as the window reaches.
fn usable_ram(info: &BootLoaderInfo<'_>) -> Result<Regions, &'static str> {
    let mut ram = Regions::new();
    let ranges = || info.memory.iter();
    for range in ranges().filter(|range| range.is_ram) {
        ram.add(range.region.shrunk(PAGE_BITS))?;
    }
    // Where firmware contradicts itself, the reservation counts.
    for range in ranges().filter(|range| !range.is_ram) {
        ram.remove(range.region.grown(PAGE_BITS))?;
    }
    let beyond = Region::new(WINDOW_SIZE, u64::MAX);
    if ram.overlaps(beyond) {
        print_line!("chestnut: memory beyond ", Hex(WINDOW_SIZE), " is not used");
        ram.remove(beyond)?;
    }
    if ram.size() == 0 {
        return Err("the memory map has no RAM");
    }
    Ok(ram)
}

/// The pages of the interrupt controllers' registers.
struct Controllers {
    pages: [u64; acpi::MAX_IOAPICS + 1],
    count: usize,
}

impl Controllers {
    fn as_slice(&self) -> &[u64] {
        self.pages.get(..self.count).unwrap_or(&[])
    }
}

fn controllers(madt: &Madt) -> Result<Controllers, &'static str> {
    let mut result = Controllers { pages: [0; acpi::MAX_IOAPICS + 1], count: 0 };
    let addresses = core::iter::once(madt.lapic).chain(madt.ioapics.iter().flatten().map(|ioapic| ioapic.address));
    for (slot, address) in result.pages.iter_mut().zip(addresses) {
        if address == 0 || address >= WINDOW_SIZE {
            return Err("the MADT gives an impossible address for an interrupt controller");
        }
        *slot = address & !(PAGE - 1);
        result.count += 1;
    }
    Ok(result)
}

/// Starts interrupt controllers and timer; the TSC's frequency in MHz.
fn start_devices(madt: &Madt) -> Result<u64, &'static str> {
    arch::lapic_init(madt.lapic);
    for ioapic in madt.ioapics.iter().flatten() {
        arch::ioapic_add(ioapic.address);
    }
    if arch::ioapic_count() == 0 {
        print_line!("chestnut: the MADT lists no I/O APIC: there will be no device interrupts but MSIs");
    }
    arch::calibrate().ok_or("the clock rate is unknown: the legacy timer doesn't count")
}

#[cold]
fn report_loader(info: &BootLoaderInfo<'_>, madt: &Madt) {
    print_line!("chestnut: booted by ", info.protocol);
    for range in info.memory.iter() {
        let kind = if range.is_ram { " RAM" } else { " reserved" };
        print_line!("  memory ", Hex(range.region.start), " to ", Hex(range.region.end), kind);
    }
    print_line!("  processors ", madt.processors, " (one is used), LAPIC ", Hex(madt.lapic));
    for ioapic in madt.ioapics.iter().flatten() {
        print_line!("  I/O APIC ", Hex(ioapic.address), ", from interrupt ", u64::from(ioapic.first_interrupt));
    }
    for source in madt.overrides.iter().flatten() {
        print_line!("  legacy interrupt ", u64::from(source.legacy), " is ", u64::from(source.interrupt));
    }
}

#[cold]
fn report_machine(given: &Given<'_>, module: Region, image: Region, kernel_size: u64) {
    print_line!("  kernel ", Hex(image.start), " to ", Hex(image.end));
    print_line!("  kept for the kernel itself: ", kernel_size / 1024, " KiB with page tables");
    print_line!("  root task's file ", Hex(module.start), " to ", Hex(module.end));
    let f = arch::features();
    let name = |has, name| if has { name } else { "" };
    print_line!(
        "  TSC ",
        given.tsc_mhz,
        " MHz;",
        name(f.huge_pages, " 1GiB-pages"),
        name(f.global_pages, " PGE"),
        name(f.fsgsbase, " FSGSBASE"),
        name(f.smep, " SMEP"),
        name(f.smap, " SMAP"),
        name(f.umip, " UMIP"),
    );
    for region in given.free.iter() {
        print_line!("  free ", Hex(region.start), " to ", Hex(region.end));
    }
}

/// Says what the root task was given.
pub fn report(made: &Made) {
    print_line!("  root task: ", made.image_pages, " pages, begins at ", Hex(made.entry));
    print_line!("  ", made.untypeds, " untypeds, RAM ", made.ram / 1024, " KiB, left out ", made.lost / 1024, " KiB");
}
