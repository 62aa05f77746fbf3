//! Functions that are judged by what they return: cases that are made by hand, and
//! generated ones.

use std::fmt::Display;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::act::Each;
use crate::call::{Call, Ended};
use crate::frame::{Facts, Rules};
use crate::generated::{self, Make};
use crate::host::Host;
use crate::verdict::{Evidence, Finding, HUNG, PANICKED};

/// An input, and what must come of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Case<I, E> {
    /// The input.
    pub input: I,
    /// What must come of it.
    pub expected: E,
}

/// What came of an input.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome<O> {
    /// The function returned this.
    Returned(O),
    /// It did not finish: the kit's finding.
    Died(Finding),
}

impl<O> Outcome<O> {
    /// For a reader: what was returned, as `show` shows it, otherwise how it ended.
    pub fn shown(&self, show: impl FnOnce(&O) -> String) -> String {
        match self {
            Outcome::Returned(output) => show(output),
            Outcome::Died(death) if death.code == PANICKED => "panic!".to_owned(),
            Outcome::Died(death) => death.code.clone(),
        }
    }
}

/// A case that is not right.
#[derive(Debug)]
pub struct Wrong<I, E, O> {
    /// The case.
    pub case: Case<I, E>,
    /// What came of it.
    pub outcome: Outcome<O>,
    /// What the answer has printed.
    pub printed: String,
    /// The seed that it was generated from, unless it was made by hand.
    pub seed: Option<u64>,
}

impl<I, E, O> Wrong<I, E, O> {
    /// The name of a piece of evidence, with the seed if there is one.
    pub fn what(&self, what: impl Display) -> String {
        match self.seed {
            Some(seed) => format!("{what}   ({}={seed})", generated::SEED),
            None => what.to_string(),
        }
    }

    /// What is wrong: what the rules say about it, otherwise how the function ended.
    pub fn finding<F: Facts>(
        &self,
        rules: &Rules<F>,
        facts: &F,
        evidence: impl IntoIterator<Item = Evidence>,
    ) -> Finding {
        let finding = rules.diagnose(facts).unwrap_or_else(|| match &self.outcome {
            Outcome::Died(death) => death.clone(),
            Outcome::Returned(_) => rules.finding("unforeseen", facts),
        });
        Finding { printed: self.printed.clone(), ..finding.with(evidence) }
    }
}

/// A case that was tried to learn something about the answer.
#[derive(Debug)]
pub struct Tried<I, E, O> {
    /// The case.
    pub case: Case<I, E>,
    /// What the function returned, if it did.
    pub output: Option<O>,
    /// Whether that is right.
    pub is_right: bool,
}

/// A function of the answer, as a grader calls it.
#[derive(Debug)]
pub struct Subject<'h, I, E, O> {
    host: &'h Host,
    act: &'static str,
    function: &'static str,
    is_right: fn(&E, &O) -> bool,
    input: std::marker::PhantomData<fn(I)>,
}

/// How many cases are generated.
const COUNT: usize = 300;

/// The ends of a function that its input explains.
const DEATHS: [&str; 4] = [PANICKED, HUNG, "answer/killed-by-signal", "answer/exited"];

