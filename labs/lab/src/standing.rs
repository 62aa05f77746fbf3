//! How far a student is with a lab.

use labkit::lab::{Lab, PromiseText};
use labkit::look::Look;
use labkit::need::Lacking;
use labkit::record::{Records, Report};
use labkit::verdict::Verdict;

/// What is known of one promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Kept,
    Broken,
    NotWritten,
    NotGradable(Lacking),
    NotGraded,
}

/// What is known of a whole lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabState {
    /// Every promise that could be graded is kept.
    Done,
    UnderWay,
    NotBegun,
    /// Something of it was kept before a reset.
    BegunAgain,
}

/// How far a student is with a lab.
pub struct Standing<'a> {
    pub promises: Vec<(&'a PromiseText, State)>,
}

impl State {
    fn of(verdict: &Verdict) -> State {
        match verdict {
            Verdict::Kept => State::Kept,
            Verdict::Broken(_) if verdict.is_not_written() => State::NotWritten,
            Verdict::Broken(_) => State::Broken,
            Verdict::NotGradable(lacking) => State::NotGradable(*lacking),
        }
    }

    /// Its name, in machine-readable reports and in the texts.
    pub fn key(self) -> &'static str {
        match self {
            State::Kept => "kept",
            State::Broken => "broken",
            State::NotWritten => "not-written",
            State::NotGradable(_) => "not-gradable",
            State::NotGraded => "not-graded",
        }
    }

    pub fn symbol(self, look: Look) -> String {
        match self {
            State::Kept => look.styled(GREEN, "✓"),
            State::Broken => look.styled(RED, "✗"),
            State::NotGradable(_) => look.styled(YELLOW, "–"),
            State::NotWritten | State::NotGraded => look.dim("·"),
        }
    }
}

impl LabState {
    /// Its name in the texts.
    pub fn key(self) -> &'static str {
        match self {
            LabState::Done => "done",
            LabState::UnderWay => "under-way",
            LabState::NotBegun => "not-begun",
            LabState::BegunAgain => "begun-again",
        }
    }

    pub fn symbol(self, look: Look) -> String {
        match self {
            LabState::Done => State::Kept.symbol(look),
            LabState::UnderWay => look.styled(YELLOW, "…"),
            LabState::NotBegun | LabState::BegunAgain => State::NotGraded.symbol(look),
        }
    }
}

/// See console_codes(4).
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

impl<'a> Standing<'a> {
    /// By the last report. What that could not grade counts as kept if it was at
    /// another time: by root, or in a VM.
    pub fn of(records: &Records, lab: &'a Lab) -> Standing<'a> {
        let report = records.report(lab).unwrap_or_default();
        let kept = records.progress(lab).kept;
        let mut standing = Standing::in_report(lab, &report);
        for (promise, state) in &mut standing.promises {
            if matches!(state, State::NotGradable(_)) && kept.contains_key(&promise.name) {
                *state = State::Kept;
            }
        }
        standing
    }

    /// By one report alone.
    pub fn in_report(lab: &'a Lab, report: &Report) -> Standing<'a> {
        let state = |promise: &PromiseText| {
            report.verdicts.get(&promise.name).map_or(State::NotGraded, State::of)
        };
        Standing { promises: lab.promises.iter().map(|it| (it, state(it))).collect() }
    }

    pub fn count(&self, key: &str) -> usize {
        self.promises.iter().filter(|(_, state)| state.key() == key).count()
    }

    pub fn kept(&self) -> usize {
        self.count(State::Kept.key())
    }

    pub fn total(&self) -> usize {
        self.promises.len()
    }

    /// The promise to work on: the first that is broken, else the first that is
    /// still to be written.
    pub fn first_open(&self) -> Option<&'a PromiseText> {
        [State::Broken, State::NotWritten, State::NotGraded].iter().find_map(|wanted| {
            self.promises.iter().find(|(_, state)| state == wanted).map(|(promise, _)| *promise)
        })
    }

    pub fn lab_state(&self) -> LabState {
        match (self.first_open(), self.kept() + self.count(State::Broken.key())) {
            (_, 0) => LabState::NotBegun,
            (None, _) => LabState::Done,
            (Some(_), _) => LabState::UnderWay,
        }
    }
}
