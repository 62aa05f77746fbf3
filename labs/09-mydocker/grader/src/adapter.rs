//! How to talk to a program: its adapter, a small TOML file.
//!
//! adapters/README.md says how to write one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use labkit::need::{Need, Told};
use serde::Deserialize;

use crate::image::PROBE;
use crate::place::Place;

/// An adapter as its file describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adapter {
    /// Commands that make the image from `{tar}`, run once.
    #[serde(default)]
    pub prepare: Vec<Vec<String>>,
    /// The command that runs a container, with `{command}` in it.
    pub run: Vec<String>,
    /// Whether that command is given a terminal. Otherwise it is given pipes.
    #[serde(default)]
    pub terminal: bool,
    /// What `{volume}` in `run` stands for if there is one, with `{host}` and
    /// `{container}` in it.
    pub volume: Option<Vec<String>>,
    /// The command that clears up after a kill; without one the next run does.
    pub recover: Option<Vec<String>>,
    /// The command that starts a container in the background and returns, with
    /// `{name}` and `{command}` in it, and with `{image}` if there is `base_image`.
    pub start: Option<Vec<String>>,
    /// What `{image}` in `start` is for the image that `prepare` makes.
    pub base_image: Option<String>,
    /// The command that runs `{command}` in the container `{name}`.
    pub exec: Option<Vec<String>>,
    /// The command that makes the image `{image}` of the container `{name}`.
    pub commit: Option<Vec<String>>,
    /// Variables for all these commands.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Where the program keeps its layers.
    #[serde(default)]
    pub folders: Folders,
    /// What it takes to run the program.
    #[serde(default)]
    pub needs: Vec<AdapterNeed>,
}

/// Where a program keeps its layers; `{name}` is the container's name, and `*` what the
/// program makes up as a name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Folders {
    /// The image's files, one read-only layer.
    pub image: Option<String>,
    /// What the container has written.
    pub write_layer: Option<String>,
    /// All layers as one tree, while the container runs.
    pub mnt: Option<String>,
}

/// What a program needs that a user namespace does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdapterNeed {
    /// It must be root of the machine.
    Root,
    /// It mounts AUFS.
    Aufs,
    /// It makes control groups for memory and processes.
    ControlGroups,
}

/// The adapters that are part of this program, by name.
pub const SHIPPED: [(&str, &str); 9] = [
    ("mydocker", include_str!("../../adapters/mydocker.toml")),
    ("blog", include_str!("../../adapters/blog.toml")),
    ("blog-06", include_str!("../../adapters/blog-06.toml")),
    ("blog-07", include_str!("../../adapters/blog-07.toml")),
    ("blog-08", include_str!("../../adapters/blog-08.toml")),
    ("blog-09", include_str!("../../adapters/blog-09.toml")),
    ("xianlubird", include_str!("../../adapters/xianlubird.toml")),
    ("lixd", include_str!("../../adapters/lixd.toml")),
    ("lab-09", include_str!("../../adapters/lab-09.toml")),
];

