//! `mydocker ps`.

use std::path::Path;

use clap::Args;
use mydocker::container::{self, Listed, State};
use mydocker_kernel::Result;
use mydocker_kernel::printable::printable;
use serde_json::{Value, json};

use super::containers::age;
use crate::{complain, print};

/// List the containers: running, kept, left over by a killed run
#[derive(Args)]
#[command(after_help = "\
PID is the number that the host gives the container's PID 1: /proc/PID/root has
its files, and mydocker mounts --pid PID shows its mount table.

running    its mydocker run is still alive
kept (0)   it has ended, with this exit code, and its run had --keep or -d
left over  its mydocker was killed before it could clean up: mydocker prune")]
pub struct Arguments {
    /// Also list those of run -d that have ended
    #[arg(short, long)]
    all: bool,
    /// Print only their names
    #[arg(short, long, conflicts_with = "json")]
    quiet: bool,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Lists the containers.
pub fn execute(root: &Path, arguments: &Arguments) -> Result<u8> {
    let (mut listed, failure) = container::list(root)?;
    listed.retain(|it| arguments.all || !has_ended_in_the_background(it));
    print(&match (arguments.json, arguments.quiet) {
        (true, _) => {
            let all: Vec<Value> = listed.iter().map(json).collect();
            serde_json::to_string_pretty(&all).expect("strings and numbers") + "\n"
        }
        (_, true) => listed.iter().map(|it| printable(&it.id) + "\n").collect(),
        _ => table(&listed),
    })?;
    let left_over = listed.iter().filter(|it| it.state == State::LeftOver).count();
    if left_over > 0 {
        complain(&format!("{left_over} left over by a killed run; clear with: mydocker prune"));
    }
    failure.map_or(Ok(0), Err)
}

fn has_ended_in_the_background(listed: &Listed) -> bool {
    let is_detached = listed.record.as_ref().is_some_and(|record| record.detached);
    listed.state == State::Kept && is_detached
}

fn state(listed: &Listed) -> &'static str {
    match listed.state {
        State::Running => "running",
        State::Kept => "kept",
        State::LeftOver => "left over",
    }
}

fn pid(listed: &Listed) -> Option<i32> {
    let record = listed.record.as_ref().filter(|_| listed.state == State::Running);
    record.map(|record| record.process.pid)
}

fn json(listed: &Listed) -> Value {
    let record = listed.record.as_ref();
    json!({
        "id": listed.id,
        "state": state(listed),
        "pid": pid(listed),
        "exit_code": listed.exit_code,
        "image": record.map(|record| &record.image),
        "driver": record.map(|record| record.driver.name()),
        "command": record.map(|record| &record.command),
        "created": record.map(|record| record.created),
    })
}

fn table(all: &[Listed]) -> String {
    let dash = || "-".to_owned();
    let mut text = format!(
        "{:<16} {:<8} {:<16} {:<10} {:<14} {}\n",
        "ID", "PID", "IMAGE", "STATE", "STARTED", "COMMAND"
    );
    for listed in all {
        let record = listed.record.as_ref();
        let pid = pid(listed).map_or_else(dash, |pid| pid.to_string());
        let started = record.map_or_else(dash, |record| age(record.created));
        // One line per container, whatever its command has in it; and names are
        // somebody else's, if the store is.
        let id = printable(&listed.id);
        let image = record.map_or_else(dash, |record| printable(&record.image));
        let command = record.map_or_else(dash, |record| record.command.join(" "));
        let command = command.escape_debug();
        let mut state = state(listed).to_owned();
        if let Some(code) = listed.exit_code {
            state += &format!(" ({code})");
        }
        text += &format!("{id:<16} {pid:<8} {image:<16} {state:<10} {started:<14} {command}\n");
    }
    text
}
