//! What the filter answers to which call, on every machine that it knows: here it
//! is run by an interpreter, in tests/suite/isolation.rs by the kernel.

use libc::{SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, sock_filter};
use mydocker::seccomp::{FILTER_OF_ARM, FILTER_OF_X86, REFUSED};
use rstest::rstest;
use syscalls::{aarch64, arm, x86, x86_64};

const EPERM: u32 = SECCOMP_RET_ERRNO | libc::EPERM as u32;
const ENOSYS: u32 = SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

const X86_64: u32 = 0xc000_003e;
const X86: u32 = 0x4000_0003;
const AARCH64: u32 = 0xc000_00b7;
const ARM: u32 = 0x4000_0028;

fn filter(architecture: u32) -> &'static [sock_filter] {
    match architecture {
        X86_64 | X86 => FILTER_OF_X86.instructions(),
        _ => FILTER_OF_ARM.instructions(),
    }
}

/// Runs the filter as the kernel does. See Documentation/networking/filter.rst.
fn answer(program: &[sock_filter], architecture: u32, number: u32, argument: u32) -> u32 {
    let (mut at, mut loaded) = (0, 0);
    loop {
        let instruction = &program[at];
        at += 1;
        let k = instruction.k;
        let jump = |so: bool| usize::from(if so { instruction.jt } else { instruction.jf });
        match u32::from(instruction.code) {
            0x20 => {
                loaded = match k {
                    0 => number,
                    4 => architecture,
                    16 => argument,
                    _ => panic!("a field that nobody needs: {k}"),
                }
            }
            0x05 => at += k as usize,
            0x15 => at += jump(loaded == k),
            0x25 => at += jump(loaded > k),
            0x45 => at += jump(loaded & k != 0),
            0x06 => return k,
            code => panic!("an instruction that the filter has not: {code:#x}"),
        }
    }
}

fn number(architecture: u32, name: &str) -> Option<u32> {
    let number = match architecture {
        X86_64 => name.parse::<x86_64::Sysno>().ok()?.id(),
        X86 => name.parse::<x86::Sysno>().ok()?.id(),
        AARCH64 => name.parse::<aarch64::Sysno>().ok()?.id(),
        _ => name.parse::<arm::Sysno>().ok()?.id(),
    };
    Some(number as u32)
}

#[rstest]
fn what_gets_a_container_further_is_refused(#[values(X86_64, X86, AARCH64, ARM)] machine: u32) {
    let program = filter(machine);
    for name in [
        "mount",
        "umount2",
        "pivot_root",
        "unshare",
        "setns",
        "fsopen",
        "open_tree",
        "move_mount",
        "mount_setattr",
        "open_tree_attr",
        "keyctl",
        "add_key",
        "request_key",
        "bpf",
        "perf_event_open",
        "userfaultfd",
        "open_by_handle_at",
        "init_module",
        "finit_module",
        "delete_module",
        "kexec_load",
        "reboot",
        "swapon",
        "acct",
        "quotactl",
        "io_uring_setup",
        "settimeofday",
        "sethostname",
        "syslog",
        "fanotify_init",
    ] {
        let number = number(machine, name).expect("a call of every machine");
        assert_eq!(answer(program, machine, number, 0), EPERM, "{name}");
    }
    let clone3 = number(machine, "clone3").expect("a call of every machine");
    assert_eq!(answer(program, machine, clone3, 0), ENOSYS);
}

#[rstest]
fn what_programs_need_is_allowed(#[values(X86_64, X86, AARCH64, ARM)] machine: u32) {
    let program = filter(machine);
    for name in [
        "read",
        "write",
        "openat",
        "openat2",
        "close",
        "mmap",
        "mmap2",
        "execve",
        "execveat",
        "exit_group",
        "futex",
        "rt_sigaction",
        "ioctl",
        "wait4",
        "waitid",
        "fork",
        "vfork",
        "ptrace",
        "chroot",
        "mknodat",
        "setuid",
        "setgroups",
        "capset",
        "prctl",
        "seccomp",
        "socketcall",
        "connect",
        "epoll_wait",
        "epoll_pwait",
        "inotify_init1",
        "statx",
        "name_to_handle_at",
        "process_vm_readv",
        "modify_ldt",
        "arch_prctl",
        "cacheflush",
        "memfd_create",
        "landlock_create_ruleset",
        "close_range",
        "pidfd_open",
        "rseq",
    ] {
        if let Some(number) = number(machine, name) {
            assert_eq!(answer(program, machine, number, 0), SECCOMP_RET_ALLOW, "{name}");
        }
    }
}

