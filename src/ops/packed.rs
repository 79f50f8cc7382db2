//! Weight matrices in GGUF blocks: they stay packed, and are unpacked a few rows at a time while they are multiplied.
//!
//! A product with a packed matrix has the same bits as one with the matrix unpacked to f32.

use std::borrow::Cow;
use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{CpuStorage, CustomOp1, D, Device, Layout, Result, Shape, Tensor, bail};

use super::cpu::{Elements, collect, elements, prepared};
use super::linear::input_gradient;
use super::products::{Rows, Side, Target, products};

/// A packed matrix (out, in) that is never trained.
pub struct Packed {
    /// Some rows each, in order; all but the last have equally many.
    pieces: Vec<QTensor>,
    rows: usize,
    width: usize,
    dtype: GgmlDType,
}

/// A packed matrix's bytes in one piece, to be kept and to be made again.
pub struct Blocks {
    /// As [`Packed::kind`] has it.
    pub kind: String,
    pub rows: usize,
    /// The blocks of all rows, in order.
    pub bytes: Vec<u8>,
}

/// The kinds of blocks.
const KINDS: [GgmlDType; 12] = [
    GgmlDType::Q4_0,
    GgmlDType::Q4_1,
    GgmlDType::Q5_0,
    GgmlDType::Q5_1,
    GgmlDType::Q8_0,
    GgmlDType::Q8_1,
    GgmlDType::Q2K,
    GgmlDType::Q3K,
    GgmlDType::Q4K,
    GgmlDType::Q5K,
    GgmlDType::Q6K,
    GgmlDType::Q8K,
];

/// A kind of blocks in GGUF's terms: "q4_1".
fn name_of(kind: GgmlDType) -> String {
    format!("{kind:?}").to_lowercase()
}

/// Values that are unpacked at a time: they fit a core's cache.
const PIECE: usize = 1 << 16;

impl Packed {
    /// Cuts a packed matrix into pieces of whole rows.
    pub fn new(matrix: &QTensor) -> Result<Self> {
        let (rows, width) = matrix.shape().dims2()?;
        let dtype = matrix.dtype();
        if rows * width == 0 || !width.is_multiple_of(dtype.block_size()) {
            bail!(
                "a packed matrix needs rows of whole blocks of {}, got {:?}",
                dtype.block_size(),
                matrix.shape()
            );
        }
        let bytes = matrix.data()?;
        let row = width / dtype.block_size() * dtype.type_size();
        let count = (PIECE / width).clamp(1, rows);
        let device = matrix.device();
        let mut pieces = Vec::with_capacity(rows.div_ceil(count));
        for piece in bytes.chunks(count * row) {
            let storage = QStorage::from_data(Cow::Borrowed(piece), &device, dtype)?;
            pieces.push(QTensor::new(storage, (piece.len() / row, width))?);
        }
        Ok(Self { pieces, rows, width, dtype })
    }

    /// Packs a dense matrix.
    pub fn quantize(matrix: &Tensor, dtype: GgmlDType) -> Result<Self> {
        Self::new(&QTensor::quantize(&matrix.contiguous()?, dtype)?)
    }

    /// The matrix whose blocks these are.
    pub fn of_blocks(blocks: &Blocks, device: &Device) -> Result<Self> {
        let Some(dtype) = KINDS.into_iter().find(|kind| name_of(*kind) == blocks.kind) else {
            bail!("there are no blocks of the kind {:?}", blocks.kind);
        };
        let (rows, bytes) = (blocks.rows, blocks.bytes.len());
        if rows == 0 || !bytes.is_multiple_of(rows * dtype.type_size()) {
            bail!("{bytes} bytes are no {rows} rows of whole {} blocks", blocks.kind);
        }
        let width = bytes / rows / dtype.type_size() * dtype.block_size();
        let storage = QStorage::from_data(Cow::Borrowed(&blocks.bytes), device, dtype)?;
        Self::new(&QTensor::new(storage, (rows, width))?)
    }

