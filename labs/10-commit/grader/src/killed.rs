//! new_image when it is killed.

use std::fs;

use labkit::describe::result;
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::LAB;
use crate::acts::NEW_IMAGE;
use crate::made::{call, plain};
use crate::store::{Found, NEW, OWNERS, Store, archive};

/// A call that was killed, and the next one.
#[derive(Debug)]
struct Killed {
    image: Found,
    left: Vec<String>,
    changed: Vec<String>,
    next: Returned,
    then: Found,
}

impl Facts for Killed {
    fn words(&self) -> Words {
        let mut words = error_of(&self.next);
        words.extend([("others", self.left.join(", ")), ("changed", self.changed.join(", "))]);
        words
    }
}

static KILLED: Rules<Killed> = Rules {
    lab: LAB,
    function: NEW_IMAGE.function,
    tables: &[&[
        rule("base-changed", |it| !it.changed.is_empty()),
        rule("half-an-image", |it| matches!(it.image, Found::Wrong(_))),
        rule("draft-is-an-image", |it| !it.left.is_empty()),
        rule("left-over-in-the-way", |it| it.next.is_err() && it.image == Found::Nothing),
    ]],
};

pub fn killed(host: &Host) -> Result<(), Finding> {
    plain(host)?;
    // Between the last call at which one is killed and the first at which there is
    // nothing left to kill.
    let (mut killed, mut ended) = (0, 1);
    while kill_at(host, ended)? {
        (killed, ended) = (ended, ended * 2);
    }
    while ended - killed > 1 {
        let middle = killed.midpoint(ended);
        match kill_at(host, middle)? {
            true => killed = middle,
            false => ended = middle,
        }
    }
    Ok(())
}

/// The number of the process that was started last. See proc_sys_kernel(5).
const LAST_PID: &str = "/proc/sys/kernel/ns_last_pid";

fn kill_at(host: &Host, at_call: usize) -> Result<bool, Finding> {
    let store = Store::new(host, &format!("killed-{at_call}"));
    let last_pid = fs::read(LAST_PID).unwrap_or_default();
    if !call(host, store.making("base", NEW), &archive()).kill_at(at_call)? {
        return Ok(false);
    }
    let image = store.find(NEW, &OWNERS);
    let (mut left, _) = store.differences(NEW);
    left.retain(|name| !name.starts_with('.'));
    // The next one may well have the same number: after a restart of the machine, or in a
    // container.
    let _ = fs::write(LAST_PID, last_pid);
    let next = call(host, store.making("base", NEW), &archive()).make()?.returned;
    let then = store.find(NEW, &OWNERS);
    let (_, changed) = store.differences(NEW);
    let it = Killed { image, left, changed, next, then };
    let was_made = it.image == Found::Right;
    let kept = it.left.is_empty()
        && it.changed.is_empty()
        && it.then == Found::Right
        && (was_made || it.image == Found::Nothing && it.next.is_ok());
    KILLED.judge(&it, kept, || {
        vec![
            Evidence::differs(
                format!("images/{NEW}, after a kill at call {at_call}"),
                "nothing, or a whole image",
                it.image.shown(),
            ),
            Evidence::differs("new names without a dot", "", it.left.join(", ")),
            Evidence::differs("the next call", "Ok", result(&it.next)),
            Evidence::differs(
                format!("images/{NEW}, after that"),
                "a whole image",
                it.then.shown(),
            ),
        ]
    })?;
    Ok(true)
}
