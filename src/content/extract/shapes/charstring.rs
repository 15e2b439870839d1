//! Outlines of Type 1 glyphs (Adobe Type 1 Font Format 6), as fonts with CIDs hold them in print jobs.

use super::Outline;

/// Numbers on the stack (6.2).
const MAX_STACK: usize = 24;
/// Commands of one glyph.
const MAX_COMMANDS: usize = 8192;
/// The first state of the cipher, and its factors (7.1).
const KEY: u16 = 4330;
const FACTOR: u16 = 52_845;
const ADDEND: u16 = 22_719;
/// Units of the font's size.
const UNIT: f32 = 0.001;

/// The bytes of an encrypted glyph without its `random` first ones (7.3).
pub fn decrypted(data: &[u8], random: usize) -> Vec<u8> {
    let mut state = KEY;
    let plain = data.iter().map(|&byte| {
        let plain = byte ^ (state >> 8) as u8;
        state = u16::from(byte).wrapping_add(state).wrapping_mul(FACTOR).wrapping_add(ADDEND);
        plain
    });
    plain.skip(random).collect()
}

/// A glyph and the distance to the next one, in units of the font's size. `None` if it is damaged, or uses subroutines,
/// which fonts with CIDs rarely have.
pub fn outline(program: &[u8]) -> Option<(Outline, f32)> {
    let mut reader = Reader::default();
    let mut rest = program.iter();
    for _ in 0..MAX_COMMANDS {
        let Some(&byte) = rest.next() else { break };
        let mut next = || rest.next().map(|b| i32::from(*b));
        let number = match byte {
            32..=246 => i32::from(byte) - 139,
            247..=250 => (i32::from(byte) - 247) * 256 + next()? + 108,
            251..=254 => -(i32::from(byte) - 251) * 256 - next()? - 108,
            255 => (0..4).try_fold(0i32, |n, _| Some(n << 8 | next()?))?,
            12 => {
                let second = next()?;
                reader.escaped(second)?;
                continue;
            }
            14 => return Some((reader.outline, reader.advance)),
            command => {
                reader.command(command)?;
                continue;
            }
        };
        if reader.stack.len() >= MAX_STACK {
            return None;
        }
        reader.stack.push(number as f32 * UNIT);
    }
    None
}

#[derive(Default)]
struct Reader {
    stack: Vec<f32>,
    at: (f32, f32),
    outline: Outline,
    advance: f32,
}

impl Reader {
    /// Commands of one byte (6.4). All of these clear the stack.
    fn command(&mut self, command: u8) -> Option<()> {
        let stack = std::mem::take(&mut self.stack);
        let n = |at: usize| stack.get(at).copied();
        match command {
            // hstem, vstem
            1 | 3 => {}
            4 => self.line((0.0, n(0)?), false),
            5 => self.line((n(0)?, n(1)?), true),
            6 => self.line((n(0)?, 0.0), true),
            7 => self.line((0.0, n(0)?), true),
            8 => self.curve([n(0)?, n(1)?, n(2)?, n(3)?, n(4)?, n(5)?]),
            9 => self.outline.close(),
            13 => (self.at, self.advance) = ((n(0)?, 0.0), n(1)?),
            21 => self.line((n(0)?, n(1)?), false),
            22 => self.line((n(0)?, 0.0), false),
            30 => self.curve([0.0, n(0)?, n(1)?, n(2)?, n(3)?, 0.0]),
            31 => self.curve([n(0)?, 0.0, n(1)?, n(2)?, 0.0, n(3)?]),
            _ => return None,
        }
        Some(())
    }

    /// Commands of two bytes.
    fn escaped(&mut self, command: i32) -> Option<()> {
        match command {
            // dotsection, vstem3, hstem3
            0..=2 => self.stack.clear(),
            7 => {
                let [x, y, width, ..] = *self.stack.as_slice() else { return None };
                (self.at, self.advance) = ((x, y), width);
                self.stack.clear();
            }
            12 => {
                let (below, above) = (self.stack.pop()?, self.stack.pop()?);
                self.stack.push(if below == 0.0 { 0.0 } else { above / below * UNIT });
            }
            _ => return None,
        }
        Some(())
    }

    fn line(&mut self, (right, up): (f32, f32), draws: bool) {
        self.at = (self.at.0 + right, self.at.1 + up);
        let (x, y) = self.at;
        if draws { self.outline.line_to(x, y) } else { self.outline.move_to(x, y) }
    }

    fn curve(&mut self, [ax, ay, bx, by, cx, cy]: [f32; 6]) {
        let first = (self.at.0 + ax, self.at.1 + ay);
        let second = (first.0 + bx, first.1 + by);
        self.at = (second.0 + cx, second.1 + cy);
        self.outline.curve_to(first, second, self.at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The encrypted form of a program behind four bytes.
    fn encrypted(program: &[u8]) -> Vec<u8> {
        let mut state = KEY;
        let plain = [&[0; 4], program].concat();
        let cipher = plain.into_iter().map(|plain| {
            let byte = plain ^ (state >> 8) as u8;
            state = u16::from(byte).wrapping_add(state).wrapping_mul(FACTOR).wrapping_add(ADDEND);
            byte
        });
        cipher.collect()
    }

    #[test]
    fn a_glyph_of_lines_and_a_curve() {
        // 50 600 hsbw 10 20 rmoveto 300 hlineto 400 vlineto -100 0 -100 50 -100 -50 rrcurveto closepath endchar
        let n = |n: i32| [&[255u8][..], &n.to_be_bytes()].concat();
        let mut program: Vec<u8> = Vec::new();
        let commands: [(&[i32], u8); 6] = [
            (&[50, 600], 13),
            (&[10, 20], 21),
            (&[300], 6),
            (&[400], 7),
            (&[-100, 0, -100, 50, -100, -50], 8),
            (&[], 9),
        ];
        for (numbers, command) in commands {
            numbers.iter().for_each(|number| program.extend(n(*number)));
            program.push(command);
        }
        program.push(14);
        let plain = decrypted(&encrypted(&program), 4);
        assert_eq!(plain, program);
        let (outline, advance) = outline(&plain).expect("a glyph");
        assert!((advance - 0.6).abs() < 1e-6);
        let shape = outline.shape().expect("it has ink");
        let bounds = format!("{:.3?}", shape.bounds);
        assert_eq!(bounds, "Bounds { left: 0.060, low: 0.020, right: 0.360, high: 0.442 }");
        assert!(outline_is_none(&program[..program.len() - 1]), "without its end");
    }

    fn outline_is_none(program: &[u8]) -> bool {
        super::outline(program).is_none()
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            outline(&decrypted(&bytes, 4));
            outline(&bytes);
        }
    }
}
