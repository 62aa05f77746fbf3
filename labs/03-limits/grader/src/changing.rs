//! set_limits on a group that has limits already.

use std::fs;

use labkit::describe::result;
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};

use crate::LAB;
use crate::acts::{Limits, SET_LIMITS};
use crate::kernel;
use crate::limits::{FUNCTION, MEMORY, PIDS, no_limit, plain_on, without_swap};
use crate::model::{Lacks, Model, Version, Written};

const LOW: u64 = 4096;
const HIGH: u64 = 8192;
/// What version 1 shows where there is no limit.
const NONE: u64 = i64::MAX as u64 / 4096 * 4096;

/// The two limits of version 1 that the kernel compares.
struct Both {
    memory: u64,
    together: u64,
}

impl Facts for Both {
    fn words(&self) -> Words {
        vec![("memory", self.memory.to_string()), ("together", self.together.to_string())]
    }
}

impl Both {
    /// What one write makes of them.
    fn update(&mut self, written: &Written) {
        let limit = match written.file.file_name().and_then(|name| name.to_str()) {
            Some(name) if name == Version::One.memory_file() => &mut self.memory,
            Some(name) if name == Version::One.swap_file() => &mut self.together,
            _ => return,
        };
        match written.text.trim() {
            "-1" => *limit = NONE,
            text => *limit = text.parse().unwrap_or(*limit).min(NONE),
        }
    }

    fn require_order(&self) -> Result<(), Finding> {
        static RULES: Rules<Both> = Rules {
            lab: LAB,
            function: FUNCTION,
            tables: &[&[rule("above-memory-and-swap", |it| it.memory > it.together)]],
        };
        RULES.judge(self, self.memory <= self.together, || {
            let limit = format!("<= {}", self.together);
            vec![Evidence::differs(Version::One.memory_file(), limit, self.memory)]
        })
    }
}

pub fn step_by_step(host: &Host) -> Result<(), Finding> {
    plain_on(host, Version::One)?;
    each_step(host)
}

/// Goes through what the answer has written, one write after the other: the kernel, which
/// would refuse the wrong order, need not have version 1.
pub fn each_step(host: &Host) -> Result<(), Finding> {
    for (before, after) in [(LOW, Some(HIGH)), (HIGH, Some(LOW)), (NONE, Some(LOW)), (HIGH, None)] {
        let model = Model::new(host, Version::One, Lacks::Nothing);
        let group = model.make_limited_group("c1", before);
        let asked = Limits { group, memory: after, pids: Some(PIDS) };
        model.act(&SET_LIMITS, asked).make()?;
        let mut limits = Both { memory: before, together: before };
        for written in model.writes() {
            limits.update(&written);
            limits.require_order()?;
        }
    }
    Ok(())
}

/// What the kernel makes of new limits.
struct Changed {
    memory: Option<u64>,
    returned: Returned,
    limit: String,
}

impl Facts for Changed {
    fn words(&self) -> Words {
        error_of(&self.returned)
    }
}

pub fn by_the_kernel(host: &Host) -> Result<(), Finding> {
    // What takes a kernel is tried only on an answer that does well on the models of
    // all that the kernel may be.
    without_swap(host)?;
    no_limit(host)?;
    each_step(host)?;
    let group = kernel::make_group("c1");
    for memory in [Some(MEMORY), Some(4 * MEMORY), Some(2 * MEMORY), None, Some(MEMORY)] {
        let asked = Limits { group: group.clone(), memory, pids: Some(PIDS) };
        let returned = host.act(&SET_LIMITS, asked).make()?.returned;
        let limit = fs::read_to_string(kernel::memory_file(&group)).unwrap_or_default();
        judge(&Changed { memory, returned, limit: limit.trim().to_owned() })?;
    }
    Ok(())
}

fn judge(changed: &Changed) -> Result<(), Finding> {
    static RULES: Rules<Changed> = Rules {
        lab: LAB,
        function: FUNCTION,
        tables: &[&[rule("answer/returned-error", |it| it.returned.is_err())]],
    };
    let Changed { memory, returned, limit } = changed;
    // What no limit is called differs from kernel to kernel; it is no size.
    let is_right = match memory {
        Some(bytes) => *limit == bytes.to_string(),
        None => limit == "max" || limit.parse().is_ok_and(|bytes: u64| bytes > 1 << 60),
    };
    RULES.judge(changed, returned.is_ok() && is_right, || {
        let expected = memory.map_or("max".to_owned(), |bytes| bytes.to_string());
        vec![
            Evidence::differs(format!("set_limits(…, {memory:?}, …)"), "Ok", result(returned)),
            Evidence::differs("the limit of the memory", expected, limit),
        ]
    })
}
