//! A line against a model of a 16550 and rings on the host's heap.

use super::*;
use chestnut_runtime::ring::Memory;
use std::{cell::RefCell, collections::VecDeque, rc::Rc, vec::Vec};

/// What the model's registers do; the other end of the wire is the test.
#[derive(Default)]
struct Model {
    received: VecDeque<u8>,
    /// Given to the transmitter and not on the wire yet.
    transmitter: VecDeque<u8>,
    /// What left, in order.
    wire: Vec<u8>,
    /// Whether bytes leave at once.
    instant: bool,
    ier: u8,
    lcr: u8,
    spr: u8,
    fifos: bool,
    absent: bool,
    /// An interrupt for the empty transmitter that nobody has seen.
    transmitter_pending: bool,
}

impl Model {
    fn drain(&mut self) {
        self.wire.extend(self.transmitter.drain(..));
        self.transmitter_pending = true;
    }

    /// The interrupt line.
    fn interrupt(&self) -> bool {
        self.pending().is_some()
    }

    fn pending(&self) -> Option<u8> {
        if self.ier & 1 != 0 && !self.received.is_empty() {
            Some(0b100)
        } else if self.ier & 2 != 0 && self.transmitter_pending {
            Some(0b010)
        } else {
            None
        }
    }
}

struct Registers(Rc<RefCell<Model>>);

impl Backend for Registers {
    unsafe fn read(&mut self, offset: u8) -> u8 {
        let mut model = self.0.borrow_mut();
        if model.absent {
            return 0xff;
        }
        match offset {
            0 if model.lcr & 0x80 == 0 => model.received.pop_front().unwrap_or(0),
            1 if model.lcr & 0x80 == 0 => model.ier,
            2 => {
                let pending = model.pending();
                if pending == Some(0b010) {
                    model.transmitter_pending = false;
                }
                pending.unwrap_or(1) | if model.fifos { 0xc0 } else { 0 }
            }
            3 => model.lcr,
            5 => {
                let empty = if model.transmitter.is_empty() { 0x60 } else { 0 };
                empty | u8::from(!model.received.is_empty())
            }
            6 => 0xb0,
            7 => model.spr,
            _ => 0,
        }
    }

    unsafe fn write(&mut self, offset: u8, value: u8) {
        let mut model = self.0.borrow_mut();
        match offset {
            0 if model.lcr & 0x80 == 0 => {
                assert!(model.transmitter.len() < FIFO_SIZE, "the transmitter's FIFO overflows");
                model.transmitter.push_back(value);
                model.transmitter_pending = false;
                if model.instant {
                    model.drain();
                }
            }
            1 if model.lcr & 0x80 == 0 => {
                if value & 2 != 0 && model.ier & 2 == 0 && model.transmitter.is_empty() {
                    model.transmitter_pending = true;
                }
                model.ier = value;
            }
            2 => {
                model.fifos = value & 1 != 0;
                if value & 2 != 0 {
                    model.received.clear();
                }
                if value & 4 != 0 {
                    model.transmitter.clear();
                }
            }
            3 => model.lcr = value,
            7 => model.spr = value,
            _ => {}
        }
    }
}

/// Memory of a ring of 64 bytes, leaked.
fn memory() -> Memory {
    #[repr(align(64))]
    struct Bytes([u8; 192]);
    let bytes = std::boxed::Box::leak(std::boxed::Box::new(Bytes([0; 192])));
    // SAFETY: leaked, aligned, and used as a ring only.
    unsafe { Memory::new(bytes.0.as_mut_ptr(), 192) }
}

struct Setup {
    model: Rc<RefCell<Model>>,
    line: Line<Registers>,
    input: ByteConsumer,
    output: ByteProducer,
    memories: [Memory; 2],
}

fn setup(instant: bool) -> Setup {
    let model = Rc::new(RefCell::new(Model { instant, ..Model::default() }));
    let memories = [memory(), memory()];
    let line = start(&model, memories).unwrap();
    let [input, output] = memories;
    Setup { model, line, input: ByteConsumer::attach(input), output: ByteProducer::attach(output), memories }
}

fn start(model: &Rc<RefCell<Model>>, [input, output]: [Memory; 2]) -> Result<Line<Registers>, InitError> {
    Line::start(Registers(model.clone()), ByteProducer::attach(input), ByteConsumer::attach(output))
}

fn read(ring: &mut ByteConsumer) -> Vec<u8> {
    let mut bytes = [0; 256];
    let count = ring.read(&mut bytes).unwrap();
    bytes[..count].to_vec()
}

