//! The affine map of every projection: `y = x · wᵀ + b`.

use candle_core::{
    CpuStorage, CustomOp2, CustomOp3, D, Device, Layout, Result, Shape, Tensor, bail,
};

use super::cpu::{Elements, column_sums, elements, prepared};
use super::products::{Rows, Side, matrix};

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

/// `x · wᵀ + bias`.
fn forward(x: Rows, weight: Rows, bias: Option<&[f32]>) -> Vec<f32> {
    matrix(Side::Rows(x), Side::Rows(weight).into(), bias)
}

/// `grad · w`: (rows, out) and (out, in) → (rows, in).
pub(super) fn input_gradient(grad: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let (rows, outputs) = grad.dims2()?;
    let inputs = weight.dim(1)?;
    let (grad, weight) = (Elements::of(grad)?, Elements::of(weight)?);
    let grad = Side::Rows(Rows::packed(&grad, outputs));
    let out = matrix(grad, Side::Columns(Rows::packed(&weight, inputs)).into(), None);
    Tensor::from_vec(out, (rows, inputs), &Device::Cpu)
}

/// `gradᵀ · x`: (rows, out) and (rows, in) → (out, in).
fn weight_gradient(grad: &Tensor, x: &Tensor) -> Result<Tensor> {
    let outputs = grad.dim(1)?;
    let inputs = x.dim(1)?;
    let (grad, x) = (Elements::of(grad)?, Elements::of(x)?);
    let grad = Side::Columns(Rows::packed(&grad, outputs));
    let out = matrix(grad, Side::Columns(Rows::packed(&x, inputs)).into(), None);
    Tensor::from_vec(out, (outputs, inputs), &Device::Cpu)
}
