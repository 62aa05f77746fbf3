//! Where an answer may write in the sandbox.

/// The directory of the sandbox that can be written to.
pub const SCRATCH: &str = "/tmp";
/// The directory in it that a lab is about.
pub const LAB: &str = "/tmp/lab";
/// The other directory that can be written to: root's home, where many runtimes keep
/// their images and containers.
pub const HOME: &str = "/root";
