//! new_image while something else happens.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use labkit::answering::Answering;
use labkit::call::output;
use labkit::describe::result;
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use crate::LAB;
use crate::acts::NEW_IMAGE;
use crate::made::{Made, plain};
use crate::store::{Found, NEW, OWNERS, Store, archive, names};

/// What is seen while the archive is being read.
#[derive(Debug)]
struct Meanwhile {
    /// Whether there was something under the image's name.
    is_visible: bool,
    /// New names that do not begin with a dot.
    others: Vec<String>,
    /// Whether the other image, that appeared, is as it was.
    is_other_kept: bool,
    made: Made,
}

impl Facts for Meanwhile {
    fn words(&self) -> Words {
        let mut words = self.made.words();
        words.push(("others", self.others.join(", ")));
        words
    }
}

static MEANWHILE: Rules<Meanwhile> = Rules {
    lab: LAB,
    function: NEW_IMAGE.function,
    tables: &[&[
        rule("base-changed", |it| !it.made.changed.is_empty()),
        rule("half-an-image", |it| it.is_visible),
        rule("draft-is-an-image", |it| !it.others.is_empty()),
        rule("existing-image-replaced", |it| !it.is_other_kept),
        rule("failed-call-not-told", |it| it.made.returned.is_ok()),
        rule("left-over-stays", |it| !it.made.left.is_empty()),
    ]],
};

/// Has an image made while its archive comes in two halves; `between` is done when the
/// first one has been read. Says whether the image was visible then, which other names
/// there were, and what was returned.
fn in_halves(
    host: &Host,
    store: &Store,
    between: impl Fn(),
) -> Result<(bool, Vec<String>, Returned), Finding> {
    let bytes = archive();
    let (read, write) = pipe2(OFlag::O_CLOEXEC).expect("a pipe");
    let mut write = File::from(write);
    let (mut is_visible, mut others) = (false, Vec::new());
    let act = host.act(&NEW_IMAGE, store.making("base", NEW)).giving(vec![read]);
    let (seen, ()) = act.make_meanwhile(
        |_, answering| {
            // A call that refuses it reads none of it.
            let _ = write.write_all(&bytes[..bytes.len() / 2]);
            host.wait_until_asleep(answering);
            is_visible = store.images.join(NEW).symlink_metadata().is_ok();
            (others, _) = store.differences(NEW);
            others.retain(|name| !name.starts_with('.'));
            between();
            let _ = write.write_all(&bytes[bytes.len() / 2..]);
            drop(write);
        },
        |_, _| (),
    )?;
    Ok((is_visible, others, seen.returned))
}

pub fn appears_whole(host: &Host) -> Result<(), Finding> {
    plain(host)?;
    let store = Store::new(host, "halves");
    let (is_visible, others, returned) = in_halves(host, &store, || ())?;
    let made = Made::of(&store, returned, NEW, store.find(NEW, &OWNERS));
    let it = Meanwhile { is_visible, others, is_other_kept: true, made };
    let kept = !it.is_visible && it.others.is_empty() && it.made.is_right();
    MEANWHILE.judge(&it, kept, || {
        let visible = if it.is_visible { "it exists" } else { "it does not exist" };
        let mut all = vec![
            Evidence::differs("the image, while half of it is read", "it does not exist", visible),
            Evidence::differs("new names without a dot", "", it.others.join(", ")),
        ];
        all.extend(it.made.evidence("Ok"));
        all
    })
}

pub fn appears_meanwhile(host: &Host) -> Result<(), Finding> {
    plain(host)?;
    type Lay = fn(&Path) -> io::Result<()>;
    let kinds: [Lay; 2] = [
        |path| fs::create_dir(path),
        |path| fs::create_dir_all(path.join("layers")).and_then(|()| fs::write(path.join("x"), "")),
    ];
    for (nth, lay) in kinds.into_iter().enumerate() {
        let store = Store::new(host, &format!("race-{nth}"));
        let image = store.images.join(NEW);
        let other = || names(&image);
        let lay_it = || {
            let _ = fs::remove_dir_all(&image);
            lay(&image).expect("the scratch directory");
        };
        lay_it();
        let before = other();
        fs::remove_dir_all(&image).expect("the scratch directory");
        let (is_visible, others, returned) = in_halves(host, &store, lay_it)?;
        let is_other_kept = other() == before && image.is_dir();
        // What is there is the other one.
        let made = Made::of(&store, returned, NEW, Found::Nothing);
        let made = Made { what: "another image appears meanwhile".to_owned(), ..made };
        let it = Meanwhile { is_visible, others, is_other_kept, made };
        let kept = it.is_other_kept
            && !it.is_visible
            && it.others.is_empty()
            && it.made.returned.is_err()
            && it.made.is_clean();
        MEANWHILE.judge(&it, kept, || {
            let seen = if it.is_other_kept { "as it was" } else { "replaced" };
            let mut all = vec![Evidence::differs("the other image", "as it was", seen)];
            all.extend(it.made.evidence("an error"));
            all
        })?;
    }
    // The other one may be made by another call.
    two_calls(host)
}