#[test]
fn what_comes_in_reaches_the_ring_and_wakes_the_sleeping_client() {
    let mut setup = setup(true);
    assert_eq!(setup.line.work(), Ok(false));
    assert_eq!(setup.input.sleeps(), Ok(true));
    setup.model.borrow_mut().received.extend(b"hello");
    assert!(setup.model.borrow().interrupt(), "data ready is listened to");
    assert_eq!(setup.line.work(), Ok(true));
    assert_eq!(read(&mut setup.input), b"hello");
    assert!(!setup.model.borrow().interrupt(), "nothing is pending, so the next edge comes");
}

#[test]
fn a_full_ring_stops_reading_until_there_is_room_and_loses_nothing() {
    let mut setup = setup(true);
    let sent: Vec<u8> = (0..100).collect();
    setup.model.borrow_mut().received.extend(&sent);
    setup.line.work().unwrap();
    assert_eq!(setup.model.borrow().received.len(), 100 - 64);
    assert!(!setup.model.borrow().interrupt(), "no interrupt storm while the ring is full");
    let mut got = read(&mut setup.input);
    assert!(setup.input.wakes(), "the driver sleeps until there is room");
    setup.line.work().unwrap();
    got.extend(read(&mut setup.input));
    assert_eq!(got, sent);
    setup.model.borrow_mut().received.push_back(7);
    assert!(setup.model.borrow().interrupt(), "data ready is listened to again");
}

#[test]
fn what_goes_out_leaves_in_order_by_one_interrupt_a_fifo() {
    let mut setup = setup(false);
    let sent: Vec<u8> = (0..50).collect();
    assert_eq!(setup.output.write(&sent), Ok(50));
    setup.line.work().unwrap();
    let mut interrupts = 0;
    while !setup.model.borrow().transmitter.is_empty() {
        setup.model.borrow_mut().drain();
        if setup.model.borrow().interrupt() {
            interrupts += 1;
            setup.line.work().unwrap();
        }
    }
    assert_eq!(setup.model.borrow().wire, sent);
    assert_eq!(interrupts, 3, "after each full FIFO; the last 2 bytes need none");
    assert!(!setup.model.borrow().interrupt());
    assert!(setup.output.wakes(), "the driver sleeps until there is more to send");
}

#[test]
fn a_client_that_waits_for_room_is_woken() {
    let mut setup = setup(true);
    assert_eq!(setup.output.write(&[1; 80]), Ok(64));
    assert_eq!(setup.output.sleeps(), Ok(true));
    assert_eq!(setup.line.work(), Ok(true));
    assert_eq!(setup.output.write(&[2; 16]), Ok(16));
    setup.line.work().unwrap();
    assert_eq!(setup.model.borrow().wire.len(), 80);
}

#[test]
fn a_restarted_driver_loses_neither_what_came_nor_what_was_to_go() {
    let mut setup = setup(false);
    setup.output.write(&[1; 40]).unwrap();
    setup.line.work().unwrap();
    setup.model.borrow_mut().received.extend(b"between");
    // 16 of the 40 bytes are in the transmitter, 24 in the ring. The wire goes on while there is no driver.
    setup.model.borrow_mut().drain();
    let mut line = start(&setup.model, setup.memories).unwrap();
    line.work().unwrap();
    assert_eq!(read(&mut setup.input), b"between");
    for _ in 0..2 {
        setup.model.borrow_mut().drain();
        line.work().unwrap();
    }
    assert_eq!(setup.model.borrow().wire, [1; 40]);
}

#[test]
fn a_broken_ring_closes_its_line_and_silences_the_uart() {
    let mut setup = setup(true);
    // A client that claims to have put more than the ring holds.
    let mut liar = ByteProducer::attach(setup.memories[1]);
    for _ in 0..2 {
        liar.write(&[0; 64]).unwrap();
        ByteConsumer::attach(setup.memories[1]).acknowledge(64).unwrap();
    }
    assert_eq!(setup.line.work(), Err(Broken));
    setup.model.borrow_mut().received.push_back(1);
    assert!(!setup.model.borrow().interrupt());
    assert_eq!(setup.line.work(), Ok(false));
}

#[test]
fn a_uart_that_is_not_there_is_reported() {
    let model = Rc::new(RefCell::new(Model { absent: true, ..Model::default() }));
    assert_eq!(start(&model, [memory(), memory()]).err(), Some(InitError::DeviceNotPresent));
}
