//! Attention against its definition, and that neither batch, padding, threads nor a cache change its bits.

use candle_core::Tensor;
use ebb::ops::{self, AttentionSpan, Scores};

use super::{agrees, bits, on_threads, random, wide};

/// batch, queries, keys, heads, kv_heads, head_dim.
#[derive(Clone, Copy)]
struct Sizes(usize, usize, usize, usize, usize, usize);

fn attention_by_definition(
    p: &[Vec<f64>],
    sizes: Sizes,
    scores: Scores,
    span: &AttentionSpan,
) -> Vec<f64> {
    let Sizes(batch, queries, keys, heads, kv_heads, head_dim) = sizes;
    let mut out = vec![0.0; batch * queries * heads * head_dim];
    for row in 0..batch {
        for query in 0..queries {
            let position = keys - queries + query;
            let start = span.starts.get(row).copied().unwrap_or(0);
            let seen = |key: &usize| {
                *key >= start && span.window.is_none_or(|window| key + window > position)
            };
            let seen: Vec<usize> = match span.ends.get(row) {
                Some(end) => (start..*end).collect(),
                None => (0..=position).filter(seen).collect(),
            };
            for head in 0..heads {
                let kv_head = head / (heads / kv_heads);
                let q = &p[0][((row * queries + query) * heads + head) * head_dim..][..head_dim];
                let of = |x: usize, key: usize| {
                    &p[x][((row * keys + key) * kv_heads + kv_head) * head_dim..][..head_dim]
                };
                let exps: Vec<f64> = seen
                    .iter()
                    .map(|key| q.iter().zip(of(1, *key)).map(|(a, b)| a * b).sum::<f64>())
                    .map(|product| product * scores.scale)
                    .map(|score| scores.cap.map_or(score, |cap| cap * (score / cap).tanh()))
                    .map(f64::exp)
                    .collect();
                let total: f64 = exps.iter().sum();
                let place = ((row * queries + query) * heads + head) * head_dim;
                for (key, exp) in seen.iter().zip(&exps) {
                    for i in 0..head_dim {
                        out[place + i] += exp / total * of(2, *key)[i];
                    }
                }
            }
        }
    }
    out
}

#[test]
fn attention_and_its_gradients_follow_the_definition() {
    let span = |starts: &[usize], window| AttentionSpan {
        starts: starts.to_vec(),
        window,
        ..AttentionSpan::default()
    };
    for (sizes, span, cap) in [
        (Sizes(1, 1, 1, 1, 1, 8), span(&[], None), None),
        (Sizes(2, 5, 5, 2, 2, 8), span(&[], None), Some(0.7)),
        (Sizes(2, 7, 7, 4, 2, 24), span(&[3, 0], None), None),
        (Sizes(1, 19, 19, 3, 1, 16), span(&[], Some(4)), None),
        (Sizes(3, 18, 18, 2, 1, 5), span(&[17, 4, 0], Some(6)), Some(2.0)),
        (Sizes(2, 1, 9, 4, 2, 32), span(&[2, 0], None), None),
        (Sizes(2, 3, 9, 2, 2, 12), span(&[1, 8], Some(3)), None),
    ] {
        let Sizes(batch, queries, keys, heads, kv_heads, head_dim) = sizes;
        let scale = 1.0 / (head_dim as f64).sqrt();
        let scores = Scores { scale, cap };
        agrees(
            &[
                ("q", &[batch, queries, heads, head_dim]),
                ("k", &[batch, keys, kv_heads, head_dim]),
                ("v", &[batch, keys, kv_heads, head_dim]),
            ],
            |t| ops::attention(&t[0], &t[1], &t[2], scores, &span),
            |p| attention_by_definition(p, sizes, scores, &span),
        );
    }
}

