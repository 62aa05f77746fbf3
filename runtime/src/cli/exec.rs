//! `mydocker exec`.

use std::ffi::OsString;
use std::io::{IsTerminal, stdin};
use std::path::{Path, PathBuf};

use clap::Args;
use mydocker::exec::{Spec, exec};
use mydocker::own_program;
use mydocker_kernel::{Error, Result};

/// Run one more command in a running container
#[derive(Args)]
#[command(after_help = "\
Examples:
  mydocker exec web ps                       what runs in it
  mydocker exec -ti web sh                   a shell on its own terminal
  mydocker exec -u nobody -w /tmp web id

Exit code: the command's own; 128+n if signal n ended it; 125 if mydocker failed;
126 if the command cannot be executed; 127 if it is not found.")]
pub struct Arguments {
    /// Give the command its own terminal
    #[arg(short = 't', long = "tty")]
    terminal: bool,
    /// Let the command read our stdin; otherwise it reads nothing
    #[arg(short = 'i', long)]
    interactive: bool,
    /// Set a variable, in addition to those of run; with the name alone, pass the host's
    /// value on
    #[arg(short = 'e', long = "env", value_name = "K=V|K")]
    environment: Vec<OsString>,
    /// The working directory in the container [default: that of run]
    #[arg(short = 'w', long = "workdir", value_name = "DIR")]
    working_dir: Option<PathBuf>,
    /// Who runs it: a name that the container knows, or a number [default: root]
    #[arg(short = 'u', long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// The container, as `mydocker ps` lists it
    container: String,
    /// The command; everything after it belongs to it
    #[arg(value_name = "CMD", required = true, trailing_var_arg = true)]
    command: Vec<OsString>,
}

/// Checks the arguments, then executes the command.
pub fn execute(root: &Path, arguments: Arguments) -> Result<u8> {
    if arguments.terminal && arguments.interactive && !stdin().is_terminal() {
        return Err(Error::new("-t and -i together need a terminal, and stdin is none")
            .advise("leave -t out to read from a pipe: echo hi | mydocker exec -i CONTAINER cat"));
    }
    if let Some(folder) = arguments.working_dir.as_ref().filter(|folder| !folder.is_absolute()) {
        return Err(Error::new(format!("-w {folder:?} is no absolute path"))
            .advise("write it from the container's root, as in -w /src"));
    }
    own_program::make_read_only()?;
    exec(
        root,
        &Spec {
            container: arguments.container,
            command: arguments.command,
            environment: arguments.environment,
            working_dir: arguments.working_dir,
            user: arguments.user,
            terminal: arguments.terminal,
            interactive: arguments.interactive,
        },
    )
}
