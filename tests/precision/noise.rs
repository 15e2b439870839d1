//! Any amount of text without patients: words, code, logs, pages and tables, with numbers of every
//! length and notation. None of it may raise an alert.

use super::{Case, found, lab};
use phitap::rules::{ALL_REGIONS, DEFAULT_REGIONS};
use std::fmt::Write as _;

/// Megabytes per run; `PHITAP_PRECISION_MB` sets more.
const MEGABYTES: usize = 1;

/// Bytes of a body.
const BODY: usize = 48 << 10;

/// Pseudo-random numbers, the same on every run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
    fn digits(&mut self, n: usize) -> String {
        (0..n).map(|_| char::from(b'0' + self.below(10) as u8)).collect()
    }
    /// A number in a common notation: bare, in groups, with a letter, as a date, an address, a
    /// hash.
    fn number(&mut self) -> String {
        let (a, b, c) = (1 + self.below(6), 1 + self.below(6), 1 + self.below(6));
        match self.below(14) {
            0..4 => {
                let n = 5 + self.below(14);
                self.digits(n)
            }
            4 | 5 => {
                let by = self.one(&[" ", "-", ".", "/"]);
                format!("{}{by}{}{by}{}", self.digits(a), self.digits(b), self.digits(c))
            }
            6 => format!("{} {} {}", self.digits(3), self.digits(3), self.digits(4)),
            7 => format!("{}-{}-{}", self.digits(3), self.digits(2), self.digits(4)),
            8 => format!("{}{}", char::from(b'A' + self.below(26) as u8), self.digits(9)),
            9 => format!("{}{}", self.digits(8), char::from(b'A' + self.below(26) as u8)),
            10 => format!("{}-{}", self.digits(6), self.digits(4)),
            11 => format!("{}.{}e-{}", self.digits(1), self.digits(12), self.digits(2)),
            12 => format!("10.{}.{}.{}", self.below(256), self.below(256), self.below(256)),
            _ => format!("{:016x}", self.next()),
        }
    }
}

const WORDS: [&str; 40] = [
    "storage",
    "network",
    "the",
    "with",
    "release",
    "window",
    "archive",
    "and",
    "module",
    "for",
    "request",
    "setting",
    "report",
    "order",
    "name",
    "city",
    "number",
    "id",
    "code",
    "und",
    "Nummer",
    "die",
    "Bestellung",
    "le",
    "numéro",
    "client",
    "el",
    "pedido",
    "número",
    "il",
    "codice",
    "de",
    "klant",
    "nr",
    "och",
    "kund",
    "patient",
    "please",
    "Care",
    "Record",
];

fn words(numbers: &mut Numbers, out: &mut String) {
    for _ in 0..4 + numbers.below(12) {
        let word = match numbers.below(6) {
            0 => numbers.number(),
            _ => numbers.one(&WORDS).to_owned(),
        };
        let _ = write!(out, "{word}{}", numbers.one(&[" ", " ", " ", ", ", ". ", "; "]));
    }
    out.push('\n');
}

fn code(numbers: &mut Numbers, out: &mut String) {
    const NAMES: [&str; 8] =
        ["size", "patient_id", "name", "offset", "date", "total", "account", "dob"];
    let name = numbers.one(&NAMES);
    let value = numbers.number();
    let _ = match numbers.below(4) {
        0 => writeln!(out, "let {name}: u64 = {value}; // {}", numbers.one(&WORDS)),
        1 => writeln!(out, "    self.{name} = parse(\"{value}\", {});", numbers.below(100)),
        2 => writeln!(out, "if ({name} != {value}) {{ return {name}_{}; }}", numbers.below(10)),
        _ => writeln!(out, "#define {} 0x{:x}", name.to_uppercase(), numbers.next()),
    };
}

fn log(numbers: &mut Numbers, out: &mut String) {
    let at = 1_772_360_102_000 + numbers.below(100_000_000);
    let _ = writeln!(
        out,
        "{at} {} [{}] {} {}={} {}={} took {} ms id={:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        numbers.one(&["INFO", "WARN", "DEBUG"]),
        numbers.below(40_000),
        numbers.one(&["GET /patients", "cache", "query", "session", "order", "upload"]),
        numbers.one(&["user", "record", "ref", "nr", "account"]),
        numbers.number(),
        numbers.one(&["size", "key", "host", "batch", "seq"]),
        numbers.number(),
        numbers.below(5000),
        numbers.next() & 0xffff_ffff,
        numbers.next() & 0xffff,
        numbers.next() & 0xfff,
        numbers.next() & 0xfff,
        numbers.next() & 0xffff_ffff_ffff,
    );
}

fn page(numbers: &mut Numbers, out: &mut String) {
    let _ = write!(out, "<div id=\"n{}\"><p>", numbers.number());
    words(numbers, out);
    let _ = writeln!(
        out,
        "</p><table><tr><th>Article</th><th>No</th><th>Price</th></tr><tr><td>{}</td><td>{}</td><td>{}</td></tr></table></div>",
        numbers.one(&WORDS),
        numbers.number(),
        numbers.number()
    );
}

fn row(numbers: &mut Numbers, out: &mut String) {
    let _ = writeln!(
        out,
        "{},{},{},{},{}",
        numbers.number(),
        numbers.one(&WORDS),
        numbers.number(),
        numbers.number(),
        numbers.below(100_000)
    );
}

fn object(numbers: &mut Numbers, out: &mut String) {
    let _ = writeln!(
        out,
        r#"{{"id":{},"name":"{}","ref":"{}","values":[{},{}.{}],"note":"{} {}"}}"#,
        numbers.below(1 << 40),
        numbers.one(&WORDS),
        numbers.number(),
        numbers.below(1 << 33),
        numbers.below(100),
        numbers.below(100_000),
        numbers.one(&WORDS),
        numbers.number()
    );
}

/// Runs `megabytes` through all stages. Returns the number of bodies, and those that raised an
/// alert.
fn run(regions: &[&str], megabytes: usize) -> (usize, Vec<String>) {
    type Make = fn(&mut Numbers, &mut String);
    const SORTS: [(&str, &str, &str, Make); 6] = [
        ("/notes.txt", "text/plain", "", words),
        ("/source.txt", "text/plain", "", code),
        ("/app.log", "text/plain", "", log),
        ("/page.html", "text/html", "<html><body>\n", page),
        ("/table.csv", "text/csv", "ref,name,number,code,amount\n", row),
        ("/items.json", "application/x-ndjson", "", object),
    ];
    let lab = lab(regions);
    let (mut bodies, mut wrong) = (0, Vec::new());
    while bodies * BODY < megabytes << 20 {
        let (path, media, head, make) = SORTS[bodies % SORTS.len()];
        let mut numbers = Numbers(bodies as u64 + 1);
        let mut body = head.to_owned();
        while body.len() < BODY {
            make(&mut numbers, &mut body);
        }
        let case =
            Case { name: path, method: "GET", path, media, body: &body, patients: Vec::new() };
        let got = found(&lab, &case);
        if !got.is_empty() {
            wrong.push(format!("{path} {bodies}: {got:?}"));
        }
        bodies += 1;
    }
    (bodies, wrong)
}

#[test]
fn noise_is_silent() {
    let wanted = std::env::var("PHITAP_PRECISION_MB").ok().and_then(|m| m.parse().ok());
    for regions in [DEFAULT_REGIONS, &[ALL_REGIONS]] {
        let (bodies, wrong) = run(regions, wanted.unwrap_or(MEGABYTES));
        assert!(wrong.is_empty(), "{regions:?}: {} of {bodies}: {wrong:?}", wrong.len());
    }
}
