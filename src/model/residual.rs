//! What PiSSA (Meng et al. 2024) and OLoRA (Büyükakyüz 2024) leave of a base's matrix: their adapters start as a part of it.

use candle_core::{DType, Tensor};

use super::adapter::Start;
use crate::error::{Error, Result};
use crate::random::Stream;

/// The matrix (out, in) without what an adapter of that rank and scale takes out of it when it starts.
pub fn residual(weight: &Tensor, start: Start, rank: usize, scale: f64) -> Result<Tensor> {
    let kind = weight.dtype();
    let weight = weight.to_dtype(DType::F64)?;
    let taken = match start {
        Start::Plain => return Ok(weight.to_dtype(kind)?),
        Start::Pissa => principal(&weight, rank)?,
        Start::Olora => {
            let columns = rank.min(weight.dim(1)?);
            let basis = orthonormal(&weight.narrow(1, 0, columns)?)?;
            (basis.matmul(&basis.t()?.matmul(&weight)?)? * scale)?
        }
    };
    Ok((weight - taken)?.to_dtype(kind)?)
}

/// The nearest matrix of a rank: the largest singular values with their vectors, by subspace iteration.
fn principal(weight: &Tensor, rank: usize) -> Result<Tensor> {
    /// More vectors than are asked for make the last ones settle.
    const EXTRA: usize = 24;
    const ROUNDS: usize = 1000;
    let (out, width) = weight.dims2()?;
    let smaller = out.min(width);
    let columns = (2 * rank + EXTRA).min(smaller);
    let stream = Stream::new(0, "principal vectors");
    let values: Vec<f64> = (0..(width * columns) as u64).map(|i| stream.normal(i)).collect();
    let mut right = Tensor::from_vec(values, (width, columns), weight.device())?;
    let mut last = f64::INFINITY;
    for _ in 0..ROUNDS {
        let left = orthonormal(&weight.matmul(&right)?)?;
        right = orthonormal(&weight.t()?.matmul(&left)?)?;
        // In the subspace the matrix is small: its best part of that rank is found exactly.
        let small = left.t()?.matmul(weight)?.matmul(&right)?;
        let (basis, energy) = strongest(&small, rank)?;
        if (energy - last).abs() <= 1e-13 * energy || columns == smaller {
            let kept = right.matmul(&basis)?;
            return Ok(weight.matmul(&kept)?.matmul(&kept.t()?)?);
        }
        last = energy;
    }
    Err(Error::failed_with_hint(
        "the singular vectors that init_lora_weights \"pissa\" starts from do not settle",
        "convert the adapter with peft: save_pretrained with path_initial_model_for_weight_conversion",
    ))
}

/// The right singular vectors (n, rank) of the largest singular values of a small square matrix, and the sum of the squares
/// of those values, by Jacobi's rotations of pairs of columns.
fn strongest(matrix: &Tensor, rank: usize) -> Result<(Tensor, f64)> {
    const SWEEPS: usize = 60;
    let size = matrix.dim(1)?;
    let mut columns = matrix.t()?.contiguous()?.to_vec2::<f64>()?;
    let mut vectors: Vec<Vec<f64>> =
        (0..size).map(|row| (0..size).map(|at| f64::from(u8::from(at == row))).collect()).collect();
    for _ in 0..SWEEPS {
        let mut turned = false;
        for i in 0..size {
            for j in i + 1..size {
                let Some((cosine, sine)) = rotation(&columns, i, j) else {
                    continue;
                };
                turned = true;
                rotate(&mut columns, (i, j), cosine, sine);
                rotate(&mut vectors, (i, j), cosine, sine);
            }
        }
        if !turned {
            break;
        }
    }
    let mut order: Vec<(f64, Vec<f64>)> =
        columns.iter().map(|column| dot(column, column)).zip(vectors).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    order.truncate(rank);
    let energy = order.iter().map(|(square, _)| square).sum();
    let kept = order.len();
    let flat: Vec<f64> = order.into_iter().flat_map(|(_, vector)| vector).collect();
    let basis = Tensor::from_vec(flat, (kept, size), matrix.device())?;
    Ok((basis.t()?.contiguous()?, energy))
}

/// The rotation that makes two columns orthogonal; `None` where they are.
fn rotation(columns: &[Vec<f64>], i: usize, j: usize) -> Option<(f64, f64)> {
    let (a, b) = (columns.get(i)?, columns.get(j)?);
    let (aa, bb, ab) = (dot(a, a), dot(b, b), dot(a, b));
    if ab.abs() <= 1e-15 * (aa * bb).sqrt() || ab == 0.0 {
        return None;
    }
    let zeta = (bb - aa) / (2.0 * ab);
    let tangent = zeta.signum() / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
    let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
    Some((cosine, cosine * tangent))
}

fn rotate(columns: &mut [Vec<f64>], (i, j): (usize, usize), cosine: f64, sine: f64) {
    let (before, after) = columns.split_at_mut(j);
    let (Some(a), Some(b)) = (before.get_mut(i), after.first_mut()) else {
        return;
    };
    for (x, y) in a.iter_mut().zip(b) {
        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// An orthonormal basis of the columns (n, k), by Gram and Schmidt, twice for the digits.
fn orthonormal(columns: &Tensor) -> Result<Tensor> {
    let rows = columns.t()?.contiguous()?.to_vec2::<f64>()?;
    let (count, size) = (rows.len(), columns.dim(0)?);
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    for mut row in rows {
        let before = dot(&row, &row).sqrt();
        for _ in 0..2 {
            for known in &basis {
                let along = dot(&row, known);
                row.iter_mut().zip(known).for_each(|(x, k)| *x -= along * k);
            }
        }
        let length = dot(&row, &row).sqrt();
        // A column within the span of those before it adds nothing.
        let factor = if length > 1e-13 * before { 1.0 / length } else { 0.0 };
        row.iter_mut().for_each(|x| *x *= factor);
        basis.push(row);
    }
    let flat: Vec<f64> = basis.into_iter().flatten().collect();
    Ok(Tensor::from_vec(flat, (count, size), columns.device())?.t()?.contiguous()?)
}
