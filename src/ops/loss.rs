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
    let op = CrossEntropy::new(&logits, targets)?;
    logits.apply_op1(op)
}

/// −log softmax(logits)[target] of each row, without a gradient: (rows) f32.
pub fn token_losses(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let logits = logits.detach();
    if !logits.device().is_cpu() {
        return composed(&logits, targets);
    }
    let logits = prepared(&logits)?;
    let op = CrossEntropy::new(&logits, targets)?;
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

/// Targets, and of each row of logits its maximum and the sum of exp(logit − maximum).
struct CrossEntropy {
    targets: Vec<usize>,
    normalisers: Vec<(f32, f32)>,
    vocabulary: usize,
}

impl CrossEntropy {
    fn new(logits: &Tensor, targets: &Tensor) -> Result<Self> {
        let (rows, vocabulary) = logits.dims2()?;
        let targets: Vec<usize> =
            targets.to_vec1::<u32>()?.into_iter().map(|target| target as usize).collect();
        if targets.len() != rows {
            bail!("cross entropy: expected {rows} targets, got {}", targets.len());
        }
        if let Some(target) = targets.iter().find(|target| **target >= vocabulary) {
            bail!("cross entropy: target {target} is outside the vocabulary of {vocabulary}");
        }
        let logits = Elements::of(logits)?;
        let work = logits.len() * EXPONENTIAL;
        let normalisers = collect(rows, work, |row| {
            vector::run(Normaliser(&logits[row * vocabulary..][..vocabulary]))
        });
        Ok(Self { targets, normalisers, vocabulary })
    }

    fn losses(&self, logits: &[f32]) -> Vec<f32> {
        let rows = logits.chunks_exact(self.vocabulary.max(1));
        let known = self.targets.iter().zip(&self.normalisers);
        rows.zip(known)
            .map(|(row, (target, (maximum, sum)))| sum.ln() - (row[*target] - maximum))
            .collect()
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

    /// `(softmax(logits) − onehot(target)) · grad`.
    fn bwd(&self, logits: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let factor = grad.to_scalar::<f32>()?;
        let mut out = vec![0.0; logits.elem_count()];
        {
            let logits = Elements::of(logits)?;
            let vocabulary = self.vocabulary;
            fill(&mut out, vocabulary, logits.len() * EXPONENTIAL, |row, out| {
                let (maximum, sum) = self.normalisers[row];
                vector::run(Gradient {
                    logits: &logits[row * vocabulary..][..vocabulary],
                    maximum,
                    factor: factor / sum,
                    out,
                });
                out[self.targets[row]] -= factor;
            });
        }
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

struct Gradient<'a> {
    logits: &'a [f32],
    maximum: f32,
    factor: f32,
    out: &'a mut [f32],
}

impl Kernel for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        for start in (0..self.out.len()).step_by(LANES) {
            V::load_at(self.logits, start)
                .sub(V::splat(self.maximum))
                .exp()
                .mul(V::splat(self.factor))
                .store_at(self.out, start);
        }
    }
}
