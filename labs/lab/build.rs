//! Tells cargo of the files that a macro reads.

fn main() {
    // What the macro of rust-i18n reads, which cargo does not see.
    println!("cargo::rerun-if-changed=locales");
}
