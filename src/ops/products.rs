//! Products of matrices in one thread, with arithmetic that is the same for every element wherever it stands.
//!
//! [`dots`] makes each element as sixteen running sums over the inner axis, [`combinations`] as one running sum. Neither
//! depends on how many rows are computed together, which is why a text generated in a batch equals the same text alone.

// Loops over constant bounds become straight code on registers; over iterators they do not always.
#![allow(clippy::needless_range_loop)]

use super::vector::{self, Kernel, LANES, Vector};

/// Rows of contiguous elements, `stride` elements from one row to the next.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    pub data: &'a [f32],
    pub stride: usize,
    pub count: usize,
    pub width: usize,
}

impl<'a> Rows<'a> {
    /// Rows that lie side by side.
    pub fn packed(data: &'a [f32], width: usize) -> Self {
        Self { data, stride: width, count: data.len() / width.max(1), width }
    }

    #[inline(always)]
    pub fn row(&self, index: usize) -> &'a [f32] {
        &self.data[index * self.stride..][..self.width]
    }

    /// The rows of a range.
    #[inline(always)]
    pub fn range(&self, range: std::ops::Range<usize>) -> Self {
        Self {
            data: &self.data[(range.start * self.stride).min(self.data.len())..],
            count: range.len(),
            ..*self
        }
    }
}

/// A matrix to write: rows `stride` elements apart.
pub struct Target<'a> {
    pub data: &'a mut [f32],
    pub stride: usize,
}

/// `out[i][j] = a[i] · b[j]`, plus `bias[j]` where there is one.
pub fn dots(a: Rows, b: Rows, bias: Option<&[f32]>, out: Target) {
    vector::run(Dots { a, b, bias, out });
}

struct Dots<'a> {
    a: Rows<'a>,
    b: Rows<'a>,
    bias: Option<&'a [f32]>,
    out: Target<'a>,
}

/// Columns that are summed up together.
const COLUMNS: usize = 4;

impl Kernel for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(mut self) {
        for column in (0..self.b.count).step_by(COLUMNS) {
            let mut row = 0;
            while row + V::BLOCK <= self.a.count {
                match V::BLOCK {
                    4 => self.block::<V, 4>(row, column),
                    _ => self.block::<V, 2>(row, column),
                }
                row += V::BLOCK;
            }
            for row in row..self.a.count {
                self.block::<V, 1>(row, column);
            }
        }
    }
}

impl Dots<'_> {
    #[inline(always)]
    fn block<V: Vector, const R: usize>(&mut self, row: usize, column: usize) {
        let columns = COLUMNS.min(self.b.count - column);
        let sums = self.running_sums::<V, R>(row, column, columns - 1);
        // Apart from the loop that writes, so that the running sums stay in registers.
        let mut totals = [[0.0; COLUMNS]; R];
        for i in 0..R {
            totals[i] = V::sums(sums[i]);
        }
        for (i, totals) in totals.iter_mut().enumerate() {
            if let Some(bias) = self.bias {
                for (total, bias) in totals.iter_mut().zip(&bias[column..]) {
                    *total += bias;
                }
            }
            self.out.data[(row + i) * self.out.stride + column..][..columns]
                .copy_from_slice(&totals[..columns]);
        }
    }

    /// Products of `R` rows with the columns from `column` on, summed up lane by lane. Columns past the `last` one
    /// repeat it: they are computed and never written.
    #[inline(always)]
    fn running_sums<V: Vector, const R: usize>(
        &self,
        row: usize,
        column: usize,
        last: usize,
    ) -> [[V; COLUMNS]; R] {
        let whole = self.a.width / LANES;
        let mut a = [([].as_slice(), [].as_slice()); R];
        let mut b = [([].as_slice(), [].as_slice()); COLUMNS];
        for i in 0..R {
            let (chunks, rest) = self.a.row(row + i).as_chunks::<LANES>();
            a[i] = (&chunks[..whole], rest);
        }
        for j in 0..COLUMNS {
            let (chunks, rest) = self.b.row(column + j.min(last)).as_chunks::<LANES>();
            b[j] = (&chunks[..whole], rest);
        }
        let mut sums = [[V::splat(0.0); COLUMNS]; R];
        for step in 0..whole {
            let mut right = [V::splat(0.0); COLUMNS];
            for j in 0..COLUMNS {
                right[j] = V::load(&b[j].0[step]);
            }
            for i in 0..R {
                let left = V::load(&a[i].0[step]);
                for j in 0..COLUMNS {
                    sums[i][j] = left.mul_add(right[j], sums[i][j]);
                }
            }
        }
        if !self.a.width.is_multiple_of(LANES) {
            for i in 0..R {
                let left = V::load_some(a[i].1);
                for j in 0..COLUMNS {
                    sums[i][j] = left.mul_add(V::load_some(b[j].1), sums[i][j]);
                }
            }
        }
        sums
    }
}

