use super::*;
use crate::content::extract::layout::Page;

/// Bars and a bow, as fonts without serifs draw them.
fn bar(outline: &mut Outline, left: f32, low: f32, right: f32, high: f32) {
    outline.move_to(left, low);
    outline.line_to(left, high);
    outline.line_to(right, high);
    outline.line_to(right, low);
    outline.close();
}

/// `H`, `E`, `T`, `L` and `F` in thousandths of a size.
fn letter(letter: char, x: f32, y: f32, unit: f32) -> Outline {
    let mut out = Outline::default();
    let mut bar = |l: f32, b: f32, r: f32, t: f32| {
        bar(&mut out, x + l * unit, y + b * unit, x + r * unit, y + t * unit);
    };
    match letter {
        'H' => {
            bar(80.0, 0.0, 173.0, 716.0);
            bar(548.0, 0.0, 641.0, 716.0);
            bar(80.0, 330.0, 641.0, 415.0);
        }
        'E' | 'F' => {
            bar(86.0, 0.0, 180.0, 716.0);
            bar(86.0, 632.0, 612.0, 716.0);
            bar(86.0, 330.0, 580.0, 412.0);
            if letter == 'E' {
                bar(86.0, 0.0, 620.0, 84.0);
            }
        }
        'T' => {
            bar(260.0, 0.0, 353.0, 716.0);
            bar(21.0, 632.0, 593.0, 716.0);
        }
        _ => {
            bar(76.0, 0.0, 170.0, 716.0);
            bar(76.0, 0.0, 533.0, 84.0);
        }
    }
    out
}

fn text(found: &[Option<Letter>]) -> String {
    found.iter().map(|l| l.map_or('?', |l| l.letter)).collect()
}

#[test]
fn letters_are_read_by_their_outlines_in_any_units() {
    for unit in [0.001, 0.07, 2.0] {
        let shapes: Vec<Shape> =
            "THEFT".chars().filter_map(|c| letter(c, 5.0, 0.0, unit).shape()).collect();
        let (size, found) = read(&shapes, 3, None, &mut Seen::default()).expect("they are letters");
        assert_eq!(text(&found), "THEFT");
        assert!((size / (unit * 1000.0) - 1.0).abs() < 0.1, "{size} of {unit}");
    }
}

#[test]
fn upside_down_and_torn_letters_stay_unread() {
    let shapes: Vec<Shape> = "FLFLF"
        .chars()
        .filter_map(|c| letter(c, 0.0, 0.0, 1.0).shape())
        .map(|shape| shape.flipped())
        .collect();
    let found = read(&shapes, 1, Some(1000.0), &mut Seen::default()).map(|(_, found)| text(&found));
    assert!(found.is_none_or(|found| !found.contains(['F', 'L'])));
}

#[test]
fn noise_is_no_letter() {
    let mut state = 1u64;
    let mut noise = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        state >> 33 & 1 == 1
    };
    let shapes: Vec<Shape> = (0..40)
        .filter_map(|_| {
            let dots: Vec<bool> = (0..24 * 30).map(|_| noise()).collect();
            Shape::of_bitmap(24, 30, (0.0, 30.0), |x, y| dots[y * 24 + x])
        })
        .collect();
    assert_eq!(shapes.len(), 40);
    assert!(read(&shapes, 1, None, &mut Seen::default()).is_none());
    let (_, found) = read(&shapes, 1, Some(40.0), &mut Seen::default()).expect("a size was given");
    assert!(found.iter().flatten().all(|l| l.letter == UNREAD), "{}", text(&found));
}

#[test]
fn bitmaps_and_outlines_are_the_same_letters() {
    let dots = |c: char| {
        let shape = letter(c, 0.0, 0.0, 0.06).shape()?;
        let bounds = shape.bounds;
        let ink = |x: usize, y: usize| {
            let column = (x * SIDE + SIDE / 2) / 40;
            let row = (y * SIDE + SIDE / 2) / 43;
            shape.rows.get(row).is_some_and(|row| column < SIDE && row >> column & 1 == 1)
        };
        Shape::of_bitmap(40, 43, (bounds.left, 43.0), ink)
    };
    let shapes: Vec<Shape> = "HEFT".chars().filter_map(dots).collect();
    let (_, found) = read(&shapes, 2, None, &mut Seen::default()).expect("they are letters");
    assert_eq!(text(&found), "HEFT");
}

