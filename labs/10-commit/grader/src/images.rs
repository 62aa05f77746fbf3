//! new_image: what it makes, and what it refuses.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use labkit::failing;
use labkit::frame::Returned;
use labkit::host::Host;
use labkit::verdict::Finding;
use nix::errno::Errno;

use crate::acts::Making;
use crate::calls::{MAKING, READ, WRITE};
use crate::made::{
    BAD_NAME, BY_ANOTHER_PATH, EXISTING, Made, REFUSED, RULES, call, judge, make, make_of,
    must_refuse, plain,
};
use crate::store::{Found, NEW, OWNERS, Store, add_image, add_shared, archive, names};
use crate::world::name;

pub fn is_there(host: &Host) -> Result<(), Finding> {
    plain(host)
}

pub fn shared(host: &Host) -> Result<(), Finding> {
    let share = |images: &Path| add_shared(images, "middle", "base", 2);
    let owners = ["base", "base", "middle"];
    let store = Store::with(host, "shared", share);
    judge(&make(host, &store, "middle", &owners)?)?;
    // Whatever path leads to the directory of images: a relative one, one through a link, and
    // one that is not UTF-8.
    let through_a_link = |place: &Path| {
        let link = place.join("link-to-images");
        symlink("images", &link).expect("the scratch directory");
        link
    };
    type Given = fn(&Path) -> PathBuf;
    let paths: [(PathBuf, Given); 3] = [
        (host.path("relative"), |_| PathBuf::from("images")),
        (host.path("linked"), through_a_link),
        (host.path("odd").join(name(b"\xff")), |place| place.join("images")),
    ];
    for (place, given) in paths {
        let store = Store::at(&place, share);
        let images = given(&place);
        let making =
            Making { images: images.clone().into_os_string(), ..store.making("middle", NEW) };
        let returned = call(host, making, &archive()).standing_in(place).make()?.returned;
        let made = Made::of(&store, returned, NEW, store.find(NEW, &owners));
        let made = Made { images: Some(images), ..made };
        BY_ANOTHER_PATH.judge(&made, made.is_right(), || made.evidence("Ok"))?;
    }
    Ok(())
}

pub fn many_layers(host: &Host) -> Result<(), Finding> {
    let store = Store::with(host, "many", |images| add_image(images, "high", 11));
    judge(&make(host, &store, "high", &["high"; 11])?)?;
    // Whatever path leads to the directory of images.
    let store = Store::new(host, "elsewhere");
    let link = host.path("link");
    symlink(&store.images, &link).expect("the scratch directory");
    let making = Making { images: link.into_os_string(), ..store.making("base", NEW) };
    judge(&make_of(host, &store, making, &archive(), &OWNERS)?)
}

pub fn existing_names(host: &Host) -> Result<(), Finding> {
    plain(host)?;
    type Lay = fn(&Path) -> io::Result<()>;
    let kinds: [(&str, Lay); 4] = [
        ("an image", |path| {
            fs::create_dir_all(path.join("layers/00"))?;
            fs::write(path.join("image.json"), "{}")
        }),
        ("an empty directory", |path| fs::create_dir(path)),
        ("a file", |path| fs::write(path, "a file")),
        ("a dangling link", |path| symlink("nowhere", path)),
    ];
    for (nth, (kind, lay)) in kinds.into_iter().enumerate() {
        let store = Store::with(host, &format!("existing-{nth}"), |images| {
            lay(&images.join(NEW)).expect("the scratch directory");
        });
        let returned = call(host, store.making("base", NEW), &archive()).make()?.returned;
        // What exists is looked at like everything else that existed.
        let made = Made::of(&store, returned, NEW, Found::Nothing);
        let what = format!("{kind} of that name exists");
        must_refuse(made, &EXISTING, what, Some(ErrorKind::AlreadyExists))?;
    }
    Ok(())
}

