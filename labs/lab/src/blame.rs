//! Which promise to work on first.

use std::fs;

use labkit::lab::{Lab, PromiseText};
use labkit::record::Report;
use labkit::verdict::{HUNG, Verdict};

use crate::session::Session;
use crate::standing::Standing;

/// The first promise that is not kept; but where its function hangs and calls
/// another one of the student's that hangs too, the first promise of that one:
/// a loop without end is in the function that is called.
pub fn to_mend<'a>(
    session: &Session,
    lab: &Lab,
    standing: &Standing<'a>,
    report: &Report,
) -> Option<&'a PromiseText> {
    let mut blamed = standing.first_open()?;
    let hangs = |promise: &PromiseText| {
        report.verdicts.get(&promise.name).and_then(Verdict::code) == Some(HUNG)
    };
    if !hangs(blamed) {
        return Some(blamed);
    }
    let source = session.checkout.folder(lab).join("src/lib.rs");
    let source = fs::read_to_string(source).unwrap_or_default();
    // Functions that call each other are no reason to go round for ever.
    for _ in 0..lab.functions.len() {
        let is_called = |promise: &PromiseText| {
            promise.function != blamed.function
                && calls(&source, &blamed.function, &promise.function)
        };
        let mut promises = standing.promises.iter().map(|(promise, _)| *promise);
        match promises.find(|promise| hangs(promise) && is_called(promise)) {
            Some(called) => blamed = called,
            None => break,
        }
    }
    Some(blamed)
}

/// Whether a function of a source file names another one in its body.
fn calls(source: &str, caller: &str, called: &str) -> bool {
    let begins = |line: &str| line.trim_start_matches("pub ").starts_with(&format!("fn {caller}("));
    let body = source.lines().skip_while(|line| !begins(line)).skip(1);
    let body = body.take_while(|line| !line.starts_with('}'));
    let mut words = body.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
    words.any(|word| word == called)
}

#[cfg(test)]
mod tests {
    use super::calls;

    const SOURCE: &str = "\
pub fn wait(pid: Pid) -> io::Result<i32> {
    waitpid(pid, None).map(exit_code)
}

pub fn exit_code(status: WaitStatus) -> i32 {
    loop {}
}
";

    #[test]
    fn a_call_is_found_in_the_body_of_the_caller_only() {
        assert!(calls(SOURCE, "wait", "exit_code"));
        assert!(!calls(SOURCE, "exit_code", "wait"));
        assert!(!calls(SOURCE, "wait", "exit"));
        assert!(!calls(SOURCE, "start", "wait"));
    }
}
