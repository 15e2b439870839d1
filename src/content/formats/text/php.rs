//! What `var_export`, `var_dump` and `print_r` of PHP print, as JSON.

use zeroize::Zeroizing;

/// Levels of arrays and objects.
const MAX_DEPTH: usize = 24;
/// Values in one.
const MAX_VALUES: usize = 4096;

/// The first array or object of a text, if PHP printed it.
pub(super) fn json(text: &str) -> Option<Zeroizing<String>> {
    let begins = ["array (", "array(", "object(", "Array\n(", "Array ("];
    let at = begins.iter().filter_map(|front| text.find(front)).min()?;
    // Not a part of a longer word.
    let before = text.get(..at)?.chars().next_back();
    if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
        return None;
    }
    let mut dump = Dump { rest: text.get(at..)?, out: Zeroizing::default(), values: 0 };
    dump.value(0)?;
    // An array of program text has no value of its own kind.
    dump.out.contains(':').then_some(dump.out)
}

struct Dump<'a> {
    rest: &'a str,
    out: Zeroizing<String>,
    values: usize,
}

impl<'a> Dump<'a> {
    fn blank(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn sign(&mut self, sign: &str) -> bool {
        self.blank();
        let found = self.rest.strip_prefix(sign);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        self.values += 1;
        if depth > MAX_DEPTH || self.values > MAX_VALUES {
            return None;
        }
        self.blank();
        let rest = self.rest;
        if rest.starts_with(['\'', '"']) {
            let text = self.quoted()?;
            self.string(&text);
            return Some(());
        }
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '\\' | '.' | '-' | '+')));
        let (word, behind) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
        match word {
            // Of print_r, with its brackets behind.
            "Array" => {
                self.rest = behind;
                self.sign("(").then(|| self.members(")", depth))?
            }
            // Of var_dump: the number of members in front.
            "array" | "object" if counted(behind) => {
                let (_, behind) = behind.split_once('{')?;
                self.rest = behind;
                self.members("}", depth)
            }
            "array" => {
                self.rest = behind;
                self.sign("(").then(|| self.members(")", depth))?
            }
            "string" => {
                let (len, behind) = behind.strip_prefix('(')?.split_once(") \"")?;
                let len: usize = len.parse().ok()?;
                let text = behind.get(..len)?;
                self.rest = behind.get(len..)?.strip_prefix('"')?;
                self.string(text);
                Some(())
            }
            "int" | "float" | "bool" => {
                let (value, behind) = behind.strip_prefix('(')?.split_once(')')?;
                self.rest = behind;
                self.string(value);
                Some(())
            }
            "NULL" | "null" => {
                self.rest = behind;
                self.out.push_str("null");
                Some(())
            }
            _ if word.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                self.rest = behind;
                self.string(word);
                Some(())
            }
            "true" | "false" => {
                self.rest = behind;
                self.out.push_str(word);
                Some(())
            }
            // `(object) array(`, `\Clinic\Patient::__set_state(array(`
            _ if rest.starts_with("(object)") => {
                self.rest = rest.get("(object)".len()..)?;
                self.value(depth + 1)
            }
            _ if behind.starts_with("::__set_state(") => {
                self.rest = behind.get("::__set_state(".len()..)?;
                self.value(depth + 1)?;
                self.sign(")").then_some(())
            }
            _ => None,
        }
    }

    /// The members up to the bracket that closes an array or object.
    fn members(&mut self, close: &str, depth: usize) -> Option<()> {
        self.out.push('{');
        let (mut first, mut number) = (true, 0_usize);
        while !self.sign(close) {
            self.values += 1;
            if self.values > MAX_VALUES {
                return None;
            }
            if !std::mem::take(&mut first) {
                self.out.push(',');
            }
            let printed = self.rest.starts_with('[');
            let named = if printed {
                // `["mrn":"Patient":private]=>`, `[mrn:protected] => `, `[0] => `
                let (inside, behind) = self.rest.get(1..)?.split_once(']')?;
                self.rest = behind;
                let name = inside.trim_start_matches('"').split(['"', ':']).next()?;
                self.string(name);
                self.sign("=>").then_some(())?;
                true
            } else {
                self.key()
            };
            if !named {
                self.string(&number.to_string());
            }
            number += 1;
            self.out.push(':');
            if printed && close == ")" && !self.rest.trim_start_matches(' ').starts_with("Array") {
                // print_r: the rest of the line.
                let (value, behind) = self.rest.split_once('\n')?;
                self.rest = behind;
                self.string(value.trim());
            } else {
                self.value(depth + 1)?;
            }
            self.sign(",");
        }
        self.out.push('}');
        Some(())
    }

    /// The key of a member: `'mrn' =>`, `0 =>`.
    fn key(&mut self) -> bool {
        let before = (self.rest, self.out.len());
        let name = match self.rest.starts_with(['\'', '"']) {
            true => self.quoted(),
            false => {
                let digits = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
                let number = self.rest.get(..digits).filter(|number| !number.is_empty());
                self.rest = self.rest.get(digits..).unwrap_or("");
                number.map(|number| Zeroizing::new(number.to_owned()))
            }
        };
        if let Some(name) = name
            && self.sign("=>")
        {
            self.string(&name);
            return true;
        }
        self.rest = before.0;
        self.out.truncate(before.1);
        false
    }

    fn quoted(&mut self) -> Option<Zeroizing<String>> {
        let quote = self.rest.chars().next()?;
        let mut text = Zeroizing::new(String::new());
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            match c {
                _ if std::mem::take(&mut escaped) => text.push(c),
                '\\' => escaped = true,
                _ if c == quote => {
                    self.rest = self.rest.get(at + 1..)?;
                    return Some(text);
                }
                _ => text.push(c),
            }
        }
        None
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => self.out.extend(['\\', c]),
                _ if c.is_control() => self.out.push(' '),
                _ => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

/// Whether the number of members and a bracket follow: `(5) {`, `(Patient)#3 (5) {`.
fn counted(behind: &str) -> bool {
    let line = behind.lines().next().unwrap_or("");
    line.starts_with('(') && line.trim_end().ends_with(") {")
}
