//! The repository's manifest is valid; wrong manifests are refused with the cause; everything survives its encoding.

use chestnut_manifest::link::Link;
use chestnut_manifest::{
    Command, Failure, GuestMessage, HostMessage, MAX_PAYLOAD, Manifest, Manner, Memory, NamedCapability, RunRequest,
    StartInfo, Stdio,
};

fn ours() -> Manifest {
    toml::from_str(include_str!("../../manifest.toml")).expect("services/manifest.toml is a manifest")
}

/// The only problem that `check` finds, as the user sees it.
fn problem(manifest: &Manifest) -> String {
    let problems = manifest.check().expect_err("this manifest is wrong");
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].to_string()
}

#[test]
fn our_manifest_is_valid() {
    ours().check().expect("valid");
}

#[test]
fn our_manifest_survives_postcard() {
    let manifest = ours();
    let bytes = postcard::to_allocvec(&manifest).expect("encodes");
    assert_eq!(postcard::from_bytes::<Manifest>(&bytes).expect("decodes"), manifest);
}

#[test]
fn a_ring_needs_two_known_services() {
    let mut manifest = ours();
    manifest.rings[0].consumer = "linus".into();
    assert_eq!(problem(&manifest), r#"ring "terminal input": consumer "linus" is not a service of this manifest"#);
    let mut manifest = ours();
    manifest.rings[0].consumer = manifest.rings[0].producer.clone();
    assert_eq!(problem(&manifest), r#"ring "terminal input": producer and consumer must be two services"#);
}

#[test]
fn ports_overlap_only_when_both_say_shared() {
    let mut manifest = ours();
    manifest.services[1].ports[0].first = 0x3fa;
    manifest.services[1].ports[0].last = 0x400;
    assert_eq!(
        problem(&manifest),
        r#"service "timer": ports "pit" (0x3fa to 0x400) overlap ports "com1" (0x3f8 to 0x3ff) of service "serial""#
    );
    let mut manifest = ours();
    manifest.services[2].ports[0].shared = false;
    assert_eq!(manifest.check().expect_err("overlap").len(), 3, "with the log port of the three other services");
}

#[test]
fn a_pin_has_one_handler() {
    let mut manifest = ours();
    manifest.services[1].interrupts[0].pin = 4;
    assert_eq!(
        problem(&manifest),
        r#"service "timer": interrupt "timer interrupt": pin 4 is used by service "serial""#
    );
    manifest.services[1].interrupts[0].pin = 24;
    assert_eq!(problem(&manifest), r#"service "timer": interrupt "timer interrupt": pin 24 must be 0 to 23"#);
}

#[test]
fn a_notification_bit_has_one_meaning() {
    let mut manifest = ours();
    manifest.signals[1].bit = 0;
    assert_eq!(
        problem(&manifest),
        r#"signal "terminal": bit 0 of service "serial" is used by interrupt "com1 interrupt""#
    );
    manifest.signals[1].bit = 64;
    assert_eq!(problem(&manifest), r#"signal "terminal": bit 64 must be 0 to 62"#);
}

#[test]
fn capability_names_are_unique_in_a_service() {
    let mut manifest = ours();
    manifest.signals[1].name = "log".into();
    assert_eq!(problem(&manifest), r#"service "linux": two of its capabilities are named "log""#);
}

#[test]
fn only_one_service_has_the_rest_of_memory() {
    let mut manifest = ours();
    manifest.services[0].memory = Memory::Rest;
    assert_eq!(
        problem(&manifest),
        r#"service "linux": only one service may have the rest of memory, and "serial" has it"#
    );
}

#[test]
fn sizes_and_times_are_checked() {
    let mut manifest = ours();
    manifest.services[0].heap = 5000;
    assert_eq!(problem(&manifest), r#"service "serial": heap 5000 must be a multiple of 4096 bytes"#);
    let mut manifest = ours();
    manifest.services[0].budget = 20_000;
    assert_eq!(
        problem(&manifest),
        r#"service "serial": budget 20000 must be above 0 and at most the period 10000 (microseconds)"#
    );
    let mut manifest = ours();
    manifest.services[0].priority = 255;
    assert_eq!(problem(&manifest), r#"service "serial": priority 255 is root's; use 0 to 254"#);
    let mut manifest = ours();
    manifest.services[0].cnode_radix = 30;
    assert_eq!(problem(&manifest), r#"service "serial": cnode_radix 30 must be 5 to 20"#);
}

#[test]
fn a_misspelt_field_is_an_error() {
    let text = include_str!("../../manifest.toml").replacen("priority =", "prority =", 1);
    let error = toml::from_str::<Manifest>(&text).expect_err("unknown field");
    assert!(error.to_string().contains("prority"), "{error}");
}

#[test]
fn the_heap_is_read_without_the_rest() {
    let info = StartInfo {
        machine_memory: 512 << 20,
        heap_address: 0x5000_0000,
        heap_bytes: 0x10_000,
        name: "serial".into(),
        capabilities: vec![NamedCapability { name: "com1".into(), cptr: 17 }],
        ..StartInfo::default()
    };
    let mut page = postcard::to_allocvec(&info).expect("encodes");
    page.resize(4096, 0);
    assert_eq!(StartInfo::heap(&page), Ok((0x5000_0000, 0x10_000)));
    assert_eq!(StartInfo::decode(&page).as_ref(), Ok(&info));
    assert_eq!(info.capability("com1"), Some(17));
    assert_eq!(info.capability("com2"), None);
}

#[test]
fn the_largest_message_goes_through_a_link() {
    let payload = vec![0; MAX_PAYLOAD];
    let mut guest = Link::<GuestMessage, HostMessage>::default();
    let mut host = Link::<HostMessage, GuestMessage>::default();
    guest.send(&GuestMessage::Stdout(payload.clone())).expect("encodes");
    assert_eq!(host.receive(guest.outgoing()), Ok(vec![GuestMessage::Stdout(payload.clone())]));
    host.send(&HostMessage::Stdin(payload.clone())).expect("encodes");
    assert_eq!(guest.receive(host.outgoing()), Ok(vec![HostMessage::Stdin(payload)]));
}

#[test]
fn only_what_is_made_anew_may_fail() {
    let fail = |service: &str, every| {
        let mut manifest = ours();
        manifest.failures.push(Failure { service: service.into(), times: 1, every, manner: Manner::Crash });
        manifest
    };
    fail("serial", 1000).check().expect("valid");
    let why = r#"failure of "linux": the system can't go on without this service (restart = "never")"#;
    assert_eq!(problem(&fail("linux", 1000)), why);
    assert_eq!(problem(&fail("serial", 0)), r#"failure of "serial": every must not be 0 microseconds"#);
    assert_eq!(
        problem(&fail("parallel", 1)),
        r#"failure of "parallel": service "parallel" is not a service of this manifest"#
    );
}

#[test]
fn run_requests_survive_postcard() {
    let command = |stdio| Command {
        program: "busybox".into(),
        arguments: vec![b"busybox".to_vec(), b"ls\xff".to_vec()],
        environment: vec![b"PATH=/bin".to_vec()],
        directory: "/root".into(),
        stdio,
    };
    let commands = vec![command(Stdio::Terminal), command(Stdio::Channel), command(Stdio::Input(vec![0, 1]))];
    let request = RunRequest { commands, started: 1_735_689_600_000_000, trace: true };
    let bytes = postcard::to_allocvec(&request).expect("encodes");
    assert_eq!(postcard::from_bytes::<RunRequest>(&bytes).expect("decodes"), request);
}
