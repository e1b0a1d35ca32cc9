//! The manifest: which services there are and what each of them may use.
//!
//! The human form is `services/manifest.toml`; the launcher reads it, [checks](Manifest::check) it and puts it into the
//! boot archive. Root makes exactly what it says and gives each service nothing else.
//!
//! Each service has **one notification**, bound to its TCB. Whatever wakes a service (an interrupt, another service's
//! signal) is one bit of that notification's word, so one `Wait` or `Recv` hears them all.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Everything root starts, and how the parts are joined.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Started in this order.
    #[serde(rename = "service")]
    pub services: Vec<Service>,
    #[serde(rename = "ring", default)]
    pub rings: Vec<Ring>,
    #[serde(rename = "signal", default)]
    pub signals: Vec<Signal>,
    #[serde(rename = "deadline", default)]
    pub deadlines: Vec<Deadline>,
    #[serde(rename = "failure", default)]
    pub failures: Vec<Failure>,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its name in this manifest, in [`StartInfo`](crate::StartInfo) and in the log.
    pub name: String,
    /// Its ELF file: the name under `chestnut/bin/` in the archive, which is also the name of its Cargo package.
    pub binary: String,
    /// Of its thread, and the maximum it may give to others. 0 to 254; root itself has 255.
    pub priority: u8,
    /// Microseconds of each period that it may run; equal to `period` for round robin without a limit.
    pub budget: u64,
    /// Microseconds.
    pub period: u64,
    /// Bytes of zeroed, mapped memory for its allocator. A multiple of 4096.
    pub heap: u64,
    /// Bytes. A multiple of 4096; root leaves an unmapped page below.
    pub stack: u64,
    /// Its CNode has 2^this slots.
    pub cnode_radix: u8,
    /// Untyped memory that it gets to make objects and frames of.
    #[serde(default)]
    pub memory: Memory,
    /// I/O ports it may use; each range is one I/O-port capability.
    #[serde(default)]
    pub ports: Vec<PortRange>,
    /// Interrupt lines it handles.
    #[serde(default)]
    pub interrupts: Vec<Interrupt>,
    /// Devices that root must look for.
    #[serde(default)]
    pub devices: Vec<Device>,
    /// Further capabilities, in their fixed slots.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// The boot archive (the tar file, without its header page) is mapped read-only as the region "archive".
    #[serde(default)]
    pub archive: bool,
    #[serde(default)]
    pub restart: Restart,
    /// Root asks it now and then whether it goes on, by the bit [`QUESTION_BIT`](crate::QUESTION_BIT) of its notification. If it doesn't answer for
    /// so many microseconds (10,000 at least), it has failed as if it had faulted. Without this it isn't asked.
    #[serde(default)]
    pub answers_within: Option<u64>,
}

impl Manifest {
    /// No service is asked whether it goes on.
    pub fn ask_nobody(&mut self) {
        self.services.iter_mut().for_each(|service| service.answers_within = None);
    }
}

/// How much untyped RAM a service gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Memory {
    #[default]
    None,
    /// At least so many bytes, in as few untypeds as root can arrange.
    Bytes(u64),
    /// All that is left when the other services have got theirs. At most one service may say so.
    Rest,
}

/// A range of I/O ports. The capability's name is the range's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortRange {
    /// Unique among its service's capabilities.
    pub name: String,
    pub first: u16,
    /// The last port of the range, included, as in the `X86IOPortControl_Issue` invocation.
    pub last: u16,
    /// Several services may hold the same range (the log's port, for one); otherwise overlaps are errors.
    #[serde(default)]
    pub shared: bool,
}

/// An interrupt line. The handler capability's name is the line's; root has set its notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interrupt {
    /// Unique among its service's capabilities.
    pub name: String,
    /// Input pin of the IOAPIC, 0 to 23. ISA interrupts are on the pin of their number, except for IRQ 0: pin 2.
    pub pin: u8,
    /// Level triggered and active low (as PCI), instead of edge triggered and active high (as ISA).
    #[serde(default)]
    pub level: bool,
    /// The bit of the service's notification that it sets, 0 to 62.
    pub bit: u8,
}

/// Hardware that root finds by itself, because where it is depends on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// The HPET's page of registers as the region "hpet" (device memory); left out of
    /// [`StartInfo`](crate::StartInfo) if the machine has none.
    Hpet,
}

/// Capabilities of system-wide effect. They are in the [slots](crate::slots) of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// An ASID pool of its own: it may make address spaces.
    AsidPool,
    /// ASIDControl: it may make more such pools, and so as many address spaces as it has memory for.
    AsidControl,
    /// It may give scheduling contexts their budgets.
    SchedControl,
}

/// What root does when the service faults or stops answering.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// The system can't go on without what it lost: root logs [`LOG_FATAL`](crate::LOG_FATAL) and the cause, and stops.
    #[default]
    Never,
    /// Root makes it anew; rings, deadline pages and their contents stay.
    Always,
}

/// A byte ring in memory shared by two services; both have it mapped as the region of this name, read-write.
///
/// The memory is zeroed when the system starts, which is an empty ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ring {
    /// Unique among rings and deadlines.
    pub name: String,
    /// The service that writes.
    pub producer: String,
    /// The service that reads.
    pub consumer: String,
    /// Bytes of the shared memory, its indices included. A multiple of 4096.
    pub bytes: u64,
}

/// Lets one service wake another: `from` gets a capability of this name, Write only, to `to`'s notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// Unique among the capabilities of `from`.
    pub name: String,
    pub from: String,
    pub to: String,
    /// The bit of `to`'s notification that it sets (the badge is 1 << bit), 0 to 62.
    pub bit: u8,
}

/// A page through which a service tells the timer when to wake it; both have it mapped as the region of this name.
///
/// Its first eight bytes are the absolute deadline in TSC ticks, `u64::MAX` for none (root writes that at the start). The
/// signals of both directions are ordinary [`Signal`]s; the one from the timer to the client has the deadline's name, which is
/// how the timer knows whom to wake for which page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadline {
    /// Unique among rings and deadlines.
    pub name: String,
    /// Who sets the deadline.
    pub client: String,
    /// Who watches it.
    pub timer: String,
}

/// Lets a service fail now and then, wherever it is, to see what the others make of that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// A service that is made anew.
    pub service: String,
    /// How often it fails.
    pub times: u32,
    /// Microseconds from the system's start to the first failure, and between two of them. Not 0.
    pub every: u64,
    #[serde(default)]
    pub manner: Manner,
}

/// How a service fails that is to fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// Root takes it apart in the middle of what it does, as after a fault, and makes it anew.
    #[default]
    Crash,
    /// Its thread is suspended, and root has to find that out as it would of any service that stops answering.
    Silence,
    /// Its thread goes round in circles for ever; likewise.
    Spin,
}
