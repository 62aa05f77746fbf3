//! Answers that do harm: each gets a verdict by name, and the machine stays as
//! it is.

use std::fs::{self, OpenOptions};
use std::hint::black_box;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, exit};
use std::ptr;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::Duration;

use labkit::act::{self, Act};
use labkit::control_groups;
use labkit::describe::{Failure, tree};
use labkit::exam::{self, Exam, Promise, Task};
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::language::Language;
use labkit::machine;
use labkit::need::Need;
use labkit::report;
use labkit::verdict::{Evidence, Finding, Verdict};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use mydocker_kernel::sys;
use nix::errno::Errno;
use nix::fcntl::posix_fallocate;
use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, getppid};

/// A lab with one function, which writes words into a file.
type Answer = fn(&Path, &str) -> io::Result<()>;

static WRITE: Act<Answer, (PathBuf, String), Returned> = Act {
    name: "write",
    function: "write",
    perform: |write, (file, words)| write(&file, &words).map_err(Failure::from),
};

static EXAM: Exam = Exam {
    lab_toml: "",
    promises: &[
        Promise::new("the_words_are_written", words_are_written),
        Promise::new("the_words_are_written_by_root", words_are_written_by_root)
            .needing(&[Need::DeviceFiles]),
    ],
};

/// What is seen of a call.
struct Written {
    returned: Returned,
    words: Option<String>,
}

impl Facts for Written {
    fn words(&self) -> Words {
        error_of(&self.returned)
    }
}

static RULES: Rules<Written> = Rules {
    lab: "kit",
    function: WRITE.function,
    tables: &[&[
        rule("answer/returned-error", |it| it.returned.is_err()),
        rule("answer/did-nothing", |it| it.words.is_none()),
    ]],
};

fn words_are_written(host: &Host) -> Result<(), Finding> {
    written(host, CloneFlags::CLONE_NEWNS)
}

/// In the machine's user namespace, in which it may make no others.
fn words_are_written_by_root(host: &Host) -> Result<(), Finding> {
    written(host, CloneFlags::empty())
}

fn written(host: &Host, namespaces: CloneFlags) -> Result<(), Finding> {
    let words = host.precious().words().expect("the host's file");
    let file = host.path("words");
    let call = host.act(&WRITE, (file.clone(), words.clone()));
    let returned = call.in_new(namespaces).make()?.returned;
    let facts = Written { returned, words: fs::read_to_string(&file).ok() };
    RULES.judge(&facts, facts.words.as_ref() == Some(&words), || {
        let seen = facts.words.as_deref().unwrap_or("-");
        vec![Evidence::differs("the file", &words, seen)]
    })
}

/// The directory that stands for a lab's: its files are the grader's.
const GUARDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");

