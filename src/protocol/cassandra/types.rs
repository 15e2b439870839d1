//! Columns (native_protocol_v4.spec, section 4.2.5.2) and values in their binary form (section 6).

use super::frame::Values;
use crate::protocol::sql::{table::MAX_COLUMNS, write_day};
use std::io::Write as _;

/// Levels of nested types.
const MAX_DEPTH: usize = 8;
/// Elements of one collection that are written.
const MAX_ELEMENTS: u32 = 64;
const MILLIS_A_DAY: i64 = 86_400_000;
/// Offset of dates (`date`): 1970-01-01 is the middle of the range.
const EPOCH: i64 = 1 << 31;

/// Type of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text, or a type that is not read.
    Text,
    /// Never written: blobs, durations.
    Opaque,
    Boolean,
    Integer,
    Decimal,
    Float,
    Double,
    Timestamp,
    Date,
    Uuid,
    Address,
    /// A list or set.
    List(Box<Kind>),
    /// A map.
    Map(Box<Kind>, Box<Kind>),
    /// A tuple or a user-defined type.
    Tuple(Vec<Kind>),
}

impl Kind {
    /// Reads an `[option]`.
    fn read(values: &mut Values<'_>, depth: usize) -> Option<Self> {
        if depth > MAX_DEPTH {
            return None;
        }
        Some(match values.u16()? {
            0x00 => {
                values.string()?;
                Self::Opaque
            }
            0x01 | 0x0d => Self::Text,
            0x04 => Self::Boolean,
            0x02 | 0x05 | 0x09 | 0x0e | 0x13 | 0x14 => Self::Integer,
            0x06 => Self::Decimal,
            0x07 => Self::Double,
            0x08 => Self::Float,
            0x0b => Self::Timestamp,
            0x0c | 0x0f => Self::Uuid,
            0x10 => Self::Address,
            0x11 => Self::Date,
            0x03 | 0x12 | 0x15 => Self::Opaque,
            0x20 | 0x22 => Self::List(Box::new(Self::read(values, depth + 1)?)),
            0x21 => {
                let key = Self::read(values, depth + 1)?;
                Self::Map(Box::new(key), Box::new(Self::read(values, depth + 1)?))
            }
            0x30 => {
                values.string()?;
                values.string()?;
                let mut parts = Vec::new();
                for _ in 0..values.u16()? {
                    values.string()?;
                    parts.push(Self::read(values, depth + 1)?);
                }
                Self::Tuple(parts)
            }
            0x31 => {
                let mut parts = Vec::new();
                for _ in 0..values.u16()? {
                    parts.push(Self::read(values, depth + 1)?);
                }
                Self::Tuple(parts)
            }
            _ => return None,
        })
    }

    /// Writes a value as text; nothing for types that are not read.
    pub(super) fn write(&self, value: &[u8], text: &mut Vec<u8>) {
        let mut values = Values(value);
        let number = || {
            let sign = value.first().map_or(0, |b| i64::from(*b as i8));
            value.iter().skip(1).fold(sign, |n, b| n << 8 | i64::from(*b))
        };
        // Writing to memory does not fail.
        let _ = match (self, value.len()) {
            (_, 0) | (Self::Opaque, _) => Ok(()),
            (Self::Text, _) => {
                text.extend_from_slice(value);
                Ok(())
            }
            (Self::Boolean, 1) => write!(text, "{}", value != [0]),
            (Self::Integer, 1..=8) => write!(text, "{}", number()),
            (Self::Float, 4) => write!(text, "{}", f32::from_bits(number() as u32)),
            (Self::Double, 8) => write!(text, "{}", f64::from_bits(number() as u64)),
            (Self::Timestamp, 8) => {
                write_day(number().div_euclid(MILLIS_A_DAY), text);
                Ok(())
            }
            (Self::Date, 4) => {
                write_day((number() as u32 as i64) - EPOCH, text);
                Ok(())
            }
            (Self::Uuid, 16) => {
                for (at, byte) in value.iter().enumerate() {
                    let dash = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
                    let _ = write!(text, "{dash}{byte:02x}");
                }
                Ok(())
            }
            (Self::Address, 4) => {
                let [a, b, c, d] = *value else { return };
                write!(text, "{a}.{b}.{c}.{d}")
            }
            (Self::List(kind), _) => {
                let count = values.u32().unwrap_or(0).min(MAX_ELEMENTS);
                for at in 0..count {
                    let Some(value) = values.value() else { break };
                    if at > 0 {
                        text.extend_from_slice(b", ");
                    }
                    kind.write(value, text);
                }
                Ok(())
            }
            (Self::Map(key, kind), _) => {
                let count = values.u32().unwrap_or(0).min(MAX_ELEMENTS);
                for at in 0..count {
                    let (Some(name), Some(value)) = (values.value(), values.value()) else { break };
                    if at > 0 {
                        text.extend_from_slice(b", ");
                    }
                    key.write(name, text);
                    text.extend_from_slice(b": ");
                    kind.write(value, text);
                }
                Ok(())
            }
            (Self::Tuple(kinds), _) => {
                for (at, kind) in kinds.iter().enumerate() {
                    let Some(value) = values.value() else { break };
                    if at > 0 {
                        text.push(b' ');
                    }
                    kind.write(value, text);
                }
                Ok(())
            }
            _ => Ok(()),
        };
    }
}

/// Columns of a result, or placeholders of a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) names: Vec<Vec<u8>>,
    pub(super) kinds: Vec<Kind>,
    /// Their number, where their names are omitted.
    pub(super) count: usize,
}

impl Columns {
    /// Reads `<metadata>` of version `version`; `bound`: of the placeholders of a statement.
    pub(super) fn read(values: &mut Values<'_>, version: u8, bound: bool) -> Option<Self> {
        const GLOBAL: u32 = 1;
        const PAGES: u32 = 2;
        const NONE: u32 = 4;
        const CHANGED: u32 = 8;
        let (flags, count) = (values.u32()?, values.u32()?);
        if bound && version >= 4 {
            for _ in 0..values.u32()? {
                values.u16()?;
            }
        }
        if !bound && flags & PAGES != 0 {
            values.value()?;
        }
        if !bound && version >= 5 && flags & CHANGED != 0 {
            values.string()?;
        }
        let count = usize::try_from(count).ok().filter(|count| *count <= MAX_COLUMNS)?;
        let mut columns = Self { count, ..Self::default() };
        if flags & NONE != 0 {
            return Some(columns);
        }
        if flags & GLOBAL != 0 {
            values.string()?;
            values.string()?;
        }
        for _ in 0..count {
            if flags & GLOBAL == 0 {
                values.string()?;
                values.string()?;
            }
            columns.names.push(values.string()?.to_vec());
            columns.kinds.push(Kind::read(values, 0)?);
        }
        Some(columns)
    }

    pub(super) fn memory(&self) -> usize {
        self.names.iter().map(Vec::capacity).sum::<usize>()
            + self.names.capacity() * size_of::<Vec<u8>>()
            + self.kinds.capacity() * size_of::<Kind>()
    }
}
