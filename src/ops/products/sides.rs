//! The sides of a product: vectors in rows, in columns, or in panels, how they are copied into panels, and its result.

// Loops over constant bounds become straight code on registers; over iterators they do not always.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use crate::ops::cpu::fill;
use crate::ops::vector::{self, Kernel, LANES, Vector};

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

    /// The elements from one on; none past the end.
    fn from(&self, start: usize) -> &'a [f32] {
        &self.data[start.min(self.data.len())..]
    }

    /// Up to sixteen elements of up to sixteen rows, zeros past them.
    #[inline(always)]
    fn corner<V: Vector>(&self, rows: Range<usize>, start: usize, count: usize) -> [V; LANES] {
        let mut square = [V::splat(0.0); LANES];
        for (line, index) in square.iter_mut().zip(rows) {
            *line = V::load_at(&self.data[index * self.stride..][..start + count], start);
        }
        square
    }

    /// Sixteen elements of sixteen rows, written out: over a loop they would go through memory.
    #[inline(always)]
    fn square<V: Vector>(&self, row: usize, start: usize) -> [V; LANES] {
        let data = self.from(row * self.stride + start);
        let line = |index: usize| V::load_at(data, index * self.stride);
        [
            line(0),
            line(1),
            line(2),
            line(3),
            line(4),
            line(5),
            line(6),
            line(7),
            line(8),
            line(9),
            line(10),
            line(11),
            line(12),
            line(13),
            line(14),
            line(15),
        ]
    }
}

/// A matrix to write: rows `stride` elements apart.
pub struct Target<'a> {
    pub data: &'a mut [f32],
    pub stride: usize,
}

/// One side of a product: vectors, each of which is multiplied with each of the other side.
#[derive(Clone, Copy)]
pub enum Side<'a> {
    /// Each row is a vector.
    Rows(Rows<'a>),
    /// Each column is a vector.
    Columns(Rows<'a>),
}

impl Side<'_> {
    /// How many vectors there are.
    #[inline(always)]
    pub fn count(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.count,
            Self::Columns(rows) => rows.width,
        }
    }

    /// How many elements each vector has.
    #[inline(always)]
    pub fn length(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.width,
            Self::Columns(rows) => rows.count,
        }
    }

    /// The vectors of a range.
    pub fn range(self, range: Range<usize>) -> Self {
        match self {
            Self::Rows(rows) => {
                let data = rows.from(range.start * rows.stride);
                Self::Rows(Rows { data, count: range.len(), ..rows })
            }
            Self::Columns(rows) => {
                let data = rows.from(range.start);
                Self::Columns(Rows { data, width: range.len(), ..rows })
            }
        }
    }

    /// Copies a range of the elements of up to sixteen vectors into a panel: sixteen values for each element, zeros past
    /// the last vector.
    #[inline(always)]
    pub fn pack<V: Vector>(
        &self,
        vectors: Range<usize>,
        elements: Range<usize>,
        panel: &mut [f32],
    ) {
        let (places, _) = panel.as_chunks_mut::<LANES>();
        match self {
            Self::Columns(rows) => {
                for (place, element) in places.iter_mut().zip(elements) {
                    let line = &rows.data[element * rows.stride..][vectors.clone()];
                    V::load_at(line, 0).store(place);
                }
            }
            Self::Rows(rows) => {
                let whole = if vectors.len() == LANES { places.len() / LANES * LANES } else { 0 };
                let (squares, rest) = places.split_at_mut(whole);
                let mut start = elements.start;
                for square in squares.as_chunks_mut::<LANES>().0 {
                    let turned = V::transpose(rows.square::<V>(vectors.start, start));
                    for i in 0..LANES {
                        turned[i].store(&mut square[i]);
                    }
                    start += LANES;
                }
                for corner in rest.chunks_mut(LANES) {
                    let lines = rows.corner::<V>(vectors.clone(), start, corner.len());
                    for (place, line) in corner.iter_mut().zip(V::transpose(lines)) {
                        line.store(place);
                    }
                    start += LANES;
                }
            }
        }
    }
}

/// Vectors laid out in panels once, for many products: sixteen vectors a panel, element by element.
pub struct Panels {
    data: Vec<f32>,
    count: usize,
    length: usize,
}

impl Panels {
    pub fn of(side: Side) -> Self {
        let (count, length) = (side.count(), side.length());
        let mut data = vec![0.0; count.next_multiple_of(LANES) * length];
        let size = length * LANES;
        fill(&mut data, size, count * length, |index, panel| {
            let vectors = index * LANES..count.min((index + 1) * LANES);
            vector::run(Pack { side, vectors, panel });
        });
        Self { data, count, length }
    }

    /// Bytes that so many vectors of a length take.
    pub fn bytes(count: usize, length: usize) -> usize {
        count.next_multiple_of(LANES) * length * size_of::<f32>()
    }

    /// All of them, as the right side of a product.
    pub fn all(&self) -> Right<'_> {
        Right::Kept(Kept { panels: self, first: 0, count: self.count })
    }
}

/// Fills one panel.
struct Pack<'a> {
    side: Side<'a>,
    vectors: Range<usize>,
    panel: &'a mut [f32],
}

impl Kernel for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let elements = 0..self.panel.len() / LANES;
        self.side.pack::<V>(self.vectors, elements, self.panel);
    }
}

/// Some vectors out of panels, from the beginning of a panel on.
#[derive(Clone, Copy)]
pub struct Kept<'a> {
    panels: &'a Panels,
    first: usize,
    count: usize,
}

impl<'a> Kept<'a> {
    /// The panels from vector `vector` on, a multiple of sixteen, and in each from an element on.
    #[inline(always)]
    pub fn from(&self, vector: usize, element: usize) -> &'a [f32] {
        &self.panels.data[(self.first + vector) * self.panels.length + element * LANES..]
    }

    /// Values from panel to panel.
    #[inline(always)]
    pub fn stride(&self) -> usize {
        self.panels.length * LANES
    }
}

/// The right side of a product, whose panels stream past blocks of the result.
#[derive(Clone, Copy)]
pub enum Right<'a> {
    Copied(Side<'a>),
    Kept(Kept<'a>),
}

impl<'a> From<Side<'a>> for Right<'a> {
    fn from(side: Side<'a>) -> Self {
        Self::Copied(side)
    }
}

impl Right<'_> {
    /// How many vectors there are.
    #[inline(always)]
    pub fn count(&self) -> usize {
        match self {
            Self::Copied(side) => side.count(),
            Self::Kept(kept) => kept.count,
        }
    }

    /// The vectors of a range, which begins at a multiple of sixteen.
    pub fn range(self, range: Range<usize>) -> Self {
        match self {
            Self::Copied(side) => Self::Copied(side.range(range)),
            Self::Kept(kept) => {
                Self::Kept(Kept { first: kept.first + range.start, count: range.len(), ..kept })
            }
        }
    }
}