/// What an answer does, the code for that, and the answer; no code: all is well.
static CASES: &[(&str, &str, Answer)] = &[
    ("writes_as_asked", "", |file, words| fs::write(file, words)),
    ("is_not_written", "answer/not-written", |file, _| todo!("write {file:?}")),
    ("panics", "answer/panicked", |_, words| {
        let number: u8 = words.parse().expect("a number");
        Err(io::Error::other(number.to_string()))
    }),
    ("returns_an_error", "answer/returned-error", |_, _| Err(io::ErrorKind::NotFound.into())),
    ("aborts", "answer/killed-by-signal", |_, _| std::process::abort()),
    ("segfaults", "answer/killed-by-signal", |_, _| {
        // What a wild pointer comes to: the same signal at each try to go on.
        loop {
            kill(Pid::this(), Signal::SIGSEGV)?;
        }
    }),
    ("overflows_the_stack", "answer/killed-by-signal", |_, _| {
        Err(io::Error::other(deeper(&[0; 4096]).to_string()))
    }),
    ("takes_all_memory", "answer/killed-by-signal", |_, _| {
        let mut memory = Vec::new();
        loop {
            memory.push(black_box(Vec::<u8>::with_capacity(1 << 28)));
        }
    }),
    ("loops_for_ever", "answer/hung", |_, _| {
        loop {
            std::hint::spin_loop();
        }
    }),
    ("sleeps_for_ever", "answer/hung", |_, _| {
        sleep(Duration::from_secs(1_000));
        Ok(())
    }),
    ("exits", "answer/exited", |_, _| exit(0)),
    ("forks_without_end", "answer/too-many-processes", |_, _| {
        fork_for_ever();
        Ok(())
    }),
    ("fills_the_disk", "answer/disk-full", |file, words| {
        for number in 0.. {
            fs::write(file.with_extension(number.to_string()), words.repeat(100_000))?;
        }
        Ok(())
    }),
    ("writes_one_endless_file", "answer/disk-full", |file, words| {
        let mut file = OpenOptions::new().create(true).append(true).open(file)?;
        loop {
            file.write_all(words.repeat(10_000).as_bytes())?;
        }
    }),
    // PID 1 of a PID namespace is out of reach for those in it.
    ("kills_its_parent", "", |file, words| {
        kill(getppid(), Signal::SIGKILL)?;
        fs::write(file, words)
    }),
    ("kills_everybody", "answer/returned-error", |file, words| {
        kill(Pid::from_raw(-1), Signal::SIGKILL)?;
        fs::write(file, words)
    }),
    ("leaves_a_daemon", "answer/processes-left", |file, words| {
        Command::new("sleep").arg("1000").spawn()?;
        fs::write(file, words)
    }),
    ("deletes_everything", "harm/files-changed", |_, _| {
        // The rest of the machine takes too long to walk, and is read-only.
        for top in ["/tmp", "/etc", "/home", "/root/.ssh", "/usr/local/bin"] {
            delete(Path::new(top));
        }
        Ok(())
    }),
    ("deletes_somebodys_files", "harm/files-changed", |file, words| {
        fs::write(file, words)?;
        fs::remove_dir_all(file.with_file_name("home"))
    }),
    ("edits_the_grader", "harm/grader-changed", |_, _| {
        fs::write(format!("{GUARDED}/misbehaving.rs"), "fn main() {}")
    }),
    ("adds_a_snapshot", "harm/grader-changed", |_, _| {
        let folder = format!("{GUARDED}/snapshots");
        fs::create_dir_all(&folder)?;
        fs::write(format!("{folder}/all_is_well.snap"), "all is well")
    }),
    ("prints_the_expected_words", "answer/did-nothing", |_, words| {
        println!("{words}\ntest the_words_are_written ... ok\n{{\"verdict\":\"kept\"}}");
        Ok(())
    }),
    ("takes_memory_with_many_processes", "answer/too-much-memory", |_, _| {
        start_many(5, || take(700 << 20))
    }),
    ("shares_memory_among_many_processes", "answer/too-much-memory", |_, _| {
        start_many(8, || share(200 << 20))
    }),
    ("takes_memory_fast_with_many_processes", "answer/too-much-memory", |_, _| {
        start_many(24, || take(128 << 20))
    }),
    ("prints_without_end", "answer/disk-full", |_, _| {
        let mut stdout = io::stdout();
        loop {
            stdout.write_all(&[b'x'; 1 << 16])?;
        }
    }),
    ("replies_without_end", "answer/exited", |_, words| {
        Err(io::Error::other(words.repeat(300_000)))
    }),
    ("replies_in_the_functions_place", "answer/did-nothing", |_, _| {
        // Memory that both processes see has no name; its descriptor is closed.
        let maps = fs::read_to_string("/proc/self/maps")?;
        let line = maps.lines().find(|line| line.contains("memfd:reply")).unwrap_or_default();
        let start = line.split('-').next().unwrap_or_default();
        let start = u64::from_str_radix(start, 16).map_err(io::Error::other)?;
        let forged = br#"{"Returned":"{\"Ok\":null}"}"#;
        let memory = OpenOptions::new().write(true).open("/proc/self/mem")?;
        memory.write_all_at(forged, start + 16)?;
        memory.write_all_at(&(forged.len() as u64).to_ne_bytes(), start)?;
        sleep(Duration::from_secs(1_000));
        Ok(())
    }),
    ("closes_every_descriptor", "", |file, words| {
        fs::write(file, words)?;
        sys::close_all_but(&[]).map_err(io::Error::other)
    }),
    ("finds_a_descriptor_of_the_grader", "answer/returned-error", |file, words| {
        let open: Vec<_> = fs::read_dir("/proc/self/fd")?.flatten().collect();
        // The last is the directory itself.
        if open.len() == 4 {
            return Err(io::ErrorKind::NotFound.into());
        }
        fs::write(file, words)
    }),
    ("looks_into_the_witness", "answer/returned-error", |file, words| {
        let ways = ["/proc/1/mem", "/proc/1/environ", "/proc/1/root/etc/passwd", "/proc/1/fd/3"];
        if ways.iter().all(|way| fs::File::open(way).is_err())
            && fs::read_dir("/proc/1/fd").is_err()
            && nix::sys::ptrace::attach(Pid::from_raw(1)).is_err()
        {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        fs::write(file, words)
    }),
    ("signals_the_witness", "", |file, words| {
        for signal in Signal::iterator() {
            let _ = kill(Pid::from_raw(1), signal);
        }
        fs::write(file, words)
    }),
    ("takes_the_witness_its_descriptors", "answer/returned-error", |_, _| {
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: it reads a limit, and writes none.
        #[allow(unsafe_code)]
        let result =
            unsafe { libc::prlimit(1, libc::RLIMIT_NOFILE, &raw const none, ptr::null_mut()) };
        Errno::result(result).map(drop).map_err(io::Error::from)
    }),
    ("types_into_the_terminal", "answer/returned-error", |file, words| {
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        drop(terminal);
        fs::write(file, words)
    }),
    ("finds_the_callers_variables", "answer/returned-error", |file, words| {
        let names: Vec<_> = std::env::vars_os().map(|(name, _)| name).collect();
        if names.iter().all(|name| name == "PATH" || name == "HOME") {
            return Err(io::ErrorKind::NotFound.into());
        }
        fs::write(file, words)
    }),
    ("finds_what_the_caller_ignores_and_blocks", "answer/returned-error", |file, words| {
        let status = fs::read_to_string("/proc/self/status")?;
        let set = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            u64::from_str_radix(line.trim(), 16).map_err(io::Error::other)
        };
        // Rust's own programs ignore SIGPIPE.
        let pipe = 1 << (libc::SIGPIPE - 1);
        if set("SigIgn:")? & !pipe == 0 && set("SigBlk:")? == 0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        fs::write(file, words)
    }),
    ("reads_the_callers_keys", "answer/returned-error", |file, words| {
        // Of the caller's own user, it may know that there are keys.
        let keys = fs::read_to_string("/proc/keys")?;
        let numbers = keys.lines().filter_map(|line| line.split_whitespace().next());
        let numbers = numbers.filter_map(|number| i64::from_str_radix(number, 16).ok());
        if !numbers.into_iter().any(|number| read_key(number).contains(KEY)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        fs::write(file, words)
    }),
    ("opens_the_machines_disks", "answer/returned-error", |file, words| {
        let is_one =
            |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_block_device());
        if !fs::read_dir("/dev")?.flatten().any(|entry| is_one(&entry)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        fs::write(file, words)
    }),
    ("makes_the_machine_writable", "answer/returned-error", |_, _| {
        let nothing: Option<&str> = None;
        Ok(mount(nothing, "/", nothing, MsFlags::MS_REMOUNT | MsFlags::MS_BIND, nothing)?)
    }),
];

/// What an answer does with memory that no process has mapped: only the kernel knows how
/// much that is.
static CASES_OF_UNSEEN_MEMORY: &[(&str, &str, Answer)] = &[
    ("keeps_files_that_have_no_name", "answer/too-much-memory", |_, _| keep_files().map(drop)),
    ("fills_a_file_system_of_its_own", "answer/too-much-memory", |file, _| {
        let nothing: Option<&str> = None;
        mount(nothing, "/", nothing, MsFlags::MS_PRIVATE | MsFlags::MS_REC, nothing)?;
        fill_file_system(&file.with_extension("own"))
    }),
    // It stays when the answer has ended, and leaves the witness no room.
    ("fills_a_file_system_of_the_hosts", "answer/too-much-memory", |file, _| {
        fill_file_system(&file.with_extension("hosts"))
    }),
    ("goes_on_when_a_child_has_run_out_of_memory", "answer/too-much-memory", |file, words| {
        let child = sys::clone(CloneFlags::empty(), || keep_files().map_or(1, |_| 0));
        spare_me();
        let ended = waitpid(child.map_err(io::Error::other)?, None)?;
        if !matches!(ended, WaitStatus::Signaled(_, Signal::SIGKILL, _)) {
            return Err(io::Error::other(format!("{ended:?}")));
        }
        fs::write(file, words)
    }),
    ("leaves_it_to_the_witness_to_be_killed", "answer/too-much-memory", |_, _| {
        spare_me();
        keep_files().map(drop)
    }),
];

/// The same as root of the machine.
static CASES_OF_ROOTS_UNSEEN_MEMORY: &[(&str, &str, Answer)] =
    &[("keeps_files_as_root", "answer/too-much-memory", |_, _| keep_files().map(drop))];

/// What an answer does that is the machine's root, because it must make device files.
static CASES_OF_ROOT: &[(&str, &str, Answer)] = &[
    ("makes_a_device_file", "", |file, words| {
        mknod(&file.with_extension("null"), SFlag::S_IFCHR, Mode::empty(), makedev(1, 3))?;
        fs::write(file, words)
    }),
    ("opens_a_device_that_it_has_made", "answer/returned-error", |file, words| {
        let device = file.with_extension("memory");
        mknod(&device, SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(1, 5))?;
        fs::File::open(device)?;
        fs::write(file, words)
    }),
    ("makes_usr_writable", "answer/returned-error", |file, words| {
        let nothing: Option<&str> = None;
        mount(nothing, "/usr", nothing, MsFlags::MS_REMOUNT | MsFlags::MS_BIND, nothing)?;
        fs::write(file, words)
    }),
    ("makes_a_user_namespace_to_mount_in", "answer/returned-error", |file, words| {
        nix::sched::unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
        let nothing: Option<&str> = None;
        mount(nothing, "/usr", nothing, MsFlags::MS_REMOUNT | MsFlags::MS_BIND, nothing)?;
        fs::write(file, words)
    }),
    ("turns_a_knob_of_the_kernel", "answer/returned-error", |file, words| {
        let knob = "/proc/sys/kernel/core_pattern";
        let value = fs::read(knob)?;
        fs::write(knob, value)?;
        fs::write(file, words)
    }),
    ("reads_the_passwords", "answer/returned-error", |file, words| {
        fs::read("/etc/shadow")?;
        fs::write(file, words)
    }),
    ("traces_the_witness", "answer/returned-error", |file, words| {
        nix::sys::ptrace::attach(Pid::from_raw(1))?;
        fs::write(file, words)
    }),
    ("forks_without_end_as_root", "answer/too-many-processes", |_, _| {
        fork_for_ever();
        Ok(())
    }),
];

/// What an answer does, and what it takes to find it out.
struct Misbehaving {
    promise: &'static Promise,
    /// Whether only the kernel sees it, and holds only control groups to a limit.
    is_unseen: bool,
    case: &'static (&'static str, &'static str, Answer),
}

fn cases() -> impl Iterator<Item = Misbehaving> {
    let of = |at: usize, is_unseen, cases: &'static [_]| {
        let promise = &EXAM.promises[at];
        cases.iter().map(move |case| Misbehaving { promise, is_unseen, case })
    };
    of(0, false, CASES)
        .chain(of(0, true, CASES_OF_UNSEEN_MEMORY))
        .chain(of(1, false, CASES_OF_ROOT))
        .chain(of(1, true, CASES_OF_ROOTS_UNSEEN_MEMORY))
}

