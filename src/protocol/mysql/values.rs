//! Values in the binary protocol (`COM_STMT_EXECUTE` and its results).

use super::super::sql::Fields;
use super::super::sql::fields::{little, signed};
use std::io::Write as _;

/// Field types whose values are not strings.
const TINY: u8 = 1;
const SHORT: u8 = 2;
const LONG: u8 = 3;
const FLOAT: u8 = 4;
const DOUBLE: u8 = 5;
const NULL: u8 = 6;
const TIMESTAMP: u8 = 7;
const LONGLONG: u8 = 8;
const INT24: u8 = 9;
const DATE: u8 = 10;
const TIME: u8 = 11;
const DATETIME: u8 = 12;
const YEAR: u8 = 13;

/// Reads the value of type `kind` and writes it as text to `text`. None if the row does not fit its types.
pub fn read(kind: u8, unsigned: bool, fields: &mut Fields<'_>, text: &mut Vec<u8>) -> Option<()> {
    let integer = |fields: &mut Fields<'_>, len: usize, text: &mut Vec<u8>| {
        let value = fields.bytes(len)?;
        // Writing to memory does not fail.
        let _ = match unsigned {
            true => write!(text, "{}", little(value)),
            false => write!(text, "{}", signed(value)),
        };
        Some(())
    };
    match kind {
        TINY => integer(fields, 1, text),
        SHORT | YEAR => integer(fields, 2, text),
        LONG | INT24 => integer(fields, 4, text),
        LONGLONG => integer(fields, 8, text),
        FLOAT => {
            let value = f32::from_bits(fields.number(4)? as u32);
            let _ = write!(text, "{value}");
            Some(())
        }
        DOUBLE => {
            let value = f64::from_bits(fields.number(8)?);
            let _ = write!(text, "{value}");
            Some(())
        }
        NULL => Some(()),
        DATE | DATETIME | TIMESTAMP => {
            let len = fields.number(1)? as usize;
            let mut parts = Fields(fields.bytes(len)?);
            if len >= 4 {
                let (year, month, day) = (parts.number(2)?, parts.number(1)?, parts.number(1)?);
                let _ = write!(text, "{year:04}-{month:02}-{day:02}");
            }
            if len >= 7 && kind != DATE {
                let (hour, minute, second) = (parts.number(1)?, parts.number(1)?, parts.number(1)?);
                let _ = write!(text, " {hour:02}:{minute:02}:{second:02}");
            }
            Some(())
        }
        TIME => {
            let len = fields.number(1)? as usize;
            fields.bytes(len).map(|_| ())
        }
        _ => {
            text.extend_from_slice(fields.string()?);
            Some(())
        }
    }
}
