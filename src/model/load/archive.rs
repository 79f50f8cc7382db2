//! The archives that torch.save writes: a zip of a pickle that describes tensors and of their storages as plain bytes; and
//! its older files, without a zip.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::sync::Mutex;

use candle_core::{DType, Device, Tensor};
use zip::{CompressionMethod, ZipArchive};

use super::legacy::{self, Legacy};
use super::pickle::Described;
use super::source::Bytes;
use super::state_dict;
use crate::doorway::Opened;
use crate::error::{Error, Result};
use crate::memory;

/// Pickles longer than this come from a broken or hostile file; real ones take a megabyte or two.
const LONGEST: u64 = 1 << 26;
/// Bytes that a tensor may take whose elements lie over each other.
const LARGEST_OVERLAP: usize = 1 << 24;
/// The entry that describes the tensors; storages are beside it.
const PICKLE: &str = "data.pkl";

/// An opened archive.
pub struct Archive {
    store: Store,
    pub tensors: BTreeMap<String, Described>,
    /// The settings that a checkpoint has under "config" beside its "state_dict".
    pub config: Option<serde_json::Value>,
}

/// Where the storages are.
enum Store {
    Zip {
        zip: Mutex<ZipArchive<BufReader<File>>>,
        /// The folder in the archive that everything is in, with its "/".
        folder: String,
    },
    Plain {
        bytes: Bytes,
        /// A storage's name → its first byte and its length.
        storages: BTreeMap<String, (u64, u64)>,
    },
}

impl Archive {
    /// Reads what tensors there are; `what` names the file in errors.
    pub fn open(opened: Opened, what: &str) -> Result<Self> {
        let refuse = |why: String| {
            Error::failed_with_hint(
                format!("{what} is not a torch.save archive of plain tensors: {why}"),
                "nothing in it was executed; save the model with save_pretrained (safetensors) to be sure of what it holds",
            )
        };
        let named = |tensors: Vec<(String, Described)>| {
            if tensors.is_empty() {
                Err(refuse("it holds no tensors".to_string()))
            } else {
                Ok(tensors.into_iter().collect())
            }
        };
        let bytes = Bytes::of(opened);
        if legacy::is_legacy(&bytes)? {
            let Legacy { tensors, storages, config } = legacy::read(&bytes).map_err(refuse)?;
            let store = Store::Plain { bytes, storages };
            return Ok(Self { store, tensors: named(tensors)?, config });
        }
        let file = bytes.into_file().map_err(refuse)?;
        let mut zip =
            ZipArchive::new(BufReader::new(file)).map_err(|error| refuse(error.to_string()))?;
        let name = zip
            .file_names()
            .filter_map(|name| Some(name.ok()?.to_string()))
            .find(|name| name == PICKLE || name.ends_with(&format!("/{PICKLE}")));
        let name = name.ok_or_else(|| refuse(format!("it has no {PICKLE}")))?;
        let bytes = stored(&mut zip, &name, 0, None).map_err(refuse)?;
        let state = state_dict::state(&bytes).map_err(refuse)?;
        let folder = name.trim_end_matches(PICKLE).to_string();
        let zip = Mutex::new(zip);
        let store = Store::Zip { zip, folder };
        Ok(Self { store, tensors: named(state.tensors)?, config: state.config })
    }

    /// A tensor on the CPU, in the type that it is stored in.
    pub fn read(&self, name: &str) -> Result<Tensor> {
        let tensor = self.tensors.get(name);
        let tensor = tensor.ok_or_else(|| Error::failed(format!("there is no tensor `{name}`")))?;
        let refuse =
            |why: String| Error::failed(format!("the tensor `{name}` cannot be read: {why}"));
        let dtype = type_of(&tensor.kind).map_err(refuse)?;
        let size = dtype.size_in_bytes();
        let elements = elements(tensor, size).map_err(refuse)?;
        let start = tensor.offset.checked_mul(size);
        let length = elements.last.checked_mul(size);
        let (Some(start), Some(length)) = (start, length) else {
            return Err(refuse("it reaches beyond any file".to_string()));
        };
        let bytes = self.store.part(&tensor.key, start as u64, length);
        let bytes = bytes.map_err(refuse)?;
        let bytes = match elements.places {
            None => bytes,
            Some(places) => {
                let value =
                    |place: usize| bytes.get(place * size..(place + 1) * size).unwrap_or_default();
                places.into_iter().flat_map(value).copied().collect()
            }
        };
        Ok(Tensor::from_raw_buffer(&bytes, dtype, &tensor.shape, &Device::Cpu)?)
    }
}

