//! create_init_layer, where something fails.

use std::path::{Path, PathBuf};

use labkit::host::Host;
use labkit::verdict::Finding;

use crate::acts::CREATE_INIT_LAYER;
use crate::failing::{Attempt, each_is_told};
use crate::init_layer::{ALL, drawn};
use crate::init_scene::{OF_OTHERS, PLAIN, Scene};
use crate::layer::{directories, fill};
use crate::there_already;

pub fn a_failed_call_is_told(host: &Host) -> Result<(), Finding> {
    let plain = || {
        let plain = PLAIN.observe(host)?;
        let has_mounted = !plain.seen.container_changes().is_empty();
        let kept = plain.is_right() && !has_mounted && plain.image.is_untouched();
        ALL.judge(&plain, kept, || vec![drawn(&plain)])
    };
    let furnish = |workspace: &Path| {
        fill(workspace, &OF_OTHERS);
        directories(&workspace.with_file_name("image"), ["etc"]);
    };
    let call = |workspace: PathBuf| {
        let image = workspace.with_file_name("image");
        let input = (workspace, image, "a-host".to_owned());
        Ok(host.act(&CREATE_INIT_LAYER, input).make()?.returned)
    };
    let function = CREATE_INIT_LAYER.function;
    there_already::is_an_error(host, function, &["init-layer"], furnish, call, plain)?;
    each_is_told(function, plain, |failing| {
        let made = Scene { failing: Some(failing), ..PLAIN }.observe(host)?;
        Ok(Attempt {
            failed: failing.told(&made.seen),
            is_told_or_right: made.seen.returned.is_err() || made.is_right(),
            changed: made.before.changed_by_an_error(&made.seen.returned),
            drawn: drawn(&made),
        })
    })
}
