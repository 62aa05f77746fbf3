//! Which calls a command makes, as strace has seen them.

use super::calls::{Call, LEFT_OUT, named};

/// A call that a process has made.
#[derive(Debug, Clone, Copy)]
pub struct Occurrence {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub call: &'static Call,
    /// How many there had been of this name, this one included.
    pub number: usize,
}

/// The calls that a process makes from its first own action on: not those by
/// which the C library and the Rust library make ready. The last thing that
/// Rust's does is to handle SIGBUS, for the overflow of a stack. A child is a
/// copy of its parent, and has no such beginning.
///
/// # Errors
/// There is a call that [`named`] does not know of.
pub fn occurrences(log: &str) -> Result<Vec<Occurrence>, String> {
    let lines: Vec<&str> = log.lines().collect();
    let begins = lines.iter().rposition(|line| line.starts_with("rt_sigaction(SIGBUS, {"));
    let begins = begins.filter(|_| log.starts_with("execve("));
    let mut seen = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some((name, _)) = line.split_once('(').filter(|_| !line.starts_with(['-', '+'])) else {
            continue;
        };
        names.push(name);
        if begins.is_some_and(|begins| index <= begins) || LEFT_OUT.contains(&name) {
            continue;
        }
        let (name, call) =
            named(name).ok_or_else(|| format!("a call that is in no list here: {line}"))?;
        seen.push(Occurrence { name, call, number: names.iter().filter(|n| **n == name).count() });
    }
    Ok(seen)
}