impl Adapter {
    /// Reads the text of an adapter.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Adapter, String> {
        let adapter: Adapter = toml::from_str(text).map_err(|error| error.to_string())?;
        adapter.check_lists()?;
        adapter.check_background()?;
        adapter.check_placeholders()?;
        adapter.check_folders()?;
        Ok(adapter)
    }

    /// What stands for several words must be a word, and be there once.
    fn check_lists(&self) -> Result<(), String> {
        let lines = [("run", Some(&self.run)), ("start", self.start.as_ref())];
        for (line, words) in lines.into_iter().chain([("exec", self.exec.as_ref())]) {
            let Some(words) = words else { continue };
            let count = |word: &str| words.iter().filter(|it| *it == word).count();
            if count("{command}") != 1 {
                return Err(format!(
                    "`{line}` must have the word \"{{command}}\" once, on its own"
                ));
            }
            if line != "exec" && count("{volume}") != usize::from(self.volume.is_some()) {
                return Err(format!(
                    "`{line}` must have the word \"{{volume}}\" once, on its own, if there is a \
                     line `volume`, and otherwise not"
                ));
            }
        }
        Ok(())
    }

    /// Without a container in the background there is nothing that `exec` and `commit`
    /// could be tried on, and without its name they would find another one.
    fn check_background(&self) -> Result<(), String> {
        let has = |words: &Option<Vec<String>>, what: &str| {
            words.iter().flatten().any(|word| word.contains(what))
        };
        for (line, words) in [("exec", &self.exec), ("commit", &self.commit)] {
            if words.is_some() && self.start.is_none() {
                return Err(format!("there is `{line}`, and no `start` to try it on"));
            }
        }
        let lines = [("start", &self.start), ("exec", &self.exec), ("commit", &self.commit)];
        for (line, words) in lines {
            if words.is_some() && !has(words, "{name}") {
                return Err(format!("`{line}` must have {{name}}"));
            }
        }
        if has(&self.start, "{image}") != self.base_image.is_some() {
            return Err(
                "`start` must have {image} if there is a line `base_image`, and otherwise not"
                    .to_owned(),
            );
        }
        if self.commit.is_some() && !(has(&self.commit, "{image}") && self.base_image.is_some()) {
            return Err("with `commit` there must be {image} in it and in `start`, and a line \
                        `base_image`"
                .to_owned());
        }
        Ok(())
    }

    /// An unknown name would be passed on as it stands, and the
    /// program be blamed for what it makes of that.
    fn check_placeholders(&self) -> Result<(), String> {
        let made: &[&str] = &["{program}", "{tar}"];
        let of_run = [made, &["{name}", "{volume}", "{command}"]].concat();
        let one = |word: &Option<String>| Vec::from_iter(word.clone());
        let of_start = [&of_run[..], &["{image}"]].concat();
        let of_exec = [made, &["{name}", "{command}"]].concat();
        let of_commit = [made, &["{name}", "{image}"]].concat();
        let all = |words: &Option<Vec<String>>| words.clone().unwrap_or_default();
        let lines: [(&str, Vec<String>, &[&str]); 10] = [
            ("prepare", self.prepare.concat(), made),
            ("run", self.run.clone(), &of_run),
            ("start", all(&self.start), &of_start),
            ("exec", all(&self.exec), &of_exec),
            ("commit", all(&self.commit), &of_commit),
            ("volume", all(&self.volume), &["{host}", "{container}"]),
            ("recover", all(&self.recover), made),
            ("folders.image", one(&self.folders.image), &[]),
            ("folders.write_layer", one(&self.folders.write_layer), &["{name}"]),
            ("folders.mnt", one(&self.folders.mnt), &["{name}"]),
        ];
        for (line, words, known) in lines {
            let mut all = words.iter().flat_map(|word| placeholders(word));
            if let Some(unknown) = all.find(|it| !known.contains(it)) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(format!("`{line}` has {unknown}; what is replaced there: {known}"));
            }
        }
        Ok(())
    }

    /// A relative path would not say from which directory it starts.
    fn check_folders(&self) -> Result<(), String> {
        let Folders { image, write_layer, mnt } = &self.folders;
        for (line, folder) in [("image", image), ("write_layer", write_layer), ("mnt", mnt)] {
            if let Some(folder) = folder.as_ref().filter(|folder| !folder.starts_with('/')) {
                return Err(format!(
                    "`folders.{line}` is {folder:?}; it must be an absolute path, \
                     as in \"/root/{folder}\""
                ));
            }
        }
        Ok(())
    }

    /// What the program needs, as the kit calls it.
    pub fn needs(&self) -> Vec<Need> {
        let need = |need: &AdapterNeed| match need {
            AdapterNeed::Root => Need::Root,
            AdapterNeed::Aufs => Need::Aufs,
            AdapterNeed::ControlGroups => Need::ControlGroups,
        };
        self.needs.iter().map(need).collect()
    }

    /// Whether it says what is asked.
    pub fn tells(&self, what: Told) -> bool {
        match what {
            Told::Image => self.folders.image.is_some(),
            Told::WriteLayer => self.folders.write_layer.is_some(),
            Told::Mnt => self.folders.mnt.is_some(),
            Told::Volume => self.volume.is_some(),
            Told::Exec => self.exec.is_some(),
            Told::Commit => self.commit.is_some(),
        }
    }

    /// The write layer of the container `name`, which is about to be started.
    pub fn write_layer(&self, name: &str) -> Option<Place> {
        place(self.folders.write_layer.as_deref(), name)
    }

    /// The mount point of the container `name`, which is about to be started.
    pub fn mnt(&self, name: &str) -> Option<Place> {
        place(self.folders.mnt.as_deref(), name)
    }

    /// The image's directory: of several that of the graders' image.
    pub fn image(&self) -> Option<PathBuf> {
        let path = self.folders.image.as_ref().map(PathBuf::from)?;
        let has_probe = |folder: &Path| folder.join(PROBE.trim_start_matches('/')).exists();
        Some(Place::anywhere(path).directory(has_probe))
    }
}

/// All that looks like one in a word: small letters in braces.
fn placeholders(word: &str) -> Vec<&str> {
    let is_letter = |c: char| c.is_ascii_lowercase() || c == '_';
    let mut found = Vec::new();
    for (start, _) in word.match_indices('{') {
        let name = word[start + 1..].find(|c| !is_letter(c)).unwrap_or_default();
        if name > 0 && word[start + 1 + name..].starts_with('}') {
            found.push(&word[start..start + name + 2]);
        }
    }
    found
}

