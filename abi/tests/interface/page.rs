//! The page, section by section.

use crate::source::{Entry, Source};
use chestnut_abi::invocation::{INVOCATIONS, Invocation};
use chestnut_abi::object::ObjectType;
use chestnut_abi::registers::{
    COUNT, Register, TIMEOUT_REPLY_REGISTERS, UNKNOWN_SYSCALL_REGISTERS, USER_EXCEPTION_REGISTERS, UserContext,
};

const HEAD: &str = "\
# Interface

Made from `abi/` by `UPDATE=1 cargo test -p chestnut-abi`; a test fails when it isn't current. The interface is seL4's, MCS variant, x86_64, one node; where it is silent,
[observed behaviour](observed-behaviour.md) says what is done. The extensions are listed at the end. Sizes in bits are powers of two in bytes; times are
microseconds; words are 64 bits.
";

/// Kind, what its rights allow, and what Mint, Mutate or the kernel write into it.
const CAPABILITIES: [[&str; 3]; 8] = [
    [
        "Endpoint",
        "write: send; read: receive; grant: send capabilities along; grant-reply: call",
        "badge: given once, by Mint, to an unbadged one",
    ],
    ["Notification", "write: signal; read: wait", "badge, likewise; a signal adds its bits to the notification's word"],
    ["Reply", "grant: send capabilities along with the reply", "–"],
    ["CNode", "–", "guard and its size"],
    ["Untyped", "–", "device or RAM; where its free memory begins"],
    ["Frame", "read, write: the most that a mapping can have", "where it is mapped; a copy is mapped nowhere"],
    ["paging structure", "–", "where it is mapped; a root's: its ASID"],
    ["I/O port, interrupt handler, ASID pool", "–", "range of ports, interrupt, first ASID"],
];

pub fn page() -> String {
    let sections = [
        HEAD.to_owned(),
        system_calls(),
        messages(),
        capabilities(),
        invocations(),
        errors(),
        faults(),
        registers(),
        bootinfo(),
        layout(),
        extensions(),
    ];
    sections.join("\n")
}

/// A table; bars in cells would end them.
fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    let rule = "|---".repeat(head.len()) + "|\n";
    let rows =
        rows.map(|row| line(&row.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect::<Vec<_>>()));
    line(&head) + &rule + &rows.collect::<String>()
}

fn entries(head: [&str; 3], entries: &[Entry]) -> String {
    table(&head, entries.iter().map(|entry| vec![format!("`{}`", entry.name), entry.value.clone(), entry.docs.clone()]))
}

fn section(title: &str, parts: &[String]) -> String {
    format!("## {title}\n\n{}", parts.join("\n"))
}

fn text(text: &str) -> String {
    format!("{text}\n")
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "–".to_owned() } else { names.join(", ") }
}

fn system_calls() -> String {
    let source = Source::of("syscall");
    let calls = entries(["call", "rdx", "what it does"], &source.variants("Syscall"));
    section("System calls", &[text(&source.docs()), calls])
}

fn messages() -> String {
    let (source, buffer) = (Source::of("message"), Source::of("ipc_buffer"));
    section(
        "Messages",
        &[
            text(&source.docs_of("MessageInfo")),
            entries(["constant", "value", "meaning"], &source.constants()),
            text(&source.docs_of("CapRights")),
            entries(["right", "value", "meaning"], &without_self(source.constants_of("CapRights"))),
            text(&source.docs_of("CNodeCapData")),
            text(&format!("### IPC buffer\n\n{}", buffer.docs())),
            entries(["field", "type", "meaning"], &buffer.fields("IpcBuffer")),
            entries(["constant", "value", "meaning"], &buffer.constants()),
        ],
    )
}

/// `Self(3)` is 3.
fn without_self(entries: Vec<Entry>) -> Vec<Entry> {
    let bare = |value: &str| value.trim_start_matches("Self(").trim_end_matches(')').to_owned();
    entries.into_iter().map(|entry| Entry { value: bare(&entry.value), ..entry }).collect()
}

fn capabilities() -> String {
    let source = Source::of("object");
    let variants = source.variants("ObjectType");
    let size = |name: &str| match name {
        "Untyped" | "SchedContext" => "as asked".to_owned(),
        "CapTable" => "slots asked + 5".to_owned(),
        name => {
            let kind =
                (0..ObjectType::COUNT).filter_map(ObjectType::from_number).find(|kind| format!("{kind:?}") == name);
            kind.expect("a variant of the enumeration").size_bits(0).to_string()
        }
    };
    let objects = variants
        .iter()
        .map(|kind| vec![kind.value.clone(), format!("`{}`", kind.name), size(&kind.name), kind.docs.clone()]);
    section(
        "Objects and capabilities",
        &[
            text(
                "What Retype makes; sizes in bits. Capabilities to objects come from Retype, to interrupts and ports from their control capabilities.",
            ),
            table(&["type", "object", "size", ""], objects),
            entries(["constant", "value", "meaning"], &source.constants()),
            text("What a capability carries beside the object that it names:"),
            table(
                &["capability", "rights", "data"],
                CAPABILITIES.map(|row| row.map(str::to_owned).to_vec()).into_iter(),
            ),
            text(&source.docs_of("VmAttributes")),
            entries(["attribute", "value", "meaning"], &source.constants_of("VmAttributes")),
            text(&source.docs_of("TcbFlags")),
            entries(["flag", "value", "meaning"], &source.constants_of("TcbFlags")),
            text(&source.docs_of("SchedContextFlags")),
            entries(["flag", "value", "meaning"], &source.constants_of("SchedContextFlags")),
        ],
    )
}

