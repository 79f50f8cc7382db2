//! The GGUF container, versions 2 and 3: metadata and packed tensors in one file
//! (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>). Every count and offset is checked before it is believed.

use std::collections::BTreeMap;

use candle_core::quantized::GgmlDType;

use super::reader::Reader;
use crate::error::{Error, Result};
use crate::model::load::source::Bytes;

/// A value of the metadata.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Integer(i64),
    Float(f64),
    Flag(bool),
    Text(String),
    List(Vec<Value>),
}

/// A tensor's place in the file.
#[derive(Clone, Debug)]
pub struct Info {
    /// Row-major: the last size is that of a row.
    pub shape: Vec<usize>,
    pub kind: Kind,
    /// From the beginning of the file.
    pub start: u64,
    pub bytes: usize,
}

/// How a tensor's values are stored.
pub type Kind = GgmlDType;

/// The kinds that are read, by their numbers in files.
const KINDS: [(u32, Kind); 15] = [
    (0, Kind::F32),
    (1, Kind::F16),
    (2, Kind::Q4_0),
    (3, Kind::Q4_1),
    (6, Kind::Q5_0),
    (7, Kind::Q5_1),
    (8, Kind::Q8_0),
    (9, Kind::Q8_1),
    (10, Kind::Q2K),
    (11, Kind::Q3K),
    (12, Kind::Q4K),
    (13, Kind::Q5K),
    (14, Kind::Q6K),
    (15, Kind::Q8K),
    (30, Kind::BF16),
];

/// Sizes that a tensor may have.
const RANK: u32 = 4;
/// Lists in lists.
const DEPTH: usize = 4;
/// Values of all the metadata; a vocabulary and its merges have about a million.
const VALUES: usize = 1 << 23;

/// An opened file.
pub struct Container {
    pub metadata: BTreeMap<String, Value>,
    pub tensors: BTreeMap<String, Info>,
    bytes: Bytes,
}

impl Container {
    /// Reads the header; `what` names the file in errors.
    pub fn open(bytes: Bytes, what: &str) -> Result<Self> {
        let refuse = |why: String| {
            Error::failed_with_hint(
                format!("{what} is not a whole GGUF file: {why}"),
                "copy or download it again: it may have been cut short",
            )
        };
        let mut reader = Reader::new(&bytes);
        let (metadata, tensors) = header(&mut reader).map_err(refuse)?;
        Ok(Self { metadata, tensors, bytes })
    }

    /// The stored bytes of a tensor.
    pub fn data(&self, info: &Info) -> Result<Vec<u8>> {
        self.bytes.at(info.start, info.bytes)
    }

