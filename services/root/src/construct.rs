//! Makes one process: address space, CSpace, thread, and what the manifest says it may use.
//!
//! The process finds itself as the start convention says: fixed capabilities in [`slots`], everything else named in a
//! [`StartInfo`] whose address is in RDI. All objects come from one [`Arena`].

use crate::{
    arena::Arena,
    failure::{Cause, Doing, Result, wrong},
    image::{Image, PAGE, Page},
    resources::{Resources, WINDOW_PAGES, own},
    shared::Shared,
    space::{Access, Layout, Space},
    watch,
};
use alloc::{format, string::ToString, vec::Vec};
use chestnut_manifest::{
    Device, Failure, Grant, Manner, Memory, NamedCapability, Region, Service, StartInfo, UntypedMemory,
    archive::BINARIES, slots,
};
use chestnut_runtime::{
    CNode, Slot,
    abi::{
        CapRights, ObjectType, UserContext,
        object::{LARGE_PAGE_BITS, MIN_SCHED_CONTEXT_BITS, PAGE_BITS, SchedContextFlags, max_extra_refills},
    },
    cap::{Budget, Frame, SchedContext, Tcb, VSpace},
    untyped::Piece,
};

/// Where stack, start information, shared memory and heap begin, if the image is below.
const AREA: u64 = 1 << 30;
/// RFLAGS of a new thread: interrupts on.
const FLAGS: u64 = 0x202;
/// Bytes of a scheduling context, as a power of two: room for a few refills beside its own.
const SCHED_CONTEXT_BITS: u64 = MIN_SCHED_CONTEXT_BITS + 1;
/// What root keeps when a service gets the rest of memory: enough to make a service anew.
const RESERVE_BITS: u64 = 23;

/// `jmp .`, as it is in each service (`chestnut_runtime::entry`).
const CIRCLE: &[u8] = &[0xeb, 0xfe];

/// A process that was made.
pub struct Process {
    pub tcb: Tcb,
    pub arena: Arena,
    /// Where a thread goes round in circles, if the service is to fail by that ([`Manner::Spin`]).
    pub circle: Option<u64>,
}

/// Makes the service with this number; it runs when its thread is resumed.
pub fn construct(number: usize, shared: &Shared, resources: &mut Resources) -> Result<Process> {
    let service = shared
        .manifest
        .services
        .get(number)
        .ok_or_else(|| wrong(format_args!("the manifest has no service number {number}")))?;
    let mut arena = Arena::default();
    match Builder::new(service, number, shared, resources, &mut arena).and_then(Builder::build) {
        Ok((tcb, circle)) => Ok(Process { tcb, arena, circle }),
        Err(failure) => {
            // The first failure is what is worth telling.
            let _ = arena.clear(resources);
            Err(failure).doing(format_args!("making {}", service.name))
        }
    }
}

struct Builder<'a> {
    service: &'a Service,
    number: usize,
    shared: &'a Shared,
    resources: &'a mut Resources,
    arena: &'a mut Arena,
    space: Space,
    layout: Layout,
    cnode: CNode,
    next_slot: u64,
    start: StartInfo,
}

impl<'a> Builder<'a> {
    fn new(
        service: &'a Service,
        number: usize,
        shared: &'a Shared,
        resources: &'a mut Resources,
        arena: &'a mut Arena,
    ) -> Result<Self> {
        let vspace = VSpace(arena.object(resources, ObjectType::X64Pml4, 0)?);
        shared.asid_pool.assign(vspace).doing("giving the address space an ASID")?;
        let cnode = CNode(arena.object(resources, ObjectType::CapTable, service.cnode_radix.into())?);
        let start = StartInfo {
            name: service.name.clone(),
            tsc_mhz: shared.tsc_mhz,
            machine_memory: shared.machine_memory,
            ..StartInfo::default()
        };
        Ok(Self {
            service,
            number,
            shared,
            resources,
            arena,
            space: Space::new(vspace),
            layout: Layout::new(AREA),
            cnode,
            next_slot: slots::FIRST_NAMED,
            start,
        })
    }