/// Starts processes that each do this, and then nothing any more.
fn start_many(count: usize, take: fn()) -> io::Result<()> {
    for _ in 0..count {
        sys::clone(CloneFlags::empty(), || {
            take();
            sleep(Duration::from_secs(1_000));
            0
        })
        .map_err(io::Error::other)?;
    }
    sleep(Duration::from_secs(1_000));
    Ok(())
}

/// Fills memory of this length.
fn take(length: usize) {
    black_box(vec![1_u8; length].leak());
}

/// Fills memory of this length that children would have, too. See mmap(2).
fn share(length: usize) {
    let length = NonZeroUsize::new(length).expect("some");
    let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: the address is the kernel's choice, and nobody else knows the memory, which
    // is as long as the call says and stays to the end.
    #[allow(unsafe_code)]
    unsafe {
        let start = mmap_anonymous(None, length, protection, MapFlags::MAP_SHARED);
        start.expect("memory").cast::<u8>().write_bytes(1, length.get());
    }
}

/// Takes back that this process is the first to be killed when memory is used up.
fn spare_me() {
    let _ = fs::write("/proc/self/oom_score_adj", "0");
}

/// Twice as much as an answer may have, in files of the length that it may have.
const FILES: usize = 32;
const FILE: i64 = 64 << 20;

