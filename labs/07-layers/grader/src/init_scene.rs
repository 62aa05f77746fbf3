//! A call of create_init_layer, on its own host, and what is seen of it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use labkit::call::Seen;
use labkit::canary::{Canary, random_words};
use labkit::frame::Returned;
use labkit::host::Host;
use labkit::powers;
use labkit::verdict::Finding;
use nix::sched::CloneFlags;

use crate::acts::CREATE_INIT_LAYER;
use crate::failing::Failing;
use crate::handed_down::HandedDown;
use crate::init_host::{ETC, Links, Resolver, fill_image, furnish_etc, with_umask_077};
use crate::layer::{directories, fill};
use crate::what_was_there::Before;

/// A name that is not the machine's, with all that a name can have in it.
pub const HOSTNAME: &str = "Lab-07.Container.example";

/// All that is known of one call.
pub struct Made {
    pub seen: Seen<Returned>,
    pub init_layer: PathBuf,
    pub image: Canary,
    /// A directory of the host that the image's links lead to.
    pub outside: Canary,
    pub resolver: Resolver,
    /// What the host has in its /etc/resolv.conf.
    pub resolv_conf: Vec<u8>,
    pub handed_down: Option<HandedDown>,
    pub caller: Caller,
    /// The mode of the image's `etc`, if that is a directory.
    pub etc: u32,
    pub before: Before,
}

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Caller {
    /// One with all of root's capabilities.
    Root,
    /// The owner of the workspace and the image, with none of them.
    Owner,
}

/// What others have made in a workspace.
pub const OF_OTHERS: [(&str, &str); 2] = [("write-layer/notes", ""), ("lock", "")];

/// The call, on its own host.
pub struct Scene {
    pub links: Links,
    pub resolver: Resolver,
    /// A system call that fails.
    pub failing: Option<Failing>,
    /// What the workspace hands down.
    pub handed_down: Option<HandedDown>,
    pub caller: Caller,
    /// The mode of the image's `etc`, if that is a directory.
    pub etc: u32,
}

pub const PLAIN: Scene = Scene {
    links: Links::None,
    resolver: Resolver::File,
    failing: None,
    handed_down: None,
    caller: Caller::Root,
    etc: ETC,
};

impl Scene {
    /// A name for a directory.
    fn name(&self) -> String {
        let Scene { links, resolver, failing, handed_down, caller, etc } = self;
        let failing = failing.map_or("none".to_owned(), Failing::name);
        let mut name = format!("{links:?}-{resolver:?}-{failing}").to_lowercase();
        if let Some(handed_down) = handed_down {
            name += &format!("-{handed_down:?}");
        }
        if *caller != Caller::Root {
            name += &format!("-{caller:?}-{etc:o}");
        }
        name
    }

    pub fn observe(self, host: &Host) -> Result<Made, Finding> {
        let ground = host.path(&self.name());
        let Scene { links, resolver, failing, handed_down, caller, etc } = self;
        let workspace = ground.join("workspace");
        directories(&workspace, [""]);
        if let Some(handed_down) = handed_down {
            handed_down.prepare(&workspace);
        }
        if failing.is_some() {
            fill(&workspace, &OF_OTHERS);
        }
        let outside =
            Canary::new(ground.join("outside")).expect("a directory in the scratch directory");
        // Nothing below an image has these modes: an answer that takes them has followed a link.
        let closed = |name: &str| {
            let path = outside.folder.join(name);
            fs::set_permissions(path, Permissions::from_mode(0o710)).expect("just made");
        };
        ["", "photos"].into_iter().for_each(closed);
        let outside = Canary::watch(outside.folder).expect("just made");
        let image = fill_image(&ground.join("image"), &outside, links, etc);
        let words = random_words().expect("/dev/urandom");
        let resolv_conf = resolver.content(&words);

        let input = (workspace.clone(), image.folder.clone(), HOSTNAME.to_owned());
        let furnish = || {
            furnish_etc(resolver, &resolv_conf)?;
            with_umask_077()?;
            if caller == Caller::Owner { powers::keep_none() } else { Ok(()) }
        };
        let mut call = host.act(&CREATE_INIT_LAYER, input);
        call = call.in_new(CloneFlags::CLONE_NEWNS).after(furnish);
        if let Some(failing) = failing {
            call = failing.during(call);
        }
        let before = Before::of(&ground);
        let seen = call.make()?;
        let init_layer = workspace.join("init-layer");
        Ok(Made {
            seen,
            init_layer,
            image,
            outside,
            resolver,
            resolv_conf,
            handed_down,
            caller,
            etc,
            before,
        })
    }
}