    /// All blocks in one piece.
    pub fn blocks(&self) -> Result<Blocks> {
        let mut bytes = Vec::with_capacity(self.bytes());
        for piece in &self.pieces {
            bytes.extend_from_slice(&piece.data()?);
        }
        Ok(Blocks { kind: self.kind(), rows: self.rows, bytes })
    }

    /// (out, in)
    pub fn dims(&self) -> [usize; 2] {
        [self.rows, self.width]
    }

    /// The kind of blocks, in GGUF's terms: "q4_1".
    pub fn kind(&self) -> String {
        name_of(self.dtype)
    }

    /// Where the blocks are.
    pub fn device(&self) -> Device {
        self.pieces.first().map_or(Device::Cpu, |piece| piece.device())
    }

    /// Bytes that the blocks take.
    pub fn bytes(&self) -> usize {
        let sizes = self.pieces.iter().map(QTensor::storage_size_in_bytes);
        sizes.sum()
    }

    /// All values, (out, in) f32.
    pub fn unpack(&self) -> Result<Tensor> {
        let device = self.device();
        let parts = collect(self.pieces.len(), self.rows * self.width, |index| {
            self.pieces[index].dequantize(&device)
        });
        Tensor::cat(&parts.into_iter().collect::<Result<Vec<_>>>()?, 0)
    }
}

/// `x · wᵀ + bias` with a packed weight: x (…, in), bias (out) → (…, out). The weight gets no gradient.
pub fn packed_linear(x: &Tensor, weight: &Arc<Packed>, bias: Option<&Tensor>) -> Result<Tensor> {
    let [outputs, inputs] = weight.dims();
    if x.dim(D::Minus1)? != inputs {
        bail!("packed_linear: expected inputs of width {inputs}, got {:?}", x.dims());
    }
    let mut shape = x.dims().to_vec();
    shape.pop();
    let rows = shape.iter().product::<usize>();
    shape.push(outputs);
    let flat = x.reshape((rows, inputs))?;
    let y = if x.device().is_cpu() {
        prepared(&flat)?.apply_op1(PackedLinear(weight.clone()))?
    } else {
        let unpacked = weight.unpack()?.to_dtype(x.dtype())?;
        flat.matmul(&unpacked.t()?)?
    };
    let y = y.reshape(shape)?.to_dtype(x.dtype())?;
    match bias {
        Some(bias) => y.broadcast_add(bias),
        None => Ok(y),
    }
}

struct PackedLinear(Arc<Packed>);

impl CustomOp1 for PackedLinear {
    fn name(&self) -> &'static str {
        "packed_linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let weight = &*self.0;
        let [outputs, inputs] = weight.dims();
        let x = Rows::packed(elements(x, layout)?, inputs);
        let rows = layout.dims()[0];
        let panels =
            collect(weight.pieces.len(), rows * outputs * inputs, |index| -> Result<Vec<f32>> {
                let piece = weight.pieces[index].dequantize(&Device::Cpu)?;
                let stride = piece.dim(0)?;
                let mut data = vec![0.0; rows * stride];
                let values = Elements::of(&piece)?;
                let target = Target { data: &mut data, stride };
                let values = Side::Rows(Rows::packed(&values, inputs));
                products(Side::Rows(x), values.into(), None, target);
                Ok(data)
            });
        let mut out = vec![0.0; rows * outputs];
        let mut column = 0;
        for panel in panels {
            let panel = panel?;
            let width = panel.len() / rows.max(1);
            for (row, part) in panel.chunks_exact(width.max(1)).enumerate() {
                out[row * outputs + column..][..width].copy_from_slice(part);
            }
            column += width;
        }
        Ok((CpuStorage::F32(out), (rows, outputs).into()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        input_gradient(&grad.contiguous()?, &self.0.unpack()?).map(Some)
    }
}
