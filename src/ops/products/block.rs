//! Blocks of a product: some rows and columns of the result, which stay in registers while the panels stream past.

// Loops over constant bounds become straight code on registers; over iterators they do not always.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use super::sides::Target;
use crate::ops::vector::{LANES, Vector};

/// How the rows of a result are cut into blocks: as evenly as they can be.
#[derive(Clone, Copy)]
pub struct Blocks {
    rows: usize,
    pub count: usize,
}

impl Blocks {
    /// Blocks of at most as many rows as there are registers for.
    #[inline(always)]
    pub fn of<V: Vector>(rows: usize) -> Self {
        Self { rows, count: rows.div_ceil(if V::WIDE { 8 } else { 6 }) }
    }

    #[inline(always)]
    pub fn rows(&self, index: usize) -> Range<usize> {
        let (least, more) = (self.rows / self.count, self.rows % self.count);
        let start = index * least + index.min(more);
        start..start + least + usize::from(index < more)
    }

    /// Panels of sixteen columns that pass by together: with few rows many, to have enough running sums at once.
    #[inline(always)]
    pub fn panels<V: Vector>(&self) -> usize {
        match (self.rows, V::WIDE) {
            (0..=1, _) | (2..=4, true) => 4,
            (2..=3, false) | (_, true) => 2,
            (_, false) => 1,
        }
    }
}

/// A stretch of the inner axis for one block.
pub struct Stretch<'a> {
    /// The rows' panel.
    pub left: &'a [f32],
    /// The columns' panels, `stride` values from one to the next.
    pub right: &'a [f32],
    pub stride: usize,
    /// The first row of the block.
    pub row: usize,
    pub columns: Range<usize>,
    /// Whether the running sums begin here.
    pub from_zero: bool,
    /// What is added to every row of the whole result when the running sums are complete.
    pub bias: Option<&'a [f32]>,
}

impl Stretch<'_> {
    #[inline(always)]
    pub fn run<V: Vector>(&self, rows: usize, out: &mut Target) {
        if V::WIDE {
            match rows {
                1 => self.panels::<V, 1, 4>(out),
                2 => self.panels::<V, 2, 4>(out),
                3 => self.panels::<V, 3, 4>(out),
                4 => self.panels::<V, 4, 4>(out),
                5 => self.panels::<V, 5, 2>(out),
                6 => self.panels::<V, 6, 2>(out),
                7 => self.panels::<V, 7, 2>(out),
                _ => self.panels::<V, 8, 2>(out),
            }
        } else {
            match rows {
                1 => self.panels::<V, 1, 4>(out),
                2 => self.panels::<V, 2, 2>(out),
                3 => self.panels::<V, 3, 2>(out),
                4 => self.panels::<V, 4, 1>(out),
                5 => self.panels::<V, 5, 1>(out),
                _ => self.panels::<V, 6, 1>(out),
            }
        }
    }

    /// `R` rows of all columns, `C` panels at a time as far as they reach.
    #[inline(always)]
    fn panels<V: Vector, const R: usize, const C: usize>(&self, out: &mut Target) {
        let panels = self.columns.len().div_ceil(LANES);
        let mut panel = 0;
        while panel + C <= panels {
            self.block::<V, R, C>(panel, out);
            panel += C;
        }
        while panel < panels {
            self.block::<V, R, 1>(panel, out);
            panel += 1;
        }
    }

    #[inline(always)]
    fn block<V: Vector, const R: usize, const C: usize>(&self, panel: usize, out: &mut Target) {
        let mut sums = [[V::splat(0.0); C]; R];
        if !self.from_zero {
            for i in 0..R {
                for j in 0..C {
                    let place = self.place(panel + j);
                    sums[i][j] = V::load_at(&out.data[(self.row + i) * out.stride..][place], 0);
                }
            }
        }
        let (left, _) = self.left.as_chunks::<LANES>();
        let mut right = [[].as_slice(); C];
        for j in 0..C {
            let (lines, _) = self.right[(panel + j) * self.stride..].as_chunks::<LANES>();
            right[j] = &lines[..left.len()];
        }
        for (element, left) in left.iter().enumerate() {
            let mut vectors = [V::splat(0.0); C];
            for j in 0..C {
                vectors[j] = V::load(&right[j][element]);
            }
            for i in 0..R {
                let factor = V::splat(left[i]);
                for j in 0..C {
                    sums[i][j] = factor.mul_add(vectors[j], sums[i][j]);
                }
            }
        }
        for i in 0..R {
            for j in 0..C {
                let place = self.place(panel + j);
                let mut sum = sums[i][j];
                if let Some(bias) = self.bias {
                    sum = sum.add(V::load_at(&bias[place.clone()], 0));
                }
                sum.store_at(&mut out.data[(self.row + i) * out.stride..][place], 0);
            }
        }
    }

    /// The columns of a panel.
    #[inline(always)]
    fn place(&self, panel: usize) -> Range<usize> {
        let start = self.columns.start + panel * LANES;
        start..self.columns.end.min(start + LANES)
    }
}
