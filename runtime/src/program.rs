//! The command: its environment, and how it is found and started.

use std::convert::Infallible;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use mydocker_kernel::error::{NOT_EXECUTABLE, NOT_FOUND};
use mydocker_kernel::sys;
use mydocker_kernel::{Error, Result};

/// Where programs are looked for, unless the image or `-e` says otherwise.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The home of root.
const HOME: &str = "/root";

/// A list of `NAME=value`, in which a later value replaces an earlier one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    /// What every container starts with.
    pub fn base(terminal: bool) -> Environment {
        let mut environment = Environment::default();
        environment.set("PATH", DEFAULT_PATH);
        environment.set("HOME", HOME);
        if terminal {
            environment.set("TERM", "xterm");
        }
        environment
    }

    /// Sets one variable.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(present, _)| *present == name) {
            Some((_, present)) => *present = value,
            None => self.0.push((name, value)),
        }
    }

    /// Sets one variable, unless it is set already.
    pub fn set_default(&mut self, name: &str, value: &str) {
        if self.get(name).is_none() {
            self.set(name, value);
        }
    }

    /// Adds `K=V`, or with `K` alone the host's value, if it has one: as
    /// docker's `-e`. Only the first `=` separates.
    ///
    /// # Errors
    /// There is no name before the `=`.
    pub fn add(&mut self, text: &OsStr) -> Result<()> {
        let bytes = text.as_bytes();
        let end = bytes.iter().position(|&byte| byte == b'=').unwrap_or(bytes.len());
        let name = OsStr::from_bytes(&bytes[..end]);
        if name.is_empty() {
            return Err(Error::new(format!("-e {text:?} has no name"))
                .advise("write -e NAME=VALUE, or -e NAME to pass the host's value on"));
        }
        match bytes.get(end + 1..) {
            Some(value) => self.set(name, OsStr::from_bytes(value)),
            None => {
                if let Some(value) = std::env::var_os(name) {
                    self.set(name, value);
                }
            }
        }
        Ok(())
    }

    /// Sets HOME if it is empty, too: as runc does.
    pub fn set_home(&mut self) {
        if self.get("HOME").is_none_or(OsStr::is_empty) {
            self.set("HOME", HOME);
        }
    }

    fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.iter().find(|(present, _)| present == name).map(|(_, value)| value.as_os_str())
    }

    fn to_c(&self) -> Result<Vec<CString>> {
        self.0
            .iter()
            .map(|(name, value)| {
                let mut text = name.clone();
                text.push("=");
                text.push(value);
                c_string(&text)
            })
            .collect()
    }
}

/// Replaces this process by the command. A name without `/` is looked for in
/// the PATH of its own environment, as execvp(3) does.
///
/// # Errors
/// Not found: exit code 127. Found, but it cannot be executed: 126.
pub fn execute(command: &[OsString], environment: &Environment) -> Result<Infallible> {
    let Some(name) = command.first() else { return Err(Error::new("there is no command")) };
    let arguments: Vec<CString> =
        command.iter().map(|word| c_string(word)).collect::<Result<_>>()?;
    let variables = environment.to_c()?;
    if name.as_bytes().contains(&b'/') {
        return sys::execve(&arguments[0], &arguments, &variables).map_err(with_exit_code);
    }
    let mut found_but = None;
    let path = environment.get("PATH").unwrap_or(OsStr::new(DEFAULT_PATH));
    // An empty name would be found everywhere, as the folder itself.
    let folders = path.as_bytes().split(|&byte| byte == b':').filter(|_| !name.is_empty());
    for folder in folders {
        let folder = if folder.is_empty() { b"." } else { folder };
        let program = PathBuf::from(OsString::from_vec(folder.to_vec())).join(name);
        // Where that cannot be said, the call itself says why.
        if !matches!(program.try_exists(), Ok(false)) {
            let Err(error) = sys::execve(&c_string(program.as_os_str())?, &arguments, &variables);
            found_but = found_but.or(Some(error));
        }
    }
    Err(match found_but {
        Some(error) => with_exit_code(error),
        None => Error::new(format!("{name:?} is not in the container's PATH"))
            .because(format!("none of the directories {path:?} has it"))
            .advise("write the whole path, or see what the image has: mydocker run ls /bin")
            .exits_with(NOT_FOUND),
    })
}

fn with_exit_code(error: Error) -> Error {
    match error.errno() {
        Some(Errno::ENOENT | Errno::ENOTDIR) => error.exits_with(NOT_FOUND),
        _ => error.exits_with(NOT_EXECUTABLE),
    }
}

fn c_string(text: &OsStr) -> Result<CString> {
    CString::new(text.as_bytes())
        .map_err(|_| Error::new(format!("{text:?} has a NUL byte, which no argument can have")))
}
