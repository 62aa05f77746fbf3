//! Chinese, if the reader wants that. Only help and mistakes cost time.

use std::env;

/// Each command's whole help, below a line `=== ITS NAME`.
pub const HELP: &str = include_str!("help.zh.txt");

/// Whether the reader wants Chinese: by `$LAB_LANG`, as in the labs, else by the
/// locale. See locale(7).
pub fn is_wanted() -> bool {
    let variables = ["LAB_LANG", "LC_ALL", "LC_MESSAGES", "LANG"];
    let mut set = variables.into_iter().filter_map(env::var_os);
    set.find(|value| !value.is_empty())
        .is_some_and(|value| value.as_encoded_bytes().starts_with(b"zh"))
}

/// Why a value is refused, in the reader's language.
pub fn reason(english: impl Into<String>, chinese: impl Into<String>) -> String {
    if is_wanted() { chinese.into() } else { english.into() }
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory};
    use mydocker_chinese::help;

    use super::*;

    /// A command and all below it, with their names.
    fn all(command: &Command, name: String) -> Vec<(String, Command)> {
        let below = command.get_subcommands().filter(|it| it.get_name() != "help");
        let below = below.flat_map(|it| all(it, format!("{name} {}", it.get_name())));
        [(name.clone(), command.clone())].into_iter().chain(below).collect()
    }

    /// The options, arguments, values and subcommands that a help must name.
    fn names(command: &Command) -> Vec<String> {
        let subcommands = command.get_subcommands().map(|it| format!("  {}", it.get_name()));
        let mut names: Vec<String> = subcommands.collect();
        for argument in command.get_arguments() {
            names.extend(argument.get_long().map(|long| format!("--{long}")));
            if argument.get_num_args().is_some_and(|count| count.takes_values()) {
                let values = argument.get_value_names().unwrap_or_default();
                names.extend(values.iter().map(ToString::to_string));
            }
        }
        names
    }

    #[test]
    fn the_chinese_help_names_what_the_english_names() {
        let mut command = crate::Cli::command();
        command.build();
        for (name, command) in all(&command, "mydocker".to_owned()) {
            let help =
                help::of(HELP, &name).unwrap_or_else(|| panic!("no Chinese help for {name}"));
            for expected in names(&command) {
                assert!(help.contains(&expected), "{name}: no {expected} in\n{help}");
            }
        }
    }

    #[test]
    fn no_line_is_an_english_sentence_or_wider_than_a_terminal() {
        for line in HELP.lines().filter(|line| !line.starts_with("===")) {
            let is_wide = |c: &char| *c >= '\u{2e80}';
            let columns = line.chars().count() + line.chars().filter(is_wide).count();
            assert!(columns <= 92, "{columns} columns: {line}");
            let is_chinese = line.chars().any(|c| is_wide(&c));
            let is_example = line.starts_with("  ") || line.is_empty();
            assert!(is_chinese || is_example, "English: {line}");
        }
    }
}
