//! One UART between two rings.
//!
//! [`Line::work`] moves what can be moved in both directions until the UART asks for nothing more, and arms exactly the interrupts
//! that tell when there is more to do: data ready while the input ring has room, transmitter empty while the
//! output ring has bytes. The interrupt is edge-triggered, so it comes again only if work ended with nothing pending.

use chestnut_runtime::ring::{Broken, ByteConsumer, ByteProducer};
use uart_16550::{
    BaudRate, Config, InitError, Uart16550,
    backend::Backend,
    spec::{
        FIFO_SIZE,
        registers::{FifoTriggerLevel, IER, LSR},
    },
};

/// Fast, as far as that means anything to an emulated UART, and half a FIFO in reserve until the driver runs.
const CONFIG: Config = Config {
    interrupts: IER::DATA_READY,
    baud_rate: BaudRate::Baud115200,
    fifo_trigger_level: Some(FifoTriggerLevel::Eight),
    ..Config::DEFAULT
};
/// How often the transmitter is looked at before a restarted driver gives up waiting for its last bytes to leave.
const MOST_LOOKS: usize = 100_000;

/// A UART and its rings.
pub struct Line<B: Backend> {
    uart: Uart16550<B>,
    input: ByteProducer,
    output: ByteConsumer,
    /// Which interrupts are on.
    interrupts: IER,
    closed: bool,
}

/// Bytes sent before the input is looked after again.
const TURN: usize = 512;

impl<B: Backend> Line<B> {
    /// Takes the UART over, from nobody or from a driver that died: what it has received goes to the ring first, and
    /// what it was given to send leaves before it is initialised.
    pub fn start(backend: B, input: ByteProducer, output: ByteConsumer) -> Result<Self, InitError> {
        // SAFETY: the backend's registers are a UART's, which this driver alone may touch.
        let mut uart = unsafe { Uart16550::new_with_backend(backend) };
        let mut line = if uart.check_present() {
            let mut line = Self { uart, input, output, interrupts: IER::DATA_READY, closed: false };
            // A broken ring is found out again by the first `work`, which closes the line.
            let _ = line.receive();
            let _ = (0..MOST_LOOKS).find(|_| line.uart.lsr().contains(LSR::TRANSMITTER_EMPTY));
            line
        } else {
            return Err(InitError::DeviceNotPresent);
        };
        line.uart.init(CONFIG)?;
        line.interrupts = CONFIG.interrupts;
        Ok(line)
    }

    /// Moves what can be moved; true if the client sleeps and must be signalled. A broken ring closes the line.
    pub fn work(&mut self) -> Result<bool, Broken> {
        if self.closed {
            return Ok(false);
        }
        let result = self.move_all();
        if result.is_err() {
            self.closed = true;
            self.uart.disable_interrupts(IER::all());
        }
        result
    }

    fn move_all(&mut self) -> Result<bool, Broken> {
        loop {
            self.receive()?;
            let more = self.transmit()?;
            if !more && !self.uart.isr().has_pending_interrupt() {
                // Both questions: each forgets its answer.
                let (for_input, for_output) = (self.input.wakes(), self.output.wakes());
                return Ok(for_input || for_output);
            }
        }
    }

    /// From the UART to the ring, as long as there are bytes and room.
    fn receive(&mut self) -> Result<(), Broken> {
        let mut bytes = [0; 4 * FIFO_SIZE];
        let mut any = false;
        loop {
            let room = self.input.room()?.min(bytes.len());
            if room == 0 {
                if self.input.sleeps()? {
                    self.listen(IER::DATA_READY, false);
                    break;
                }
                continue;
            }
            let count = self.uart.receive_bytes(&mut bytes[..room]);
            any |= count > 0;
            self.input.write(&bytes[..count])?;
            if count < room {
                self.listen(IER::DATA_READY, true);
                break;
            }
        }
        if any && self.uart.lsr().contains(LSR::OVERRUN_ERROR) {
            log::warn!("the UART lost bytes that came faster than they were read");
        }
        Ok(())
    }

    /// From the ring to the UART, as long as there are bytes and the UART takes them; true if it is only this turn that
    /// is over.
    fn transmit(&mut self) -> Result<bool, Broken> {
        let mut bytes = [0; FIFO_SIZE];
        let mut sent = 0;
        while sent < TURN {
            let count = self.output.peek(&mut bytes)?;
            if count == 0 {
                if self.output.sleeps()? {
                    self.listen(IER::THR_EMPTY, false);
                    return Ok(false);
                }
                continue;
            }
            let taken = self.uart.send_bytes(&bytes[..count]);
            if taken == 0 {
                self.listen(IER::THR_EMPTY, true);
                return Ok(false);
            }
            self.output.acknowledge(taken)?;
            sent += taken;
        }
        Ok(true)
    }

    /// Switches an interrupt on or off.
    fn listen(&mut self, interrupt: IER, on: bool) {
        if self.interrupts.contains(interrupt) != on {
            self.interrupts.set(interrupt, on);
            if on {
                self.uart.enable_interrupts(interrupt);
            } else {
                self.uart.disable_interrupts(interrupt);
            }
        }
    }
}

#[cfg(test)]
mod tests;
