//! The output projection with its loss, whose logits are made in pieces, beside the two operations one after the other.

use candle_core::{Device, Tensor, Var};
use ebb::ops;

use super::{bits, random};

/// So many tokens in the vocabulary that a piece is 32 rows.
const VOCABULARY: usize = 300_000;
const WIDTH: usize = 6;
/// Three whole pieces and a part of one.
const ROWS: usize = 107;

/// The loss, and the gradients of hidden states and weight where they vary.
fn both_ways(
    hidden: &Tensor,
    weight: &Tensor,
    targets: &Tensor,
    factor: f64,
    announced: Option<f64>,
) -> [Vec<Vec<u32>>; 2] {
    let apart = || {
        let logits = ops::linear(hidden, weight, None).unwrap();
        ops::cross_entropy_sum(&logits, targets).unwrap()
    };
    let together = || ops::head_loss(hidden, weight, targets, announced).unwrap();
    [&apart as &dyn Fn() -> Tensor, &together].map(|loss| {
        let loss = loss();
        let gradients = (&loss * factor).unwrap().backward().unwrap();
        let of = |x: &Tensor| gradients.get(x).map(bits);
        [Some(bits(&loss)), of(hidden), of(weight)].into_iter().flatten().collect()
    })
}

#[test]
fn a_loss_in_pieces_has_the_bits_of_the_whole_one() {
    let hidden = random("hidden", &[ROWS, WIDTH]);
    let weight = random("weight", &[VOCABULARY, WIDTH]);
    let ids: Vec<u32> = (0..ROWS as u32).map(|row| row * 2_801 % VOCABULARY as u32).collect();
    let targets = Tensor::from_vec(ids, ROWS, &Device::Cpu).unwrap();
    let var = |x: &Tensor| Var::from_tensor(x).unwrap().as_tensor().clone();
    // The factor of the backward pass may be the one that was announced, or another.
    for announced in [0.37, 1.0] {
        let (h, w) = (var(&hidden), var(&weight));
        let [apart, together] = both_ways(&h, &w, &targets, 0.37, Some(announced));
        assert_eq!(apart.len(), 3);
        assert!(apart == together, "factor {announced}");
        let [apart, together] = both_ways(&h, &weight, &targets, 0.37, Some(announced));
        assert!(apart.len() == 2 && apart == together, "a frozen head");
        let [apart, together] = both_ways(&hidden, &w, &targets, 0.37, Some(announced));
        assert!(apart.len() == 2 && apart == together, "the head alone");
    }
    let alone = ops::head_loss(&var(&hidden), &var(&weight), &targets, None).unwrap();
    let whole = ops::linear(&hidden, &weight, None).unwrap();
    assert_eq!(bits(&alone), bits(&ops::cross_entropy_sum(&whole, &targets).unwrap()));
}

#[test]
fn targets_outside_the_vocabulary_and_weights_of_another_width_are_refused() {
    let (hidden, weight) = (random("hidden", &[3, 4]), random("weight", &[5, 4]));
    let targets = |ids: Vec<u32>| Tensor::new(ids, &Device::Cpu).unwrap();
    for (weight, targets, told) in [
        (&weight, targets(vec![0, 5, 1]), "target 5"),
        (&weight, targets(vec![0, 1]), "3 targets, got 2"),
        (&random("other", &[5, 3]), targets(vec![0, 1, 2]), "width 4"),
    ] {
        let error = ops::head_loss(&hidden, weight, &targets, Some(1.0)).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}
