//! From all that was seen of one call to what was done, the worst first.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use labkit::describe::Failure;
use labkit::verdict::Finding;
use nix::errno::Errno;

use crate::FUNCTION;
use crate::listing::{Aspect, Difference, Listing, Node, What};
use crate::outside::STOLEN;
use crate::run::{Due, Run, UMASK};

pub fn diagnose(run: &Run) -> Option<Finding> {
    harm(run).or_else(|| match (&run.due, &run.returned) {
        (Due::Layer, Err(failure)) => Some(returned_error(failure)),
        (Due::Layer, Ok(())) => match &run.layer {
            None => did_nothing(run),
            Some(layer) => wrong_files(run, layer).map(code),
        },
        (Due::Refusal { entry, .. }, Ok(())) => match &run.layer {
            None => did_nothing(run),
            Some(layer) => Some(code(not_refused(run, entry, layer)).word("entry", entry)),
        },
        (Due::Refusal { entry, .. }, Err(failure)) if !failure.text.contains(entry) => {
            Some(code("error-without-name").word("entry", entry).word("error", failure))
        }
        (Due::Refusal { .. } | Due::NoHarm { .. }, _) => None,
    })
}

fn code(code: &str) -> Finding {
    Finding::new(format!("rootfs/{code}"))
}

/// What the answer did outside of the layer.
fn harm(run: &Run) -> Option<Finding> {
    let outside = &run.outside;
    if outside.is_harmless() {
        return None;
    }
    let of_entry = match run.due {
        Due::Layer => None,
        Due::Refusal { harm, .. } | Due::NoHarm { harm } => Some(harm),
    };
    let is_file = |path: &PathBuf| path.is_file();
    let has_come_out = !outside.escaped.is_empty() || !outside.rewritten.is_empty();
    let is_linked = matches!(run.due, Due::Refusal { entry: STOLEN, .. })
        && outside.touched.iter().any(is_file);
    let found = match has_come_out || is_linked {
        true => of_entry,
        // Nothing that an archive has but a symbolic link leads there.
        false => Some("attributes-through-symlink"),
    };
    let harm = outside.harm().join(", ");
    found.map(|found| code(found).word("harm", harm))
}

/// It says that it cannot be done.
pub fn returned_error(failure: &Failure) -> Finding {
    let is_exdev =
        failure.errno == Some(Errno::EXDEV as i32) || failure.text.contains(Errno::EXDEV.desc());
    if is_exdev {
        return code("another-file-system");
    }
    Finding::new("answer/returned-error").word("function", FUNCTION).word("error", failure)
}

/// It says that all is well, and there is no layer.
fn did_nothing(run: &Run) -> Option<Finding> {
    let nothing = run.outside.new.is_empty();
    nothing.then(|| Finding::new("answer/did-nothing").word("function", FUNCTION))
}

/// It says that all is well with an entry that it must refuse or cannot make.
fn not_refused(run: &Run, entry: &str, layer: &Listing) -> &'static str {
    let no_links: Vec<&PathBuf> = run
        .expected
        .iter()
        .filter(|(_, must)| matches!(must.what, What::Symlink(_)))
        .filter(|(name, _)| layer.get(*name).is_some_and(|is| is.what == What::Folder))
        .map(|(name, _)| name)
        .collect();
    let layer_itself = PathBuf::new();
    if no_links.contains(&&layer_itself) {
        return "entry-skipped";
    }
    if !no_links.is_empty() {
        return "symlink-followed";
    }
    match layer.iter().find(|(name, _)| name.ends_with(entry)) {
        None => "entry-skipped",
        Some((_, Node { what: What::File(_), .. })) if entry.starts_with("dev/") => {
            "device-as-regular-file"
        }
        Some(_) => "hostile-name-rewritten",
    }
}