/// Has the kernel keep files in memory, and maps none. See memfd_create(2).
fn keep_files() -> io::Result<Vec<fs::File>> {
    let file = |_| {
        let file = fs::File::from(memfd_create("kept", MFdFlags::empty())?);
        fill(&file).map(|()| file)
    };
    (0..FILES).map(file).collect()
}

/// Mounts a file system in memory, and fills it.
fn fill_file_system(at: &Path) -> io::Result<()> {
    fs::create_dir(at)?;
    mount(Some("own"), at, Some("tmpfs"), MsFlags::empty(), Some("size=4g"))?;
    (0..FILES).try_for_each(|number| fill(&fs::File::create(at.join(number.to_string()))?))
}

fn fill(file: &fs::File) -> io::Result<()> {
    Ok(posix_fallocate(file, 0, FILE)?)
}

#[allow(unconditional_recursion)]
fn deeper(depth: &[u8; 4096]) -> u8 {
    let next = [depth[0]; 4096];
    deeper(black_box(&next)) + black_box(next)[1]
}

/// Each process starts others as fast as it can.
fn fork_for_ever() -> i32 {
    loop {
        let _ = sys::clone(CloneFlags::empty(), fork_for_ever);
    }
}

/// Deletes what it can, as `rm -rf` does.
fn delete(path: &Path) {
    if fs::remove_file(path).is_err() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            delete(&entry.path());
        }
        let _ = fs::remove_dir(path);
    }
}

