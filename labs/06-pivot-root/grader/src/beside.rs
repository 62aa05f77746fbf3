//! What an answer does to the host beside what it is asked for.

use labkit::calls::CALLS;
use labkit::failing;
use labkit::frame::{Facts, Rule, Rules, Words, rule};
use labkit::host::Host;
use labkit::verdict::{Evidence, Finding};
use nix::errno::Errno;
use nix::sched::CloneFlags;

use crate::LAB;
use crate::acts::{BREAK_OUT_OF_CHROOT, ENTER_WITH_PIVOT_ROOT};
use crate::own_host::{Harm, OwnHost};

impl Facts for Harm {
    fn words(&self) -> Words {
        vec![("gone", self.gone.join(", ")), ("new", self.new.join(", "))]
    }
}

const TABLE: &[Rule<Harm>] = &[
    rule("host-directory-removed", |it| !it.gone.is_empty()),
    rule("left-on-the-host", |it| !it.new.is_empty()),
];

static BREAK_OUT: Rules<Harm> =
    Rules { lab: LAB, function: BREAK_OUT_OF_CHROOT.function, tables: &[TABLE] };
static PIVOT: Rules<Harm> =
    Rules { lab: LAB, function: ENTER_WITH_PIVOT_ROOT.function, tables: &[TABLE] };

fn judge(rules: &Rules<Harm>, own: &OwnHost, when: &str) -> Result<(), Finding> {
    let harm = own.harm();
    let is_none = harm.gone.is_empty() && harm.new.is_empty();
    rules.judge(&harm, is_none, || {
        let all = [("new", &harm.new), ("gone", &harm.gone)];
        let wrong = all.into_iter().filter(|(_, names)| !names.is_empty());
        let evidence = |(what, names): (&str, &Vec<String>)| {
            let what = format!("find / on the host, {when}, names that are {what}");
            Evidence::differs(what, "-", names.join(", "))
        };
        wrong.map(evidence).collect()
    })
}

/// break_out_of_chroot to a host that has empty directories of these names, as the answer
/// makes them.
pub fn of_a_breakout(host: &Host, made: &[String]) -> Result<(), Finding> {
    let own = OwnHost::new(host, "own-host", made);
    let call = host.act(&BREAK_OUT_OF_CHROOT, ()).in_new(CloneFlags::CLONE_NEWNS);
    call.after(|| own.enter_and_chroot()).make()?;
    judge(&BREAK_OUT, &own, "after the breakout")
}

/// enter_with_pivot_root on such a host, when all goes well and when each of its calls
/// fails.
pub fn of_a_pivot(host: &Host, made: &[String]) -> Result<(), Finding> {
    let own = OwnHost::new(host, "own-host", made);
    let call = || {
        let new_root = OwnHost::new_root().into_os_string();
        let call = host.act(&ENTER_WITH_PIVOT_ROOT, new_root).in_new(CloneFlags::CLONE_NEWNS);
        call.after(|| own.enter())
    };
    call().make()?;
    judge(&PIVOT, &own, "after enter_with_pivot_root")?;
    failing::each(|nth| {
        let failed = call().failing(nth, CALLS, Errno::EPERM).make()?.failed;
        let Some(failed) = failed else { return Ok(false) };
        judge(&PIVOT, &own, &format!("where {failed} has failed with EPERM")).map(|()| true)
    })
}
