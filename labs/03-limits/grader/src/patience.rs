//! How long an answer waits, by the pauses that it asks for.
//!
//! On a busy machine a pause takes longer than was asked for, so the clock says too much.
//! And who counts by the clock then asks for fewer pauses, so their sum says too little.
//! What is right either way: who goes by the clock begins no pause after its deadline, and
//! who counts asks for the same pauses whenever nothing can be had.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use labkit::deciding::Asked;

/// How long all pauses together may be, with what is left of the last one when the time is
/// over.
const PAUSES: Duration = Duration::from_millis(2_100);
/// When the last one may begin at the latest, after the first call.
const LATEST: Duration = Duration::from_millis(2_200);

/// The pauses of one call of an answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pauses {
    first_call: Option<Instant>,
    sum: Duration,
    longest: Duration,
    /// How long after the first call the last one began.
    last_began: Duration,
}

impl Pauses {
    /// Takes note of a call, which may be a pause.
    pub fn hear(&mut self, asked: &Asked) {
        let first_call = *self.first_call.get_or_insert_with(Instant::now);
        if let Some(pause) = asked.pause() {
            self.sum = self.sum.saturating_add(pause);
            self.longest = self.longest.max(pause);
            self.last_began = first_call.elapsed();
        }
    }

    /// Whether they are too long, on whatever machine. `others` are those of another call, in
    /// which it had to wait, too.
    pub fn are_too_long(&self, others: Option<Pauses>) -> bool {
        let goes_by_the_clock =
            others.is_some_and(|others| self.sum.abs_diff(others.sum) > self.longest);
        self.sum > PAUSES || goes_by_the_clock && self.last_began > LATEST
    }
}

/// Pauses that are being heard.
pub type Hearing = Rc<RefCell<Pauses>>;
