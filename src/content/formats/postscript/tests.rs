use crate::content::testing::records;

fn read(job: &[u8]) -> Vec<String> {
    records("application/postscript", job)
}

#[test]
fn a_label_and_its_value_meet_on_one_line() {
    let got = read(
        b"%!PS-Adobe-3.0\n/Helvetica findfont 12 scalefont setfont\n\
          72 700 moveto (Patient name:) show 200 700 moveto (Roe, Jane) show\n\
          72 680 moveto (DOB:) show 200 680 moveto (1970-01-31) show\n\
          72 660 moveto (MRN:) show 200 660 moveto (H77123) show showpage\n",
    );
    assert_eq!(
        got,
        [
            "http>postscript:~postscript [PatientContext] name=Roe, Jane birth_date=1970-01-31 patient_id=H77123"
        ]
    );
}

#[test]
fn jobs_that_print_nothing_are_read_by_their_strings() {
    let got = read(
        b"%!PS\n/loop { unknown } def\n(Patient: Roe, \\(Jane\\))P(DOB: 1970-01-31)P(MRN:\\240H77123)P\nloop\n",
    );
    assert_eq!(got.len(), 1, "{got:?}");
    assert!(got[0].contains("birth_date=1970-01-31 patient_id=H77123"), "{got:?}");
}

#[test]
fn procedures_and_encodings_of_the_job_itself() {
    let got = read(
        b"%!PS\n/reencode { findfont dup length dict begin { 1 index /FID ne {def}{pop pop} ifelse } forall\n\
          /Encoding ISOLatin1Encoding 256 array copy dup 1 /B put dup 2 /eacute put def currentdict end definefont pop } bind def\n\
          /F /Times-Roman reencode\n/S { exch F0 exch moveto show } bind def\n\
          /F0 { /F findfont 10 scalefont setfont } def\n\
          50 dict begin /y 700 def\n\
          /line { 50 y moveto show /y y 14 sub def } def F0\n\
          (Patient: \\001\\002ll, Ren\\351e) line (Date of birth: 3 May 1961) line\n\
          [(MRN: ) (K) (4411)] { show } forall\n\
          end showpage",
    );
    assert_eq!(got.len(), 1, "{got:?}");
    assert!(got[0].contains("Bell, Ren") || got[0].contains("B\u{e9}ll, Ren\u{e9}e"), "{got:?}");
    assert!(got[0].contains("birth_date=3 May 1961"), "{got:?}");
}

#[test]
fn filters_and_turned_pages() {
    // Rotated as landscape pages are, and the program itself in ASCII85.
    let program = b"612 0 translate 90 rotate /Courier findfont 10 scalefont setfont \
        40 40 moveto (Patient ID: 551190) show 40 28 moveto (Name: Ito, Ken) show";
    let mut coded = Vec::new();
    for chunk in program.chunks(4) {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        let mut n = u32::from_be_bytes(word);
        let mut digits = [0u8; 5];
        for digit in digits.iter_mut().rev() {
            *digit = (n % 85) as u8 + b'!';
            n /= 85;
        }
        coded.extend_from_slice(&digits[..=chunk.len()]);
    }
    let job = [&b"%!PS\ncurrentfile /ASCII85Decode filter cvx exec\n"[..], &coded, b"~>\nshowpage"]
        .concat();
    let got = read(&job);
    assert_eq!(
        got,
        ["http>postscript:~postscript [PatientContext] patient_id=551190 name=Ito, Ken"]
    );
}

#[test]
fn endless_and_broken_jobs_end() {
    for job in [
        &b"%!PS\n{} loop"[..],
        b"%!PS\n/a {a a} def a",
        b"%!PS\n/a /b cvx def /b /a cvx def a",
        b"%!PS\n{ 65535 string } loop",
        b"%!PS\n{ 1 dict begin } loop",
        b"%!PS\n[ { 1 } loop",
        b"%!PS\n{ { stop } stopped } loop",
        b"%!PS\n1 1 1e9 { (x) show } for",
        b"%!PS\n1000000000 array 99999999999 string -1 array",
        b"%!PS\n((((((((\\",
        b"%!PS\n{{{{{{{{{{",
        b"%!PS\nroll index copy get put ] >> cvi cvx exec if image",
        b"%!PS\n/x currentdict def currentdict {pop dup {} forall} forall",
    ] {
        assert_eq!(read_once(job), Vec::<String>::new());
    }
}

fn read_once(job: &[u8]) -> Vec<String> {
    let media = crate::content::Media::Type { content_type: "", name: "" };
    crate::content::testing::records_of(media, &[], job, job.len())
}

/// A TrueType font (PLRM 5.8) with the letters of a list of codes and names, and no outlines.
fn type42(letters: &[(u8, &str)]) -> String {
    let encoding: String =
        letters.iter().map(|(code, name)| format!("Encoding {code} /{name} put\n")).collect();
    let outlines: String = letters.iter().map(|(_, name)| format!("/{name} 1 def\n")).collect();
    format!(
        "%!PS\n11 dict begin /FontType 42 def /FontName /F def /FontMatrix [ 1 0 0 1 0 0 ] def\n\
         /Encoding 256 array def 0 1 255 {{ Encoding exch /.notdef put }} for\n{encoding}\
         /CharStrings 99 dict dup begin /.notdef 0 def {outlines} end readonly def\n\
         FontName currentdict end definefont pop\n/F findfont 10 scalefont setfont\n"
    )
}

