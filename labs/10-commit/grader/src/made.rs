//! What came of a call of new_image, and what is wrong with it.

use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use labkit::call::Call;
use labkit::describe::result;
use labkit::frame::{Facts, Returned, Rule, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::LAB;
use crate::acts::{Making, NEW_IMAGE};
use crate::store::{Fault, Found, NEW, OWNERS, Store, archive, as_descriptor};

/// What came of a call.
#[derive(Debug)]
pub struct Made {
    pub returned: Returned,
    pub image: Found,
    /// What else is new.
    pub left: Vec<String>,
    /// What has changed.
    pub changed: Vec<String>,
    /// What is open afterwards.
    pub open: Vec<String>,
    /// What was particular: for the words.
    pub what: String,
    /// The name that was given.
    pub name: String,
    /// The path of the directory of images that was given, if it was not the usual one.
    pub images: Option<PathBuf>,
    /// Of which kind an error must be, if that is promised.
    pub kind: Option<ErrorKind>,
}

impl Made {
    /// What has come of a plain call, after which `image` is under the name.
    pub fn of(store: &Store, returned: Returned, name: &str, image: Found) -> Made {
        let (left, changed) = store.differences(name);
        Made {
            returned,
            image,
            left,
            changed,
            open: Vec::new(),
            what: String::new(),
            name: name.to_owned(),
            images: None,
            kind: None,
        }
    }

    /// Whether the image is there as it must be, and nothing else is new.
    pub fn is_right(&self) -> bool {
        self.returned.is_ok() && self.image == Found::Right && self.is_clean()
    }

    pub fn is_clean(&self) -> bool {
        self.left.is_empty() && self.changed.is_empty()
    }

    /// Whether it says that it cannot be done, and nothing was.
    pub fn is_refused(&self) -> bool {
        let is_nothing = self.image == Found::Nothing && self.is_clean();
        self.returned.is_err() && is_nothing && self.is_of_its_kind()
    }

    /// Whether an error, if there is one, is of the kind that it must be.
    fn is_of_its_kind(&self) -> bool {
        match (&self.returned, self.kind) {
            (Err(failure), Some(kind)) => failure.kind == format!("{kind:?}"),
            _ => true,
        }
    }

    fn has(&self, is_it: impl Fn(&Fault) -> bool) -> bool {
        matches!(&self.image, Found::Wrong(faults) if faults.iter().any(is_it))
    }

    /// The worst of its faults.
    fn worst(&self, is_it: impl Fn(&Fault) -> bool) -> bool {
        matches!(&self.image, Found::Wrong(faults) if faults.first().is_some_and(is_it))
    }

    pub fn evidence(&self, expected: &str) -> Vec<Evidence> {
        let call = match (self.what.as_str(), &self.images) {
            ("", Some(images)) => format!("{}({images:?}, …)", NEW_IMAGE.function),
            ("", None) => format!("{}(…)", NEW_IMAGE.function),
            (what, _) => format!("{}(…), {what}", NEW_IMAGE.function),
        };
        let must_be = if expected == "Ok" { "a whole image" } else { "nothing" };
        let list = |all: &[String]| if all.is_empty() { "-".to_owned() } else { all.join(", ") };
        let returned = match (&self.returned, self.kind) {
            (Err(failure), Some(kind)) => {
                Evidence::differs(call, format!("{kind:?}"), &failure.kind)
            }
            _ => Evidence::differs(call, expected, result(&self.returned)),
        };
        vec![
            returned,
            Evidence::differs(format!("images/{NEW}"), must_be, self.image.shown()),
            Evidence::differs("other new names in images", "-", list(&self.left)),
            Evidence::differs("changed in images", "-", list(&self.changed)),
            Evidence::differs(
                format!("open files after {}", NEW_IMAGE.function),
                "-",
                list(&self.open),
            ),
        ]
    }
}

impl Facts for Made {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        let fault = match &self.image {
            Found::Wrong(faults) => faults.first().map(Fault::shown).unwrap_or_default(),
            _ => String::new(),
        };
        words.extend([
            ("fault", fault),
            ("left", self.left.join(", ")),
            ("changed", self.changed.join(", ")),
            ("open", self.open.join(", ")),
            ("name", self.name.clone()),
            ("kind", self.kind.map(|kind| format!("{kind:?}")).unwrap_or_default()),
        ]);
        let images = self.images.as_ref().map(|it| it.as_os_str().as_bytes().escape_ascii());
        words.extend(images.map(|it| ("images", it.to_string())));
        words
    }
}

/// The rules on a call that must make the image.
pub static RULES: Rules<Made> = rules(&[HARM, DONE, IMAGE, BESIDE]);

