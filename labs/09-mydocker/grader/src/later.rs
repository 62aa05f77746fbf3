//! What comes after the lab: a container in the background becomes an image, and gets
//! one more command. Only `cargo lab check` grades these stages.

mod background;
mod commit;
mod commit_facts;
mod commit_rules;
mod exec;
mod exec_facts;
mod exec_rules;
mod inside;
mod survey;

use labkit::host::Host;
use labkit::need::Told;
use labkit::proc::Proc;
use labkit::programs::{Exam, Promise};
use labkit::verdict::Finding;
use nix::sched::CloneFlags;
use nix::sys::prctl;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::OVERLAY;
use crate::observe::{FUNCTION, of_the_grader};
use crate::program::Program;
use crate::trial::kill_all;
use background::Background;

/// The promises of the stages `commit` and `exec`.
pub static LATER: Exam<Program> = Exam {
    lab_toml: concat!(include_str!("../../lab.toml"), include_str!("../../later.toml")),
    promises: &[
        Promise {
            name: "the_new_image_has_what_was_written",
            needs: OVERLAY,
            check: commit::written,
        },
        Promise {
            name: "the_new_image_lacks_what_was_deleted",
            needs: OVERLAY,
            check: commit::deleted,
        },
        Promise {
            name: "the_new_image_keeps_attributes_and_links",
            needs: OVERLAY,
            check: commit::attributes,
        },
        Promise { name: "the_old_image_stays", needs: OVERLAY, check: commit::old_image },
        Promise { name: "nothing_of_the_host_is_committed", needs: OVERLAY, check: commit::host },
        Promise {
            name: "a_failed_commit_leaves_no_image",
            needs: OVERLAY,
            check: commit::failed_commit,
        },
        Promise { name: "exec_joins_every_namespace", needs: OVERLAY, check: exec::namespaces },
        Promise { name: "exec_has_the_containers_root", needs: OVERLAY, check: exec::root },
        Promise { name: "exec_inherits_no_descriptor", needs: OVERLAY, check: exec::descriptors },
        Promise {
            name: "exec_passes_arguments_as_they_are",
            needs: OVERLAY,
            check: exec::arguments,
        },
        Promise { name: "exec_tells_how_its_command_ended", needs: OVERLAY, check: exec::status },
        Promise { name: "the_container_outlives_exec", needs: OVERLAY, check: exec::beside },
        Promise { name: "exec_into_nothing_is_an_error", needs: OVERLAY, check: exec::nothing },
    ],
};

/// What an adapter must tell so that one of these promises can be graded.
pub fn must_be_told(promise: &str) -> Option<Told> {
    let text = LATER.lab();
    let stage = text.promise(promise).map(|promise| promise.function.clone());
    match stage.as_deref() {
        Some("commit") => Some(Told::Commit),
        Some("exec") => Some(Told::Exec),
        _ => None,
    }
}

/// Has a program run containers in the background of a fresh host, and returns what
/// `look` has seen of them.
///
/// # Errors
/// The program did not come to its end: what happened instead.
fn observe<F: Serialize + DeserializeOwned>(
    program: &Program,
    host: &Host,
    look: impl FnOnce(&Background) -> F,
) -> Result<F, Finding> {
    let setting = program.set_up(host).expect("room in the scratch directory");
    let seen = host.call(FUNCTION, CloneFlags::empty(), || {
        let proc = Proc::open().expect("/proc is there");
        // If a container's program has ended, somebody must take note of the container's end.
        prctl::set_child_subreaper(true).expect("it is always possible");
        let table = proc.mount_table("self").expect("the host has a mount table");
        let seen = look(&Background::begin(&setting, &proc, &table).expect("/dev is there"));
        // The containers are still running, and nobody needs them any more.
        kill_all(&proc);
        seen
    });
    seen.map(|seen| seen.returned).map_err(of_the_grader)
}
