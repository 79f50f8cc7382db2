//! The building blocks of a decoder against definitions written out in f64: results, and gradients of every input by
//! central differences; and that no result depends on threads, batch or padding.

use candle_core::{DType, Device, Tensor, Var};
use ebb::ops::{self, AdamW, AttentionSpan};
use ebb::random::Stream;

/// Random values of a shape, standard normal.
fn values(name: &str, count: usize) -> Vec<f32> {
    let stream = Stream::new(7, name);
    (0..count).map(|i| stream.normal(i as u64) as f32).collect()
}

fn random(name: &str, shape: &[usize]) -> Tensor {
    Tensor::from_vec(values(name, shape.iter().product()), shape, &Device::Cpu).unwrap()
}

fn wide(x: &Tensor) -> Vec<f64> {
    let flat: Vec<f32> = x.flatten_all().unwrap().to_vec1().unwrap();
    flat.into_iter().map(f64::from).collect()
}

fn bits(x: &Tensor) -> Vec<u32> {
    let flat: Vec<f32> = x.flatten_all().unwrap().to_vec1().unwrap();
    flat.into_iter().map(f32::to_bits).collect()
}

/// The largest difference, relative to the largest expected value.
fn difference(got: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let size = expected.iter().fold(1e-3, |size: f64, x| size.max(x.abs()));
    got.iter()
        .zip(expected)
        .map(|(got, expected)| (got - expected).abs() / size)
        .fold(0.0, f64::max)
}

/// Compares an operation and its gradients with a definition in f64. Values agree to a few units in the last place of
/// f32 (6e-8), gradients, which sum more terms, to 5e-6.
fn agrees(
    inputs: &[(&str, &[usize])],
    ours: impl Fn(&[Tensor]) -> candle_core::Result<Tensor>,
    definition: impl Fn(&[Vec<f64>]) -> Vec<f64>,
) {
    let variables: Vec<Var> = inputs
        .iter()
        .map(|(name, shape)| Var::from_tensor(&random(name, shape)).unwrap())
        .collect();
    let tensors: Vec<Tensor> = variables.iter().map(|x| x.as_tensor().clone()).collect();
    let points: Vec<Vec<f64>> = tensors.iter().map(wide).collect();
    let out = ours(&tensors).unwrap();
    let expected = definition(&points);
    let error = difference(&wide(&out), &expected);
    assert!(error < 2e-6, "{inputs:?}: results differ by {error}");

    let direction = random("direction", out.dims());
    let grads = (&out * &direction)
        .unwrap()
        .sum_all()
        .unwrap()
        .backward()
        .unwrap();
    let direction = wide(&direction);
    let along = |points: &[Vec<f64>]| -> f64 {
        let out = definition(points);
        out.iter().zip(&direction).map(|(a, b)| a * b).sum()
    };
    const STEP: f64 = 1e-5;
    for (index, (name, shape)) in inputs.iter().enumerate() {
        let gradient = grads
            .get(&variables[index])
            .unwrap_or_else(|| panic!("{name} gets no gradient"));
        assert_eq!(gradient.dims(), *shape, "{name}");
        let numeric: Vec<f64> = (0..points[index].len())
            .map(|element| {
                let mut moved = points.clone();
                moved[index][element] += STEP;
                let above = along(&moved);
                moved[index][element] -= 2.0 * STEP;
                (above - along(&moved)) / (2.0 * STEP)
            })
            .collect();
        let error = difference(&wide(gradient), &numeric);
        assert!(
            error < 5e-6,
            "gradient of {name} {shape:?} differs by {error}"
        );
    }
}

fn linear_by_definition(
    x: &[f64],
    weight: &[f64],
    bias: Option<&[f64]>,
    inputs: usize,
) -> Vec<f64> {
    x.chunks(inputs)
        .flat_map(|row| {
            weight.chunks(inputs).enumerate().map(move |(j, w)| {
                let dot: f64 = row.iter().zip(w).map(|(a, b)| a * b).sum();
                dot + bias.map_or(0.0, |bias| bias[j])
            })
        })
        .collect()
}

#[test]
fn linear_and_its_gradients_follow_the_definition() {
    for (x, outputs, inputs) in [
        (vec![1, 1, 16], 4, 16),
        (vec![2, 3, 5], 7, 5),
        (vec![37, 19], 33, 19),
        (vec![9, 96], 50, 96),
    ] {
        agrees(
            &[("x", &x), ("weight", &[outputs, inputs])],
            |t| ops::linear(&t[0], &t[1], None),
            |p| linear_by_definition(&p[0], &p[1], None, inputs),
        );
        agrees(
            &[
                ("x", &x),
                ("weight", &[outputs, inputs]),
                ("bias", &[outputs]),
            ],
            |t| ops::linear(&t[0], &t[1], Some(&t[2])),
            |p| linear_by_definition(&p[0], &p[1], Some(&p[2]), inputs),
        );
    }
}

