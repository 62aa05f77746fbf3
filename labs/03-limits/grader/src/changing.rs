//! set_limits on a group that has limits already.

use std::fs;
use std::path::Path;

use labkit::describe::{Failure, result};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding, require};
use nix::sched::CloneFlags;

use crate::kernel;
use crate::limits::{FUNCTION, MEMORY, PIDS, no_limit, plain_on, without_swap};
use crate::model::{Lacks, Model, Version};
use crate::{Answers, UNFORESEEN, finding};

/// Limits with as many digits each: whoever does not cut the file to nothing
/// first still writes over the whole of what was there.
const LOW: u64 = 4096;
const HIGH: u64 = 8192;

/// More calls than anybody needs for three files.
const CALLS: usize = 100;

/// The two limits of version 1 that the kernel compares.
struct Limits {
    memory: u64,
    together: u64,
}

impl Limits {
    /// What the files of the group say now. An empty one was opened and not yet
    /// written to: the limit is still the one that it was.
    fn update(&mut self, group: &Path) {
        for (limit, file) in [
            (&mut self.memory, Version::One.memory_file()),
            (&mut self.together, Version::One.swap_file()),
        ] {
            let text = fs::read_to_string(group.join(file)).unwrap_or_default();
            match text.trim() {
                none if none.starts_with('-') => *limit = u64::MAX,
                text => *limit = text.parse().unwrap_or(*limit),
            }
        }
    }

    fn require_order(&self) -> Result<(), Finding> {
        require(
            self.memory <= self.together,
            || {
                let limit = format!("<= {}", self.together);
                vec![Evidence::differs(Version::One.memory_file(), limit, self.memory)]
            },
            || {
                let found = finding("above-memory-and-swap").word("memory", self.memory);
                Some(found.word("together", self.together).word("function", FUNCTION))
            },
            UNFORESEEN,
        )
    }
}

pub fn step_by_step(answers: &Answers, host: &Host) -> Result<(), Finding> {
    plain_on(answers, host, Version::One)?;
    each_step(answers, host)
}

/// Kills the answer before each of its calls and looks what it has written until
/// then: the kernel, which would refuse the wrong order, need not have version 1.
fn each_step(answers: &Answers, host: &Host) -> Result<(), Finding> {
    for (before, after) in [(LOW, HIGH), (HIGH, LOW)] {
        let mut limits = Limits { memory: before, together: before };
        for nth in 1..CALLS {
            let model = Model::new(host, Version::One, Lacks::Nothing);
            let group = model.make_group("c1");
            for file in [Version::One.memory_file(), Version::One.swap_file()] {
                let file = group.memory.join(file);
                fs::write(file, before.to_string()).expect("the scratch folder");
            }
            let body = || drop((answers.set_limits)(&group, Some(after), Some(PIDS)));
            let was_killed = model.call_and_kill(FUNCTION, nth, body)?;
            limits.update(&group.memory);
            limits.require_order()?;
            if !was_killed {
                break;
            }
        }
    }
    Ok(())
}

/// What takes a kernel is tried only on an answer that does well on the models of
/// all that the kernel may be.
pub fn on_models(answers: &Answers, host: &Host) -> Result<(), Finding> {
    without_swap(answers, host)?;
    each_step(answers, host)
}

pub fn by_the_kernel(answers: &Answers, host: &Host) -> Result<(), Finding> {
    on_models(answers, host)?;
    no_limit(answers, host)?;
    let group = kernel::make_group("c1");
    let change = |memory: Option<u64>| {
        let returned = (answers.set_limits)(&group, memory, Some(PIDS)).map_err(Failure::from);
        let limit = fs::read_to_string(kernel::memory_file(&group)).unwrap_or_default();
        (memory, returned, limit.trim().to_owned())
    };
    let limits = [Some(MEMORY), Some(4 * MEMORY), Some(2 * MEMORY), None, Some(MEMORY)];
    let all = || limits.map(change).to_vec();
    let changes = host.call(FUNCTION, CloneFlags::empty(), all)?.returned;
    changes.iter().try_for_each(|(memory, returned, limit)| judge(*memory, returned, limit))
}

fn judge(memory: Option<u64>, returned: &Result<(), Failure>, limit: &str) -> Result<(), Finding> {
    // What no limit is called differs from kernel to kernel; it is no size.
    let is_right = match memory {
        Some(bytes) => limit == bytes.to_string(),
        None => limit == "max" || limit.parse().is_ok_and(|bytes: u64| bytes > 1 << 60),
    };
    let evidence = || {
        let expected = memory.map_or("max".to_owned(), |bytes| bytes.to_string());
        vec![
            Evidence::differs(format!("set_limits(…, {memory:?}, …)"), "Ok", result(returned)),
            Evidence::differs("the limit of the memory", expected, limit),
        ]
    };
    let diagnosis = || {
        let failure = returned.as_ref().err()?;
        let found = Finding::new("answer/returned-error");
        Some(found.word("function", FUNCTION).word("error", failure))
    };
    require(returned.is_ok() && is_right, evidence, diagnosis, UNFORESEEN)
}
