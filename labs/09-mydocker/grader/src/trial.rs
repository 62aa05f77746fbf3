//! One trial of a program: its containers are run, and looked at.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use labkit::proc::Proc;
use mydocker::mountinfo::MountTable;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpid, getppid};
use serde::{Deserialize, Serialize};

use crate::first_process::FirstProcess;
use crate::image::{PROBE, VOLUME};
use crate::layers::{Layer, Stamp, names};
use crate::program::Setting;
use crate::running::{Ended, InPassing, Running};

/// What happens to a container in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// Its command ends with this code.
    Exit(i32),
    /// It cannot be started, for there is no such command.
    NoCommand,
    /// It cannot be started, for there is no image.
    NoImage,
    /// It cannot be started, for pivot_root fails.
    NoPivot,
    /// It cannot be started, for the place of its volume is a file.
    NoVolume,
    /// Its first process is killed.
    Killed,
    /// The program is killed, and all that it has started.
    ProgramKilled,
    /// Its command ends while somebody works below mnt, in the volume and in a
    /// folder of the layers.
    Busy,
    /// Its command says which arguments it was given.
    Arguments,
    /// Its command prints its environment.
    Environment,
}

impl Fate {
    /// Whether the probe should come to its end.
    pub fn has_probe(self) -> bool {
        matches!(self, Fate::Exit(_) | Fate::Killed | Fate::ProgramKilled | Fate::Busy)
    }
}

/// What was seen of one container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// What was to happen.
    pub fate: Fate,
    /// How the program ended.
    pub ended: Ended,
    /// What the probe has said.
    pub said: BTreeMap<String, String>,
    /// What passed on the host.
    pub in_passing: InPassing,
    /// The first process, before it did anything.
    pub first_process: Option<FirstProcess>,
    /// The write layer after the probe's changes, if it is known where it is.
    pub write_layer: Option<Layer>,
    /// What was below mnt then, if it is known where that is.
    pub mnt: Option<Layer>,
    /// Whether the image is where the adapter says, if that says it.
    pub image_is_there: bool,
    /// Whether the image has what the container has written.
    pub image_has_new: bool,
    /// Whether files of the archive are missing in the image's folder.
    pub has_half_an_image: bool,
    /// The volume's folder on the host after the end.
    pub volume: VolumeSeen,
    /// Whether somebody worked in a folder of the layers when it ended.
    pub worked_in_mnt: bool,
    /// The names in the write layer after the end.
    pub left_in_write_layer: Vec<String>,
    /// The names in mnt after the end.
    pub left_in_mnt: Vec<String>,
    /// The host's mount table when the container was there, and after its end.
    pub host_while: Option<String>,
    /// The host's mount table after the end.
    pub host_after: String,
}

/// A program on its host.
pub struct Trial<'a> {
    pub setting: &'a Setting<'a>,
    proc: Proc,
    /// The folder of the host's devices, if the program is given a terminal.
    terminals: Option<OwnedFd>,
    /// The host's mount table before all.
    host: MountTable,
}

/// A container that is being run.
pub struct Container<'a> {
    trial: &'a Trial<'a>,
    running: Running<'a>,
    run: Run,
    name: String,
}

impl<'a> Trial<'a> {
    /// Begins one.
    ///
    /// # Errors
    /// There is no /proc or no /dev.
    pub fn begin(setting: &'a Setting<'a>) -> io::Result<Trial<'a>> {
        let proc = Proc::open()?;
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

    /// Runs a container for a command that is not attended to. If it asks for
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
        let mut running = self.start_command(command)?;
        // For a probe that should never have come to run.
        running.tell("go\n0");
        let mut run = Run { fate, ..Run::of(running) };
        self.look_at_the_rest(name, &mut run);
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

    /// The same, but that pivot_root fails.
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
        let precious = setting.precious.display().to_string();
        let command = ["sh", PROBE, &setting.words, &precious, VOLUME].map(str::to_owned);
        let volume_at = setting.adapter.volume.is_some().then_some(VOLUME);
        let started = setting.run(name, &command, volume_at);
        let mut running = self.start_command(started)?;
        running.refuses_pivot_root = refuses_pivot_root;
        let mut run = Run::nothing_yet();
        if running.listen_for("begun") {
            run.first_process = FirstProcess::look(&self.proc, &command, &setting.precious);
            run.host_while = self.host_table();
            running.tell("go");
        }
        if running.listen_for("changed") {
            run.write_layer = setting.adapter.write_layer(name).map(|it| Layer::look(&it));
            let image = setting.adapter.image().map(|it| Layer::look(&it));
            run.image_is_there = image.as_ref().is_none_or(|image| image.is_there);
            run.image_has_new = image.is_some_and(|it| it.new.as_ref() == Some(&setting.words));
            run.mnt = setting.adapter.mnt(name).map(|it| Layer::look(&it));
        }
        Ok(Container { trial: self, running, run, name: name.to_owned() })
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

