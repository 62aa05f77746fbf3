//! What an image may have, and what it may lack.

use std::cell::RefCell;
use std::fs;

use labkit::describe::result;
use labkit::frame::{Rules, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::libc::SYS_pivot_root;

use super::{Entering, FUNCTION, call, enter, furnish, names, only_in};
use crate::LAB;
use crate::beside;

/// A root in which there is hardly anything: an image of one program.
pub fn bare_root(host: &Host) -> Result<(), Finding> {
    static RULES: Rules<Entering> = Rules {
        tables: &[&[rule("root-needs-directories", |it| it.has_stopped())]],
        lab: LAB,
        function: FUNCTION,
    };
    let new_root = host.path("bare");
    fs::create_dir_all(new_root.join("etc")).expect("the scratch directory");
    fs::write(new_root.join("etc/marker"), "").expect("the scratch directory");
    let facts = enter(host, new_root)?;
    RULES.judge(&facts, facts.inside.root_is_new && facts.seen.returned.is_ok(), || {
        let call = format!("{FUNCTION}(new_root), which has but a directory `etc`");
        vec![Evidence::differs(call, "Ok", result(&facts.seen.returned))]
    })
}

/// An image that has the directory which the function makes for a while: it is the image's.
/// To refuse it is as good as to use it.
pub fn own_directory(host: &Host) -> Result<(), Finding> {
    // 1. What is there when the root changes.
    let new_root = furnish(host, "looked-at");
    let before = names(&new_root);
    let made = RefCell::new(Vec::new());
    let pivot_root = [("pivot_root", &[SYS_pivot_root][..])];
    call(host, &new_root).standing_still(1, &pivot_root).make_meanwhile(
        |_, answering| {
            if host.wait_until_it_stands_still(answering).is_some() {
                made.replace(only_in(&names(&new_root), &before));
                answering.go_on();
            }
        },
        |_, _| (),
    )?;
    // 2. The same names on the host, and in another image.
    let made = made.into_inner();
    if made.is_empty() {
        return Ok(());
    }
    beside::of_a_pivot(host, &made)?;
    let new_root = furnish(host, "with-its-own");
    for name in &made {
        fs::create_dir_all(new_root.join(name)).expect("a directory in the scratch directory");
    }
    static RULES: Rules<Entering> = Rules {
        tables: &[&[rule("directory-of-the-image-removed", |it| !it.gone.is_empty())]],
        lab: LAB,
        function: FUNCTION,
    };
    let facts = enter(host, new_root)?;
    RULES.judge(&facts, facts.gone.is_empty(), || {
        let what = format!("find new_root afterwards, where {} was before", made.join(", "));
        let mut left = made.clone();
        left.retain(|name| !facts.gone.contains(name));
        let left = if left.is_empty() { "-".to_owned() } else { left.join(", ") };
        vec![Evidence::differs(what, made.join(", "), left)]
    })
}