    fn build(mut self) -> Result<(Tcb, Option<u64>)> {
        let file = format!("{BINARIES}{}", self.service.binary);
        let image = Image::parse(self.shared.archive.file(&file)?).doing(&file)?;
        if image.end() > AREA {
            self.layout = Layout::new(image.end());
        }
        self.load(&image).doing("loading its image")?;
        let stack_end = self.map_stack()?;
        let (buffer_address, buffer) = self.map_buffer()?;
        self.map_shared()?;
        self.map_heap()?;
        self.map_archive()?;
        let (tcb, sched_context) = self.make_thread(buffer_address, buffer)?;
        self.fill_fixed_slots(tcb, sched_context)?;
        self.fill_named_slots()?;
        self.hand_out_memory()?;
        let (info, info_bytes) = self.write_start_info()?;
        let context = UserContext {
            rip: image.entry,
            rsp: stack_end,
            rflags: FLAGS,
            rdi: info,
            rsi: info_bytes,
            rdx: buffer_address,
            ..UserContext::default()
        };
        tcb.write_registers(&context, false).doing("setting its registers")?;
        let spins = |failure: &Failure| failure.manner == Manner::Spin && failure.service == self.service.name;
        let circle = if self.shared.manifest.failures.iter().any(spins) { image.find_code(CIRCLE) } else { None };
        Ok((tcb, circle))
    }

