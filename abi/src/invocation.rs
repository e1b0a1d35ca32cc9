//! Every invocation: its label, the object it acts on, and what it takes.
//!
//! One table generates the [`Label`] enumeration that the kernel decodes and the [`INVOCATIONS`] list that tests and
//! the reference page are made from. Arguments are message words in the order listed; capability arguments are extra
//! capabilities in the order listed; results are message words of the reply. The errors are the documented ones of the
//! seL4 manual; every invocation can besides fail with `InvalidCapability` or `FailedLookup` for the capability it is made on.

use crate::Error;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Invocation {
    pub label: Label,
    /// The kind of object invoked.
    pub object: &'static str,
    /// The method's name on that object.
    pub method: &'static str,
    /// Message words taken.
    pub words: &'static [&'static str],
    /// Extra capabilities taken.
    pub caps: &'static [&'static str],
    /// Message words returned.
    pub results: &'static [&'static str],
    /// Documented errors.
    pub errors: &'static [Error],
}

macro_rules! invocations {
    ($($(#[$doc:meta])* $label:ident = $number:literal, $object:literal, $method:literal,
       [$($word:literal),*], [$($cap:literal),*], [$($result:literal),*], [$($error:ident),*];)*) => {
        /// What an invocation asks for: the label of its message.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u64)]
        pub enum Label { $($(#[$doc])* $label = $number,)* }

        impl Label {
            /// The invocation that a message label names, if any.
            #[inline(always)]
            pub const fn from_number(number: u64) -> Option<Self> {
                match number { $($number => Some(Self::$label),)* _ => None }
            }
        }

        /// All invocations, by label.
        pub const INVOCATIONS: &[Invocation] = &[$(Invocation {
            label: Label::$label,
            object: $object,
            method: $method,
            words: &[$($word),*],
            caps: &[$($cap),*],
            results: &[$($result),*],
            errors: &[$(Error::$error),*],
        },)*];
    };
}

invocations! {
    UntypedRetype = 0x1, "Untyped", "Retype", ["type", "size_bits", "node_index", "node_depth", "node_offset", "num_objects"], ["root"], [], [DeleteFirst, FailedLookup, IllegalOperation, InvalidArgument, InvalidCapability, NotEnoughMemory, RangeError];
    /// `flags`: bit 0 suspends the source first.
    TcbReadRegisters = 0x2, "TCB", "ReadRegisters", ["flags", "count"], [], ["regs"], [IllegalOperation, InvalidCapability, RangeError];
    /// `flags`: bit 0 resumes the target afterwards.
    TcbWriteRegisters = 0x3, "TCB", "WriteRegisters", ["flags", "count", "regs"], [], [], [IllegalOperation, InvalidCapability];
    /// `flags`: bit 0 suspends the source, bit 1 resumes the target, bit 2 copies the frame registers (RIP, RSP, RFLAGS
    /// and the other special ones), bit 3 the integer registers.
    TcbCopyRegisters = 0x4, "TCB", "CopyRegisters", ["flags"], ["source"], [], [IllegalOperation, InvalidCapability];
    TcbConfigure = 0x5, "TCB", "Configure", ["cspace_root_data", "vspace_root_data", "buffer"], ["cspace_root", "vspace_root", "buffer_frame"], [], [AlignmentError, IllegalOperation, InvalidCapability, RevokeFirst];
    TcbSetPriority = 0x6, "TCB", "SetPriority", ["priority"], ["authority"], [], [IllegalOperation, InvalidCapability, RangeError];
    TcbSetMcpriority = 0x7, "TCB", "SetMCPriority", ["mcp"], ["authority"], [], [IllegalOperation, InvalidCapability, RangeError];
    TcbSetSchedParams = 0x8, "TCB", "SetSchedParams", ["mcp", "priority"], ["authority", "sched_context", "fault_ep"], [], [IllegalOperation, InvalidCapability, RangeError];
    TcbSetTimeoutEndpoint = 0x9, "TCB", "SetTimeoutEndpoint", [], ["timeout_fault_ep"], [], [IllegalOperation, InvalidCapability];
    TcbSetIpcBuffer = 0xa, "TCB", "SetIPCBuffer", ["buffer"], ["buffer_frame"], [], [AlignmentError, IllegalOperation, InvalidCapability, RevokeFirst];
    TcbSetSpace = 0xb, "TCB", "SetSpace", ["cspace_root_data", "vspace_root_data"], ["fault_ep", "cspace_root", "vspace_root"], [], [IllegalOperation, InvalidCapability, RevokeFirst];
    TcbSuspend = 0xc, "TCB", "Suspend", [], [], [], [IllegalOperation, InvalidCapability];
    TcbResume = 0xd, "TCB", "Resume", [], [], [], [IllegalOperation, InvalidCapability];
    TcbBindNotification = 0xe, "TCB", "BindNotification", [], ["notification"], [], [IllegalOperation, InvalidCapability];
    TcbUnbindNotification = 0xf, "TCB", "UnbindNotification", [], [], [], [IllegalOperation, InvalidCapability];
    TcbSetTlsBase = 0x10, "TCB", "SetTLSBase", ["tls_base"], [], [], [IllegalOperation, InvalidCapability];
    TcbSetFlags = 0x11, "TCB", "SetFlags", ["clear", "set"], [], ["flags"], [InvalidCapability];
    CNodeRevoke = 0x12, "CNode", "Revoke", ["index", "depth"], [], [], [FailedLookup, IllegalOperation, InvalidCapability, RangeError];
    CNodeDelete = 0x13, "CNode", "Delete", ["index", "depth"], [], [], [FailedLookup, IllegalOperation, InvalidCapability, RangeError];
    CNodeCancelBadgedSends = 0x14, "CNode", "CancelBadgedSends", ["index", "depth"], [], [], [FailedLookup, IllegalOperation, InvalidCapability, RangeError];
    CNodeCopy = 0x15, "CNode", "Copy", ["dest_index", "dest_depth", "src_index", "src_depth", "rights"], ["src_root"], [], [DeleteFirst, FailedLookup, IllegalOperation, InvalidCapability, RangeError, RevokeFirst];
    CNodeMint = 0x16, "CNode", "Mint", ["dest_index", "dest_depth", "src_index", "src_depth", "rights", "badge"], ["src_root"], [], [DeleteFirst, FailedLookup, IllegalOperation, InvalidCapability, RangeError, RevokeFirst];
    CNodeMove = 0x17, "CNode", "Move", ["dest_index", "dest_depth", "src_index", "src_depth"], ["src_root"], [], [DeleteFirst, FailedLookup, IllegalOperation, InvalidCapability, RangeError];
    CNodeMutate = 0x18, "CNode", "Mutate", ["dest_index", "dest_depth", "src_index", "src_depth", "badge"], ["src_root"], [], [DeleteFirst, FailedLookup, IllegalOperation, InvalidCapability, RangeError];
    CNodeRotate = 0x19, "CNode", "Rotate", ["dest_index", "dest_depth", "dest_badge", "pivot_index", "pivot_depth", "pivot_badge", "src_index", "src_depth"], ["pivot_root", "src_root"], [], [DeleteFirst, FailedLookup, IllegalOperation, InvalidCapability, RangeError];
    IrqIssueIrqHandler = 0x1a, "IRQControl", "Get", ["irq", "index", "depth"], ["root"], [], [DeleteFirst, FailedLookup, IllegalOperation, InvalidCapability, RangeError, RevokeFirst];
    IrqAckIrq = 0x1b, "IRQHandler", "Ack", [], [], [], [IllegalOperation, InvalidCapability];
    IrqSetIrqHandler = 0x1c, "IRQHandler", "SetNotification", [], ["notification"], [], [IllegalOperation, InvalidCapability];
    IrqClearIrqHandler = 0x1d, "IRQHandler", "Clear", [], [], [], [IllegalOperation, InvalidCapability];
    DomainSetSet = 0x1e, "DomainSet", "Set", ["domain"], ["thread"], [], [IllegalOperation, InvalidArgument, InvalidCapability];
    DomainScheduleConfigure = 0x1f, "DomainSet", "ScheduleConfigure", ["index", "domain", "duration"], [], [], [IllegalOperation, InvalidArgument, RangeError];
    DomainScheduleSetStart = 0x20, "DomainSet", "ScheduleSetStart", ["index"], [], [], [IllegalOperation, InvalidArgument, RangeError];
    SchedControlConfigureFlags = 0x21, "SchedControl", "ConfigureFlags", ["budget", "period", "extra_refills", "badge", "flags"], ["schedcontext"], [], [IllegalOperation, InvalidCapability, RangeError];
    SchedContextBind = 0x22, "SchedContext", "Bind", [], ["cap"], [], [IllegalOperation, InvalidCapability];
    SchedContextUnbind = 0x23, "SchedContext", "Unbind", [], [], [], [IllegalOperation, InvalidCapability];
    SchedContextUnbindObject = 0x24, "SchedContext", "UnbindObject", [], ["cap"], [], [IllegalOperation, InvalidCapability];
    SchedContextConsumed = 0x25, "SchedContext", "Consumed", [], [], ["consumed"], [IllegalOperation, InvalidCapability];
    SchedContextYieldTo = 0x26, "SchedContext", "YieldTo", [], [], ["consumed"], [IllegalOperation, InvalidCapability];
    X86PdptMap = 0x27, "PDPT", "Map", ["vaddr", "attr"], ["pml4"], [], [DeleteFirst, FailedLookup, IllegalOperation, InvalidArgument, InvalidCapability];
    X86PdptUnmap = 0x28, "PDPT", "Unmap", [], [], [], [IllegalOperation, InvalidCapability, RevokeFirst];
    X86PageDirectoryMap = 0x29, "PageDirectory", "Map", ["vaddr", "attr"], ["vspace"], [], [DeleteFirst, FailedLookup, IllegalOperation, InvalidArgument, InvalidCapability];
    X86PageDirectoryUnmap = 0x2a, "PageDirectory", "Unmap", [], [], [], [IllegalOperation, InvalidCapability, RevokeFirst];
    X86PageTableMap = 0x2b, "PageTable", "Map", ["vaddr", "attr"], ["vspace"], [], [DeleteFirst, FailedLookup, IllegalOperation, InvalidArgument, InvalidCapability];
    X86PageTableUnmap = 0x2c, "PageTable", "Unmap", [], [], [], [IllegalOperation, InvalidCapability, RevokeFirst];
    X86PageMap = 0x2d, "Page", "Map", ["vaddr", "rights", "attr"], ["vspace"], [], [AlignmentError, DeleteFirst, FailedLookup, IllegalOperation, InvalidArgument, InvalidCapability];
    X86PageUnmap = 0x2e, "Page", "Unmap", [], [], [], [IllegalOperation, InvalidCapability];
    X86PageGetAddress = 0x2f, "Page", "GetAddress", [], [], ["paddr"], [IllegalOperation, InvalidCapability];
    X86AsidControlMakePool = 0x30, "ASIDControl", "MakePool", ["index", "depth"], ["untyped", "root"], [], [DeleteFirst, FailedLookup, IllegalOperation, InvalidCapability, RangeError, RevokeFirst];
    X86AsidPoolAssign = 0x31, "ASIDPool", "Assign", [], ["vspace"], [], [DeleteFirst, IllegalOperation, InvalidCapability];
    X86IoPortControlIssue = 0x32, "IOPortControl", "Issue", ["first_port", "last_port", "index", "depth"], ["root"], [], [DeleteFirst, FailedLookup, IllegalOperation, InvalidArgument, InvalidCapability, RangeError, RevokeFirst];
    X86IoPortIn8 = 0x33, "IOPort", "In8", ["port"], [], ["result"], [IllegalOperation, InvalidCapability];
    X86IoPortIn16 = 0x34, "IOPort", "In16", ["port"], [], ["result"], [IllegalOperation, InvalidCapability];
    X86IoPortIn32 = 0x35, "IOPort", "In32", ["port"], [], ["result"], [IllegalOperation, InvalidCapability];
    X86IoPortOut8 = 0x36, "IOPort", "Out8", ["port", "data"], [], [], [IllegalOperation, InvalidCapability];
    X86IoPortOut16 = 0x37, "IOPort", "Out16", ["port", "data"], [], [], [IllegalOperation, InvalidCapability];
    X86IoPortOut32 = 0x38, "IOPort", "Out32", ["port", "data"], [], [], [IllegalOperation, InvalidCapability];
    X86IrqIssueIrqHandlerIoApic = 0x39, "IRQControl", "GetIOAPIC", ["index", "depth", "ioapic", "pin", "level", "polarity", "vector"], ["root"], [], [DeleteFirst, FailedLookup, IllegalOperation, InvalidCapability, RangeError, RevokeFirst];
    X86IrqIssueIrqHandlerMsi = 0x3a, "IRQControl", "GetMSI", ["index", "depth", "pci_bus", "pci_dev", "pci_func", "handle", "vector"], ["root"], [], [DeleteFirst, FailedLookup, IllegalOperation, InvalidCapability, RangeError, RevokeFirst];
    /// Chestnut's extension. A `syscall` from outside the `length` bytes at `base` goes on at `entry`, in user mode, with R11 = `word` and RCX =
    /// the address after the `syscall`; all other registers stay, and no other thread runs. `length` 0 turns redirection off. Fails with
    /// RangeError if `entry`, or the end of the range, isn't a user's address.
    TcbSetRedirect = 0x1000, "TCB", "SetRedirect", ["base", "length", "entry", "word"], [], [], [IllegalOperation, RangeError, TruncatedMessage];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_ascending_and_decode_to_themselves() {
        let mut last = 0;
        for invocation in INVOCATIONS {
            let number = invocation.label as u64;
            assert!(number > last, "{:?} after {last}", invocation.label);
            assert_eq!(Label::from_number(number), Some(invocation.label));
            last = number;
        }
        assert_eq!(Label::from_number(0), None);
        assert_eq!(Label::from_number(59), None);
    }
}
