//! One trial of a program: its containers are run, and looked at.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use labkit::proc::Proc;
use mydocker_kernel::mountinfo::MountTable;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getpid, getppid};

use crate::first_process::FirstProcess;
use crate::image::{PROBE, PROBES_COMMAND_LINE, VOLUME};
use crate::layers::{Layer, Stamp, names};
use crate::place::Place;
use crate::program::Setting;
use crate::running::{Ended, Running};
use crate::seen::{Fate, Run, VolumeSeen};

/// A program on its host.
pub struct Trial<'a> {
    pub setting: &'a Setting<'a>,
    proc: Proc,
    /// The directory of the host's devices, if the program is given a terminal.
    terminals: Option<OwnedFd>,
    /// The host's mount table before all.
    host: MountTable,
}

/// A container that is being run.
pub struct Container<'a> {
    trial: &'a Trial<'a>,
    running: Running<'a>,
    run: Run,
    places: Places,
}

/// Where a container's own directories will be, if it is known.
struct Places {
    write_layer: Option<Place>,
    mnt: Option<Place>,
}

impl<'a> Trial<'a> {
    /// Begins one.
    ///
    /// # Errors
    /// There is no /proc or no /dev.
    pub fn begin(setting: &'a Setting<'a>) -> io::Result<Trial<'a>> {
        let proc = Proc::open()?;
        // As an init does, it waits for those whose parent has died.
        prctl::set_child_subreaper(true)?;
        let devices = || File::open("/dev").map(OwnedFd::from);
        let terminals = setting.adapter.terminal.then(devices).transpose()?;
        Ok(Trial { setting, host: proc.mount_table("self")?, proc, terminals })
    }

    /// Has the program make the image. Returns the first command that failed, as the
    /// adapter has it, and how it has ended.
    ///
    /// # Errors
    /// A command cannot be started.
    pub fn prepare(&self) -> io::Result<Option<(String, Run)>> {
        for (command, words) in
            self.setting.prepare().into_iter().zip(&self.setting.adapter.prepare)
        {
            let run = self.run_command(command)?;
            if run.ended != Ended::Exited(0) {
                return Ok(Some((words.join(" "), run)));
            }
        }
        Ok(None)
    }

    /// Has the program clear up after a kill, if it has a command for that.
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn recover(&self) -> io::Result<()> {
        match self.setting.recover() {
            Some(command) => self.run_command(command).map(drop),
            None => Ok(()),
        }
    }

    /// Runs a container for a command that the grader does not attend to. If it asks for
    /// something all the same, it is told to go on.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn run(&self, name: &str, command: &[&str], fate: Fate) -> io::Result<Run> {
        self.run_with(None, name, command, fate)
    }

    /// The same, with the volume at a place in the container.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn run_with_volume_at(
        &self,
        place: &str,
        name: &str,
        command: &[&str],
        fate: Fate,
    ) -> io::Result<Run> {
        self.run_with(Some(place), name, command, fate)
    }

    fn run_with(
        &self,
        volume_at: Option<&str>,
        name: &str,
        command: &[&str],
        fate: Fate,
    ) -> io::Result<Run> {
        let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        let command = self.setting.run(name, &command, volume_at);
        let places = self.places(name);
        let mut running = self.start_command(command)?;
        // For a probe that should never have come to run.
        running.tell("go\n0");
        let mut run = Run { fate, ..Run::of(running) };
        self.look_at_the_rest(&places, &mut run);
        Ok(run)
    }

    /// Starts a container with the probe in it, and looks at it once the probe
    /// has begun, and once it has made its changes. Without the probe in it the
    /// program has ended already.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(&'a self, name: &str) -> io::Result<Container<'a>> {
        self.start_and_refuse(name, false)
    }

    /// The same, but pivot_root fails.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start_without_pivot(&'a self, name: &str) -> io::Result<Run> {
        let container = self.start_and_refuse(name, true)?;
        Ok(Run { fate: Fate::NoPivot, ..container.exit(0) })
    }

    fn start_and_refuse(
        &'a self,
        name: &str,
        refuses_pivot_root: bool,
    ) -> io::Result<Container<'a>> {
        let setting = self.setting;
        let command = [PROBE.to_owned()];
        let volume_at = setting.adapter.volume.is_some().then_some(VOLUME);
        let started = setting.run(name, &command, volume_at);
        let places = self.places(name);
        let mut running = self.start_command(started)?;
        running.refuses_pivot_root = refuses_pivot_root;
        let mut run = Run::nothing_yet();
        if running.listen_for("begun") {
            run.first_process =
                FirstProcess::look(&self.proc, &PROBES_COMMAND_LINE, &setting.precious);
            run.host_while = self.host_table();
            running.tell("go");
        }
        if running.listen_for("changed") {
            run.write_layer = places.write_layer.as_ref().map(|it| self.look_at(it));
            let image = setting.adapter.image().map(|it| Layer::look(&it));
            run.image_is_there = image.as_ref().is_none_or(|image| image.is_there);
            run.image_has_new = image.is_some_and(|it| it.new.as_ref() == Some(&setting.words));
            run.mnt = places.mnt.as_ref().map(|it| self.look_at(it));
        }
        Ok(Container { trial: self, running, run, places })
    }

    fn places(&self, name: &str) -> Places {
        let adapter = self.setting.adapter;
        Places { write_layer: adapter.write_layer(name), mnt: adapter.mnt(name) }
    }

    /// Looks at a container's own directory: the one with what it has written.
    fn look_at(&self, place: &Place) -> Layer {
        let words = Some(&self.setting.words);
        Layer::look(&place.directory(|path| Layer::look(path).new.as_ref() == words))
    }

    /// The stamp of the image, if it is known where that is.
    pub fn stamp_of_image(&self) -> Option<Stamp> {
        self.setting.adapter.image().map(|folder| Stamp::of(&folder))
    }

    fn start_command(&self, command: Command) -> io::Result<Running<'_>> {
        Running::start(command, self.terminals.as_ref(), &self.proc, &self.host)
    }

    fn run_command(&self, command: Command) -> io::Result<Run> {
        self.start_command(command).map(Run::of)
    }

    /// What is left after the end of a container.
    fn look_at_the_rest(&self, places: &Places, run: &mut Run) {
        let adapter = self.setting.adapter;
        run.volume = VolumeSeen::look(self.setting);
        run.has_half_an_image = adapter
            .image()
            .is_some_and(|image| image.exists() && !image.join("root/exam/words").exists());
        let left = |place: &Option<Place>| {
            let all = place.iter().flat_map(Place::directories);
            all.flat_map(|directory| names(&directory)).collect()
        };
        run.left_in_write_layer = left(&places.write_layer);
        run.left_in_mnt = left(&places.mnt);
        run.host_after = self.host_table().unwrap_or_default();
    }

    /// Whether the kernel knows file systems of a type. See proc_filesystems(5).
    pub fn kernel_knows(&self, file_system: &str) -> bool {
        let types = self.proc.read("filesystems").unwrap_or_default();
        String::from_utf8_lossy(&types).split_whitespace().any(|it| it == file_system)
    }

    /// The host's mount table.
    pub fn host_table(&self) -> Option<String> {
        let table = self.proc.read("self/mountinfo").ok()?;
        Some(String::from_utf8_lossy(&table).into_owned())
    }
}

