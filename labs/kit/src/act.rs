//! What an answer is asked to do, and the answer's side of it.
//!
//! An answer is its own program. It is only ever executed in the sandbox,
//! is asked for one [`Act`], and replies once. Nothing in this file runs in the
//! process that decides.

use std::cell::RefCell;
use std::env;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::panic::{self, AssertUnwindSafe};
use std::process::exit;

use mydocker_kernel::sys::refuse_call;
use nix::errno::Errno;
use nix::unistd::pause;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::reply::{Reply, ReplyWriter};
use crate::sys;

/// Something that an answer can be asked to do.
pub struct Act<A: 'static, I, O> {
    /// Its name: no other act of the lab has it.
    pub name: &'static str,
    /// The student's function that it is about.
    pub function: &'static str,
    /// Does it, in the answer's process: calls the student's functions.
    pub perform: fn(&A, I) -> O,
}

/// Something that an answer is asked to do for each of many inputs, one after the
/// other in one process: for functions that are judged by what they return. See
/// [`Subject`](crate::cases::Subject).
pub struct Each<A: 'static, I, O> {
    /// Its name: no other act of the lab has it.
    pub name: &'static str,
    /// The student's function that it is about.
    pub function: &'static str,
    /// Does it for one input.
    pub perform: fn(&A, I) -> O,
}

/// An [`Act`], or an [`Each`], of whatever input and output.
pub trait Performable<A>: Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Does what the request asks for, and returns the output as JSON. It calls `begin` when
    /// it begins, and for many inputs says with which one.
    ///
    /// # Errors
    /// The request has a different input, or the output cannot be written as JSON.
    fn perform(
        &self,
        answers: &A,
        request: &[u8],
        begin: &dyn Fn(usize),
    ) -> serde_json::Result<Vec<u8>>;
}

impl<A, I: DeserializeOwned, O: Serialize> Performable<A> for Act<A, I, O> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn perform(
        &self,
        answers: &A,
        request: &[u8],
        begin: &dyn Fn(usize),
    ) -> serde_json::Result<Vec<u8>> {
        let (_, input): (IgnoredAny, I) = serde_json::from_slice(request)?;
        begin(0);
        serde_json::to_vec(&(self.perform)(answers, input))
    }
}

impl<A, I: DeserializeOwned, O: Serialize> Performable<A> for Each<A, I, O> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn perform(
        &self,
        answers: &A,
        request: &[u8],
        begin: &dyn Fn(usize),
    ) -> serde_json::Result<Vec<u8>> {
        let (_, inputs): (IgnoredAny, Vec<I>) = serde_json::from_slice(request)?;
        let outputs = inputs.into_iter().enumerate().map(|(nth, input)| {
            begin(nth);
            (self.perform)(answers, input)
        });
        serde_json::to_vec(&outputs.collect::<Vec<O>>())
    }
}

/// The first part of a request; the second is the act's input.
#[derive(Debug, Serialize, Deserialize)]
pub struct Header {
    /// The name of the act.
    pub act: String,
    /// The calls that fail meanwhile, each with its errno.
    pub refuse: Vec<(i64, i32)>,
    /// Whether the process waits after its reply, so that it can be looked at.
    pub waits: bool,
}

/// The argument that tells a program to answer.
pub const ANSWER: &str = "labkit-answers";

/// Where the program finds its request and the place for its reply, and from
/// which number on the descriptors that an act is given.
pub const REQUEST: i32 = 3;
/// See [`REQUEST`].
pub const REPLY: i32 = 4;
/// See [`REQUEST`].
pub const FIRST_GIVEN: i32 = 5;

/// If this process was started to answer: which answer it is, where a program has
/// several.
pub fn asked() -> Option<String> {
    let mut arguments = env::args().skip(1);
    if arguments.next()? == ANSWER { arguments.next() } else { None }
}

/// Takes over the descriptor that an act was given as the `nth`, from 0.
///
/// # Panics
/// It was given fewer.
pub fn given(nth: usize) -> OwnedFd {
    sys::take_descriptor(FIRST_GIVEN + nth as i32).expect("the act was given it")
}

/// Answers one request; the end of a process for which [`asked`] is something.
pub fn answer<A>(acts: &[&dyn Performable<A>], answers: &A) -> ! {
    // What cannot be understood was not sent by a grader.
    match try_to_answer(acts, answers) {
        Ok(()) => exit(0),
        Err(error) => {
            eprintln!("{error}");
            exit(NOT_UNDERSTOOD)
        }
    }
}

/// The exit code of an answer that was asked for something it does not know.
const NOT_UNDERSTOOD: i32 = 2;

fn try_to_answer<A>(acts: &[&dyn Performable<A>], answers: &A) -> io::Result<()> {
    // 1. Both descriptors are closed before the function begins: those that are
    //    open when it has ended are its own.
    let reply = ReplyWriter::take(REPLY)?;
    let request = io::read_to_string(std::fs::File::from(sys::take_descriptor(REQUEST)?))?;
    let (header, _): (Header, IgnoredAny) = serde_json::from_str(&request)?;
    let act = acts.iter().find(|act| act.name() == header.act);
    let act = act.ok_or_else(|| io::Error::other(format!("no act {:?}", header.act)))?;

    // 2. A panic is told, not shown with a backtrace.
    thread_local! {
        static PANIC: RefCell<(String, String)> = RefCell::default();
    }
    panic::set_hook(Box::new(|info| {
        let words = info.payload_as_str().unwrap_or_default().to_owned();
        let place = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
        PANIC.with_borrow_mut(|panic| *panic = (words, place.unwrap_or_default()));
    }));
    for (number, errno) in header.refuse {
        let refused = refuse_call(number, Errno::from_raw(errno));
        refused.map_err(|error| io::Error::other(error.to_string()))?;
    }

    // 3. The function.
    let perform =
        AssertUnwindSafe(|| act.perform(answers, request.as_bytes(), &|nth| reply.begin(nth)));
    let told = match panic::catch_unwind(perform) {
        Ok(output) => Reply::Returned(String::from_utf8(output?).expect("JSON is UTF-8")),
        Err(_) => {
            let (words, place) = PANIC.with_borrow(Clone::clone);
            Reply::Panicked { words, place }
        }
    };
    let _ = io::stdout().flush();

    // 4. The witness looks while this process exists, and ends it.
    reply.send(&told)?;
    if !header.waits {
        return Ok(());
    }
    loop {
        pause();
    }
}
