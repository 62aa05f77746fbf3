//! The help of a command and its subcommands, from one text.

use clap::Command;

/// Gives `command` and its subcommands the help that `texts` has for them: each
/// below a line `=== NAME`, such as `=== mydocker run`.
pub fn with_help(command: Command, texts: &'static str) -> Command {
    let name = command.get_name().to_owned();
    translated(command, texts, &name)
}

fn translated(command: Command, texts: &'static str, name: &str) -> Command {
    let help = of(texts, name);
    let command = help.map_or(command.clone(), |help| command.override_help(help));
    command.mut_subcommands(|subcommand| {
        let name = format!("{name} {}", subcommand.get_name());
        translated(subcommand, texts, &name)
    })
}

/// The help that `texts` has for the command with this name, if it has one.
pub fn of(texts: &'static str, name: &str) -> Option<&'static str> {
    let mut all = texts.split("=== ").filter_map(|text| text.split_once('\n'));
    all.find(|(called, _)| *called == name).map(|(_, help)| help)
}
