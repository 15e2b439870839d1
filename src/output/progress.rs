//! The progress bar: bytes done, rate, time left, on standard error.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// How often it is drawn, per second.
const DRAWS_PER_SECOND: u8 = 8;

/// Shows the progress of a replay. Without a terminal it shows nothing and costs nothing.
#[derive(Clone)]
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// A bar over `total` bytes, or a counter if the total is unknown. `show`: standard error is a terminal and
    /// `--quiet` was not given.
    pub fn new(total: Option<u64>, show: bool) -> Self {
        if !show {
            return Self(None);
        }
        Self(Some(bar(total, ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND))))
    }

    /// `bytes` more are done. Call it per batch, not per packet.
    pub fn add(&self, bytes: u64) {
        if let Some(bar) = &self.0 {
            bar.inc(bytes);
        }
    }

    /// Runs `print` while the bar is hidden, for messages on the same terminal.
    pub fn aside<R>(&self, print: impl FnOnce() -> R) -> R {
        match &self.0 {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Removes it from the screen.
    pub fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: Option<u64>, target: ProgressDrawTarget) -> ProgressBar {
    let template = match total {
        Some(_) => "{wide_bar} {percent:>3}%  {size} at {rate}, {eta} left",
        None => "{spinner} {size} at {rate}",
    };
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("size", |s: &ProgressState, w: &mut dyn std::fmt::Write| {
            let _ = match s.len() {
                Some(all) => {
                    write!(w, "{} of {}", super::text::bytes(s.pos()), super::text::bytes(all))
                }
                None => w.write_str(&super::text::bytes(s.pos())),
            };
        })
        .with_key("rate", |s: &ProgressState, w: &mut dyn std::fmt::Write| {
            let _ = write!(w, "{}/s", super::text::bytes(s.per_sec() as u64));
        });
    let bar = ProgressBar::with_draw_target(total, target);
    bar.set_style(style);
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::TermLike;
    use std::io;
    use std::sync::{Arc, Mutex};

    /// Keeps everything that was ever drawn.
    #[derive(Debug, Clone, Default)]
    struct Paper(Arc<Mutex<String>>);

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            100
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().expect("no panic").push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn shows_done_total_and_share() {
        let paper = Paper::default();
        let bar = bar(Some(4_000_000), ProgressDrawTarget::term_like(Box::new(paper.clone())));
        bar.inc(1_000_000);
        bar.force_draw();
        let seen = paper.0.lock().expect("no panic").clone();
        assert!(seen.contains("25%") && seen.contains("1.0 MB of 4.0 MB"), "{seen}");
        assert!(seen.contains("left"), "{seen}");
    }

    #[test]
    fn without_a_terminal_nothing_is_drawn() {
        let none = Progress::new(Some(10), false);
        none.add(5);
        assert_eq!(none.aside(|| 3), 3);
        none.finish();
        assert!(none.0.is_none());
    }
}
