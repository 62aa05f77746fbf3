//! What is taken for granted, or counted, while mounts come and go.

use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab_08_grader::Answers;
use nix::errno::Errno;

use super::{most_important, mounted_below, umount};
use crate::catalogue::Mistake;
use crate::lab_08::SOLUTION;
use crate::lab_08::solution::delete_write_layer;

const PATIENCE: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_millis(10);

/// A hundred tries seem to be plenty, but each mount that goes takes one of them.
pub const A_HUNDRED_TRIES: Mistake<Answers> = Mistake {
    name: "a_hundred_tries",
    code: "delete-workspace/tries-counted",
    answers: Answers {
        delete_mount_point: |workspace| {
            for _ in 0..100 {
                let mounted = mounted_below(workspace)?;
                if mounted.is_empty() {
                    return Ok(());
                }
                let mut refusals = Vec::new();
                let mut last_first = mounted.iter().rev();
                if last_first.any(|it| umount(it).map_err(|it| refusals.push(it)).is_ok()) {
                    continue;
                }
                if !refusals.contains(&Errno::EBUSY) {
                    return most_important(&refusals);
                }
                sleep(PAUSE);
            }
            Err(Errno::EBUSY.into())
        },
        ..SOLUTION
    },
};

/// Keeps its own list of what is left, and does not ask the kernel again: a mount that has gone
/// along with another one stays on the list, and its umount fails.
pub const TABLE_READ_ONCE: Mistake<Answers> = {
    fn from_a_list(workspace: &Path) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut left = mounted_below(workspace)?;
        while !left.is_empty() {
            let tried = left.len();
            let (mut stay, mut refusals): (Vec<PathBuf>, Vec<Errno>) = Default::default();
            for mount_point in left.into_iter().rev() {
                if let Err(errno) = umount(&mount_point) {
                    refusals.push(errno);
                    stay.insert(0, mount_point);
                }
            }
            left = stay;
            if left.len() < tried {
                continue;
            }
            if !refusals.contains(&Errno::EBUSY) || Instant::now() > deadline {
                return most_important(&refusals);
            }
            sleep(PAUSE);
        }
        Ok(())
    }
    Mistake {
        name: "table_read_once",
        code: "delete-workspace/gone-is-a-failure",
        answers: Answers { delete_mount_point: from_a_list, ..SOLUTION },
    }
};

/// Where there is nothing to delete, nothing can go wrong, so it does not look what is mounted.
pub const NOTHING_TO_DELETE: Mistake<Answers> = Mistake {
    name: "nothing_to_delete",
    code: "delete-workspace/refused-in-silence",
    answers: Answers {
        delete_write_layer: |workspace| {
            let is_missing = |name: &str| {
                let found = workspace.join(name).symlink_metadata();
                found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
            };
            if is_missing("write-layer") && is_missing("work") {
                return Ok(());
            }
            delete_write_layer(workspace)
        },
        ..SOLUTION
    },
};
