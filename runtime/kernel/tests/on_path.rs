//! What an error on a path says of its cause is so, and nothing else is said.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::thread;

use mydocker_kernel::on_path::cause;
use nix::errno::Errno::{self, EACCES, EEXIST, EIO, ELOOP, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::geteuid;
use rstest::rstest;
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};
use tempfile::TempDir;

const NOBODY: u32 = 65534;

/// A folder with a file, a folder, and links.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("file"), "").unwrap();
    fs::create_dir(at("dir")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    symlink("dir", at("link")).unwrap();
    symlink("loop", at("loop")).unwrap();
    folder
}

/// Why and advice in one text, with `HERE` for the folder; "" for no cause.
fn said(errno: Errno, folder: &Path, path: &str) -> String {
    let cause = cause(errno, &folder.join(path));
    let text = cause.map(|cause| format!("{} | {}", cause.why, cause.advice.unwrap_or_default()));
    text.unwrap_or_default().replace(folder.to_str().unwrap(), "HERE")
}

#[rstest]
#[case::a_name("gone", "\"HERE\" has no entry \"gone\"")]
#[case::a_name_on_the_way("dir/gone/x", "\"HERE/dir\" has no entry \"gone\"")]
#[case::a_link("dangling", "\"HERE/dangling\" is a symbolic link to \"nowhere\"")]
#[case::a_link_on_the_way("dangling/x", "\"HERE/dangling\" is a symbolic link to \"nowhere\"")]
#[case::a_file_on_the_way("file/x", "\"HERE/file\" is a file, not a directory")]
#[case::through_a_link("link/gone", "\"HERE/link\" has no entry \"gone\"")]
fn what_is_missing_is_named(
    #[case] path: &str,
    #[case] why: &str,
    #[values(ENOENT, ENOTDIR)] errno: Errno,
) {
    let folder = folder();
    let said = said(errno, folder.path(), path);
    assert!(said.starts_with(why), "{said}");
}

#[test]
fn a_file_with_a_slash_is_a_file() {
    let said = said(ENOTDIR, folder().path(), "file/");
    assert!(said.starts_with("\"HERE/file\" is a file, not a directory"), "{said}");
}

/// The cause is something else, so none of these is one.
#[rstest]
#[case(ENOENT, "dir")]
#[case(ENOENT, "file")]
#[case(EACCES, "file")]
#[case(EACCES, "dir/new")]
#[case(EPERM, "file")]
#[case(EPERM, "dir/new")]
#[case(EROFS, "file")]
#[case(EEXIST, "dir")]
#[case(ELOOP, "dir/new")]
#[case(EIO, "file")]
fn what_is_not_so_is_not_said(#[case] errno: Errno, #[case] path: &str) {
    assert_eq!(said(errno, folder().path(), path), "");
}

/// The place may not be full as seen from here: then no more is said than the errno.
#[test]
fn a_place_that_is_not_full_is_not_said_to_be() {
    let said = said(ENOSPC, folder().path(), "file");
    assert!(said.starts_with("the file system has no room for it | "), "{said}");
}

#[rstest]
#[case(EEXIST, "file", "\"HERE/file\" is there already, and is no directory | ")]
#[case(ELOOP, "link", "\"HERE/link\" is a symbolic link | ")]
#[case(ELOOP, "loop/x", "\"HERE/loop\" is a symbolic link | ")]
fn what_is_in_the_way_is_named(#[case] errno: Errno, #[case] path: &str, #[case] text: &str) {
    assert_eq!(said(errno, folder().path(), path), text);
}

/// As an ordinary user, whom modes concern: in a thread of its own if this is root.
fn as_user(folder: &Path, look: impl FnOnce() -> String + Send) -> String {
    if !geteuid().is_root() {
        return look();
    }
    chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
    let drop_root = || {
        set_thread_groups(&[]).unwrap();
        set_thread_gid(rustix::process::Gid::from_raw(NOBODY)).unwrap();
        set_thread_uid(rustix::process::Uid::from_raw(NOBODY)).unwrap();
    };
    let user = move || {
        drop_root();
        look()
    };
    thread::scope(|scope| scope.spawn(user).join().unwrap())
}