pub fn names_are_checked(host: &Host) -> Result<(), Finding> {
    plain(host)?;
    let invalid = Some(ErrorKind::InvalidInput);
    let long = "x".repeat(129);
    let bad = [".hidden", "../new", "a b", "-rf", "\u{e4}", "a\u{e4}", &long, "", ".."];
    for (nth, bad) in bad.into_iter().enumerate() {
        let place = format!("bad-{nth}");
        let store = Store::new(host, &place);
        let beside = names(&host.path(&place));
        let returned = call(host, store.making("base", bad), &archive()).make()?.returned;
        // There cannot be an image of that name; what was made is left.
        let mut made = Made::of(&store, returned, bad, Found::Nothing);
        let more = names(&host.path(&place)).into_iter().filter(|it| !beside.contains(it));
        made.left.extend(more.map(|it| format!("../{it}")));
        must_refuse(made, &BAD_NAME, format!("the name {bad:?}"), invalid)?;
    }
    // The image below has a name, too: one of these would lead to it.
    for (nth, bad) in [".", "../images/base"].into_iter().enumerate() {
        let store = Store::new(host, &format!("bad-base-{nth}"));
        let made = Made { name: bad.to_owned(), ..make(host, &store, bad, &[])? };
        must_refuse(made, &BAD_NAME, format!("the base {bad:?}"), invalid)?;
    }
    let longest = "x".repeat(128);
    for (nth, good) in ["0.b_c-9A", &longest].into_iter().enumerate() {
        let store = Store::new(host, &format!("good-{nth}"));
        let making = store.making("base", good);
        let mut made = make_of(host, &store, making, &archive(), &OWNERS)?;
        made.what = format!("the name {good:?}");
        if made.returned.is_err() {
            return Err(RULES.finding("good-name-refused", &made).with(made.evidence("Ok")));
        }
        judge(&made)?;
    }
    Ok(())
}

pub fn missing_base(host: &Host) -> Result<(), Finding> {
    plain(host)?;
    type Lay = fn(&Path);
    let not_found = Some(ErrorKind::NotFound);
    let kinds: [(&str, &str, &str, Option<ErrorKind>, Lay); 4] = [
        ("no-base", "nowhere", "the base is missing", not_found, |_| ()),
        // The base is a file: an error of any kind.
        ("file", "plain-file", "the base \"plain-file\"", None, |images| {
            fs::write(images.join("plain-file"), "").expect("the scratch directory");
        }),
        ("no-layer", "middle", "a layer of the base is a dangling link", not_found, |images| {
            add_image(images, "gone", 1);
            add_shared(images, "middle", "gone", 1);
            fs::remove_dir_all(images.join("gone")).expect("the scratch directory");
        }),
        ("gap", "gap", "the base has no layers/01", not_found, |images| {
            add_image(images, "gap", 3);
            fs::remove_dir_all(images.join("gap/layers/01")).expect("the scratch directory");
        }),
    ];
    for (place, base, what, kind, lay) in kinds {
        let store = Store::with(host, place, lay);
        let made = make(host, &store, base, &[])?;
        must_refuse(made, &REFUSED, what.to_owned(), kind)?;
    }
    Ok(())
}

pub fn damaged_archives(host: &Host) -> Result<(), Finding> {
    plain(host)?;
    let whole = archive();
    let no_archive = [b"<html>404 Not Found</html>".as_slice(), &[b' '; 600]].concat();
    for (nth, (what, bytes)) in
        [("an archive that is cut off", &whole[..4000]), ("not an archive", &no_archive)]
            .into_iter()
            .enumerate()
    {
        let store = Store::new(host, &format!("damaged-{nth}"));
        let made = make_of(host, &store, store.making("base", NEW), bytes, &OWNERS)?;
        must_refuse(made, &REFUSED, what.to_owned(), None)?;
    }
    Ok(())
}

pub fn failures(host: &Host) -> Result<(), Finding> {
    plain(host)?;
    for (what, numbers) in [("read", READ), ("write", WRITE)] {
        let store = Store::new(host, &format!("no-{what}"));
        let call = call(host, store.making("base", NEW), &archive());
        let call = call.refusing(numbers, Errno::EIO);
        judge_failed(&store, call.make()?.returned, &format!("every {what}(2)"))?;
    }
    for (part, calls) in MAKING.into_iter().enumerate() {
        failing::each(|nth| {
            let store = Store::new(host, &format!("failing-{part}-{nth}"));
            let call = call(host, store.making("base", NEW), &archive());
            let seen = call.failing(nth, calls, Errno::EIO).make()?;
            let Some(failed) = seen.failed else { return Ok(false) };
            judge_failed(&store, seen.returned, &failed.to_string())?;
            Ok(true)
        })?;
    }
    Ok(())
}

fn judge_failed(store: &Store, returned: Returned, call: &str) -> Result<(), Finding> {
    let image = store.find(NEW, &OWNERS);
    let what = format!("while {call} fails with EIO");
    let made = Made { what, ..Made::of(store, returned, NEW, image) };
    let kept = made.is_right() || made.is_refused();
    REFUSED.judge(&made, kept, || made.evidence("an error"))
}

pub fn nothing_is_left_open(host: &Host) -> Result<(), Finding> {
    let made = make(host, &Store::new(host, "open"), "base", &OWNERS)?;
    RULES.judge(&made, made.is_right() && made.open.is_empty(), || made.evidence("Ok"))
}
