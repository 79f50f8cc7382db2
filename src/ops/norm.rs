//! Normalisation over the last axis: RMSNorm (Zhang and Sennrich 2019) and LayerNorm (Ba, Kiros and Hinton 2016).
//!
//! With n the normalised x, r = 1 / √(variance + epsilon) and h = grad · weight, the gradient of x is
//! `r · (h − mean(h) − n · mean(h · n))`; RMSNorm subtracts no mean. The weight's is the sum of `grad · n` over rows.

use candle_core::{
    CpuStorage, CustomOp2, CustomOp3, D, DType, Device, Layout, Result, Shape, Tensor, bail,
};

use super::cpu::{Elements, column_sums, elements, fill, prepared, sum_rows};
use super::vector::{self, Kernel, LANES, Vector};

/// `x / √(mean(x²) + epsilon) · weight` over the last axis (Zhang and Sennrich 2019).
pub fn rms_norm(x: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Tensor> {
    check("rms_norm", x, &[weight])?;
    if x.device().is_cpu() {
        let norm = Norm { centred: false, epsilon: epsilon as f32 };
        return prepared(x)?.apply_op2(&prepared(weight)?, norm)?.to_dtype(x.dtype());
    }
    composed_rms_norm(x, weight, epsilon)
}

/// `(x − mean) / √(variance + epsilon) · weight + bias` over the last axis.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Tensor> {
    check("layer_norm", x, &[weight, bias])?;
    if x.device().is_cpu() {
        let norm = Norm { centred: true, epsilon: epsilon as f32 };
        return prepared(x)?
            .apply_op3(&prepared(weight)?, &prepared(bias)?, norm)?
            .to_dtype(x.dtype());
    }
    composed_layer_norm(x, weight, bias, epsilon)
}

fn check(operation: &str, x: &Tensor, parameters: &[&Tensor]) -> Result<()> {
    let width = x.dim(D::Minus1)?;
    if width == 0 {
        bail!("{operation}: expected rows with elements, got {:?}", x.dims());
    }
    match parameters.iter().find(|given| given.dims() != [width]) {
        Some(given) => {
            bail!("{operation}: expected parameters of shape [{width}], got {:?}", given.dims())
        }
        None => Ok(()),
    }
}

pub(super) fn composed_rms_norm(x: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Tensor> {
    scaled_to_unit(&x.to_dtype(DType::F32)?, epsilon)?.to_dtype(x.dtype())?.broadcast_mul(weight)
}

pub(super) fn composed_layer_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    epsilon: f64,
) -> Result<Tensor> {
    let wide = x.to_dtype(DType::F32)?;
    let centred = wide.broadcast_sub(&wide.mean_keepdim(D::Minus1)?)?;
    scaled_to_unit(&centred, epsilon)?
        .to_dtype(x.dtype())?
        .broadcast_mul(weight)?
        .broadcast_add(bias)
}

/// `x / √(mean(x²) + epsilon)` over the last axis.
fn scaled_to_unit(x: &Tensor, epsilon: f64) -> Result<Tensor> {
    let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?;
    x.broadcast_div(&(mean_square + epsilon)?.sqrt()?)
}

/// The kernel of both: `centred` for LayerNorm.
#[derive(Clone, Copy)]
struct Norm {
    centred: bool,
    epsilon: f32,
}

/// Rows that one task normalises.
const ROWS: usize = 16;

/// Passes over the elements, for judging whether threads are worth it.
const PASSES: usize = 4;

impl Norm {
    fn forward(&self, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        let width = weight.len();
        let mut out = vec![0.0; x.len()];
        fill(&mut out, ROWS * width, x.len() * PASSES, |index, out| {
            let x = &x[index * ROWS * width..];
            vector::run(Forward { norm: *self, x, weight, bias, out });
        });
        out
    }

    fn input_gradient(&self, x: &Tensor, weight: &Tensor, grad: &Tensor) -> Result<Tensor> {
        let mut out = vec![0.0; x.elem_count()];
        {
            let (x, weight, grad) = (Elements::of(x)?, Elements::of(weight)?, Elements::of(grad)?);
            let width = weight.len();
            fill(&mut out, ROWS * width, x.len() * PASSES, |index, out| {
                let from = index * ROWS * width;
                vector::run(InputGradient {
                    norm: *self,
                    x: &x[from..],
                    weight: &weight,
                    grad: &grad[from..],
                    out,
                });
            });
        }
        Tensor::from_vec(out, x.shape(), &Device::Cpu)
    }

    fn weight_gradient(&self, x: &Tensor, grad: &Tensor) -> Result<Tensor> {
        let (width, work) = (x.dim(D::Minus1)?, x.elem_count() * PASSES);
        let (x, grad) = (Elements::of(x)?, Elements::of(grad)?);
        let rows = x.len() / width.max(1);
        let sums = sum_rows(rows, width, work, |row, sum| {
            vector::run(WeightGradient {
                norm: *self,
                x: &x[row * width..][..width],
                grad: &grad[row * width..][..width],
                sum,
            });
        });
        Tensor::from_vec(sums, width, &Device::Cpu)
    }

