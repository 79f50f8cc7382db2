//! Random streams: known answers, and the properties that runs rely on.

use ebb::random::{Stream, philox};

/// The published test vectors of Philox 4x32-10 (Random123's `kat_vectors`).
#[test]
fn philox_gives_the_published_answers() {
    assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
    assert_eq!(
        philox([u32::MAX; 4], [u32::MAX; 2]),
        [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
    );
    assert_eq!(
        philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
        [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
    );
}

#[test]
fn streams_differ_by_seed_name_and_child_and_repeat_otherwise() {
    let draws = |stream: Stream| (0..8).map(|i| stream.bits(i)).collect::<Vec<_>>();
    let base = Stream::new(1, "order");
    assert_eq!(draws(base), draws(Stream::new(1, "order")));
    assert_ne!(draws(base), draws(Stream::new(2, "order")));
    assert_ne!(draws(base), draws(Stream::new(1, "dropout")));
    assert_ne!(draws(base), draws(base.child(0)));
    assert_ne!(draws(base.child(0)), draws(base.child(1)));
}

#[test]
fn uniform_and_normal_draws_have_their_moments() {
    let stream = Stream::new(7, "moments");
    let n = 100_000;
    let mean = |draw: &dyn Fn(u64) -> f64| (0..n).map(draw).sum::<f64>() / n as f64;
    // Standard errors are 0.0009 and 0.0032 (and 0.0045 for the square): four of them each.
    assert!((mean(&|i| stream.uniform(i)) - 0.5).abs() < 0.004);
    assert!(mean(&|i| stream.normal(i)).abs() < 0.013);
    assert!((mean(&|i| stream.normal(i).powi(2)) - 1.0).abs() < 0.018);
}

#[test]
fn a_sample_has_distinct_members_and_a_permutation_all_of_them() {
    let stream = Stream::new(3, "sample");
    let mut sample = stream.sample(50, 20);
    sample.sort_unstable();
    sample.dedup();
    assert_eq!(sample.len(), 20);
    let mut all = stream.permutation(50);
    assert_ne!(all, (0..50).collect::<Vec<_>>());
    all.sort_unstable();
    assert_eq!(all, (0..50).collect::<Vec<_>>());
    assert!(stream.sample(0, 3).is_empty());
}
