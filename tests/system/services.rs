//! Services that fail while they are busy: nothing that was acknowledged is lost, and who sleeps wakes in time.
//!
//! Root takes a service apart in the middle of whatever it does (`Failure` in the manifest), twenty times, and makes
//! it anew, while a program moves bytes through both directions of the host channel and another one sleeps and looks at the clock.
//!
//! Services that stop answering — silent ones, and such as go round in circles — are found out and made anew likewise. That is played by
//! counted instructions, so that what is late is so by the machine's own clock.

use crate::shared::{Shared, explain, system};
use chestnut::machine::Settings;
use chestnut::pump::{Event, Pump};
use chestnut::system::System;
use chestnut_manifest::{
    Command, Failure, GuestMessage, HostMessage, LOG_FATAL, MAX_PAYLOAD, Manner, STDIN_WINDOW, Stdio,
};
use libtest_mimic::{Failed, Trial};
use std::time::{Duration, Instant};

type Check = fn() -> Result<(), Failed>;

const TESTS: &[(&str, Check)] = &[
    ("serial_fails", || fails(&["serial"])),
    ("timer_fails", || fails(&["timer"])),
    ("entropy_fails", || fails(&["entropy"])),
    ("all_fail", || fails(&["serial", "timer", "entropy"])),
    ("silent_ones_are_found_out", || stops_answering(Manner::Silence)),
    ("spinning_ones_are_found_out", || stops_answering(Manner::Spin)),
];

/// How often each fails.
const TIMES: u32 = 20;
/// Microseconds between two failures of one service.
const EVERY: u64 = 83_000;
const LIMIT: Duration = Duration::from_secs(120);
/// Bytes that go there and come back, at least: as many as it takes until all failures were seen.
const BYTES: usize = 1 << 18;