#[rstest]
#[case::an_archive_of_somebody_else("closed", 0o600, "closed", "HERE/closed")]
#[case::a_folder_on_the_way("dir", 0o600, "dir/x/y", "HERE/dir")]
#[case::a_folder_to_write_in("dir", 0o500, "dir/new", "HERE/dir")]
fn who_is_shut_out_learns_by_what(
    #[case] closed: &str,
    #[case] mode: u32,
    #[case] path: &str,
    #[case] named: &str,
) {
    let folder = folder();
    let target = folder.path().join(closed);
    if closed == "closed" {
        File::create(&target).unwrap();
    }
    // For its owner the same modes mean the opposite half.
    let mode = if geteuid().is_root() || closed == "dir" { mode } else { 0o000 };
    fs::set_permissions(&target, Permissions::from_mode(mode)).unwrap();
    let seen = as_user(folder.path(), || said(EACCES, folder.path(), path));
    let owner = if geteuid().is_root() { 0 } else { geteuid().as_raw() };
    let us = if geteuid().is_root() { NOBODY } else { geteuid().as_raw() };
    let why =
        format!("\"{named}\" belongs to uid {owner} with mode {mode:04o}, and this is uid {us}");
    assert!(seen.starts_with(&why), "{seen}");
    let advice = if owner == us { "chmod u+rwx" } else { "run as its owner or as root" };
    assert!(seen.contains(advice), "{seen}");
}

#[test]
fn a_file_that_may_only_be_read_is_named() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::set_permissions(&file, Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let seen = as_user(folder.path(), || said(EACCES, folder.path(), "file"));
    assert!(seen.starts_with("\"HERE/file\" belongs to uid"), "{seen}");
    assert!(!seen.contains("\"HERE\""), "{seen}");
}

/// Modes do not say who may write there.
#[test]
fn of_a_process_nothing_is_guessed() {
    let said = || said(EACCES, Path::new("/proc/self"), "uid_map");
    assert_eq!(as_user(folder().path(), said), "");
}

#[test]
fn an_owner_is_named_where_only_an_owner_may() {
    if !geteuid().is_root() {
        println!("ignored: needs a file of another user, which only root can make");
        return;
    }
    let folder = folder();
    let seen = as_user(folder.path(), || said(EPERM, folder.path(), "file"));
    assert!(seen.starts_with("\"HERE/file\" belongs to uid 0, and this is uid 65534"), "{seen}");
}

#[rstest]
#[case::itself("+i", "file", "file")]
#[case::to_be_appended_to("+a", "file", "file")]
#[case::its_folder("+i", "dir", "dir/new")]
fn what_chattr_has_made_immutable_is_named(
    #[case] flag: &str,
    #[case] target: &str,
    #[case] path: &str,
) {
    let folder = folder();
    let target = folder.path().join(target);
    let chattr = |flag: &str| {
        let done = Command::new("chattr").arg(flag).arg(&target).output();
        done.is_ok_and(|done| done.status.success())
    };
    if !chattr(flag) {
        println!("ignored: only root may chattr, and not every file system has it");
        return;
    }
    let seen = said(EPERM, folder.path(), path);
    assert!(chattr(&flag.replace('+', "-")), "it stays so");
    assert!(seen.contains("was made immutable") && seen.contains("chattr -ia"), "{seen}");
}

/// A small disk of its own, in a mount namespace of this thread.
fn small_disk(
    folder: &Path,
    options: &str,
    look: impl FnOnce() -> String + Send,
) -> Option<String> {
    let mounted = move || {
        unshare(CloneFlags::CLONE_NEWNS).ok()?;
        let none: Option<&str> = None;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).ok()?;
        mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::empty(), Some(options)).ok()?;
        Some(look())
    };
    thread::scope(|scope| scope.spawn(mounted).join().unwrap())
}

#[test]
fn a_full_disk_is_told_from_one_without_inodes_and_one_that_is_read_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let full = small_disk(path, "size=128k", || {
        let _ = fs::write(path.join("large"), vec![0; 1 << 20]);
        said(ENOSPC, path, "new")
    });
    let Some(full) = full else {
        println!("ignored: needs a mount, which only root may make");
        return;
    };
    assert!(full.starts_with("the file system that holds \"HERE/new\" is full"), "{full}");
    let no_inodes = small_disk(path, "nr_inodes=2", || {
        fs::write(path.join("last"), "").unwrap();
        said(ENOSPC, path, "new")
    });
    assert!(no_inodes.is_some_and(|said| said.contains("no room for another file")));
    let read_only = small_disk(path, "ro", || said(EROFS, path, "new"));
    assert!(read_only.is_some_and(|said| said.contains("mounted read-only")));
}
