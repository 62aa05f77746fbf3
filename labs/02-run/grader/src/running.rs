//! Whether the command runs at all, and why it does not.

use labkit::describe::result;
use labkit::frame::{Rule, Rules, rule};
use labkit::verdict::{Evidence, Finding};

use crate::LAB;
use crate::acts::START;
use crate::child::State;
use crate::container::Container;

/// Whether a promise is kept.
pub type Outcome = Result<(), Finding>;

/// The rules on start with those of one of its promises.
pub const fn rules(tables: &'static [&'static [Rule<Container>]]) -> Rules<Container> {
    Rules { lab: LAB, function: START.function, tables }
}

/// Why the command does not run, or why nothing more can be seen of it: then every
/// promise is broken for this reason.
pub const GENERAL: &[Rule<Container>] = &[
    rule("answer/returned-error", |it| it.seen.returned.is_err()),
    rule("answer/did-nothing", |it| it.looked.state == State::NoChild),
    rule("waits-by-a-pipe", |it| it.looked.has_waited && it.holds_a_pipe()),
    rule("start-waits", |it| it.looked.state == State::Reaped || it.looked.has_waited),
    rule("pid-1-ended", |it| {
        !it.runs() && it.looked.state_after == State::Ended(0) && it.looked.started > 1
    }),
    rule("command-never-ran", |it| !it.runs() && matches!(it.looked.state_after, State::Ended(_))),
];

pub const NO_MOUNT_NAMESPACE: &[Rule<Container>] =
    &[rule("no-mount-namespace", |it| !it.looked.is_new("mnt"))];

pub const NO_PID_NAMESPACE: &[Rule<Container>] = &[
    rule("process-between", |it| !it.looked.is_new("pid") && it.own_pid() == "1"),
    rule("unshare-without-fork", |it| {
        !it.looked.is_new("pid") && it.looked.is_other_for_children()
    }),
    rule("no-pid-namespace", |it| !it.looked.is_new("pid")),
];

/// Why nothing can be said of start at all.
pub static RUN: Rules<Container> = rules(&[GENERAL]);

impl Container {
    /// The command's PID as it knows it.
    pub fn own_pid(&self) -> &str {
        self.looked.command.as_ref().map_or("", |command| &command.own_pid)
    }

    /// The promise is kept if start has returned the pid of a process that runs
    /// the probe, and `kept`.
    pub fn judge(
        &self,
        rules: &Rules<Container>,
        kept: bool,
        evidence: impl FnOnce() -> Vec<Evidence>,
    ) -> Outcome {
        let returned = &self.seen.returned;
        let printed = self.seen.printed.clone();
        let kept = kept && returned.is_ok() && self.runs();
        let judged = rules.judge(self, kept, || {
            let mut all = vec![Evidence::differs("start(…)", "Ok", result(returned))];
            if returned.is_ok() {
                let state = if self.runs() { self.looked.state } else { self.looked.state_after };
                all.push(Evidence::differs("waitid(PID) after start", State::Running, state));
            }
            if self.runs() {
                all.extend(evidence());
            } else {
                all.push(Evidence::differs("execve(…)", "Ok", "-"));
            }
            all
        });
        judged.map_err(|finding| Finding { printed, ..finding })
    }
}
