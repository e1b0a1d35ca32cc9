//! I/O ports: issuing ranges, and reading and writing them.

use crate::arch;
use crate::cap::{Cap, CapRef};
use crate::invoke::{Arguments, Error, Outcome};
use chestnut_abi::Label;

pub fn invoke_control<'k>(call: &Arguments<'k>, control: CapRef<'k>, label: Label) -> Outcome {
    if label != Label::X86IoPortControlIssue {
        return Err(Error::IllegalOperation.into());
    }
    let [first, last, index, depth] = call.words()?;
    let root = call.cap(0)?;
    let (first, last) = (first as u16, last as u16);
    if last < first {
        return Err(Error::InvalidArgument(1).into());
    }
    if call.k.ports.any_issued(first, last) {
        return Err(Error::RevokeFirst.into());
    }
    let destination = call.empty_slot_in(root, index, depth & 0xff)?;
    call.k.ports.set_issued(first, last, true);
    destination.fill_original(Cap::io_port(first, last), control);
    Ok(())
}

pub fn invoke_port(call: &Arguments, cap: Cap, label: Label) -> Outcome {
    let bytes = match label {
        Label::X86IoPortIn8 | Label::X86IoPortOut8 => 1,
        Label::X86IoPortIn16 | Label::X86IoPortOut16 => 2,
        Label::X86IoPortIn32 | Label::X86IoPortOut32 => 4,
        _ => return Err(Error::IllegalOperation.into()),
    };
    let [port] = call.words()?;
    let port = port as u16;
    let (first, last) = cap.ports();
    if port < first || port.checked_add(bytes - 1).is_none_or(|end| end > last) {
        return Err(Error::IllegalOperation.into());
    }
    match label {
        Label::X86IoPortIn8 | Label::X86IoPortIn16 | Label::X86IoPortIn32 => {
            call.answer(arch::port_in(port, bytes as u8) as u64);
        }
        _ => {
            let [_, data] = call.words()?;
            arch::port_out(port, bytes as u8, data as u32);
        }
    }
    Ok(())
}
