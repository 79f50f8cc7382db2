//! Token ids to vectors: a row of the embedding matrix each.

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor, bail};

use super::cpu::{Elements, elements, fill, prepared};

/// Rows of `weight` (vocabulary, width) for ids (batch, time) u32 → (batch, time, width).
pub fn embedding(ids: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let (vocabulary, width) = weight.dims2()?;
    let mut shape = ids.dims().to_vec();
    shape.push(width);
    let flat = ids.flatten_all()?;
    if !weight.device().is_cpu() {
        return weight.index_select(&flat, 0)?.reshape(shape);
    }
    let ids: Vec<usize> = flat.to_vec1::<u32>()?.into_iter().map(|id| id as usize).collect();
    if let Some(id) = ids.iter().find(|id| **id >= vocabulary) {
        bail!("embedding: token id {id} is outside the vocabulary of {vocabulary}");
    }
    prepared(weight)?.apply_op1(Embedding { ids })?.reshape(shape)?.to_dtype(weight.dtype())
}

/// Rows of the gradient that one task makes.
const ROWS: usize = 64;

struct Embedding {
    ids: Vec<usize>,
}

impl CustomOp1 for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn cpu_fwd(&self, weight: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, width) = layout.shape().dims2()?;
        let weight = elements(weight, layout)?;
        let mut out = Vec::with_capacity(self.ids.len() * width);
        for id in &self.ids {
            out.extend_from_slice(&weight[id * width..][..width]);
        }
        Ok((CpuStorage::F32(out), (self.ids.len(), width).into()))
    }

    /// Each row of the gradient sums its own positions, in their order.
    fn bwd(&self, weight: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (vocabulary, width) = weight.dims2()?;
        let grad = grad.contiguous()?;
        let grad = Elements::of(&grad)?;
        let mut places: Vec<(usize, usize)> = self.ids.iter().copied().zip(0..).collect();
        places.sort_unstable();
        let mut out = vec![0.0; vocabulary * width];
        fill(&mut out, ROWS * width, grad.len(), |index, rows| {
            let first = index * ROWS;
            let from = places.partition_point(|(id, _)| *id < first);
            let here = places[from..].iter().take_while(|(id, _)| *id < first + ROWS);
            for (id, position) in here {
                let row = &mut rows[(id - first) * width..][..width];
                for (sum, value) in row.iter_mut().zip(&grad[position * width..]) {
                    *sum += value;
                }
            }
        });
        Tensor::from_vec(out, (vocabulary, width), &Device::Cpu).map(Some)
    }
}
