//! What a lab asks of each function, in the student's language.

use std::fs;

use labkit::contract::{self, Contract};
use labkit::lab::Lab;
use labkit::language::Language;

use crate::session::Session;
use crate::trouble::Trouble;

/// Those of a lab, in the order of the file. They are read from what the
/// student's file began as: that one is still whole.
///
/// # Errors
/// The starter's file is not there.
pub fn all(session: &Session, lab: &Lab) -> Result<Vec<Contract>, Trouble> {
    let answers = session.checkout.answers(lab);
    let Some(answer) = answers.first() else { return Ok(Vec::new()) };
    let starter = fs::read_to_string(&answer.starter);
    let starter = starter.map_err(|error| Trouble::cannot("read", &answer.starter, error))?;
    Ok(contract::parse(&starter))
}

/// A contract as it is printed.
pub fn text(contract: &Contract, session: &Session, lab: &Lab) -> String {
    let chinese = match session.language {
        Language::English => None,
        Language::Chinese => lab.contracts_zh.get(&contract.function),
    };
    let mut lines = Vec::new();
    if !contract.signature.is_empty() {
        lines.push(session.look.bold(&contract.signature));
    }
    // The English is broken into lines already. A paragraph of the Chinese is one
    // line, except in a block, where the layout is part of the text.
    let is_wrapped = chinese.is_some();
    let mut is_block = false;
    for line in chinese.unwrap_or(&contract.english).trim().lines() {
        if line.starts_with("```") {
            is_block = !is_block;
        } else if is_wrapped && !is_block {
            lines.push(session.look.indented(2, line));
        } else {
            lines.push(format!("  {line}"));
        }
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}