fn invocations() -> String {
    let source = Source::of("invocation");
    let mut objects: Vec<&str> = Vec::new();
    for row in INVOCATIONS {
        if !objects.contains(&row.object) {
            objects.push(row.object);
        }
    }
    let row = |row: &Invocation| {
        let errors: Vec<String> = row.errors.iter().map(|error| format!("{error:?}")).collect();
        vec![
            format!("{:#x}", row.label as u64),
            row.method.to_owned(),
            list(row.words),
            list(row.caps),
            list(row.results),
            list(&errors.iter().map(String::as_str).collect::<Vec<_>>()),
            source.row_docs(&format!("{:?}", row.label)),
        ]
    };
    let head = ["label", "method", "words", "capabilities", "results", "errors", "notes"];
    let tables = objects.iter().map(|object| {
        let rows = INVOCATIONS.iter().filter(|row| row.object == *object).map(row);
        format!("### {object}\n\n{}", table(&head, rows))
    });
    let docs = source.docs();
    // The first paragraphs are about the source.
    let about = docs.split_once("Arguments are").map_or(String::new(), |(_, about)| format!("Arguments are{about}"));
    section("Invocations", &[vec![text(&about)], tables.collect()].concat())
}

fn errors() -> String {
    let source = Source::of("error");
    let numbered = |(number, entry): (usize, Entry)| vec![number.to_string(), format!("`{}`", entry.name), entry.docs];
    let lookups = source.variants("LookupFailure").into_iter().enumerate();
    section(
        "Errors",
        &[
            text(&source.docs()),
            entries(["error", "label", "message words"], &source.variants("Error")),
            text(&source.docs_of("LookupFailure")),
            table(&["number", "failure", ""], lookups.map(|(index, entry)| numbered((index + 1, entry)))),
        ],
    )
}

fn faults() -> String {
    let source = Source::of("fault");
    let mut parts = vec![text(&source.docs()), entries(["fault", "label", ""], &source.constants_in("label"))];
    for (title, module) in [
        ("Capability fault", "cap"),
        ("Unknown system call", "unknown_syscall"),
        ("User exception", "user_exception"),
        ("Page fault", "vm"),
        ("Timeout", "timeout"),
    ] {
        parts.push(text(&format!("### {title}\n\n{}", source.docs_of(module))));
        parts.push(entries(["word", "index", "content"], &source.constants_in(module)));
    }
    section("Faults", &parts)
}

fn registers() -> String {
    let source = Source::of("registers");
    let order = |registers: &[Register]| {
        let names: Vec<String> =
            registers.iter().enumerate().map(|(at, name)| format!("{at} {name:?}").to_lowercase()).collect();
        text(&names.join(", "))
    };
    let fields = source.fields("UserContext");
    assert_eq!(fields.len(), COUNT);
    assert_eq!(UserContext::default().to_words().len(), COUNT);
    let context = fields.iter().enumerate().map(|(at, field)| format!("{at} {}", field.name)).collect::<Vec<_>>();
    section(
        "Orders of registers",
        &[
            text(&source.docs_of("UserContext")),
            text(&context.join(", ")),
            text(&source.docs_of("UNKNOWN_SYSCALL_REGISTERS")),
            order(&UNKNOWN_SYSCALL_REGISTERS),
            text(&source.docs_of("USER_EXCEPTION_REGISTERS")),
            order(&USER_EXCEPTION_REGISTERS),
            text(&source.docs_of("TIMEOUT_REPLY_REGISTERS")),
            order(&TIMEOUT_REPLY_REGISTERS),
        ],
    )
}

fn bootinfo() -> String {
    let source = Source::of("bootinfo");
    let head = ["field", "type", "meaning"];
    section(
        "Bootinfo",
        &[
            text(&source.docs()),
            text(&source.docs_of("slot")),
            entries(["capability", "slot", ""], &source.constants_in("slot")),
            text(&source.docs_of("BootInfo")),
            entries(head, &source.fields("BootInfo")),
            text(&source.docs_of("UntypedDesc")),
            entries(head, &source.fields("UntypedDesc")),
            text(&source.docs_of("ChunkHeader")),
            entries(head, &source.fields("ChunkHeader")),
            text(&source.docs_of("chunk")),
            entries(["chunk", "id", "content"], &source.constants_in("chunk")),
            entries(["constant", "value", "meaning"], &source.constants()),
        ],
    )
}

fn layout() -> String {
    let (source, library) = (Source::of("layout"), Source::of("lib"));
    let constants: Vec<Entry> = source.constants().into_iter().chain(library.constants()).collect();
    section("Limits", &[text(&source.docs()), entries(["constant", "value", "meaning"], &constants)])
}

fn extensions() -> String {
    let (invocations, objects) = (Source::of("invocation"), Source::of("object"));
    let attributes = objects.constants_of("VmAttributes");
    let never = attributes.iter().find(|entry| entry.name == "EXECUTE_NEVER").expect("the extension");
    section(
        "Extensions",
        &[
            text(
                "They shift no number of seL4's; programs that ignore them see plain seL4. Why they are there: [design](design.md).",
            ),
            text(&format!("- `TCB_SetRedirect`: {}", invocations.row_docs("TcbSetRedirect"))),
            text(&format!("- `EXECUTE_NEVER`, attribute {} of a mapping: {}", never.value, never.docs)),
        ],
    )
}
