//! What all submissions share: the graders and the kit, compiled once by cargo.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use labkit::graders;
use labkit::lab::Lab;
use serde::Deserialize;

use crate::checkout::Checkout;
use crate::programs;
use crate::session::Session;
use crate::trouble::Trouble;

/// The labs that are graded, and what it takes to compile an answer to them.
pub struct Course {
    /// The compiler's folder.
    pub sysroot: PathBuf,
    /// The compiled crates that answers and graders are linked with.
    pub shared: PathBuf,
    /// Those that are written by students, by the number of the lab.
    pub crates: BTreeMap<String, AnswerCrate>,
    /// The programs that decide, by the number of the lab: built here, without a
    /// line of an answer.
    pub graders: BTreeMap<String, PathBuf>,
    /// What a grade depends on beside the answer: graders, compiler, versions.
    pub version: String,
}

/// The crate that a student writes.
pub struct AnswerCrate {
    /// `06-pivot-root`.
    pub folder: String,
    pub edition: String,
    /// Its program, if it has one.
    pub program: Option<String>,
    /// The earlier answers that it is built from, by the number of their lab.
    pub earlier: Vec<String>,
    /// The other crates it uses, `NAME=FILE` in the shared folder.
    pub uses: Vec<String>,
    /// What its tests use beside these.
    pub tests_use: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    manifest_path: PathBuf,
    edition: String,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// `null` is a normal one.
    kind: Option<String>,
}

impl Course {
    /// Has cargo compile what is shared, and puts it into the folder `shared`.
    pub fn prepare(session: &Session, labs: &[&Lab], shared: PathBuf) -> Result<Course, Trouble> {
        let checkout = &session.checkout;
        let built = programs::build(session, labs)?;
        let compiler = output(checkout, "rustc", &["-vV"])?;
        // Without the platform cargo asks the network for the crates of all others.
        // What is needed on this one but by the labs was perhaps never fetched.
        let host = compiler.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.unwrap_or_default();
        let asked = ["metadata", "--format-version=1", "--filter-platform", host];
        let offline = output(checkout, "cargo", &[&asked[..], &["--offline", "--quiet"]].concat());
        let metadata = offline.or_else(|_| output(checkout, "cargo", &asked))?;
        let metadata: Metadata = serde_json::from_str(&metadata)
            .map_err(|error| Trouble::cannot("cargo metadata", &checkout.top, error.into()))?;
        let libraries = share(&built.libraries, &shared)?;

        let mut crates = BTreeMap::new();
        for lab in &checkout.labs {
            let folder = checkout.folder(lab);
            let is_its = |package: &&Package| package.manifest_path == folder.join("Cargo.toml");
            let Some(package) = metadata.packages.iter().find(is_its) else { continue };
            crates.insert(lab.number.clone(), metadata.answer_crate(lab, package, &libraries));
        }
        let missing = |lab: &&Lab| {
            let answer = &crates[&lab.number];
            answer.uses.iter().chain(&answer.tests_use).any(|it| it.ends_with('='))
        };
        if labs.iter().any(missing) {
            eprint!("{}", built.said);
            return Err(Trouble::NotShared);
        }
        let sysroot = output(checkout, "rustc", &["--print", "sysroot"])?.trim().into();
        let sums = graders::sums(&checkout.top.join("labs"))
            .map_err(|error| Trouble::cannot("read", checkout.top.join("labs"), error))?;
        let version = compiler + &sums.join("\n");
        let graders = built.graders;
        Ok(Course { sysroot, shared, crates, graders, version })
    }

    /// A lab's crate and those of the earlier labs that it is built from, which
    /// come first.
    pub fn with_earlier(&self, number: &str) -> Vec<(&String, &AnswerCrate)> {
        let own = &self.crates[number];
        let is_needed = |it: &&String| *it == number || own.earlier.contains(it);
        self.crates.iter().filter(|(it, _)| is_needed(it)).collect()
    }
}

