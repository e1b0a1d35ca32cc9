//! What outlives a service: everything that the manifest puts between services, and what root got from the kernel.
//!
//! All of it is made once, before the first service. A service that is made anew gets capabilities to the same
//! rings, notifications and interrupts, so whatever was in a ring or signalled is still there.

use crate::{
    boot::{self, Archive, Boot},
    failure::{Doing, Result, wrong},
    hpet,
    image::PAGE,
    resources::{Resources, own},
};
use alloc::{string::String, vec::Vec};
use chestnut_manifest::{Device, Manifest, Service};
use chestnut_runtime::{
    abi::{BootInfo, CapRights, ObjectType, bootinfo::slot},
    cap::{
        AsidControl, AsidPool, Endpoint, Frame, InterruptControl, InterruptHandler, IoApicRoute, IoPort, IoPortControl,
        Notification, Reply, SchedControl,
    },
    clock, logger,
};
use core::cell::RefCell;

/// Memory that two services share.
pub struct SharedMemory {
    pub name: String,
    /// As the manifest says.
    pub bytes: u64,
    pub frames: Vec<Frame>,
    /// The services that have it mapped.
    pub users: [String; 2],
}

/// An interrupt of a service, already attached to its notification.
pub struct Line {
    pub service: String,
    pub name: String,
    pub handler: InterruptHandler,
}

/// Everything that stays.
pub struct Shared {
    pub manifest: Manifest,
    pub tsc_mhz: u32,
    /// Bytes of RAM.
    pub machine_memory: u64,
    pub archive: Archive,
    pub sched_control: SchedControl,
    pub asid_control: AsidControl,
    pub asid_pool: AsidPool,
    /// Faults and messages of all services arrive here; the badge is the service's number in the manifest, plus 1.
    pub supervision: Endpoint,
    pub reply: Reply,
    /// By the service's number.
    pub notifications: Vec<Notification>,
    /// Where services answer that they go on ([`crate::watch`]).
    pub alive: Notification,
    pub memory: Vec<SharedMemory>,
    pub lines: Vec<Line>,
    ports: Vec<(u16, u16, IoPort)>,
    /// The HPET's registers, if a service wants them and the machine has them.
    pub hpet: Option<Frame>,
}

impl Shared {
    /// Makes all of it. `console` is the log's port.
    pub fn make(boot: Boot, console: Option<IoPort>, resources: &mut Resources) -> Result<Self> {
        let Boot { info, manifest, tsc_mhz, rsdp, archive } = boot;
        let supervision = Endpoint(resources.object(ObjectType::Endpoint, 0)?);
        let reply = Reply(resources.object(ObjectType::Reply, 0)?);
        let alive = Notification(resources.object(ObjectType::Notification, 0)?);
        let mut shared = Self {
            manifest,
            tsc_mhz,
            machine_memory: boot::machine_memory(info),
            archive,
            sched_control: sched_control(info)?,
            asid_control: AsidControl(slot::ASID_CONTROL),
            asid_pool: AsidPool(slot::INIT_ASID_POOL),
            supervision,
            reply,
            notifications: Vec::new(),
            alive,
            memory: Vec::new(),
            lines: Vec::new(),
            ports: console.into_iter().map(|port| (logger::PORT, logger::PORT, port)).collect(),
            hpet: None,
        };
        shared.make_notifications(resources)?;
        shared.make_memory(resources)?;
        shared.make_lines(resources)?;
        shared.make_ports(resources)?;
        if shared.manifest.services.iter().any(|service| service.devices.contains(&Device::Hpet)) {
            shared.hpet = find_hpet(rsdp, resources);
        }
        Ok(shared)
    }

    /// The number of a service in the manifest.
    pub fn number(&self, service: &str) -> Result<usize> {
        let found = self.manifest.services.iter().position(|candidate| candidate.name == service);
        found.ok_or_else(|| wrong(format_args!("the manifest has no service {service}")))
    }

    /// The capability of a range of ports.
    pub fn port(&self, first: u16, last: u16) -> Result<IoPort> {
        let found = self.ports.iter().find(|port| (port.0, port.1) == (first, last));
        found.map(|port| port.2).ok_or_else(|| wrong(format_args!("ports {first:#x} to {last:#x} were not made")))
    }