/// A thread, a fork, and each of the namespaces.
#[rstest]
#[case(0x3d_0f00, SECCOMP_RET_ALLOW)]
#[case(17, SECCOMP_RET_ALLOW)]
#[case(0x0002_0000, EPERM)]
#[case(0x0200_0000, EPERM)]
#[case(0x0400_0000, EPERM)]
#[case(0x0800_0000, EPERM)]
#[case(0x1000_0000 | 17, EPERM)]
#[case(0x2000_0000, EPERM)]
#[case(0x4000_0000, EPERM)]
fn clone_makes_no_namespaces(
    #[values(X86_64, X86, AARCH64, ARM)] machine: u32,
    #[case] flags: u32,
    #[case] answered: u32,
) {
    let clone = number(machine, "clone").expect("a call of every machine");
    assert_eq!(answer(filter(machine), machine, clone, flags), answered);
}

#[rstest]
#[case("socket", libc::AF_UNIX as u32, SECCOMP_RET_ALLOW)]
#[case("socket", libc::AF_VSOCK as u32, EPERM)]
#[case("personality", 0xffff_ffff, SECCOMP_RET_ALLOW)]
#[case("personality", libc::ADDR_NO_RANDOMIZE as u32, EPERM)]
fn some_calls_depend_on_what_they_ask_for(
    #[values(X86_64, X86, AARCH64, ARM)] machine: u32,
    #[case] name: &str,
    #[case] argument: u32,
    #[case] answered: u32,
) {
    let number = number(machine, name).expect("a call of every machine");
    assert_eq!(answer(filter(machine), machine, number, argument), answered);
}

/// A newer call, and one of the x32 way to call the kernel.
#[rstest]
fn what_is_not_known_is_no_call(
    #[values(X86_64, X86, AARCH64, ARM)] machine: u32,
    #[values(600, 0x4000_0000 | 165, u32::MAX)] number: u32,
) {
    assert_eq!(answer(filter(machine), machine, number, 0), ENOSYS);
}

#[test]
fn numbers_of_an_unknown_machine_end_the_process() {
    for filter in [&FILTER_OF_X86, &FILTER_OF_ARM] {
        assert_eq!(answer(filter.instructions(), 0x8000_0016, 1, 0), SECCOMP_RET_KILL_PROCESS);
    }
}

/// Otherwise a misspelt name would be allowed everywhere.
#[test]
fn each_refused_name_is_a_call_of_some_machine() {
    for name in REFUSED {
        let is_known = [X86_64, X86, AARCH64, ARM].iter().any(|&it| number(it, name).is_some());
        assert!(is_known, "{name}");
    }
}

/// The newest call that is known is one, and the calls of ARM that are in no list.
#[test]
fn the_ends_of_the_lists_are_allowed() {
    let newest = x86_64::Sysno::last().id() as u32;
    assert_eq!(answer(filter(X86_64), X86_64, newest, 0), SECCOMP_RET_ALLOW);
    assert_eq!(answer(filter(X86_64), X86_64, newest + 1, 0), ENOSYS);
    for (number, answered) in [
        (0xf_0000, ENOSYS),
        (0xf_0001, SECCOMP_RET_ALLOW),
        (0xf_0006, SECCOMP_RET_ALLOW),
        (0xf_0007, ENOSYS),
    ] {
        assert_eq!(answer(filter(ARM), ARM, number, 0), answered, "{number:#x}");
    }
}
