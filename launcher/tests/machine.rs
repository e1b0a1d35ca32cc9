//! The emulator, its wires and the batches, with a stand-in for the guest: a program of fifty bytes in place of the
//! kernel, which plays back a list of port writes. So this runs before there is a kernel, and tells the launcher's faults
//! from the guest's.

use chestnut::batch::{self, Outcome};
use chestnut::boot::run_alone;
use chestnut::machine::{Ending, RootTask, Settings};
use chestnut::pump::{Event, Pump};
use chestnut::setup::ensure_emulator;
use chestnut_manifest::link::Link;
use chestnut_manifest::{Command, GuestMessage, HostMessage, Stdio};
use object::write::elf::{FileHeader, ProgramHeader, Writer};
use object::{Endianness, elf};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

const COM1: u16 = 0x3f8;
const COM2: u16 = 0x2f8;
const LOG: u16 = 0xe9;
const EXIT: u16 = 0xf4;
/// Not a port: one byte is read from COM1 and written back.
const ECHO: u16 = 1;

const CODE_ADDRESS: u64 = 0x10_0000;
/// 32-bit code, as PVH enters it. Entries of the list are a 16-bit port, a byte and a zero; port 0 is the end.
const CODE: &[u8] = &[
    0xbe, 0x40, 0x00, 0x10, 0x00, //       mov esi, list
    0x0f, 0xb7, 0x16, //             next: movzx edx, word [esi]
    0x8a, 0x46, 0x02, //                   mov al, [esi + 2]
    0x83, 0xc6, 0x04, //                   add esi, 4
    0x85, 0xd2, 0x74, 0x1b, //             test edx, edx; jz stop
    0x83, 0xfa, 0x01, 0x74, 0x03, //       cmp edx, ECHO; je echo
    0xee, 0xeb, 0xeb, //                   out dx, al; jmp next
    0xba, 0xfd, 0x03, 0x00, 0x00, // echo: mov edx, line status of COM1
    0xec, 0xa8, 0x01, 0x74, 0xfb, //       in al, dx; test al, 1; jz the in
    0xba, 0xf8, 0x03, 0x00, 0x00, //       mov edx, COM1
    0xec, 0xee, 0xeb, 0xd8, //             in al, dx; out dx, al; jmp next
    0xfa, 0xf4, 0xeb, 0xfc, //       stop: cli; hlt; jmp stop
];
const LIST_OFFSET: usize = 0x40;

/// What the stand-in does, in order.
#[derive(Default)]
struct Script {
    list: Vec<u8>,
    link: Link<GuestMessage, HostMessage>,
}

impl Script {
    fn say(mut self, port: u16, bytes: &[u8]) -> Script {
        for byte in bytes {
            self.list.extend(port.to_le_bytes());
            self.list.extend([*byte, 0]);
        }
        self
    }

    fn tell(mut self, message: &GuestMessage) -> Script {
        self.link.send(message).expect("encodes");
        let frame = self.link.outgoing().to_vec();
        self.link.written(frame.len());
        self.say(COM2, &frame)
    }

    /// A kernel file that does it.
    fn kernel(self) -> NamedTempFile {
        let mut code = CODE.to_vec();
        code.resize(LIST_OFFSET, 0);
        code.extend(self.list);
        code.extend([0; 4]);
        // The note that says where PVH enters: sizes of name and value, type 18, "Xen", the address.
        let mut note: Vec<u8> = [4_u32, 8, 18].iter().flat_map(|word| word.to_le_bytes()).collect();
        note.extend(b"Xen\0");
        note.extend(CODE_ADDRESS.to_le_bytes());
        let file = NamedTempFile::new().expect("temporary file");
        std::fs::write(file.path(), elf_file(&code, &note)).expect("writes");
        file
    }
}

fn elf_file(code: &[u8], note: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(Endianness::Little, true, &mut bytes);
    writer.reserve_file_header();
    writer.reserve_program_headers(2);
    let code_at = writer.reserve(code.len() as u64, 4096);
    let note_at = writer.reserve(note.len() as u64, 4);
    let header = |kind, at, address, length: usize, align| ProgramHeader {
        p_type: kind,
        p_flags: elf::PF_R | elf::PF_W | elf::PF_X,
        p_offset: at,
        p_vaddr: address,
        p_paddr: address,
        p_filesz: length as u64,
        p_memsz: length as u64,
        p_align: align,
    };
    let file_header = FileHeader {
        os_abi: elf::OsAbi(0),
        abi_version: 0,
        e_type: elf::ET_EXEC,
        e_machine: elf::EM_X86_64,
        e_entry: CODE_ADDRESS,
        e_flags: elf::FileFlags(0),
    };
    writer.write_file_header(&file_header).expect("header");
    writer.write_align_program_headers();
    writer.write_program_header(&header(elf::PT_LOAD, code_at, CODE_ADDRESS, code.len(), 4096));
    writer.write_program_header(&header(elf::PT_NOTE, note_at, 0, note.len(), 4));
    writer.pad_until(code_at);
    writer.write(code);
    writer.pad_until(note_at);
    writer.write(note);
    bytes
}

