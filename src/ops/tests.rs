//! What other devices compute, against the kernels: the same results and the same gradients for every input.

#![allow(clippy::unwrap_used)]

use candle_core::{DType, Device, Result, Tensor, Var};

use super::{AdamW, AttentionSpan, Scores, adamw, attention, binary, loss, norm, rope};
use crate::random::Stream;

fn random(name: &str, shape: &[usize]) -> Tensor {
    let stream = Stream::new(11, name);
    let values: Vec<f32> =
        (0..shape.iter().product::<usize>()).map(|i| stream.normal(i as u64) as f32).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Asserts that the elements of two tensors differ by less than 1e-5 of the largest: f32 sums in two orders.
fn close(what: &str, a: &Tensor, b: &Tensor) {
    let flat = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(a.dims(), b.dims(), "{what}");
    let size = flat(b).iter().fold(1e-3f32, |size, x| size.max(x.abs()));
    let pairs = flat(a).into_iter().zip(flat(b));
    let error = pairs.fold(0f32, |error, (a, b)| error.max((a - b).abs() / size));
    assert!(error < 1e-5, "{what} differs by {error}");
}

fn agree(
    what: &str,
    shapes: &[&[usize]],
    kernel: impl Fn(&[Tensor]) -> Result<Tensor>,
    composed: impl Fn(&[Tensor]) -> Result<Tensor>,
) {
    let inputs: Vec<Tensor> = shapes
        .iter()
        .enumerate()
        .map(|(i, shape)| Var::from_tensor(&random(&i.to_string(), shape)).unwrap().into_inner())
        .collect();
    let (ours, theirs) = (kernel(&inputs).unwrap(), composed(&inputs).unwrap());
    close(what, &ours, &theirs);
    let direction = random("direction", ours.dims());
    let gradients = |out: Tensor| (out * &direction).unwrap().sum_all().unwrap().backward();
    let (ours, theirs) = (gradients(ours).unwrap(), gradients(theirs).unwrap());
    for (i, input) in inputs.iter().enumerate() {
        close(
            &format!("{what}, gradient of input {i}"),
            ours.get(input).unwrap(),
            theirs.get(input).unwrap(),
        );
    }
}

#[test]
fn norms_agree() {
    agree(
        "rms_norm",
        &[&[2, 3, 20], &[20]],
        |t| norm::rms_norm(&t[0], &t[1], 1e-6),
        |t| norm::composed_rms_norm(&t[0], &t[1], 1e-6),
    );
    agree(
        "layer_norm",
        &[&[2, 3, 20], &[20], &[20]],
        |t| norm::layer_norm(&t[0], &t[1], &t[2], 1e-6),
        |t| norm::composed_layer_norm(&t[0], &t[1], &t[2], 1e-6),
    );
}

#[test]
fn rope_agrees() {
    let (cos, sin) = (random("cos", &[9, 3]), random("sin", &[9, 3]));
    let positions = Tensor::new(&[[0u32, 1, 2, 3], [8, 7, 6, 5]], &Device::Cpu).unwrap();
    agree(
        "rope",
        &[&[2, 4, 2, 8]],
        |t| rope::rope(&t[0], &cos, &sin, &positions),
        |t| {
            let cos = rope::angles(&cos, &positions, (2, 4))?;
            rope::composed(&t[0], &cos, &rope::angles(&sin, &positions, (2, 4))?)
        },
    );
}

#[test]
fn attention_agrees() {
    for (starts, window, cap) in
        [(vec![], None, None), (vec![0, 4], None, Some(0.5)), (vec![2, 0], Some(3), None)]
    {
        let span = AttentionSpan { starts, window, ..AttentionSpan::default() };
        let scores = Scores { scale: 0.3, cap };
        agree(
            "attention",
            &[&[2, 6, 4, 8], &[2, 9, 2, 8], &[2, 9, 2, 8]],
            |t| attention::attention(&t[0], &t[1], &t[2], scores, &span),
            |t| attention::composed::attention(&t[0], &t[1], &t[2], scores, &span),
        );
    }
}

#[test]
fn cross_entropy_agrees() {
    let targets = Tensor::new(&[3u32, 0, 18], &Device::Cpu).unwrap();
    agree(
        "cross entropy",
        &[&[3, 19]],
        |t| loss::cross_entropy_sum(&t[0], &targets),
        |t| loss::composed(&t[0], &targets)?.sum_all(),
    );
}

#[test]
fn attention_over_whole_texts_agrees() {
    let span = AttentionSpan { ends: vec![9, 4], ..AttentionSpan::default() };
    let scores = Scores { scale: 0.3, cap: None };
    agree(
        "attention over whole texts",
        &[&[2, 9, 4, 8], &[2, 9, 4, 8], &[2, 9, 4, 8]],
        |t| attention::attention(&t[0], &t[1], &t[2], scores, &span),
        |t| attention::composed::attention(&t[0], &t[1], &t[2], scores, &span),
    );
}

#[test]
fn binary_cross_entropy_agrees() {
    let positive = random("positive", &[4, 5]).sqr().unwrap();
    let negative = random("negative", &[4, 5]).sqr().unwrap();
    agree(
        "binary cross entropy",
        &[&[4, 5]],
        |t| binary::binary_cross_entropy_sum(&t[0], &positive, &negative),
        |t| binary::composed(&t[0], &positive, &negative),
    );
    // Where |x| and max(x, 0) have no slope.
    let zero = Var::from_tensor(&Tensor::zeros((4, 5), DType::F32, &Device::Cpu).unwrap()).unwrap();
    let slope = |loss: Result<Tensor>| loss.unwrap().backward().unwrap().remove(&zero).unwrap();
    close(
        "binary cross entropy at zero",
        &slope(binary::binary_cross_entropy_sum(&zero, &positive, &negative)),
        &slope(binary::composed(&zero, &positive, &negative)),
    );
}

#[test]
fn adamw_agrees() {
    let settings = AdamW {
        learning_rate: 1e-2,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        weight_decay: 0.1,
        step: 3,
    };
    let update = |step: fn(&Var, &Var, &Var, &Tensor, f64, &AdamW) -> Result<()>| {
        let variable = |name| Var::from_tensor(&random(name, &[5, 7])).unwrap();
        let (parameter, first) = (variable("parameter"), variable("first"));
        let second = Var::from_tensor(&variable("second").sqr().unwrap()).unwrap();
        step(&parameter, &first, &second, &random("g", &[5, 7]), 0.5, &settings).unwrap();
        assert_eq!(parameter.dtype(), DType::F32);
        [parameter, first, second].map(Var::into_inner)
    };
    let (ours, theirs) = (update(adamw::adamw_step), update(adamw::composed));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        close("adamw", ours, theirs);
    }
}
