//! Supervision: starts all services, then waits for the first that fails.
//!
//! A fault of a service arrives as a message on root's endpoint, badged with the service's number. A service that has stopped answering is
//! found by [`watch`](crate::watch), at a beat of the metronome, which arrives there too. Root says on the log who
//! failed, how and with which registers, and then does what the manifest says: make the service anew, or stop.
//! Whatever was shared stays as it was; the new incarnation finds it and goes on. A service that keeps failing is not
//! made anew for ever: after [`MOST_RESTARTS`] within [`RESTART_WINDOW`] microseconds the system stops.

use crate::{
    construct::{Process, construct},
    failure::{Doing, Result, wrong},
    faults::{Fault, Registers},
    metronome,
    resources::Resources,
    shared::Shared,
    watch::Watch,
};
use alloc::vec::Vec;
use chestnut_manifest::{LOG_FATAL, Manner, Restart};
use chestnut_runtime::{Received, abi::UserContext, clock, logger};
use core::fmt;

/// More restarts of one service than that within the window mean that restarting does not help.
const MOST_RESTARTS: usize = 5;
/// Microseconds.
const RESTART_WINDOW: u64 = 10_000_000;

/// A service and how it has been doing.
struct Supervised {
    process: Option<Process>,
    /// When it was made anew after a fault, in ticks: the last few times.
    restarts: Vec<u64>,
}

/// A [failure](chestnut_manifest::Failure) that the manifest asks for.
struct Planned {
    number: usize,
    manner: Manner,
    left: u32,
    /// Ticks.
    next: u64,
    interval: u64,
}

/// Root at work.
pub struct Supervisor {
    shared: Shared,
    resources: Resources,
    services: Vec<Supervised>,
    planned: Vec<Planned>,
    watch: Watch,
}

impl Supervisor {
    /// Makes all services, then lets them run in the manifest's order.
    pub fn start(shared: Shared, mut resources: Resources) -> Result<Self> {
        let mut services = Vec::new();
        let count = shared.manifest.services.len();
        services.resize_with(count, || Supervised { process: None, restarts: Vec::new() });
        // Whoever gets the rest of memory is made last.
        let takes_rest = |number: &usize| shared.manifest.services[*number].memory == chestnut_manifest::Memory::Rest;
        let (last, first): (Vec<usize>, Vec<usize>) = (0..count).partition(takes_rest);
        for number in first.into_iter().chain(last) {
            services[number].process = Some(construct(number, &shared, &mut resources)?);
        }
        for (service, description) in services.iter().zip(&shared.manifest.services) {
            if let Some(process) = &service.process {
                process.tcb.resume().doing(format_args!("letting {} run", description.name))?;
                log::info!("started {}", description.name);
            }
        }
        let planned = plan(&shared)?;
        let watch = Watch::new(&shared, &mut resources, clock::ticks())?;
        let failures = shared.manifest.failures.iter().map(|failure| failure.every);
        if let Some(period) = failures.chain(Watch::period(&shared)).min() {
            metronome::start(period, &shared, &mut resources)?;
        }
        Ok(Self { shared, resources, services, planned, watch })
    }

    /// Waits for what the services have to say, for ever.
    pub fn run(mut self) -> ! {
        loop {
            let message = self.shared.supervision.recv(self.shared.reply);
            if let Err(failure) = self.handle(&message) {
                stop(&failure);
            }
        }
    }

    fn handle(&mut self, message: &Received) -> Result<()> {
        if message.badge == metronome::BADGE {
            self.fail_as_planned()?;
            return match self.watch.beat(clock::ticks()) {
                Some(number) => self.failed(number, &"does not answer any more"),
                None => Ok(()),
            };
        }
        let number = (message.badge as usize).wrapping_sub(1);
        let Some(service) = self.shared.manifest.services.get(number) else {
            log::warn!("a message from nobody: badge {}, label {}", message.badge, message.label());
            return Ok(());
        };
        let length = message.length();
        let word = |index: usize| if index < length { message.word(index) } else { 0 };
        let Some(fault) = Fault::from_message(message.label(), word) else {
            log::warn!("{} sent a message that root does not know: label {}", service.name, message.label());
            return Ok(());
        };
        self.failed(number, &format_args!("faulted: {fault}"))
    }

