//! What the fuzzer has found, and what it set out from, without the fuzzer. See
//! tests/fuzz.

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::fs;
use std::path::{Path, PathBuf};

use rstest::rstest;

#[rstest]
#[case::import("import", fuzz::import)]
#[case::mountinfo("mountinfo", fuzz::mountinfo)]
fn no_input_that_the_fuzzer_knows_breaks_a_promise(#[case] target: &str, #[case] check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).expect("the corpus").flatten();
    let inputs: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    assert!(inputs.len() >= 5, "a vain test: {inputs:?}");
    for input in inputs {
        // The name shows in the output of a test that fails.
        println!("{}", input.display());
        check(&fs::read(&input).expect("an input"));
    }
}
