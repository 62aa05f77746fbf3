//! The choice of a driver on the command line.

use clap::ValueEnum;
use mydocker::workspace::Driver;

/// A driver, or the one that this kernel has: see [`Driver::auto`].
#[derive(Clone, Copy, ValueEnum)]
pub enum Choice {
    // Their help would be one of several lines each.
    Auto,
    Overlay,
    Aufs,
}

impl Choice {
    /// Which driver that is here.
    pub fn driver(self) -> Driver {
        match self {
            Choice::Auto => Driver::auto(),
            Choice::Overlay => Driver::Overlay,
            Choice::Aufs => Driver::Aufs,
        }
    }
}
