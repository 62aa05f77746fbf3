//! `lab show`: what is asked, and the last report again.

use clap::Args;
use labkit::contract::Contract;
use labkit::lab::{Lab, PromiseText};
use labkit::record::Report;
use labkit::report;
use rust_i18n::t;

use crate::checkout::CHECK;
use crate::contract;
use crate::session::{Session, promise_called};
use crate::standing::Standing;
use crate::tell::{explain, explain_each, head, promises, say_if_outdated};
use crate::trouble::Trouble;

/// Show what a lab asks of each function, and the last grade with its evidence
///
/// Mount tables and file trees are drawn as the grader saw them. If several
/// promises on one function got the same diagnosis, one of them is shown, and the
/// others are named below it.
#[derive(Args)]
pub struct Arguments {
    /// Which lab; the next one if you name none. `check`: the program checked last
    lab: Option<String>,
    /// Only this promise, or only the contract of this function
    #[arg(value_name = "PROMISE|FUNCTION")]
    only: Option<String>,
}

pub fn execute(session: &Session, arguments: &Arguments) -> Result<(), Trouble> {
    let lab = session.lab_or_check(arguments.lab.as_deref())?;
    // Whoever checks a program of their own has no function to write.
    let is_check = lab.number == CHECK;
    let contracts = if is_check { Vec::new() } else { contract::all(session, lab)? };
    let is_called = |it: &&Contract| Some(it.function.as_str()) == arguments.only.as_deref();
    if let Some(contract) = contracts.iter().find(is_called) {
        println!("{}", contract::text(contract, session, lab));
        return Ok(());
    }
    let promise = arguments.only.as_deref().map(|name| promise_called(lab, name)).transpose()?;
    let report = session.records.report(lab);
    if promise.is_none() {
        show_contracts(session, lab, &contracts);
    }
    let Some(report) = report else {
        return match promise {
            _ if is_check => Err(Trouble::NothingChecked),
            Some(_) => Err(Trouble::NotGraded { lab: lab.number.clone() }),
            None => {
                let number = &lab.number;
                println!("{}", t!("show.not-graded", locale = session.locale(), lab = number));
                Ok(())
            }
        };
    };
    println!("{}", head(session, lab, &report));
    say_if_outdated(session, lab, &report);
    if !report.graders_changed.is_empty() {
        println!("{}", report::graders_changed(&report.graders_changed, session.language));
    }

    let standing = Standing::in_report(lab, &report);
    match promise {
        Some(promise) => show_one(session, lab, promise, &standing, &report),
        None => {
            println!("{}", promises(session, &standing));
            explain_each(session, lab, &standing, &report);
        }
    }
    Ok(())
}

/// What is asked of each function; the report comes last, as that is what a
/// terminal still shows then.
fn show_contracts(session: &Session, lab: &Lab, contracts: &[Contract]) {
    for contract in contracts {
        println!("{}\n", contract::text(contract, session, lab));
    }
}

fn show_one(
    session: &Session,
    lab: &Lab,
    promise: &PromiseText,
    standing: &Standing,
    report: &Report,
) {
    let only = standing.promises.iter().filter(|(it, _)| it.name == promise.name);
    println!("{}", promises(session, &Standing { promises: only.copied().collect() }));
    println!();
    explain(session, lab, promise, report);
}
