//! What the values of a text file take in memory, counted from its bytes before any of them is made.

/// What a file may unpack to. A gzip bomb or a parquet footer that promises more is refused.
pub const LARGEST: u64 = 4 << 30;

/// What a file's values take.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cost {
    pub rows: u64,
    pub bytes: u64,
}

/// Bytes of a JSON value in a list, of a value with its name in a map, and of a map with room for its first values.
const ITEM: u64 = 96;
const NAMED: u64 = 160;
const MAP: u64 = 560;
/// Bytes of a line's place and of its row.
const LINE: u64 = 128;
/// Bytes of a cell of a column, once beside itself while columns grow.
const CELL: u64 = 32;

/// JSON and JSON lines: lists, maps and values by the marks between them, texts passed over.
pub fn of_json(bytes: &[u8]) -> Cost {
    let mut cost = Cost { rows: 0, bytes: bytes.len() as u64 };
    let mut depth = 0i64;
    let mut quoted = false;
    let mut escaped = false;
    for byte in bytes {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b',' => cost.bytes += ITEM,
            b':' => cost.bytes += NAMED,
            b'{' => {
                cost.rows += 1;
                cost.bytes += MAP;
                depth += 1;
            }
            b'[' => {
                cost.bytes += ITEM;
                depth += 1;
            }
            b'}' | b']' => depth -= 1,
            b'\n' if depth <= 0 => cost.bytes += LINE,
            _ => {}
        }
    }
    cost
}

/// Separated values: a cell for each separator and each line, quoted ones among them.
pub fn of_separated(bytes: &[u8], separator: u8) -> Cost {
    let rows = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
    let separators = bytes.iter().filter(|byte| **byte == separator).count() as u64;
    Cost { rows, bytes: (rows + separators) * CELL + 2 * bytes.len() as u64 }
}
