//! A minimal container runtime that is written to be read.
//!
//! Start with [`run`]: it holds the two sides of a start, parent and container,
//! each readable from top to bottom. [`workspace`] makes and deletes the layers
//! that a container's files lie on, [`dev`] and [`proc`] what it sees of devices
//! and of the kernel. Below are two crates: `mydocker_image`, the read-only layers
//! from a tar, and `mydocker_kernel`, the system calls and the mount table.

pub mod background;
pub mod caller;
pub mod capabilities;
pub mod channel;
pub mod child;
pub mod commit;
pub mod container;
pub mod detached;
pub mod dev;
pub mod doctor;
pub mod ended;
pub mod exec;
pub mod exit_code;
pub mod freezer;
pub mod keeper;
pub mod limits;
pub mod log;
pub mod logs;
pub mod new_root;
pub mod own_program;
pub mod proc;
pub mod proc_pid;
pub mod process;
pub mod program;
pub mod run;
pub mod running;
pub mod seccomp;
pub mod spec;
pub mod streams;
pub mod supervise;
pub mod terminal;
pub mod time;
pub mod trace;
pub mod user;
pub mod user_namespace;
pub mod volume;
pub mod workspace;
