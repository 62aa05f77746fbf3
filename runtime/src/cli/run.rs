//! `mydocker run`.

use std::ffi::OsString;
use std::io::{IsTerminal, stdin};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use mydocker::background;
use mydocker::limits::Limits;
use mydocker::program::Environment;
use mydocker::run::{Spec, run};
use mydocker::trace::{self, Sink};
use mydocker::volume::Volume;
use mydocker_image::Image;
use mydocker_kernel::limit::Limit;
use mydocker_kernel::{Error, Result};

use super::bytes::parse_bytes;
use super::chinese::reason;
use super::driver;
use crate::print;

/// Run a command in a new container, and delete the container when it ends
#[derive(Args)]
#[command(after_help = "\
Examples:
  mydocker run -ti sh                          a shell on its own terminal
  echo hi | mydocker run -i cat                stdin from a pipe
  mydocker run -v $PWD:/src:ro -w /src ls -l   a directory of the host, read-only
  mydocker run -m 100m --pids-limit 20 sh -c ':(){ :|:& };:'
  mydocker run -d --name web httpd -f          in the background: mydocker logs web
  mydocker run --trace true                    every step, and what it does to the mounts

While it runs, a second terminal sees (ID: mydocker ps, ROOT: mydocker doctor):
  ROOT/containers/ID/mnt          the container's files, all layers as one (as root;
                                  as a user, look at /proc/PID/root)
  ROOT/containers/ID/write-layer  what the container itself has written

Exit code: the command's own; 128+n if signal n ended it; 125 if mydocker failed;
126 if the command cannot be executed; 127 if it is not found.

