//! The figures show what a run does today.

use mydocker_book::checkout;
use mydocker_book::figures::record;

#[test]
#[cfg_attr(not(can_root), ignore = "figures are recorded as root")]
fn figures_are_what_a_run_shows() {
    for (name, recording) in record::all().expect("a recording") {
        let file = checkout::book().join(format!("figures/{name}.json"));
        let kept = checkout::read(&file).expect("the figure's file");
        assert!(
            kept == recording,
            "book/figures/{name}.json is no longer what a run shows:\n{}\n  \
             do: scripts/book figures, then read `git diff book/figures`",
            first_difference(&kept, &recording)
        );
    }
}

fn first_difference(kept: &str, recorded: &str) -> String {
    let mut lines = kept.lines().zip(recorded.lines()).enumerate();
    match lines.find(|(_, (kept, recorded))| kept != recorded) {
        Some((index, (kept, recorded))) => {
            format!("  line {}\n  kept     {kept}\n  recorded {recorded}", index + 1)
        }
        None => "  one of them goes on".to_owned(),
    }
}
