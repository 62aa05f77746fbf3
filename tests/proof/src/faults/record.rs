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
/// which the C library and the Rust library make ready, also where it executes itself
/// once more. The last thing that Rust's does is to handle SIGBUS, for the overflow of a
/// stack. A child is a copy of its parent, and has no such beginning.
///
/// # Errors
/// There is a call that [`named`] does not know of.
pub fn occurrences(log: &str) -> Result<Vec<Occurrence>, String> {
    let mut seen = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    let mut is_ready = !log.starts_with("execve(");
    for line in log.lines() {
        let Some((name, _)) = line.split_once('(').filter(|_| !line.starts_with(['-', '+'])) else {
            continue;
        };
        names.push(name);
        if is_ready && !LEFT_OUT.contains(&name) {
            let (name, call) =
                named(name).ok_or_else(|| format!("a call that is in no list here: {line}"))?;
            let number = names.iter().filter(|other| **other == name).count();
            seen.push(Occurrence { name, call, number });
        }
        if line.starts_with("rt_sigaction(SIGBUS, {") {
            is_ready = true;
        } else if name.starts_with("execve") && line.ends_with("= 0") {
            is_ready = false;
        }
    }
    Ok(seen)
}
