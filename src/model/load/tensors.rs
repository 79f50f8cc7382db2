//! Files of tensors from strangers: safetensors, and the archives that torch.save writes. Headers are checked before they
//! are believed; nothing in them is executed.

use candle_core::{DType, Device, Tensor};
use safetensors::Dtype;
use safetensors::tensor::Metadata;

use super::archive::Archive;
use super::source::{Bytes, Files};
use crate::error::{Error, Result};

/// Headers longer than this come from a broken or hostile file; real ones take a few megabytes at most.
const LONGEST_HEADER: u64 = 1 << 25;

/// An opened file of tensors.
pub enum TensorFile {
    Safetensors {
        bytes: Bytes,
        /// Where the values begin.
        start: u64,
        metadata: Metadata,
    },
    Archive(Box<Archive>),
}

impl TensorFile {
    /// Opens a `.safetensors` or `.bin` file of a model.
    pub fn open(files: &Files, name: &str) -> Result<Option<Self>> {
        let what = format!("{name} of {}", files.source);
        if name.ends_with(".safetensors") {
            let bytes = files.open(name)?;
            return bytes.map(|bytes| safetensors(bytes, &what)).transpose();
        }
        let Some(opened) = files.handle(name)? else {
            return Ok(None);
        };
        let archive = Archive::open(opened, &what)?;
        Ok(Some(Self::Archive(Box::new(archive))))
    }

    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = match self {
            Self::Safetensors { metadata, .. } => metadata.offset_keys(),
            Self::Archive(archive) => archive.tensors.keys().cloned().collect(),
        };
        names.sort_unstable();
        names
    }

    /// The settings that a checkpoint of torch.save has beside its weights.
    pub fn config(&self) -> Option<&serde_json::Value> {
        match self {
            Self::Safetensors { .. } => None,
            Self::Archive(archive) => archive.config.as_ref(),
        }
    }

    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        match self {
            Self::Safetensors { metadata, .. } => Some(metadata.info(name)?.shape.clone()),
            Self::Archive(archive) => Some(archive.tensors.get(name)?.shape.clone()),
        }
    }

    /// What a safetensors file's own notes say under a key.
    pub fn said(&self, key: &str) -> Option<&str> {
        match self {
            Self::Safetensors { metadata, .. } => Some(metadata.metadata().as_ref()?.get(key)?),
            Self::Archive(_) => None,
        }
    }

    /// The stored bytes of a tensor in a safetensors file, whatever they are.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        match self {
            Self::Safetensors { bytes, start, metadata } => {
                let info = metadata.info(name);
                let info = info.ok_or_else(|| missing(name))?;
                let (from, to) = info.data_offsets;
                bytes.at(start + from as u64, to - from)
            }
            Self::Archive(_) => Err(missing(name)),
        }
    }

    /// The tensor as `dtype` on the CPU.
    pub fn read(&self, name: &str, dtype: DType) -> Result<Tensor> {
        match self {
            Self::Safetensors { metadata, .. } => {
                let info = metadata.info(name).ok_or_else(|| missing(name))?;
                let stored = stored_type(name, info.dtype)?;
                let values = self.bytes(name)?;
                let tensor = Tensor::from_raw_buffer(&values, stored, &info.shape, &Device::Cpu)?;
                Ok(tensor.to_dtype(dtype)?)
            }
            Self::Archive(archive) => Ok(archive.read(name)?.to_dtype(dtype)?),
        }
    }
}

fn missing(name: &str) -> Error {
    Error::failed(format!("there is no tensor `{name}`"))
}

fn safetensors(bytes: Bytes, what: &str) -> Result<TensorFile> {
    let refuse = |why: String| {
        Error::failed_with_hint(
            format!("{what} is not a whole safetensors file: {why}"),
            "copy or download it again: it may have been cut short",
        )
    };
    let first =
        bytes.at(0, 8).map_err(|_| refuse("it is shorter than its first number".to_string()))?;
    let length = first.iter().rev().fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
    let room = bytes.len().saturating_sub(8);
    if length > room {
        return Err(refuse(format!("its header should take {length} bytes and {room} are there")));
    }
    if length > LONGEST_HEADER {
        return Err(refuse(format!(
            "its header of {length} bytes is longer than {LONGEST_HEADER}"
        )));
    }
    let header = bytes.at(8, length as usize)?;
    let metadata: Metadata =
        serde_json::from_slice(&header).map_err(|error| refuse(error.to_string()))?;
    let values = room - length;
    let mut end = 0;
    for name in metadata.offset_keys() {
        let Some(info) = metadata.info(&name) else {
            continue;
        };
        let (from, to) = info.data_offsets;
        let count = info.shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
        let size = count.and_then(|count| count.checked_mul(info.dtype.bitsize()));
        if from != end || to < from || size.is_none_or(|bits| bits / 8 != to - from) {
            return Err(refuse(format!(
                "the tensor {name:?} does not fill the bytes {from} to {to}"
            )));
        }
        end = to;
    }
    if end as u64 != values {
        return Err(refuse(format!("its tensors take {end} bytes and {values} are there")));
    }
    Ok(TensorFile::Safetensors { start: 8 + length, bytes, metadata })
}

fn stored_type(name: &str, dtype: Dtype) -> Result<DType> {
    match dtype {
        Dtype::F32 => Ok(DType::F32),
        Dtype::F16 => Ok(DType::F16),
        Dtype::BF16 => Ok(DType::BF16),
        Dtype::F64 => Ok(DType::F64),
        other => Err(Error::invalid(
            format!("loading `{name}`"),
            "f32, f16, bf16 or f64 values",
            format!("{other:?}"),
        )),
    }
}

/// The files that hold a model's weights, in order: one, or the shards that an index names.
pub fn weight_files(files: &Files) -> Result<Vec<String>> {
    for (one, index) in [
        ("model.safetensors", "model.safetensors.index.json"),
        ("pytorch_model.bin", "pytorch_model.bin.index.json"),
    ] {
        if files.open(one)?.is_some() {
            return Ok(vec![one.to_string()]);
        }
        if let Some(text) = files.read(index)? {
            return shards(files, index, &text);
        }
    }
    files.required("model.safetensors").map(|_| Vec::new())
}

fn shards(files: &Files, index: &str, text: &[u8]) -> Result<Vec<String>> {
    let broken = || Error::failed(format!("{index} has no readable weight_map"));
    let value: serde_json::Value = serde_json::from_slice(text).map_err(|_| broken())?;
    let map = value.get("weight_map").and_then(serde_json::Value::as_object).ok_or_else(broken)?;
    let mut names: Vec<String> =
        map.values().filter_map(serde_json::Value::as_str).map(str::to_string).collect();
    names.sort_unstable();
    names.dedup();
    let plain = |name: &&String| {
        !name.contains(['/', '\\']) && (name.ends_with(".safetensors") || name.ends_with(".bin"))
    };
    if let Some(name) = names.iter().find(|name| !plain(name)) {
        return Err(Error::failed(format!(
            "the weight index names {name:?}, which is no file beside it"
        )));
    }
    for name in &names {
        if files.open(name)?.is_none() {
            return Err(Error::failed_with_hint(
                format!("the model {} lacks its part {name}", files.source),
                format!("{index} names it: copy or download it again"),
            ));
        }
    }
    Ok(names)
}
