//! What follows the system calls of [`crate::sys`]: a trace, if there is one.

use std::sync::OnceLock;

use nix::errno::Errno;

/// Gets each call and its outcome. The call is put into words only on request, so a run
/// without a trace pays nothing for it.
pub type Follower = fn(call: &dyn Fn() -> String, failed: Option<Errno>);

static FOLLOWER: OnceLock<Follower> = OnceLock::new();

/// From here on, `follower` gets each call of this process and of its children by
/// clone(2). The first follower stays.
pub fn follow(follower: Follower) {
    let _ = FOLLOWER.set(follower);
}

/// Reports a call.
pub(crate) fn tell(call: &dyn Fn() -> String, failed: Option<Errno>) {
    if let Some(follower) = FOLLOWER.get() {
        follower(call, failed);
    }
}