/// There is a layer, and it is not what the archive has.
fn wrong_files(run: &Run, layer: &Listing) -> Option<&'static str> {
    let of = |aspect: Aspect| -> Vec<&Difference> {
        run.differences.iter().filter(|it| it.aspect == aspect).collect()
    };
    let must = |it: &Difference| &run.expected[&it.name];
    let is = |it: &Difference| &layer[&it.name];

    // 1. The names.
    let (missing, added) = (of(Aspect::Missing), of(Aspect::Added));
    if !missing.is_empty() || !added.is_empty() {
        let is_cut = |it: &&Difference| {
            let whole = it.name.as_os_str().as_bytes();
            added.iter().any(|it| whole.starts_with(it.name.as_os_str().as_bytes()))
        };
        return match () {
            () if added.is_empty() => Some("entry-skipped"),
            () if missing.iter().any(is_cut) => Some("long-name-cut"),
            () => None,
        };
    }
    // 2. What they are names of.
    if let Some(it) = of(Aspect::Kind).first() {
        return match (&must(it).what, &is(it).what) {
            (What::Symlink(_), _) => Some("symlink-followed"),
            (What::Device(_) | What::Fifo, What::File(_)) => Some("device-as-regular-file"),
            _ => None,
        };
    }
    if let Some(it) = of(Aspect::Contents).first() {
        let (What::File(whole), What::File(seen)) = (&must(it).what, &is(it).what) else {
            return None;
        };
        return match () {
            () if seen.is_empty() && !of(Aspect::Links).is_empty() => Some("hard-links-empty"),
            () if whole.starts_with(seen) => Some("contents-cut"),
            () => None,
        };
    }
    if !of(Aspect::Target).is_empty() {
        return Some("symlink-target-rewritten");
    }
    if !of(Aspect::Links).is_empty() {
        return Some("hard-links-copied");
    }
    // 3. Owners, modes and times.
    if is_through_symlinks(run) {
        return Some("attributes-through-symlink");
    }
    if !of(Aspect::Owner).is_empty() {
        return Some("owners-lost");
    }
    let modes: Vec<_> = of(Aspect::Mode).into_iter().map(|it| (must(it), is(it))).collect();
    if !modes.is_empty() {
        return wrong_modes(&modes);
    }
    let on_folder = |it: &&Difference| must(it).what == What::Folder;
    let times = of(Aspect::Time);
    match () {
        () if times.is_empty() => None,
        () if times.iter().all(on_folder) => Some("folder-times-lost"),
        () => Some("times-lost"),
    }
}

/// Whether nothing is wrong but with files to which symbolic links lead, and
/// with these links.
fn is_through_symlinks(run: &Run) -> bool {
    let led_to: BTreeSet<&PathBuf> = run
        .expected
        .iter()
        .filter_map(|(name, node)| match &node.what {
            What::Symlink(target) => {
                let target = along(name.parent()?, target);
                run.expected.get(&target).map(|node| &node.first_name)
            }
            _ => None,
        })
        .collect();
    let nodes = run.differences.iter().map(|it| &run.expected[&it.name]);
    let mut others = nodes.filter(|node| !matches!(node.what, What::Symlink(_))).peekable();
    others.peek().is_some() && others.all(|node| led_to.contains(&node.first_name))
}

/// Where `target` leads from `folder`, by the names alone.
fn along(folder: &Path, target: &Path) -> PathBuf {
    let mut path = folder.to_owned();
    for part in target.components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            part => path.push(part),
        }
    }
    path
}

/// From the modes that there must be and are to how they came about.
fn wrong_modes(modes: &[(&Node, &Node)]) -> Option<&'static str> {
    let all = |is_so: fn(&Node, u32) -> bool| modes.iter().all(|(must, is)| is_so(must, is.mode));
    let is_folder = |node: &Node| node.what == What::Folder;
    let is_closed = |(must, is): &(&Node, &Node)| {
        is_folder(must) && must.mode & 0o111 != 0 && is.mode & 0o111 == 0
    };
    if modes.iter().any(is_closed) {
        return Some("folders-cannot-be-entered");
    }
    // A chown, or mkdir(2) itself, has taken the set-ID bits besides.
    if all(|must, is| is & !0o6000 == must.mode & !UMASK & !0o6000) {
        return Some("umask-applied");
    }
    if all(|must, is| is == if must.what == What::Folder { 0o777 } else { 0o666 } & !UMASK) {
        return Some("modes-not-set");
    }
    if all(|must, is| is == must.mode & 0o777) {
        let on_folder = modes.iter().any(|(must, _)| is_folder(must));
        return Some(if on_folder { "special-bits-lost" } else { "set-user-id-cleared" });
    }
    None
}
