//! Generated values: many of them from one seed, and the smallest of those that show what
//! is wrong.
//!
//! A value is made of choices, and a choice is made of bytes: see [`Unstructured`]. The
//! bytes determine the value, so a value of any type becomes smaller if its bytes become
//! fewer or lower. If there are no more bytes, each choice is the first one, so the first
//! one should be the simplest.

use std::env;
use std::time::Instant;

use arbitrary::{Result, Unstructured};
use sha2::{Digest, Sha256};

use crate::limits::{TIME, slowness};

/// Makes a value.
pub type Make<T> = fn(&mut Unstructured) -> Result<T>;

/// How often a value is made smaller, at most.
const STEPS: usize = 100;
/// How many smaller values are tried at once.
const AT_ONCE: usize = 100;

/// The seed of all values: the same in every run, unless `LABKIT_SEED` sets another
/// number.
pub fn seed() -> u64 {
    let said = env::var(SEED).ok();
    said.and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

/// The variable with another seed.
pub const SEED: &str = "LABKIT_SEED";

/// A value that shows what is wrong, and no smaller one was found that does.
#[derive(Debug)]
pub struct Smallest<T, W> {
    /// The value.
    pub value: T,
    /// What is wrong with it.
    pub wrong: W,
}

/// Looks for a value that shows what is wrong among `count` values. `first_wrong` gets
/// several at once, and says which one is the first wrong one, and what is wrong with it.
///
/// # Errors
/// Those of `first_wrong`.
pub fn smallest<T: PartialEq, W, E>(
    count: usize,
    make: Make<T>,
    mut first_wrong: impl FnMut(&[&T]) -> std::result::Result<Option<(usize, W)>, E>,
) -> std::result::Result<Option<Smallest<T, W>>, E> {
    let begun = Instant::now();
    let all = values(count, make, seed());
    let Some((first, mut wrong)) = first_wrong(&borrowed(&all))? else { return Ok(None) };
    let mut found = all.into_iter().nth(first).expect("one of them");

    // What takes so long that it is ended is not tried again.
    let is_time = || begun.elapsed() < TIME * slowness();
    let mut step = 0;
    'smaller: while step < STEPS {
        step += 1;
        let mut smaller = found.smaller(make);
        while !smaller.is_empty() && is_time() {
            let rest = smaller.split_off(smaller.len().min(AT_ONCE));
            if let Some((first, still)) = first_wrong(&borrowed(&smaller))? {
                wrong = still;
                found = smaller.into_iter().nth(first).expect("one of them");
                continue 'smaller;
            }
            smaller = rest;
        }
        break;
    }
    Ok(Some(Smallest { value: found.value, wrong }))
}

/// A list of at most `count` items. What is left out of its bytes for one item
/// leaves the others as they are.
///
/// # Errors
/// Those of `item`.
pub fn list<T>(
    choices: &mut Unstructured,
    count: usize,
    mut item: impl FnMut(&mut Unstructured) -> Result<T>,
) -> Result<Vec<T>> {
    let mut items = Vec::new();
    while items.len() < count && choices.int_in_range(0..=5u8)? > 0 {
        items.push(item(choices)?);
    }
    Ok(items)
}

/// At most `count` pieces of text, one after the other: choose those that have a
/// meaning for the function, and some that have none.
///
/// # Errors
/// There are no pieces.
pub fn text(choices: &mut Unstructured, pieces: &[&[u8]], count: usize) -> Result<Vec<u8>> {
    Ok(list(choices, count, |choices| choices.choose(pieces).copied())?.concat())
}

/// A value, and the bytes that it was made of.
struct Generated<T> {
    value: T,
    bytes: Vec<u8>,
}

impl<T: PartialEq> Generated<T> {
    /// Makes a value of bytes, if they are enough.
    fn from(mut bytes: Vec<u8>, make: Make<T>) -> Option<Generated<T>> {
        let mut choices = Unstructured::new(&bytes);
        let value = make(&mut choices).ok()?;
        let used = bytes.len() - choices.len();
        bytes.truncate(used);
        Some(Generated { value, bytes })
    }

    /// Values that may be smaller, those first that have lost most. Each has fewer
    /// bytes or a lower one, so that there is an end to it.
    fn smaller(&self, make: Make<T>) -> Vec<Generated<T>> {
        let count = self.bytes.len();
        let mut all = Vec::new();
        let mut add = |bytes| {
            let others = Generated::from(bytes, make).filter(|other| other.value != self.value);
            all.extend(others);
        };
        // 1. Without a part.
        let mut length = count;
        while length > 0 {
            for start in (0..=count - length).step_by(length.div_ceil(4)) {
                let mut bytes = self.bytes.clone();
                bytes.drain(start..start + length);
                add(bytes);
            }
            length = if length > 8 { length / 2 } else { length - 1 };
        }
        // 2. With lower bytes.
        for (at, byte) in self.bytes.iter().enumerate() {
            for lower in [0, 1, 2, 3, byte / 2, byte.saturating_sub(1)] {
                if lower < *byte {
                    let mut bytes = self.bytes.clone();
                    bytes[at] = lower;
                    add(bytes);
                }
            }
        }
        all
    }
}

fn borrowed<T>(all: &[Generated<T>]) -> Vec<&T> {
    all.iter().map(|it| &it.value).collect()
}

/// Values from a seed; the first ones have few bytes, and so they are small.
fn values<T: PartialEq>(count: usize, make: Make<T>, seed: u64) -> Vec<Generated<T>> {
    let bytes = |nth: usize| {
        let block = |block: usize| {
            let what = [seed, nth as u64, block as u64].map(u64::to_le_bytes);
            Sha256::digest(what.as_flattened())
        };
        let bytes = (0..).flat_map(block);
        bytes.take(4 + 150 * nth / count).collect()
    };
    (0..count).filter_map(|nth| Generated::from(bytes(nth), make)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(choices: &mut Unstructured) -> Result<Vec<u16>> {
        list(choices, 10, |choices| choices.int_in_range(0..=1_000))
    }

    fn smallest_with(is_wrong: fn(&[u16]) -> bool) -> Option<Vec<u16>> {
        let found = smallest(300, numbers, |all| {
            let first = all.iter().position(|value| is_wrong(value));
            std::result::Result::<_, ()>::Ok(first.map(|first| (first, ())))
        });
        found.expect("no errors").map(|found| found.value)
    }

    #[test]
    fn it_finds_the_smallest_value() {
        assert_eq!(smallest_with(|it| it.len() > 2), Some(vec![0, 0, 0]));
        assert_eq!(smallest_with(|it| it.iter().any(|number| *number > 77)), Some(vec![78]));
        assert_eq!(smallest_with(|it| !it.is_sorted()), Some(vec![1, 0]));
        assert_eq!(smallest_with(|it| it.contains(&2_000)), None);
    }

    #[test]
    fn one_seed_makes_the_same_values_in_each_run() {
        let of =
            |seed| values(300, numbers, seed).into_iter().map(|it| it.value).collect::<Vec<_>>();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
