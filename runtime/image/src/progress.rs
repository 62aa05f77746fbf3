//! A bar on the terminal, while an import takes longer than a moment.

use std::io::{self, IsTerminal, Read};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Who is done before this needs no bar.
const MOMENT: Duration = Duration::from_secs(1);

/// The progress of one import, which reads one archive or several.
pub struct Progress {
    bar: ProgressBar,
    /// When the bar appears; never, without a terminal.
    appears: Option<Instant>,
}

impl Progress {
    /// A bar that appears on a terminal if it is `wanted`.
    pub fn new(wanted: bool) -> Progress {
        let appears = (wanted && io::stderr().is_terminal()).then(|| Instant::now() + MOMENT);
        Progress { bar: ProgressBar::hidden(), appears }
    }

    /// Counts what is read from `source`, which is called `what` and has
    /// `size` bytes if that is known.
    pub fn of<'a, R: Read + 'a>(
        &'a mut self,
        source: R,
        what: &str,
        size: Option<u64>,
    ) -> impl Read + 'a {
        let form = match size {
            Some(_) => "{msg} {wide_bar} {bytes}/{total_bytes}",
            None => "{msg} {spinner} {bytes}",
        };
        if let Ok(style) = ProgressStyle::with_template(form) {
            self.bar.set_style(style);
        }
        self.bar.set_message(what.to_owned());
        self.bar.reset();
        match size {
            Some(size) => self.bar.set_length(size),
            None => self.bar.unset_length(),
        }
        Counted { source, progress: self }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

struct Counted<'a, R> {
    source: R,
    progress: &'a mut Progress,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.progress.bar.inc(count as u64);
        if self.progress.appears.is_some_and(|time| time < Instant::now()) {
            self.progress.appears = None;
            self.progress.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        Ok(count)
    }
}
