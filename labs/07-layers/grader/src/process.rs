//! What the functions leave of the process that calls them.

use std::path::{Path, PathBuf};

use labkit::call::Call;
use labkit::failing;
use labkit::frame::{Facts, Returned, Rules, Words, rule};
use labkit::host::Host;
use labkit::overlay::user_xattr;
use labkit::process::Process;
use labkit::verdict::{Evidence, Finding, NOT_WRITTEN};
use serde::Serialize;

use crate::LAB;
use crate::acts::{
    CREATE_AUFS_MOUNT_POINT, CREATE_INIT_LAYER, CREATE_MOUNT_POINT, CREATE_WRITE_LAYER, Layer,
    WHITEOUTS_TO_AUFS, WHITEOUTS_TO_OVERLAY,
};
use crate::failing::{EVERY, Failing};
use crate::init_host::with_umask_077;
use crate::layer::{directories, fill};

/// A process after a function.
struct Left {
    process: Process,
}

impl Facts for Left {
    fn words(&self) -> Words {
        Words::new()
    }
}

impl Left {
    fn umask(&self) -> &str {
        self.process.status.get("Umask").map_or("-", String::as_str)
    }

    fn open(&self) -> String {
        let paths = self.process.descriptors.values();
        let names: Vec<String> = paths.map(|path| path.display().to_string()).collect();
        if names.is_empty() { "-".to_owned() } else { names.join(", ") }
    }
}

static RULES: Rules<Left> = Rules {
    lab: LAB,
    function: "",
    tables: &[&[
        rule("umask-not-restored", |it| it.umask() != "0077"),
        rule("descriptor-left-open", |it| !it.process.descriptors.is_empty()),
    ]],
};

/// Calls a function in a workspace beside an image, and returns the process.
type Calling = fn(&Host, &Path, PathBuf) -> Result<Process, Finding>;

const FUNCTIONS: [(&str, Calling); 6] = [
    (CREATE_INIT_LAYER.function, |host, workspace, image| {
        let input = (workspace.to_owned(), image, "a-host".to_owned());
        let call = host.act(&CREATE_INIT_LAYER, input).after(with_umask_077);
        Ok(call.make()?.process)
    }),
    (CREATE_WRITE_LAYER.function, |host, workspace, _| {
        let call = host.act(&CREATE_WRITE_LAYER, workspace.to_owned()).after(with_umask_077);
        Ok(call.make()?.process)
    }),
    (CREATE_MOUNT_POINT.function, |host, workspace, image| {
        let input = (workspace.to_owned(), image, user_xattr());
        Ok(host.act(&CREATE_MOUNT_POINT, input).after(with_umask_077).make()?.process)
    }),
    (CREATE_AUFS_MOUNT_POINT.function, |host, workspace, image| {
        let input = (workspace.join("init-layer"), image, false);
        Ok(host.act(&CREATE_AUFS_MOUNT_POINT, input).after(with_umask_077).make()?.process)
    }),
    (WHITEOUTS_TO_OVERLAY.function, |host, workspace, _| {
        let input = Layer { layer: workspace.join("layer"), user_xattr: user_xattr() };
        let call = host.each(&WHITEOUTS_TO_OVERLAY, vec![&input]).after(with_umask_077);
        Ok(call.make_each().map_err(|ended| ended.finding)?.process)
    }),
    (WHITEOUTS_TO_AUFS.function, |host, workspace, _| {
        let input = Layer { layer: workspace.join("layer"), user_xattr: user_xattr() };
        let call = host.each(&WHITEOUTS_TO_AUFS, vec![&input]).after(with_umask_077);
        Ok(call.make_each().map_err(|ended| ended.finding)?.process)
    }),
];

/// Those that the contract asks it of first.
const OWN: [&str; 2] = [CREATE_INIT_LAYER.function, CREATE_WRITE_LAYER.function];

pub fn the_process_stays_as_it_was(host: &Host) -> Result<(), Finding> {
    let (workspace, image) = (host.path("workspace"), host.path("image"));
    directories(&workspace, [""]);
    directories(&image, ["etc"]);
    fill(&workspace.join("layer"), &[(".wh.old", ""), ("sub/file", "")]);
    // 1. All goes well, where that can be here. 2. Everything is there already, and cannot
    // be made. 3. There is nothing to work on.
    let nothing = host.path("nothing");
    for (workspace, image) in [(&workspace, &image), (&workspace, &image), (&nothing, &image)] {
        for (function, call) in FUNCTIONS {
            match call(host, workspace, image.clone()) {
                // This promise is about what is written.
                Err(finding) if finding.code == NOT_WRITTEN && !OWN.contains(&function) => {}
                process => is_as_it_was(function, process?)?,
            }
        }
    }
    // 4. There is a mount point to be made, and no image to be mounted.
    let workspace = host.path("without-image");
    directories(&workspace, ["init-layer", "write-layer", "work"]);
    let (function, call) = FUNCTIONS[2];
    match call(host, &workspace, nothing) {
        Err(finding) if finding.code == NOT_WRITTEN => {}
        process => is_as_it_was(function, process?)?,
    }
    // 5. Each call of those that the contract asks it of fails in turn.
    let new_workspace = |name: &str, failing: Failing| {
        let workspace = host.path(&format!("{name}-{}", failing.name()));
        directories(&workspace, [""]);
        workspace
    };
    while_calls_fail(CREATE_INIT_LAYER.function, |failing| {
        let input = (new_workspace("init", failing), image.clone(), "a-host".to_owned());
        host.act(&CREATE_INIT_LAYER, input).after(with_umask_077)
    })?;
    while_calls_fail(CREATE_WRITE_LAYER.function, |failing| {
        host.act(&CREATE_WRITE_LAYER, new_workspace("write", failing)).after(with_umask_077)
    })
}

fn while_calls_fail<'h, I: Serialize>(
    function: &'static str,
    call: impl Fn(Failing) -> Call<'h, I, Returned>,
) -> Result<(), Finding> {
    let stays = |failing: Failing| {
        let seen = failing.during(call(failing)).make()?;
        let has_failed = failing.told(&seen).is_some();
        is_as_it_was(function, seen.process).map(|()| has_failed)
    };
    EVERY.into_iter().try_for_each(|failing| stays(failing).map(drop))?;
    failing::each(|nth| stays(Failing::Nth(nth)))
}

fn is_as_it_was(function: &'static str, process: Process) -> Result<(), Finding> {
    let it = Left { process };
    let kept = it.umask() == "0077" && it.process.descriptors.is_empty();
    let rules = Rules { function, ..RULES };
    rules.judge(&it, kept, || {
        vec![
            Evidence::differs(format!("the umask after {function}"), "0077", it.umask()),
            Evidence::differs(format!("open files after {function}"), "-", it.open()),
        ]
    })
}
