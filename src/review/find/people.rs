//! The people to look up, from a list or from the terminal.

use super::FindError;
use crate::output::text::count;
use crate::phi::{Phi, PhiBuf};
use crate::review::Find;
use crate::rules::RuleSet;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{self, BufRead as _, IsTerminal as _, Read, Write as _};
use std::path::Path;
use zeroize::Zeroizing;

/// Most people in one search.
pub(super) const MAX_PEOPLE: usize = 10_000;
/// Most values of one person.
pub(super) const MAX_VALUES: usize = 32;
/// Largest list of people, bytes.
const MAX_INPUT: u64 = 4 << 20;

/// A person to look up: raw values, until they become tokens.
#[derive(Default)]
pub(super) struct Person {
    pub names: Vec<PhiBuf>,
    pub births: Vec<PhiBuf>,
    pub numbers: Vec<PhiBuf>,
}

impl Person {
    const fn is_empty(&self) -> bool {
        self.names.is_empty() && self.births.is_empty() && self.numbers.is_empty()
    }

    fn len(&self) -> usize {
        self.names.len() + self.births.len() + self.numbers.len()
    }
}

/// The people to look up, from the list or the prompts.
pub(super) fn people(
    find: &Find,
    rules: &RuleSet,
    note: &mut dyn FnMut(String),
) -> Result<Vec<Person>, FindError> {
    match &find.from {
        Some(path) if path.as_os_str() != "-" => {
            let file = File::open(path).map_err(|error| unreadable(path, error))?;
            listed(file, rules, note).map_err(|error| match error {
                FindError::Input { source, .. } => unreadable(path, source),
                other => other,
            })
        }
        None if io::stdin().is_terminal() => Ok(vec![prompted_person()?]),
        _ => listed(io::stdin().lock(), rules, note),
    }
}

/// The list at `path` cannot be read.
fn unreadable(path: &Path, source: io::Error) -> FindError {
    FindError::Input { list: path.display().to_string(), source }
}

/// Standard input, or the terminal, cannot be read.
fn unreadable_input(source: io::Error) -> FindError {
    FindError::Input { list: "standard input".to_owned(), source }
}

/// Parses a list of people, separated by empty lines.
fn listed(
    input: impl Read,
    rules: &RuleSet,
    note: &mut dyn FnMut(String),
) -> Result<Vec<Person>, FindError> {
    let mut text = Zeroizing::new(String::with_capacity(1 << 16));
    let read = input.take(MAX_INPUT + 1).read_to_string(&mut text).map_err(unreadable_input)?;
    if read as u64 > MAX_INPUT {
        return Err(FindError::TooMany);
    }
    let (mut people, mut person) = (Vec::new(), Person::default());
    let mut second_names = 0u64;
    // Editors of Windows write a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            if !person.is_empty() {
                people.push(std::mem::take(&mut person));
            }
            continue;
        }
        if person.len() >= MAX_VALUES || people.len() >= MAX_PEOPLE {
            return Err(FindError::TooMany);
        }
        if holds_several(line) || is_table_head(line, rules) {
            return Err(FindError::Several(number + 1));
        }
        let names = person.names.len();
        let (list, value) = sorted(&mut person, line).ok_or(FindError::Line(number + 1))?;
        list.push(Phi::new(value).to_buf());
        if person.births.len() > 1 {
            return Err(FindError::SecondBirth(number + 1));
        }
        second_names += u64::from(names > 0 && person.names.len() > names);
    }
    if second_names > 0 {
        note(format!(
            "{} of one person: write an empty line between people",
            count(second_names, "further name")
        ));
    }
    if !person.is_empty() {
        people.push(person);
    }
    if people.is_empty() { Err(FindError::Nobody) } else { Ok(people) }
}

/// Whether a line contains more than one value: the row of a table, or a name with its birth date.
/// Looked up as one value it would not be found, whoever was affected.
fn holds_several(line: &str) -> bool {
    let (label, value) = match line.split_once(':') {
        Some((label, value)) => (Some(label.trim()), value.trim()),
        None => (None, line),
    };
    let digits = value.contains(|c: char| c.is_ascii_digit());
    let letters = value.contains(char::is_alphabetic);
    let commas = value.matches(',').count();
    let table = value.contains(['\t', ';', '|', '"']) || commas > 1 || (commas > 0 && digits);
    if table || (letters && contains_date(value)) {
        return true;
    }
    // Numbers contain spaces and letters, too (`QQ 12 34 56 C`), but no words.
    let word = |part: &str| part.chars().filter(|c| c.is_alphabetic()).count() > 2;
    let words = || value.split_whitespace().count() > 1 && value.split_whitespace().any(word);
    label.is_none() && digits && letters && (value.contains('^') || words())
}

