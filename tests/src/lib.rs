//! What the tests stand on: a host of their own, snapshots of mount tables and
//! of file trees that read the same on every kernel.

pub mod busybox;
pub mod host;
pub mod image_tar;
pub mod mounts;
pub mod terminal;
pub mod tree;
