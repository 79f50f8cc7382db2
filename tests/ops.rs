//! The building blocks of a decoder against definitions written out in f64: results, and gradients of every input by
//! central differences; and that no result depends on threads, batch or padding.

#![allow(clippy::unwrap_used, clippy::panic)]

use candle_core::{DType, Device, Tensor, Var};
use ebb::ops::{self, AttentionSpan};
use ebb::random::Stream;

mod attention;
mod head;
mod training;

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
    let grads = (&out * &direction).unwrap().sum_all().unwrap().backward().unwrap();
    let direction = wide(&direction);
    let along = |points: &[Vec<f64>]| -> f64 {
        let out = definition(points);
        out.iter().zip(&direction).map(|(a, b)| a * b).sum()
    };
    const STEP: f64 = 1e-5;
    for (index, (name, shape)) in inputs.iter().enumerate() {
        let gradient =
            grads.get(&variables[index]).unwrap_or_else(|| panic!("{name} gets no gradient"));
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
        assert!(error < 5e-6, "gradient of {name} {shape:?} differs by {error}");
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
            &[("x", &x), ("weight", &[outputs, inputs]), ("bias", &[outputs])],
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
                    assert!(bits(&y) == alone[..rows].concat(), "{rows} rows, {threads} threads");
                }
            });
        }
    }
}

fn on_threads<R: Send>(threads: usize, task: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(task)
}

#[test]
fn embedding_picks_rows_and_sums_the_gradients_of_repeated_tokens() {
    let ids = Tensor::new(&[[3u32, 0, 3], [1, 3, 4]], &Device::Cpu).unwrap();
    agrees(
        &[("weight", &[6, 5])],
        |t| ops::embedding(&ids, &t[0]),
        |p| [3, 0, 3, 1, 3, 4].iter().flat_map(|id| p[0][id * 5..][..5].to_vec()).collect(),
    );
    let outside = Tensor::new(&[[6u32]], &Device::Cpu).unwrap();
    let error = ops::embedding(&outside, &random("weight", &[6, 5])).unwrap_err();
    assert!(error.to_string().contains("token id 6"), "{error}");
}

fn normed(row: &[f64], centred: bool, epsilon: f64) -> Vec<f64> {
    let width = row.len() as f64;
    let mean = if centred { row.iter().sum::<f64>() / width } else { 0.0 };
    let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width;
    row.iter().map(|x| (x - mean) / (variance + epsilon).sqrt()).collect()
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
                    row.into_iter().zip(&p[1]).map(|(x, w)| x * w).collect::<Vec<_>>()
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
                    (0..width).map(|i| row[i] * p[1][i] + p[2][i]).collect::<Vec<_>>()
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

#[test]
fn swiglu_and_its_gradients_follow_the_definition() {
    for shape in [vec![1, 1, 3], vec![2, 3, 16], vec![5, 333]] {
        agrees(
            &[("gate", &shape), ("up", &shape)],
            |t| ops::swiglu(&(&t[0] * 3.0)?, &t[1]),
            |p| {
                let pairs = p[0].iter().map(|gate| 3.0 * gate).zip(&p[1]);
                pairs.map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up).collect()
            },
        );
    }
}

#[test]
fn soft_caps_and_their_gradients_follow_the_definition() {
    for (shape, cap) in [(vec![3], 0.3), (vec![2, 3, 16], 2.0), (vec![2, 4111], 30.0)] {
        let input = [("x", shape.as_slice())];
        // Where a cap is far from the numbers, cap · tanh(x / cap) cancels: a unit in the last place of the cap stays.
        let by_definition = |p: &[Vec<f64>]| p[0].iter().map(|x| cap * (x / cap).tanh()).collect();
        if cap < 10.0 {
            agrees(&input, |t| ops::soft_cap(&t[0], cap), by_definition)
        } else {
            let x = random("x", &shape);
            let capped = wide(&ops::soft_cap(&x, cap).unwrap());
            assert!(difference(&capped, &by_definition(&[wide(&x)])) < 4e-7 * cap);
        }
    }
}

