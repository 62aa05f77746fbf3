//! Inputs to a function of the answer, and what comes of them.

use labkit::host::Host;
use labkit::verdict::Finding;
use nix::sched::CloneFlags;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// An input, and what must come of it.
pub struct Case<I, E> {
    pub input: I,
    pub expected: E,
}

/// What came of an input.
pub enum Outcome<O> {
    Returned(O),
    /// The function did not come to its end: the kit's finding.
    Died(Finding),
}

/// A case that is not right.
pub struct Wrong<'a, I, E, O> {
    pub case: &'a Case<I, E>,
    pub outcome: Outcome<O>,
    /// What the answer has printed.
    pub printed: String,
}

/// A function of the answer, as the grader calls it.
pub struct Subject<'a, I, E, O> {
    pub host: &'a Host,
    pub name: &'static str,
    pub call: &'a dyn Fn(&I) -> O,
    /// Whether it is what was expected.
    pub is_right: fn(&E, &O) -> bool,
}

/// The ends of a function that its input explains.
const DEATHS: [&str; 3] = ["answer/panicked", "answer/hung", "answer/killed-by-signal"];

impl<I, E, O: Serialize + DeserializeOwned> Subject<'_, I, E, O> {
    /// Finds the first case that is not right; if one is deadly, that one or one
    /// before it.
    ///
    /// # Errors
    /// The function did something that has nothing to do with its input.
    pub fn first_wrong<'a>(
        &self,
        cases: &'a [Case<I, E>],
    ) -> Result<Option<Wrong<'a, I, E, O>>, Finding> {
        // All in one process, for that is quick.
        let inputs: Vec<&I> = cases.iter().map(|case| &case.input).collect();
        let death = match self.returned(&inputs) {
            Ok((outputs, printed)) => {
                let mut pairs = cases.iter().zip(outputs);
                let wrong = pairs.find(|(case, output)| !(self.is_right)(&case.expected, output));
                return Ok(wrong.map(|(case, output)| {
                    let outcome = Outcome::Returned(output);
                    Wrong { case, outcome, printed }
                }));
            }
            Err(finding) => finding,
        };
        if !DEATHS.contains(&death.code.as_str()) {
            return Err(death);
        }
        if let [case] = cases {
            let printed = death.printed.clone();
            return Ok(Some(Wrong { case, outcome: Outcome::Died(death), printed }));
        }
        for case in cases {
            let outcome = self.outcome(&case.input)?;
            if !self.is_outcome_right(&case.expected, &outcome) {
                return Ok(Some(Wrong { case, outcome, printed: death.printed }));
            }
        }
        Err(death)
    }

    /// Whether the function is right in this case.
    pub fn is_right(&self, case: &Case<I, E>) -> bool {
        let outcome = self.outcome(&case.input);
        outcome.is_ok_and(|outcome| self.is_outcome_right(&case.expected, &outcome))
    }

    /// What the function returns for this input, if it does.
    pub fn output(&self, input: &I) -> Option<O> {
        let (outputs, _) = self.returned(&[input]).ok()?;
        outputs.into_iter().next()
    }

    fn outcome(&self, input: &I) -> Result<Outcome<O>, Finding> {
        match self.returned(&[input]) {
            Ok((mut outputs, _)) => Ok(Outcome::Returned(outputs.remove(0))),
            Err(finding) if DEATHS.contains(&finding.code.as_str()) => Ok(Outcome::Died(finding)),
            Err(finding) => Err(finding),
        }
    }

    fn is_outcome_right(&self, expected: &E, outcome: &Outcome<O>) -> bool {
        match outcome {
            Outcome::Returned(output) => (self.is_right)(expected, output),
            Outcome::Died(_) => false,
        }
    }

    /// What the function returns for each input, and what it prints.
    fn returned(&self, inputs: &[&I]) -> Result<(Vec<O>, String), Finding> {
        let call_all = || inputs.iter().map(|input| (self.call)(input)).collect::<Vec<O>>();
        let seen = self.host.call(self.name, CloneFlags::empty(), call_all)?;
        Ok((seen.returned, seen.printed))
    }
}
