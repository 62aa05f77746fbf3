//! The Rust of the chapters, compiled and run as documentation tests. What a
//! chapter includes from a program of this workspace is compiled there.

macro_rules! chapters {
    ($($name:ident $page:literal)*) => {
        $(#[doc = include_str!(concat!("../../src/", $page, ".md"))] mod $name {})*
    };
}

chapters! {
    mount_table "01-mount-table"
    run "02-run"
    pipe_env "04-pipe-env"
    rootfs "05-rootfs"
    layers "07-layers"
    delete_workspace "08-delete-workspace"
    mydocker "09-mydocker"
}
