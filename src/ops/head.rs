//! The output projection and its cross-entropy in one: logits (rows × vocabulary) are made some rows at a time and never
//! stand in memory as a whole, in training neither.
//!
//! The gradients are made together with the loss, while the logits of a piece are at hand; sums over rows run on from piece
//! to piece, so the bits are those of [`linear`](super::linear()) and [`cross_entropy_sum`](super::cross_entropy_sum()).

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp2, Device, Layout, Result, Shape, Tensor, bail};

use super::cpu::{Elements, elements, prepared};
use super::loss::{CrossEntropy, targets_of};
use super::products::{Rows, Side, add_matrix, matrix};

/// Logits of a piece: some ten megabytes, so that the pieces are few and small beside a model.
const PIECE: usize = 1 << 23;

/// Sum over rows of −log softmax(hidden · weightᵀ)[target] on a CPU: hidden (rows, width), weight (vocabulary, width), targets
/// (rows) u32 → scalar f32. `factor` is what the caller will multiply it by before the backward pass (with another the gradients
/// are right too, and made anew); without one no gradient is made.
pub fn head_loss(
    hidden: &Tensor,
    weight: &Tensor,
    targets: &Tensor,
    factor: Option<f64>,
) -> Result<Tensor> {
    let (hidden, weight) = (prepared(hidden)?, prepared(weight)?);
    let (rows, width) = hidden.dims2()?;
    let (vocabulary, inputs) = weight.dims2()?;
    if width != inputs || vocabulary * width == 0 {
        bail!(
            "head_loss: expected a weight of width {width} with elements, got {:?}",
            weight.dims()
        );
    }
    let op = HeadLoss {
        targets: targets_of(targets, rows, vocabulary)?,
        factor: factor.unwrap_or(1.0) as f32,
        wanted: Wanted {
            hidden: factor.is_some() && hidden.track_op(),
            weight: factor.is_some() && weight.track_op(),
        },
        gradients: Mutex::new(None),
    };
    hidden.apply_op2(&weight, op)
}

/// Which gradients somebody will ask for.
#[derive(Clone, Copy)]
struct Wanted {
    hidden: bool,
    weight: bool,
}

/// Gradients of `factor` times the loss, empty where not wanted.
struct Gradients {
    hidden: Vec<f32>,
    weight: Vec<f32>,
}

struct HeadLoss {
    targets: Vec<usize>,
    factor: f32,
    wanted: Wanted,
    gradients: Mutex<Option<Gradients>>,
}

impl HeadLoss {
    /// The loss, and the wanted gradients of `factor` times it.
    fn run(&self, hidden: Rows, weight: Rows, factor: f32) -> (f64, Gradients) {
        let (vocabulary, width) = (weight.count, weight.width);
        let mut gradients = Gradients { hidden: Vec::new(), weight: Vec::new() };
        if self.wanted.weight {
            gradients.weight = vec![0.0; vocabulary * width];
        }
        let mut sum = 0.0;
        let piece = (PIECE / vocabulary).next_multiple_of(16);
        for (index, targets) in self.targets.chunks(piece).enumerate() {
            let part = index * piece..index * piece + targets.len();
            let hidden = Side::Rows(hidden).range(part);
            let mut logits = matrix(hidden, Side::Rows(weight).into(), None);
            let entropy = CrossEntropy::new(&logits, targets, vocabulary);
            sum = entropy.losses(&logits).iter().fold(sum, |sum, loss| sum + f64::from(*loss));
            if !self.wanted.hidden && !self.wanted.weight {
                continue;
            }
            entropy.turn_into_gradient(&mut logits, factor);
            let rows = Rows::packed(&logits, vocabulary);
            if self.wanted.hidden {
                let made = matrix(Side::Rows(rows), Side::Columns(weight).into(), None);
                gradients.hidden.extend(made);
            }
            if self.wanted.weight {
                let hidden = match hidden {
                    Side::Rows(rows) | Side::Columns(rows) => Side::Columns(rows),
                };
                add_matrix(Side::Columns(rows), hidden, &mut gradients.weight);
            }
        }
        (sum, gradients)
    }
}

impl CustomOp2 for HeadLoss {
    fn name(&self) -> &'static str {
        "head_loss"
    }

    fn cpu_fwd(
        &self,
        hidden: &CpuStorage,
        hidden_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, width) = weight_layout.shape().dims2()?;
        let hidden = Rows::packed(elements(hidden, hidden_layout)?, width);
        let weight = Rows::packed(elements(weight, weight_layout)?, width);
        let (sum, gradients) = self.run(hidden, weight, self.factor);
        *self.gradients.lock().unwrap_or_else(PoisonError::into_inner) = Some(gradients);
        Ok((CpuStorage::F32(vec![sum as f32]), Shape::from(())))
    }

    fn bwd(
        &self,
        hidden: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let factor = grad.to_scalar::<f32>()?;
        let kept = self.gradients.lock().unwrap_or_else(PoisonError::into_inner).take();
        let gradients = match kept {
            Some(gradients) if factor == self.factor => gradients,
            _ => {
                let width = weight.dim(1)?;
                let (hidden, weight) = (Elements::of(hidden)?, Elements::of(weight)?);
                let hidden = Rows::packed(&hidden, width);
                self.run(hidden, Rows::packed(&weight, width), factor).1
            }
        };
        let tensor = |wanted: bool, values: Vec<f32>, like: &Tensor| {
            wanted.then(|| Tensor::from_vec(values, like.shape(), &Device::Cpu)).transpose()
        };
        Ok((
            tensor(self.wanted.hidden, gradients.hidden, hidden)?,
            tensor(self.wanted.weight, gradients.weight, weight)?,
        ))
    }
}
