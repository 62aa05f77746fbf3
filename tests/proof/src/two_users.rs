//! Two users at the same time on one machine.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread::scope;

use nix::unistd::geteuid;

use crate::ground::Ground;
use crate::report::Section;
use crate::{Proof, Subject};

/// See the promise.
pub const SUBJECT: Subject = Subject {
    name: "two-users",
    promise: "Two users have containers of one name at the same time, and neither sees, prunes \
              or enters what is the other's.",
    lacking: || (!geteuid().is_root()).then(|| "only root can be two users".into()),
    prove,
};

/// Two that nobody else is.
const USERS: [u32; 2] = [70_001, 70_002];

fn prove(proof: &Proof, section: &mut Section) {
    let ground = Ground::new(proof);
    ground.let_users_in();
    let rounds = proof.pick(5, 200);
    let users = USERS.map(|id| User::new(&ground, id));
    let mut failures = Vec::new();
    scope(|scope| {
        let runs = users.each_ref().map(|user| scope.spawn(move || user.run_often(rounds)));
        failures.extend(runs.into_iter().filter_map(|run| run.join().expect("no panic").err()));
    });
    let [one, other] = &users;
    failures.extend([one.intrude(other), other.intrude(one)].into_iter().filter_map(Result::err));
    for user in &users {
        failures.extend(user.leaves_nothing().err());
        fs::remove_dir_all(&user.home).expect("root may");
    }
    drop(users);
    failures.extend(ground.finish());
    section.failures = failures;
    section.figure("users", USERS.len());
    section.figure("runs of each", rounds);
    section.figure("tries to reach what is the other's, of each", INTRUSIONS.len());
}

/// What is tried with the other's folder as --root.
const INTRUSIONS: [&[&str]; 6] = [
    &["ps"],
    &["prune", "--kept"],
    &["diff", "kept"],
    &["image", "ls"],
    &["image", "rm", "busybox"],
    &["run", "true"],
];

struct User<'a> {
    ground: &'a Ground,
    id: u32,
    home: PathBuf,
}

impl User<'_> {
    /// With an image, and a container that is kept.
    fn new(ground: &Ground, id: u32) -> User<'_> {
        let home = ground.host.path(&id.to_string());
        fs::create_dir(&home).expect("a folder");
        chown(&home, Some(id), Some(id)).expect("root may");
        let user = User { ground, id, home };
        let tar = ground.archive_for_all();
        let tar = tar.to_str().expect("a path in UTF-8");
        for arguments in
            [&["image", "import", "busybox", tar][..], &["run", "--keep", "--name", "kept", "true"]]
        {
            let output = user.mydocker(&user.home, arguments);
            assert!(output.status.success(), "{output:?}");
        }
        user
    }

    fn mydocker(&self, home: &Path, arguments: &[&str]) -> Output {
        self.ground.mydocker_as(self.id, &home.join("root"), arguments)
    }

    fn run_often(&self, rounds: u64) -> Result<(), String> {
        let script = format!("echo {} >/file; cat /file; exit 5", self.id);
        for _ in 0..rounds {
            let output = self.mydocker(&self.home, &["run", "--name", "same", "sh", "-c", &script]);
            let said = String::from_utf8_lossy(&output.stdout);
            if output.status.code() != Some(5) || said.trim_end() != self.id.to_string() {
                return Err(format!("user {}: {output:?}", self.id));
            }
            let pruned = self.mydocker(&self.home, &["prune"]);
            if !pruned.status.success() {
                return Err(format!("user {}: {pruned:?}", self.id));
            }
        }
        Ok(())
    }

    /// Each is refused, and with an error that says why.
    fn intrude(&self, other: &User) -> Result<(), String> {
        for arguments in INTRUSIONS {
            let output = self.mydocker(&other.home, arguments);
            let said = String::from_utf8_lossy(&output.stderr);
            let says_why = said.contains("EACCES") || said.contains("somebody else's");
            if output.status.code() != Some(125) || !says_why {
                return Err(format!("{arguments:?} in the other's folder: {output:?}"));
            }
        }
        Ok(())
    }

    fn leaves_nothing(&self) -> Result<(), String> {
        for (folder, expected) in [("containers", "kept"), ("images", "busybox")] {
            let entries = fs::read_dir(self.home.join("root").join(folder)).expect("a folder");
            let names = entries.flatten().map(|entry| entry.file_name().into_string());
            let names: Vec<String> = names.map(|name| name.expect("UTF-8")).collect();
            if names != [expected] {
                return Err(format!("user {}: in {folder} are {names:?}", self.id));
            }
        }
        Ok(())
    }
}
