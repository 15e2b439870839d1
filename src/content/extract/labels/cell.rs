//! Cells of tables and elements of pages: labels and values that are apart from each other.

use super::find::{self, LabelMeaning};
use super::{LINE_BREAK, Labels, Place, tag};
use crate::content::Scope;
use crate::content::extract::record::{Marks, Meaning};
use crate::rules::About;

impl Labels {
    /// A whole cell or element: a label alone makes the next one its value.
    pub fn cell(&mut self, text: &str, scope: &mut Scope<'_>) {
        let text = text.trim();
        let tag = tag(Place::Cell, text.as_bytes(), scope).filter(|_| self.is_plain());
        if tag.is_some_and(|tag| scope.counters.lines.knows(tag)) {
            return self.note(text);
        }
        if text.contains(LINE_BREAK) && self.parted_cell(text, scope) {
            return;
        }
        // A label and its value below it.
        if let Some((label, value)) = text.split_once(LINE_BREAK)
            && let Some(key) =
                find::whole(label.trim_end_matches([':', '：', '*', ' ']), scope.rules)
            && !value.contains(LINE_BREAK)
            && value.starts_with(char::is_alphanumeric)
            && scope.rules.keys.get(value).is_none()
        {
            return self.value(&Meaning::from(key), value, scope);
        }
        if let Some(key) = find::whole(text.trim_end_matches([':', '：', '*', ' ']), scope.rules) {
            let meaning = Meaning::from(key);
            self.waiting = Some(meaning);
        } else {
            // A label of the current record; anything before one may be a menu.
            let label = text.trim_end_matches([':', '：', '*', ' ']);
            let said = scope.rules.keys.context(label);
            if let Some(about @ (About::Elsewhere | About::Nobody)) = said
                && !self.record.is_empty()
            {
                self.said = self.said.and(Marks::about(about));
            }
            if std::mem::replace(&mut self.species, said == Some(About::Species)) {
                self.said = self.said.and(Marks::of_species(text, &scope.rules.keys));
            }
            self.element = true;
            let plain = self.read(text, scope) && said.is_none();
            self.element = false;
            if let Some(tag) = tag.filter(|_| plain) {
                scope.counters.lines.note(tag);
            }
        }
    }

    /// Program text in a page: names are labels only with a sign behind them, and words are no headings.
    pub fn code(&mut self, text: &str, scope: &mut Scope<'_>) {
        let text = text.trim();
        let known = |label: find::Label| matches!(label.said, LabelMeaning::Key(_));
        if self.waiting.is_some() && scope.rules.keys.get(text).is_none() {
            self.answer(text, scope);
        } else if find::labels(text, scope.rules).any(known) {
            self.line(text, scope);
        }
        self.waiting = None;
    }

    /// Adjacent cells: labels with their values. An empty cell is the value of the label before it, unless the row
    /// has at most one label and one value. The only cell of a row is the value of a label that fills the row before.
    pub fn cells(&mut self, row: &[impl AsRef<str>], scope: &mut Scope<'_>) {
        let above = std::mem::take(&mut self.above) && row.len() == 1;
        if !above {
            self.forget();
        }
        let is_empty = |cell: &_| AsRef::<str>::as_ref(cell).trim().is_empty();
        let filled = row.iter().filter(|cell| !is_empty(*cell)).count();
        let pair = filled <= 2 && !row.last().is_some_and(is_empty);
        for cell in row {
            if !pair && is_empty(cell) {
                self.forget();
            }
            self.cell(cell.as_ref(), scope);
        }
        // One word may be the heading of what follows.
        if let (Some(_), [cell]) = (&self.waiting, row)
            && cell.as_ref().trim().contains(' ')
        {
            self.above = true;
            return;
        }
        self.forget();
    }

    /// A value that follows its label, whatever it looks like.
    pub fn answer(&mut self, value: &str, scope: &mut Scope<'_>) {
        if let Some(meaning) = self.waiting.take() {
            self.value(&meaning, value, scope);
        }
    }
}