/// Copies its input to its output; beside it a program that takes random bytes and sleeps for as long as there is input, and says at the end
/// whether each sleep took its time and not three seconds more (the machine may be busy).
const SCRIPT: &str = r#"
sleeper() {
    late=0
    until [ -e /tmp/end ]; do
        head -c 70000 /dev/urandom > /dev/null
        read before _ < /proc/uptime
        usleep 50000
        read after _ < /proc/uptime
        before=${before%.*}${before#*.}
        after=${after%.*}${after#*.}
        took=$((${after#"${after%%[1-9]*}"} - ${before#"${before%%[1-9]*}"}))
        [ $took -ge 4 ] && [ $took -le 305 ] || late="$late $took"
    done
    echo "late: $late" >&2
}
sleeper &
while dd bs=32k count=1 iflag=fullblock 2> /dev/null > /tmp/piece && [ -s /tmp/piece ]; do
    cat /tmp/piece
    usleep 30000
done
> /tmp/end
wait
"#;

pub fn trials() -> Vec<Trial> {
    TESTS.iter().map(|(name, check)| Trial::test(format!("services::{name}"), check)).collect()
}

/// Bytes without a pattern that a lost or doubled one would fit.
#[derive(Default)]
struct Input {
    state: u32,
    /// All that were taken.
    sent: Vec<u8>,
}

impl Input {
    fn next(&mut self) -> u8 {
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.state >> 24) as u8
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let bytes: Vec<u8> = (0..count).map(|_| self.next()).collect();
        self.sent.extend(&bytes);
        bytes
    }
}

fn fails(services: &[&str]) -> Result<(), Failed> {
    let mut system = system()?.clone();
    let failure =
        |service: &&str| Failure { service: (*service).to_owned(), times: TIMES, every: EVERY, manner: Manner::Crash };
    system.manifest.failures = services.iter().map(failure).collect();
    let all = |found: &Found| services.iter().all(|service| found.restarts(service) >= TIMES as usize);
    let found = play(&system, &Settings::default(), all)?;
    for service in services {
        let restarts = found.restarts(service);
        if restarts != TIMES as usize {
            return Err(format!("{service} was made anew {restarts} times, not {TIMES}").into());
        }
    }
    Ok(())
}

/// Each service fails once by that, a while after the one before; meanwhile bytes come and go, and somebody sleeps.
fn stops_answering(manner: Manner) -> Result<(), Failed> {
    /// Microseconds.
    const ANSWERS_WITHIN: u64 = 150_000;
    const BETWEEN: u64 = 400_000;
    let services = ["serial", "timer", "entropy"];
    let mut system = system()?.clone();
    for service in system.manifest.services.iter_mut().filter(|service| services.contains(&&*service.name)) {
        service.answers_within = Some(ANSWERS_WITHIN);
    }
    let failure = |(index, service): (usize, &&str)| Failure {
        service: (*service).to_owned(),
        times: 1,
        every: (index as u64 + 1) * BETWEEN,
        manner,
    };
    system.manifest.failures = services.iter().enumerate().map(failure).collect();
    let settings = Settings { cpu: "qemu64".to_owned(), icount: true, ..Settings::default() };
    let found = play(&system, &settings, |found| services.iter().all(|service| found.restarts(service) >= 1))?;
    for service in services {
        let said = |text: &str| found.log.iter().filter(|line| line.ends_with(&format!("{service} {text}"))).count();
        let (silent, restarts) = (said("does not answer any more"), found.restarts(service));
        if (silent, restarts) != (1, 1) {
            let log = found.log.join("\n");
            return Err(format!("{service} was found out {silent} times and made anew {restarts} times:\n{log}").into());
        }
    }
    // For each of them, its registers.
    let registers = found.log.iter().filter(|line| line.trim_start().starts_with("rip ")).count();
    if registers == services.len() { Ok(()) } else { Err(format!("registers were shown {registers} times").into()) }
}

/// Runs the script with input until there was enough: all of it must come back, and no sleep may be late.
fn play(system: &System, settings: &Settings, enough: impl Fn(&Found) -> bool) -> Result<Found, Failed> {
    let command = Command {
        program: "/bin/sh".to_owned(),
        arguments: [&b"sh"[..], b"-c", SCRIPT.as_bytes()].map(<[u8]>::to_vec).to_vec(),
        environment: vec![format!("PATH={}", chestnut::program::PATH).into_bytes()],
        directory: "/tmp".to_owned(),
        stdio: Stdio::Channel,
    };
    let image = system.image(vec![command]).map_err(explain)?;
    let pump = Pump::start(settings, &system.kernel, image).map_err(explain)?;
    let mut input = Input::default();
    let found = copy(pump, &mut input, enough)?;
    let sent = input.sent;
    if found.stdout != sent {
        let place = found.stdout.iter().zip(&sent).position(|(found, sent)| found != sent);
        let (back, all) = (found.stdout.len(), sent.len());
        return Err(format!("{back} of {all} bytes came back, different from byte {place:?} on").into());
    }
    let errors = String::from_utf8_lossy(&found.stderr);
    if found.status != 0 || errors.trim() != "late: 0" {
        return Err(format!("ended with {}, and said: {errors}", found.status).into());
    }
    Ok(found)
}

#[derive(Default)]
struct Found {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    status: u8,
    log: Vec<String>,
}

impl Found {
    /// How often root made a service anew.
    fn restarts(&self, service: &str) -> usize {
        self.log.iter().filter(|line| line.ends_with(&format!("restarted {service}"))).count()
    }
}

/// Feeds the program until there was enough, and takes what it says until it ends.
fn copy(mut pump: Pump, input: &mut Input, enough: impl Fn(&Found) -> bool) -> Shared<Found> {
    let deadline = Some(Instant::now() + LIMIT);
    let mut found = Found::default();
    let mut unacknowledged = 0;
    let (mut ready, mut ended) = (false, false);
    loop {
        while ready && !ended && unacknowledged + MAX_PAYLOAD as u32 <= STDIN_WINDOW {
            let message = if input.sent.len() < BYTES || !enough(&found) {
                unacknowledged += MAX_PAYLOAD as u32;
                HostMessage::Stdin(input.take(MAX_PAYLOAD))
            } else {
                ended = true;
                HostMessage::StdinEnd
            };
            pump.send(&message).map_err(explain)?;
        }
        match pump.next(deadline).map_err(explain)? {
            Event::Message(GuestMessage::Ready) => ready = true,
            Event::Message(GuestMessage::StdinConsumed(count)) => unacknowledged = unacknowledged.saturating_sub(count),
            Event::Message(GuestMessage::Stdout(bytes)) => found.stdout.extend(bytes),
            Event::Message(GuestMessage::Stderr(bytes)) => found.stderr.extend(bytes),
            Event::Message(GuestMessage::Exit(status)) => return Ok(Found { status, ..found }),
            Event::Log(line) if line.starts_with(LOG_FATAL) => return Err(format!("{line}{}", pump.last_words())),
            Event::Log(line) => found.log.push(line),
            Event::TimeUp | Event::Ended(_) => {
                let (out, err) = (found.stdout.len(), String::from_utf8_lossy(&found.stderr).into_owned());
                return Err(format!("not finished; {out} bytes came back; errors: {err}{}", pump.last_words()));
            }
            _ => {}
        }
    }
}
