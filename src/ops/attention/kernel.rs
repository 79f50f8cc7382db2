//! Attention on the CPU, a block of queries of one head at a time.
//!
//! Every query's arithmetic runs over its own visible keys, first to last. Keys that only its neighbours see get the
//! weight zero, which adds nothing, so neither padding nor the batch changes a bit.

use std::ops::Range;

use candle_core::{Layout, Result, bail};

use super::scores::Scores;
use super::span::AttentionSpan;
use crate::ops::cpu::{collect, fill};
use crate::ops::products::{Rows, Side, Target, add_products, products};

/// Queries computed together.
const BLOCK: usize = 16;

/// A tensor (batch, time, heads, head_dim) with contiguous heads, wherever in memory.
#[derive(Clone, Copy)]
pub struct Heads<'a> {
    data: &'a [f32],
    strides: [usize; 3],
    batch: usize,
    time: usize,
    heads: usize,
    head_dim: usize,
}

impl<'a> Heads<'a> {
    pub fn of(storage: &'a [f32], layout: &Layout) -> Result<Self> {
        let (batch, time, heads, head_dim) = layout.shape().dims4()?;
        let [of_batch, of_time, of_head, 1] = *layout.stride() else {
            bail!("attention: expected contiguous heads, got strides {:?}", layout.stride());
        };
        Ok(Self {
            data: &storage[layout.start_offset()..],
            strides: [of_batch, of_time, of_head],
            batch,
            time,
            heads,
            head_dim,
        })
    }

    pub fn packed(data: &'a [f32], shape: (usize, usize, usize, usize)) -> Self {
        let (batch, time, heads, head_dim) = shape;
        Self {
            data,
            strides: [time * heads * head_dim, heads * head_dim, head_dim],
            batch,
            time,
            heads,
            head_dim,
        }
    }

    /// One head of one row of the batch at a range of times.
    fn rows(&self, row: usize, head: usize, times: Range<usize>) -> Rows<'a> {
        let [of_batch, of_time, of_head] = self.strides;
        let start = row * of_batch + head * of_head + times.start * of_time;
        Rows {
            data: &self.data[start.min(self.data.len())..],
            stride: of_time,
            count: times.len(),
            width: self.head_dim,
        }
    }
}

/// A block of queries of one row of the batch, and all keys that any of them sees.
struct Block<'a> {
    row: usize,
    queries: Range<usize>,
    /// Keys before the first query of the call.
    earlier: usize,
    span: &'a AttentionSpan,
}

impl Block<'_> {
    /// The keys that query `index` of the block sees.
    fn visible(&self, index: usize) -> Range<usize> {
        self.span.visible(self.row, self.earlier + self.queries.start + index)
    }

    /// The keys that any query of the block sees: windows move on, so the first sees the oldest.
    fn keys(&self) -> Range<usize> {
        self.visible(0).start..self.visible(self.queries.len().saturating_sub(1)).end
    }

    /// The products of queries and keys, (queries, keys of the block).
    fn products(&self, q: Rows, k: Rows) -> Vec<f32> {
        let mut products = vec![0.0; q.count * k.count];
        scalar_products(q, k, &mut products);
        products
    }

    /// The attention weights (queries, keys of the block), zero where a key is not seen.
    fn weights(&self, q: Rows, k: Rows, scores: Scores) -> Vec<f32> {
        let keys = self.keys();
        let mut weights = self.products(q, k);
        for (index, row) in weights.chunks_exact_mut(keys.len().max(1)).enumerate() {
            let visible = self.visible(index);
            let visible = visible.start - keys.start..visible.end - keys.start;
            row[..visible.start].fill(0.0);
            row[visible.end..].fill(0.0);
            scores.weigh(&mut row[visible]);
        }
        weights
    }
}