    /// What is there after the end of a container.
    fn look_at_the_rest(&self, name: &str, run: &mut Run) {
        let adapter = self.setting.adapter;
        run.volume = VolumeSeen::look(self.setting);
        run.has_half_an_image = adapter
            .image()
            .is_some_and(|image| image.exists() && !image.join("root/exam/words").exists());
        let left = |folder: Option<PathBuf>| folder.map(|it| names(&it)).unwrap_or_default();
        run.left_in_write_layer = left(adapter.write_layer(name));
        run.left_in_mnt = left(adapter.mnt(name));
        run.host_after = self.host_table().unwrap_or_default();
    }

    /// The host's mount table.
    pub fn host_table(&self) -> Option<String> {
        let table = self.proc.read("self/mountinfo").ok()?;
        Some(String::from_utf8_lossy(&table).into_owned())
    }

    /// Kills all but the graders: what a crash of the machine would end.
    fn kill_all(&self) {
        let spared = [getpid(), getppid()].map(Pid::as_raw);
        let patience = Instant::now() + Duration::from_secs(2);
        loop {
            let all = self.proc.processes().into_iter();
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
        self.trial.kill_all();
        self.finish(Fate::ProgramKilled)
    }

    /// Lets the probe end while somebody works in folders below mnt, who leaves them
    /// when the program has ended.
    pub fn exit_while_busy(mut self) -> Run {
        let mnt = self.trial.setting.adapter.mnt(&self.name).unwrap_or_default();
        let volume = mnt.join(VOLUME.trim_start_matches('/'));
        let is_there = volume.join("keep").exists();
        let in_layers = File::open(mnt.join("root/exam"));
        let words = Some(&self.trial.setting.words);
        let has_layer = self.run.write_layer.as_ref().is_some_and(|it| it.new.as_ref() == words);
        self.run.worked_in_mnt = in_layers.is_ok() && has_layer;
        // Without a container there is nothing to work in.
        let _ = std::env::set_current_dir(if is_there { volume } else { mnt });
        let run = self.exit(0);
        let _ = std::env::set_current_dir("/");
        Run { fate: Fate::Busy, ..run }
    }

    fn finish(mut self, fate: Fate) -> Run {
        self.run.fate = fate;
        self.run.ended = self.running.end();
        (self.run.said, self.run.in_passing) = (self.running.said, self.running.in_passing);
        self.trial.look_at_the_rest(&self.name, &mut self.run);
        self.run
    }
}

impl Run {
    fn nothing_yet() -> Run {
        Run {
            fate: Fate::Exit(0),
            ended: Ended::Exited(0),
            said: BTreeMap::new(),
            in_passing: InPassing::default(),
            first_process: None,
            write_layer: None,
            mnt: None,
            image_is_there: true,
            image_has_new: false,
            has_half_an_image: false,
            volume: VolumeSeen { is_intact: true, has_new: false },
            worked_in_mnt: false,
            left_in_write_layer: Vec::new(),
            left_in_mnt: Vec::new(),
            host_while: None,
            host_after: String::new(),
        }
    }

    /// Waits for the end of a program that is left to itself.
    fn of(mut running: Running) -> Run {
        let ended = running.end();
        let (said, in_passing) = (running.said, running.in_passing);
        Run { ended, said, in_passing, ..Run::nothing_yet() }
    }

    /// What the probe has said of something.
    pub fn says(&self, fact: &str) -> Option<&str> {
        self.said.get(fact).map(String::as_str)
    }
}

/// What is in the volume's folder on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeSeen {
    /// Whether its file `keep` is as it was.
    pub is_intact: bool,
    /// Whether what the container wrote to it is there.
    pub has_new: bool,
}

impl VolumeSeen {
    /// Looks at it.
    pub fn look(setting: &Setting) -> VolumeSeen {
        let read = |name: &str| fs::read_to_string(setting.volume.join(name)).unwrap_or_default();
        VolumeSeen {
            is_intact: read("keep") == setting.volumes_words,
            has_new: read("new").trim_end() == setting.words,
        }
    }
}
