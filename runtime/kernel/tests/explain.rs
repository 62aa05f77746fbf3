//! Each cause that a failed call is given, when it is made true; and that it is not
//! given when it is not.
//!
//! Every case runs in a process of its own, for what is changed there stays changed.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use mydocker_kernel::{Result, explain, sys};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::MsFlags;
use nix::sched::CloneFlags;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::Mode;
use nix::unistd::{getegid, geteuid, mkfifo};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

/// Runs the calling test once more, in a process with no other thread, as a clone of
/// it needs; `false` if this is that process.
fn was_done_elsewhere() -> bool {
    const HERE: &str = "EXPLAIN_HERE";
    if std::env::var_os(HERE).is_some() {
        return false;
    }
    let name = std::thread::current().name().expect("the test's name").to_owned();
    let mut process = Command::new(std::env::current_exe().expect("our own path"));
    process.args([&name, "--exact", "--nocapture", "--test-threads=1"]).env(HERE, "1");
    let output = process.output().expect("a process");
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    true
}

const NAMESPACES: CloneFlags = CloneFlags::CLONE_NEWUSER.union(CloneFlags::CLONE_NEWNS);

/// What a case says in a child process: the message of a failure, with its cause.
/// `None` if the case cannot be made true here.
fn said(case: impl FnOnce() -> Option<Result<()>>) -> Option<String> {
    let (read, write) = nix::unistd::pipe().expect("a pipe");
    let child = || {
        let text = match case() {
            None => return 2,
            Some(Ok(())) => "it worked".to_owned(),
            Some(Err(error)) => error.to_string(),
        };
        nix::unistd::write(&write, text.as_bytes()).expect("room in the pipe");
        0
    };
    let pid = sys::clone(CloneFlags::empty(), child).expect("a child");
    drop(write);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut fs::File::from(read), &mut text).expect("the text");
    let status = nix::sys::wait::waitpid(pid, None).expect("its end");
    match status {
        nix::sys::wait::WaitStatus::Exited(_, 0) => Some(text),
        nix::sys::wait::WaitStatus::Exited(_, 2) => {
            println!("ignored: it cannot be made true here");
            None
        }
        other => panic!("{other:?}: {text}"),
    }
}

/// Root of a user namespace with a mount namespace, whoever this is.
fn become_mapped_root() -> Option<()> {
    let (uid, gid) = (geteuid(), getegid());
    nix::sched::unshare(NAMESPACES).ok()?;
    fs::write("/proc/self/setgroups", "deny").ok()?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1")).ok()?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1")).ok()?;
    let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
    sys::mount("", Path::new("/"), "", private, "").ok()
}

fn drop_capability(gone: CapabilitySet) {
    let ours = capabilities(None).expect("ours");
    let left = ours.effective.difference(gone);
    let sets = CapabilitySets { effective: left, ..ours };
    set_capabilities(None, sets).expect("less is always allowed");
}

fn tmpfs(at: &Path, options: &str) -> Option<()> {
    sys::mount("tmpfs", at, "tmpfs", MsFlags::empty(), options).ok()
}

