//! The examples of PS3.5 annexes H to K, and what writers make of them.

use super::super::charset::Charset;
use super::*;

fn decode(declared: &str, bytes: &[u8]) -> String {
    let mut text = String::new();
    Charset::declared(declared.as_bytes()).decode(bytes, &mut text);
    text
}

#[test]
fn single_byte_repertoires() {
    for (term, bytes, text) in [
        ("", &b"Doe^Jane"[..], "Doe^Jane"),
        ("ISO_IR 6", b"Doe^Jane", "Doe^Jane"),
        ("ISO_IR 100", b"Buc^J\xE9r\xF4me", "Buc^Jérôme"),
        ("ISO_IR 100", b"\xC4neas^R\xFCdiger", "Äneas^Rüdiger"),
        ("ISO_IR 101", b"Wa\xB3\xEAsa", "Wałęsa"),
        ("ISO_IR 109", b"\xA1amrun", "Ħamrun"),
        ("ISO_IR 110", b"\xA9\xE0", "Šā"),
        ("ISO_IR 144", b"\xBB\xEE\xDA^\xB5\xDC\xD1", "Люк^Емб"),
        ("ISO_IR 127", b"\xE2\xC8\xC7\xE6\xEA^\xE4\xE6\xD2\xC7\xD1", "قباني^لنزار"),
        ("ISO_IR 126", b"\xC4\xE9\xEF\xED\xF5\xF3\xE9\xEF\xF2", "Διονυσιος"),
        ("ISO_IR 138", b"\xF9\xF8\xE5\xEF^\xE3\xE1\xE5\xF8\xE4", "שרון^דבורה"),
        ("ISO_IR 148", b"\xC7avu\xFEo\xF0lu", "Çavuşoğlu"),
        ("ISO_IR 203", b"\xA4\xBC", "€Œ"),
        ("ISO_IR 166", b"\xB9\xD2\xC2", "นาย"),
        ("ISO_IR 13", b"\xD4\xCF\xC0\xDE^\xC0\xDB\xB3", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小東".as_bytes(), "Wang^XiaoDong=王^小東"),
        ("GB18030", b"Wang^XiaoDong=\xCD\xF5^\xD0\xA1\xB6\xAB", "Wang^XiaoDong=王^小东"),
        ("GBK", b"Wang^XiaoDong=\xCD\xF5^\xD0\xA1\xB6\xAB", "Wang^XiaoDong=王^小东"),
    ] {
        assert_eq!(decode(term, bytes), text, "{term}");
    }
}

#[test]
fn second_bytes_that_look_like_delimiters() {
    // In GBK and GB18030 the second byte may be a backslash or a caret.
    assert_eq!(decode("GB18030", b"\x8E\x5C\x8E\x5E^A"), "嶾巀^A");
    assert_eq!(decode("GBK", b"\x8E\x5C\x8E\x5E^A"), "嶾巀^A");
}

#[test]
fn japanese_examples_of_the_standard_are_decoded() {
    // PS3.5 H.3.1 and H.3.2.
    assert_eq!(
        decode(
            "\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1B$B;3ED\x1B(B^\x1B$BB@O:\x1B(B=\x1B$B$d$^$@\x1B(B^\x1B$B$?$m$&\x1B(B"
        ),
        "Yamada^Tarou=山田^太郎=やまだ^たろう"
    );
    assert_eq!(
        decode(
            "ISO 2022 IR 13\\ISO 2022 IR 87",
            b"\xD4\xCF\xC0\xDE^\xC0\xDB\xB3=\x1B$B;3ED\x1B(J^\x1B$BB@O:\x1B(J=\x1B$B$d$^$@\x1B(J^\x1B$B$?$m$&\x1B(J"
        ),
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"
    );
    // The bytes of delimiters in pairs (春), between escape sequences as they must be.
    assert_eq!(decode("\\ISO 2022 IR 87", b"\x1B$B=U;3\x1B(B^A"), "春山^A");
    // Writers that do not switch back, or not with what switches back.
    assert_eq!(decode("\\ISO 2022 IR 87", b"A=\x1B$B;3ED^\x1B$BB@O:"), "A=山田^太郎");
    assert_eq!(
        decode(
            "ISO 2022 IR 100\\ISO 2022 IR 87",
            b"A=\x1B$B;3ED\x1B-A^J\xF6rg=\x1B$B;3ED\x1B-A^^^Dr"
        ),
        "A=山田^Jörg=山田^^^Dr"
    );
    // JIS X 0212, and a set that was used without being declared.
    assert_eq!(decode("\\ISO 2022 IR 87\\ISO 2022 IR 159", b"\x1B$(D0!\x1B(B^A"), "丂^A");
    assert_eq!(decode("ISO_IR 100", b"\x1B$B;3ED\x1B(B"), "山田");
}

#[test]
fn korean_examples_of_the_standard_are_decoded() {
    // PS3.5 I.2.
    let declared = "\\ISO 2022 IR 149";
    assert_eq!(
        decode(
            declared,
            b"Hong^Gildong=\x1B$)C\xFB\xF3^\x1B$)C\xD1\xCE\xD4\xD7=\x1B$)C\xC8\xAB^\x1B$)C\xB1\xE6\xB5\xBF"
        ),
        "Hong^Gildong=洪^吉洞=홍^길동"
    );
    // The escape is forgotten behind the delimiter.
    assert_eq!(decode(declared, b"=\x1B$)C\xFB\xF3^\xD1\xCE\xD4\xD7"), "=洪^吉洞");
}

#[test]
fn chinese_with_extensions() {
    // PS3.5 K.3.
    assert_eq!(
        decode("\\ISO 2022 IR 58", b"Zhang^XiaoDong=\x1B$)A\xD5\xC5^\x1B$)A\xD0\xA1\xB6\xAB="),
        "Zhang^XiaoDong=张^小东="
    );
}

#[test]
fn extensions_fall_back_at_delimiters() {
    // Greek in the first component, Latin-1 again in the second.
    assert_eq!(
        decode("ISO 2022 IR 100\\ISO 2022 IR 126", b"\x1B-F\xC4\xE9^\xC4\xE9\\\xE4"),
        "Δι^Äé\\ä"
    );
}

#[test]
fn nothing_declared_or_the_wrong_thing() {
    assert_eq!(decode("", "Löchel^Zoë".as_bytes()), "Löchel^Zoë");
    assert_eq!(decode("", b"L\xF6chel"), "Löchel");
    assert_eq!(decode("ISO_IR 100", "Löchel".as_bytes()), "Löchel");
    assert_eq!(decode("ISO_IR 192", b"L\xF6chel"), "Löchel");
    assert_eq!(decode("iso-ir-101", b"\xB3"), "ł");
    assert_eq!(decode("FANCY 7", b"L\xF6chel"), "Löchel");
    // Escape sequences that are cut, or unknown, swallow no text.
    assert_eq!(decode("\\ISO 2022 IR 87", b"A\x1B"), "A");
    assert_eq!(decode("\\ISO 2022 IR 87", b"A\x1B$"), "A");
    assert_eq!(decode("\\ISO 2022 IR 87", b"A\x1B!ZB"), "AB");
}

#[test]
fn items_may_have_their_own() {
    let data = Build::new(Syntax::ExplicitLe)
        .text(0x0008_0005, "CS", "ISO_IR 100")
        .sequence(
            0x0008_1110,
            false,
            &[&|b| {
                b.text(0x0008_0005, "CS", "ISO_IR 144").bytes(0x0010_0010, "PN", b"\xBB\xEE\xDA")
            }],
        )
        .bytes(0x0010_1001, "PN", b"M\xFCller")
        .bytes;
    let log = read_all(EXPLICIT, &data);
    assert_eq!(log.records, [["(0010,0010) name Люк", "(0010,1001) name Müller"]]);
}
