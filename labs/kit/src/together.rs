//! Several answers at once, one of which waits for another.

use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::answering::{Answering, Outcome};
use crate::host::Host;
use crate::inside::Place;
use crate::limits::slowness;
use crate::supervised::end_all;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// If a process sleeps for so long, while all others have ended or sleep too, it waits
/// for something that cannot come.
pub(crate) fn asleep_for_good() -> Duration {
    Duration::from_millis(300) * slowness()
}

impl Host {
    /// Waits until each of the answers has ended, or can never end: then it is
    /// [`Outcome::Asleep`]. Meanwhile `attend` is called again and again.
    pub fn wait_for<const COUNT: usize>(
        &self,
        mut answers: [&mut Answering; COUNT],
        mut attend: impl FnMut(),
    ) -> [Outcome; COUNT] {
        let mut outcomes = [const { None }; COUNT];
        let mut awake = Instant::now();
        loop {
            attend();
            let mut all_sleep = true;
            for (answering, outcome) in answers.iter_mut().zip(&mut outcomes) {
                if outcome.is_none() {
                    *outcome = answering.outcome().or_else(|| answering.excess(&self.ground));
                    all_sleep &= outcome.is_some() || self.is_asleep(answering);
                }
            }
            if !all_sleep {
                awake = Instant::now();
            }
            if outcomes.iter().all(Option::is_some) || awake.elapsed() > asleep_for_good() {
                return outcomes.map(|outcome| outcome.unwrap_or(Outcome::Asleep));
            }
            sleep(LOOK_EVERY);
        }
    }

    /// Waits until the answer is asleep in a call, or has come to its end.
    pub fn wait_until_asleep(&self, answering: &mut Answering) {
        while answering.outcome().is_none()
            && answering.excess(&self.ground).is_none()
            && !self.is_asleep(answering)
        {
            sleep(LOOK_EVERY);
        }
    }

    /// Waits until the answer, or a process that it has started, stands still before the
    /// call that [`Call::standing_still`](crate::call::Call::standing_still) names, and
    /// returns its pid; nothing if the answer has come to its end without that call.
    pub fn wait_until_it_stands_still(&self, answering: &mut Answering) -> Option<Pid> {
        answering.stand_still(&self.ground)
    }

    /// Where the process of the answer is, as long as it exists.
    pub fn place(&self, answering: &Answering) -> Place<'_> {
        Place { proc: &self.ground.proc, pid: answering.pid }
    }

    /// Ends the answers and all that they have started, and keeps what they have
    /// printed.
    pub fn end_all<const COUNT: usize>(&self, mut answers: [Answering; COUNT]) {
        answers.iter_mut().for_each(Answering::end);
        end_all(&self.ground.proc);
        self.keep_printed(answers.iter_mut().map(Answering::printed).collect());
    }

    /// Whether its process waits for something. See proc_pid_stat(5).
    fn is_asleep(&self, answering: &Answering) -> bool {
        let stat = self.ground.proc.read(&format!("{}/stat", answering.pid)).unwrap_or_default();
        let stat = String::from_utf8_lossy(&stat);
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
    }
}
