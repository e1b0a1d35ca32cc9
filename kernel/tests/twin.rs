//! The short ways of `fastpath` do what the general way does: the same sequence is played on two machines, of which one goes the general way only,
//! and after each step all that can be seen of them is compared.
//!
//! One thing differs by design and is left out: in the last moments of a budget a system call that a short way makes is held back by the general way.
//! `CHESTNUT_TWIN_STEPS=n` changes how many steps are made.

mod machine;

use chestnut_abi::Syscall;
use chestnut_kernel::entry::{self, Ways};
use machine::choices::Choices;
use machine::invariants::tree::Seen;
use machine::play::{FAULT, INTERRUPT, Player};
use machine::snapshot::{Item, snapshot};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, sync_channel};

/// Steps in all, and in one sequence at most.
const STEPS: u64 = 60_000;
const SEQUENCE: u64 = 1000;

/// What went a short way, and at least how often it has to have done so for the test to say something.
const SHORT: [(i64, u64); 7] = [
    (Syscall::Call as i64, 1000),
    (Syscall::ReplyRecv as i64, 100),
    (Syscall::Send as i64, 100),
    (Syscall::NBSend as i64, 100),
    (Syscall::Recv as i64, 200),
    (FAULT, 20),
    (INTERRUPT, 100),
];

/// What one machine has come to, and by what.
struct Step {
    did: String,
    kind: i64,
    /// Short ways taken.
    short: u64,
    items: Vec<Item>,
}

/// Plays a seed's sequence on a thread, and thereby a machine, of its own.
fn play<'s>(scope: &'s std::thread::Scope<'s, '_>, seed: u64, ways: Ways) -> Receiver<Step> {
    let (sender, receiver) = sync_channel(8);
    scope.spawn(move || {
        let mut player = Player::new(Choices::from_seed(seed));
        player.talks = true;
        let m = player.m;
        let mut seen = Seen::new(m);
        entry::set_ways(ways);
        for _ in 0..SEQUENCE {
            if player.is_over() {
                break;
            }
            let before = entry::short_ways_taken();
            player.step_unchecked();
            let (short, items) = (entry::short_ways_taken() - before, snapshot(m, &mut seen));
            let step = Step { did: player.last.clone(), kind: player.kind, short, items };
            // Nobody listens any more where a difference was found.
            if sender.send(step).is_err() {
                break;
            }
        }
        drop(player);
        // SAFETY: the player is gone, and with it all that came from the machine.
        unsafe { m.end() };
    });
    receiver
}

/// The first difference between two machines that were the same before.
fn difference(short: &[Item], general: &[Item]) -> Option<String> {
    if short == general {
        return None;
    }
    let at = short.iter().zip(general).position(|(short, general)| short != general);
    let at = at.unwrap_or(short.len().min(general.len()));
    let show = |item: Option<&Item>| {
        item.map_or("nothing".to_owned(), |(place, what, value)| format!("{what} of {place:#x}: {value:#x}"))
    };
    Some(format!("by short ways {}, by the general way {}", show(short.get(at)), show(general.get(at))))
}

/// Returns the number of steps, having counted short ways by kind.
fn compare(seed: u64, taken: &mut BTreeMap<i64, u64>) -> u64 {
    std::thread::scope(|scope| {
        let short = play(scope, seed, Ways::ShortIfQuiet);
        let general = play(scope, seed, Ways::General);
        let mut steps = 0;
        loop {
            let (short, general) = match (short.recv(), general.recv()) {
                (Ok(short), Ok(general)) => (short, general),
                (Err(_), Err(_)) => return steps,
                _ => panic!("seed {seed}: one of the machines stopped after {steps} steps"),
            };
            assert_eq!(short.did, general.did, "seed {seed}, step {steps}");
            if let Some(difference) = difference(&short.items, &general.items) {
                panic!("seed {seed}, step {steps}: {}\n{difference}", short.did);
            }
            assert_eq!(general.short, 0, "a short way was taken where none was open");
            *taken.entry(short.kind).or_default() += short.short;
            steps += 1;
        }
    })
}

#[test]
fn short_ways_do_what_the_general_way_does() {
    let wanted = std::env::var("CHESTNUT_TWIN_STEPS").ok().and_then(|steps| steps.parse().ok()).unwrap_or(STEPS);
    let (mut steps, mut seed, mut taken) = (0, 0, BTreeMap::new());
    while steps < wanted {
        steps += compare(seed, &mut taken);
        seed += 1;
    }
    println!("{steps} steps in {seed} sequences; by short ways: {taken:?}");
    let rare = SHORT.into_iter().find(|(kind, least)| taken.get(kind).is_none_or(|count| count < least));
    assert!(wanted < STEPS || rare.is_none(), "too rarely, in {steps} steps: {rare:?} of {taken:?}");
}
