//! The promises on the mounts of what start has started, and of the host.

use std::path::Path;

use labkit::frame::{Rule, Rules, rule};
use labkit::host::Host;
use labkit::verdict::Evidence;
use mydocker_kernel::mountinfo::{Change, Mount};

use crate::container::{Container, Given, observe};
use crate::running::{GENERAL, NO_MOUNT_NAMESPACE, NO_PID_NAMESPACE, Outcome, rules};

const SHARED: &[Rule<Container>] = &[
    rule("propagation-left-shared", |it| it.mount_at("/").is_some_and(Mount::is_shared)),
    rule("covered-mounts-left-shared", |it| {
        let mut shared = it.mounts().iter().filter(|it| it.is_shared()).peekable();
        shared.peek().is_some() && shared.all(|mount| it.is_covered(mount))
    }),
    rule("private-not-recursive", |it| it.mounts().iter().any(Mount::is_shared)),
];

pub fn propagation(host: &Host) -> Outcome {
    static RULES: Rules<Container> = rules(&[
        GENERAL,
        NO_MOUNT_NAMESPACE,
        SHARED,
        &[rule("slave-not-private", |it| {
            let mut fields = it.mounts().iter().flat_map(|mount| &mount.optional_fields);
            fields.any(|field| field.starts_with("master:"))
        })],
    ]);
    let facts = observe(host, Given::Path)?;
    let mounts = facts.mounts();
    let kept = !mounts.is_empty() && mounts.iter().all(|it| propagation_of(it) == "private");
    facts.judge(&RULES, kept, || {
        let seen = |path| facts.mount_at(path).map_or("-".to_owned(), propagation_of);
        let mut all = ["/", "/proc", "/tmp"].map(|path| (path.to_owned(), seen(path))).to_vec();
        if all.iter().all(|(_, seen)| seen == "private") {
            // Which others there are is the machine's affair; the sandbox covers /proc.
            let mut others = mounts.iter().filter(|it| propagation_of(it) != "private");
            let covered = others.clone().find(|it| it.mount_point == Path::new("/proc"));
            all.extend(covered.or_else(|| others.next()).map(|it| {
                let covered = if facts.is_covered(it) { ", covered" } else { "" };
                (format!("{}{covered}", it.mount_point.display()), propagation_of(it))
            }));
        }
        let evidence = all.into_iter().map(|(path, seen)| {
            Evidence::differs(format!("/proc/PID/mountinfo, {path}"), "private", seen)
        });
        evidence.collect()
    })
}

/// The propagation of a mount without the numbers of peer groups.
fn propagation_of(mount: &Mount) -> String {
    let fields = mount.optional_fields.iter();
    // Nothing passes an unbindable one either.
    let names: Vec<&str> = fields
        .filter_map(|field| field.split(':').next())
        .filter(|name| *name != "unbindable")
        .collect();
    if names.is_empty() { "private".to_owned() } else { names.join(",") }
}

pub fn host_mounts(host: &Host) -> Outcome {
    fn is_new(change: &Change) -> bool {
        matches!(change, Change::Mounted { .. })
    }
    static RULES: Rules<Container> = rules(&[
        GENERAL,
        &[rule("host-made-private", |it| {
            let changes = it.seen.host_changes();
            let is_remounted = |change: &Change| matches!(change, Change::Remounted { .. });
            it.looked.is_new("mnt")
                && !changes.iter().any(is_new)
                && changes.iter().any(is_remounted)
        })],
        NO_MOUNT_NAMESPACE,
        SHARED,
        // All are private by now.
        &[rule("private-too-late", |it| it.seen.host_changes().iter().any(is_new))],
    ]);
    let facts = observe(host, Given::Path)?;
    let kept = facts.seen.host_changes().is_empty();
    facts.judge(&RULES, kept, || vec![facts.seen.host_evidence()])
}

pub fn proc(host: &Host) -> Outcome {
    static RULES: Rules<Container> = rules(&[
        GENERAL,
        &[rule("spawned-not-executed", |it| {
            it.looked.is_new("pid") && it.own_pid() != "1" && it.processes() == ["1", it.own_pid()]
        })],
        NO_PID_NAMESPACE,
        &[
            rule("proc-before-pid-namespace", Container::proc_is_mounted),
            rule("proc-not-mounted", |it| !it.proc_is_mounted()),
        ],
    ]);
    let facts = observe(host, Given::Path)?;
    facts.judge(&RULES, facts.processes() == ["1"], || {
        let seen = facts.processes().join(" ");
        vec![Evidence::differs("ls -d /proc/[0-9]*", "1", seen), facts.proc_drawn()]
    })
}

pub fn proc_flags(host: &Host) -> Outcome {
    static RULES: Rules<Container> = rules(&[
        GENERAL,
        &[
            rule("proc-not-mounted", |it| !it.proc_is_mounted()),
            rule("proc-without-flags", |it| !it.proc_lacks().is_empty()),
        ],
    ]);
    let facts = observe(host, Given::Path)?;
    facts.judge(&RULES, facts.proc_lacks().is_empty(), || vec![facts.proc_drawn()])
}