/// Factors by which rows are combined: the element for output row i and combined row p is `data[i·row + p·step]`.
#[derive(Clone, Copy)]
pub struct Factors<'a> {
    pub data: &'a [f32],
    pub row: usize,
    pub step: usize,
}

/// `out[i] += Σ_p factors(i, p) · b[p]`, over the rows of `b` in order, for `count` rows.
pub fn combinations(factors: Factors, count: usize, b: Rows, out: Target) {
    vector::run(Combinations { factors, count, b, out });
}

/// Rows further apart than this, in elements, fall into the same few places of the cache: a page or more.
const FAR_APART: usize = 512;

/// Output rows from which on copying the columns at hand side by side is worth it.
const WORTH_PACKING: usize = 16;

struct Combinations<'a> {
    factors: Factors<'a>,
    count: usize,
    b: Rows<'a>,
    out: Target<'a>,
}

impl Kernel for Combinations<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(mut self) {
        let width = self.b.width;
        let mut column = 0;
        while column + V::BLOCK * LANES <= width {
            match V::BLOCK {
                4 => self.column::<V, 4>(column),
                _ => self.column::<V, 2>(column),
            }
            column += V::BLOCK * LANES;
        }
        while column + 2 * LANES <= width {
            self.column::<V, 2>(column);
            column += 2 * LANES;
        }
        while column + LANES <= width {
            self.column::<V, 1>(column);
            column += LANES;
        }
        if column < width {
            for row in 0..self.count {
                self.rest::<V>(row, column);
            }
        }
    }
}

impl Combinations<'_> {
    /// All rows of the `C` vectors of columns from `column` on.
    #[inline(always)]
    fn column<V: Vector, const C: usize>(&mut self, column: usize) {
        let mut packed = Vec::new();
        let mut b = Rows {
            data: &self.b.data[column.min(self.b.data.len())..],
            width: C * LANES,
            ..self.b
        };
        if self.count >= WORTH_PACKING && b.stride >= FAR_APART {
            for p in 0..b.count {
                packed.extend_from_slice(b.row(p));
            }
            b = Rows::packed(&packed, b.width);
        }
        let mut row = 0;
        while row + V::BLOCK <= self.count {
            match V::BLOCK {
                4 => self.block::<V, 4, C>(b, row, column),
                _ => self.block::<V, 2, C>(b, row, column),
            }
            row += V::BLOCK;
        }
        for row in row..self.count {
            self.block::<V, 1, C>(b, row, column);
        }
    }

    #[inline(always)]
    fn block<V: Vector, const R: usize, const C: usize>(
        &mut self,
        b: Rows,
        row: usize,
        column: usize,
    ) {
        let Factors { data, row: row_stride, step } = self.factors;
        let mut sums = [[V::splat(0.0); C]; R];
        for i in 0..R {
            let target = &self.out.data[(row + i) * self.out.stride + column..][..C * LANES];
            let (chunks, _) = target.as_chunks::<LANES>();
            for j in 0..C {
                sums[i][j] = V::load(&chunks[j]);
            }
        }
        for p in 0..b.count {
            let (chunks, _) = b.data[p * b.stride..][..C * LANES].as_chunks::<LANES>();
            let mut right = [V::splat(0.0); C];
            for j in 0..C {
                right[j] = V::load(&chunks[j]);
            }
            for i in 0..R {
                let left = V::splat(data[(row + i) * row_stride + p * step]);
                for j in 0..C {
                    sums[i][j] = left.mul_add(right[j], sums[i][j]);
                }
            }
        }
        for i in 0..R {
            let target = &mut self.out.data[(row + i) * self.out.stride + column..][..C * LANES];
            let (chunks, _) = target.as_chunks_mut::<LANES>();
            for j in 0..C {
                sums[i][j].store(&mut chunks[j]);
            }
        }
    }

    /// One row of the columns after the last whole vector.
    #[inline(always)]
    fn rest<V: Vector>(&mut self, row: usize, column: usize) {
        let rest = self.b.width - column;
        let target = &mut self.out.data[row * self.out.stride + column..][..rest];
        let mut sum = V::load_some(target);
        for p in 0..self.b.count {
            let factor = self.factors.data[row * self.factors.row + p * self.factors.step];
            let source = V::load_some(&self.b.data[p * self.b.stride + column..][..rest]);
            sum = V::splat(factor).mul_add(source, sum);
        }
        sum.store_some(target);
    }
}
