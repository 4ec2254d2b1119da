//! The one source of chance for what is decided: passed in like the clock, so that a run can be repeated.
//!
//! Ids and keys that nobody may guess are not drawn here.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::{StdRng, ThreadRng};
use rand::{Rng as _, SeedableRng as _, TryRng};

/// Where random numbers come from. Clones draw from the same source.
#[derive(Debug, Clone, Default)]
pub struct Chance(Option<Arc<Mutex<StdRng>>>);

/// Random numbers for one decision.
#[derive(Debug)]
pub struct Dice(Source);

#[derive(Debug)]
enum Source {
    Machine(ThreadRng),
    Seed(Box<StdRng>),
}

impl Chance {
    /// The random numbers of the machine.
    #[must_use]
    pub fn of_machine() -> Self {
        Self::default()
    }

    /// Numbers that follow from a seed: the same ones, for the same decisions in the same order.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        Self(Some(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    /// Numbers for a decision.
    #[must_use]
    pub fn dice(&self) -> Dice {
        Dice(match &self.0 {
            None => Source::Machine(rand::rng()),
            Some(source) => {
                let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
                Source::Seed(Box::new(StdRng::seed_from_u64(source.next_u64())))
            }
        })
    }
}

impl TryRng for Dice {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        match &mut self.0 {
            Source::Machine(source) => source.try_next_u32(),
            Source::Seed(source) => source.try_next_u32(),
        }
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        match &mut self.0 {
            Source::Machine(source) => source.try_next_u64(),
            Source::Seed(source) => source.try_next_u64(),
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        match &mut self.0 {
            Source::Machine(source) => source.try_fill_bytes(bytes),
            Source::Seed(source) => source.try_fill_bytes(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(chance: &Chance) -> [u64; 2] {
        [chance.dice().next_u64(), chance.clone().dice().next_u64()]
    }

    #[test]
    fn a_seed_says_all_numbers_and_the_machine_none() {
        assert_eq!(draw(&Chance::of_seed(1)), draw(&Chance::of_seed(1)));
        assert_ne!(draw(&Chance::of_seed(1)), draw(&Chance::of_seed(2)));
        assert_ne!(draw(&Chance::of_machine()), draw(&Chance::of_machine()));
    }
}