impl<'h, I, E, O> Subject<'h, I, E, O>
where
    I: Serialize + PartialEq,
    E: PartialEq,
    O: DeserializeOwned,
{
    /// The function that `act` is about; `is_right` says whether what it returned is
    /// what was expected.
    pub fn new<A>(
        host: &'h Host,
        act: &Each<A, I, O>,
        is_right: fn(&E, &O) -> bool,
    ) -> Subject<'h, I, E, O> {
        let input = std::marker::PhantomData;
        Subject { host, act: act.name, function: act.function, is_right, input }
    }

    /// Judges it by some cases; `explain` says what is wrong with the first one that fails.
    ///
    /// # Errors
    /// A case fails, or the function did something that has nothing to do with its input.
    pub fn judge(
        &self,
        cases: Vec<Case<I, E>>,
        explain: impl FnOnce(&Self, Wrong<I, E, O>) -> Finding,
    ) -> Result<(), Finding> {
        let Some((nth, came)) = self.first_of(&cases.iter().collect::<Vec<_>>())? else {
            return Ok(());
        };
        let case = cases.into_iter().nth(nth).expect("one of them");
        Err(explain(self, self.wrong(case, came, None)))
    }

    /// Judges it by generated cases, and explains the smallest one that fails; but first by
    /// those that are `known`, because these have a name. See [`generated`].
    ///
    /// # Errors
    /// As [`Subject::judge`].
    pub fn judge_any(
        &self,
        known: Vec<Case<I, E>>,
        make: Make<Case<I, E>>,
        explain: impl Fn(&Self, Wrong<I, E, O>) -> Finding,
    ) -> Result<(), Finding> {
        self.judge(known, &explain)?;
        let found = generated::smallest(COUNT, make, |cases| self.first_of(cases))?;
        found.map_or(Ok(()), |found| {
            let seed = Some(generated::seed());
            Err(explain(self, self.wrong(found.value, found.wrong, seed)))
        })
    }

    /// Tries cases each of which is hard in one way, to tell what an answer fails at.
    pub fn try_each<const COUNT: usize>(
        &self,
        cases: [Case<I, E>; COUNT],
    ) -> [Tried<I, E, O>; COUNT] {
        let inputs = cases.iter().map(|case| &case.input).collect();
        let mut outputs = self.outputs(inputs).into_iter();
        cases.map(|case| {
            let output = outputs.next().flatten();
            let is_right = output.as_ref().is_some_and(|it| (self.is_right)(&case.expected, it));
            Tried { case, output, is_right }
        })
    }

    /// What the function returns for each input, where it does.
    fn outputs(&self, inputs: Vec<&I>) -> Vec<Option<O>> {
        let ended = match self.returned(inputs.clone()) {
            Ok((outputs, _)) => return outputs.into_iter().map(Some).collect(),
            Err(ended) => ended,
        };
        let at = ended.at.min(inputs.len() - 1);
        let (before, after) = (inputs[..at].to_vec(), inputs[at + 1..].to_vec());
        let mut outputs = if at > 0 { self.outputs(before) } else { Vec::new() };
        outputs.push(None);
        // After one endless loop, there is no need to wait for the next.
        if !after.is_empty() && ended.finding.code != HUNG {
            outputs.extend(self.outputs(after));
        }
        outputs
    }

    /// The first of the cases that is not right, and what came of it.
    fn first_of(&self, cases: &[&Case<I, E>]) -> Result<Option<(usize, Came<O>)>, Finding> {
        let inputs = || cases.iter().map(|case| &case.input);
        let ended = match self.returned(inputs().collect()) {
            Ok(came) => return Ok(self.wrong_of(cases, came)),
            Err(ended) => ended,
        };
        if !DEATHS.contains(&ended.finding.code.as_str()) {
            return Err(ended.finding);
        }
        // What came of those before it was lost with the process.
        let at = ended.at.min(cases.len() - 1);
        if at > 0
            && let Ok(came) = self.returned(inputs().take(at).collect())
            && let Some(wrong) = self.wrong_of(cases, came)
        {
            return Ok(Some(wrong));
        }
        let printed = ended.finding.printed.clone();
        Ok(Some((at, (Outcome::Died(ended.finding), printed))))
    }

    fn wrong_of(
        &self,
        cases: &[&Case<I, E>],
        (outputs, printed): (Vec<O>, String),
    ) -> Option<(usize, Came<O>)> {
        let mut pairs = cases.iter().zip(outputs).enumerate();
        let (nth, (_, output)) =
            pairs.find(|(_, (case, output))| !(self.is_right)(&case.expected, output))?;
        Some((nth, (Outcome::Returned(output), printed)))
    }

    fn wrong(
        &self,
        case: Case<I, E>,
        (outcome, printed): Came<O>,
        seed: Option<u64>,
    ) -> Wrong<I, E, O> {
        // Of all that was printed, what was printed for this input.
        let printed = if printed.is_empty() {
            printed
        } else {
            let alone = self.returned(vec![&case.input]);
            alone.map_or_else(|ended| ended.finding.printed, |(_, printed)| printed)
        };
        Wrong { case, outcome, printed, seed }
    }

    /// What the function returns for each input, and what it prints.
    fn returned(&self, inputs: Vec<&I>) -> Result<(Vec<O>, String), Ended> {
        let seen = Call::new(self.host, self.act, self.function, inputs).make_each()?;
        Ok((seen.returned, seen.printed))
    }
}

/// What came of an input, and what was printed.
type Came<O> = (Outcome<O>, String);
