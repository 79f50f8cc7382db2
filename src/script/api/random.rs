//! Random draws for scripts, from named streams of a seed.

use rhai::{Array, Dynamic, NativeCallContext};

use crate::error::Error;
use crate::random::Stream;
use crate::script::failure::At;
use crate::script::record::Record;

/// As many as an array of a script may hold.
const MOST: i64 = 1 << 24;

pub const RECORDS: &[Record] = &[Record::new(
    "random_integers",
    &["random_integers(n, below, seed, stream) -> array"],
    "n whole numbers from 0 to below - 1, drawn from the named stream of a seed",
    r#"random_integers(3, 10, 0, "dice")"#,
    |engine, _| {
        engine.register_fn(
            "random_integers",
            |context: NativeCallContext, n: i64, below: i64, seed: i64, name: &str| {
                let draws = || if (0..=MOST).contains(&n) && below > 0 {
                        let stream = Stream::new(seed as u64, name);
                        let draw = |i: i64| Dynamic::from(stream.below(i as u64, below as u64) as i64);
                        Ok((0..n).map(draw).collect::<Array>())
                    } else { Err(Error::invalid(
                        "random_integers",
                        format!("n from 0 to {MOST} and below from 1"),
                        format!("{n} and {below}"),
                    )) };
                draws().at(&context)
            },
        );
    },
)
.doc("The same seed and stream give the same numbers on every machine; different streams are unrelated.")];
