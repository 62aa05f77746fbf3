//! Whether a command has kept its promise when a call was changed.

use std::os::unix::process::ExitStatusExt;

use nix::libc;

use super::strace::{Ended, Fate, Injection, Who};

/// How a promise was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The command did what it would have done.
    Survived,
    /// It said which call failed, and why.
    Refused,
    /// It was killed, or the container was.
    Killed,
    /// It never made the call, and did what it would have done.
    NotReached,
}

/// What is known of the command.
pub struct Expected<'a> {
    /// How it ends undisturbed.
    pub usual: &'a Ended,
    /// What it makes then.
    pub made: &'a str,
    /// The process that makes the call.
    pub who: Who,
    /// The call, and what becomes of it.
    pub injection: &'a Injection,
}

impl Expected<'_> {
    /// Judges how it has ended and what it has made.
    ///
    /// # Errors
    /// What was promised otherwise.
    pub fn judge(&self, ended: &Ended, made: &str) -> Result<Verdict, String> {
        if !made.is_empty() && made != self.made {
            return Err(format!("made neither all nor nothing: {made}"));
        }
        // What cannot be written to stderr cannot be read there.
        let unheard = ended
            .log
            .lines()
            .any(|line| line.starts_with("write(2, ") && line.ends_with("(INJECTED)"));
        let as_usual = ended.status == self.usual.status
            && ended.stdout == self.usual.stdout
            && (ended.stderr == self.usual.stderr || unheard)
            && made == self.made;
        if ended.stderr.contains("panicked") {
            return Err("a panic".into());
        }
        match self.injection.fate {
            _ if !ended.was_hit() && as_usual => Ok(Verdict::NotReached),
            _ if !ended.was_hit() => Err("not reached, and yet it is not as usual".into()),
            Fate::Kill if self.who == Who::Parent => match ended.status.signal() {
                Some(libc::SIGKILL) => Ok(Verdict::Killed),
                _ => Err("not killed".into()),
            },
            Fate::Kill => match ended.status.code() {
                Some(137) => Ok(Verdict::Killed),
                _ => Err("the container was killed: that is exit code 137".into()),
            },
            Fate::Error(_) if as_usual => Ok(Verdict::Survived),
            Fate::Error(errno) => self.judge_message(ended, errno),
        }
    }

    fn judge_message(&self, ended: &Ended, errno: &str) -> Result<Verdict, String> {
        if !matches!(ended.status.code(), Some(125..=127)) {
            return Err(format!(
                "neither as usual nor refused; as usual would be: {}",
                difference(&self.usual.stdout, &ended.stdout)
            ));
        }
        // As in: mkdir("/x") => EIO (Input/output error)
        let names_it = ended.stderr.lines().any(|line| {
            line.split_once(&format!(" => {errno} (")).is_some_and(|(call, _)| call.contains('('))
        });
        if names_it {
            Ok(Verdict::Refused)
        } else {
            Err("no word of which call failed, and why".into())
        }
    }
}

/// The lines that only one of two texts has.
fn difference(usual: &str, seen: &str) -> String {
    let only = |a: &str, b: &str, sign: &str| {
        let lines = a.lines().filter(|line| !b.lines().any(|other| other == *line));
        lines.map(|line| format!("\n{sign} {line}")).collect::<String>()
    };
    only(usual, seen, "-") + &only(seen, usual, "+")
}

/// The same on every ground, and where the kernel refuses to join the layers without
/// writing them to the disk, as before Linux 5.10: then they are joined with it.
pub fn without_name(ended: Ended, name: &str) -> Ended {
    let without = |text: String| {
        text.replace(name, "NAME").replace(",fsync=volatile", "").replace(",volatile", "")
    };
    Ended { stdout: without(ended.stdout), stderr: without(ended.stderr), ..ended }
}
