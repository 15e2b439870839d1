//! The rules for modules, and the files, constants and tests named in `ARCHITECTURE.md` and
//! `SECURITY.md`.

mod common;

use common::ROOT;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The stages in the order of the data.
const STAGES: [&str; 10] = [
    "capture", "decode", "flow", "protocol", "content", "identify", "exposure", "merge", "output",
    "review",
];

/// Longest source file, lines.
const MAX_LINES: usize = 600;

/// Every Rust file below `folder`, with its text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).expect("folder").map(|e| e.expect("entry")) {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).expect("source");
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    let path = Path::new(ROOT).join(folder);
    if path.is_dir() {
        walk(&path, &mut found);
    }
    let file = Path::new(ROOT).join(format!("{folder}.rs"));
    if let Ok(text) = std::fs::read_to_string(&file) {
        found.push((file, text));
    }
    assert!(!found.is_empty(), "{folder}");
    found
}

/// Lines of code; comments may contain any name.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn no_stage_imports_a_later_one() {
    let mut wrong = Vec::new();
    for (position, stage) in STAGES.iter().enumerate() {
        let later = STAGES[position + 1..].iter().chain(&["pipeline", "cli"]);
        let later: Vec<String> = later.map(|l| format!("crate::{l}")).collect();
        for (path, text) in sources(&format!("src/{stage}")) {
            for (line, code) in code(&text) {
                let imports = |l: &String| {
                    code.split(l.as_str())
                        .skip(1)
                        .any(|rest| !rest.starts_with(char::is_alphanumeric))
                };
                if later.iter().any(imports) {
                    wrong.push(format!("{}:{line}: {}", path.display(), code.trim()));
                }
                assert!(!code.contains("use crate::{"), "{}:{line}: hides stages", path.display());
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The lowest modules may be used by every stage and import none.
#[test]
fn the_lowest_floor_imports_no_stage() {
    let floor = ["syntax", "net", "severity", "config", "rules", "phi", "time", "closed_set"];
    for module in floor.iter().chain(&["guard", "remote", "broker", "destination"]) {
        for (path, text) in sources(&format!("src/{module}")) {
            if path.file_name().is_some_and(|name| name == "tests.rs") {
                continue;
            }
            for (line, code) in code(&text) {
                let stages = STAGES.iter().chain(&["pipeline", "cli"]);
                let names = |stage: &&&str| code.contains(&format!("crate::{stage}"));
                let stage = { stages }.find(names);
                assert!(stage.is_none(), "{}:{line}: {code}", path.display());
            }
        }
    }
}

/// One convention: `name/mod.rs` for a module with parts, and no other paths.
#[test]
fn modules_lie_where_their_names_say() {
    for (path, text) in sources("src") {
        let folder = path.with_extension("");
        assert!(!folder.is_dir(), "{} beside a folder of its name", path.display());
        for (line, code) in code(&text) {
            assert!(!code.contains("#[path"), "{}:{line}: {code}", path.display());
        }
    }
}

/// Files that only tests use may import anything.
fn is_for_tests(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).expect("name");
    let folder = path.components().any(|part| part.as_os_str() == "tests");
    folder || name.ends_with("tests.rs") || matches!(name, "recorder.rs" | "testing.rs")
}

/// Imports among the crate's modules, config and rules included, have no cycle.
#[test]
fn modules_import_each_other_in_one_direction() {
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in sources("src").iter().filter(|(path, _)| !is_for_tests(path)) {
        let place = path.strip_prefix(ROOT).expect("inside").to_str().expect("text");
        let module = place.split('/').nth(1).expect("below src").trim_end_matches(".rs");
        let text = text.split("#[cfg(test)]\nmod tests {").next().expect("before the tests");
        for (_, code) in code(text) {
            for rest in code.split("crate::").skip(1) {
                let name: String =
                    rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                if name != module {
                    imports.entry(module.to_owned()).or_default().insert(name);
                }
            }
        }
    }
    assert!(imports["config"].contains("severity") && imports["content"].contains("rules"));
    // A module that imports none of those left cannot be part of a cycle.
    while let Some(done) = imports
        .iter()
        .find(|(_, theirs)| theirs.iter().all(|name| !imports.contains_key(name)))
        .map(|(name, _)| name.clone())
    {
        imports.remove(&done);
    }
    assert!(imports.is_empty(), "a circle among {imports:?}");
}

/// Folders of `src/protocol` that are not protocols.
const NO_PROTOCOL: [&str; 6] = ["driver", "files", "service", "sql", "tls", "unknown"];

/// Every protocol is a folder with `mod.rs`, which implements it, and `tests.rs` or `tests/`, and
/// is in the list.
#[test]
fn every_protocol_has_the_same_files() {
    let list = read("src/protocol/mod.rs");
    let mut protocols = 0;
    for path in entries("src/protocol") {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("name");
        let implements = |text: &str| text.contains("impl Protocol for ");
        if path.is_file() {
            let text = std::fs::read_to_string(&path).expect("source");
            assert!(!implements(&text), "{}: a protocol is a folder", path.display());
            continue;
        }
        let text = std::fs::read_to_string(path.join("mod.rs")).expect("mod.rs");
        assert!(has_tests(&path), "{}: no tests", path.display());
        if NO_PROTOCOL.contains(&name) {
            continue;
        }
        assert!(implements(&text), "{}: mod.rs implements no protocol", path.display());
        assert!(list.contains(&format!("    &{name}::")), "{name} is not in PROTOCOLS");
        protocols += 1;
    }
    assert!(protocols > 25, "{protocols}");
}

/// Files of `src/content/formats` that several formats share.
const SHARED_BY_FORMATS: [&str; 13] = [
    "mod",
    "encoded_words",
    "escapes",
    "literal",
    "logged_sql",
    "mapi",
    "markup",
    "matrix",
    "paged_file",
    "segment_lists",
    "shown_messages",
    "text_lines",
    "xml_members",
];

/// Every format is a file with its tests, or a folder with `mod.rs` and `tests.rs` or `tests/`, and
/// is in the list.
#[test]
fn every_format_has_the_same_files() {
    let list = read("src/content/formats/mod.rs");
    let mut formats = 0;
    for path in entries("src/content/formats") {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("name");
        if SHARED_BY_FORMATS.contains(&name) {
            continue;
        }
        let source = if path.is_dir() { path.join("mod.rs") } else { path.clone() };
        let text = std::fs::read_to_string(&source).expect("source");
        let place = source.display();
        assert!(text.contains("impl Format for "), "{place}: implements no format");
        assert!(list.contains(&format!("    &{name}::")), "{name} is not in FORMATS");
        match path.is_dir() {
            true => assert!(has_tests(&path), "{place}: no tests"),
            false => assert!(text.contains("#[cfg(test)]\nmod tests {"), "{place}: no tests"),
        }
        formats += 1;
    }
    assert!(formats > 25, "{formats}");
}

/// Every file of rules is shipped.
#[test]
fn every_file_of_rules_is_embedded() {
    let files = entries("rules");
    let files = files.iter().filter(|path| path.extension().is_some_and(|e| e == "toml"));
    let files: BTreeSet<&str> =
        files.map(|path| path.file_name().and_then(|name| name.to_str()).expect("name")).collect();
    assert_eq!(files, phitap::rules::SHIPPED.iter().map(|(name, _)| *name).collect());
}

/// The entries of a folder of the project.
fn entries(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(Path::new(ROOT).join(folder)).expect(folder);
    entries.map(|entry| entry.expect("entry").path()).collect()
}

/// The text of a file of the project.
fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(file)).expect(file)
}