#[test]
fn half_precision_is_computed_in_f32_and_keeps_its_type_and_its_gradients() {
    let half = |name, shape: &[usize]| {
        Var::from_tensor(&random(name, shape).to_dtype(DType::BF16).unwrap()).unwrap()
    };
    let (x, weight, norm) = (half("x", &[2, 3, 16]), half("w", &[32, 16]), half("n", &[32]));
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

#[test]
fn empty_batches_give_empty_results_and_shapes_that_do_not_fit_are_refused() {
    let empty = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    let weight = random("weight", &[5, 8]);
    let none = ops::linear(&empty(&[0, 3, 8]), &weight, None).unwrap();
    assert_eq!(none.dims(), [0, 3, 5]);
    let norm = random("norm", &[8]);
    assert_eq!(ops::rms_norm(&empty(&[0, 8]), &norm, 1e-5).unwrap().dims(), [0, 8]);
    let heads = empty(&[0, 4, 2, 8]);
    let span = AttentionSpan::default();
    let none = ops::attention(&heads, &heads, &heads, 1.0, &span).unwrap();
    assert_eq!(none.dims(), [0, 4, 2, 8]);

    let x = random("x", &[2, 7]);
    assert!(ops::linear(&x, &weight, None).is_err());
    assert!(ops::linear(&x, &empty(&[0, 7]), None).is_err());
    assert!(ops::rms_norm(&x, &norm, 1e-5).is_err());
    assert!(ops::rms_norm(&empty(&[2, 0]), &empty(&[0]), 1e-5).is_err());
    assert!(ops::swiglu(&x, &norm).is_err());
    let (q, k) = (random("q", &[1, 4, 3, 8]), random("k", &[1, 3, 2, 8]));
    assert!(ops::attention(&q, &k, &k, 1.0, &span).is_err());
}

/// The error function by its Taylor series, in f64: good to 1e-15 for the arguments here.
fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

#[test]
fn activations_and_their_gradients_follow_their_definitions() {
    use ebb::ops::Activation;
    let tanh = |x: f64| {
        let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
        0.5 * x * (1.0 + inner.tanh())
    };
    let definitions: [(Activation, &dyn Fn(f64) -> f64); 4] = [
        (Activation::Silu, &|x| x / (1.0 + (-x).exp())),
        (Activation::Gelu, &|x| 0.5 * x * (1.0 + erf(x / 2f64.sqrt()))),
        (Activation::GeluTanh, &tanh),
        (Activation::Relu, &|x| x.max(0.0)),
    ];
    for (kind, definition) in definitions {
        for shape in [vec![3], vec![2, 16], vec![5, 333]] {
            agrees(
                &[("x", &shape)],
                |t| ops::activation(&t[0], kind),
                |p| p[0].iter().map(|x| definition(*x)).collect(),
            );
        }
    }
}

#[test]
fn a_packed_matrix_multiplies_as_its_unpacked_self() {
    use candle_core::quantized::GgmlDType;
    use ebb::ops::Packed;
    // 700 rows of 256: several pieces, the last one short.
    let matrix = random("matrix", &[700, 256]);
    for kind in [GgmlDType::Q4_0, GgmlDType::Q8_0, GgmlDType::Q4K, GgmlDType::Q6K] {
        let packed = std::sync::Arc::new(Packed::quantize(&matrix, kind).unwrap());
        let unpacked = packed.unpack().unwrap();
        assert_eq!(packed.dims(), [700, 256]);
        let x = Var::from_tensor(&random("x", &[3, 5, 256])).unwrap();
        let (ours, dense) = (
            ops::packed_linear(&x, &packed, None).unwrap(),
            ops::linear(&x, &unpacked, None).unwrap(),
        );
        assert_eq!(bits(&ours), bits(&dense), "{kind:?}");
        let gradient = |y: Tensor| {
            let store = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
            bits(store.get(x.as_tensor()).unwrap())
        };
        assert_eq!(gradient(ours), gradient(dense), "{kind:?}");
    }
}
