//! Data pages, and pages of table definitions.

/// Types of pages.
const DATA: u8 = 1;
const DEFINITION: u8 = 2;
/// Most pages of one definition, and its most columns.
const MAX_PAGES: usize = 16;
const MAX_COLUMNS: usize = 255;
/// A system table, by its type.
const SYSTEM: u8 = b'S';
/// Bits of a row's offset: it was deleted, or lies elsewhere; and the offset itself.
const DELETED: u16 = 0x8000;
const ELSEWHERE: u16 = 0x4000;
const PLACE: u16 = 0x1fff;

/// Offsets of fields by version.
#[derive(Debug)]
pub struct Layout {
    page: usize,
    /// In a data page: the number of rows.
    rows: usize,
    /// In a definition: its type, the numbers of columns and indexes, and where these begin.
    kind: usize,
    columns: usize,
    indexes: usize,
    entries: usize,
    index: usize,
    column: usize,
    /// In a column: its number, its index among those of variable length, flags, its offset among the others, its
    /// length.
    number: usize,
    variable: usize,
    flags: usize,
    fixed: usize,
    length: usize,
    /// Texts and numbers of columns in a row have 16 bits.
    pub wide: bool,
}

const JET_3: Layout = Layout {
    page: 2048,
    rows: 8,
    kind: 20,
    columns: 25,
    indexes: 31,
    entries: 43,
    index: 8,
    column: 18,
    number: 5,
    variable: 3,
    flags: 13,
    fixed: 14,
    length: 16,
    wide: false,
};

const JET_4: Layout = Layout {
    page: 4096,
    rows: 12,
    kind: 40,
    columns: 45,
    indexes: 51,
    entries: 63,
    index: 12,
    column: 25,
    number: 9,
    variable: 7,
    flags: 15,
    fixed: 21,
    length: 23,
    wide: true,
};

pub fn two(data: &[u8], at: usize) -> Option<u16> {
    data.get(at..)?.first_chunk::<2>().map(|bytes| u16::from_le_bytes(*bytes))
}

pub fn four(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..)?.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes))
}

/// A file.
pub struct File<'a> {
    data: &'a [u8],
    pub layout: &'static Layout,
}

/// A column.
#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: u8,
    /// Its index in the null mask.
    pub number: usize,
    pub is_fixed: bool,
    /// Its index among the columns of variable length, or its offset in bytes.
    pub place: usize,
    pub len: usize,
}

/// The definition of a table.
#[derive(Debug)]
pub struct Table {
    pub is_system: bool,
    pub columns: Vec<Column>,
}

/// A data page.
pub struct Page<'a> {
    /// The page of the definition of its table.
    pub table: u32,
    data: &'a [u8],
    rows: usize,
}

impl<'a> File<'a> {
    /// The file `data`; `None` for an unknown version.
    pub fn new(data: &'a [u8]) -> Option<Self> {
        let layout = match four(data, 0x14)? {
            0 => &JET_3,
            1..=5 => &JET_4,
            _ => return None,
        };
        Some(Self { data, layout })
    }

    fn page(&self, number: u32) -> Option<&'a [u8]> {
        let start = (number as usize).checked_mul(self.layout.page)?;
        self.data.get(start..start.checked_add(self.layout.page)?.min(self.data.len()))
    }

    /// The data pages, in order.
    pub fn data_pages(&self) -> impl Iterator<Item = Page<'a>> {
        let rows = self.layout.rows;
        self.data.chunks(self.layout.page).filter_map(move |data| {
            let table = four(data, 4)?;
            // Long values have a name there.
            (data.first() == Some(&DATA) && table < 1 << 24).then_some(Page { table, data, rows })
        })
    }

    /// The row `place` of a page, from a pointer to a long value.
    pub fn long_value(&self, pointer: u32) -> Option<&'a [u8]> {
        let data = self.page(pointer >> 8).filter(|page| page.first() == Some(&DATA))?;
        Page { table: 0, data, rows: self.layout.rows }.row((pointer & 0xff) as usize)
    }

    /// The definition that begins with page `number`.
    pub fn table(&self, number: u32) -> Option<Table> {
        let layout = self.layout;
        let mut definition = Vec::new();
        let mut next = number;
        for page in 0..MAX_PAGES {
            let data = self.page(next).filter(|data| data.first() == Some(&DEFINITION));
            let Some(data) = data else { break };
            // Further pages continue behind their headers.
            definition.extend_from_slice(data.get(if page == 0 { 0 } else { 8 }..)?);
            next = four(data, 4)?;
            if next == 0 {
                break;
            }
        }
        let count = usize::from(two(&definition, layout.columns)?).min(MAX_COLUMNS);
        let indexes = four(&definition, layout.indexes)? as usize;
        let entries = layout.entries.checked_add(indexes.checked_mul(layout.index)?)?;
        let described = definition.get(entries..)?;
        let mut names = described.get(count * layout.column..)?;
        let mut columns = Vec::new();
        for entry in described.chunks_exact(layout.column).take(count) {
            let name = match layout.wide {
                true => {
                    let len = usize::from(two(names, 0)?);
                    let name = names.get(2..2 + len)?;
                    names = names.get(2 + len..)?;
                    encoding_rs::UTF_16LE.decode_without_bom_handling(name).0.into_owned()
                }
                false => {
                    let len = usize::from(*names.first()?);
                    let name = names.get(1..1 + len)?;
                    names = names.get(1 + len..)?;
                    encoding_rs::WINDOWS_1252.decode_without_bom_handling(name).0.into_owned()
                }
            };
            let is_fixed = entry.get(layout.flags)? & 1 != 0;
            let place = if is_fixed { layout.fixed } else { layout.variable };
            columns.push(Column {
                name,
                kind: *entry.first()?,
                number: two(entry, layout.number)?.into(),
                is_fixed,
                place: two(entry, place)?.into(),
                len: two(entry, layout.length)?.into(),
            });
        }
        Some(Table { is_system: definition.get(layout.kind) == Some(&SYSTEM), columns })
    }
}

impl<'a> Page<'a> {
    /// Its rows, except those that were deleted or lie elsewhere.
    pub fn rows(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let count = two(self.data, self.rows).map_or(0, usize::from);
        let page = Page { table: self.table, data: self.data, rows: self.rows };
        (0..count.min(self.data.len() / 2)).filter_map(move |at| page.row(at))
    }

    /// A row: it ends where the one before it begins.
    fn row(&self, at: usize) -> Option<&'a [u8]> {
        let place = |at: usize| two(self.data, self.rows + 2 + 2 * at);
        let start = place(at).filter(|place| place & (DELETED | ELSEWHERE) == 0)?;
        let end = match at.checked_sub(1) {
            Some(before) => usize::from(place(before)? & PLACE),
            None => self.data.len(),
        };
        self.data.get(usize::from(start & PLACE)..end)
    }
}