#[test]
fn truetype_fonts_have_an_em_of_one_unit() {
    let letters: Vec<(u8, String)> =
        (b'A'..=b'Z').chain(b'a'..=b'z').map(|c| (c, char::from(c).to_string())).collect();
    let mut letters: Vec<(u8, &str)> = letters.iter().map(|(c, n)| (*c, n.as_str())).collect();
    letters.extend([
        (b' ', "space"),
        (b':', "colon"),
        (b',', "comma"),
        (b'1', "one"),
        (b'9', "nine"),
        (b'7', "seven"),
        (b'0', "zero"),
        (b'-', "hyphen"),
        (b'3', "three"),
    ]);
    let job = type42(&letters)
        + "/TJ { { dup type /stringtype eq { show } { -0.001 mul 0 rmoveto } ifelse } forall } def\n\
           72 700 moveto [(Pa)4(ti)4(e)-7(nt)4(: )4(R)3(oe, J)-7(ane)] TJ\n\
           72 688 moveto [(DOB)4(: 1970-01-3)-5(1)] TJ 72 676 moveto (MRN: H77) show showpage";
    let got = read(job.as_bytes());
    assert_eq!(got.len(), 1, "{got:?}");
    assert!(got[0].contains("name=Roe, Jane birth_date=1970-01-31 patient_id=H77"), "{got:?}");
}

#[test]
fn letters_that_are_only_numbered_are_no_text() {
    // The codes of a program that numbers letters as they occur happen to spell a label.
    let names: Vec<(u8, String)> = (1..100).map(|code| (code, format!("c{code:02x}"))).collect();
    let names: Vec<(u8, &str)> = names.iter().map(|(code, name)| (*code, name.as_str())).collect();
    let text = " 72 700 moveto (MRN: H77123, Name: Roe, Jane, DOB: 1970-01-31, Name: Roe, Jane) show showpage";
    assert_eq!(read((type42(&names) + text).as_bytes()), Vec::<String>::new());
    assert!(!read((type42(names.get(31..).unwrap_or_default()) + text).as_bytes()).is_empty());
}

#[test]
fn fonts_of_printers_have_the_letters_of_latin_1() {
    // gnuplot encodes a font anew only if it has the letter.
    let got = read(
        b"%!PS\n/Helvetica findfont dup length dict begin { 1 index /FID ne { def } { pop pop } ifelse } forall\n\
          CharStrings /Idieresis known { /Encoding ISOLatin1Encoding def } if currentdict end /F exch definefont pop\n\
          /F findfont 10 scalefont setfont 72 700 moveto (Patient: M\xfcller, Ren\xe9e) show\n\
          72 688 moveto (MRN: H77123) show 72 676 moveto (DOB: 1970-01-31) show showpage",
    );
    assert_eq!(got.len(), 1, "{got:?}");
    assert!(got[0].contains("name=M\u{fc}ller, Ren\u{e9}e"), "{got:?}");
}

#[test]
fn pages_beside_each_other_are_read_one_after_the_other() {
    let mut job = b"%!PS\n/Courier findfont 8 scalefont setfont\n".to_vec();
    let people = [
        ("Roe, Jane", "1970-01-31", "H71"),
        ("Ng, Li", "1981-02-28", "H72"),
        ("Ito, Ken", "1992-03-30", "H73"),
    ];
    for (at, (name, born, number)) in people.into_iter().enumerate() {
        let x = 30 + 250 * at;
        job.extend_from_slice(
            format!(
                "{x} 500 moveto (Patient: {name}) show {x} 490 moveto (DOB: {born}) show \
                 {x} 480 moveto (MRN: {number}) show {x} 460 moveto (We report on the stay.) show\n"
            )
            .as_bytes(),
        );
    }
    job.extend_from_slice(b"showpage");
    let expected = people.map(|(name, born, number)| {
        format!("http>postscript:~postscript [PatientContext] name={name} birth_date={born} patient_id={number}")
    });
    assert_eq!(read(&job), expected);
}

#[test]
fn glyphs_that_are_shown_by_name_need_no_encoding() {
    // As matplotlib does.
    let spelled = "P a t i e n t colon space Sacute e n o n a comma space A n a";
    let mut job = "%!PS\n/Helvetica findfont 9 scalefont setfont\n".to_owned();
    for (at, glyph) in spelled.split(' ').enumerate() {
        job += &format!("{} 700 moveto /{glyph} glyphshow\n", 72 + 5 * at);
    }
    job += "72 680 moveto (MRN: H77123) show 72 660 moveto (DOB: 1970-01-31) show showpage";
    let got = read(job.as_bytes());
    assert!(got.len() == 1 && got[0].contains("name=\u{15a}enona, Ana"), "{got:?}");
}