/// Whether a line is the head of a table: `last name,first name`. The rules know the names of columns in many languages.
fn is_table_head(line: &str, rules: &RuleSet) -> bool {
    let names: Vec<&str> = line.split(',').map(str::trim).collect();
    let is_column = |name: &&str| rules.keys.get(name).is_some() || label(name).is_some();
    names.len() > 1 && names.iter().filter(|name| !name.is_empty()).all(is_column)
}

/// Whether a text contains a date of three numbers, one of them a year of four digits.
fn contains_date(text: &str) -> bool {
    let outside = |c: char| !c.is_ascii_digit() && !matches!(c, '-' | '.' | '/');
    text.split(outside).map(|run| run.trim_matches(['-', '.', '/'])).any(|run| {
        let parts: Vec<&str> = run.split(['-', '.', '/']).collect();
        parts.len() == 3
            && parts.iter().all(|part| matches!(part.len(), 1 | 2 | 4))
            && parts.iter().any(|part| part.len() == 4)
    })
}

/// The kind of a value.
enum Label {
    Name,
    Birth,
    Number,
}

/// The kind of value that a word announces.
fn label(word: &str) -> Option<Label> {
    match word.to_ascii_lowercase().as_str() {
        "name" => Some(Label::Name),
        "birth" | "birth date" | "birthdate" | "born" | "dob" => Some(Label::Birth),
        "number" | "id" | "mrn" | "ssn" | "phone" | "email" | "e-mail" => Some(Label::Number),
        _ => None,
    }
}

/// The kind of a line's value, by its prefix or by its form.
fn sorted<'a, 'b>(person: &'a mut Person, line: &'b str) -> Option<(&'a mut Vec<PhiBuf>, &'b str)> {
    if let Some((label, value)) = line.split_once(':') {
        let value = value.trim();
        let list = match self::label(label.trim()) {
            Some(Label::Name) => Some(&mut person.names),
            Some(Label::Birth) => Some(&mut person.births),
            Some(Label::Number) => Some(&mut person.numbers),
            None => None,
        };
        return list.filter(|_| !value.is_empty()).map(|list| (list, value));
    }
    let digits = line.chars().filter(char::is_ascii_digit).count();
    let dated = line.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '.' | '/'));
    let parts = line.split(['-', '.', '/']).count();
    let year = |part: &str| part.len() == 4 && (part.starts_with("19") || part.starts_with("20"));
    if dated && digits == 8 && (parts == 3 && line.split(['-', '.', '/']).any(year)) {
        Some((&mut person.births, line))
    } else if digits > 0 || line.contains('@') {
        Some((&mut person.numbers, line))
    } else {
        line.chars().any(char::is_alphabetic).then_some((&mut person.names, line))
    }
}

/// Prompts for a person at the terminal, without echo.
fn prompted_person() -> Result<Person, FindError> {
    let mut person = Person::default();
    let _hidden = HiddenInput::begin().map_err(unreadable_input)?;
    for (prompt, list) in [
        ("Name", &mut person.names),
        ("Birth date", &mut person.births),
        ("Number (patient id, insurance, SSN, telephone)", &mut person.numbers),
    ] {
        if let Some(value) = prompted(prompt).map_err(unreadable_input)? {
            list.push(value);
        }
    }
    if person.is_empty() { Err(FindError::Nobody) } else { Ok(person) }
}

/// One line read without echo; `None` if it is empty.
fn prompted(prompt: &str) -> io::Result<Option<PhiBuf>> {
    let mut err = io::stderr();
    write!(err, "{prompt} (not shown; empty if unknown): ")?;
    err.flush()?;
    let mut line = Zeroizing::new(String::with_capacity(1024));
    io::stdin().lock().take(1024).read_line(&mut line)?;
    writeln!(err)?;
    let value = line.trim();
    Ok((!value.is_empty()).then(|| Phi::new(value).to_buf()))
}

/// Disables echo until dropped. An interrupt also restores the terminal.
struct HiddenInput(Termios);

impl HiddenInput {
    fn begin() -> io::Result<Self> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let before = tcgetattr(io::stdin())?;
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let hidden = Self(before.clone());
        // Stays for the rest of the process, because the default action of a caught signal cannot
        // be restored.
        let restore = move || {
            if signals.forever().next().is_some() {
                let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
                signal_hook::low_level::exit(130);
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(restore)?;
        let mut now = hidden.0.clone();
        now.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &now)?;
        Ok(hidden)
    }
}

impl Drop for HiddenInput {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
