//! Address spaces: frames, paging structures, address-space identifiers.

use super::ROOT_LEVEL;
use crate::arch;
use crate::cap::{Cap, CapRef, FrameSize, Kind, VmRights};
use crate::invoke::{Arguments, Error, Outcome};
use crate::mem::Ref;
use crate::object::x86_64::{Table, TableEntry, Walk, index, span_bits, unmap_frame, unmap_table, walk};
use crate::{lifecycle, mem::PhysAddr};
use chestnut_abi::layout::USER_END;
use chestnut_abi::object::ASID_POOL_BITS;
use chestnut_abi::{CapRights, Label, LookupFailure};

/// The root table of an address space that a capability beside the message names, with its ASID.
fn vspace<'k>(call: &Arguments<'k>, argument: usize) -> Result<(Ref<'k, Table>, u64), Error> {
    let cap = call.cap(argument)?;
    let which = Error::InvalidCapability(argument as u64 + 1);
    if cap.kind() != Kind::PageTable || cap.table_level() != ROOT_LEVEL || cap.asid() == 0 {
        return Err(which);
    }
    let root = call.k.vspace(cap.asid()).ok_or(Error::FailedLookup(false, LookupFailure::InvalidRoot))?;
    if root.physical(call.k) == cap.address() { Ok((root, cap.asid())) } else { Err(which) }
}

pub fn invoke_frame<'k>(call: &Arguments<'k>, slot: CapRef<'k>, label: Label) -> Outcome {
    match label {
        Label::X86PageMap => map_frame(call, slot),
        Label::X86PageUnmap => {
            unmap_frame(call.k, slot.cap());
            slot.update(slot.cap().with_mapping(0, 0));
            Ok(())
        }
        Label::X86PageGetAddress => {
            call.answer(slot.cap().address());
            Ok(())
        }
        _ => Err(Error::IllegalOperation.into()),
    }
}

#[inline(always)]
fn map_frame<'k>(call: &Arguments<'k>, slot: CapRef<'k>) -> Outcome {
    match slot.cap().frame_size() {
        FrameSize::Small => map_frame_of(call, slot, FrameSize::Small),
        size => map_large_frame(call, slot, size),
    }
}

#[inline(never)]
fn map_large_frame<'k>(call: &Arguments<'k>, slot: CapRef<'k>, size: FrameSize) -> Outcome {
    map_frame_of(call, slot, size)
}

/// Maps a frame of this size: where the compiler knows it, the walk through the tables is short.
#[inline(always)]
fn map_frame_of<'k>(call: &Arguments<'k>, slot: CapRef<'k>, size: FrameSize) -> Outcome {
    let [address, rights, attributes] = call.words()?;
    let (root, asid) = vspace(call, 0)?;
    let (k, cap) = (call.k, slot.cap());
    let (size, level) = (1u64 << size.bits(), size.level());
    let remap = cap.asid() != 0;
    if remap {
        if cap.asid() != asid {
            return Err(Error::InvalidCapability(1).into());
        }
        if cap.mapped_at() != address {
            return Err(Error::InvalidArgument(0).into());
        }
    } else if address >= USER_END || USER_END - address < size {
        return Err(Error::InvalidArgument(0).into());
    }
    if address & (size - 1) != 0 {
        return Err(Error::Alignment.into());
    }
    let Walk { table, level: reached } = walk(k, root, address, level);
    let place = index(address, level);
    if reached != level {
        // A leaf of a larger size is in the way, or a table is missing.
        if table.entry(index(address, reached)).is_present() {
            return Err(Error::DeleteFirst.into());
        }
        return Err(missing(reached).into());
    }
    let old = table.entry(place);
    if old.is_present() {
        let own = remap && old.is_leaf(level) && old.address(level) == cap.address();
        if !own {
            return Err(Error::DeleteFirst.into());
        }
    }
    let allowed = cap.vm_rights().masked(CapRights(rights));
    let (user, writable) = (allowed != VmRights::KernelOnly, allowed == VmRights::ReadWrite);
    table.set(place, TableEntry::frame(cap.address(), level, user, writable, attributes));
    slot.update(cap.with_mapping(asid, address));
    if old.is_present() && arch::active_vspace() == root.physical(k) {
        arch::invalidate_page(address);
    }
    Ok(())
}

/// No table at the level below `reached`: so many address bits were left to translate.
fn missing(reached: u8) -> Error {
    Error::FailedLookup(false, LookupFailure::MissingCapability { bits_left: span_bits(reached) })
}