#[test]
fn a_frozen_weight_gets_no_gradient() {
    let x = Var::from_tensor(&random("x", &[3, 8])).unwrap();
    let frozen = random("weight", &[5, 8]);
    let bias = Var::from_tensor(&random("bias", &[5])).unwrap();
    let y = ops::linear(&x, &frozen, Some(&bias)).unwrap();
    let grads = y.sum_all().unwrap().backward().unwrap();
    assert!(grads.get(&x).is_some() && grads.get(&bias).is_some());
    assert!(grads.get(&frozen).is_none());
}

#[test]
fn rows_of_a_linear_map_have_the_same_bits_in_any_batch_on_any_number_of_threads() {
    for (outputs, inputs) in [(8, 128), (130, 128), (2048, 64), (50, 700)] {
        let weight = random("weight", &[outputs, inputs]);
        let bias = random("bias", &[outputs]);
        let x = random("x", &[130, inputs]);
        let alone: Vec<Vec<u32>> = (0..130)
            .map(|row| {
                bits(&ops::linear(&x.narrow(0, row, 1).unwrap(), &weight, Some(&bias)).unwrap())
            })
            .collect();
        for threads in [1, 2, 4] {
            on_threads(threads, || {
                for rows in [2, 3, 5, 16, 31, 64, 130] {
                    let batch = x.narrow(0, 0, rows).unwrap();
                    let y = ops::linear(&batch, &weight, Some(&bias)).unwrap();
                    assert!(
                        bits(&y) == alone[..rows].concat(),
                        "{rows} rows, {threads} threads"
                    );
                }
            });
        }
    }
}

fn on_threads<R: Send>(threads: usize, task: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
        .install(task)
}

#[test]
fn embedding_picks_rows_and_sums_the_gradients_of_repeated_tokens() {
    let ids = Tensor::new(&[[3u32, 0, 3], [1, 3, 4]], &Device::Cpu).unwrap();
    agrees(
        &[("weight", &[6, 5])],
        |t| ops::embedding(&ids, &t[0]),
        |p| {
            [3, 0, 3, 1, 3, 4]
                .iter()
                .flat_map(|id| p[0][id * 5..][..5].to_vec())
                .collect()
        },
    );
    let outside = Tensor::new(&[[6u32]], &Device::Cpu).unwrap();
    let error = ops::embedding(&outside, &random("weight", &[6, 5])).unwrap_err();
    assert!(error.to_string().contains("token id 6"), "{error}");
}

fn normed(row: &[f64], centred: bool, epsilon: f64) -> Vec<f64> {
    let width = row.len() as f64;
    let mean = if centred {
        row.iter().sum::<f64>() / width
    } else {
        0.0
    };
    let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width;
    row.iter()
        .map(|x| (x - mean) / (variance + epsilon).sqrt())
        .collect()
}

#[test]
fn norms_and_their_gradients_follow_the_definition() {
    for shape in [vec![1, 1, 8], vec![2, 3, 16], vec![3, 21], vec![40, 50]] {
        let width = shape[shape.len() - 1];
        agrees(
            &[("x", &shape), ("weight", &[width])],
            |t| ops::rms_norm(&t[0], &t[1], 1e-5),
            |p| {
                let rows = p[0].chunks(width).map(|row| normed(row, false, 1e-5));
                rows.flat_map(|row| {
                    row.into_iter()
                        .zip(&p[1])
                        .map(|(x, w)| x * w)
                        .collect::<Vec<_>>()
                })
                .collect()
            },
        );
        agrees(
            &[("x", &shape), ("weight", &[width]), ("bias", &[width])],
            |t| ops::layer_norm(&t[0], &t[1], &t[2], 1e-5),
            |p| {
                let rows = p[0].chunks(width).map(|row| normed(row, true, 1e-5));
                rows.flat_map(|row| {
                    (0..width)
                        .map(|i| row[i] * p[1][i] + p[2][i])
                        .collect::<Vec<_>>()
                })
                .collect()
            },
        );
    }
}

