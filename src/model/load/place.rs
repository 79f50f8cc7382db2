//! Where a model's weights go: the device, their type, and whether there is room.

use candle_core::{DType, Device};

use super::options::LoadOptions;
use crate::error::{Error, Result};
use crate::memory;
use crate::model::config::Config;
use crate::model::decoder;
use crate::model::weights::Matrices;

/// The device by its name: "auto" is the first GPU of a build that has the feature, else the CPU.
pub fn device_of(name: &str) -> Result<Device> {
    match name {
        "" | "auto" => Ok(Device::cuda_if_available(0).unwrap_or(Device::Cpu)),
        "cpu" => Ok(Device::Cpu),
        other => {
            let index = other.strip_prefix("cuda:").and_then(|index| index.parse().ok());
            let Some(index) = index else {
                return Err(Error::failed_with_hint(
                    format!("unknown device `{other}`"),
                    "write \"cpu\", \"cuda:0\" for the first NVIDIA GPU, or \"auto\" for that one where it can be used",
                ));
            };
            Device::new_cuda(index).map_err(|error| {
                Error::failed_with_hint(
                    format!("the device {other} cannot be used: {error}"),
                    "build with --features cuda on a machine with an NVIDIA GPU, or use device \"cpu\"",
                )
            })
        }
    }
}

pub(in crate::model) fn dtype_of(options: &LoadOptions) -> Result<DType> {
    match options.dtype.as_deref() {
        None | Some("f32") => Ok(DType::F32),
        Some("bf16") => Ok(DType::BF16),
        Some("f16") => Ok(DType::F16),
        Some(other) => Err(Error::unknown("dtype", other, ["f32", "bf16", "f16"])),
    }
}

/// Refuses a model whose weights have no room, before any but the packed ones is read.
pub(super) fn require_memory(
    config: &Config,
    packed: &Matrices,
    dtype: DType,
    device: &Device,
) -> Result<()> {
    let ahead = decoder::shapes(config).into_iter().filter(|(name, _)| !packed.contains_key(name));
    let sizes = ahead.map(|(_, shape)| {
        let sizes = shape.into_iter().map(|size| size as u64);
        sizes.fold(1u64, u64::saturating_mul)
    });
    let values = sizes.fold(0u64, u64::saturating_add);
    memory::require(
        values.saturating_mul(dtype.size_in_bytes() as u64),
        device,
        &format!("a model of {values} parameters as {}", dtype.as_str()),
        "load it with dtype: \"bf16\", load a GGUF file of it, or take a smaller model",
    )
}
