//! Binary cross-entropy of logits, in nats, for outputs that each say yes or no by themselves.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::cpu::{Elements, elements, prepared};

/// Sum of `positive · −log σ(x) + negative · −log σ(−x)` over all logits x, f32 scalar. The weights have the shape of the
/// logits and get no gradient: with a target y they are y and 1 − y, times whatever else weighs.
pub fn binary_cross_entropy_sum(
    logits: &Tensor,
    positive: &Tensor,
    negative: &Tensor,
) -> Result<Tensor> {
    if logits.dims() != positive.dims() || logits.dims() != negative.dims() {
        bail!(
            "binary cross entropy: logits {:?} and weights {:?}, {:?} do not fit together",
            logits.dims(),
            positive.dims(),
            negative.dims()
        );
    }
    if !logits.device().is_cpu() {
        return composed(logits, positive, negative);
    }
    let weights = |of: &Tensor| -> Result<Vec<f32>> { Ok(Elements::of(&prepared(of)?)?.to_vec()) };
    let op = BinaryCrossEntropy { positive: weights(positive)?, negative: weights(negative)? };
    prepared(logits)?.apply_op1(op)
}

/// Out of candle's operations. The gradient is put in by hand: that of max(x, 0) and |x|, of which the loss is made, has a
/// hole at 0.
pub(super) fn composed(logits: &Tensor, positive: &Tensor, negative: &Tensor) -> Result<Tensor> {
    let x = logits.detach();
    let small = (x.abs()?.neg()?.exp()? + 1.0)?.log()?;
    let (above, below) = ((x.relu()? + &small)?, (x.neg()?.relu()? + small)?);
    let value = ((negative * above)? + (positive * below)?)?.sum_all()?;
    let sigmoid = (x.neg()?.exp()? + 1.0)?.recip()?;
    let slope = ((negative + positive)?.mul(&sigmoid)? - positive)?;
    value + (slope.detach() * (logits - x)?)?.sum_all()?
}

struct BinaryCrossEntropy {
    positive: Vec<f32>,
    negative: Vec<f32>,
}

/// log(1 + eˣ)
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

impl BinaryCrossEntropy {
    fn weighed<'a>(&'a self, logits: &'a [f32]) -> impl Iterator<Item = (f64, f64, f64)> + 'a {
        let weights = self.positive.iter().zip(&self.negative);
        logits
            .iter()
            .zip(weights)
            .map(|(x, (yes, no))| (f64::from(*x), f64::from(*yes), f64::from(*no)))
    }
}

impl CustomOp1 for BinaryCrossEntropy {
    fn name(&self) -> &'static str {
        "binary_cross_entropy_sum"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let all = self.weighed(elements(logits, layout)?);
        let sum: f64 = all.map(|(x, yes, no)| yes * softplus(-x) + no * softplus(x)).sum();
        Ok((CpuStorage::F32(vec![sum as f32]), Shape::from(())))
    }

    /// `((positive + negative) · σ(x) − positive) · grad`
    fn bwd(&self, logits: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let factor = f64::from(grad.to_scalar::<f32>()?);
        let out: Vec<f32> = {
            let values = Elements::of(logits)?;
            let slope = |(x, yes, no): (f64, f64, f64)| (yes + no) / (1.0 + (-x).exp()) - yes;
            self.weighed(&values).map(|all| (slope(all) * factor) as f32).collect()
        };
        Tensor::from_vec(out, logits.shape(), logits.device()).map(Some)
    }
}