#[test]
fn a_drawn_line_is_text_and_frames_are_not() {
    let mut drawing = Drawing::default();
    let mut all = Outline::default();
    for (at, c) in "THE LEFT".chars().enumerate().filter(|(_, c)| *c != ' ') {
        all.append(letter(c, at as f32 * 8.0, 200.0, 0.01), [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    }
    drawing.add(all);
    for (left, low, right, high) in [(0.0, 100.0, 0.5, 400.0), (0.0, 180.0, 300.0, 180.5)] {
        let mut frame = Outline::default();
        bar(&mut frame, left, low, right, high);
        drawing.add(frame);
    }
    let mut page = Page::default();
    assert_eq!(drawing.finish(&mut page), (9, 7));
    let mut lines = Vec::new();
    page.lines(&mut lines);
    assert_eq!(lines.iter().map(|l| l.text().replace(' ', "")).collect::<Vec<_>>(), ["THELEFT"]);
}

#[test]
fn a_bar_is_the_letter_that_its_word_needs() {
    let either = |text: &str| settle(&text.replace('#', &BAR.to_string()));
    for (word, expected) in [
        ("Mü##er", "Müller"),
        ("A#bert", "Albert"),
        ("#ris", "Iris"),
        ("F#SCHER", "FISCHER"),
        ("E##i", "Elli"),
        ("P#", "Pl"),
        ("ANN#", "ANNI"),
        ("#12", "I12"),
        ("Gabrie#", "Gabriel"),
        ("Pau#, #ngrid", "Paul, Ingrid"),
    ] {
        assert_eq!(either(word), expected);
    }
}

#[test]
fn a_ring_is_a_zero_beside_digits() {
    let ring = |text: &str| settle(&text.replace('#', &RING.to_string()));
    for (word, expected) in [
        ("P-66#4##", "P-660400"),
        ("#kafor", "Okafor"),
        ("#'Connor", "O'Connor"),
        ("1948-#3-#9", "1948-03-09"),
        ("KH###854", "KH000854"),
        ("T#M", "TOM"),
        ("+49 3# 555#", "+49 30 5550"),
    ] {
        assert_eq!(ring(word), expected);
    }
}

#[test]
fn a_stick_is_a_one_beside_digits() {
    let stick = |text: &str| settle(&text.replace('#', &STICK.to_string()));
    for (word, expected) in [
        ("Te#efon", "Telefon"),
        ("#9.##.2001", "19.11.2001"),
        ("Zimmer #", "Zimmer 1"),
        ("A##", "All"),
    ] {
        assert_eq!(stick(word), expected);
    }
}

#[test]
fn words_with_unread_letters_are_left_out() {
    let text = format!("Patient: {UNREAD}b-Berg, Jan");
    assert!(is_unsettled(&text) && !is_unsettled("Patient: Ÿ, ﬁ"));
    assert_eq!(settle(&text), "Patient: , Jan");
}

/// A font of one composite glyph that consists of itself many times.
#[test]
fn glyphs_of_endless_parts_end() {
    let mut glyf = vec![0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
    for at in 0..200 {
        let more: u16 = if at < 199 { 0x22 } else { 2 };
        glyf.extend(more.to_be_bytes());
        glyf.extend([0, 1, 0, 0]);
    }
    let mut head = vec![0u8; 54];
    head[18..20].copy_from_slice(&1000u16.to_be_bytes());
    head[51] = 1;
    let mut loca = Vec::new();
    for offset in [0u32, 0, glyf.len() as u32] {
        loca.extend(offset.to_be_bytes());
    }
    let mut font = vec![0, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0];
    let mut at = 12 + 3 * 16;
    for (tag, table) in [(b"glyf", &glyf), (b"head", &head), (b"loca", &loca)] {
        font.extend(tag);
        font.extend([0; 4]);
        font.extend((at as u32).to_be_bytes());
        font.extend((table.len() as u32).to_be_bytes());
        at += table.len();
    }
    font.extend([glyf, head, loca].concat());
    let face = TrueType::parse(&font).expect("it has its tables");
    assert_eq!(face.glyphs(), 2);
    assert!(face.outline(1).is_none());
    for cut in 0..font.len() {
        if let Some(face) = TrueType::parse(&font[..cut]) {
            assert!(face.outline(1).is_none());
        }
    }
}
