//! What a terminal's screen showed (ECMA-48, DEC VT100 and its successors): labelled values and tables, as
//! the user saw them.
//!
//! Programs draw screens in any order and overwrite what they change, so a screen is read when the user
//! reacts to it, when it is cleared, and at the end. Scrolling output is read as lines, each once.

mod choices;
mod screen;
#[cfg(test)]
mod tests;

use crate::content::extract::layout::{self, GlyphPosition, Line, Page};
use crate::content::extract::page::{Heading, PageReader};
use crate::content::extract::table::Sheet;
use crate::content::formats::text;
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use choices::Choices;
use screen::{Event, Screen, WIDE};

/// As what the protocols of terminals declare their screens.
pub const MEDIA: &str = "application/x-terminal";
/// The control that represents the user's reaction to the screen. Hosts also use it to ask who is there,
/// which shows nothing.
pub const REACTION: u8 = 5;

/// Screens of terminals.
pub struct Terminal;

impl Format for Terminal {
    fn name(&self) -> &'static str {
        "terminal"
    }

    fn probe(&self, media: &Media<'_>, _head: &[u8], _extent: Extent) -> bool {
        media::essence(media) == MEDIA
    }

    fn is_hasty(&self) -> bool {
        true
    }

    fn at_once(&self, media: &Media<'_>, _head: &[u8]) -> bool {
        media::essence(media) == MEDIA
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Session {
            screen: Screen::default(),
            lines: Sheet::new("terminal"),
            choices: Choices::default(),
            seen: 0,
            heading: None,
        })
    }
}

struct Session {
    screen: Screen,
    /// What rolls up.
    lines: Sheet,
    choices: Choices,
    /// The screen that was read last.
    seen: u64,
    /// The names of columns that a screen showed, for lists that go on behind them.
    heading: Option<Heading>,
}

/// Size of a letter on the page that a screen makes: a blank more than one wide is a gap between columns.
const SIZE: f64 = 10.0;
const WIDTH: f64 = 6.0;
const HEIGHT: f64 = 12.0;
/// Signs between the columns of a table that is drawn. The first one may be text, unless blanks are around it.
const BARS: [char; 4] = ['|', '│', '┃', '║'];
/// Rows of a screen without names of columns that fit those of a screen before: then the list goes on.
const CONTINUED_ROWS: usize = 3;
/// Rows below each other in which text begins in the same column behind a single blank, and such columns of a row: then
/// it is a table.
const TABLE_ROWS: usize = 4;
const TABLE_COLUMNS: usize = 2;

impl Session {
    /// Reads the screen, unless it is as it was.
    fn read(&mut self, scope: &mut Scope<'_>) {
        let hash = self.screen.hash();
        if hash == std::mem::replace(&mut self.seen, hash) {
            return;
        }
        let mut page = Page::of_screen();
        let gutters = gutters(&self.screen.rows().collect::<Vec<_>>());
        for ((row, cells), gutters) in self.screen.rows().enumerate().zip(gutters) {
            let blank = |at: usize| cells.get(at).is_none_or(|c| *c == ' ');
            for (column, c) in cells.iter().enumerate() {
                let before = column == 0 || blank(column - 1);
                // One blank is a blank, two are a gap, and so is a bar.
                if *c == ' ' && (before || blank(column + 1) || gutters.contains(&column))
                    || BARS.contains(c) && (*c != '|' || before && blank(column + 1))
                    || *c == WIDE
                {
                    continue;
                }
                let cells = if cells.get(column + 1) == Some(&WIDE) { 2.0 } else { 1.0 };
                let (down, start) = (row as f64 * HEIGHT, column as f64 * WIDTH);
                let end = start + cells * WIDTH;
                let spot = GlyphPosition { turn: 0, down, start, end, size: SIZE };
                page.push(c.encode_utf8(&mut [0; 4]), spot);
            }
        }
        let mut lines: Vec<Line> = Vec::new();
        page.lines(&mut lines);
        self.screen.forget_rolled();
        self.seen = self.screen.hash();
        let mut reader = PageReader::new("terminal");
        if let Some(heading) = self.heading.as_ref().filter(|heading| goes_on(heading, &lines))
            && !lines.iter().any(|line| Heading::of(line, scope).is_some())
        {
            reader.resume(heading, scope);
        }
        let records = layout::records(&lines, HEIGHT);
        for (at, line) in lines.iter().enumerate() {
            if records.contains(&at) {
                reader.end(scope);
            }
            reader.line(line, scope);
        }
        self.heading = reader.take_heading().or(self.heading.take());
        reader.end(scope);
    }

    fn event(&mut self, event: Event, scope: &mut Scope<'_>) {
        match event {
            Event::Line(text) => {
                if !self.choices.line(&text, scope) {
                    text::read(&mut self.lines, text.as_bytes(), scope);
                }
            }
            Event::Screen => self.read(scope),
            // A form begins, or that of another person.
            Event::Cleared => {
                self.read(scope);
                self.lines.end(scope);
            }
        }
    }
}

/// Whether a list under these names of columns goes on in these lines.
fn goes_on(heading: &Heading, lines: &[Line]) -> bool {
    lines.iter().filter(|line| heading.fits(line, WIDTH / 2.0)).count() >= CONTINUED_ROWS
}

/// The single blanks of each row that are between the columns of a table.
fn gutters(rows: &[&[char]]) -> Vec<Vec<usize>> {
    let mut gutters: Vec<Vec<usize>> = vec![Vec::new(); rows.len()];
    let width = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    for column in 1..width {
        let begins = |row: &&[char]| {
            row.get(column) == Some(&' ') && row.get(column + 1).is_some_and(|c| *c != ' ')
        };
        let mut from = 0;
        for at in 0..=rows.len() {
            if rows.get(at).is_some_and(begins) {
                continue;
            }
            if at - from >= TABLE_ROWS {
                gutters.iter_mut().take(at).skip(from).for_each(|row| row.push(column));
            }
            from = at + 1;
        }
    }
    gutters.iter_mut().filter(|row| row.len() < TABLE_COLUMNS).for_each(Vec::clear);
    gutters
}

impl Document for Session {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        for byte in bytes {
            if let Some(event) = self.screen.put(*byte) {
                self.event(event, scope);
            }
        }
        Want::ALL
    }

    fn gap(&mut self, _len: u64, _scope: &mut Scope<'_>) -> Want {
        self.screen.lose();
        self.lines.lose();
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        if let Some(event) = self.screen.finish() {
            self.event(event, scope);
        }
        self.lines.end(scope);
    }

    fn memory(&self) -> usize {
        let heading = self.heading.as_ref().map_or(0, Heading::memory);
        self.screen.memory() + self.lines.memory() + heading
    }
}
