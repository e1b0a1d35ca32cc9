//! What the text's instructions are: which are system calls, what they touch, which accesses the fix-up table has.

use core::mem::offset_of;

use chestnut_linux_trampoline::pages::STACK;
use chestnut_linux_trampoline::{ThreadPage, dispatch, text};
use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Register};

pub struct Decoded {
    pub position: u64,
    instruction: Instruction,
}

impl Decoded {
    pub fn is_syscall(&self) -> bool {
        self.instruction.code() == Code::Syscall
    }
}

/// The text's instructions.
pub fn instructions(bytes: &[u8]) -> impl Iterator<Item = Decoded> {
    let code = &bytes[..text::code_end() as usize];
    let all: Vec<_> = Decoder::with_ip(64, code, 0, DecoderOptions::NONE).into_iter().collect();
    all.into_iter().map(|instruction| Decoded { position: instruction.ip(), instruction })
}

#[test]
fn native_system_calls_are_the_three_known_ones() {
    let sites: Vec<u64> = instructions(text::bytes()).filter(Decoded::is_syscall).map(|d| d.position).collect();
    assert_eq!(sites.len(), 3);
    assert!(sites.contains(&text::server_call()));
    // Nor does one begin in the middle of another instruction or in data.
    let pairs = text::bytes().windows(2).filter(|w| *w == [0x0f, 0x05]).count();
    assert_eq!(pairs, 3);
}

#[test]
fn text_uses_no_vector_registers_and_no_segments() {
    let mut factory = InstructionInfoFactory::new();
    for decoded in instructions(text::bytes()) {
        let instruction = &decoded.instruction;
        assert_ne!(instruction.code(), Code::INVALID, "{:#x}", decoded.position);
        assert_eq!(instruction.segment_prefix(), Register::None);
        let saves_fpu = matches!(instruction.code(), Code::Fxsave64_m512byte | Code::Fxrstor64_m512byte);
        for used in factory.info(instruction).used_registers() {
            let vector = used.register().is_vector_register() || used.register().is_mm();
            assert!(!vector || saves_fpu, "{instruction:?}");
        }
    }
}

/// Each access to memory goes to the thread page (RSP or R11), through a pointer just loaded from it, or is in the table.
#[test]
fn fixup_table_covers_each_access_to_the_program_s_memory() {
    let mut factory = InstructionInfoFactory::new();
    let mut own: Vec<Register> = vec![];
    let mut covered = 0;
    let pointers = [
        offset_of!(ThreadPage, dispatch),
        offset_of!(ThreadPage, process),
        offset_of!(ThreadPage, time),
        offset_of!(ThreadPage, mm),
    ];
    for decoded in instructions(text::bytes()) {
        let instruction = &decoded.instruction;
        let info = factory.info(instruction);
        let touches = |base: Register| {
            base == Register::RSP || (base == Register::R11 && decoded.position < 32) || own.contains(&base)
        };
        let foreign = info.used_memory().iter().any(|memory| {
            let table = memory.base() == Register::R11 && memory.index() == Register::RCX;
            !(touches(memory.base()) || table)
        });
        let foreign = foreign && instruction.code() != Code::Lea_r64_m;
        assert_eq!(text::fixup(decoded.position).is_some(), foreign, "{:#x} {instruction:?}", decoded.position);
        covered += foreign as u32;
        // RCX is a page's address after `mov rcx, [rsp + PROCESS]` and the like, until it is written again.
        let writes_rcx = info
            .used_registers()
            .iter()
            .any(|r| r.register().full_register() == Register::RCX && !matches!(r.access(), iced_x86::OpAccess::Read));
        if writes_rcx || instruction.flow_control() == FlowControl::UnconditionalBranch {
            own.clear();
        }
        let in_page = instruction.memory_displacement64().wrapping_add(STACK) as usize;
        let page_pointer = pointers.contains(&in_page);
        if instruction.code() == Code::Mov_r64_rm64
            && instruction.op0_register() == Register::RCX
            && instruction.memory_base() == Register::RSP
            && page_pointer
        {
            own.push(Register::RCX);
        }
    }
    assert!(covered >= 18, "{covered}");
    assert_eq!(text::fixup(1 << 40), None);
}

#[test]
fn dispatch_tables_name_handlers_that_exist() {
    assert_eq!(text::handlers(), dispatch::FIRST_ID);
    assert_eq!(dispatch::CODES - dispatch::FIRST_ID, 6);
    assert!(dispatch::ORDINARY.iter().chain(&dispatch::TRACED).all(|&code| usize::from(code) < dispatch::CODES));
}
