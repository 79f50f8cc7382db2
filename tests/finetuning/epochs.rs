//! An epoch is each row once, however rows, batches and accumulation divide.

use ebb::model::Model;
use ebb::train::batches::Order;
use ebb::train::finetune;
use ebb::train::options::{Duration, LossAverage, Method, Options, Schedule};

use super::{short, texts};
use crate::support::{bits, close, quiet, tiny};

fn sized(batch_size: usize, gradient_accumulation: usize, epochs: f64) -> Options {
    Options {
        duration: Duration::Epochs(epochs),
        batch_size,
        gradient_accumulation,
        seed: 5,
        ..short(Method::Full)
    }
}

/// The rows of each update of a training.
fn updates(rows: usize, options: &Options) -> Vec<Vec<usize>> {
    let mut order = Order::new(rows, options);
    (1..=options.steps(rows))
        .map(|step| {
            let batches = order.update(step).into_iter();
            batches.flat_map(|(_, rows)| rows).collect()
        })
        .collect()
}

#[test]
fn every_epoch_takes_each_row_once() {
    for rows in [1, 2, 7, 8, 9, 16, 17] {
        for batch in [1, 2, 4, 8, 20] {
            for accumulation in [1, 2, 3] {
                let options = sized(batch, accumulation, 3.0);
                let made = updates(rows, &options);
                let an_epoch = rows.div_ceil(batch).div_ceil(accumulation);
                assert_eq!(made.len(), 3 * an_epoch);
                for epoch in made.chunks(an_epoch) {
                    let mut seen = epoch.concat();
                    seen.sort_unstable();
                    let what = format!("{rows} rows, batch {batch}, accumulation {accumulation}");
                    assert_eq!(seen, (0..rows).collect::<Vec<_>>(), "{what}");
                }
            }
        }
    }
    let sizes = |rows, options: &Options| -> Vec<usize> {
        updates(rows, options).iter().map(Vec::len).collect()
    };
    assert_eq!(sizes(9, &sized(8, 1, 1.0)), [8, 1]);
    assert_eq!(sizes(9, &sized(4, 1, 2.0)), [4, 4, 1, 4, 4, 1]);
    assert_eq!(sizes(9, &sized(2, 2, 1.0)), [4, 4, 1]);
    assert_eq!(sizes(9, &sized(4, 1, 1.5)), [4, 4, 1, 4, 4]);
    let across = Options { duration: Duration::Steps(5), ..sized(4, 1, 1.0) };
    assert_eq!(sizes(9, &across), [4, 4, 1, 4, 4]);
}

#[test]
fn rows_that_are_not_shuffled_come_in_their_order_in_every_epoch() {
    let options = Options { shuffle: false, ..sized(2, 1, 2.0) };
    let expected: [&[usize]; 6] = [&[0, 1], &[2, 3], &[4], &[0, 1], &[2, 3], &[4]];
    assert_eq!(updates(5, &options), expected);
}

#[test]
fn the_log_counts_epochs_by_rows() {
    let trained = finetune(&tiny(), &texts()[..5], &[], &sized(2, 1, 2.0), &quiet()).unwrap();
    let epochs: Vec<f64> = trained.log().iter().map(|record| record.epoch).collect();
    close(&epochs, &[0.4, 0.8, 1.0, 1.4, 1.8, 2.0], 1e-12, "epochs");
    let lengths: usize = texts()[..5].iter().map(|row| row.ids.len()).sum();
    let tokens: usize = trained.log().iter().map(|record| record.tokens).sum();
    assert_eq!(tokens, 2 * lengths);
}

/// Loss and gradient norm of every update.
fn traced(model: &Model) -> (Vec<f64>, Vec<f64>) {
    let log = model.log();
    (
        log.iter().map(|record| record.loss).collect(),
        log.iter().map(|record| record.grad_norm).collect(),
    )
}

#[test]
fn accumulation_changes_nothing_but_rounding_with_short_groups_too() {
    // The learning rate is 0, so every update shows the gradient of the same weights.
    let run = |batch_size, accumulation| {
        let options = Options {
            learning_rate: 0.0,
            schedule: Schedule::Constant,
            ..sized(batch_size, accumulation, 2.0)
        };
        traced(&finetune(&tiny(), &texts()[..5], &[], &options, &quiet()).unwrap())
    };
    let (losses, norms) = run(4, 1);
    assert_eq!(losses.len(), 4);
    for (batch_size, accumulation) in [(2, 2), (1, 4)] {
        let (ours, our_norms) = run(batch_size, accumulation);
        let what = format!("{accumulation} batches of {batch_size}");
        close(&ours, &losses, 2e-6, &what);
        close(&our_norms, &norms, 1e-5, &what);
    }
}

#[test]
fn a_short_group_is_the_mean_of_the_batches_it_has() {
    let run = |loss_average, accumulation| {
        let options = Options {
            learning_rate: 0.0,
            loss_average,
            shuffle: false,
            ..sized(1, accumulation, 1.0)
        };
        traced(&finetune(&tiny(), &texts()[..3], &[], &options, &quiet()).unwrap()).0
    };
    let alone = run(LossAverage::Batch, 1);
    let pairs = run(LossAverage::Batch, 2);
    close(&pairs, &[(alone[0] + alone[1]) / 2.0, alone[2]], 1e-5, "means of batches");
}

#[test]
fn running_blocks_again_keeps_short_batches() {
    let run = |recompute| {
        let options = Options { recompute, ..sized(4, 2, 2.0) };
        finetune(&tiny(), &texts()[..5], &[], &options, &quiet()).unwrap()
    };
    let (kept, again) = (run(false), run(true));
    close(&traced(&again).0, &traced(&kept).0, 1e-5, "losses");
    assert_eq!(bits(&kept).len(), bits(&again).len());
}