fn start(kernel: &Path) -> Pump {
    ensure_emulator().expect("the emulator is needed");
    Pump::start(&Settings::default(), kernel, RootTask::Image(b"nothing".to_vec())).expect("starts")
}

fn soon() -> Option<Instant> {
    Some(Instant::now() + Duration::from_secs(30))
}

/// What happens after a time limit: with a short one, and with longer ones in case that this machine was too busy to get so far.
fn with_limits(check: impl Fn(Duration) -> bool) {
    assert!([1, 5, 30].map(Duration::from_secs).into_iter().any(check));
}

#[test]
fn every_wire_carries_bytes_both_ways() {
    let script = Script::default()
        .say(LOG, b"a line\n")
        .tell(&GuestMessage::Stdout(vec![0, 1, 2]))
        .say(ECHO, b"...")
        .say(EXIT, &[3]);
    let kernel = script.kernel();
    let mut pump = start(kernel.path());
    pump.send_terminal(b"abc");
    let (mut terminal, mut log, mut messages) = (Vec::new(), Vec::new(), Vec::new());
    let ending = loop {
        match pump.next(soon()).expect("pumps") {
            Event::Terminal(bytes) => terminal.extend(bytes),
            Event::Log(line) => log.push(line),
            Event::Message(message) => messages.push(message),
            Event::Ended(ending) => break ending,
            other => panic!("{other:?}"),
        }
    };
    assert!(terminal.ends_with(b"abc"), "{:?}", String::from_utf8_lossy(&terminal));
    assert!(log.contains(&"a line".to_owned()), "{log:?}");
    assert_eq!(messages, [GuestMessage::Stdout(vec![0, 1, 2])]);
    assert_eq!(ending, Ending::DebugExit(3));
}

#[test]
fn a_root_task_alone_ends_by_itself_or_by_the_limit() {
    let task = NamedTempFile::new().expect("file");
    let settings = Settings { icount: true, cpu: "qemu64".into(), ..Settings::default() };
    let kernel = Script::default().say(COM1, b"test one ... ok\r\n").say(EXIT, &[0]).kernel();
    let transcript = run_alone(&settings, kernel.path(), task.path(), Duration::from_secs(30)).expect("runs");
    assert!(transcript.output.ends_with("test one ... ok\n"), "{transcript:?}");
    assert_eq!(transcript.end, Ok(0));

    let kernel = Script::default().say(COM1, b"last words\r\n").kernel();
    with_limits(|limit| {
        let transcript = run_alone(&settings, kernel.path(), task.path(), limit).expect("runs");
        let error = transcript.end.expect_err("hangs");
        println!("{error}");
        assert!(error.starts_with(&format!("not finished after {} s", limit.as_secs())), "{error}");
        error.contains("last words")
    });
}

#[test]
fn a_wrong_emulator_argument_is_explained() {
    let kernel = Script::default().kernel();
    let settings = Settings { cpu: "no-such-cpu".into(), ..Settings::default() };
    let mut pump =
        Pump::start(&settings, kernel.path(), RootTask::Image(b"nothing".to_vec())).expect("starts at first");
    assert!(matches!(pump.next(soon()), Ok(Event::Ended(Ending::Failed(_)))));
    let words = pump.last_words();
    assert!(words.contains("unable to find CPU model 'no-such-cpu'"), "{words}");
}

fn command() -> Command {
    Command {
        program: "true".into(),
        arguments: vec![b"true".to_vec()],
        environment: Vec::new(),
        directory: "/".into(),
        stdio: Stdio::Input(Vec::new()),
    }
}

#[test]
fn a_batch_goes_on_after_a_command_that_hangs() {
    let finished = |script: Script, text: &[u8], status| {
        script.tell(&GuestMessage::Stdout(text.to_vec())).tell(&GuestMessage::Exit(status))
    };
    let first = finished(Script::default().tell(&GuestMessage::Ready), b"one", 1)
        .tell(&GuestMessage::Stderr(b"help".to_vec()))
        .kernel();
    let second = finished(Script::default().tell(&GuestMessage::Ready), b"three", 3).kernel();
    let outcome = |text: &[u8], status| Ok(Outcome { stdout: text.to_vec(), stderr: Vec::new(), status });
    with_limits(|limit| {
        let mut asked = Vec::new();
        let outcomes = batch::run_on(&[command(), command(), command()], limit, |commands| {
            asked.push(commands.len());
            Ok(start(if commands.len() == 3 { first.path() } else { second.path() }))
        })
        .expect("runs");
        println!("{asked:?}: {outcomes:?}");
        let expected = format!("not finished after {} s", limit.as_secs());
        asked == [3, 1]
            && outcomes[0] == outcome(b"one", 1)
            && outcomes[2] == outcome(b"three", 3)
            && outcomes[1].as_ref().is_err_and(|error| error.starts_with(&expected) && error.contains("help"))
    });
}

#[test]
fn a_batch_ends_when_the_guest_says_that_it_is_lost() {
    let kernel = Script::default().say(LOG, b"fatal: no memory\n").kernel();
    let outcomes = batch::run_on(&[command(), command()], Duration::from_secs(5), |_| Ok(start(kernel.path())));
    for outcome in outcomes.expect("runs") {
        assert!(outcome.expect_err("lost").starts_with("fatal: no memory"));
    }
}