The command is the container's PID 1: the kernel delivers only signals that it
has a handler for, and it should wait for orphans, as a shell does.")]
pub struct Arguments {
    /// Give the container its own terminal
    #[arg(short = 't', long = "tty")]
    terminal: bool,
    /// Let the container read our stdin; otherwise it reads nothing
    #[arg(short = 'i', long)]
    interactive: bool,
    /// The container's name [default: twelve random hexadecimal digits]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The image, by the name it was imported under
    #[arg(long, value_name = "IMAGE", default_value = "busybox")]
    image: String,
    /// The file system that joins the layers; auto: overlay where there is one
    #[arg(long, value_enum, default_value = "auto", hide_possible_values = false)]
    driver: driver::Choice,
    /// Set a variable; with the name alone, pass the host's value on
    #[arg(short = 'e', long = "env", value_name = "K=V|K")]
    environment: Vec<OsString>,
    /// Show the container a directory or file of the host; with `ro`, read-only
    #[arg(short = 'v', long = "volume", value_name = "HOST:CTR[:ro]", value_parser = parse_volume)]
    volumes: Vec<Volume>,
    /// The working directory in the container, created if it is missing [default:
    /// the image's, otherwise /]
    #[arg(short = 'w', long = "workdir", value_name = "DIR")]
    working_dir: Option<PathBuf>,
    /// The host name that the container sees [default: the container's name]
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// The network: none but its own loopback, or the host's
    #[arg(long = "net", value_enum, default_value = "none")]
    network: Network,
    /// The most memory it may use, including swap, as in 100m: a number with b, k, m
    /// or g; or max
    #[arg(short = 'm', long, value_name = "BYTES", value_parser = parse_memory, allow_negative_numbers = true)]
    memory: Option<Limit>,
    /// Its weight when CPU time is scarce, from 2 to 262144; 1024 is normal
    #[arg(long, value_name = "N", value_parser = parse_shares, allow_negative_numbers = true)]
    cpu_shares: Option<u64>,
    /// How much CPU time it may use, in CPUs: 0.5 is half of one
    #[arg(long, value_name = "N", value_parser = parse_cpus, allow_negative_numbers = true)]
    cpus: Option<f64>,
    /// The CPUs that it may run on, as in 0-2,7
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// The most processes and threads it may have; or max
    #[arg(long, value_name = "N", value_parser = parse_count, allow_negative_numbers = true)]
    pids_limit: Option<Limit>,
    /// Run it in the background, print its name, and keep it when it has ended:
    /// see `mydocker logs`, `ps`, `stop`, `wait`, `rm`
    #[arg(short, long)]
    detach: bool,
    /// Keep the workspace afterwards, for `mydocker diff`; `prune --kept` deletes it
    #[arg(long)]
    keep: bool,
    /// Keep all capabilities, and leave /proc and /sys writable
    #[arg(long)]
    privileged: bool,
    /// Show each step on stderr, with its system calls and its changes to the mount
    /// table; with a file, write JSON lines there
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    trace: Option<Option<PathBuf>>,
    /// The command; everything after it belongs to it
    #[arg(value_name = "CMD", required = true, trailing_var_arg = true)]
    command: Vec<OsString>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Network {
    None,
    Host,
}

/// Checks the arguments, then runs the container.
pub fn execute(root: &Path, arguments: Arguments) -> Result<u8> {
    let detach = arguments.detach;
    if arguments.terminal && arguments.interactive && !detach && !stdin().is_terminal() {
        return Err(Error::new("-t and -i together need a terminal, and stdin is none")
            .advise("leave -t out to read from a pipe: echo hi | mydocker run -i cat"));
    }
    let image = Image::open(root, &arguments.image)?;
    let driver = arguments.driver.driver();
    driver.check(&image)?;

    let mut environment = Environment::base(arguments.terminal);
    // A name alone would be one of the host's variables: not for an image to ask.
    for (name, value) in image.env().iter().filter_map(|variable| variable.split_once('=')) {
        if !name.is_empty() {
            environment.set(name, value);
        }
    }
    arguments.environment.iter().try_for_each(|variable| environment.add(variable))?;
    environment.set_home();

    let working_dir = arguments
        .working_dir
        // An image may name it from its root on.
        .or_else(|| image.working_dir().map(|folder| Path::new("/").join(folder)))
        .unwrap_or_else(|| "/".into());
    if !working_dir.is_absolute() {
        return Err(Error::new(format!("-w {working_dir:?} is no absolute path"))
            .advise("write it from the container's root, as in -w /src"));
    }
    if let Some(sink) = arguments.trace {
        trace::start(&sink.map_or(Sink::Stderr, Sink::File))?;
    }
    let spec = Spec {
        root: root.to_owned(),
        image,
        name: arguments.name,
        command: arguments.command,
        environment,
        working_dir,
        hostname: arguments.hostname,
        volumes: arguments.volumes,
        limits: Limits {
            memory: arguments.memory,
            cpu_shares: arguments.cpu_shares,
            cpus: arguments.cpus,
            cpuset: arguments.cpuset_cpus,
            pids: arguments.pids_limit,
        },
        driver,
        terminal: arguments.terminal,
        interactive: arguments.interactive,
        host_network: arguments.network == Network::Host,
        privileged: arguments.privileged,
        keep: arguments.keep || detach,
    };
    if !detach {
        return run(&spec, None);
    }
    let name = background::start(&[spec.image.lock()], |caller| run(&spec, Some(caller)))?;
    print(&(name + "\n")).map(|()| 0)
}

/// Docker's least, too: with less, the kernel would kill the container before its
/// command has started.
fn parse_memory(text: &str) -> std::result::Result<Limit, String> {
    match parse_bytes(text)? {
        Limit::At(bytes) if bytes < 6 << 20 => {
            Err(reason("a container needs 6m to start; write that or more", "容器启动至少需要 6m"))
        }
        limit => Ok(limit),
    }
}

fn parse_volume(text: &str) -> std::result::Result<Volume, String> {
    let chinese = "要写成 HOST:CTR 或 HOST:CTR:ro，CTR 是不含 .. 的绝对路径，不能是 /";
    text.parse().map_err(|error: Error| reason(error.to_string(), chinese))
}

fn parse_count(text: &str) -> std::result::Result<Limit, String> {
    match text.parse() {
        _ if text == "max" => Ok(Limit::Max),
        Ok(count) if count > 0 => Ok(Limit::At(count)),
        _ => Err(reason("write a number above 0, or max", "要写大于 0 的整数，或者 max")),
    }
}

fn parse_shares(text: &str) -> std::result::Result<u64, String> {
    match text.parse() {
        Ok(shares) if (2..=262_144).contains(&shares) => Ok(shares),
        _ => Err(reason("write a number from 2 to 262144", "要写 2 到 262144 的整数")),
    }
}

fn parse_cpus(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        // The kernel deals time out in slices of a millisecond or more.
        Ok(cpus) if (0.01..=10_000.0).contains(&cpus) => Ok(cpus),
        _ => Err(reason(
            "write a number from 0.01 on, as in 0.5",
            "要写不小于 0.01 的数字，例如 0.5",
        )),
    }
}
