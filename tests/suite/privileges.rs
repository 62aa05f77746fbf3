//! What decides is what a process may do, not what it is called: root of an ordinary
//! container may not mount.

use std::process::{Command, Output};

use harness::host::Host;

use crate::host;

/// `mydocker` by a root without CAP_SYS_ADMIN.
fn without_power(host: &Host, arguments: &[&str]) -> Output {
    let command = host.command();
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]);
    setpriv.arg(command.get_program()).args(arguments);
    setpriv.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    setpriv.env("MYDOCKER_ROOT", host.root()).output().expect("setpriv starts")
}

#[cfg_attr(not(can_root), ignore = "needs root")]
#[test]
fn a_root_that_may_not_mount_runs_containers_as_a_user_does() {
    let host = host();
    let script = "id -u; cat /proc/self/uid_map | tr -s ' '; echo new >/file; cat /file";
    let output = without_power(&host, &["run", "sh", "-c", script]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n 0 0 1\nnew\n", "{output:?}");
}

#[cfg_attr(not(can_root), ignore = "needs root")]
#[test]
fn doctor_calls_a_root_that_may_not_mount_by_its_name() {
    let host = host();
    let output = without_power(&host, &["doctor"]);
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(report.contains("root without CAP_SYS_ADMIN"), "{report}");
    assert!(report.contains("ok  containers "), "{report}");
    assert!(!report.contains("root of this machine"), "{report}");
}
