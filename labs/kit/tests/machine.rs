//! What others do on the machine is no change that a grader has made.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::thread;

use labkit::machine;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use mydocker_kernel::privileges::Privileges;
use mydocker_kernel::sys;
use nix::mount::{MntFlags, MsFlags};
use nix::sched::CloneFlags;

fn main() -> ExitCode {
    let name = "what_others_unmount_is_no_change";
    let trial = Trial::ignorable_test(name, what_others_unmount_is_no_change);
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

fn mount_tmpfs(at: &Path) -> mydocker_kernel::Result<()> {
    sys::mount("test", at, "tmpfs", MsFlags::empty(), "")
}

/// Two threads with a mount namespace each: one is the machine, the other grades.
fn what_others_unmount_is_no_change() -> Result<Completion, Failed> {
    if Privileges::current() != Privileges::Root {
        return Ok(Completion::ignored_with("needs root, who alone has a table to watch"));
    }
    let directory = tempfile::tempdir()?;
    let top = directory.path();

    // The machine mounts one file system in another.
    sys::unshare(CloneFlags::CLONE_NEWNS)?;
    sys::mount("", Path::new("/"), "", MsFlags::MS_PRIVATE | MsFlags::MS_REC, "")?;
    mount_tmpfs(top)?;
    let others = top.join("others");
    fs::create_dir(&others)?;
    mount_tmpfs(&others)?;

    let (stands_apart, apart) = channel();
    let (deletes, deleted) = channel();
    thread::scope(|scope| {
        let grader = scope.spawn(move || -> mydocker_kernel::Result<_> {
            machine::stand_apart()?;
            stands_apart.send(()).expect("the machine goes on");
            deleted.recv().expect("the machine goes on");
            let theirs = machine::changes()?;
            mount_tmpfs(top)?;
            Ok((theirs, machine::changes()?))
        });
        // Then it takes away what the grader has seen there.
        apart.recv()?;
        sys::umount2(&others, MntFlags::empty())?;
        fs::remove_dir(&others)?;
        deletes.send(())?;

        let (theirs, ours) = grader.join().expect("it does not panic")?;
        sys::umount2(top, MntFlags::empty())?;
        assert!(theirs.is_empty(), "{theirs:#?}");
        assert_eq!(ours.len(), 1, "{ours:#?}");
        Ok(Completion::Completed)
    })
}
