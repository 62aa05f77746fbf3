//! Who a command runs as: `-u USER[:GROUP]`, by the container's own passwd(5) and
//! group(5).

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use mydocker_kernel::{Error, OnPath, Result, sys};
use nix::fcntl::OFlag;

use crate::caller;
use crate::new_root::NewRoot;

/// More than this no such file has; the container may have made it endless.
const LONGEST: u64 = 1 << 20;

/// A user, as the kernel knows one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The number.
    pub uid: u32,
    /// The number of the group.
    pub gid: u32,
    /// The numbers of the others, of which a user is a member by name.
    pub groups: Vec<u32>,
    /// The home, as passwd has it.
    pub home: PathBuf,
}

impl User {
    /// Finds the user `text`: names or numbers, as docker's `-u`. What is a number need
    /// not be in the files.
    ///
    /// # Errors
    /// There is no such name; the files cannot be read.
    pub fn find(root: &NewRoot, text: &str) -> Result<User> {
        let (name, group) = match text.split_once(':') {
            Some((name, group)) => (name, Some(group)),
            None => (text, None),
        };
        let passwd = read(root, "/etc/passwd")?;
        let groups = read(root, "/etc/group")?;
        let is_it = |fields: &Vec<&str>| fields[0] == name || fields.get(2) == Some(&name);
        let entry = lines(&passwd).find(|fields| fields.len() >= 6 && is_it(fields));
        // The last one means to the kernel: as it is. See setresuid(2).
        let number = |text: &str| text.parse::<u32>().ok().filter(|id| *id != u32::MAX);
        let unknown = |what: &str, which: &str, file: &str| {
            Error::new(format!("the container has no {what} {which:?}"))
                .because(format!("it is not in its {file}, and no number up to {}", u32::MAX - 1))
                .advise("mydocker exec CONTAINER cat /etc/passwd /etc/group")
        };
        let uid = entry.as_ref().and_then(|fields| number(fields[2])).or_else(|| number(name));
        let uid = uid.ok_or_else(|| unknown("user", name, "/etc/passwd"))?;
        let own_gid = entry.as_ref().and_then(|fields| number(fields[3])).unwrap_or(0);
        let (gid, others) = match group {
            Some(group) => {
                let named = lines(&groups).find(|fields| fields.len() >= 3 && fields[0] == group);
                let gid = named.and_then(|fields| number(fields[2])).or_else(|| number(group));
                (gid.ok_or_else(|| unknown("group", group, "/etc/group"))?, Vec::new())
            }
            None => {
                let user = entry.as_ref().map_or("", |fields| fields[0]);
                let has = |fields: &Vec<&str>| {
                    fields.len() >= 4 && fields[3].split(',').any(|member| member == user)
                };
                let of_user = lines(&groups).filter(|fields| !user.is_empty() && has(fields));
                (own_gid, of_user.filter_map(|fields| number(fields[2])).collect())
            }
        };
        let home = entry.map_or("/", |fields| fields[5]);
        Ok(User { uid, gid, groups: others, home: home.into() })
    }

    /// Becomes that user, for good.
    ///
    /// # Errors
    /// As setgroups(2), setresgid(2) and setresuid(2).
    pub fn become_it(&self) -> Result<()> {
        if caller::are_groups_fixed() {
            if (self.uid, self.gid) == (0, 0) {
                return Ok(());
            }
            return Err(Error::new(format!("there is no user {}:{} here", self.uid, self.gid))
                .because("a container of an ordinary user has none but root")
                .advise("run the container as root, or leave -u out"));
        }
        sys::setgroups(&self.groups)?;
        sys::setresgid(self.gid)?;
        sys::setresuid(self.uid)
    }
}

fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.split(':').collect())
}

/// A file of the container, whatever links lead there; empty if it has none.
fn read(root: &NewRoot, path: &str) -> Result<String> {
    let path = Path::new(path);
    // A fifo in its place must not keep us waiting.
    let file = match sys::open_in_root(root, path, OFlag::O_RDONLY | OFlag::O_NONBLOCK) {
        Err(nix::errno::Errno::ENOENT) => return Ok(String::new()),
        other => File::from(other.on("openat2", path)?),
    };
    let mut bytes = Vec::new();
    if file.metadata().on("fstat", path)?.is_file() {
        file.take(LONGEST).read_to_end(&mut bytes).on("read", path)?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
