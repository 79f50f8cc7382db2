//! Weights that are only read: laid out once for all products with them, which then run at the speed of the processor for
//! many rows and of its memory for one. The bits are those of [`linear`](super::linear()).

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor, bail};

use super::cpu::{Elements, elements, prepared};
use super::linear::input_gradient;
use super::packed::Packed;
use super::products::{Panels, Rows, Side, matrix};

/// A weight (out, in) on the CPU that gets no gradient, and beside it the same values as f32 in the order in which
/// products read them.
pub struct FixedWeight {
    source: Source,
    panels: Panels,
    outputs: usize,
    inputs: usize,
}

enum Source {
    Dense(Tensor),
    Packed(Arc<Packed>),
}

impl FixedWeight {
    /// Lays out a dense weight.
    pub fn dense(weight: &Tensor) -> Result<Self> {
        Self::new(Source::Dense(weight.detach()))
    }

    /// Lays out a matrix in GGUF blocks.
    pub fn packed(weight: Arc<Packed>) -> Result<Self> {
        Self::new(Source::Packed(weight))
    }

    fn new(source: Source) -> Result<Self> {
        let weight = prepared(&source.unpacked()?)?;
        let (outputs, inputs) = weight.dims2()?;
        if outputs * inputs == 0 {
            bail!("expected a weight with elements, got {:?}", weight.dims());
        }
        let rows = Elements::of(&weight)?;
        let panels = Panels::of(Side::Rows(Rows::packed(&rows, inputs)));
        drop(rows);
        Ok(Self { source, panels, outputs, inputs })
    }

    /// Bytes that laying out a weight (out, in) takes.
    pub fn bytes(outputs: usize, inputs: usize) -> usize {
        Panels::bytes(outputs, inputs)
    }
}

impl Source {
    fn unpacked(&self) -> Result<Tensor> {
        match self {
            Self::Dense(weight) => Ok(weight.clone()),
            Self::Packed(weight) => weight.unpack(),
        }
    }
}

/// `x · wᵀ + bias` with a fixed weight: x (…, in), bias (out) → (…, out).
pub fn fixed_linear(
    x: &Tensor,
    weight: &Arc<FixedWeight>,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let mut shape = x.dims().to_vec();
    if x.dim(D::Minus1)? != weight.inputs {
        bail!("fixed_linear: expected inputs of width {}, got {shape:?}", weight.inputs);
    }
    shape.pop();
    let rows = shape.iter().product::<usize>();
    shape.push(weight.outputs);
    let flat = prepared(&x.reshape((rows, weight.inputs))?)?;
    let bias = bias.map(prepared).transpose()?;
    let y = flat.apply_op1(FixedLinear { weight: weight.clone(), bias })?;
    y.reshape(shape)?.to_dtype(x.dtype())
}

struct FixedLinear {
    weight: Arc<FixedWeight>,
    bias: Option<Tensor>,
}

impl CustomOp1 for FixedLinear {
    fn name(&self) -> &'static str {
        "fixed_linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let weight = &self.weight;
        let x = Side::Rows(Rows::packed(elements(x, layout)?, weight.inputs));
        let bias = self.bias.as_ref().map(Elements::of).transpose()?;
        let out = matrix(x, weight.panels.all(), bias.as_deref());
        Ok((CpuStorage::F32(out), (layout.dims()[0], weight.outputs).into()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let weight = prepared(&self.weight.source.unpacked()?)?;
        input_gradient(&grad.contiguous()?, &weight).map(Some)
    }
}