    fn make_notifications(&mut self, resources: &mut Resources) -> Result<()> {
        for _ in &self.manifest.services {
            self.notifications.push(Notification(resources.object(ObjectType::Notification, 0)?));
        }
        Ok(())
    }

    fn make_memory(&mut self, resources: &mut Resources) -> Result<()> {
        for ring in &self.manifest.rings {
            let frames = frames(ring.bytes, resources).doing(format_args!("making ring {}", ring.name))?;
            let users = [ring.producer.clone(), ring.consumer.clone()];
            self.memory.push(SharedMemory { name: ring.name.clone(), bytes: ring.bytes, frames, users });
        }
        for deadline in &self.manifest.deadlines {
            let frames = frames(PAGE, resources).doing(format_args!("making deadline {}", deadline.name))?;
            resources.with_pages(&frames, |page| page[..8].copy_from_slice(&clock::NEVER.to_le_bytes()))?;
            let users = [deadline.client.clone(), deadline.timer.clone()];
            self.memory.push(SharedMemory { name: deadline.name.clone(), bytes: PAGE, frames, users });
        }
        Ok(())
    }

    fn make_lines(&mut self, resources: &mut Resources) -> Result<()> {
        for (service, notification) in self.manifest.services.iter().zip(&self.notifications) {
            for interrupt in &service.interrupts {
                let route = IoApicRoute {
                    ioapic: 0,
                    pin: interrupt.pin.into(),
                    level: interrupt.level,
                    active_low: interrupt.level,
                    vector: interrupt.pin.into(),
                };
                let action = format_args!("attaching interrupt {} of {}", interrupt.name, service.name);
                let handler =
                    InterruptControl(slot::IRQ_CONTROL).get_ioapic(own(resources.slot()?), route).doing(action)?;
                let badged = resources.slot()?;
                own(badged)
                    .mint_from(own(notification.0), CapRights::WRITE, 1 << (interrupt.bit & 63))
                    .doing(action)?;
                handler.set_notification(Notification(badged)).doing(action)?;
                self.lines.push(Line { service: service.name.clone(), name: interrupt.name.clone(), handler });
            }
        }
        Ok(())
    }

    fn make_ports(&mut self, resources: &mut Resources) -> Result<()> {
        for range in self.manifest.services.iter().flat_map(|service| &service.ports) {
            if self.port(range.first, range.last).is_err() {
                let port = IoPortControl(slot::IO_PORT_CONTROL)
                    .issue(range.first, range.last, own(resources.slot()?))
                    .doing(format_args!("taking ports {} ({:#x} to {:#x})", range.name, range.first, range.last))?;
                self.ports.push((range.first, range.last, port));
            }
        }
        Ok(())
    }

    /// The interrupts of a service.
    pub fn lines_of<'s>(&'s self, service: &'s Service) -> impl Iterator<Item = &'s Line> {
        self.lines.iter().filter(|line| line.service == service.name)
    }
}

fn sched_control(info: &BootInfo) -> Result<SchedControl> {
    let region = info.sched_control;
    if region.start < region.end { Ok(SchedControl(region.start)) } else { Err(wrong("bootinfo has no SchedControl")) }
}

/// Zeroed frames that last.
fn frames(bytes: u64, resources: &mut Resources) -> Result<Vec<Frame>> {
    (0..bytes.div_ceil(PAGE)).map(|_| resources.object(ObjectType::X864K, 0).map(Frame)).collect()
}

/// The page of the HPET's registers, if there is one; else the log says why not.
fn find_hpet(rsdp: &[u8], resources: &mut Resources) -> Option<Frame> {
    let cell = RefCell::new(resources);
    let read = |paddr: u64, bytes: &mut [u8]| {
        if let Err(failure) = cell.borrow_mut().read_physical(paddr, bytes) {
            log::warn!("reading ACPI tables: {failure}");
        }
    };
    let found = hpet::find(rsdp, &read);
    let resources = cell.into_inner();
    match found {
        Ok(paddr) => match resources.devices.frame(paddr & !(PAGE - 1), &mut resources.slots) {
            Ok(frame) => return Some(frame),
            Err(failure) => log::warn!("no HPET: {failure}"),
        },
        Err(reason) => log::info!("no HPET: {reason}"),
    }
    None
}
