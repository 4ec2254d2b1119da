//! How many attempts may be under way to one receiver, learnt from its answers. Pure.
//!
//! A receiver about which nothing is known gets a few. Each answer lets one more, so a good one has all slots of its lane
//! after some round trips. A failure takes one, and one that took long takes half of them: a receiver that hangs holds few
//! slots of the host. One that comes back after it was down begins with one, so it is not met by all at once. A receiver whose
//! answers take longer the more it has at once works them off one after another; it gets fewer until they no longer do.
//!
//! How long answers take says that only against how long they take when few are under way, and only above [`QUICK`]: below,
//! slots are held for so short that it does not matter, and what makes the difference is mostly our own machine.

use std::time::Duration;

use super::signal::Signal;

/// What a receiver gets about which nothing is known.
const FIRST: f64 = 16.0;
/// So few do not wait for each other at a receiver that is worth having. Slow answers take no more than what is above.
const FEW: usize = 4;
/// An answer that costs the host nothing worth saving.
const QUICK: Duration = Duration::from_millis(250);
/// So many times as long as among few says that requests wait at the receiver.
const QUEUES_AT: u32 = 2;
/// How much one answer that waited takes away: a tenth of the window, once all in it have.
const LESS: f64 = 0.1;

/// The window of one lane. An idle lane forgets it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    size: f64,
    /// How long an answer takes that does not wait, if it is not [`QUICK`].
    alone: Option<Duration>,
    /// Whether it still doubles with each round: nothing spoke against that yet.
    doubles: bool,
}

impl Window {
    /// Attempts that may be under way: at least one.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and a number of slots"
    )]
    pub(super) const fn size(&self) -> usize {
        self.size as usize
    }

    /// Takes note of an attempt that ended while `in_flight` were under way, itself among them, of `most` that may be.
    pub(super) fn heard(&mut self, signal: Signal, in_flight: usize, most: usize) {
        match signal {
            Signal::Nothing => {}
            Signal::Down(took) if took > QUICK => self.narrow(self.size / 2.0, 1),
            // Takes what an answer gives: one that fails now and then has its slots, one that fails mostly does not.
            Signal::Down(_) => self.size = (self.size - 1.0).max(1.0),
            Signal::Up(took) if took > QUICK && self.waited(took, in_flight) => {
                self.narrow(self.size - LESS, FEW);
            }
            // What was not used proves nothing.
            Signal::Up(_) if in_flight * 2 >= self.size() => {
                let more = if self.doubles { 1.0 } else { self.size.recip() };
                self.size = (self.size + more).min(slots(most));
            }
            Signal::Up(_) => {}
        }
    }

    /// Begins again with one: the receiver was down.
    pub(super) const fn close(&mut self) {
        self.size = 1.0;
        self.doubles = true;
    }

    fn narrow(&mut self, size: f64, least: usize) {
        self.size = size.max(slots(least)).min(self.size);
        self.doubles = false;
    }

    /// Whether an answer that took so long waited at the receiver for others.
    fn waited(&mut self, took: Duration, in_flight: usize) -> bool {
        let Some(alone) = self.alone.filter(|_| in_flight > FEW) else {
            // It became slower for good: what was learnt of it before is void.
            self.doubles |= self.alone.is_some_and(|before| took > before * QUEUES_AT);
            self.alone = Some(took);
            return false;
        };
        self.alone = Some(alone.min(took));
        took > alone * QUEUES_AT
    }
}

impl Default for Window {
    fn default() -> Self {
        Self { size: FIRST, alone: None, doubles: true }
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of slots are small")]
const fn slots(count: usize) -> f64 {
    if count == 0 { 1.0 } else { count as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 64;

    /// A receiver that is asked as much as the window lets, for so many rounds; each of `n` at once takes so long.
    fn rounds(window: &mut Window, count: usize, took: impl Fn(usize) -> Duration) {
        for _ in 0..count {
            let n = window.size();
            for _ in 0..n {
                window.heard(Signal::Up(took(n)), n, MOST);
            }
        }
    }

    #[test]
    fn a_good_receiver_has_all_slots_after_a_few_rounds_however_slow() {
        for took in [1, 3_000] {
            let mut window = Window::default();
            rounds(&mut window, 3, |_| Duration::from_millis(took));
            assert_eq!(window.size(), MOST, "{took} ms");
        }
    }

    #[test]
    fn one_that_hangs_has_one_slot_after_what_it_had_at_first() {
        let mut window = Window::default();
        assert_eq!(window.size(), 16);
        (0..16).for_each(|_| window.heard(Signal::Down(Duration::from_secs(15)), 16, MOST));
        assert_eq!(window.size(), 1);
        window.heard(Signal::Down(Duration::from_secs(15)), 1, MOST);
        assert_eq!(window.size(), 1, "never none");
    }

    #[test]
    fn one_that_fails_now_and_then_has_all_slots_and_one_that_fails_mostly_has_few() {
        let quick = Duration::from_millis(5);
        for (of_ten, sizes) in [(2, MOST - 2..=MOST), (8, 1..=3)] {
            let mut window = Window::default();
            for n in 0..1_000 {
                let signal = if n % 10 < of_ten { Signal::Down(quick) } else { Signal::Up(quick) };
                window.heard(signal, window.size(), MOST);
            }
            assert!(sizes.contains(&window.size()), "{of_ten} of ten: {}", window.size());
        }
    }

    #[test]
    fn one_that_does_four_at_a_time_is_given_about_twice_that_and_not_all_slots() {
        let mut window = Window::default();
        let took = |n: usize| Duration::from_millis(300) * u32::try_from(n.max(4)).unwrap() / 4;
        window.heard(Signal::Up(took(1)), 1, MOST);
        for _ in 0..20 {
            rounds(&mut window, 10, took);
            assert!((6..=24).contains(&window.size()), "{}", window.size());
        }
        assert!((6..=10).contains(&window.size()), "{}", window.size());
    }

    #[test]
    fn one_that_became_slower_for_good_is_not_held_down_by_what_it_was() {
        let mut window = Window::default();
        rounds(&mut window, 5, |_| Duration::from_millis(300));
        rounds(&mut window, 40, |_| Duration::from_secs(2));
        assert!(window.size() > MOST / 2, "{}", window.size());
    }

    #[test]
    fn a_single_slow_answer_takes_nothing_worth_naming() {
        let mut window = Window::default();
        rounds(&mut window, 5, |_| Duration::from_millis(300));
        window.heard(Signal::Up(Duration::from_secs(9)), MOST, MOST);
        assert_eq!(window.size(), MOST - 1);
    }

    #[test]
    fn what_is_not_used_does_not_grow() {
        let mut window = Window::default();
        (0..100).for_each(|_| window.heard(Signal::Up(Duration::ZERO), 1, MOST));
        assert_eq!(window.size(), 16);
    }

    #[test]
    fn one_that_was_down_begins_with_one_and_doubles() {
        let mut window = Window::default();
        window.close();
        assert_eq!(window.size(), 1);
        rounds(&mut window, 6, |_| Duration::from_millis(10));
        assert_eq!(window.size(), MOST);
    }
}
