//! What a lab asks of each function: the comments in the file that its student begins
//! with.

/// The comment at the top of the file; `contracts_zh` calls it that too.
pub const FILE: &str = "file";

/// What is asked of one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// `unescape`; [`FILE`] for what the file says of all of them.
    pub function: String,
    /// `fn unescape(field: &[u8]) -> OsString`; nothing for the file.
    pub signature: String,
    /// The comment, without its slashes.
    pub english: String,
}

/// The comments of a source file that stand above its public functions, and the
/// one at its top if it says more than which lab this is.
pub fn parse(source: &str) -> Vec<Contract> {
    let mut contracts = Vec::new();
    let top: Vec<&str> = source.lines().map_while(|line| line.strip_prefix("//!")).collect();
    // The first line is the title, and where the task is.
    let english = comment(top.get(1..).unwrap_or_default());
    if !english.is_empty() {
        contracts.push(Contract { function: FILE.to_owned(), signature: String::new(), english });
    }
    let mut above = Vec::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        match (line.strip_prefix("///"), line.strip_prefix("pub fn ")) {
            (Some(text), _) => above.push(text),
            (None, Some(_)) => {
                let english = comment(&above);
                let function = line["pub fn ".len()..].split(['(', '<']).next();
                let mut signature = line["pub ".len()..].to_owned();
                // What does not fit into one line ends with its last one.
                while !signature.ends_with('{') {
                    let Some(next) = lines.next() else { break };
                    signature.push_str(next);
                }
                contracts.push(Contract {
                    function: function.unwrap_or_default().to_owned(),
                    signature: in_one_line(&signature),
                    english,
                });
                above.clear();
            }
            (None, None) => above.clear(),
        }
    }
    contracts
}

/// The lines of a comment without the space after their slashes.
fn comment(lines: &[&str]) -> String {
    let lines: Vec<&str> =
        lines.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n").trim().to_owned()
}

/// `fn f(a: A,    b: B,) {` becomes `fn f(a: A, b: B)`.
fn in_one_line(signature: &str) -> String {
    let words: Vec<&str> = signature.trim_end_matches('{').split_whitespace().collect();
    words.join(" ").replace("( ", "(").replace(",)", ")").replace(", )", ")")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
//! Lab 00: a test. The task is in README.md.
//!
//! A type is given.

use std::io;

/// Does it.
///
/// # Errors
/// It cannot.
pub fn one(path: &Path) -> io::Result<()> {
    todo!()
}

/// Of no function.
const NUMBER: u32 = 1;

pub fn two(
    first: u32,
    second: u32,
) -> u32 {
    todo!()
}
";

    #[test]
    fn a_contract_is_the_comment_above_a_function() {
        let contracts = parse(SOURCE);
        let found: Vec<_> = contracts
            .iter()
            .map(|it| (it.function.as_str(), it.signature.as_str(), it.english.as_str()))
            .collect();
        let one =
            ("one", "fn one(path: &Path) -> io::Result<()>", "Does it.\n\n# Errors\nIt cannot.");
        let two = ("two", "fn two(first: u32, second: u32) -> u32", "");
        assert_eq!(found, [("file", "", "A type is given."), one, two]);
    }
}
