//! What is seen of one container.

use std::collections::BTreeMap;
use std::fs;

use serde::{Deserialize, Serialize};

use crate::first_process::FirstProcess;
use crate::layers::{Layer, names};
use crate::program::Setting;
use crate::running::{Ended, InPassing, Running};

/// What happens to a container in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// Its command ends with this code.
    Exit(i32),
    /// It cannot be started: there is no such command.
    NoCommand,
    /// It cannot be started: its command is a file that nobody may execute.
    NotExecutable,
    /// It cannot be started, because there is no image.
    NoImage,
    /// It cannot be started, because pivot_root fails.
    NoPivot,
    /// It cannot be started, because the place of its volume is a file.
    NoVolume,
    /// Its first process is killed.
    Killed,
    /// The program is killed, and all that it has started.
    ProgramKilled,
    /// Its command ends while somebody works below mnt, in the volume and in a
    /// directory of the layers.
    Busy,
    /// Its command says which arguments it was given.
    Arguments,
    /// Its environment is looked at. Nothing else that it does matters.
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
    /// Whether files of the archive are missing in the image's directory.
    pub has_half_an_image: bool,
    /// The volume's directory on the host after the end.
    pub volume: VolumeSeen,
    /// Whether somebody worked in a directory of the layers when it ended.
    pub worked_in_mnt: bool,
    /// The names in the write layer after the end.
    pub left_in_write_layer: Vec<String>,
    /// The names in mnt after the end.
    pub left_in_mnt: Vec<String>,
    /// The names in the write layer after all other containers' ends.
    pub left_for_ever: Vec<String>,
    /// The host's mount table when the container was there, and after its end.
    pub host_while: Option<String>,
    /// The host's mount table after the end.
    pub host_after: String,
}

impl Run {
    /// Nothing was seen yet.
    pub fn nothing_yet() -> Run {
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
            left_for_ever: Vec::new(),
            host_while: None,
            host_after: String::new(),
        }
    }

    /// Waits for the end of a program that is left to itself.
    pub fn of(mut running: Running) -> Run {
        let ended = running.end();
        let (said, in_passing) = (running.said, running.in_passing);
        Run { ended, said, in_passing, ..Run::nothing_yet() }
    }

    /// Looks once more at the write layer, when all is over.
    pub fn look_for_ever(&mut self) {
        let layer = self.write_layer.as_ref().filter(|layer| layer.is_there);
        self.left_for_ever = layer.map(|it| names(it.path.as_ref())).unwrap_or_default();
    }

    /// What the probe has said of something.
    pub fn says(&self, fact: &str) -> Option<&str> {
        self.said.get(fact).map(String::as_str)
    }
}

/// What is in the volume's directory on the host.
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