    pub fn sha256(&self) -> Result<String> {
        self.bytes.sha256()
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        match self.metadata.get(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub fn integer(&self, key: &str) -> Option<i64> {
        match self.metadata.get(key) {
            Some(Value::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    pub fn number(&self, key: &str) -> Option<f64> {
        match self.metadata.get(key) {
            Some(Value::Integer(number)) => Some(*number as f64),
            Some(Value::Float(number)) => Some(*number),
            _ => None,
        }
    }

    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.metadata.get(key) {
            Some(Value::Flag(flag)) => Some(*flag),
            _ => None,
        }
    }

    pub fn list(&self, key: &str) -> Option<&[Value]> {
        match self.metadata.get(key) {
            Some(Value::List(list)) => Some(list),
            _ => None,
        }
    }
}

/// What is wrong with a header, as the end of a sentence.
type Why<T> = std::result::Result<T, String>;
type Header = (BTreeMap<String, Value>, BTreeMap<String, Info>);

fn header(reader: &mut Reader) -> Why<Header> {
    if reader.take(4)? != b"GGUF" {
        return Err("it does not begin with the letters GGUF".to_string());
    }
    let version = reader.u32()?;
    match version {
        2 | 3 => {}
        other if matches!(other.swap_bytes(), 1..=3) => {
            return Err("its numbers are big-endian, which is not read".to_string());
        }
        other => return Err(format!("its version is {other}, and 2 and 3 are read")),
    }
    let tensors = reader.u64()?;
    let entries = reader.u64()?;
    // A tensor takes 24 bytes of the header at least, an entry of the metadata 13.
    reader.expect(tensors, 24, "tensors")?;
    reader.expect(entries, 13, "entries of metadata")?;
    let mut metadata = BTreeMap::new();
    let mut left = VALUES;
    for _ in 0..entries {
        let key = reader.text("a key")?;
        let kind = reader.u32()?;
        let value = value(reader, kind, 0, &mut left)?;
        if metadata.insert(key.clone(), value).is_some() {
            return Err(format!("its metadata has the key {key:?} twice"));
        }
    }
    let mut infos = BTreeMap::new();
    for _ in 0..tensors {
        let name = reader.text("a tensor's name")?;
        let info = info(reader, &name)?;
        if infos.insert(name.clone(), info).is_some() {
            return Err(format!("it has the tensor {name:?} twice"));
        }
    }
    place(&mut infos, &metadata, reader)?;
    Ok((metadata, infos))
}

fn value(reader: &mut Reader, kind: u32, depth: usize, left: &mut usize) -> Why<Value> {
    *left =
        left.checked_sub(1).ok_or_else(|| format!("its metadata has more than {VALUES} values"))?;
    Ok(match kind {
        0 => Value::Integer(i64::from(reader.number::<1>()?[0])),
        1 => Value::Integer(i64::from(i8::from_le_bytes(reader.number()?))),
        2 => Value::Integer(i64::from(u16::from_le_bytes(reader.number()?))),
        3 => Value::Integer(i64::from(i16::from_le_bytes(reader.number()?))),
        4 => Value::Integer(i64::from(reader.u32()?)),
        5 => Value::Integer(i64::from(i32::from_le_bytes(reader.number()?))),
        6 => Value::Float(f64::from(f32::from_le_bytes(reader.number()?))),
        7 => match reader.number::<1>()?[0] {
            0 => Value::Flag(false),
            1 => Value::Flag(true),
            other => return Err(format!("a flag of its metadata is {other}, not 0 or 1")),
        },
        8 => Value::Text(reader.text("a text of its metadata")?),
        9 => {
            if depth >= DEPTH {
                return Err(format!("its metadata has lists in lists, more than {DEPTH} deep"));
            }
            let inner = reader.u32()?;
            let count = reader.u64()?;
            let least = match inner {
                0 | 1 | 7 => 1,
                2 | 3 => 2,
                4..=6 => 4,
                9 => 12,
                _ => 8,
            };
            reader.expect(count, least, "values of a list")?;
            let items = (0..count).map(|_| value(reader, inner, depth + 1, left));
            Value::List(items.collect::<Why<_>>()?)
        }
        10 => {
            let number = reader.u64()?;
            let fits = i64::try_from(number);
            Value::Integer(fits.map_err(|_| format!("a number of its metadata is {number}"))?)
        }
        11 => Value::Integer(i64::from_le_bytes(reader.number()?)),
        12 => Value::Float(f64::from_le_bytes(reader.number()?)),
        other => {
            return Err(format!("its metadata has a value of the unknown kind {other}"));
        }
    })
}

/// A tensor's entry; its `start` is still counted from where the values begin.
fn info(reader: &mut Reader, name: &str) -> Why<Info> {
    let rank = reader.u32()?;
    if !(1..=RANK).contains(&rank) {
        return Err(format!("the tensor {name:?} has {rank} sizes, not 1 to {RANK}"));
    }
    let mut shape = Vec::new();
    for _ in 0..rank {
        let size = reader.u64()?;
        let size = usize::try_from(size).ok().filter(|size| *size > 0);
        shape.push(size.ok_or_else(|| format!("the tensor {name:?} has an impossible size"))?);
    }
    shape.reverse();
    let number = reader.u32()?;
    let kind = KINDS.iter().find(|(known, _)| *known == number);
    let Some((_, kind)) = kind else {
        return Err(format!(
            "the tensor {name:?} has values of the kind {number}, which is not read (F32, F16, BF16, Q4_0 to Q8_1 and the K kinds are)"
        ));
    };
    let row = shape.last().copied().unwrap_or(0);
    if !row.is_multiple_of(kind.block_size()) {
        return Err(format!(
            "the tensor {name:?} has rows of {row} values, and blocks of {}",
            kind.block_size()
        ));
    }
    let count = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
    let bytes = count.and_then(|count| (count / kind.block_size()).checked_mul(kind.type_size()));
    Ok(Info {
        shape,
        kind: *kind,
        start: reader.u64()?,
        bytes: bytes.ok_or_else(|| format!("the tensor {name:?} has an impossible size"))?,
    })
}

/// Turns offsets into places in the file, and checks that tensors lie in it, apart from each other.
fn place(
    infos: &mut BTreeMap<String, Info>,
    metadata: &BTreeMap<String, Value>,
    reader: &Reader,
) -> Why<()> {
    let alignment = match metadata.get("general.alignment") {
        None => 32,
        Some(Value::Integer(number)) => u64::try_from(*number).unwrap_or(0),
        Some(_) => 0,
    };
    if !alignment.is_power_of_two() || alignment > 1 << 20 {
        return Err("its general.alignment is no power of two".to_string());
    }
    let begin = reader.position().next_multiple_of(alignment);
    let mut places = Vec::with_capacity(infos.len());
    for (name, info) in infos.iter_mut() {
        let start = info.start.checked_add(begin);
        let end = start.and_then(|start| start.checked_add(info.bytes as u64));
        match (start, end) {
            (Some(start), Some(end)) if end <= reader.len() => {
                if !info.start.is_multiple_of(alignment) {
                    return Err(format!(
                        "the tensor {name:?} does not lie at a multiple of {alignment}"
                    ));
                }
                info.start = start;
                places.push((start, end, name));
            }
            _ => {
                return Err(format!(
                    "the tensor {name:?} should take {} bytes and the file ends before",
                    info.bytes
                ));
            }
        }
    }
    places.sort_unstable();
    for pair in places.windows(2) {
        if let [(_, end, one), (start, _, other)] = pair
            && start < end
        {
            return Err(format!("the tensors {one:?} and {other:?} lie over each other"));
        }
    }
    Ok(())
}
