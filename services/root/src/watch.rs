//! Whether services go on: root asks those that the manifest gives a time for, and finds out who doesn't answer.
//!
//! A question is a bit of the service's notification, the answer a bit of root's own; neither waits for anybody, so no service can hold root up. Root
//! looks for answers at each beat of its metronome. A service has failed when it has left [`QUESTIONS`] in succession without an answer, each of
//! them for a good part of its share of the time that the manifest gives. One alone says little: the emulator itself may not have run meanwhile.

use crate::{
    failure::{Doing, Result},
    resources::{Resources, own},
    shared::Shared,
};
use alloc::vec::Vec;
use chestnut_manifest::QUESTION_BIT;
use chestnut_runtime::{abi::CapRights, cap::Notification};

/// So many without an answer are a failure.
const QUESTIONS: u64 = 3;

/// All services that are asked.
pub struct Watch {
    /// Where answers arrive: bits by the services' numbers.
    alive: Notification,
    watched: Vec<Watched>,
}

struct Watched {
    /// In the manifest.
    number: usize,
    /// Signals the service.
    question: Notification,
    state: State,
}

/// How it is with a service. Times are ticks.
struct State {
    /// From one question to the next.
    interval: u64,
    /// No sooner than this.
    next: u64,
    /// Questions since the last answer.
    unanswered: u64,
    answered: bool,
}

/// What is to be done about a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Nothing,
    Ask,
    Failed,
}

impl State {
    fn new(interval: u64, now: u64) -> Self {
        Self { interval, next: now.saturating_add(interval), unanswered: 0, answered: false }
    }

    fn step(&mut self, now: u64) -> Step {
        if now < self.next {
            return Step::Nothing;
        }
        if core::mem::take(&mut self.answered) {
            self.unanswered = 0;
        }
        if self.unanswered == QUESTIONS {
            return Step::Failed;
        }
        self.unanswered += 1;
        // Beats aren't exact: the next one may come a little sooner than an interval from now.
        self.next = now.saturating_add(self.interval - self.interval / 4);
        Step::Ask
    }
}

impl Watch {
    /// Makes ready to ask. `now` and all other times are ticks.
    pub fn new(shared: &Shared, resources: &mut Resources, now: u64) -> Result<Self> {
        let mut watched = Vec::new();
        for (number, service) in shared.manifest.services.iter().enumerate() {
            let (Some(time), Some(notification)) = (service.answers_within, shared.notifications.get(number)) else {
                continue;
            };
            let question = resources.slot()?;
            own(question)
                .mint_from(own(notification.0), CapRights::WRITE, 1 << QUESTION_BIT)
                .doing(format_args!("making the question to {}", service.name))?;
            let interval = (time / QUESTIONS).saturating_mul(shared.tsc_mhz.into());
            watched.push(Watched { number, question: Notification(question), state: State::new(interval, now) });
        }
        Ok(Self { alive: shared.alive, watched })
    }

    /// Microseconds between two beats that are often enough; `None` if nobody is asked.
    pub fn period(shared: &Shared) -> Option<u64> {
        let times = shared.manifest.services.iter().filter_map(|service| service.answers_within);
        times.min().map(|time| time / QUESTIONS)
    }

    /// Asks whoever is to be asked. Returns a service that has failed.
    pub fn beat(&mut self, now: u64) -> Option<usize> {
        let answers = self.alive.poll();
        let mut failed = None;
        for watched in &mut self.watched {
            watched.state.answered |= answers & bit(watched.number) != 0;
            match watched.state.step(now) {
                Step::Nothing => {}
                Step::Ask => watched.question.signal(),
                Step::Failed => failed = Some(watched.number),
            }
        }
        failed
    }

    /// A service was made anew, and is given the whole time.
    pub fn begin_anew(&mut self, number: usize, now: u64) {
        for watched in self.watched.iter_mut().filter(|watched| watched.number == number) {
            watched.state = State::new(watched.state.interval, now);
        }
    }
}

/// The bit that stands for a service in the word of answers.
pub fn bit(number: usize) -> u64 {
    1 << (number as u64 & 63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_questions_without_an_answer_are_a_failure() {
        let mut state = State::new(100, 0);
        let steps: Vec<Step> = [50, 100, 150, 200, 300, 399, 400].map(|now| state.step(now)).into();
        use Step::{Ask, Failed, Nothing};
        assert_eq!(steps, [Nothing, Ask, Nothing, Ask, Ask, Failed, Failed]);
    }

    #[test]
    fn an_answer_makes_up_for_all_questions_before() {
        let mut state = State::new(100, 0);
        for now in [100, 200, 300] {
            assert_eq!(state.step(now), Step::Ask);
        }
        state.answered = true;
        for now in [400, 500, 600] {
            assert_eq!(state.step(now), Step::Ask);
        }
        assert_eq!(state.step(700), Step::Failed);
    }

    #[test]
    fn beats_that_were_held_up_and_come_at_once_count_as_one() {
        let mut state = State::new(100, 0);
        assert_eq!(state.step(1000), Step::Ask);
        for now in [1001, 1002, 1003, 1050] {
            assert_eq!(state.step(now), Step::Nothing);
        }
    }
}
