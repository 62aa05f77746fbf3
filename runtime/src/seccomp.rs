//! Calls that no container needs, and by which one gets further than it should.
//!
//! The model is docker's default profile. Docker lists the calls that are allowed;
//! here stand those of the known ones that are not, and what is newer than the
//! list is answered ENOSYS, as by an older kernel: programs know a way without.
//! See seccomp(2), and bpf(4) of the BSDs for the machine that runs the filter.
//!
//! The filter is made when this program is compiled: at a start it would take a
//! fifteenth of the time, and the kernel's part grows with its length.

use libc::{
    BPF_ABS, BPF_JA, BPF_JEQ, BPF_JGT, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W,
    sock_filter,
};
use mydocker_kernel::{Result, sys};
use syscalls::{aarch64, arm, x86, x86_64};

/// The refused calls. Those without a reason of their own need a capability that a
/// container does not have, or would have in a user namespace of its own.
pub const REFUSED: [&str; 69] = [
    "_sysctl",
    "acct",
    // Keys do not belong to a container, but to a user of the machine.
    "add_key",
    "bpf",
    "clock_settime",
    "clock_settime64",
    "create_module",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "get_kernel_syms",
    "get_mempolicy",
    "init_module",
    // A second way to most calls, on which no filter looks.
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mbind",
    "migrate_pages",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "nfsservctl",
    // A file by its number, wherever it lies.
    "open_by_handle_at",
    "open_tree",
    "open_tree_attr",
    "pciconfig_iobase",
    "pciconfig_read",
    "pciconfig_write",
    "perf_event_open",
    "pidfd_getfd",
    "pivot_root",
    "process_madvise",
    "query_module",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "set_mempolicy",
    "set_mempolicy_home_node",
    "setdomainname",
    "sethostname",
    "setns",
    "settimeofday",
    "stime",
    "swapoff",
    "swapon",
    "sysfs",
    "syslog",
    "umount",
    "umount2",
    // In a user namespace of its own, root mounts control groups and lifts limits.
    "unshare",
    "uselib",
    // It stops the kernel in the middle of a call, which helps to win a race.
    "userfaultfd",
    "ustat",
    "vhangup",
    "vm86",
    "vm86old",
];

/// What clone(2) must not make; it makes threads and processes all the same.
const NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

/// A socket to the host of a virtual machine; it knows no network namespaces.
const AF_VSOCK: u32 = 40;

/// The personalities that only change what uname(2) says, the usual one, and the
/// question for it. Others take protection away from set-user-ID programs.
const PERSONALITIES: [u32; 5] = [0, 0x0008, 0x20000, 0x20008, 0xffff_ffff];

/// The calls of 32-bit ARM beside its list: cacheflush, set_tls and the like.
const ARM_OWN: std::ops::RangeInclusive<u32> = 0xf_0001..=0xf_0006;

/// One way to make calls. A machine of 64 bits has two: programs of 32 bits run on
/// it too, and have numbers of their own.
struct Calls<'a> {
    /// As the kernel names it to a filter: AUDIT_ARCH_ of linux/audit.h.
    architecture: u32,
    /// The call of each number.
    names: &'a [Option<&'static str>],
}

macro_rules! calls {
    ($list:ident, $architecture:expr) => {
        Calls {
            architecture: $architecture,
            names: &{
                let mut names = [None; $list::Sysno::last().id() as usize + 1];
                let mut number = 0;
                while number < names.len() {
                    if let Some(call) = $list::Sysno::new(number) {
                        names[number] = Some(call.name());
                    }
                    number += 1;
                }
                names
            },
        }
    };
}

/// The filter for Intel's and AMD's machines.
pub static FILTER_OF_X86: Filter =
    Filter::new(&[calls!(x86_64, 0xc000_003e), calls!(x86, 0x4000_0003)]);

/// The filter for ARM's machines.
pub static FILTER_OF_ARM: Filter =
    Filter::new(&[calls!(aarch64, 0xc000_00b7), calls!(arm, 0x4000_0028)]);

#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
use FILTER_OF_X86 as FILTER;

#[cfg(any(target_arch = "aarch64", target_arch = "arm"))]
use FILTER_OF_ARM as FILTER;

/// From here on this thread and what it starts is refused these calls, for good.
///
/// # Errors
/// EINVAL where the kernel was built without filters.
pub fn refuse() -> Result<()> {
    sys::set_seccomp_filter(FILTER.instructions())
}

/// A program that the kernel runs before each call.
#[derive(Debug)]
pub struct Filter {
    instructions: [sock_filter; Filter::LONGEST],
    length: usize,
}

impl Filter {
    /// Enough for all of ours.
    const LONGEST: usize = 256;

    /// What the kernel is given.
    pub fn instructions(&self) -> &[sock_filter] {
        &self.instructions[..self.length]
    }