#[test]
fn rope_turns_pairs_by_their_position_and_leaves_the_rest() {
    for (batch, time, heads, head_dim, half) in
        [(1, 1, 1, 8, 4), (2, 3, 2, 10, 3), (2, 5, 3, 32, 16)]
    {
        let angle = |position: usize, i: usize| position as f64 / 3f64.powi(i as i32);
        let table = |function: fn(f64) -> f64| {
            let all: Vec<f32> = (0..16)
                .flat_map(|position| (0..half).map(move |i| function(angle(position, i)) as f32))
                .collect();
            Tensor::from_vec(all, (16, half), &Device::Cpu).unwrap()
        };
        let places: Vec<u32> = (0..batch * time).map(|i| (i * 5 % 16) as u32).collect();
        let positions = Tensor::from_vec(places.clone(), (batch, time), &Device::Cpu).unwrap();
        let (cos, sin) = (table(f64::cos), table(f64::sin));
        let (cos_wide, sin_wide) = (wide(&cos), wide(&sin));
        agrees(
            &[("x", &[batch, time, heads, head_dim])],
            |t| ops::rope(&t[0], &cos, &sin, &positions),
            |p| {
                let mut out = p[0].clone();
                for (index, head) in out.chunks_mut(head_dim).enumerate() {
                    let row = places[index / heads] as usize * half;
                    for i in 0..half {
                        let (a, b) = (head[i], head[i + half]);
                        let (cos, sin) = (cos_wide[row + i], sin_wide[row + i]);
                        (head[i], head[i + half]) = (a * cos - b * sin, b * cos + a * sin);
                    }
                }
                out
            },
        );
    }
}

/// batch, queries, keys, heads, kv_heads, head_dim.
#[derive(Clone, Copy)]
struct Sizes(usize, usize, usize, usize, usize, usize);

fn attention_by_definition(
    p: &[Vec<f64>],
    sizes: Sizes,
    scale: f64,
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
            let seen: Vec<usize> = (0..=position).filter(seen).collect();
            for head in 0..heads {
                let kv_head = head / (heads / kv_heads);
                let q = &p[0][((row * queries + query) * heads + head) * head_dim..][..head_dim];
                let of = |x: usize, key: usize| {
                    &p[x][((row * keys + key) * kv_heads + kv_head) * head_dim..][..head_dim]
                };
                let exps: Vec<f64> = seen
                    .iter()
                    .map(|key| q.iter().zip(of(1, *key)).map(|(a, b)| a * b).sum::<f64>())
                    .map(|score| (score * scale).exp())
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
    };
    for (sizes, span) in [
        (Sizes(1, 1, 1, 1, 1, 8), span(&[], None)),
        (Sizes(2, 5, 5, 2, 2, 8), span(&[], None)),
        (Sizes(2, 7, 7, 4, 2, 24), span(&[3, 0], None)),
        (Sizes(1, 19, 19, 3, 1, 16), span(&[], Some(4))),
        (Sizes(3, 18, 18, 2, 1, 5), span(&[17, 4, 0], Some(6))),
        (Sizes(2, 1, 9, 4, 2, 32), span(&[2, 0], None)),
        (Sizes(2, 3, 9, 2, 2, 12), span(&[1, 8], Some(3))),
    ] {
        let Sizes(batch, queries, keys, heads, kv_heads, head_dim) = sizes;
        let scale = 1.0 / (head_dim as f64).sqrt();
        agrees(
            &[
                ("q", &[batch, queries, heads, head_dim]),
                ("k", &[batch, keys, kv_heads, head_dim]),
                ("v", &[batch, keys, kv_heads, head_dim]),
            ],
            |t| ops::attention(&t[0], &t[1], &t[2], scale, &span),
            |p| attention_by_definition(p, sizes, scale, &span),
        );
    }
}

#[test]
fn attention_reads_a_view_into_a_cache_where_it_lies() {
    let cache = |name| random(name, &[2, 40, 2, 16]);
    let q = random("q", &[2, 1, 4, 16]);
    let (k, v) = (
        cache("k").narrow(1, 0, 23).unwrap(),
        cache("v").narrow(1, 0, 23).unwrap(),
    );
    assert!(!k.is_contiguous());
    let span = AttentionSpan::default();
    let views = ops::attention(&q, &k, &v, 0.25, &span).unwrap();
    let copies = ops::attention(
        &q,
        &k.contiguous().unwrap(),
        &v.contiguous().unwrap(),
        0.25,
        &span,
    );
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
        Tensor::cat(
            &[&random("other", &[1, time + padding, heads, 32]), &padded],
            0,
        )
        .unwrap()
    });
    let span = AttentionSpan {
        starts: vec![0, padding],
        window: None,
    };
    for threads in [1, 2, 4] {
        let together = on_threads(threads, || ops::attention(&pq, &pk, &pv, 0.2, &span)).unwrap();
        let row = together.narrow(0, 1, 1).unwrap();
        assert!(
            bits(&row.narrow(1, padding, time).unwrap()) == alone,
            "{threads} threads"
        );
        let pad = row.narrow(1, 0, padding).unwrap();
        assert!(
            wide(&pad).iter().all(|x| *x == 0.0),
            "queries on padding give zeros"
        );
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
        assert!(
            bits(&last.unwrap()) == alone[query * 128..][..128],
            "query {query}"
        );
    }
}

