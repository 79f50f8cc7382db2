//! Cross-entropy of next-token predictions, in nats.

use candle_core::{CpuStorage, CustomOp1, D, DType, Device, Layout, Result, Shape, Tensor, bail};

use super::cpu::{Elements, collect, elements, fill, prepared};
use super::vector::{self, Kernel, LANES, Vector};

/// Sum over rows of −log softmax(logits)[target]: logits (rows, vocabulary), targets (rows) u32 → scalar f32. The caller
/// divides by the number of tokens of the whole update, so that accumulation is exact.
pub fn cross_entropy_sum(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    if !logits.device().is_cpu() {
        return composed(logits, targets)?.sum_all();
    }
    let logits = prepared(logits)?;
    let op = CrossEntropy::of(&logits, targets)?;
    logits.apply_op1(op)
}

/// −log softmax(logits)[target] of each row, without a gradient: (rows) f32.
pub fn token_losses(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let logits = logits.detach();
    if !logits.device().is_cpu() {
        return composed(&logits, targets);
    }
    let logits = prepared(&logits)?;
    let op = CrossEntropy::of(&logits, targets)?;
    let losses = op.losses(&Elements::of(&logits)?);
    let rows = losses.len();
    Tensor::from_vec(losses, rows, &Device::Cpu)
}

pub(super) fn composed(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    candle_nn::ops::log_softmax(&logits.to_dtype(DType::F32)?, D::Minus1)?
        .gather(&targets.unsqueeze(1)?, 1)?
        .squeeze(1)?
        .neg()
}

/// What an exponential costs, in multiplications.
const EXPONENTIAL: usize = 16;

/// The targets of so many rows, each in the vocabulary.
pub(super) fn targets_of(targets: &Tensor, rows: usize, vocabulary: usize) -> Result<Vec<usize>> {
    let targets: Vec<usize> =
        targets.to_vec1::<u32>()?.into_iter().map(|target| target as usize).collect();
    if targets.len() != rows {
        bail!("cross entropy: expected {rows} targets, got {}", targets.len());
    }
    if let Some(target) = targets.iter().find(|target| **target >= vocabulary) {
        bail!("cross entropy: target {target} is outside the vocabulary of {vocabulary}");
    }
    Ok(targets)
}

/// Targets, and of each row of logits its maximum and the sum of exp(logit − maximum).
pub(super) struct CrossEntropy {
    targets: Vec<usize>,
    normalisers: Vec<(f32, f32)>,
    vocabulary: usize,
}

impl CrossEntropy {
    /// Of logits (targets, vocabulary); every target is in the vocabulary.
    pub fn new(logits: &[f32], targets: &[usize], vocabulary: usize) -> Self {
        let work = logits.len() * EXPONENTIAL;
        let normalisers = collect(targets.len(), work, |row| {
            vector::run(Normaliser(&logits[row * vocabulary..][..vocabulary]))
        });
        Self { targets: targets.to_vec(), normalisers, vocabulary }
    }

    fn of(logits: &Tensor, targets: &Tensor) -> Result<Self> {
        let (rows, vocabulary) = logits.dims2()?;
        let targets = targets_of(targets, rows, vocabulary)?;
        Ok(Self::new(&Elements::of(logits)?, &targets, vocabulary))
    }

    /// −log softmax(logits)[target] of each row.
    pub fn losses(&self, logits: &[f32]) -> Vec<f32> {
        let rows = logits.chunks_exact(self.vocabulary.max(1));
        let known = self.targets.iter().zip(&self.normalisers);
        rows.zip(known)
            .map(|(row, (target, (maximum, sum)))| sum.ln() - (row[*target] - maximum))
            .collect()
    }

    /// Makes of the logits `(softmax(logits) − onehot(target)) · factor`, the gradient of `factor` times the summed losses.
    pub fn turn_into_gradient(&self, logits: &mut [f32], factor: f32) {
        let work = logits.len() * EXPONENTIAL;
        fill(logits, self.vocabulary, work, |row, logits| {
            let (maximum, sum) = self.normalisers[row];
            vector::run(Gradient { logits, maximum, factor: factor / sum });
            logits[self.targets[row]] -= factor;
        });
    }
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy_sum"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let losses = self.losses(elements(logits, layout)?);
        let sum: f64 = losses.iter().copied().map(f64::from).sum();
        Ok((CpuStorage::F32(vec![sum as f32]), Shape::from(())))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let mut out = Elements::of(logits)?.to_vec();
        self.turn_into_gradient(&mut out, grad.to_scalar::<f32>()?);
        Tensor::from_vec(out, logits.shape(), &Device::Cpu).map(Some)
    }
}

/// A row's maximum and the sum of exp(x − maximum).
struct Normaliser<'a>(&'a [f32]);

impl Kernel for Normaliser<'_> {
    type Output = (f32, f32);

    #[inline(always)]
    fn run<V: Vector>(self) -> (f32, f32) {
        let (chunks, rest) = self.0.as_chunks::<LANES>();
        let maximum = vector::largest::<V>(self.0);
        let mut sum = V::splat(0.0);
        for chunk in chunks {
            sum = sum.add(V::load(chunk).sub(V::splat(maximum)).exp());
        }
        let mut last = [0.0; LANES];
        V::load_some(rest).sub(V::splat(maximum)).exp().store(&mut last);
        (maximum, sum.add(V::load_some(&last[..rest.len()])).sum())
    }
}

/// Logits become softmax · factor · sum.
struct Gradient<'a> {
    logits: &'a mut [f32],
    maximum: f32,
    factor: f32,
}

impl Kernel for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        for start in (0..self.logits.len()).step_by(LANES) {
            V::load_at(self.logits, start)
                .sub(V::splat(self.maximum))
                .exp()
                .mul(V::splat(self.factor))
                .store_at(self.logits, start);
        }
    }
}