    /// Copies the image page by page into frames and maps them.
    fn load(&mut self, image: &Image<'_>) -> Result<()> {
        let frames = self.arena.frames(self.resources, image.pages.len() as u64)?;
        let pages: Vec<(u64, &Page<'_>)> = image.pages.iter().map(|(address, page)| (*address, page)).collect();
        let window = WINDOW_PAGES as usize;
        for (frames, pages) in frames.chunks(window).zip(pages.chunks(window)) {
            self.resources.with_pages(frames, |window| {
                for (target, (_, page)) in window.chunks_exact_mut(PAGE as usize).zip(pages) {
                    for (at, bytes) in &page.contents {
                        target[*at..*at + bytes.len()].copy_from_slice(bytes);
                    }
                }
            })?;
            for (frame, (address, page)) in frames.iter().zip(pages) {
                let access = Access { writable: page.writable, executable: page.executable, device: false };
                self.space.map([*frame], *address, access, self.arena, self.resources)?;
            }
        }
        Ok(())
    }

    /// The end of the stack, which grows down to an unmapped page.
    fn map_stack(&mut self) -> Result<u64> {
        let address = self.layout.place(self.service.stack, PAGE);
        self.map_new(address, self.service.stack).doing("mapping its stack")?;
        Ok(address + self.service.stack)
    }

    fn map_buffer(&mut self) -> Result<(u64, Frame)> {
        let address = self.layout.place(PAGE, PAGE);
        let frames = self.map_new(address, PAGE).doing("mapping its IPC buffer")?;
        let frame = frames.first().copied().ok_or(Cause::NoSlots)?;
        Ok((address, frame))
    }

    /// Maps new zeroed frames, read-write.
    fn map_new(&mut self, address: u64, bytes: u64) -> Result<Vec<Frame>> {
        let frames = self.arena.frames(self.resources, bytes.div_ceil(PAGE))?;
        self.space.map(frames.iter().copied(), address, Access::READ_WRITE, self.arena, self.resources)?;
        Ok(frames)
    }

    /// Rings, deadline pages and devices.
    fn map_shared(&mut self) -> Result<()> {
        for memory in &self.shared.memory {
            if memory.users.contains(&self.service.name) {
                self.map_region(&memory.name, memory.bytes, memory.frames.iter().copied(), Access::READ_WRITE)?;
            }
        }
        if let Some(hpet) = self.shared.hpet
            && self.service.devices.contains(&Device::Hpet)
        {
            self.map_region("hpet", PAGE, [hpet], Access::DEVICE)?;
        }
        Ok(())
    }

    /// Maps frames that stay, by copies of their capabilities, and names the region.
    fn map_region(
        &mut self,
        name: &str,
        bytes: u64,
        frames: impl IntoIterator<Item = Frame>,
        access: Access,
    ) -> Result<()> {
        let address = self.layout.place(bytes, PAGE);
        for (frame, address) in frames.into_iter().zip((address..).step_by(PAGE as usize)) {
            let copy = self.arena.copy_frame(self.resources, frame)?;
            self.space
                .map([copy], address, access, self.arena, self.resources)
                .doing(format_args!("mapping region {name}"))?;
        }
        self.start.regions.push(Region { name: name.to_string(), address, bytes });
        Ok(())
    }

    /// The heap, in large pages as far as they fill it.
    fn map_heap(&mut self) -> Result<()> {
        let bytes = self.service.heap;
        if bytes == 0 {
            return Ok(());
        }
        let large = bytes >> LARGE_PAGE_BITS;
        let alignment = if large > 0 { 1 << LARGE_PAGE_BITS } else { PAGE };
        let address = self.layout.place(bytes, alignment);
        if large > 0 {
            let first = self.arena.objects(self.resources, ObjectType::X86LargePage, 0, large)?;
            let frames = (first..first + large).map(Frame);
            self.space
                .map_large(frames, address, Access::READ_WRITE, self.arena, self.resources)
                .doing("mapping its heap")?;
        }
        let rest = bytes - (large << LARGE_PAGE_BITS);
        if rest > 0 {
            self.map_new(address + (large << LARGE_PAGE_BITS), rest).doing("mapping its heap")?;
        }
        (self.start.heap_address, self.start.heap_bytes) = (address, bytes);
        Ok(())
    }

    fn map_archive(&mut self) -> Result<()> {
        if self.service.archive {
            let archive = &self.shared.archive;
            self.map_region("archive", archive.bytes, archive.frames(), Access::READ)?;
        }
        Ok(())
    }

    /// The thread with its spaces, its time and its fault handler.
    fn make_thread(&mut self, buffer_address: u64, buffer: Frame) -> Result<(Tcb, SchedContext)> {
        let service = self.service;
        let tcb = Tcb(self.arena.object(self.resources, ObjectType::Tcb, 0)?);
        let sched_context =
            SchedContext(self.arena.object(self.resources, ObjectType::SchedContext, SCHED_CONTEXT_BITS)?);
        let guard = CNode::plain_guard(service.cnode_radix.into());
        tcb.configure(self.cnode, guard, self.space.vspace, buffer_address, buffer).doing("configuring its thread")?;
        let round_robin = service.budget == service.period;
        let budget = Budget {
            budget: service.budget,
            period: service.period,
            extra_refills: if round_robin { 0 } else { max_extra_refills(SCHED_CONTEXT_BITS) },
            badge: self.badge(),
            flags: if round_robin { 0 } else { SchedContextFlags::SPORADIC },
        };
        self.shared.sched_control.configure_flags(sched_context, budget).doing("giving it time")?;
        let fault_endpoint = self.arena.copy_slot(self.resources)?;
        own(fault_endpoint)
            .mint_from(own(self.shared.supervision.0), CapRights::ALL, self.badge())
            .doing("minting its fault endpoint")?;
        tcb.set_sched_params(Tcb::OWN, service.priority, service.priority, sched_context.0, fault_endpoint)
            .doing("setting its priority")?;
        tcb.bind_notification(self.notification()?).doing("binding its notification")?;
        Ok((tcb, sched_context))
    }

    fn badge(&self) -> u64 {
        self.number as u64 + 1
    }

    fn notification(&self) -> Result<chestnut_runtime::cap::Notification> {
        let found = self.shared.notifications.get(self.number).copied();
        found.ok_or_else(|| wrong("a service without notification"))
    }

    /// A slot of the service's CNode, by its number.
    fn slot(&self, index: u64) -> Slot {
        self.cnode.slot_at(index, self.service.cnode_radix.into())
    }

    fn fill_fixed_slots(&mut self, tcb: Tcb, sched_context: SchedContext) -> Result<()> {
        let notification = self.notification()?;
        let guard = CNode::plain_guard(self.service.cnode_radix.into());
        let supervision = CapRights::WRITE.union(CapRights::GRANT_REPLY);
        let reply = self.arena.object(self.resources, ObjectType::Reply, 0)?;
        let copies = [
            (slots::TCB, tcb.0),
            (slots::VSPACE, self.space.vspace.0),
            (slots::SCHED_CONTEXT, sched_context.0),
            (slots::NOTIFICATION, notification.0),
            (slots::REPLY, reply),
        ];
        for (index, cap) in copies {
            self.slot(index).copy_from(own(cap), CapRights::ALL).doing(format_args!("filling its slot {index}"))?;
        }
        self.slot(slots::CNODE)
            .mint_from(own(self.cnode.0), CapRights::ALL, guard.0)
            .doing("giving it its own CNode")?;
        self.slot(slots::SUPERVISION)
            .mint_from(own(self.shared.supervision.0), supervision, self.badge())
            .doing("giving it the supervision endpoint")?;
        if self.service.answers_within.is_some() {
            self.slot(slots::ALIVE)
                .mint_from(own(self.shared.alive.0), CapRights::WRITE, watch::bit(self.number))
                .doing("giving it the answer to root's question")?;
        }
        for grant in &self.service.grants {
            match grant {
                Grant::AsidPool => {
                    let pool = self.arena.untyped(self.resources, PAGE_BITS)?;
                    let slot = self.arena.copy_slot(self.resources)?;
                    let root = CNode::OWN.slot(slot);
                    self.shared
                        .asid_control
                        .make_pool(pool.untyped, root.root, root.index, root.depth)
                        .doing("making its ASID pool")?;
                    self.slot(slots::ASID_POOL).copy_from(root, CapRights::ALL).doing("giving it an ASID pool")?;
                }
                Grant::AsidControl => self
                    .slot(slots::ASID_CONTROL)
                    .copy_from(own(self.shared.asid_control.0), CapRights::ALL)
                    .doing("giving it ASIDControl")?,
                Grant::SchedControl => self
                    .slot(slots::SCHED_CONTROL)
                    .copy_from(own(self.shared.sched_control.0), CapRights::ALL)
                    .doing("giving it SchedControl")?,
            }
        }
        Ok(())
    }

    /// I/O ports, interrupts and signals.
    fn fill_named_slots(&mut self) -> Result<()> {
        let (service, shared) = (self.service, self.shared);
        for range in &service.ports {
            let port = shared.port(range.first, range.last)?;
            self.name_copy(&range.name, port.0)?;
        }
        for line in shared.lines_of(service) {
            self.name_copy(&line.name, line.handler.0)?;
        }
        for signal in shared.manifest.signals.iter().filter(|signal| signal.from == service.name) {
            let to = shared.number(&signal.to)?;
            let notification = shared.notifications.get(to).ok_or_else(|| wrong("a service without notification"))?;
            let slot = self.take_slot()?;
            self.slot(slot)
                .mint_from(own(notification.0), CapRights::WRITE, 1 << (signal.bit & 63))
                .doing(format_args!("giving it the signal {}", signal.name))?;
            self.start.capabilities.push(NamedCapability { name: signal.name.clone(), cptr: slot });
        }
        Ok(())
    }

    fn name_copy(&mut self, name: &str, cap: u64) -> Result<()> {
        let slot = self.take_slot()?;
        self.slot(slot).copy_from(own(cap), CapRights::ALL).doing(format_args!("giving it {name}"))?;
        self.start.capabilities.push(NamedCapability { name: name.to_string(), cptr: slot });
        Ok(())
    }

    /// The next free slot of the service's CNode.
    fn take_slot(&mut self) -> Result<u64> {
        let slot = self.next_slot;
        if slot >> self.service.cnode_radix != 0 {
            return Err(wrong(format_args!("its CNode of 2^{} slots is full", self.service.cnode_radix)));
        }
        self.next_slot += 1;
        Ok(slot)
    }

    /// Untyped memory as the manifest says.
    fn hand_out_memory(&mut self) -> Result<()> {
        match self.service.memory {
            Memory::None => {}
            Memory::Bytes(bytes) => {
                let mut left = bytes.next_multiple_of(PAGE);
                while left > 0 {
                    let piece = self.largest_piece_up_to(u64::from(left.ilog2()))?;
                    left = left.saturating_sub(1 << piece.size_bits);
                    self.arena.adopt(piece);
                    self.hand_out(piece)?;
                }
            }
            Memory::Rest => {
                let reserve = self.resources.ram.allocate(RESERVE_BITS, &mut self.resources.slots)?;
                let mut too_small = Vec::new();
                while let Some(piece) = self.resources.ram.take_largest() {
                    if piece.size_bits >= PAGE_BITS {
                        self.arena.adopt(piece);
                        self.hand_out(piece)?;
                    } else {
                        too_small.push(piece);
                    }
                }
                self.resources.ram.release(reserve);
                too_small.into_iter().for_each(|piece| self.resources.ram.release(piece));
            }
        }
        Ok(())
    }

    /// A piece of at most 2^`bits` bytes, and at least a page.
    fn largest_piece_up_to(&mut self, bits: u64) -> Result<Piece> {
        let mut result = self.resources.ram.allocate(PAGE_BITS.max(bits), &mut self.resources.slots);
        for bits in (PAGE_BITS..bits).rev() {
            if result.is_ok() {
                break;
            }
            result = self.resources.ram.allocate(bits, &mut self.resources.slots);
        }
        result.doing("finding memory for it")
    }

    fn hand_out(&mut self, piece: Piece) -> Result<()> {
        let slot = self.take_slot()?;
        self.slot(slot).copy_from(own(piece.untyped.0), CapRights::ALL).doing("giving it untyped memory")?;
        self.start.untypeds.push(UntypedMemory {
            cptr: slot,
            physical_address: piece.paddr,
            size_bits: piece.size_bits as u8,
            is_device: false,
        });
        Ok(())
    }

    /// Writes the start information into read-only pages; returns address and length.
    fn write_start_info(&mut self) -> Result<(u64, u64)> {
        // The pages of the information itself are the last ones placed; so large a piece holds any.
        const ROOM: u64 = 1 << 16;
        let address = self.layout.place(ROOM, PAGE);
        self.start.free_address = self.layout.free_address();
        self.start.first_free_slot = self.next_slot;
        self.start.free_slots = (1u64 << self.service.cnode_radix).saturating_sub(self.next_slot);
        let bytes = postcard::to_allocvec(&self.start)
            .map_err(|error| wrong(format_args!("encoding its start information: {error}")))?;
        if bytes.len() as u64 > ROOM {
            return Err(wrong(format_args!("{} bytes of start information are more than {ROOM}", bytes.len())));
        }
        let frames = self.arena.frames(self.resources, (bytes.len() as u64).div_ceil(PAGE))?;
        self.resources.with_pages(&frames, |pages| pages[..bytes.len()].copy_from_slice(&bytes))?;
        self.space
            .map(frames, address, Access::READ, self.arena, self.resources)
            .doing("mapping its start information")?;
        Ok((address, bytes.len() as u64))
    }
}
