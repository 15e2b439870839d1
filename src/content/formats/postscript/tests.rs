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
