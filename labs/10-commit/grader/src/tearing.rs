//! write_layer_tar while a file changes.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use labkit::answering::Answering;
use labkit::host::Host;
use labkit::verdict::Finding;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::unistd::pipe2;

use crate::acts::WRITE_TO_GIVEN;
use crate::archive::{self, Kind};
use crate::layer_tar::{lay_layer, not_told, write};
use crate::world::{file, tree};

/// A file becomes shorter or longer when its entry has begun: the pipe is full then.
pub fn meanwhile(host: &Host) -> Result<(), Finding> {
    // One byte more than some blocks: without it, a block is missing.
    const LENGTH: usize = 586 * 512 + 1;
    const OTHERS: usize = 100;
    write(host, "does-not-change", &tree([("log", file("as it is"))]))?;
    for (name, length) in [("shrinks", LENGTH / 3), ("shrinks", LENGTH - 1), ("grows", LENGTH * 2)]
    {
        let layer =
            tree([("log", file(vec![b'x'; LENGTH])), ("zz-other", file(vec![b'y'; OTHERS]))]);
        let top = lay_layer(host, &format!("{name}-to-{length}"), &layer);
        let (read, given) = pipe2(OFlag::O_CLOEXEC).expect("a pipe");
        let input = top.as_os_str().to_owned();
        let mut bytes = Vec::new();
        let act = host.act(&WRITE_TO_GIVEN, input).giving(vec![given]);
        let (seen, ()) = act.make_meanwhile(
            |_, answering| {
                let mut out = Draining { read: read.into(), answering };
                bytes.extend(out.some());
                let log = File::options().write(true).open(top.join("log"));
                let log = log.expect("the scratch directory");
                log.set_len(length as u64).expect("the scratch directory");
                if length > LENGTH {
                    log.write_all_at(b"longer", LENGTH as u64).expect("the scratch directory");
                }
                while let more = out.some()
                    && !more.is_empty()
                {
                    bytes.extend(more);
                }
            },
            |_, _| (),
        )?;
        if seen.returned.is_err() {
            continue;
        }
        let entries = archive::read(&bytes).unwrap_or_default();
        let content = |name: &[u8]| match &entries.iter().find(|it| it.name == name)?.kind {
            Kind::File(content) => Some(content.clone()),
            _ => None,
        };
        let is_whole = content(b"zz-other") == Some(vec![b'y'; OTHERS]);
        let is_log = content(b"log").is_some_and(|it| it.len() >= LENGTH.min(length));
        if !is_whole || !is_log {
            not_told("torn-entry", format!("a file {name}"))?;
        }
    }
    Ok(())
}

/// What an answer writes to a pipe.
struct Draining<'a> {
    read: File,
    answering: &'a mut Answering,
}

impl Draining<'_> {
    /// Some of it; nothing when there will be no more.
    fn some(&mut self) -> Vec<u8> {
        let mut buffer = [0; 4096];
        loop {
            if is_ready(&self.read) {
                let count = self.read.read(&mut buffer).unwrap_or(0);
                return buffer[..count].to_vec();
            }
            if self.answering.outcome().is_some() {
                return Vec::new();
            }
        }
    }
}

/// Whether there is something to read, or the end.
fn is_ready(file: &File) -> bool {
    const MILLISECONDS: u8 = 5;
    let mut one = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
    poll(&mut one, MILLISECONDS).is_ok_and(|count| count > 0)
}