/// A key of the user who runs these tests.
const KEY: &str = "labkit-secret";

fn main() -> ExitCode {
    if let Some(name) = act::asked() {
        let found = cases().find(|it| it.case.0 == name).expect("a case");
        act::answer(&[&WRITE], &found.case.2);
    }
    if let Some(task) = Task::of_this_process() {
        return exam::tell(EXAM.examine(&task));
    }
    machine::stand_apart().expect("root may have a mount namespace");
    keep_a_key();
    ignore_and_block();
    let trials = cases().map(|it| Trial::ignorable_test(it.case.0, move || check(&it)));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// What is in a key, if this process may read it. See keyctl_read(3).
#[allow(unsafe_code)]
fn read_key(number: i64) -> String {
    const KEYCTL_READ: libc::c_int = 11;
    let mut content = [0_u8; 64];
    // SAFETY: the kernel writes no more than it is told that there is room for.
    let count = unsafe {
        libc::syscall(libc::SYS_keyctl, KEYCTL_READ, number, content.as_mut_ptr(), content.len())
    };
    let count = usize::try_from(count).unwrap_or(0).min(content.len());
    String::from_utf8_lossy(&content[..count]).into_owned()
}

/// Puts a key into the session keyring that this process and its children have.
/// See add_key(2).
#[allow(unsafe_code)]
fn keep_a_key() {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;
    const KEY_SPEC_SESSION_KEYRING: libc::c_int = -3;
    let (kind, name) = (c"user", std::ffi::CString::new(KEY).expect("no NUL"));
    // SAFETY: all strings end with a NUL and live through the calls. Where there
    // are no keys, there is none to be found.
    unsafe {
        libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, ptr::null::<libc::c_char>());
        let (kind, name) = (kind.as_ptr(), name.as_ptr());
        libc::syscall(libc::SYS_add_key, kind, name, name, 1_usize, KEY_SPEC_SESSION_KEYRING);
    }
}

/// As a shell's `&` and nohup(1) start what they start.
#[allow(unsafe_code)]
fn ignore_and_block() {
    for signal in [libc::SIGHUP, libc::SIGUSR1, libc::SIGRTMIN()] {
        // SAFETY: no code of ours runs when it arrives.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGUSR2);
    blocked.thread_block().expect("a set of signals");
}

/// Tests that take much memory run one at a time: a small machine has no more.
static MEMORY: Mutex<()> = Mutex::new(());

fn check(misbehaving: &Misbehaving) -> Result<Completion, Failed> {
    let Misbehaving { promise, is_unseen, case: &(name, code, _) } = *misbehaving;
    if is_unseen && !control_groups::can_be_had() {
        return Ok(Completion::ignored_with(
            "no control group can be made here, and nothing else counts such memory",
        ));
    }
    let files = guarded_files()?;
    let task = Task {
        lab: String::new(),
        promise: promise.name.to_owned(),
        program: PathBuf::from("/proc/self/exe"),
        answer: name.to_owned(),
        guarded: Some(PathBuf::from(GUARDED)),
    };
    let alone = (code == "answer/too-much-memory").then(|| MEMORY.lock().expect("nobody panics"));
    let verdict = task.ask()?;
    drop(alone);
    let changes = machine::changes()?;
    if !changes.is_empty() || files != guarded_files()? {
        return Err(format!("the machine has changed: {changes:#?}").into());
    }
    match verdict {
        Verdict::NotGradable(lacking) => {
            Ok(Completion::ignored_with(report::not_gradable(lacking, Language::English)))
        }
        Verdict::Kept if code.is_empty() => Ok(Completion::Completed),
        verdict if verdict.code() == Some(code) => Ok(Completion::Completed),
        verdict => Err(format!("not {code:?}: {verdict:#?}").into()),
    }
}

/// What an answer could do harm to: the grader's files, and one of those of the
/// machine that [`CASES`] tries to delete.
fn guarded_files() -> Result<String, Failed> {
    Ok(tree(Path::new(GUARDED))? + &fs::read_to_string("/etc/passwd")?)
}