impl Store {
    /// So many bytes of a storage.
    fn part(&self, key: &str, start: u64, count: usize) -> std::result::Result<Vec<u8>, String> {
        match self {
            Self::Zip { zip, folder } => {
                let mut zip = zip
                    .lock()
                    .map_err(|_| "its file's reader stopped in the middle".to_string())?;
                stored(&mut zip, &format!("{folder}data/{key}"), start, Some(count))
            }
            Self::Plain { bytes, storages } => {
                let (first, size) =
                    storages.get(key).ok_or_else(|| format!("there is no storage {key:?}"))?;
                let end = start.checked_add(count as u64);
                if end.is_none_or(|end| end > *size) {
                    return Err(format!(
                        "its storage {key:?} has {size} bytes, and {count} from {start} on are asked for"
                    ));
                }
                bytes.at(first + start, count).map_err(|error| error.to_string())
            }
        }
    }
}

/// Bytes of an entry: so many from `start`, or all of a short one.
fn stored(
    zip: &mut ZipArchive<BufReader<File>>,
    name: &str,
    start: u64,
    count: Option<usize>,
) -> std::result::Result<Vec<u8>, String> {
    let mut entry = zip.by_name(name).map_err(|error| format!("{name:?}: {error}"))?;
    if entry.compression() != CompressionMethod::Stored {
        return Err(format!("its entry {name:?} is compressed, which torch.save does not do"));
    }
    let size = entry.size();
    let count = match count {
        Some(count) => count as u64,
        None if size > LONGEST => return Err(format!("its entry {name:?} has {size} bytes")),
        None => size,
    };
    if start.checked_add(count).is_none_or(|end| end > size) {
        return Err(format!(
            "its entry {name:?} has {size} bytes, and {count} from {start} on are asked for"
        ));
    }
    let failed = |error: std::io::Error| format!("{name:?}: {error}");
    std::io::copy(&mut entry.by_ref().take(start), &mut std::io::sink()).map_err(failed)?;
    let mut bytes = Vec::new();
    entry.take(count).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 == count {
        Ok(bytes)
    } else {
        Err(format!("its entry {name:?} ends early"))
    }
}

fn type_of(kind: &str) -> std::result::Result<DType, String> {
    match kind {
        "FloatStorage" => Ok(DType::F32),
        "DoubleStorage" => Ok(DType::F64),
        "HalfStorage" => Ok(DType::F16),
        "BFloat16Storage" => Ok(DType::BF16),
        other => Err(format!("its values are of {other:?}, not f32, f16, bf16 or f64")),
    }
}

/// Where a tensor's elements are, counted from its offset.
struct Elements {
    /// One beyond the last.
    last: usize,
    /// Each in row-major order; `None` where they lie in that order.
    places: Option<Vec<usize>>,
}

fn elements(tensor: &Described, size: usize) -> std::result::Result<Elements, String> {
    let beyond = || "its shape is beyond any file".to_string();
    if tensor.stride.len() != tensor.shape.len() {
        return Err("it has other strides than sizes".to_string());
    }
    let mut count = 1usize;
    let mut in_order = true;
    for (size, stride) in tensor.shape.iter().zip(&tensor.stride).rev() {
        in_order &= *size == 1 || *stride == count;
        count = count.checked_mul(*size).ok_or_else(beyond)?;
    }
    if in_order || count == 0 {
        return Ok(Elements { last: count, places: None });
    }
    // No file of ours has a tensor of more elements in another order; each takes eight bytes here.
    if count > 1 << 31 {
        return Err(beyond());
    }
    let last = last_of(tensor).ok_or_else(beyond)?;
    // Strides of zero let a few stored values stand for any number: small ones are filled in, large ones are a trap.
    if count > last && count.saturating_mul(size) > LARGEST_OVERLAP {
        return Err(format!(
            "its {count} elements lie over each other in the {last} that are stored"
        ));
    }
    let bytes = (count as u64).saturating_mul(8 + 2 * size as u64);
    memory::require_room(bytes, "putting its elements in order").map_err(|e| e.to_string())?;
    let mut places = vec![0usize];
    for (size, stride) in tensor.shape.iter().zip(&tensor.stride) {
        let steps = |place: usize| (0..*size).map(move |step| place.saturating_add(step * stride));
        places = places.into_iter().flat_map(steps).collect();
    }
    Ok(Elements { last, places: Some(places) })
}

/// One beyond the last element, counted from the first.
fn last_of(tensor: &Described) -> Option<usize> {
    let sizes = tensor.shape.iter().zip(&tensor.stride);
    let furthest = |(size, stride): (&usize, &usize)| size.checked_sub(1)?.checked_mul(*stride);
    sizes.map(furthest).try_fold(1, |sum: usize, further| sum.checked_add(further?))
}
