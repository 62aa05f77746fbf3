//! enter, where one of its steps fails.

use labkit::calls::Calls;
use labkit::failing;
use labkit::frame::{Rules, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;
use nix::libc;

use crate::birth::FORK;
use crate::container::FAST;
use crate::endings::FAILED;
use crate::entered::{Entered, FUNCTION, Given, in_words, observe, observe_so, rules};

/// The calls by which a process enters a container.
const STEPS: &[Calls] = &[("setns", &[libc::SYS_setns]), FORK];

pub fn failure(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Entered> = rules(&[&[
        rule("failed-step-ignored", |it| it.command.is_some()),
        rule("wrong-failure-code", |it| it.seen.returned.is_ok()),
    ]]);
    // An answer that is wrong all the same is not blamed for that here.
    if !observe(host, Given::Path, FAST)?.is_inside() {
        return Ok(());
    }
    failing::each(|nth| {
        let facts =
            observe_so(host, Given::Path, FAST, |call| call.failing(nth, STEPS, Errno::EPERM))?;
        let Some(failed) = facts.seen.failed else { return Ok(false) };
        let is_told = match &facts.seen.returned {
            Err(_) => true,
            Ok(code) => *code == FAILED,
        };
        // What it went without was not needed.
        let kept = if facts.command.is_some() { facts.is_inside() } else { is_told };
        RULES.judge(&facts, kept, || {
            let call = format!("{FUNCTION}(PID, …) while {failed} fails with EPERM");
            let mut evidence =
                vec![Evidence::differs(call, FAILED, in_words(&facts.seen.returned))];
            if facts.command.is_some() {
                evidence.push(Evidence::differs(
                    "execve(…), outside the container or only partly in it",
                    "-",
                    "Ok",
                ));
            }
            evidence
        })?;
        Ok(true)
    })
}
