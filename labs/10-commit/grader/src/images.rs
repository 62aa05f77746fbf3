//! new_image: what it makes, and what it refuses.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use labkit::failing;
use labkit::frame::Returned;
use labkit::host::Host;
use labkit::verdict::Finding;
use nix::errno::Errno;

use crate::acts::Making;
use crate::calls::{MAKING, READ, WRITE};
use crate::made::{Made, REFUSED, RULES, call, judge, make, make_of, must_refuse, plain};
use crate::store::{Found, NEW, Store, add_image, add_shared, archive, names};

pub fn is_there(host: &Host) -> Result<(), Finding> {
    plain(host)
}

pub fn shared(host: &Host) -> Result<(), Finding> {
    let store = Store::new(host, "shared");
    add_shared(&store.images, "middle", "base", 2);
    let store = store.again();
    judge(&make(host, &store, "middle", &["base", "base", "middle"])?)
}

pub fn many_layers(host: &Host) -> Result<(), Finding> {
    let store = Store::new(host, "many");
    add_image(&store.images, "high", 11);
    let store = store.again();
    judge(&make(host, &store, "high", &["high"; 11])?)?;
    // By whatever path the directory of images is reached.
    let store = Store::new(host, "elsewhere");
    let link = host.path("link");
    symlink(&store.images, &link).expect("the scratch directory");
    let making = Making { images: link.into_os_string(), ..store.making("base", NEW) };
    judge(&make_of(host, &store, making, &archive(), &["base", "base"])?)
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
        ("a link that leads nowhere", |path| symlink("nowhere", path)),
    ];
    for (nth, (kind, lay)) in kinds.into_iter().enumerate() {
        let store = Store::new(host, &format!("existing-{nth}"));
        lay(&store.images.join(NEW)).expect("the scratch directory");
        let store = store.again();
        let mut made = make(host, &store, "base", &["base", "base"])?;
        let is_kept = made.returned.is_err() && made.is_clean();
        made.what = format!("there is {kind} of that name");
        if made.changed == [NEW] {
            made.returned = Ok(());
            made.changed.clear();
        }
        // What was there is none of ours.
        made.image = Found::Nothing;
        REFUSED.judge(&made, is_kept, || made.evidence("an error"))?;
    }
    Ok(())
}

pub fn names_are_checked(host: &Host) -> Result<(), Finding> {
    plain(host)?;
    let long = "x".repeat(129);
    for (nth, bad) in ["", "..", ".hidden", "../new", "a b", "-rf", &long].into_iter().enumerate() {
        let place = format!("bad-{nth}");
        let store = Store::new(host, &place);
        let beside = names(&host.path(&place));
        let mut made = make_of(host, &store, store.making("base", bad), &archive(), &[])?;
        made.image = Found::Nothing;
        let more = names(&host.path(&place)).into_iter().filter(|it| !beside.contains(it));
        made.left.extend(more.map(|it| format!("../{it}")));
        must_refuse(made, &format!("the name {bad:?}"))?;
    }
    // The image below has a name, too: one of these would lead to it.
    for (nth, bad) in [".", "../images/base"].into_iter().enumerate() {
        let store = Store::new(host, &format!("bad-base-{nth}"));
        let mut made = make(host, &store, bad, &[])?;
        bad.clone_into(&mut made.name);
        must_refuse(made, &format!("the base {bad:?}"))?;
    }
    let longest = "x".repeat(128);
    for (nth, good) in ["0.b_c-9A", &longest].into_iter().enumerate() {
        let store = Store::new(host, &format!("good-{nth}"));
        let making = store.making("base", good);
        let mut made = make_of(host, &store, making, &archive(), &["base", "base"])?;
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
    let store = Store::new(host, "no-base");
    must_refuse(make(host, &store, "nowhere", &[])?, "no image below")?;
    let store = Store::new(host, "no-layer");
    add_image(&store.images, "gone", 1);
    add_shared(&store.images, "middle", "gone", 1);
    fs::remove_dir_all(store.images.join("gone")).expect("the scratch directory");
    let store = store.again();
    must_refuse(make(host, &store, "middle", &[])?, "a layer that leads nowhere")?;
    let store = Store::new(host, "gap");
    add_image(&store.images, "gap", 3);
    fs::remove_dir_all(store.images.join("gap/layers/01")).expect("the scratch directory");
    let store = store.again();
    must_refuse(make(host, &store, "gap", &[])?, "no layers/01 below")
}

pub fn damaged_archives(host: &Host) -> Result<(), Finding> {
    plain(host)?;
    let whole = archive();
    let no_archive = [b"<html>404 Not Found</html>".as_slice(), &[b' '; 600]].concat();
    for (nth, (what, bytes)) in
        [("an archive that is cut off", &whole[..4000]), ("no archive", &no_archive)]
            .into_iter()
            .enumerate()
    {
        let store = Store::new(host, &format!("damaged-{nth}"));
        let making = store.making("base", NEW);
        must_refuse(make_of(host, &store, making, bytes, &["base", "base"])?, what)?;
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
    let made = Made {
        returned,
        image: store.find(NEW, &["base", "base"]),
        left: store.left(NEW),
        changed: store.changed(),
        open: Vec::new(),
        what: format!("while {call} fails with EIO"),
        name: NEW.to_owned(),
    };
    let kept = made.is_right() || made.is_refused();
    REFUSED.judge(&made, kept, || made.evidence("an error"))
}

pub fn nothing_is_left_open(host: &Host) -> Result<(), Finding> {
    let made = make(host, &Store::new(host, "open"), "base", &["base", "base"])?;
    RULES.judge(&made, made.is_right() && made.open.is_empty(), || made.evidence("Ok"))
}