#[test]
fn attention_over_whole_texts_and_its_gradients_follow_the_definition() {
    let span = |starts: &[usize], ends: &[usize]| AttentionSpan {
        starts: starts.to_vec(),
        ends: ends.to_vec(),
        ..AttentionSpan::default()
    };
    for (sizes, span) in [
        (Sizes(1, 1, 1, 1, 1, 8), span(&[], &[1])),
        (Sizes(2, 7, 7, 2, 2, 12), span(&[], &[7, 3])),
        (Sizes(3, 18, 18, 2, 1, 5), span(&[], &[1, 18, 11])),
        (Sizes(2, 20, 20, 3, 3, 32), span(&[4, 0], &[19, 20])),
        // The last layer of a classifier: one query a text.
        (Sizes(3, 1, 9, 4, 4, 16), span(&[], &[9, 2, 5])),
    ] {
        let Sizes(batch, queries, keys, heads, kv_heads, head_dim) = sizes;
        let scores = Scores { scale: 1.0 / (head_dim as f64).sqrt(), cap: None };
        agrees(
            &[
                ("q", &[batch, queries, heads, head_dim]),
                ("k", &[batch, keys, kv_heads, head_dim]),
                ("v", &[batch, keys, kv_heads, head_dim]),
            ],
            |t| ops::attention(&t[0], &t[1], &t[2], scores, &span),
            |p| attention_by_definition(p, sizes, scores, &span),
        );
    }
}

#[test]
fn attention_reads_a_view_into_a_cache_where_it_lies() {
    let cache = |name| random(name, &[2, 40, 2, 16]);
    let q = random("q", &[2, 1, 4, 16]);
    let (k, v) = (cache("k").narrow(1, 0, 23).unwrap(), cache("v").narrow(1, 0, 23).unwrap());
    assert!(!k.is_contiguous());
    let span = AttentionSpan::default();
    let views = ops::attention(&q, &k, &v, 0.25, &span).unwrap();
    let copies =
        ops::attention(&q, &k.contiguous().unwrap(), &v.contiguous().unwrap(), 0.25, &span);
    assert_eq!(bits(&views), bits(&copies.unwrap()));
}

#[test]
fn attention_has_the_same_bits_whatever_the_batch_the_padding_the_threads_or_the_cache() {
    let (time, padding) = (37, 11);
    let [q, k, v] =
        ["q", "k", "v"].map(|name| random(name, &[1, time, if name == "q" { 4 } else { 2 }, 32]));
    let alone = ops::attention(&q, &k, &v, 0.2, &AttentionSpan::default()).unwrap();
    let alone = bits(&alone);
    // The same text as the second row of a batch, after padding.
    let [pq, pk, pv] = [&q, &k, &v].map(|x| {
        let heads = x.dim(2).unwrap();
        let pad = random("pad", &[1, padding, heads, 32]);
        let padded = Tensor::cat(&[&pad, x], 1).unwrap();
        Tensor::cat(&[&random("other", &[1, time + padding, heads, 32]), &padded], 0).unwrap()
    });
    let span = AttentionSpan { starts: vec![0, padding], ..AttentionSpan::default() };
    for threads in [1, 2, 4] {
        let together = on_threads(threads, || ops::attention(&pq, &pk, &pv, 0.2, &span)).unwrap();
        let row = together.narrow(0, 1, 1).unwrap();
        assert!(bits(&row.narrow(1, padding, time).unwrap()) == alone, "{threads} threads");
        let pad = row.narrow(1, 0, padding).unwrap();
        assert!(wide(&pad).iter().all(|x| *x == 0.0), "queries on padding give zeros");
    }
    // Token by token over a growing cache.
    for query in 0..time {
        let last = ops::attention(
            &q.narrow(1, query, 1).unwrap(),
            &k.narrow(1, 0, query + 1).unwrap(),
            &v.narrow(1, 0, query + 1).unwrap(),
            0.2,
            &AttentionSpan::default(),
        );
        assert!(bits(&last.unwrap()) == alone[query * 128..][..128], "query {query}");
    }
}

#[test]
fn a_row_of_padding_alone_gives_zeros() {
    let x = random("x", &[2, 5, 2, 8]);
    let span =
        AttentionSpan { starts: vec![usize::MAX, 0], window: Some(1), ..AttentionSpan::default() };
    let out = ops::attention(&x, &x, &x, 1.0, &span).unwrap();
    assert!(wide(&out)[..80].iter().all(|value| *value == 0.0));
    // A window of one key: a query sees only itself.
    assert_eq!(bits(&out)[80..], bits(&x)[80..]);
}
