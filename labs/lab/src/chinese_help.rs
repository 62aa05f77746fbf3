//! The help in Chinese.

use clap::Command;

/// Each command's whole help, below a line `=== ITS NAME`.
const HELP: &str = include_str!("help.zh.txt");

/// The same command line with Chinese help.
pub fn with_chinese_help(command: Command) -> Command {
    let name = command.get_name().to_owned();
    translated(command, &name)
}

fn translated(command: Command, name: &str) -> Command {
    let below = |subcommand: Command| {
        let name = format!("{name} {}", subcommand.get_name());
        translated(subcommand, &name)
    };
    match help(name) {
        Some(help) => command.override_help(help).mut_subcommands(below),
        None => command.mut_subcommands(below),
    }
}

/// The help of the command with this name, such as `lab grade`.
fn help(name: &str) -> Option<&'static str> {
    let (_, after) = HELP.split_once(&format!("=== {name}\n"))?;
    Some(after.split("\n=== ").next().unwrap_or(after))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::command_line::Cli;

    #[test]
    fn the_chinese_help_names_every_command_option_and_value() {
        let mut command = Cli::command();
        command.build();
        let whole = help("lab").expect("the help of lab");
        for subcommand in command.get_subcommands() {
            let name = subcommand.get_name();
            assert!(whole.contains(&format!("  {name} ")), "no {name} in\n{whole}");
            if name == "help" {
                continue;
            }
            let help = help(&format!("lab {name}")).unwrap_or_else(|| panic!("no help of {name}"));
            for argument in subcommand.get_arguments() {
                let option = argument.get_long().map(|long| format!("--{long}"));
                let takes = argument.get_num_args().is_some_and(|count| count.takes_values());
                let values = argument.get_value_names().filter(|_| takes).unwrap_or_default();
                let names = option.into_iter().chain(values.iter().map(ToString::to_string));
                for expected in names {
                    assert!(help.contains(&expected), "{name}: no {expected} in\n{help}");
                }
            }
        }
    }

    #[test]
    fn no_line_of_it_is_an_english_sentence() {
        for line in HELP.lines().filter(|line| !line.is_empty() && !line.starts_with("===")) {
            let is_chinese = line.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
            assert!(is_chinese || line.starts_with("  ") || line.ends_with('。'), "{line}");
        }
    }
}