impl Metadata {
    fn answer_crate(
        &self,
        lab: &Lab,
        package: &Package,
        libraries: &BTreeMap<String, String>,
    ) -> AnswerCrate {
        let no_dependencies = Vec::new();
        let node = self.resolve.nodes.iter().find(|node| node.id == package.id);
        let mut answer = AnswerCrate {
            folder: lab.folder(),
            edition: package.edition.clone(),
            program: package
                .targets
                .iter()
                .find(|target| target.kind.iter().any(|kind| kind == "bin"))
                .map(|target| target.name.clone()),
            earlier: Vec::new(),
            uses: Vec::new(),
            tests_use: Vec::new(),
        };
        for dependency in node.map_or(&no_dependencies, |node| &node.deps) {
            let number = dependency.name.strip_prefix("lab_");
            if let Some(number) = number.filter(|it| it.bytes().all(|byte| byte.is_ascii_digit())) {
                answer.earlier.push(number.to_owned());
                continue;
            }
            let file = libraries.get(&dependency.pkg).map_or("", |file| file);
            let named = format!("{}={file}", dependency.name);
            let is_for = |wanted: Option<&str>| {
                dependency.dep_kinds.iter().any(|it| it.kind.as_deref() == wanted)
            };
            if is_for(None) {
                answer.uses.push(named);
            } else if is_for(Some("dev")) {
                answer.tests_use.push(named);
            }
        }
        answer
    }
}

/// Puts libraries into one folder, as links where that can be. Returns their
/// names, by package. What runs at compile time cargo has compiled for that once
/// more: of this only the macros are wanted.
fn share(
    libraries: &BTreeMap<String, Vec<PathBuf>>,
    shared: &Path,
) -> Result<BTreeMap<String, String>, Trouble> {
    let has_name = |file: &&PathBuf, name: &str| {
        file.file_name().is_some_and(|it| it.to_string_lossy().starts_with(name))
    };
    let kit = libraries.values().flatten().find(|file| has_name(file, "liblabkit-"));
    let folder = kit.and_then(|file| file.parent());
    fs::set_permissions(shared, Permissions::from_mode(0o755))
        .map_err(|error| Trouble::cannot("chmod", shared, error))?;
    let mut names = BTreeMap::new();
    for (package, files) in libraries {
        for file in files {
            let is_library =
                ["rlib", "rmeta"].map(OsStr::new).map(Some).contains(&file.extension());
            let is_macro = file.extension() == Some(OsStr::new("so"));
            if !(is_macro || is_library && file.parent() == folder) {
                continue;
            }
            let name = file.file_name().unwrap_or_default();
            let here = shared.join(name);
            share_file(file, &here).map_err(|error| Trouble::cannot("copy", file, error))?;
            if file.extension() == Some(OsStr::new("rlib")) {
                names.insert(package.clone(), name.to_string_lossy().into_owned());
            }
        }
    }
    Ok(names)
}

/// Links or copies a file so that anybody can read it.
fn share_file(file: &Path, here: &Path) -> io::Result<()> {
    let is_for_all = fs::metadata(file)?.mode() & 0o004 != 0;
    if is_for_all && fs::hard_link(file, here).is_ok() {
        return Ok(());
    }
    fs::copy(file, here)?;
    fs::set_permissions(here, Permissions::from_mode(0o755))
}

/// What cargo or rustc prints, in the checkout. When it fails it has said why.
fn output(checkout: &Checkout, name: &'static str, arguments: &[&str]) -> Result<String, Trouble> {
    let program = env::var_os(name.to_uppercase()).unwrap_or_else(|| name.into());
    let output = Command::new(program)
        .args(arguments)
        .current_dir(&checkout.top)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Trouble::NoCargo { error })?;
    if !output.status.success() {
        let status = io::Error::other(output.status.to_string());
        return Err(Trouble::cannot(name, &checkout.top, status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