    /// Says what a service did, and does what the manifest says.
    fn failed(&mut self, number: usize, what: &dyn fmt::Display) -> Result<()> {
        let service = &self.shared.manifest.services[number];
        log::error!("{} {what}", service.name);
        let registers = self.services[number].process.as_ref().map(|process| process.tcb.read_registers(false));
        if let Some(Ok(registers)) = registers {
            logger::print(format_args!("{}\n", Registers(registers)));
        }
        match service.restart {
            Restart::Never => stop(&format_args!("{} {what}", service.name)),
            Restart::Always => self.restart_unless_hopeless(number),
        }
    }

    /// The services whose failure is due fail.
    fn fail_as_planned(&mut self) -> Result<()> {
        let now = clock::ticks();
        for index in 0..self.planned.len() {
            let planned = &mut self.planned[index];
            if planned.left > 0 && now >= planned.next {
                (planned.left, planned.next) = (planned.left - 1, now + planned.interval);
                let (number, manner) = (planned.number, planned.manner);
                match manner {
                    Manner::Crash => self.restart(number)?,
                    Manner::Silence => self.silence(number)?,
                    Manner::Spin => self.spin(number)?,
                }
            }
        }
        Ok(())
    }

    /// Stops the service's thread, wherever it is.
    fn silence(&mut self, number: usize) -> Result<()> {
        let Some(process) = &self.services[number].process else { return Ok(()) };
        process.tcb.suspend().doing("silencing a service")
    }

    /// Lets the service's thread go round in circles, from wherever it is.
    fn spin(&mut self, number: usize) -> Result<()> {
        let doing = "letting a service spin";
        let Some(process) = &self.services[number].process else { return Ok(()) };
        let circle = process.circle.ok_or_else(|| wrong("there is no circle in its code")).doing(doing)?;
        let registers = process.tcb.read_registers(true).doing(doing)?;
        process.tcb.write_registers(&UserContext { rip: circle, ..registers }, true).doing(doing)
    }

    fn restart_unless_hopeless(&mut self, number: usize) -> Result<()> {
        let service = &self.shared.manifest.services[number];
        let supervised = &mut self.services[number];
        let now = clock::ticks();
        let window = RESTART_WINDOW * u64::from(self.shared.tsc_mhz);
        supervised.restarts.retain(|&before| now.saturating_sub(before) < window);
        if supervised.restarts.len() >= MOST_RESTARTS {
            stop(&format_args!("{} has failed {} times within 10 seconds", service.name, MOST_RESTARTS + 1));
        }
        supervised.restarts.push(now);
        self.restart(number)
    }

    fn restart(&mut self, number: usize) -> Result<()> {
        let service = &self.shared.manifest.services[number];
        let supervised = &mut self.services[number];
        if let Some(process) = supervised.process.take() {
            process.tcb.suspend().doing(format_args!("stopping {}", service.name))?;
            process.arena.clear(&mut self.resources).doing(format_args!("taking {} apart", service.name))?;
        }
        let process = construct(number, &self.shared, &mut self.resources)?;
        // An interrupt that the old incarnation had not acknowledged must be able to come again.
        for line in self.shared.lines_of(service) {
            line.handler.ack().doing(format_args!("acknowledging {}", line.name))?;
        }
        process.tcb.resume().doing(format_args!("letting {} run", service.name))?;
        supervised.process = Some(process);
        self.watch.begin_anew(number, clock::ticks());
        log::info!("restarted {}", service.name);
        Ok(())
    }
}

/// Makes ready for the failures that the manifest asks for, if any.
fn plan(shared: &Shared) -> Result<Vec<Planned>> {
    let mut planned = Vec::new();
    let now = clock::ticks();
    for failure in &shared.manifest.failures {
        let interval = failure.every.saturating_mul(shared.tsc_mhz.into());
        let number = shared.number(&failure.service)?;
        let next = now.saturating_add(interval);
        planned.push(Planned { number, manner: failure.manner, left: failure.times, next, interval });
    }
    Ok(planned)
}

/// Says why the system can't go on, and runs no more: the launcher reads the log and ends the machine. The services
/// go on meanwhile, so that what is in their rings still gets out.
pub fn stop(reason: &dyn fmt::Display) -> ! {
    logger::print(format_args!("{LOG_FATAL}{reason}\n"));
    // Root has no fault handler: the kernel takes a faulting thread out of scheduling.
    chestnut_runtime::start::fault()
}
