//! The files that torch.save wrote before torch 1.6, and writes still when asked: five pickles in a row, then the storages.

use std::collections::BTreeMap;

use super::pickle::Described;
use super::source::Bytes;
use super::state_dict;
use crate::error::Result;

/// The first pickle: a number that says what follows.
const MAGIC: [u8; 15] =
    [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];
/// Pickles longer than this come from a broken or hostile file; real ones take a megabyte or two.
const LONGEST: u64 = 1 << 26;

/// The descriptions of a file's tensors, and where its storages begin.
pub struct Legacy {
    pub tensors: Vec<(String, Described)>,
    /// A storage's name → its first byte and its length in bytes.
    pub storages: BTreeMap<String, (u64, u64)>,
    /// The settings of a checkpoint.
    pub config: Option<serde_json::Value>,
}

/// Whether a file begins like one of these.
pub fn is_legacy(bytes: &Bytes) -> Result<bool> {
    let count = MAGIC.len();
    Ok(bytes.len() >= count as u64 && bytes.at(0, count)? == MAGIC)
}

/// Bytes of a value of a storage's kind.
fn size_of(kind: &str) -> std::result::Result<u64, String> {
    Ok(match kind {
        "DoubleStorage" | "LongStorage" | "ComplexFloatStorage" => 8,
        "FloatStorage" | "IntStorage" => 4,
        "HalfStorage" | "BFloat16Storage" | "ShortStorage" => 2,
        "ByteStorage" | "CharStorage" | "BoolStorage" => 1,
        "ComplexDoubleStorage" => 16,
        other => return Err(format!("it has a storage of the unknown kind {other:?}")),
    })
}

/// Reads what tensors there are, and where their values lie.
pub fn read(bytes: &Bytes) -> std::result::Result<Legacy, String> {
    let failed = |error: crate::error::Error| error.to_string();
    let count = bytes.len().min(LONGEST) as usize;
    let head = bytes.at(0, count).map_err(failed)?;
    let mut position = MAGIC.len();
    // The protocol, and what the machine was like: neither changes how the rest is read.
    for _ in 0..2 {
        let rest = head.get(position..).unwrap_or_default();
        position += state_dict::length(rest)?;
    }
    let rest = head.get(position..).unwrap_or_default();
    let state = state_dict::state(rest)?;
    position += state.length;
    let rest = head.get(position..).unwrap_or_default();
    let (keys, length) = state_dict::texts(rest)?;
    let mut place = (position + length) as u64;
    let mut storages = BTreeMap::new();
    for key in keys {
        let kind = state.kinds.get(&key);
        let kind = kind.ok_or_else(|| format!("it has a storage {key:?} that nothing is in"))?;
        let number = bytes.at(place, 8).map_err(|_| "it ends early".to_string())?;
        let elements = number.iter().rev().fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
        let size = elements.checked_mul(size_of(kind)?);
        let end = size.and_then(|size| size.checked_add(place + 8));
        match (size, end) {
            (Some(size), Some(end)) if end <= bytes.len() => {
                storages.insert(key, (place + 8, size));
                place = end;
            }
            _ => return Err("it ends early".to_string()),
        }
    }
    Ok(Legacy { tensors: state.tensors, storages, config: state.config })
}
