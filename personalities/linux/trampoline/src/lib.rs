//! The pages that every Linux process shares with the server: system-call trampoline, vDSO, thread page.
#![no_std]