fn place(template: Option<&str>, name: &str) -> Option<Place> {
    Some(Place::of_the_next(PathBuf::from(template?.replace("{name}", name))))
}

/// The words of a command, with what its placeholders stand for: each
/// `{placeholder}` within a word is replaced, and a word that is nothing but the
/// name of a list becomes all the words of that list.
pub fn expand(
    template: &[String],
    values: &[(&str, &str)],
    lists: &[(&str, &[String])],
) -> Vec<String> {
    let mut words = Vec::new();
    for word in template {
        if let Some((_, list)) = lists.iter().find(|(name, _)| name == word) {
            words.extend_from_slice(list);
            continue;
        }
        let replace = |word: String, (name, value): &(&str, &str)| word.replace(name, value);
        words.push(values.iter().fold(word.clone(), replace));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn what_is_shipped_can_be_read() {
        for (name, text) in SHIPPED {
            let adapter = Adapter::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            // Up to article 08 the root is the host's.
            let has_layers = !["blog-06", "blog-07", "blog-08"].contains(&name);
            // In lixd's, each container has a copy of the image.
            assert_eq!(adapter.tells(Told::Image), has_layers && name != "lixd", "{name}");
            assert_eq!(adapter.tells(Told::WriteLayer), has_layers, "{name}");
        }
    }

    #[test]
    fn an_unknown_line_is_refused() {
        let error = Adapter::parse("run = [\"{command}\"]\nvolumes = []").expect_err("a wrong key");
        assert!(error.contains("volumes"), "{error}");
    }

    #[test]
    fn a_run_without_the_command_is_refused() {
        assert!(Adapter::parse("run = [\"{program}\", \"run\"]").is_err());
        assert!(Adapter::parse("run = [\"{program}\", \"{command} x\"]").is_err());
    }

    #[test]
    fn a_volume_needs_its_place() {
        assert!(Adapter::parse("run = [\"{command}\"]\nvolume = [\"-v\"]").is_err());
        assert!(Adapter::parse("run = [\"{volume}\", \"{command}\"]").is_err());
    }

    #[test]
    fn an_unknown_placeholder_is_refused_with_the_known_ones() {
        let error = Adapter::parse("run = [\"{program}\", \"--name={nme}\", \"{command}\"]");
        let error = error.expect_err("a wrong name");
        assert!(error.contains("{nme}") && error.contains("{name}"), "{error}");
        let prepare =
            "prepare = [[\"sh\", \"-c\", \"awk '{ print }' ${HOME}\"]]\nrun = [\"{command}\"]";
        Adapter::parse(prepare).expect("none of ours");
    }

    #[test]
    fn a_container_in_the_background_needs_all_its_lines() {
        let run = "run = [\"{command}\"]";
        let start = "start = [\"up\", \"{name}\", \"{image}\", \"{command}\"]";
        let commit = "commit = [\"save\", \"{name}\", \"{image}\"]";
        let base = "base_image = \"busybox\"";
        let parse = |lines: &[&str]| Adapter::parse(&lines.join("\n"));
        let adapter = parse(&[run, start, base, commit]).expect("all is there");
        assert!(adapter.tells(Told::Commit) && !adapter.tells(Told::Exec));
        for (lines, names) in [
            (&[run, commit, base][..], "`start`"),
            (&[run, start, commit], "`base_image`"),
            (&[run, start], "`base_image`"),
            (&[run, "start = [\"up\", \"{command}\"]"], "{name}"),
            (&[run, start, base, "commit = [\"save\", \"{name}\"]"], "{image}"),
            (&[run, start, base, "exec = [\"in\", \"{name}\"]"], "{command}"),
            (
                &[run, start, base, "exec = [\"in\", \"{image}\", \"{name}\", \"{command}\"]"],
                "`exec`",
            ),
        ] {
            let error = parse(lines).expect_err("a line is missing, or wrong");
            assert!(error.contains(names), "{error}");
        }
    }

    #[test]
    fn a_relative_folder_is_refused() {
        let error = Adapter::parse("run = [\"{command}\"]\n[folders]\nmnt = \"mnt\"");
        assert!(error.expect_err("a relative path").contains("/root/mnt"));
    }

    #[test]
    fn lists_are_spliced_and_values_replaced() {
        let command = words("sh -c exit\u{a0}7");
        let template = words("{program} run --name={name} {volume} {command}");
        let lists = [("{volume}", &[][..]), ("{command}", command.as_slice())];
        let all = expand(&template, &[("{program}", "/p"), ("{name}", "one")], &lists);
        assert_eq!(all, words("/p run --name=one sh -c exit\u{a0}7"));
    }
}