#[test]
fn swiglu_and_its_gradients_follow_the_definition() {
    for shape in [vec![1, 1, 3], vec![2, 3, 16], vec![5, 333]] {
        agrees(
            &[("gate", &shape), ("up", &shape)],
            |t| ops::swiglu(&(&t[0] * 3.0)?, &t[1]),
            |p| {
                let pairs = p[0].iter().map(|gate| 3.0 * gate).zip(&p[1]);
                pairs
                    .map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up)
                    .collect()
            },
        );
    }
}

fn losses_by_definition(logits: &[f64], targets: &[u32], vocabulary: usize) -> Vec<f64> {
    let rows = logits.chunks(vocabulary).zip(targets);
    rows.map(|(row, target)| row.iter().map(|x| x.exp()).sum::<f64>().ln() - row[*target as usize])
        .collect()
}

#[test]
fn cross_entropy_and_its_gradient_follow_the_definition() {
    for (rows, vocabulary) in [(1, 2), (3, 17), (5, 64), (20, 101)] {
        let targets: Vec<u32> = (0..rows).map(|row| (row * 7 % vocabulary) as u32).collect();
        let tensor = Tensor::from_vec(targets.clone(), rows, &Device::Cpu).unwrap();
        agrees(
            &[("logits", &[rows, vocabulary])],
            |t| ops::cross_entropy_sum(&(&t[0] * 2.0)?, &tensor),
            |p| {
                let logits: Vec<f64> = p[0].iter().map(|x| 2.0 * x).collect();
                vec![
                    losses_by_definition(&logits, &targets, vocabulary)
                        .iter()
                        .sum(),
                ]
            },
        );
        let logits = random("logits", &[rows, vocabulary]);
        let losses = ops::token_losses(&logits, &tensor).unwrap();
        let expected = losses_by_definition(&wide(&logits), &targets, vocabulary);
        assert!(difference(&wide(&losses), &expected) < 1e-6);
    }
}

#[test]
fn cross_entropy_is_finite_for_huge_logits_and_not_for_what_is_not_a_number() {
    let logits = Tensor::new(&[[3e4f32, -3e4, 0.0]], &Device::Cpu).unwrap();
    let loss = |logits: &Tensor, target: u32| {
        let target = Tensor::new(&[target], &Device::Cpu).unwrap();
        ops::cross_entropy_sum(logits, &target)
            .unwrap()
            .to_scalar::<f32>()
            .unwrap()
    };
    assert_eq!(loss(&logits, 0), 0.0);
    assert_eq!(loss(&logits, 1), 6e4);
    let broken = Tensor::new(&[[0f32, f32::NAN, 0.0]], &Device::Cpu).unwrap();
    assert!(loss(&broken, 0).is_nan());
    let outside = Tensor::new(&[3u32], &Device::Cpu).unwrap();
    assert!(ops::cross_entropy_sum(&logits, &outside).is_err());
}

#[test]
fn dropout_keeps_the_expected_share_and_passes_gradients_where_it_kept() {
    let stream = Stream::new(3, "dropout");
    let x = Var::from_tensor(&Tensor::ones((50, 400), DType::F32, &Device::Cpu).unwrap()).unwrap();
    let y = ops::dropout(&x, 0.25, &stream).unwrap();
    let kept = wide(&y).iter().filter(|value| **value != 0.0).count() as f64 / 20_000.0;
    // Five standard deviations of a share of 20 000.
    assert!(
        (kept - 0.75).abs() < 5.0 * (0.75f64 * 0.25 / 20_000.0).sqrt(),
        "{kept}"
    );
    assert!(
        wide(&y)
            .iter()
            .all(|value| *value == 0.0 || (value - 4.0 / 3.0).abs() < 1e-6)
    );
    let grads = y.sum_all().unwrap().backward().unwrap();
    assert_eq!(bits(grads.get(&x).unwrap()), bits(&y));
    for threads in [1, 4] {
        let again = on_threads(threads, || ops::dropout(&x, 0.25, &stream)).unwrap();
        assert_eq!(bits(&again), bits(&y));
    }
    assert_eq!(bits(&ops::dropout(&x, 0.0, &stream).unwrap()), bits(&x));
    assert!(ops::dropout(&x, 1.0, &stream).is_err());
}

