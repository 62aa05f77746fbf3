//! The program that is graded, and where it stands.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use labkit::canary::random_words;
use labkit::host::Host;
use labkit::places::HOME;
use mydocker_kernel::sys;
use nix::mount::MsFlags;

use crate::adapter::{Adapter, expand};
use crate::image::{archive, furnish_host, scripts};

/// A program and the way to talk to it.
#[derive(Debug, Clone)]
pub struct Program {
    /// The content of its file: the sandbox has no way to the file itself.
    pub content: Vec<u8>,
    /// How it is called.
    pub adapter: Adapter,
}

/// A program on a host, with all that it is given.
#[derive(Debug)]
pub struct Setting<'a> {
    /// How it is called.
    pub adapter: &'a Adapter,
    /// The program's file.
    program: PathBuf,
    /// The archive of the image.
    archive: PathBuf,
    /// The random words in the image.
    pub words: String,
    /// The random words in the same place on the host.
    pub hosts_words: String,
    /// A file of the host's user, which no container may see.
    pub precious: PathBuf,
    /// A directory of the host that a container may be given.
    pub volume: PathBuf,
    /// The random words in its file `keep`.
    pub volumes_words: String,
}

impl Program {
    /// Reads the program's file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(file: &Path, adapter: Adapter) -> io::Result<Program> {
        Ok(Program { content: fs::read(file)?, adapter })
    }

    /// Mounts a file system that is large enough for the program: with all that
    /// a debugger wants to know it may be too large for the scratch directory.
    fn mount_folder(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir(folder)?;
        let size = format!("size={},mode=755", self.content.len() + (1 << 20));
        sys::mount("bin", folder, "tmpfs", MsFlags::empty(), &size)
            .map_err(|error| io::Error::other(error.to_string()))
    }

    /// Puts the program on a host, and an archive, a volume and the graders'
    /// directory beside it.
    ///
    /// # Errors
    /// The scratch directory is too small.
    pub fn set_up(&self, host: &Host) -> io::Result<Setting<'_>> {
        let setting = Setting {
            adapter: &self.adapter,
            program: host.path("bin/mydocker"),
            archive: host.path("busybox.tar"),
            words: random_words()?,
            hosts_words: random_words()?,
            precious: host.precious().file(),
            volume: host.path("volume"),
            volumes_words: random_words()?,
        };
        self.mount_folder(&host.path("bin"))?;
        fs::write(&setting.program, &self.content)?;
        fs::set_permissions(&setting.program, fs::Permissions::from_mode(0o755))?;
        let scripts = scripts(&setting.words, &setting.precious);
        fs::write(&setting.archive, archive(&setting.words, &scripts))?;
        fs::create_dir(&setting.volume)?;
        fs::write(setting.volume.join("keep"), &setting.volumes_words)?;
        furnish_host(&setting.hosts_words, &scripts)?;
        Ok(setting)
    }
}

impl Setting<'_> {
    /// The commands that make the image.
    pub fn prepare(&self) -> Vec<Command> {
        let all = self.adapter.prepare.iter();
        all.map(|words| self.command(words, &Filling::default())).collect()
    }

    /// The command that runs `command` in the container `name`, with the volume at a
    /// place in the container.
    pub fn run(&self, name: &str, command: &[String], volume_at: Option<&str>) -> Command {
        let volume = self.volume(volume_at);
        self.command(&self.adapter.run, &Filling { name, command, volume, image: "" })
    }

    /// The command that starts the same in the background, of an image.
    pub fn start(
        &self,
        name: &str,
        image: &str,
        command: &[String],
        volume_at: Option<&str>,
    ) -> Option<Command> {
        let volume = self.volume(volume_at);
        let start = self.adapter.start.as_ref()?;
        Some(self.command(start, &Filling { name, command, volume, image }))
    }

    /// The command that runs one more command in the container `name`.
    pub fn exec(&self, name: &str, command: &[String]) -> Option<Command> {
        let exec = self.adapter.exec.as_ref()?;
        Some(self.command(exec, &Filling { name, command, ..Filling::default() }))
    }

    /// The command that makes the image `image` of the container `name`.
    pub fn commit(&self, name: &str, image: &str) -> Option<Command> {
        let commit = self.adapter.commit.as_ref()?;
        Some(self.command(commit, &Filling { name, image, ..Filling::default() }))
    }

    /// The command that clears up after a kill.
    pub fn recover(&self) -> Option<Command> {
        Some(self.command(self.adapter.recover.as_ref()?, &Filling::default()))
    }

    /// The words that give a container the volume at a place; none without a place.
    fn volume(&self, at: Option<&str>) -> Vec<String> {
        let Some(place) = at else { return Vec::new() };
        let volume = self.adapter.volume.clone().unwrap_or_default();
        let host = self.volume.display().to_string();
        expand(&volume, &[("{host}", &host), ("{container}", place)], &[])
    }

    fn command(&self, template: &[String], filling: &Filling) -> Command {
        let (program, archive) =
            (self.program.display().to_string(), self.archive.display().to_string());
        let values = [
            ("{program}", program.as_str()),
            ("{tar}", &archive),
            ("{name}", filling.name),
            ("{image}", filling.image),
        ];
        let lists = [("{volume}", filling.volume.as_slice()), ("{command}", filling.command)];
        let words = expand(template, &values, &lists);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear().current_dir(HOME);
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("HOME", HOME).env("LANG", "C").env("TERM", "dumb");
        command.envs(&self.adapter.environment);
        command
    }
}

/// What the placeholders of one command stand for.
#[derive(Default)]
struct Filling<'a> {
    name: &'a str,
    image: &'a str,
    volume: Vec<String>,
    command: &'a [String],
}
