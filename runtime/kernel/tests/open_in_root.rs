//! openat2(2) on a machine that never rests.

use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use mydocker_kernel::sys::open_in_root;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

/// Whoever renames anything on the machine makes the kernel give up a `..`.
#[test]
fn what_others_rename_fails_no_path_with_dots() {
    let folder = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(folder.path().join("a/b")).expect("directories");
    fs::write(folder.path().join("file"), "").expect("a file");
    let elsewhere = tempfile::tempdir().expect("a directory");
    let [here, there] = ["here", "there"].map(|name| elsewhere.path().join(name));
    fs::write(&here, "").expect("a file");

    let root = File::open(folder.path()).expect("a directory");
    let path = Path::new("a/b/../../a/b/../../../file");
    let how = OpenHow::new().flags(OFlag::O_PATH).resolve(ResolveFlag::RESOLVE_IN_ROOT);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                fs::rename(&here, &there).expect("it is ours");
                fs::rename(&there, &here).expect("it is ours");
            }
        });
        let mut given_up = 0;
        for _ in 0..20_000 {
            given_up += usize::from(openat2(&root, path, how).err() == Some(Errno::EAGAIN));
            if let Err(errno) = open_in_root(&root, path, OFlag::O_PATH) {
                is_over.store(true, Ordering::Relaxed);
                panic!("{errno}, when the kernel had given up {given_up} times");
            }
        }
        is_over.store(true, Ordering::Relaxed);
        println!("the kernel gave up {given_up} times");
    });
}
