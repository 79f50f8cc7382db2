//! Products of matrices, with arithmetic that is the same for every element wherever it stands.
//!
//! Each element is one running sum over the inner axis in order, of fused multiply-adds. It depends neither on how many
//! rows or columns are computed together, nor on threads, nor on the width of the processor's vectors, which is why a text
//! generated in a batch equals the same text alone. Both sides are copied, a stretch of the inner axis at a time, into
//! panels of sixteen vectors side by side ([`sides`]), so that a block of the result stays in registers while the panels
//! stream past it ([`block`]).

mod block;
mod sides;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::ops::Range;

use super::cpu::{collect, fill};
use super::vector::{self, Kernel, LANES, Vector};
use block::{Blocks, Stretch};
pub use sides::{Panels, Right, Rows, Side, Target};

/// `out[i][j] = left[i] · right[j]`, plus `bias[j]` where there is one, in this thread.
pub fn products(left: Side, right: Right, bias: Option<&[f32]>, out: Target) {
    run(Products { left, right, bias, adds: false, out });
}

/// `out[i][j] += left[i] · right[j]`, in this thread: the running sums go on from what is there.
pub fn add_products(left: Side, right: Side, out: Target) {
    run(Products { left, right: right.into(), bias: None, adds: true, out });
}

/// All products of `left` and `right`, (left, right), plus `bias`, shared out over threads.
pub fn matrix(left: Side, right: Right, bias: Option<&[f32]>) -> Vec<f32> {
    /// Rows that one thread must have for the copies that it makes of the other side to cost little.
    const MANY_ROWS: usize = 64;
    if left.count() >= MANY_ROWS * rayon::current_num_threads() {
        by_rows(left, right, bias)
    } else {
        by_columns(left, right, bias)
    }
}

/// Adds all products of `left` and `right` to `out` (left, right), shared out over threads by rows.
pub fn add_matrix(left: Side, right: Side, out: &mut [f32]) {
    in_blocks(left, right.into(), out, |rows, target| add_products(rows, right, target));
}

fn by_rows(left: Side, right: Right, bias: Option<&[f32]>) -> Vec<f32> {
    let mut out = vec![0.0; left.count() * right.count()];
    in_blocks(left, right, &mut out, |rows, target| products(rows, right, bias, target));
    out
}

/// Hands blocks of rows and their part of the result to `work`.
fn in_blocks(left: Side, right: Right, out: &mut [f32], work: impl Fn(Side, Target) + Sync) {
    let (count, width) = (left.count(), right.count());
    let tasks = 4 * rayon::current_num_threads();
    let block = count.div_ceil(tasks).next_multiple_of(LANES).min(16 * LANES);
    let multiplications = out.len() * left.length();
    fill(out, block * width, multiplications, |index, data| {
        let rows = index * block..count.min((index + 1) * block);
        work(left.range(rows), Target { data, stride: width });
    });
}

fn by_columns(left: Side, right: Right, bias: Option<&[f32]>) -> Vec<f32> {
    let (count, width) = (left.count(), right.count());
    let tasks = 2 * rayon::current_num_threads();
    let block = width.div_ceil(tasks).next_multiple_of(4 * LANES);
    let mut out = vec![0.0; count * width];
    let work = out.len() * left.length();
    if block >= width || count == 0 {
        products(left, right, bias, Target { data: &mut out, stride: width });
        return out;
    }
    let pieces = collect(width.div_ceil(block), work, |index| {
        let columns = index * block..width.min((index + 1) * block);
        let stride = columns.len();
        let mut data = vec![0.0; count * stride];
        let bias = bias.map(|bias| &bias[columns.clone()]);
        products(left, right.range(columns), bias, Target { data: &mut data, stride });
        data
    });
    for (index, piece) in pieces.iter().enumerate() {
        let stride = piece.len() / count;
        for (row, part) in piece.chunks_exact(stride.max(1)).enumerate() {
            out[row * width + index * block..][..stride].copy_from_slice(part);
        }
    }
    out
}

thread_local! {
    /// Room for the panels of either side, kept between products.
    static ROOM: RefCell<[Vec<f32>; 2]> = const { RefCell::new([const { Vec::new() }; 2]) };
}

fn run(products: Products) {
    // Taken out of the closure's hands: a kernel is compiled with the vector instructions only where all is inlined.
    let [mut left, mut right] = ROOM.take();
    vector::run(InStretches { products, left: &mut left, right: &mut right });
    ROOM.set([left, right]);
}

struct Products<'a> {
    left: Side<'a>,
    right: Right<'a>,
    bias: Option<&'a [f32]>,
    /// Whether the running sums begin with what is there, or with zero.
    adds: bool,
    out: Target<'a>,
}

/// Elements of the inner axis between two visits to the result: the panels of a block fit the nearer caches.
const DEPTH: usize = 256;

/// A product, the inner axis cut into stretches.
struct InStretches<'a, 'b> {
    products: Products<'a>,
    left: &'b mut Vec<f32>,
    right: &'b mut Vec<f32>,
}

impl Kernel for InStretches<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(mut self) {
        let length = self.products.left.length();
        let mut start = 0;
        // Once at least: an empty inner axis gives zeros.
        loop {
            let end = length.min(start + DEPTH);
            self.stretch::<V>(start..end, end == length);
            start = end;
            if start == length {
                break;
            }
        }
    }
}

impl InStretches<'_, '_> {
    /// Adds a stretch of the inner axis to the running sums, and the bias after the last one.
    #[inline(always)]
    fn stretch<V: Vector>(&mut self, elements: Range<usize>, is_last: bool) {
        let Products { left, right, bias, adds, ref mut out } = self.products;
        let width = right.count();
        let size = elements.len() * LANES;
        let blocks = Blocks::of::<V>(left.count());
        let left_panels = room(self.left, blocks.count * size);
        for index in 0..blocks.count {
            let panel = &mut left_panels[index * size..][..size];
            left.pack::<V>(blocks.rows(index), elements.clone(), panel);
        }
        let together = blocks.panels::<V>();
        let mut column = 0;
        while column < width {
            let panels = (width - column).div_ceil(LANES).min(together);
            let (right, stride) = match right {
                Right::Kept(kept) => (kept.from(column, elements.start), kept.stride()),
                Right::Copied(side) => {
                    let all = room(self.right, together * size);
                    for index in 0..panels {
                        let start = column + index * LANES;
                        let panel = &mut all[index * size..][..size];
                        side.pack::<V>(start..width.min(start + LANES), elements.clone(), panel);
                    }
                    (&all[..], size)
                }
            };
            for index in 0..blocks.count {
                let rows = blocks.rows(index);
                let left = &left_panels[index * size..][..size];
                let stretch = Stretch {
                    left,
                    right,
                    stride,
                    row: rows.start,
                    columns: column..width.min(column + panels * LANES),
                    from_zero: elements.start == 0 && !adds,
                    bias: if is_last { bias } else { None },
                };
                stretch.run::<V>(rows.len(), out);
            }
            column += panels * LANES;
        }
    }
}

/// Room for `size` values, whatever is in it.
#[inline(always)]
fn room(values: &mut Vec<f32>, size: usize) -> &mut [f32] {
    if values.len() < size {
        values.resize(size, 0.0);
    }
    &mut values[..size]
}
