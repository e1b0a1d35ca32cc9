//! Pipes and FIFOs by pipe(7) and fifo(7).
