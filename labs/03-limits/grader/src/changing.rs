//! set_limits on a group that has limits already.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use labkit::describe::result;
use labkit::frame::{Facts, Returned, Rules, Words, error_of, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Both {
    memory: u64,
    together: u64,
}

impl Both {
    /// The limit that is in the file, if it is one of the two.
    fn of(&mut self, file: &Path) -> Option<&mut u64> {
        match file.file_name()?.to_str()? {
            name if name == Version::One.memory_file() => Some(&mut self.memory),
            name if name == Version::One.swap_file() => Some(&mut self.together),
            _ => None,
        }
    }

    /// What one write makes of them.
    fn after(mut self, written: &Written) -> Both {
        if let Some(limit) = self.of(&written.file) {
            match written.text.trim() {
                "-1" => *limit = NONE,
                text => *limit = text.parse().unwrap_or(*limit).min(NONE),
            }
        }
        self
    }
}

/// What has come of new limits where the kernel refuses the wrong order.
struct Ordered {
    asked: Limits,
    returned: Returned,
    /// The limits in the end.
    limits: Both,
    /// What they would have become by the first write that was refused.
    refused: Option<Both>,
}

impl Facts for Ordered {
    fn words(&self) -> Words {
        let Some(Both { memory, together }) = self.refused else { return Words::new() };
        vec![("memory", memory.to_string()), ("together", together.to_string())]
    }
}

impl Ordered {
    /// Who is refused a write may try the other order. Only what stands in the end counts,
    /// and that nothing was wrong with it.
    fn require_limits(&self) -> Result<(), Finding> {
        static RULES: Rules<Ordered> = Rules {
            lab: LAB,
            function: FUNCTION,
            tables: &[&[rule("above-memory-and-swap", |it| it.refused.is_some())]],
        };
        let limit = self.asked.memory.unwrap_or(NONE);
        let is_set = self.limits == Both { memory: limit, together: limit };
        RULES.judge(self, self.refused.is_none() || is_set && self.returned.is_ok(), || {
            let Limits { memory, pids, .. } = &self.asked;
            let call = format!("set_limits(…, {memory:?}, {pids:?})");
            let refused = self.refused.iter().map(|Both { memory, together }| {
                Evidence::differs(Version::One.memory_file(), format!("<= {together}"), memory)
            });
            refused.chain([Evidence::differs(call, "Ok", result(&self.returned))]).collect()
        })
    }
}

pub fn step_by_step(host: &Host) -> Result<(), Finding> {
    plain_on(host, Version::One)?;
    each_step(host)
}

/// Decides on each write as the kernel does, which need not have version 1: what makes the
/// memory more than memory and swap is refused, and the limit stays as it was.
pub fn each_step(host: &Host) -> Result<(), Finding> {
    for (before, after) in [(LOW, Some(HIGH)), (HIGH, Some(LOW)), (NONE, Some(LOW)), (HIGH, None)] {
        let model = Model::new(host, Version::One, Lacks::Nothing);
        let group = model.make_limited_group("c1", before);
        let asked = Limits { group, memory: after, pids: Some(PIDS) };
        let limits = Rc::new(Cell::new(Both { memory: before, together: before }));
        let refused = Rc::new(Cell::new(None));
        let (now, first) = (limits.clone(), refused.clone());
        let call = model.act_deciding(&SET_LIMITS, asked.clone(), &[], move |_, written| {
            let written = written?;
            let new = now.get().after(written);
            if new.memory <= new.together {
                now.set(new);
                return None;
            }
            // A plain file may have been truncated when it was opened. The kernel's has
            // its limit as before.
            let limit = now.get().of(&written.file).copied();
            let shown = limit.map_or_else(String::new, |limit| format!("{limit}\n"));
            let _ = fs::write(&written.file, shown);
            first.set(first.get().or(Some(new)));
            Some(Errno::EINVAL)
        });
        let returned = call.make()?.returned;
        Ordered { asked, returned, limits: limits.get(), refused: refused.get() }
            .require_limits()?;
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
