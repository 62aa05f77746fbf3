//! Which attribute whiteouts_to_overlay sets.

use labkit::describe::result;
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use mydocker_kernel::privileges::Privileges;

use crate::LAB;
use crate::acts::WHITEOUTS_TO_OVERLAY;
use crate::layer::fill;
use crate::overlay::opaque_attribute;
use crate::whiteouts_to_overlay::{judge_all, rewrite};

/// Where the mark goes if it must not be in user.*.
struct Marked {
    returned: Returned,
    user: Option<Vec<u8>>,
    trusted: Option<Vec<u8>>,
}

impl Facts for Marked {
    fn words(&self) -> Words {
        let mut words = error_of(&self.returned);
        words.push(("right", opaque_attribute(false).to_owned()));
        words.push(("wrong", opaque_attribute(true).to_owned()));
        words
    }
}

static MARKS: Rules<Marked> = Rules {
    lab: LAB,
    function: WHITEOUTS_TO_OVERLAY.function,
    tables: &[&[
        rule("opaque-in-the-wrong-namespace", |it| it.user.is_some()),
        rule("failed-call-not-told", |it| it.returned.is_ok() && it.trusted.is_none()),
        rule("answer/returned-error", |it| it.returned.is_err()),
    ]],
};

/// Without `user_xattr`: only root of the machine may set trusted.* attributes, for
/// all others it is an error.
pub fn marks_are_trusted_without_user_xattr(host: &Host) -> Result<(), Finding> {
    judge_all(host)?;
    let layer = host.path("marked");
    fill(&layer, &[("var/.wh..wh..opq", "")]);
    let [returned] = rewrite(host, [&layer], false)?;
    let attribute = |user| xattr::get(layer.join("var"), opaque_attribute(user)).ok().flatten();
    let it = Marked { returned, user: attribute(true), trusted: attribute(false) };
    let is_root = Privileges::current() == Privileges::Root;
    let is_set = it.returned.is_ok() && it.trusted.as_deref() == Some(b"y");
    let kept = it.user.is_none() && if is_root { is_set } else { it.returned.is_err() };
    MARKS.judge(&it, kept, || {
        let call = "whiteouts_to_overlay(layer, user_xattr: false)";
        let shown = |value: &Option<Vec<u8>>| match value {
            Some(value) => value.escape_ascii().to_string(),
            None => "-".to_owned(),
        };
        let expected = if is_root { "Ok" } else { "EPERM (Operation not permitted)" };
        vec![
            Evidence::differs(call, expected, result(&it.returned)),
            Evidence::differs("user.overlay.opaque of layer/var", "-", shown(&it.user)),
        ]
    })
}