fn has_tests(module: &Path) -> bool {
    module.join("tests.rs").is_file() || module.join("tests/mod.rs").is_file()
}

/// Lines of the longest function.
const MAX_FUNCTION: usize = 90;

#[test]
fn no_function_is_too_long() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let place = path.strip_prefix(ROOT).expect("inside").display().to_string();
        let lines: Vec<&str> = text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let declared = line.trim_start();
            let function = declared.split("fn ").nth(1).filter(|_| {
                let before = declared.split("fn ").next().unwrap_or_default();
                let qualifiers = ["const", "async", "unsafe", "extern", "\"C\"", "in"];
                before.split_whitespace().all(|w| w.starts_with("pub") || qualifiers.contains(&w))
            });
            let Some(name) = function.and_then(|f| f.split(['(', '<']).next()) else { continue };
            let indent = &line[..line.len() - declared.len()];
            let end = lines[start..].iter().position(|l| *l == format!("{indent}}}"));
            let length = end.map_or(0, |end| end + 1);
            // A declaration in a trait, or a body on its own line, ends elsewhere.
            let has_body = lines[start..].iter().find(|l| l.ends_with(['{', ';', '}']));
            let has_body = has_body.is_some_and(|l| l.ends_with('{'));
            if has_body && length > MAX_FUNCTION {
                wrong.push(format!("{place}:{}: {name} has {length} lines", start + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_clocks_of_the_machine_are_read_in_one_place() {
    // A connection's time-outs use the runtime's clock, which its tests can stop.
    let readers =
        ["src/output/clock.rs", "src/output/serve/access.rs", "src/output/serve/listener.rs"];
    for (path, text) in sources("src").into_iter().filter(|(path, _)| !is_for_tests(path)) {
        let place = path.strip_prefix(ROOT).expect("inside");
        if readers.iter().any(|reader| place == Path::new(reader)) {
            continue;
        }
        for (line, code) in code(&text) {
            let clock = ["Instant::now", "SystemTime::now", "clock_gettime("];
            let found = clock.iter().find(|c| code.contains(*c));
            assert!(found.is_none(), "{}:{line}: {code}", place.display());
        }
    }
}

#[test]
fn unsafe_stays_in_capture_with_its_reason() {
    let mut blocks = 0;
    for (path, text) in sources("src") {
        let place = path.strip_prefix(ROOT).expect("inside");
        let lines: Vec<&str> = text.lines().collect();
        for (line, code) in code(&text) {
            if !code.contains("unsafe ") {
                continue;
            }
            assert!(place.starts_with("src/capture"), "{}:{line}: {code}", place.display());
            let before = &lines[line.saturating_sub(5)..line - 1];
            let reason = before.iter().any(|l| l.trim_start().starts_with("// SAFETY: "));
            assert!(reason, "{}:{line}: no SAFETY comment", place.display());
            blocks += 1;
        }
    }
    assert!(blocks > 0);
}

/// `Phi` and `PhiBuf` cannot be printed or serialised by accident.
#[test]
fn raw_values_have_no_debug_display_or_serialize() {
    let text = std::fs::read_to_string(Path::new(ROOT).join("src/phi.rs")).expect("source");
    for (line, code) in code(&text) {
        for name in ["Debug", "Display", "Serialize", "ToString"] {
            assert!(!code.contains(name), "src/phi.rs:{line}: {code}");
        }
    }
}

#[test]
fn no_file_is_too_long() {
    for (path, text) in sources("src").into_iter().chain(sources("tests")) {
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{}: {lines} lines", path.display());
    }
}

/// Text between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// Names in a page with their file: "`A`, `B` in `src/file.rs`".
fn names_in_files(page: &str) -> Vec<(Vec<&str>, &str)> {
    let (mut found, mut names, mut before) = (Vec::new(), Vec::new(), "");
    for (n, part) in page.split('`').enumerate() {
        if n % 2 == 0 {
            before = part.trim();
        } else if before == "in" && part.ends_with(".rs") {
            found.push((std::mem::take(&mut names), part));
        } else {
            if before != "," && before != "and" {
                names.clear();
            }
            names.push(part);
        }
    }
    found
}

#[test]
fn the_page_names_files_constants_and_tests_that_exist() {
    let page = read("ARCHITECTURE.md") + &read("SECURITY.md");
    let all: String =
        sources("src").into_iter().chain(sources("tests")).map(|(_, text)| text).collect();
    let (mut files, mut tests, mut constants) = (0, 0, 0);
    for name in quoted(&page) {
        let path = ["src/", "tests/", "fixtures/", "rules/"].iter().any(|p| name.starts_with(p));
        if path && !name.contains(['*', ' ']) && !name.contains("NAME") {
            assert!(Path::new(ROOT).join(name).exists(), "no {name}");
            files += 1;
        }
        let words = name.split('_').count();
        if words >= 3 && name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
            assert!(all.contains(&format!("fn {name}(")), "no test {name}");
            tests += 1;
        }
    }
    for (names, file) in names_in_files(&page) {
        let text = read(file);
        for name in names {
            let name = name.rsplit("::").next().expect("a name");
            let defines = |kind: &str| {
                let definition = format!("{kind} {name}");
                let mut behind = text.split(definition.as_str()).skip(1);
                behind.any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
            };
            let kinds = ["const", "static", "struct", "enum", "trait", "type", "fn"];
            assert!(kinds.into_iter().any(defines), "no {name} in {file}");
            constants += 1;
        }
    }
    assert!(files > 20 && tests > 12 && constants > 100, "{files} {tests} {constants}");
}

/// The tests of a module are in `tests.rs` beside it, or in a folder `tests/` if that became too
/// long.
#[test]
fn tests_of_a_module_are_in_one_place() {
    for (path, _) in sources("src") {
        let name = path.file_name().and_then(|name| name.to_str()).expect("name");
        let other = name.starts_with("test_") || name.ends_with("_tests.rs");
        assert!(!other || name == "test_harness.rs", "{}: make it part of tests/", path.display());
        let both = name == "tests.rs" && path.with_extension("").is_dir();
        assert!(!both, "{}: and a folder of that name", path.display());
    }
}

/// A test's name says what it proves, which takes more than one or two words.
#[test]
fn names_of_tests_say_what_they_prove() {
    let mut tests = 0;
    let all = sources("src").into_iter().chain(sources("tests"));
    for (path, text) in all.chain(sources("fuzz/harness")) {
        let mut is_test = false;
        for (line, code) in code(&text) {
            let code = code.trim();
            if let Some(name) = code.strip_prefix("fn ").filter(|_| is_test) {
                let name = name.split('(').next().expect("name");
                let words = name.split('_').filter(|word| !word.is_empty()).count();
                assert!(
                    words >= 3,
                    "{}:{line}: {name} does not say what it proves",
                    path.display()
                );
                tests += 1;
            }
            is_test = code == "#[test]" || is_test && code.starts_with("#[");
        }
    }
    assert!(tests > 1_000, "{tests}");
}

/// Names that do not describe a role in terms of networks or health records.
const COINED: [&str; 40] = [
    "Around",
    "Asked",
    "Begun",
    "Beside",
    "Board",
    "Broken",
    "Door",
    "Figures",
    "Given",
    "Held",
    "Hidden",
    "InForce",
    "Inside",
    "Kept",
    "Lab",
    "Look",
    "Loose",
    "Made",
    "News",
    "Offer",
    "Outlet",
    "Own",
    "Performance",
    "Performed",
    "Said",
    "Sighting",
    "Sought",
    "Speaks",
    "Strong",
    "Sure",
    "Taken",
    "Tallies",
    "Tally",
    "Trouble",
    "Turn",
    "What",
    "Whose",
    "Worked",
    "Worth",
    "Written",
];

#[test]
fn types_have_the_names_of_the_field() {
    for (path, text) in sources("src").iter().filter(|(path, _)| !is_for_tests(path)) {
        for (line, code) in code(text.split("\nmod tests {").next().expect("before the tests")) {
            let words: Vec<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            for pair in words.windows(2).filter(|w| matches!(w[0], "struct" | "enum" | "trait")) {
                assert!(!COINED.contains(&pair[1]), "{}:{line}: {}", path.display(), pair[1]);
            }
        }
    }
}

/// Files with enums that ask for more bytes. Others use `Match`, `Search` or `ElementError`
/// (`src/syntax`), or `Progress`.
const WANT_MORE: [&str; 5] = [
    "src/capture/mod.rs",
    "src/protocol/dotted.rs",
    "src/protocol/driver/recognition.rs",
    "src/protocol/mod.rs",
    "src/syntax/mod.rs",
];

#[test]
fn not_enough_bytes_is_said_with_one_type() {
    for (path, text) in sources("src") {
        let place = path.strip_prefix(ROOT).expect("inside").display().to_string();
        for (line, code) in code(&text) {
            let variant = code.trim();
            let variant =
                variant == "More," || variant.starts_with("More(") && variant.ends_with("),");
            let known = WANT_MORE.contains(&place.as_str());
            assert!(!variant || known, "{place}:{line}: use Match or Search of src/syntax");
        }
    }
}

/// Words that always have a plainer alternative.
const UNWANTED_WORDS: [&str; 6] = ["stands", "told", "nobody", "tells", "heard of", "thereof"];

/// Comments, documents and rules are in plain words. Code blocks and quoted names are exempt.
#[test]
fn comments_and_documents_use_plain_words() {
    let mut wrong = Vec::new();
    let mut look = |place: String, text: &str| {
        let plain: String = text.split('`').step_by(2).collect::<Vec<_>>().join(" ").to_lowercase();
        let plain: String =
            plain.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
        let plain = format!(" {} ", plain.split_whitespace().collect::<Vec<_>>().join(" "));
        for word in UNWANTED_WORDS.iter().filter(|word| plain.contains(&format!(" {word} "))) {
            wrong.push(format!("{place}: {word}: {}", text.trim()));
        }
    };
    for folder in ["src", "tests", "benches", "fuzz/harness"] {
        for (path, text) in sources(folder) {
            for (n, line) in text.lines().enumerate() {
                if let Some((_, comment)) = line.split_once("//") {
                    look(format!("{}:{}", path.display(), n + 1), comment);
                }
            }
        }
    }
    let documents = entries(".").into_iter().chain(entries("docs")).chain(entries("rules"));
    for path in documents.filter(|p| p.extension().is_some_and(|e| e == "md" || e == "toml")) {
        let rules = path.extension().is_some_and(|e| e == "toml");
        let text = std::fs::read_to_string(&path).expect("document");
        let mut in_block = false;
        for (n, line) in text.lines().enumerate() {
            in_block ^= line.starts_with("```");
            let prose = match rules {
                true => line.starts_with('#') || line.starts_with("title"),
                false => !in_block,
            };
            if prose {
                look(format!("{}:{}", path.display(), n + 1), line);
            }
        }
    }
    assert!(wrong.is_empty(), "say it plainly:\n{}", wrong.join("\n"));
}

/// Fuzz targets only call the harness, which `tests/fuzz.rs` also runs.
#[test]
fn fuzz_targets_only_call_the_harness() {
    let program = read("fuzz/src/main.rs");
    assert_eq!(entries("fuzz/src").len(), 1, "one program serves every target");
    assert!(program.contains("mod harness;") && !program.contains("phitap::"));
    assert!(program.lines().count() < 80, "logic belongs into fuzz/harness/");
}

/// Fuzzing has a workspace of its own, and builds the same dependencies in the same versions.
#[test]
fn fuzzing_builds_the_dependencies_of_the_program() {
    fn packages(lock: &str) -> BTreeSet<(&str, &str)> {
        let lines: Vec<&str> = lock.lines().collect();
        let pairs = lines.windows(2).filter(|pair| pair[0].starts_with("name = "));
        pairs.map(|pair| (pair[0], pair[1])).collect()
    }
    const OWN: [&str; 4] = ["arbitrary", "jobserver", "libfuzzer-sys", "phitap-fuzz"];
    let (program, fuzzing) = (read("Cargo.lock"), read("fuzz/Cargo.lock"));
    let own = |name: &str| OWN.iter().any(|own| name == format!("name = \"{own}\""));
    let known = packages(&program);
    let others = packages(&fuzzing).into_iter().filter(|package| !known.contains(package));
    let others: Vec<_> = others.filter(|(name, _)| !own(name)).collect();
    assert!(others.is_empty(), "copy Cargo.lock to fuzz/ and run `cargo fetch` there: {others:?}");
    let manifest = read("Cargo.toml");
    let section = manifest.split("\n[dependencies]\n").nth(1).expect("dependencies");
    let needed = section.lines().take_while(|line| !line.starts_with('['));
    for line in needed.filter(|line| line.contains(" = ") && !line.contains("optional")) {
        let name = line.split(' ').next().expect("a name");
        assert!(fuzzing.contains(&format!("\n \"{name}")), "{name} is missing in fuzz/Cargo.lock");
    }
}

/// The list of all values of an enum comes from the macro that defines it, so that none can be missing.
#[test]
fn no_list_of_all_values_is_kept_by_hand() {
    for (path, text) in sources("src") {
        let macros = path.ends_with("src/closed_set.rs");
        for (line, code) in code(&text) {
            let by_hand = code.contains("const ALL: [Self;") && !macros;
            assert!(!by_hand, "{}:{line}: use closed_set!", path.display());
        }
    }
}
