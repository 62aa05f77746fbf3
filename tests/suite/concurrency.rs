//! Many at the same moment.

use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use harness::host::{Host, wait_until};

use crate::host;

fn spawn(host: &Host, arguments: &[&str]) -> Child {
    let mut command = host.command();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().expect("mydocker starts")
}

#[test]
fn fifty_containers_at_once_do_not_disturb_each_other() {
    let host = host();
    let all_ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // `ps` and `prune` meanwhile, which look at half-made containers too.
        for arguments in [["ps"], ["prune"]] {
            let (host, all_ended) = (&host, &all_ended);
            scope.spawn(move || {
                while !all_ended.load(Relaxed) {
                    let assert = host.mydocker(arguments).assert().success();
                    let said = String::from_utf8_lossy(&assert.get_output().stdout).into_owned();
                    assert!(!said.contains("left over") || said.contains("nothing"), "{said}");
                    assert!(!said.contains("container "), "prune took a live one: {said}");
                }
            });
        }
        let children: Vec<Child> = (0..50)
            .map(|code| spawn(&host, &["run", "sh", "-c", &format!("echo $$ >/file; exit {code}")]))
            .collect();
        let ends = children.into_iter().map(|child| child.wait_with_output().expect("its end"));
        let ends: Vec<_> = ends.collect();
        all_ended.store(true, Relaxed);
        for (code, end) in ends.iter().enumerate() {
            assert_eq!(end.status.code(), Some(code as i32), "{end:?}");
        }
    });
    host.assert_untouched();
}

#[test]
fn of_two_runs_with_one_name_exactly_one_succeeds() {
    let host = host();
    for _ in 0..10 {
        let mut runs: Vec<Child> = (0..2)
            .map(|_| spawn(&host, &["run", "-i", "--name", "same", "sh", "-c", "read end; exit 9"]))
            .collect();
        let mut code = |index: usize| {
            let status = runs[index].try_wait().expect("its status");
            status.map(|status| status.code())
        };
        let mut refused = None;
        wait_until("one is refused", || {
            refused = (0..2).find(|&index| code(index).is_some());
            refused.is_some()
        });
        let refused = refused.expect("one");
        assert_eq!(code(refused), Some(Some(125)));
        assert_eq!(code(1 - refused), None, "the other goes on");
        let winner = runs.swap_remove(1 - refused);
        assert_eq!(winner.wait_with_output().expect("its end").status.code(), Some(9));
    }
    host.assert_untouched();
}