#[test]
fn gradients_have_the_same_bits_on_any_number_of_threads() {
    let step = || {
        let [x, w, norm, up] = [
            ("x", vec![6, 40, 64]),
            ("w", vec![96, 64]),
            ("norm", vec![64]),
            ("up", vec![6, 40, 96]),
        ]
        .map(|(name, shape)| Var::from_tensor(&random(name, &shape)).unwrap());
        let h = ops::rms_norm(&x, &norm, 1e-6).unwrap();
        let h = ops::swiglu(&ops::linear(&h, &w, None).unwrap(), &up).unwrap();
        let heads = h.reshape((6, 40, 3, 32)).unwrap();
        let h = ops::attention(&heads, &heads, &heads, 0.2, &AttentionSpan::default()).unwrap();
        let targets = Tensor::zeros(6 * 40, DType::U32, &Device::Cpu).unwrap();
        let logits = h.reshape((6 * 40, 96)).unwrap();
        let loss = ops::cross_entropy_sum(&logits, &targets).unwrap();
        let grads = loss.backward().unwrap();
        let mut all = bits(&loss);
        for variable in [&x, &w, &norm, &up] {
            all.extend(bits(grads.get(variable).unwrap()));
        }
        all
    };
    let one = on_threads(1, step);
    assert!(one == on_threads(2, step) && one == on_threads(4, step));
}

#[test]
fn adamw_follows_its_definition_step_by_step() {
    let count = 20_000;
    let mut expected = values("parameter", count)
        .iter()
        .map(|x| f64::from(*x))
        .collect::<Vec<_>>();
    let (mut m, mut v) = (vec![0f64; count], vec![0f64; count]);
    let zeros = || Var::zeros(count, DType::F32, &Device::Cpu).unwrap();
    let parameter = Var::from_tensor(&random("parameter", &[count])).unwrap();
    let (first, second) = (zeros(), zeros());
    for step in 1..=5 {
        let settings = AdamW {
            learning_rate: 1e-2,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.1,
            step,
        };
        let gradient = random(&format!("gradient {step}"), &[count]);
        ops::adamw_step(&parameter, &first, &second, &gradient, 0.5, &settings).unwrap();
        for (i, gradient) in wide(&gradient).into_iter().enumerate() {
            let g = 0.5 * gradient;
            m[i] = 0.9 * m[i] + 0.1 * g;
            v[i] = 0.999 * v[i] + 0.001 * g * g;
            let corrected = m[i] / (1.0 - 0.9f64.powi(step as i32));
            let root = (v[i] / (1.0 - 0.999f64.powi(step as i32))).sqrt();
            expected[i] -= 1e-2 * 0.1 * expected[i] + 1e-2 * corrected / (root + 1e-8);
        }
    }
    assert!(difference(&wide(&parameter), &expected) < 1e-6);
    assert!(difference(&wide(&first), &m) < 1e-6);
    assert!(difference(&wide(&second), &v) < 1e-6);
}

#[test]
fn a_sum_of_squares_is_accumulated_in_f64() {
    let x = random("x", &[7, 12_345]);
    let expected: f64 = wide(&x).iter().map(|x| x * x).sum();
    let got = ops::sum_of_squares(&x).unwrap();
    // The expected sum itself rounds 86 415 times.
    assert!((got / expected - 1.0).abs() < 1e-12);
    assert_eq!(on_threads(1, || ops::sum_of_squares(&x)).unwrap(), got);
}

#[test]
fn half_precision_is_computed_in_f32_and_keeps_its_type_and_its_gradients() {
    let half = |name, shape: &[usize]| {
        Var::from_tensor(&random(name, shape).to_dtype(DType::BF16).unwrap()).unwrap()
    };
    let (x, weight, norm) = (
        half("x", &[2, 3, 16]),
        half("w", &[32, 16]),
        half("n", &[32]),
    );
    let h = ops::linear(&x, &weight, None).unwrap();
    let h = ops::rms_norm(&h, &norm, 1e-5).unwrap();
    let heads = h.reshape((2, 3, 4, 8)).unwrap();
    let h = ops::attention(&heads, &heads, &heads, 0.3, &AttentionSpan::default()).unwrap();
    assert_eq!(h.dtype(), DType::BF16);
    let grads = h.sum_all().unwrap().backward().unwrap();
    for variable in [&x, &weight, &norm] {
        assert_eq!(grads.get(variable).unwrap().dtype(), DType::BF16);
    }
}