#[track_caller]
fn assert_says(said: Option<String>, expected: &str) {
    if let Some(said) = said {
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_missing_capability_is_named() {
    if was_done_elsewhere() {
        return;
    }
    let seen = said(|| {
        become_mapped_root()?;
        drop_capability(CapabilitySet::SYS_ADMIN);
        Some(sys::mount("none", Path::new("/tmp"), "tmpfs", MsFlags::empty(), ""))
    });
    assert_says(seen, "it needs CAP_SYS_ADMIN, which this process does not have");
    let seen = said(|| {
        become_mapped_root()?;
        drop_capability(CapabilitySet::SYS_ADMIN);
        Some(sys::new_mount("proc", &[], MsFlags::empty()).map(drop))
    });
    assert_says(seen, "it needs CAP_SYS_ADMIN");
    let seen = said(|| {
        become_mapped_root()?;
        drop_capability(CapabilitySet::SETGID);
        Some(sys::setgroups(&[]))
    });
    assert_says(seen, "it needs CAP_SETGID");
}

/// It is the namespace's own rule, and no capability is missing.
#[test]
fn a_capability_that_is_there_is_not_blamed() {
    if was_done_elsewhere() {
        return;
    }
    let seen = said(|| {
        become_mapped_root()?;
        Some(sys::setgroups(&[]))
    });
    assert!(seen.is_none_or(|seen| seen.contains("EPERM") && !seen.contains("why:")));
}

#[test]
fn no_more_namespaces_are_told_with_their_limits() {
    if was_done_elsewhere() {
        return;
    }
    let seen = said(|| {
        become_mapped_root()?;
        fs::write("/proc/sys/user/max_uts_namespaces", "0").ok()?;
        Some(sys::unshare(CloneFlags::CLONE_NEWUTS))
    });
    assert_says(seen.clone(), "ENOSPC");
    assert_says(seen, "user.max_uts_namespaces=0");
}

#[test]
fn a_chroot_is_seen() {
    if was_done_elsewhere() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().to_owned();
    let seen = said(|| {
        become_mapped_root()?;
        fs::create_dir(here.join("proc")).ok()?;
        let (host_proc, flags) = (Path::new("/proc"), MsFlags::MS_BIND | MsFlags::MS_REC);
        sys::mount(host_proc, &here.join("proc"), "", flags, "").ok()?;
        nix::unistd::chroot(&here).ok()?;
        Some(sys::unshare(CloneFlags::CLONE_NEWUSER))
    });
    assert_says(seen, "this is a chroot");
}

/// Answers EPERM to one call, as a container's filter does.
fn refuse(number: i64) -> Option<()> {
    sys::refuse_call(number, Errno::EPERM).ok()
}

#[test]
fn a_filter_is_blamed_only_if_it_refuses() {
    if was_done_elsewhere() {
        return;
    }
    let unshare = || Some(sys::unshare(NAMESPACES));
    let seen = said(|| refuse(libc::SYS_unshare).and_then(|()| unshare()));
    assert_says(seen, "a seccomp filter refuses namespaces and mounts");
    // It holds, and another call of ours fails.
    let other = said(|| {
        refuse(libc::SYS_kcmp)?;
        Some(Err(mydocker_kernel::Error::call("clone()", Errno::EPERM)
            .explained(explain::clone(Errno::EPERM, NAMESPACES))))
    });
    assert!(other.is_none_or(|said| !said.contains("seccomp")));
}

#[test]
fn a_covered_proc_or_sys_is_named() {
    if was_done_elsewhere() {
        return;
    }
    for (kind, cover, flags) in [
        ("proc", "/proc/sys/kernel", CloneFlags::CLONE_NEWPID),
        ("sysfs", "/sys/kernel/mm", CloneFlags::CLONE_NEWNET),
    ] {
        let seen = said(|| {
            // The cover must belong to somebody else, or it could be taken away.
            become_mapped_root()?;
            tmpfs(Path::new(cover), "")?;
            nix::sched::unshare(NAMESPACES | flags).ok()?;
            // A PID namespace begins with a child.
            let mounted = || match sys::new_mount(kind, &[], MsFlags::empty()) {
                Ok(_) => 0,
                Err(error) if error.to_string().contains(&format!("{cover:?} is covered")) => 1,
                Err(error) => {
                    eprintln!("{error}");
                    2
                }
            };
            let child = sys::clone(CloneFlags::empty(), mounted).ok()?;
            let ended = nix::sys::wait::waitpid(child, None).ok()?;
            Some(Err(mydocker_kernel::Error::new(format!("{ended:?}"))))
        });
        assert!(seen.as_ref().is_none_or(|seen| seen.contains(", 1)")), "{kind}: {seen:?}");
    }
}

#[test]
fn a_file_system_that_the_kernel_lacks_is_named() {
    if was_done_elsewhere() {
        return;
    }
    let seen = said(|| {
        become_mapped_root()?;
        Some(sys::new_mount("nosuchfs", &[], MsFlags::empty()).map(drop))
    });
    assert_says(seen, "this kernel has no file system \"nosuchfs\"");
    let seen = said(|| {
        become_mapped_root()?;
        Some(sys::mount("none", Path::new("/tmp"), "nosuchfs", MsFlags::empty(), ""))
    });
    assert_says(seen, "this kernel has no file system \"nosuchfs\"");
}

#[test]
fn what_is_no_mount_point_is_named() {
    if was_done_elsewhere() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let seen = said(|| {
        become_mapped_root()?;
        Some(sys::mount("", folder.path(), "", MsFlags::MS_PRIVATE, ""))
    });
    assert_says(seen, "is no mount point");
    let seen = said(|| {
        become_mapped_root()?;
        Some(sys::umount2(folder.path(), nix::mount::MntFlags::empty()))
    });
    assert_says(seen, "is no mount point");
}

#[test]
fn a_directory_on_a_file_is_named() {
    if was_done_elsewhere() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    let seen = said(|| {
        become_mapped_root()?;
        Some(sys::mount(folder.path(), &file, "", MsFlags::MS_BIND, ""))
    });
    assert_says(seen, "a directory goes on a directory");
}

#[test]
fn what_keeps_a_mount_is_named() {
    if was_done_elsewhere() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let below = folder.path().join("below");
    let seen = said(|| {
        become_mapped_root()?;
        tmpfs(folder.path(), "")?;
        fs::create_dir(&below).ok()?;
        tmpfs(&below, "")?;
        Some(sys::umount2(folder.path(), nix::mount::MntFlags::empty()))
    });
    assert_says(seen, "below\" is mounted below it");
    let seen = said(|| {
        become_mapped_root()?;
        tmpfs(folder.path(), "")?;
        sys::chdir(folder.path()).ok()?;
        let cause = explain::busy(folder.path());
        Some(Err(mydocker_kernel::Error::new("busy").explained(cause)))
    });
    assert_says(seen, "works in");
}

#[test]
fn each_reason_of_pivot_root_is_told() {
    if was_done_elsewhere() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (new, old, other) =
        (folder.path().join("new"), folder.path().join("new/old"), folder.path().join("other"));
    fs::create_dir_all(&old).expect("folders");
    fs::create_dir_all(&other).expect("a folder");
    let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
    let pivot = |prepare: &dyn Fn() -> Option<()>, put_old: &Path| {
        said(|| {
            become_mapped_root()?;
            prepare()?;
            Some(sys::pivot_root(&new, put_old))
        })
    };
    let bound = || sys::mount(&new, &new, "", bind, "").ok();
    assert_says(pivot(&|| Some(()), &old), "new_root");
    let both_bound = || {
        bound()?;
        sys::mount(&other, &other, "", bind, "").ok()
    };
    assert_says(pivot(&both_bound, &other), "is not below new_root");
    assert_says(pivot(&bound, &new.join("gone")), "has no entry \"gone\"");
    let shared = || {
        bound()?;
        sys::mount("", &new, "", MsFlags::MS_SHARED, "").ok()
    };
    assert_says(pivot(&shared, &old), "is shared");
    let on_root = pivot(&bound, Path::new("/"));
    assert_says(on_root, "on the present root's own mount");
    let without = || {
        bound()?;
        drop_capability(CapabilitySet::SYS_ADMIN);
        Some(())
    };
    assert_says(pivot(&without, &old), "it needs CAP_SYS_ADMIN");
}

#[test]
fn a_program_that_cannot_be_executed_says_why() {
    if was_done_elsewhere() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let script = |name: &str, text: &str, mode| {
        fs::write(at(name), text).expect("a file");
        fs::set_permissions(at(name), Permissions::from_mode(mode)).expect("its mode");
    };
    script("no-interpreter", "#!/nowhere/sh\n", 0o755);
    script("not-executable", "#!/bin/sh\n", 0o644);
    script("no-program", "\0\0\0\0", 0o755);
    script("fine", "#!/bin/sh\n", 0o755);
    mkfifo(&at("fifo"), Mode::S_IRWXU).expect("a pipe");
    let execute = |name: &str| {
        let program = std::ffi::CString::new(at(name).to_str().expect("UTF-8")).expect("no NUL");
        said(|| Some(sys::execve(&program, &[], &[]).map(drop)))
    };
    for (name, why) in [
        ("no-interpreter", "not the interpreter"),
        ("not-executable", "its mode is 0644"),
        ("no-program", "it is no program for this machine"),
        ("", "it is a directory"),
        ("fifo", "a device, a pipe or a socket"),
        ("gone", "has no entry \"gone\""),
    ] {
        assert_says(execute(name), why);
    }
    let seen = said(|| {
        become_mapped_root()?;
        sys::mount(folder.path(), folder.path(), "", MsFlags::MS_BIND, "").ok()?;
        let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_NOEXEC;
        // In a user namespace the flags that are locked must be given again.
        let locked = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        let remount = |flags| sys::mount("", folder.path(), "", flags, "");
        remount(flags).or_else(|_| remount(flags | locked)).ok()?;
        let program = std::ffi::CString::new(at("fine").to_str()?).ok()?;
        Some(sys::execve(&program, &[], &[]).map(drop))
    });
    assert_says(seen, "is on a mount with noexec");
    let long = std::ffi::CString::new(vec![b'x'; 8 << 20]).expect("no NUL");
    let fine = std::ffi::CString::new(at("fine").to_str().expect("UTF-8")).expect("no NUL");
    let seen = said(|| Some(sys::execve(&fine, &[long], &[]).map(drop)));
    assert_says(seen, "larger than the kernel takes");
}

/// An overlay on a tmpfs, with these options.
fn overlay(prepare: impl FnOnce(&Path) -> Option<String>) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    said(|| {
        become_mapped_root()?;
        tmpfs(folder.path(), "")?;
        for name in ["lower", "upper", "work", "mnt"] {
            fs::create_dir(folder.path().join(name)).ok()?;
        }
        let options = prepare(folder.path())?.replace("HERE", folder.path().to_str()?);
        let mnt = folder.path().join("mnt");
        Some(sys::mount("overlay", &mnt, "overlay", MsFlags::empty(), options))
    })
}

const GOOD: &str = "lowerdir=HERE/lower,upperdir=HERE/upper,workdir=HERE/work,userxattr";

#[test]
fn each_reason_of_an_overlay_is_told() {
    if was_done_elsewhere() {
        return;
    }
    let fine = overlay(|_| Some(GOOD.into()));
    assert_says(fine, "it worked");
    assert_says(overlay(|_| Some(GOOD.replace("lower,", "gone,"))), "has no entry \"gone\"");
    let no_work = overlay(|_| Some("lowerdir=HERE/lower,upperdir=HERE/upper,userxattr".into()));
    assert_says(no_work, "upperdir and workdir go together");
    let same = overlay(|_| Some(GOOD.replace("HERE/work", "HERE/upper")));
    assert_says(same, "are the same or nested");
    let two = overlay(|here| {
        tmpfs(&here.join("work"), "")?;
        Some(GOOD.into())
    });
    assert_says(two, "put both on the same mount");
    let read_only = overlay(|here| {
        let bind = |flags| sys::mount(here, here, "", flags, "").ok();
        bind(MsFlags::MS_BIND)?;
        bind(MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY)?;
        Some(GOOD.into())
    });
    assert_says(read_only, "is on a read-only mount");
    let on_overlay = overlay(|here| {
        let here_text = here.to_str()?;
        let first = GOOD.replace("HERE", here_text);
        sys::mount("overlay", &here.join("mnt"), "overlay", MsFlags::empty(), first).ok()?;
        fs::create_dir(here.join("mnt/upper")).ok()?;
        fs::create_dir(here.join("mnt/work")).ok()?;
        Some("lowerdir=HERE/lower,upperdir=HERE/mnt/upper,workdir=HERE/mnt/work,userxattr".into())
    });
    assert_says(on_overlay, "cannot be an upperdir");
    let many = overlay(|here| {
        fs::create_dir(here.join("l")).ok()?;
        std::env::set_current_dir(here.join("l")).ok()?;
        let names: Vec<String> = (0..501).map(|number| number.to_string()).collect();
        names.iter().try_for_each(fs::create_dir).ok()?;
        Some(format!("lowerdir={},userxattr", names.join(":")))
    });
    assert_says(many, "at most 500");
    let nested = overlay(|_| Some(GOOD.replace("=HERE/lower,", "=HERE/lower:HERE/lower,")));
    assert_says(nested, "is, or is in, the layer");
    let no_admin = overlay(|_| {
        drop_capability(CapabilitySet::SYS_ADMIN);
        Some(GOOD.into())
    });
    assert_says(no_admin, "it needs CAP_SYS_ADMIN");
}

#[test]
fn limits_of_the_process_are_told_and_only_if_they_are_reached() {
    if was_done_elsewhere() {
        return;
    }
    let root = Path::new("/");
    let open_root = || open(root, OFlag::O_RDONLY, Mode::empty());
    let seen = said(|| {
        setrlimit(Resource::RLIMIT_NOFILE, 16, 16).ok()?;
        let all: Vec<_> = (0..32).map(|_| open_root()).collect();
        let last = all.last()?.as_ref().err().copied()?;
        Some(Err(mydocker_kernel::Error::call("open()", last)))
    });
    assert_says(seen, "this process may have 16 files open at once, and it has");
    let error = mydocker_kernel::Error::call("open()", Errno::EMFILE).to_string();
    assert!(!error.contains("why:"), "{error}");

    let folder = tempfile::tempdir().expect("a folder");
    let seen = said(|| {
        sys::ignore_signal(libc::SIGXFSZ);
        setrlimit(Resource::RLIMIT_FSIZE, 1000, 1000).ok()?;
        let written = fs::write(folder.path().join("large"), vec![0; 2000]);
        let errno = written.err().and_then(|error| error.raw_os_error())?;
        Some(Err(mydocker_kernel::Error::call("write()", Errno::from_raw(errno))))
    });
    assert_says(seen, "a file of this process may have 1000 bytes");
    let error = mydocker_kernel::Error::call("write()", Errno::EFBIG).to_string();
    assert!(!error.contains("why:"), "{error}");
}

/// Root is not concerned by a number of processes; nor is it said when it is not so.
#[test]
fn too_many_processes_of_a_user_are_told() {
    if was_done_elsewhere() {
        return;
    }
    let seen = said(|| {
        if geteuid().is_root() {
            nix::unistd::setgroups(&[]).ok()?;
            nix::unistd::setgid(65534.into()).ok()?;
            nix::unistd::setuid(65534.into()).ok()?;
        }
        setrlimit(Resource::RLIMIT_NPROC, 1, 1).ok()?;
        Some(sys::clone(CloneFlags::empty(), || 0).map(drop))
    });
    assert_says(seen.clone(), "EAGAIN");
    assert_says(seen, "this user may have 1 processes and threads");
    assert_eq!(explain::clone(Errno::EAGAIN, CloneFlags::empty()), None);
}

#[test]
fn a_host_name_is_blamed_for_its_length_only() {
    if was_done_elsewhere() {
        return;
    }
    let long = "x".repeat(65);
    let seen = said(|| {
        become_mapped_root()?;
        nix::sched::unshare(CloneFlags::CLONE_NEWUTS).ok()?;
        Some(sys::sethostname(&long))
    });
    assert_says(seen, "a host name has at most 64 bytes");
}