/// The forward pass.
pub struct Forward<'a> {
    pub q: Heads<'a>,
    pub k: Heads<'a>,
    pub v: Heads<'a>,
    pub scores: Scores,
    pub span: &'a AttentionSpan,
}

impl Forward<'_> {
    /// (batch, queries, heads, head_dim), contiguous.
    pub fn run(&self) -> Vec<f32> {
        let Heads { batch, time, heads, head_dim, .. } = self.q;
        let width = heads * head_dim;
        let mut out = vec![0.0; batch * time * width];
        let work = 2 * batch * time * self.k.time * width;
        if time == 1 {
            // One new token: heads are the pieces, so that a single text uses all threads.
            fill(&mut out, head_dim, work, |index, out| {
                self.block(index / heads, index % heads, 0..1, out, head_dim);
            });
            return out;
        }
        let blocks = time.div_ceil(BLOCK);
        let pieces = collect(batch * blocks, work, |index| {
            let (row, start) = (index / blocks, index % blocks * BLOCK);
            let queries = start..time.min(start + BLOCK);
            let mut piece = vec![0.0; queries.len() * width];
            for head in 0..heads {
                let piece = &mut piece[head * head_dim..];
                self.block(row, head, queries.clone(), piece, width);
            }
            piece
        });
        let mut rest = out.as_mut_slice();
        for piece in &pieces {
            let (head, tail) = rest.split_at_mut(piece.len());
            head.copy_from_slice(piece);
            rest = tail;
        }
        out
    }

    /// Adds one head of a block of queries to `out`, `stride` elements from query to query.
    fn block(
        &self,
        row: usize,
        head: usize,
        queries: Range<usize>,
        out: &mut [f32],
        stride: usize,
    ) {
        let kv_head = head / (self.q.heads / self.k.heads);
        let block = Block {
            row,
            queries: queries.clone(),
            earlier: self.k.time - self.q.time,
            span: self.span,
        };
        let keys = block.keys();
        let q = self.q.rows(row, head, queries);
        let k = self.k.rows(row, kv_head, keys.clone());
        let weights = block.weights(q, k, self.scores);
        let weights = Side::Rows(Rows::packed(&weights, keys.len()));
        let v = self.v.rows(row, kv_head, keys);
        add_products(weights, Side::Columns(v), Target { data: out, stride });
    }
}

/// The backward pass; all tensors contiguous.
pub struct Backward<'a> {
    pub q: Heads<'a>,
    pub k: Heads<'a>,
    pub v: Heads<'a>,
    pub grad: Heads<'a>,
    pub scores: Scores,
    pub span: &'a AttentionSpan,
}

/// Gradients of one key/value head of one row: of the queries of its group, (group, queries, head_dim), and of the keys
/// and values, (keys, head_dim).
struct HeadGradients {
    to_q: Vec<f32>,
    to_k: Vec<f32>,
    to_v: Vec<f32>,
}

