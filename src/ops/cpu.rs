//! Tensors as slices, and the work on them shared out over threads.

use std::ops::{Deref, Range};

use candle_core::{
    CpuStorage, D, DType, Device, Layout, Result, Storage, StorageRef, Tensor, bail,
};
use rayon::prelude::*;

/// Below this many multiplications or their like, waking threads costs more than it saves.
const WORTH_SHARING: usize = 1 << 19;

/// A tensor on the CPU as the kernels take it: f32, contiguous. Gradients pass through.
pub fn prepared(x: &Tensor) -> Result<Tensor> {
    x.to_dtype(DType::F32)?.contiguous()
}

/// The elements of a contiguous f32 tensor on the CPU.
pub struct Elements<'a> {
    storage: StorageRef<'a>,
    range: Range<usize>,
}

impl<'a> Elements<'a> {
    pub fn of(tensor: &'a Tensor) -> Result<Self> {
        let (storage, layout) = tensor.storage_and_layout();
        let Storage::Cpu(CpuStorage::F32(_)) = &*storage else {
            bail!("expected a tensor of f32 on the CPU, got {:?}", tensor.dtype());
        };
        let range = contiguous(layout)?;
        Ok(Self { storage, range })
    }
}

impl Deref for Elements<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &*self.storage {
            Storage::Cpu(CpuStorage::F32(all)) => &all[self.range.clone()],
            _ => &[],
        }
    }
}

/// The elements that a kernel was handed.
pub fn elements<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    Ok(&storage.as_slice::<f32>()?[contiguous(layout)?])
}

/// The elements that a kernel changes in place.
pub fn elements_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    let range = contiguous(layout)?;
    match storage {
        CpuStorage::F32(all) => Ok(&mut all[range]),
        _ => bail!("expected a tensor of f32"),
    }
}

fn contiguous(layout: &Layout) -> Result<Range<usize>> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(start..end),
        None => bail!("expected a contiguous tensor, got strides {:?}", layout.stride()),
    }
}

/// Fills `out` in pieces of `size` elements, in parallel where `work` (multiplications in all) is worth it. Pieces are
/// independent and get their index, so the result is the same on any number of threads.
pub fn fill(out: &mut [f32], size: usize, work: usize, task: impl Fn(usize, &mut [f32]) + Sync) {
    let size = size.max(1);
    if work < WORTH_SHARING || rayon::current_num_threads() == 1 {
        for (index, piece) in out.chunks_mut(size).enumerate() {
            task(index, piece);
        }
    } else {
        out.par_chunks_mut(size).enumerate().for_each(|(index, piece)| task(index, piece));
    }
}

/// [`fill`] for two results of one shape made together.
pub fn fill_both(
    first: &mut [f32],
    second: &mut [f32],
    size: usize,
    work: usize,
    task: impl Fn(usize, &mut [f32], &mut [f32]) + Sync,
) {
    let size = size.max(1);
    if work < WORTH_SHARING || rayon::current_num_threads() == 1 {
        let pieces = first.chunks_mut(size).zip(second.chunks_mut(size));
        for (index, (first, second)) in pieces.enumerate() {
            task(index, first, second);
        }
    } else {
        first
            .par_chunks_mut(size)
            .zip(second.par_chunks_mut(size))
            .enumerate()
            .for_each(|(index, (first, second))| task(index, first, second));
    }
}

/// `task` of 0..count in order, in parallel where `work` (multiplications in all) is worth it.
pub fn collect<T: Send>(count: usize, work: usize, task: impl Fn(usize) -> T + Sync) -> Vec<T> {
    if work < WORTH_SHARING || rayon::current_num_threads() == 1 {
        (0..count).map(task).collect()
    } else {
        (0..count).into_par_iter().map(&task).collect()
    }
}

/// Sums of rows of `width` elements over `count` rows: blocks of a fixed number of rows in parallel, then the blocks in
/// order. `add` adds row i to what it is given.
pub fn sum_rows(
    count: usize,
    width: usize,
    work: usize,
    add: impl Fn(usize, &mut [f32]) + Sync,
) -> Vec<f32> {
    const BLOCK: usize = 32;
    let partial = collect(count.div_ceil(BLOCK), work, |block| {
        let mut sum = vec![0.0; width];
        for row in block * BLOCK..count.min((block + 1) * BLOCK) {
            add(row, &mut sum);
        }
        sum
    });
    let mut total = vec![0.0; width];
    for sum in partial {
        for (total, part) in total.iter_mut().zip(sum) {
            *total += part;
        }
    }
    total
}

/// The sum over all but the last axis: the gradient of a bias.
pub fn column_sums(grad: &Tensor) -> Result<Tensor> {
    let width = grad.dim(D::Minus1)?;
    let grad = grad.contiguous()?;
    let grad = Elements::of(&grad)?;
    let rows = grad.len() / width.max(1);
    let sums = sum_rows(rows, width, grad.len(), |row, sum| {
        for (sum, value) in sum.iter_mut().zip(&grad[row * width..]) {
            *sum += value;
        }
    });
    Tensor::from_vec(sums, width, &Device::Cpu)
}
