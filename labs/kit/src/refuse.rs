//! A kernel call that fails, as it may on any day. See seccomp(2).

use std::io;

use nix::errno::Errno;

/// From here on a call of this process fails with `errno`, whatever it asks for.
/// `number` is the call's: `libc::SYS_mount`.
///
/// # Errors
/// This kernel has no seccomp filters.
#[allow(unsafe_code)]
pub fn refuse(number: i64, errno: Errno) -> io::Result<()> {
    let filter = |code: u32, if_equal, if_not, k| libc::sock_filter {
        code: code as u16,
        jt: if_equal,
        jf: if_not,
        k,
    };
    // The number of the call is the first field of struct seccomp_data.
    let mut filters = [
        filter(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        filter(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, number as u32),
        filter(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
        filter(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filters.len() as u16, filter: filters.as_mut_ptr() };
    nix::sys::prctl::set_no_new_privs()?;
    // SAFETY: the program and its filters live through the call, which copies them.
    let result =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    Ok(Errno::result(result).map(drop)?)
}
