//! Which function of a Rust program is still to be written.

/// What todo!() says.
const TODO: &str = "not yet implemented";

/// What comes before the caller of todo!() in a stack, from the innermost on.
const NOT_THE_CALLER: [&str; 4] = ["core::", "std::", "__rustc::", "rust_begin_unwind"];

/// The function whose todo!() has ended a program, by what it has printed; its file
/// and line where there is no stack; none if there was no todo!().
pub fn function(printed: &str) -> Option<String> {
    let (before, stack) = printed.split_once(&format!("\n{TODO}"))?;
    // Other programs say these words too, in their own ways.
    before.lines().last()?.split_once("panicked at labs/")?;
    let is_caller = |name: &&str| !NOT_THE_CALLER.iter().any(|other| name.starts_with(other));
    let caller = stack.lines().filter_map(frame).find(is_caller);
    let place = || before.rsplit(" panicked at ").next()?.lines().next()?.strip_suffix(':');
    Some(caller.and_then(name).or_else(place).unwrap_or("mydocker").to_owned())
}

/// The last name of a path such as `lab_02::wait::{{closure}}`: a closure has none.
fn name(path: &str) -> Option<&str> {
    path.rsplit("::").find(|name| !name.starts_with('{'))
}

/// The function of a line such as `  12: lab_02::wait`.
fn frame(line: &str) -> Option<&str> {
    let (number, name) = line.trim_start().split_once(": ")?;
    number.parse::<u32>().ok().map(|_| name)
}

#[cfg(test)]
mod tests {
    use super::function;

    const PANIC: &str = "thread 'main' (7) panicked at labs/02-run/src/lib.rs:61:5:\n\
        not yet implemented: wait for 8\n";

    #[test]
    fn the_caller_of_todo_is_named() {
        let stack = "stack backtrace:\n   0: __rustc::rust_begin_unwind\n             at /rustc/5/\
            library/std/src/panicking.rs:689:5\n   1: core::panicking::panic_fmt\n   \
            2: lab_02::wait::{{closure}}\n   3: lab_09::run\n";
        assert_eq!(function(&format!("{PANIC}{stack}")).as_deref(), Some("wait"));
    }

    #[test]
    fn without_a_stack_its_place_is() {
        let place = "labs/02-run/src/lib.rs:61:5";
        assert_eq!(function(&format!("a line\n{PANIC}")).as_deref(), Some(place));
    }

    #[test]
    fn another_panic_is_none() {
        assert_eq!(function("thread 'main' panicked at src/lib.rs:1:1:\nboom\n"), None);
    }
}
