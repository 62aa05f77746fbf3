//! Who follows the kernel calls of [`crate::sys`]: a trace, if there is one.

use std::sync::OnceLock;

use nix::errno::Errno;

/// Is told of a call and its outcome. The call is put into words only when
/// that is asked for: a run without a trace pays nothing for it.
pub type Follower = fn(call: &dyn Fn() -> String, failed: Option<Errno>);

static FOLLOWER: OnceLock<Follower> = OnceLock::new();

/// From here on `follower` is told of each call of this process, and of those
/// that it becomes by clone(2). The first one stays.
pub fn follow(follower: Follower) {
    let _ = FOLLOWER.set(follower);
}

/// Tells of a call.
pub(crate) fn tell(call: &dyn Fn() -> String, failed: Option<Errno>) {
    if let Some(follower) = FOLLOWER.get() {
        follower(call, failed);
    }
}