pub fn invoke_table<'k>(call: &Arguments<'k>, slot: CapRef<'k>, label: Label) -> Outcome {
    let cap = slot.cap();
    let (map, unmap) = match cap.table_level() {
        1 => (Label::X86PageTableMap, Label::X86PageTableUnmap),
        2 => (Label::X86PageDirectoryMap, Label::X86PageDirectoryUnmap),
        3 => (Label::X86PdptMap, Label::X86PdptUnmap),
        _ => return Err(Error::IllegalOperation.into()),
    };
    if label == map {
        return map_table(call, slot);
    }
    if label != unmap {
        return Err(Error::IllegalOperation.into());
    }
    // A copy would go on saying that it is mapped.
    if !slot.is_final() {
        return Err(Error::RevokeFirst.into());
    }
    if cap.asid() != 0 {
        unmap_table(call.k, cap);
        clear_table(call, cap.address())?;
    }
    slot.update(cap.with_mapping(0, 0));
    Ok(())
}

/// What an unmapped table still names must not come back when it is mapped elsewhere.
fn clear_table(call: &Arguments, table: PhysAddr) -> Result<(), Error> {
    let cap = Cap::page_table(table, 1);
    if let Some(table) = cap.as_table(call.k) {
        for place in 0..512 {
            table.set(place, TableEntry::EMPTY);
        }
    }
    Ok(())
}

fn map_table<'k>(call: &Arguments<'k>, slot: CapRef<'k>) -> Outcome {
    let [address, _attributes] = call.words()?;
    let cap = slot.cap();
    if cap.asid() != 0 {
        return Err(Error::InvalidCapability(0).into());
    }
    let (root, asid) = vspace(call, 0)?;
    let above = cap.table_level() + 1;
    let address = address >> span_bits(above) << span_bits(above);
    if address >= USER_END {
        return Err(Error::InvalidArgument(0).into());
    }
    let Walk { table, level: reached } = walk(call.k, root, address, above);
    let place = index(address, reached);
    if reached != above {
        if table.entry(place).is_present() {
            return Err(Error::DeleteFirst.into());
        }
        return Err(missing(reached).into());
    }
    if table.entry(place).is_present() {
        return Err(Error::DeleteFirst.into());
    }
    table.set(place, TableEntry::table(cap.address()));
    slot.update(cap.with_mapping(asid, address));
    Ok(())
}

pub fn invoke_asid_control(call: &Arguments, label: Label) -> Outcome {
    if label != Label::X86AsidControlMakePool {
        return Err(Error::IllegalOperation.into());
    }
    let [index, depth] = call.words()?;
    let (untyped, root) = (call.slot(0)?, call.cap(1)?);
    let base = call.k.asids.free_base().ok_or(Error::DeleteFirst)?;
    let cap = untyped.cap();
    if cap.kind() != Kind::Untyped || cap.untyped_bits() != ASID_POOL_BITS || cap.untyped_is_device() {
        return Err(Error::InvalidCapability(1).into());
    }
    if untyped.first_descendant().is_some() {
        return Err(Error::RevokeFirst.into());
    }
    let destination = call.empty_slot_in(root, index, depth & 0xff)?;
    lifecycle::reset(call.k, untyped)?;
    lifecycle::make_asid_pool(call.k, untyped, destination, base);
    Ok(())
}

pub fn invoke_asid_pool(call: &Arguments, cap: Cap, label: Label) -> Outcome {
    if label != Label::X86AsidPoolAssign {
        return Err(Error::IllegalOperation.into());
    }
    let slot = call.slot(0)?;
    let root = slot.cap();
    if root.kind() != Kind::PageTable || root.table_level() != ROOT_LEVEL || root.asid() != 0 {
        return Err(Error::InvalidCapability(1).into());
    }
    let (k, base) = (call.k, cap.asid_base());
    let Some(pool) = cap.as_asid_pool(k).filter(|&pool| k.asids.pool(base).is(pool)) else {
        return Err(Error::FailedLookup(false, LookupFailure::InvalidRoot).into());
    };
    let Some(table) = root.as_table(k) else { return Err(Error::InvalidCapability(1).into()) };
    let asid = base + pool.free_index(base).ok_or(Error::DeleteFirst)?;
    pool.entry(asid).set(Some(table));
    table.set_loadable(root.address());
    slot.update(root.with_mapping(asid, 0));
    Ok(())
}
