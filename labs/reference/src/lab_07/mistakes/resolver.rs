//! Copies of the host's /etc/resolv.conf that are none.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::folders::in_open_etc;
use crate::lab_07::solution;

const OF_THE_HOST: &str = "/etc/resolv.conf";

/// The solution, but that the copy is made by `copy`, to this path.
fn copied(
    workspace: &Path,
    image: &Path,
    hostname: &str,
    copy: fn(&Path) -> io::Result<()>,
) -> io::Result<()> {
    solution::create_init_layer(workspace, image, hostname)?;
    if !Path::new(OF_THE_HOST).exists() {
        return Ok(());
    }
    in_open_etc(workspace, |etc| copy(&etc.join("resolv.conf")))
}

/// A file of settings is text: an error where a comment has Latin-1 in it.
pub fn as_text(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    copied(workspace, image, hostname, |path| fs::write(path, fs::read_to_string(OF_THE_HOST)?))
}

/// The same, and what is no text becomes question marks.
pub fn as_far_as_it_is_text(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    copied(workspace, image, hostname, |path| {
        fs::write(path, String::from_utf8_lossy(&fs::read(OF_THE_HOST)?).as_bytes())
    })
}

/// Line by line: the last one gets an end that it did not have.
pub fn by_lines(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    copied(workspace, image, hostname, |path| {
        let content = fs::read(OF_THE_HOST)?;
        let lines = content.strip_suffix(b"\n").unwrap_or(&content).split(|byte| *byte == b'\n');
        fs::write(path, lines.flat_map(|line| [line, b"\n"]).collect::<Vec<_>>().concat())
    })
}

/// A buffer that is large enough for every file that was ever seen, read once.
pub fn in_one_read(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    copied(workspace, image, hostname, |path| {
        let mut buffer = vec![0; 64 << 10];
        let count = File::open(OF_THE_HOST)?.read(&mut buffer)?;
        fs::write(path, &buffer[..count])
    })
}

/// fs::copy copies the mode, too: what only root can read on the host, only root can
/// read in the container.
pub fn with_its_mode(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    copied(workspace, image, hostname, |path| fs::copy(OF_THE_HOST, path).map(drop))
}

/// As docker does it: a server on 127.0.0.53 is not the container's, if that has a network
/// of its own.
pub fn without_local_servers(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    copied(workspace, image, hostname, |path| {
        let content = fs::read(OF_THE_HOST)?;
        let lines = content.split_inclusive(|byte| *byte == b'\n');
        let others = lines.filter(|line| !line.starts_with(b"nameserver 127."));
        fs::write(path, others.collect::<Vec<_>>().concat())
    })
}
