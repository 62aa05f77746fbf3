//! A process of this program that does one thing and cannot outlive its time.
//!
//! Compiling an answer is reading what somebody else has written: `include_str!`
//! and `#[path]` name any file, constants may be computed without end. So the
//! compiler is put into a room of its own: in namespaces without a network, on a
//! root where only the compiler, the crates that are shared and this one answer
//! are, as nobody in particular. Grading needs no such room: the compiled answer
//! is only called in the labs' sandbox.

use std::env;
use std::ffi::CString;
use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use labkit::describe::walk;
use labkit::exam::{FOLDER, PROGRAM};
use mydocker_kernel::OnPath;
use mydocker_kernel::Result;
use mydocker_kernel::pivot::{detach_old_root, pivot_root};
use mydocker_kernel::privileges::Privileges;
use mydocker_kernel::sys;
use nix::mount::MsFlags;
use nix::sched::CloneFlags;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Gid, Uid, alarm, getegid, geteuid, setgroups, setresgid, setresuid};
use serde::{Deserialize, Serialize};

/// Where the compiler finds the answer, and writes what comes out.
pub const WORK: &str = "/work";
/// Where it finds the crates that all answers share.
pub const SHARED: &str = "/shared";

/// How long one call of the compiler may take, in seconds.
pub const COMPILE_AT_MOST: u32 = 30;
/// How long the grading of one lab may take; each promise has its own limit.
pub const GRADE_AT_MOST: u32 = 600;
/// How much memory the compiler, and each process it starts, may have.
const MEMORY: u64 = 3 << 30;
/// How large a file may be that it writes.
const FILE: u64 = 256 << 20;
/// How much is read of what it prints.
const PRINTED: u64 = 64 << 10;
/// Who the compiler is when root grades: nobody has this id.
const NOBODY: u32 = 1_500_000_000;

/// The folders of the machine that a compiler and a linker need.
const SYSTEM: [&str; 7] = ["/bin", "/lib", "/lib32", "/lib64", "/usr", "/nix", "/etc/alternatives"];

/// The variable that tells such a process what to do.
const TASK: &str = "LAB_TASK";

/// What such a process does.
#[derive(Serialize, Deserialize)]
pub enum Task {
    Compile(Compile),
    /// Has a program graded, in the lab's folder: by a grader without a line of the
    /// answer, where the lab has one.
    Grade {
        grader: Option<PathBuf>,
        program: PathBuf,
        folder: PathBuf,
    },
}

/// One call of the compiler.
#[derive(Serialize, Deserialize)]
pub struct Compile {
    /// The compiler's folder, at the same place in the room.
    pub sysroot: PathBuf,
    pub shared: PathBuf,
    pub work: PathBuf,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
}

/// How a task has ended.
pub struct Ended {
    pub status: ExitStatus,
    /// What it has printed, or the beginning of that.
    pub said: String,
}

impl Task {
    /// Has a process of its own do it.
    pub fn run(&self) -> io::Result<Ended> {
        let (mut reader, writer) = io::pipe()?;
        let mut child = Command::new("/proc/self/exe")
            .env(TASK, serde_json::to_string(self).expect("plain data"))
            // Ctrl-C is for the program that grades: a compiler ended by it would
            // be taken for an outcome.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .spawn()?;
        let mut said = Vec::new();
        reader.by_ref().take(PRINTED).read_to_end(&mut said)?;
        io::copy(&mut reader, &mut io::sink())?;
        let said = String::from_utf8_lossy(&said).into_owned();
        Ok(Ended { status: child.wait()?, said })
    }

    /// What this process was started to do, if it was.
    pub fn of_this_process() -> Option<Task> {
        serde_json::from_str(&env::var(TASK).ok()?).ok()
    }