impl Backward<'_> {
    /// The gradients of q, k and v, contiguous and in their shapes.
    pub fn run(&self) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let (batch, kv_heads, head_dim) = (self.q.batch, self.k.heads, self.q.head_dim);
        let group = self.q.heads / kv_heads;
        let work = 5 * batch * self.q.time * self.k.time * self.q.heads * head_dim;
        let parts =
            collect(batch * kv_heads, work, |index| self.head(index / kv_heads, index % kv_heads));
        let per_token = |heads: usize| heads * head_dim;
        let mut to_q = vec![0.0; batch * self.q.time * per_token(self.q.heads)];
        let mut to_k = vec![0.0; batch * self.k.time * per_token(kv_heads)];
        let mut to_v = to_k.clone();
        for (index, part) in parts.iter().enumerate() {
            let (row, kv_head) = (index / kv_heads, index % kv_heads);
            for (place, from) in part.to_q.chunks_exact((self.q.time * head_dim).max(1)).enumerate()
            {
                let head = kv_head * group + place;
                spread(&mut to_q, self.q, row, head, from);
            }
            spread(&mut to_k, self.k, row, kv_head, &part.to_k);
            spread(&mut to_v, self.v, row, kv_head, &part.to_v);
        }
        (to_q, to_k, to_v)
    }

    fn head(&self, row: usize, kv_head: usize) -> HeadGradients {
        let group = self.q.heads / self.k.heads;
        let (time, head_dim) = (self.q.time, self.q.head_dim);
        let mut gradients = HeadGradients {
            to_q: vec![0.0; group * time * head_dim],
            to_k: vec![0.0; self.k.time * head_dim],
            to_v: vec![0.0; self.k.time * head_dim],
        };
        for place in 0..group {
            for start in (0..time).step_by(BLOCK) {
                let block = Block {
                    row,
                    queries: start..time.min(start + BLOCK),
                    earlier: self.k.time - time,
                    span: self.span,
                };
                self.block(&block, kv_head, place, &mut gradients);
            }
        }
        gradients
    }

    /// With p the weights and dp = grad · vᵀ: dv = pᵀ · grad, ds = p · (dp − Σ p · dp) · scale (and the
    /// slope of the cap), dq = ds · k, dk = dsᵀ · q.
    fn block(&self, block: &Block, kv_head: usize, place: usize, gradients: &mut HeadGradients) {
        let head = kv_head * (self.q.heads / self.k.heads) + place;
        let (keys, stride) = (block.keys(), self.q.head_dim);
        if keys.is_empty() {
            return;
        }
        let q = self.q.rows(block.row, head, block.queries.clone());
        let grad = self.grad.rows(block.row, head, block.queries.clone());
        let k = self.k.rows(block.row, kv_head, keys.clone());
        let v = self.v.rows(block.row, kv_head, keys.clone());
        let mut weights = block.weights(q, k, self.scores);
        let data = &mut gradients.to_v[keys.start * stride..];
        let by_key = Side::Columns(Rows::packed(&weights, keys.len()));
        add_products(by_key, Side::Columns(grad), Target { data, stride });
        let products = self.scores.cap.map(|_| block.products(q, k));
        self.to_products(&mut weights, grad, v, products.as_deref());
        let first = (place * self.q.time + block.queries.start) * stride;
        let data = &mut gradients.to_q[first..];
        let weights = Rows::packed(&weights, keys.len());
        add_products(Side::Rows(weights), Side::Columns(k), Target { data, stride });
        let data = &mut gradients.to_k[keys.start * stride..];
        add_products(Side::Columns(weights), Side::Columns(q), Target { data, stride });
    }

    /// Turns a block's weights p into the gradient ds of its products.
    fn to_products(&self, weights: &mut [f32], grad: Rows, v: Rows, products: Option<&[f32]>) {
        let mut to_weights = vec![0.0; weights.len()];
        scalar_products(grad, v, &mut to_weights);
        for (index, (weights, to_weights)) in
            weights.chunks_exact_mut(v.count).zip(to_weights.chunks_exact(v.count)).enumerate()
        {
            let products = products.map(|all| &all[index * v.count..][..v.count]);
            self.scores.unweigh(weights, to_weights, products);
        }
    }
}

/// The products of the rows of `left` with those of `right`, (left, right).
fn scalar_products(left: Rows, right: Rows, out: &mut [f32]) {
    let target = Target { data: out, stride: right.count };
    products(Side::Rows(left), Side::Rows(right).into(), None, target);
}

/// Copies one head's rows (time, head_dim) to their places in a tensor shaped as `shape`.
fn spread(all: &mut [f32], shape: Heads, row: usize, head: usize, from: &[f32]) {
    let [of_batch, of_time, of_head] = shape.strides;
    for (time, from) in from.chunks_exact(shape.head_dim.max(1)).enumerate() {
        all[row * of_batch + time * of_time + head * of_head..][..from.len()].copy_from_slice(from);
    }
}