const HARM: &[Rule<Made>] = &[rule("base-changed", |it| !it.changed.is_empty())];

const DONE: &[Rule<Made>] = &[
    rule("answer/returned-error", |it| it.returned.is_err()),
    rule("answer/did-nothing", |it| it.image == Found::Nothing && it.left.is_empty()),
];

const IMAGE: &[Rule<Made>] = &[
    rule("layer-numbers-wrong", |it| {
        it.has(|it| matches!(it, Fault::NoLayer(_) | Fault::Misplaced(_)))
    }),
    rule("layers-copied", |it| it.worst(|it| matches!(it, Fault::Copied(_)))),
    rule("absolute-link", |it| it.worst(|it| matches!(it, Fault::Absolute(_)))),
    rule("link-to-a-link", |it| it.worst(|it| matches!(it, Fault::ToALink(_)))),
    rule("link-leads-elsewhere", |it| it.worst(|it| matches!(it, Fault::Elsewhere(..)))),
    rule("configuration-lost", |it| it.has(|it| matches!(it, Fault::Configuration(_)))),
];

const BESIDE: &[Rule<Made>] = &[
    rule("left-over-stays", |it| !it.left.is_empty()),
    rule("descriptor-left-open", |it| !it.open.is_empty()),
];

pub fn call<'h>(host: &'h Host, making: Making, archive: &[u8]) -> Call<'h, Making, Returned> {
    host.act(&NEW_IMAGE, making).giving(vec![as_descriptor(archive)])
}

/// Has the image made of `base` and looks at it.
pub fn make(host: &Host, store: &Store, base: &str, owners: &[&str]) -> Result<Made, Finding> {
    make_of(host, store, store.making(base, NEW), &archive(), owners)
}

pub fn make_of(
    host: &Host,
    store: &Store,
    making: Making,
    archive: &[u8],
    owners: &[&str],
) -> Result<Made, Finding> {
    let name = making.name.clone();
    let seen = call(host, making, archive).make()?;
    let open = seen.process.descriptors.values().map(|it| it.display().to_string()).collect();
    let image = store.find(&name, owners);
    Ok(Made { open, ..Made::of(store, seen.returned, &name, image) })
}

pub fn judge(made: &Made) -> Result<(), Finding> {
    RULES.judge(made, made.is_right(), || made.evidence("Ok"))
}

/// A harder case is tried only on an answer that can do the plain one.
pub fn plain(host: &Host) -> Result<(), Finding> {
    judge(&make(host, &Store::new(host, "plain"), "base", &OWNERS)?)
}

const fn rules(tables: &'static [&'static [Rule<Made>]]) -> Rules<Made> {
    Rules { lab: LAB, function: NEW_IMAGE.function, tables }
}

/// The rules on a call that must be refused.
pub static REFUSED: Rules<Made> = rules(&[HARM, NOT_REFUSED]);

/// The rules on one that gets another path of the directory of images. With the usual path,
/// the links were right.
pub static BY_ANOTHER_PATH: Rules<Made> = rules(&[
    HARM,
    DONE,
    &[rule("link-depends-on-path", |it| {
        it.worst(|it| matches!(it, Fault::ToALink(_) | Fault::Elsewhere(..)))
    })],
    IMAGE,
    BESIDE,
]);

/// The rules on one whose name or base is no name of an image.
pub static BAD_NAME: Rules<Made> =
    rules(&[HARM, &[rule("name-not-checked", |it| it.returned.is_ok())], NOT_REFUSED]);

/// The rules on one for a name that something has already.
pub static EXISTING: Rules<Made> = rules(&[
    &[rule("existing-image-replaced", |it| it.changed == [NEW])],
    HARM,
    &[rule("existing-image-replaced", |it| it.returned.is_ok())],
    NOT_REFUSED,
]);

const NOT_REFUSED: &[Rule<Made>] = &[
    rule("half-an-image", |it| it.image != Found::Nothing),
    rule("failed-call-not-told", |it| it.returned.is_ok()),
    rule("left-over-stays", |it| !it.left.is_empty()),
    rule("wrong-kind-of-error", |it| !it.is_of_its_kind()),
];

/// Judges a call that must be refused by these rules; `what` was particular about it, and
/// its error must be of this kind.
pub fn must_refuse(
    made: Made,
    rules: &Rules<Made>,
    what: String,
    kind: Option<ErrorKind>,
) -> Result<(), Finding> {
    let made = Made { what, kind, ..made };
    rules.judge(&made, made.is_refused(), || made.evidence("an error"))
}
