//! A call of an answer that fails: the first, the second, and so on, each in its own
//! process. This shows whether the answer checks its errors.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use crate::calls::Calls;
use crate::deciding::{Deciding, Decision};

/// No more calls than that are made to fail.
const MOST: usize = 60;

/// Has `attempt` made while the first call fails, the second, and so on, until it
/// returns that no more were made.
///
/// # Errors
/// Those of `attempt`.
pub fn each<E>(attempt: impl FnMut(usize) -> Result<bool, E>) -> Result<(), E> {
    let mut attempts = (1..=MOST).map(attempt);
    attempts.find(|made| !matches!(made, Ok(true))).map_or(Ok(()), |made| made.map(drop))
}

/// The call that has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed {
    /// Its name, as the man page has it.
    pub name: &'static str,
    /// Which one of this name it was, from 1.
    pub nth: usize,
    /// Whether others have failed with it.
    pub which: Which,
}

/// `the 2nd mount(2)`, `the 2nd mount(2) and each later one`.
impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = match (self.nth % 100, self.nth % 10) {
            (11..=13, _) => "th",
            (_, 1) => "st",
            (_, 2) => "nd",
            (_, 3) => "rd",
            _ => "th",
        };
        write!(f, "the {}{ending} {}(2)", self.nth, self.name)?;
        match self.which {
            Which::Alone => Ok(()),
            Which::AndLater => f.write_str(" and each later one"),
        }
    }
}

/// Which calls are not simply made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// One.
    Alone,
    /// One, and each later one of its name: trying again does not help.
    AndLater,
}

/// Has the `nth` of these calls, from 1, come to this, and the others be made; which one
/// it was is noted in `failed`.
pub(crate) fn nth(
    nth: usize,
    which: Which,
    calls: &[Calls],
    decision: Decision,
    failed: Rc<Cell<Option<Failed>>>,
) -> Deciding {
    let mut made = Vec::new();
    Deciding::new(calls, move |asked| {
        made.push(asked.name);
        let is_it = made.len() == nth;
        if is_it {
            let nth = made.iter().filter(|name| **name == asked.name).count();
            failed.set(Some(Failed { name: asked.name, nth, which }));
        }
        let has_its_name = || failed.get().is_some_and(|failed| failed.name == asked.name);
        let is_later = which == Which::AndLater && has_its_name();
        if is_it || is_later { decision } else { Decision::Make }
    })
}
