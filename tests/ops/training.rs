//! What training adds to the decoder: the loss, dropout, the optimiser, and gradients that threads do not change.

use candle_core::{DType, Device, Tensor, Var};
use ebb::ops::{self, AdamW, AttentionSpan};
use ebb::random::Stream;

use super::{agrees, bits, difference, on_threads, random, values, wide};

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
                vec![losses_by_definition(&logits, &targets, vocabulary).iter().sum()]
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
        ops::cross_entropy_sum(logits, &target).unwrap().to_scalar::<f32>().unwrap()
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
    assert!((kept - 0.75).abs() < 5.0 * (0.75f64 * 0.25 / 20_000.0).sqrt(), "{kept}");
    assert!(wide(&y).iter().all(|value| *value == 0.0 || (value - 4.0 / 3.0).abs() < 1e-6));
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
    let mut expected = values("parameter", count).iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
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
