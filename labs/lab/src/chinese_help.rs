//! The help in Chinese.

/// Each command's whole help, below a line `=== ITS NAME`.
pub const HELP: &str = include_str!("help.zh.txt");

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use mydocker_chinese::help;

    use super::*;
    use crate::command_line::Cli;

    #[test]
    fn the_chinese_help_names_every_command_option_and_value() {
        let mut command = Cli::command();
        command.build();
        let whole = help::of(HELP, "lab").expect("the help of lab");
        for subcommand in command.get_subcommands() {
            let name = subcommand.get_name();
            assert!(whole.contains(&format!("  {name} ")), "no {name} in\n{whole}");
            if name == "help" {
                continue;
            }
            let help = help::of(HELP, &format!("lab {name}"));
            let help = help.unwrap_or_else(|| panic!("no help of {name}"));
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