impl Container<'_> {
    /// Lets the probe end with an exit code.
    pub fn exit(mut self, code: i32) -> Run {
        self.running.tell(&code.to_string());
        self.finish(Fate::Exit(code))
    }

    /// Kills the first process of the container, and only that.
    pub fn kill(self) -> Run {
        if let Some(first) = &self.run.first_process {
            let _ = kill(Pid::from_raw(first.pid), Signal::SIGKILL);
        }
        self.finish(Fate::Killed)
    }

    /// Kills the program and all that it has started, so that it cannot clean up.
    pub fn kill_program(self) -> Run {
        let _ = kill(self.running.pid, Signal::SIGKILL);
        kill_all(&self.trial.proc);
        let run = self.finish(Fate::ProgramKilled);
        reap_all();
        run
    }

    /// Lets the probe end while somebody works in directories below mnt, who leaves them
    /// when the program has ended.
    pub fn exit_while_busy(mut self) -> Run {
        let mnt = self.run.mnt.as_ref().map(|it| PathBuf::from(&it.path)).unwrap_or_default();
        let volume = mnt.join(VOLUME.trim_start_matches('/'));
        let is_there = volume.join("keep").exists();
        let in_layers = File::open(mnt.join("root/exam"));
        let words = Some(&self.trial.setting.words);
        let has_layer = self.run.write_layer.as_ref().is_some_and(|it| it.new.as_ref() == words);
        self.run.worked_in_mnt = in_layers.is_ok() && has_layer;
        // Without a container, there is nothing to work in.
        let _ = std::env::set_current_dir(if is_there { volume } else { mnt });
        let run = self.exit(0);
        let _ = std::env::set_current_dir("/");
        Run { fate: Fate::Busy, ..run }
    }

    fn finish(mut self, fate: Fate) -> Run {
        self.run.fate = fate;
        self.run.ended = self.running.end();
        (self.run.said, self.run.in_passing) = (self.running.said, self.running.in_passing);
        self.trial.look_at_the_rest(&self.places, &mut self.run);
        self.run
    }
}

/// Waits for all that has ended, so that a number is nobody's any more.
pub fn reap_all() {
    while matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(status) if status.pid().is_some())
    {
    }
}

/// Kills all but the graders: what a crash of the machine would end.
pub fn kill_all(proc: &Proc) {
    let spared = [getpid(), getppid()].map(Pid::as_raw);
    let patience = Instant::now() + Duration::from_secs(2);
    loop {
        let all = proc.processes().into_iter();
        let rest = all.filter(|(pid, state, _)| !spared.contains(pid) && *state != 'Z');
        let rest: Vec<i32> = rest.map(|(pid, ..)| pid).collect();
        if rest.is_empty() || Instant::now() > patience {
            return;
        }
        for pid in rest {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(1));
    }
}
