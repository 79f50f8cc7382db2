//! The values of a tensor: in their blocks, dense, or with their rows in another order.

use std::borrow::Cow;

use candle_core::quantized::{QStorage, QTensor};
use candle_core::{DType, Device, Tensor};

use super::container::{Container, Info, Kind};
use crate::error::{Error, Result};

/// The matrix in its blocks.
pub fn quantized(data: &[u8], info: &Info, device: &Device) -> Result<QTensor> {
    let storage = QStorage::from_data(Cow::Borrowed(data), device, info.kind)?;
    Ok(QTensor::new(storage, info.shape.as_slice())?)
}

/// The values of a tensor, as f32 where they are in blocks.
pub fn dense(data: &[u8], info: &Info, device: &Device) -> Result<Tensor> {
    let plain = match info.kind {
        Kind::F32 => DType::F32,
        Kind::F16 => DType::F16,
        Kind::BF16 => DType::BF16,
        _ => return Ok(quantized(data, info, device)?.dequantize(device)?),
    };
    Ok(Tensor::from_raw_buffer(data, plain, &info.shape, device)?)
}

/// The values of a small tensor.
pub fn tensor_values(file: &Container, info: &Info) -> Result<Vec<f32>> {
    let values = dense(&file.data(info)?, info, &Device::Cpu)?;
    Ok(values.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
}

/// Puts whole rows in another order; blocks never reach over the end of a row.
pub fn reordered(data: &[u8], order: &[usize], info: &Info) -> Result<Vec<u8>> {
    let row = data.len() / info.shape.first().copied().unwrap_or(1).max(1);
    let mut out = Vec::with_capacity(data.len());
    for place in order {
        let start = place.saturating_mul(row);
        match data.get(start..start.saturating_add(row)) {
            Some(bytes) => out.extend_from_slice(bytes),
            None => return Err(Error::failed("a tensor of the GGUF file lacks rows")),
        }
    }
    Ok(out)
}