    /// A row's mean (zero where it is not subtracted) and 1 / √(variance + epsilon).
    #[inline(always)]
    fn statistics<V: Vector>(&self, row: &[f32]) -> (f32, f32) {
        let width = row.len() as f32;
        let mut sum = V::splat(0.0);
        if self.centred {
            for start in (0..row.len()).step_by(LANES) {
                sum = sum.add(V::load_at(row, start));
            }
        }
        let mean = sum.sum() / width;
        let mut squares = V::splat(0.0);
        for start in (0..row.len()).step_by(LANES) {
            let difference = less::<V>(row, start, mean);
            squares = difference.mul_add(difference, squares);
        }
        (mean, 1.0 / (squares.sum() / width + self.epsilon).sqrt())
    }
}

/// Sixteen elements of a row less its mean; zero past the end of the row.
#[inline(always)]
fn less<V: Vector>(row: &[f32], start: usize, mean: f32) -> V {
    const ONES: [f32; LANES] = [1.0; LANES];
    let difference = V::load_at(row, start).sub(V::splat(mean));
    match row.len() - start {
        rest @ 0..LANES => difference.mul(V::load_some(&ONES[..rest])),
        _ => difference,
    }
}

impl CustomOp2 for Norm {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, weight) = (elements(x, x_layout)?, elements(weight, weight_layout)?);
        let out = self.forward(x, weight, None);
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let to_x = x.track_op().then(|| self.input_gradient(x, weight, &grad));
        let to_weight = weight.track_op().then(|| self.weight_gradient(x, &grad));
        Ok((to_x.transpose()?, to_weight.transpose()?))
    }
}

impl CustomOp3 for Norm {
    fn name(&self) -> &'static str {
        "layer_norm"
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
        let (x, weight) = (elements(x, x_layout)?, elements(weight, weight_layout)?);
        let out = self.forward(x, weight, Some(elements(bias, bias_layout)?));
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (to_x, to_weight) = CustomOp2::bwd(self, x, weight, y, grad)?;
        let to_bias = bias.track_op().then(|| column_sums(grad)).transpose()?;
        Ok((to_x, to_weight, to_bias))
    }
}

struct Forward<'a> {
    norm: Norm,
    x: &'a [f32],
    weight: &'a [f32],
    bias: Option<&'a [f32]>,
    out: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let width = self.weight.len();
        for (x, out) in self.x.chunks_exact(width).zip(self.out.chunks_exact_mut(width)) {
            let (mean, scale) = self.norm.statistics::<V>(x);
            for start in (0..width).step_by(LANES) {
                let normed = less::<V>(x, start, mean).mul(V::splat(scale));
                let weight = V::load_at(self.weight, start);
                let bias = match self.bias {
                    Some(bias) => V::load_at(bias, start),
                    None => V::splat(0.0),
                };
                normed.mul_add(weight, bias).store_at(out, start);
            }
        }
    }
}

struct InputGradient<'a> {
    norm: Norm,
    x: &'a [f32],
    weight: &'a [f32],
    grad: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for InputGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let width = self.weight.len();
        for (row, out) in self.out.chunks_exact_mut(width).enumerate() {
            let x = &self.x[row * width..][..width];
            let grad = &self.grad[row * width..][..width];
            let (mean, scale) = self.norm.statistics::<V>(x);
            let (mut sum, mut product) = (V::splat(0.0), V::splat(0.0));
            for start in (0..width).step_by(LANES) {
                let h = V::load_at(grad, start).mul(V::load_at(self.weight, start));
                let normed = less::<V>(x, start, mean).mul(V::splat(scale));
                sum = sum.add(h);
                product = h.mul_add(normed, product);
            }
            let mean_h = if self.norm.centred { sum.sum() / width as f32 } else { 0.0 };
            let mean_product = product.sum() / width as f32;
            for start in (0..width).step_by(LANES) {
                let h = V::load_at(grad, start).mul(V::load_at(self.weight, start));
                let normed = less::<V>(x, start, mean).mul(V::splat(scale));
                normed
                    .mul_add(V::splat(-mean_product), h.sub(V::splat(mean_h)))
                    .mul(V::splat(scale))
                    .store_at(out, start);
            }
        }
    }
}

/// Adds one row's `grad · n` to `sum`.
struct WeightGradient<'a> {
    norm: Norm,
    x: &'a [f32],
    grad: &'a [f32],
    sum: &'a mut [f32],
}

impl Kernel for WeightGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let (mean, scale) = self.norm.statistics::<V>(self.x);
        for start in (0..self.x.len()).step_by(LANES) {
            let normed = less::<V>(self.x, start, mean).mul(V::splat(scale));
            let sum = V::load_at(self.sum, start);
            V::load_at(self.grad, start).mul_add(normed, sum).store_at(self.sum, start);
        }
    }
}
