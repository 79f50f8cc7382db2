//! The affine map of every projection: `y = x · wᵀ + b`.

use candle_core::{
    CpuStorage, CustomOp2, CustomOp3, D, Device, Layout, Result, Shape, Tensor, bail,
};

use super::cpu::{Elements, collect, column_sums, elements, fill, prepared};
use super::products::{Factors, Rows, Target, combinations, dots};

/// `x · wᵀ + bias`: x (…, in), weight (out, in), bias (out) → (…, out).
/// The gradient of a weight that is not part of a trained graph is never computed.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (outputs, inputs) = weight.dims2()?;
    let width = x.dim(D::Minus1)?;
    if outputs * inputs == 0 {
        bail!("linear: expected a weight with elements, got {:?}", weight.dims());
    }
    if width != inputs || bias.is_some_and(|bias| bias.dims() != [outputs]) {
        bail!(
            "linear: expected inputs of width {inputs} and a bias of width {outputs}, got {width} and {:?}",
            bias.map(Tensor::dims)
        );
    }
    let mut shape = x.dims().to_vec();
    shape.pop();
    let rows = shape.iter().product::<usize>();
    shape.push(outputs);
    let flat = x.reshape((rows, inputs))?;
    if !x.device().is_cpu() {
        let y = flat.matmul(&weight.t()?)?.reshape(shape)?;
        return match bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        };
    }
    let (flat, weight) = (prepared(&flat)?, prepared(weight)?);
    let y = match bias {
        Some(bias) => flat.apply_op3(&weight, &prepared(bias)?, Linear)?,
        None => flat.apply_op2(&weight, Linear)?,
    };
    y.reshape(shape)?.to_dtype(x.dtype())
}

struct Linear;

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (outputs, inputs) = weight_layout.shape().dims2()?;
        let x = Rows::packed(elements(x, x_layout)?, inputs);
        let weight = Rows::packed(elements(weight, weight_layout)?, inputs);
        let rows = x_layout.dims()[0];
        Ok((CpuStorage::F32(forward(x, weight, None)), (rows, outputs).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        Ok((
            x.track_op().then(|| input_gradient(&grad, weight)).transpose()?,
            weight.track_op().then(|| weight_gradient(&grad, x)).transpose()?,
        ))
    }
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (outputs, inputs) = weight_layout.shape().dims2()?;
        let x = Rows::packed(elements(x, x_layout)?, inputs);
        let weight = Rows::packed(elements(weight, weight_layout)?, inputs);
        let bias = elements(bias, bias_layout)?;
        let rows = x_layout.dims()[0];
        Ok((CpuStorage::F32(forward(x, weight, Some(bias))), (rows, outputs).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let (x_gradient, weight_gradient) = CustomOp2::bwd(self, x, weight, y, &grad)?;
        let bias_gradient = bias.track_op().then(|| column_sums(&grad)).transpose()?;
        Ok((x_gradient, weight_gradient, bias_gradient))
    }
}

/// All outputs, shared out by blocks of rows where there are many and by blocks of columns where there are few. Each
/// output is computed by itself, so the division changes no bits.
fn forward(x: Rows, weight: Rows, bias: Option<&[f32]>) -> Vec<f32> {
    if x.count >= 8 * rayon::current_num_threads() {
        by_rows(x, weight, bias)
    } else {
        by_columns(x, weight, bias)
    }
}

fn by_rows(x: Rows, weight: Rows, bias: Option<&[f32]>) -> Vec<f32> {
    let outputs = weight.count;
    let tasks = 4 * rayon::current_num_threads();
    let block = x.count.div_ceil(tasks).next_multiple_of(4).min(64);
    let mut out = vec![0.0; x.count * outputs];
    let work = out.len() * x.width;
    fill(&mut out, block * outputs, work, |index, data| {
        let rows = x.range(index * block..index * block + data.len() / outputs);
        let stride = outputs;
        dots(rows, weight, bias, Target { data, stride });
    });
    out
}

fn by_columns(x: Rows, weight: Rows, bias: Option<&[f32]>) -> Vec<f32> {
    let outputs = weight.count;
    let tasks = 2 * rayon::current_num_threads();
    let block = outputs.div_ceil(tasks).next_multiple_of(16);
    let mut out = vec![0.0; x.count * outputs];
    let panels = collect(outputs.div_ceil(block), out.len() * x.width, |index| {
        let columns = index * block..outputs.min((index + 1) * block);
        let stride = columns.len();
        let mut data = vec![0.0; x.count * stride];
        let target = Target { data: &mut data, stride };
        let bias = bias.map(|bias| &bias[columns.clone()]);
        dots(x, weight.range(columns), bias, target);
        data
    });
    for (index, panel) in panels.iter().enumerate() {
        let width = panel.len() / x.count.max(1);
        for (row, part) in panel.chunks_exact(width.max(1)).enumerate() {
            out[row * outputs + index * block..][..width].copy_from_slice(part);
        }
    }
    out
}

/// Rows of a gradient that one task makes.
const GRADIENT_ROWS: usize = 32;

/// `grad · w`: (rows, out) and (out, in) → (rows, in).
pub(super) fn input_gradient(grad: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let (rows, outputs) = grad.dims2()?;
    let inputs = weight.dim(1)?;
    let (grad, weight) = (Elements::of(grad)?, Elements::of(weight)?);
    let mut out = vec![0.0; rows * inputs];
    let work = rows * inputs * outputs;
    fill(&mut out, GRADIENT_ROWS * inputs, work, |index, data| {
        let count = data.len() / inputs;
        let factors =
            Factors { data: &grad[index * GRADIENT_ROWS * outputs..], row: outputs, step: 1 };
        let stride = inputs;
        combinations(factors, count, Rows::packed(&weight, inputs), Target { data, stride });
    });
    Tensor::from_vec(out, (rows, inputs), &Device::Cpu)
}

/// `gradᵀ · x`: (rows, out) and (rows, in) → (out, in).
fn weight_gradient(grad: &Tensor, x: &Tensor) -> Result<Tensor> {
    let (rows, outputs) = grad.dims2()?;
    let inputs = x.dim(1)?;
    let (grad, x) = (Elements::of(grad)?, Elements::of(x)?);
    let mut out = vec![0.0; outputs * inputs];
    let work = rows * inputs * outputs;
    fill(&mut out, GRADIENT_ROWS * inputs, work, |index, data| {
        let count = data.len() / inputs;
        // The columns of the gradient at hand, side by side.
        let mut columns = Vec::with_capacity(rows * count);
        for row in grad.chunks_exact(outputs) {
            columns.extend_from_slice(&row[index * GRADIENT_ROWS..][..count]);
        }
        let factors = Factors { data: &columns, row: 1, step: count };
        let stride = inputs;
        combinations(factors, count, Rows::packed(&x, inputs), Target { data, stride });
    });
    Tensor::from_vec(out, (outputs, inputs), &Device::Cpu)
}
