//! What a run is told.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::limits::Limits;
use crate::program::Environment;
use crate::volume::Volume;
use crate::workspace::Driver;
use mydocker_image::Image;

/// What to run, and in what.
#[derive(Debug)]
pub struct Spec {
    /// The folder that holds all images and containers.
    pub root: PathBuf,
    /// The image; it stays locked against deletion.
    pub image: Image,
    /// The container's name; none: a random number.
    pub name: Option<String>,
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// The variables that the command gets, and no others.
    pub environment: Environment,
    /// The working directory in the container.
    pub working_dir: PathBuf,
    /// The host name; none: the container's name.
    pub hostname: Option<String>,
    /// Folders and files of the host that the container sees.
    pub volumes: Vec<Volume>,
    /// The resource limits.
    pub limits: Limits,
    /// The driver of the workspace.
    pub driver: Driver,
    /// Whether the container gets a terminal of its own.
    pub terminal: bool,
    /// Whether stdin goes to the container; else it reads nothing.
    pub interactive: bool,
    /// Whether the container uses the host's network.
    pub host_network: bool,
    /// Whether the container keeps every capability, and may write to /sys.
    pub privileged: bool,
    /// Whether the workspace stays after the end.
    pub keep: bool,
}
