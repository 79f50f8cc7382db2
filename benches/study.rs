//! How long the study's preparation and scoring take, beside what they are asked to take.
//!
//! `cargo bench --bench study` prints a line for each: the time, the target, and target/ours (above 1 is faster than asked). BBQ rows are
//! those of the folder `../shared/data/bbq` where there is one, and otherwise the bundled sample's, over and over.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use ebb::control::Control;
use ebb::metrics::bootstrap::{Method, Settings, bootstrap};
use ebb::metrics::ranked::{Measure, Ranked};
use ebb::metrics::rouge::{Unit, score};
use ebb::metrics::sample::{Sample, Statistic};
use ebb::metrics::units::{Drawn, Grouping};
use ebb::random::Stream;
use ebb::script::engine::Session;
use ebb::script::host::Host;
use rayon::prelude::*;

/// What a line's work may fail with.
type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Rows and resamples of the bootstraps.
const ROWS: usize = 5_000;
const RESAMPLES: usize = 10_000;
/// Pairs of texts for ROUGE-1, and how many a second are asked for.
const PAIRS: usize = 100_000;
const PAIRS_PER_SECOND: f64 = 200_000.0;
/// The rows of BBQ, and the seconds that their preparation may take.
const QUESTIONS: usize = 58_492;

/// The least of three times, in seconds.
fn seconds(mut task: impl FnMut() -> Outcome) -> Result<f64, Box<dyn std::error::Error>> {
    let mut least = f64::INFINITY;
    for _ in 0..3 {
        let start = Instant::now();
        task()?;
        least = least.min(start.elapsed().as_secs_f64());
    }
    Ok(least)
}

fn line(name: &str, ours: f64, target: f64, rate: &str) {
    println!(
        "{name:<44} {ours:>8.3} s   target {target:>6.3} s   target/ours {:>6.2}   {rate}",
        target / ours
    );
}

/// A bootstrap of 10,000 resamples over 5,000 rows, which shall take less than a second.
fn one_bootstrap(name: &str, drawn: &impl Drawn, method: Method) -> Outcome {
    let settings = Settings { method, resamples: RESAMPLES, level: 0.95, seed: 1 };
    let ours = seconds(|| {
        black_box(bootstrap(drawn, &settings, &Control::silent())?);
        Ok(())
    })?;
    let method = if method == Method::Bca { "BCa" } else { "percentile" };
    line(&format!("bootstrap of {name}, {method}"), ours, 1.0, "");
    Ok(())
}

fn bootstraps() -> Outcome {
    let stream = Stream::new(1, "rows");
    let values: Vec<f64> = (0..ROWS).map(|row| stream.normal(row as u64)).collect();
    let labels: Vec<f64> = values.iter().map(|value| f64::from(u8::from(*value > 0.4))).collect();
    let noise = |(row, value): (usize, &f64)| value + stream.normal((ROWS + row) as u64);
    let scores: Vec<f64> = values.iter().enumerate().map(noise).collect();
    let clusters = Some((0..ROWS).map(|row| (row / 4).to_string()).collect());
    let clustered = Grouping { clusters, strata: None };
    let single = Grouping::default();
    for method in [Method::Percentile, Method::Bca] {
        for (name, statistic) in [
            ("a mean", Statistic::Mean),
            ("a median", Statistic::Median),
            ("a standard deviation", Statistic::StandardDeviation),
        ] {
            one_bootstrap(name, &Sample::new(&values, None, &single, statistic)?, method)?;
        }
        for (name, first, measure) in [
            ("AUROC", &labels, Measure::Auroc),
            ("AUPRC", &labels, Measure::Auprc),
            ("Spearman's correlation", &values, Measure::Spearman),
        ] {
            one_bootstrap(name, &Ranked::new(first, &scores, &single, measure)?, method)?;
        }
    }
    let clustered_median = Sample::new(&values, None, &clustered, Statistic::Median)?;
    one_bootstrap("a median of clusters", &clustered_median, Method::Bca)?;
    let paired = Sample::new(&values, Some(&scores), &single, Statistic::Median)?;
    one_bootstrap("a difference of medians", &paired, Method::Bca)
}

/// ROUGE-1 of pairs as a finetuning's completions are: some twelve words on either side.
fn rouge() -> Outcome {
    const WORDS: [&str; 16] = [
        "the", "sailors", "river", "counted", "running", "old", "mill", "and", "bread", "sacks",
        "of", "barley", "evening", "lamps", "turning", "was",
    ];
    let stream = Stream::new(1, "words");
    let text = |place: usize| -> String {
        let word = |step: usize| stream.below((place * 12 + step) as u64, WORDS.len() as u64);
        let words: Vec<&str> =
            (0..12).filter_map(|step| WORDS.get(word(step) as usize)).copied().collect();
        words.join(" ")
    };
    let pairs: Vec<(String, String)> =
        (0..PAIRS).map(|pair| (text(2 * pair), text(2 * pair + 1))).collect();
    let ours = seconds(|| {
        let scores = pairs
            .par_iter()
            .map(|(gold, predicted)| score(gold, predicted, Unit::Gram(1), &Control::silent()));
        black_box(scores.collect::<Result<Vec<f64>, _>>()?);
        Ok(())
    })?;
    let rate = format!("{:.0} pairs/s", PAIRS as f64 / ours);
    line("ROUGE-1 of 100,000 pairs", ours, PAIRS as f64 / PAIRS_PER_SECOND, &rate);
    Ok(())
}

/// std/bbq's preparation of all rows, read already.
fn questions() -> Outcome {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/bbq");
    let mut host = Host::quiet(std::env::temp_dir());
    let folder = folder.canonicalize().unwrap_or(folder);
    host.access.read.push(folder.clone());
    let mut session = Session::new(Rc::new(host), "study.rhai");
    let (read, metadata) = if folder.is_dir() {
        let folder = folder.display();
        (
            format!("read({:?})", format!("{folder}/*.jsonl")),
            format!("{:?}", format!("{folder}/additional_metadata.csv")),
        )
    } else {
        let read = format!(
            "let rows = read(\"ebb/bbq-sample\"); let all = [rows]; while all.len() * rows.len() < {QUESTIONS} {{ all.push(rows); }} concat(all).head({QUESTIONS})"
        );
        (read, "()".to_string())
    };
    let mut run = |text: &str| {
        session.evaluate("", text).map_err(|error| format!("{text}: {}", error.message))
    };
    let _ = run(&format!("import \"std/bbq\" as bbq; let rows = {{ {read} }};"))?;
    let rows = run("rows.len()")?.as_int().unwrap_or(0);
    let task = format!("bbq::prepare(rows, #{{ metadata: {metadata} }}).len()");
    let ours = seconds(|| {
        let _ = black_box(run(&task)?);
        Ok(())
    })?;
    let target = rows as f64 / QUESTIONS as f64;
    line(
        &format!("BBQ preparation of {rows} rows"),
        ours,
        target,
        &format!("{:.0} rows/s", rows as f64 / ours),
    );
    Ok(())
}

fn main() -> Outcome {
    println!("{} threads", rayon::current_num_threads());
    bootstraps()?;
    rouge()?;
    questions()
}