/// Two calls that make an image of the same name, each of which has read half of its archive
/// when the first goes on.
#[derive(Debug)]
struct Two {
    first: Returned,
    second: Returned,
    /// The image when the first has returned, and when both have.
    then: Found,
    finally: Found,
    left: Vec<String>,
    changed: Vec<String>,
}

impl Facts for Two {
    fn words(&self) -> Words {
        let mut words = error_of(&self.first);
        words.extend([("left", self.left.join(", ")), ("changed", self.changed.join(", "))]);
        words
    }
}

static TWO: Rules<Two> = Rules {
    lab: LAB,
    function: NEW_IMAGE.function,
    tables: &[&[
        rule("base-changed", |it| !it.changed.is_empty()),
        rule("existing-image-replaced", |it| it.first.is_ok() && it.second.is_ok()),
        rule("draft-of-another-call", |it| {
            let is_wrong = |found: &Found| matches!(found, Found::Wrong(_));
            is_wrong(&it.then) || is_wrong(&it.finally) || it.first.is_err() && it.second.is_err()
        }),
        rule("failed-call-not-told", |it| it.finally == Found::Nothing),
        rule("left-over-stays", |it| !it.left.is_empty()),
    ]],
};

fn two_calls(host: &Host) -> Result<(), Finding> {
    let store = Store::new(host, "two");
    let bytes = archive();
    let (begin, rest) = bytes.split_at(bytes.len() / 2);
    let start = || {
        let (read, write) = pipe2(OFlag::O_CLOEXEC).expect("a pipe");
        let mut write = File::from(write);
        let call = host.act(&NEW_IMAGE, store.making("base", NEW)).giving(vec![read]);
        let mut answering = call.start();
        // A call that refuses it reads none of it.
        let _ = write.write_all(begin);
        host.wait_for([&mut answering], || ());
        (answering, write)
    };
    let go_on = |answering: &mut Answering, mut write: File| {
        let _ = write.write_all(rest);
        drop(write);
        let [outcome] = host.wait_for([answering], || ());
        outcome
    };
    let (mut first, to_first) = start();
    let (mut second, to_second) = start();
    let of_first = go_on(&mut first, to_first);
    let then = store.find(NEW, &OWNERS);
    let of_second = go_on(&mut second, to_second);
    host.end_all([first, second]);
    let (left, changed) = store.differences(NEW);
    let it = Two {
        first: output(of_first, NEW_IMAGE.function)?,
        second: output(of_second, NEW_IMAGE.function)?,
        then,
        finally: store.find(NEW, &OWNERS),
        left,
        changed,
    };
    // Either of them may be the one that makes it.
    let is_whole = match it.first {
        Ok(()) => it.then == Found::Right,
        Err(_) => !matches!(it.then, Found::Wrong(_)),
    };
    let is_one = it.first.is_ok() != it.second.is_ok() && it.finally == Found::Right;
    let kept = is_whole && is_one && it.left.is_empty() && it.changed.is_empty();
    TWO.judge(&it, kept, || it.evidence())
}

impl Two {
    fn evidence(&self) -> Vec<Evidence> {
        let call =
            |which: &str| format!("{}(…), the {which} of two calls at once", NEW_IMAGE.function);
        let (of_second, then) = match self.first {
            Ok(()) => ("an error", "a whole image"),
            Err(_) => ("Ok", "nothing"),
        };
        let second = match &self.second {
            Err(_) if self.first.is_ok() => of_second.to_owned(),
            returned => result(returned),
        };
        let list = |all: &[String]| if all.is_empty() { "-".to_owned() } else { all.join(", ") };
        vec![
            Evidence::differs(call("first"), "Ok", result(&self.first)),
            Evidence::differs(call("second"), of_second, second),
            Evidence::differs(
                format!("images/{NEW}, when the first call has returned"),
                then,
                self.then.shown(),
            ),
            Evidence::differs(
                format!("images/{NEW}, after that"),
                "a whole image",
                self.finally.shown(),
            ),
            Evidence::differs("other new names in images", "-", list(&self.left)),
            Evidence::differs("changed in images", "-", list(&self.changed)),
        ]
    }
}