    /// Does it, in the process made for it.
    pub fn execute(self) -> ExitCode {
        let outcome = match self {
            Task::Compile(compile) => compile.in_a_room(),
            Task::Grade { grader, program, folder } => grade(grader.as_deref(), &program, &folder),
        };
        outcome.unwrap_or_else(|error| {
            eprintln!("{error}");
            ExitCode::from(CONFINEMENT_FAILED)
        })
    }
}

/// The exit code when the room could not be made: rustc has no such one.
const CONFINEMENT_FAILED: u8 = 77;

/// Becomes a lab's tests. The limits of this process stay its limits.
fn grade(grader: Option<&Path>, program: &Path, folder: &Path) -> Result<ExitCode> {
    sys::die_with_parent()?;
    alarm::set(GRADE_AT_MOST);
    let mut command = Command::new(grader.unwrap_or(program));
    command.env(PROGRAM, program).env(FOLDER, folder);
    command.arg("--test-threads=1").current_dir(folder).env_remove(TASK);
    Err(mydocker_kernel::Error::new(format!("{}: {}", program.display(), command.exec())))
}

impl Compile {
    fn in_a_room(&self) -> Result<ExitCode> {
        sys::die_with_parent()?;
        alarm::set(COMPILE_AT_MOST);
        // The room is for another user to walk in.
        umask(Mode::from_bits_truncate(0o022));
        let is_root = Privileges::current() == Privileges::Root;
        if is_root {
            give_to_nobody(&self.work).on("lchown", &self.work)?;
        } else {
            become_mapped_root()?;
        }
        sys::unshare(
            CloneFlags::CLONE_NEWNS
                | CloneFlags::CLONE_NEWPID
                | CloneFlags::CLONE_NEWNET
                | CloneFlags::CLONE_NEWIPC
                | CloneFlags::CLONE_NEWUTS,
        )?;
        let child = sys::clone(CloneFlags::empty(), || {
            let error = self.become_compiler(is_root);
            eprintln!("{error}");
            CONFINEMENT_FAILED.into()
        })?;
        Ok(match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, code)) => ExitCode::from(code as u8),
            ended => {
                eprintln!("rustc: {ended:?}");
                ExitCode::FAILURE
            }
        })
    }

    /// Makes the room the root. Its furniture is taken before the room covers
    /// what may lie there; /proc is this PID namespace's, and by it compiler and
    /// linker find what lies beside them.
    fn furnish(&self) -> Result<()> {
        let mut links = Vec::new();
        let mut trees: Vec<(PathBuf, OwnedFd)> = Vec::new();
        for path in SYSTEM.map(Path::new).into_iter().filter(|path| path.exists()) {
            match fs::read_link(path) {
                Ok(target) => links.push((path, target)),
                Err(_) => trees.push((path.to_owned(), read_only(path)?)),
            }
        }
        trees.push((PathBuf::from(SHARED), read_only(&self.shared)?));
        if !self.sysroot.starts_with("/usr") {
            trees.push((self.sysroot.clone(), read_only(&self.sysroot)?));
        }
        trees.push((PathBuf::from(WORK), sys::open_tree(&self.work)?));
        let null = sys::open_tree(Path::new("/dev/null"))?;

        let room = Path::new("/tmp");
        sys::mount("room", room, "tmpfs", MsFlags::MS_NOSUID, "size=256m,mode=755")?;
        let within = |path: &Path| room.join(path.strip_prefix("/").unwrap_or(path));
        for (path, target) in links {
            symlink(target, within(path)).on("symlink", path)?;
        }
        for (path, tree) in trees {
            fs::create_dir_all(within(&path)).on("mkdir", &path)?;
            let place = within(&path);
            let target = File::open(&place).on("open", &place)?;
            sys::move_mount(tree.as_fd(), target.as_fd(), &place)?;
        }
        let temporary = within(Path::new("/tmp"));
        // Rust itself may be installed below it.
        fs::create_dir_all(&temporary).on("mkdir", &temporary)?;
        fs::set_permissions(&temporary, Permissions::from_mode(0o1777)).on("chmod", &temporary)?;
        let device = within(Path::new("/dev/null"));
        fs::create_dir_all(within(Path::new("/dev"))).on("mkdir", &device)?;
        let file = File::create(&device).on("open", &device)?;
        sys::move_mount(null.as_fd(), file.as_fd(), &device)?;
        let proc = within(Path::new("/proc"));
        fs::create_dir(&proc).on("mkdir", &proc)?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        sys::mount("proc", &proc, "proc", flags, "")?;
        pivot_root(room)?;
        detach_old_root()
    }

    /// The first process of the room becomes the compiler: with its end all ends
    /// that it has started. Returns only why it does not.
    fn become_compiler(&self, is_root: bool) -> mydocker_kernel::Error {
        let prepare = || -> Result<Vec<CString>> {
            sys::mount("", Path::new("/"), "", MsFlags::MS_PRIVATE | MsFlags::MS_REC, "")?;
            self.furnish()?;
            if is_root {
                let failed = |errno| mydocker_kernel::Error::call("setresuid", errno);
                let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
                setgroups(&[]).map_err(failed)?;
                setresgid(group, group, group).map_err(failed)?;
                setresuid(user, user, user).map_err(failed)?;
            }
            sys::die_with_parent()?;
            sys::set_no_new_privs()?;
            for (resource, limit) in [
                (Resource::RLIMIT_AS, MEMORY),
                (Resource::RLIMIT_FSIZE, FILE),
                (Resource::RLIMIT_CORE, 0),
                (Resource::RLIMIT_CPU, 2 * u64::from(COMPILE_AT_MOST)),
            ] {
                setrlimit(resource, limit, limit)
                    .map_err(|errno| mydocker_kernel::Error::call("setrlimit", errno))?;
            }
            sys::chdir(Path::new(WORK))?;
            let compiler = self.sysroot.join("bin/rustc").display().to_string();
            let words = [&compiler].into_iter().chain(&self.arguments);
            Ok(words.map(|word| CString::new(word.as_str()).expect("no NUL")).collect())
        };
        let outcome = prepare().and_then(|words| {
            let own = [("PATH", "/usr/bin:/bin"), ("TMPDIR", "/tmp"), ("LC_ALL", "C.UTF-8")];
            let given = self.environment.iter().map(|(name, value)| (&name[..], &value[..]));
            let environment: Vec<CString> = own
                .into_iter()
                .chain(given)
                .map(|(name, value)| CString::new(format!("{name}={value}")).expect("no NUL"))
                .collect();
            sys::execve(&words[0], &words, &environment)
        });
        match outcome {
            Err(error) => error,
        }
    }
}

/// Gives all of a tree to whom the compiler will be, whatever root's umask is.
fn give_to_nobody(folder: &Path) -> io::Result<()> {
    let mut paths = Vec::new();
    walk(folder, &mut |path, _| paths.push(path.to_owned()))?;
    paths.iter().try_for_each(|path| lchown(path, Some(NOBODY), Some(NOBODY)))
}

/// A folder of the machine, as it may be shown to whoever must not change it.
fn read_only(path: &Path) -> Result<OwnedFd> {
    let tree = sys::open_tree(path)?;
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    sys::mount_setattr(tree.as_fd(), flags)?;
    Ok(tree)
}

/// Becomes root of a user namespace, so that mounts may be made.
fn become_mapped_root() -> Result<()> {
    let (uid, gid) = (geteuid(), getegid());
    sys::unshare(CloneFlags::CLONE_NEWUSER)?;
    let write = |file: &str, content: &str| {
        let path = Path::new("/proc/self").join(file);
        fs::write(&path, content).on("write", &path)
    };
    // Without it a user may not map groups.
    write("setgroups", "deny")?;
    write("gid_map", &format!("0 {gid} 1"))?;
    write("uid_map", &format!("0 {uid} 1"))
}