    /// For each way to make calls, what is answered to which number.
    const fn new(machine: &[Calls<'_>]) -> Filter {
        let none = instruction(0, 0, 0, 0);
        let mut filter = Filter { instructions: [none; Filter::LONGEST], length: 0 };
        filter.push(load(ARCHITECTURE));
        let mut way = 0;
        while way < machine.len() {
            filter.push(jump(BPF_JEQ, machine[way].architecture, 1, 0));
            // Over the section; how far is known when it is there.
            filter.push(always_jump(0));
            let begin = filter.length;
            filter.push_section(machine[way].names);
            filter.instructions[begin - 1] = always_jump(filter.length - begin);
            way += 1;
        }
        // Nobody knows what its numbers mean.
        filter.push(answer(libc::SECCOMP_RET_KILL_PROCESS));
        filter
    }

    const fn push_section(&mut self, names: &[Option<&'static str>]) {
        self.push(load(NUMBER));
        self.push(jump(BPF_JGT, names.len() as u32 - 1, 0, 4));
        self.push(jump(BPF_JGT, *ARM_OWN.end(), 2, 0));
        self.push(jump(BPF_JGT, *ARM_OWN.start() - 1, 0, 1));
        self.push(answer(ALLOW));
        self.push(answer(error(libc::ENOSYS)));

        let mut refused = [0; REFUSED.len()];
        let mut count = 0;
        let mut number = 0;
        while number < names.len() {
            if let Some(name) = names[number] {
                self.push_what_depends(name.as_bytes(), number as u32);
                if is_refused(name.as_bytes()) {
                    refused[count] = number as u32;
                    count += 1;
                }
            }
            number += 1;
        }

        // Each leads to the same answer, behind that to all others.
        let mut index = 0;
        while index < count {
            self.push(jump(BPF_JEQ, refused[index], (count - index) as u8, 0));
            index += 1;
        }
        self.push(answer(ALLOW));
        self.push(answer(error(libc::EPERM)));
    }

    /// The calls whose answer depends on what they ask for, or is another one.
    const fn push_what_depends(&mut self, name: &[u8], number: u32) {
        match name {
            // Its flags lie in memory, where a filter does not see them.
            b"clone3" => self.push_when(number, &[answer(error(libc::ENOSYS))]),
            b"clone" => self.push_when(
                number,
                &[
                    load(FIRST_ARGUMENT),
                    jump(BPF_JSET, NAMESPACES, 0, 1),
                    answer(error(libc::EPERM)),
                    answer(ALLOW),
                ],
            ),
            b"socket" => self.push_when(
                number,
                &[
                    load(FIRST_ARGUMENT),
                    jump(BPF_JEQ, AF_VSOCK, 0, 1),
                    answer(error(libc::EPERM)),
                    answer(ALLOW),
                ],
            ),
            b"personality" => {
                let [usual, other_name, other_layout, both, question] = PERSONALITIES;
                self.push_when(
                    number,
                    &[
                        load(FIRST_ARGUMENT),
                        jump(BPF_JEQ, usual, 5, 0),
                        jump(BPF_JEQ, other_name, 4, 0),
                        jump(BPF_JEQ, other_layout, 3, 0),
                        jump(BPF_JEQ, both, 2, 0),
                        jump(BPF_JEQ, question, 1, 0),
                        answer(error(libc::EPERM)),
                        answer(ALLOW),
                    ],
                );
            }
            _ => {}
        }
    }

    /// These instructions, if the loaded field has this value.
    const fn push_when(&mut self, value: u32, body: &[sock_filter]) {
        self.push(jump(BPF_JEQ, value, 0, body.len() as u8));
        let mut index = 0;
        while index < body.len() {
            self.push(body[index]);
            index += 1;
        }
    }

    const fn push(&mut self, instruction: sock_filter) {
        self.instructions[self.length] = instruction;
        self.length += 1;
    }
}

const fn is_refused(name: &[u8]) -> bool {
    let mut index = 0;
    while index < REFUSED.len() {
        if is_same(REFUSED[index].as_bytes(), name) {
            return true;
        }
        index += 1;
    }
    false
}

const fn is_same(a: &[u8], b: &[u8]) -> bool {
    match (a, b) {
        ([], []) => true,
        ([first, a @ ..], [other, b @ ..]) => *first == *other && is_same(a, b),
        _ => false,
    }
}

// What the kernel shows a filter: struct seccomp_data, whose numbers have the
// lower half first on all these machines.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

const fn error(errno: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | errno as u32
}

/// Loads a field of struct seccomp_data.
const fn load(field: u32) -> sock_filter {
    instruction(BPF_LD | BPF_W | BPF_ABS, field, 0, 0)
}

/// Ends the filter.
const fn answer(value: u32) -> sock_filter {
    instruction(BPF_RET | BPF_K, value, 0, 0)
}

/// Passes over so many instructions if it is so, or if it is not.
const fn jump(comparison: u32, with: u32, if_so: u8, if_not: u8) -> sock_filter {
    instruction(BPF_JMP | comparison | BPF_K, with, if_so, if_not)
}

const fn always_jump(over: usize) -> sock_filter {
    instruction(BPF_JMP | BPF_JA, over as u32, 0, 0)
}

const fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: code as u16, jt, jf, k }
}
