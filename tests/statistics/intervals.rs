//! Bootstraps of clusters, of two columns and of a frame's groups: against the same statistics worked out again, and SciPy.

use ebb::control::Control;
use ebb::metrics::bootstrap::{Method, Settings, bootstrap};
use ebb::metrics::ranked::{Measure, Ranked};
use ebb::metrics::ranking::{auprc, auroc, spearman};
use ebb::metrics::sample::{Sample, Statistic};
use ebb::metrics::units::{Drawn, Grouping};
use serde_json::Value;

use crate::support::{close, json, numbers, script, script_error};

/// Fifty rows of two columns with ties, in clusters of unequal size.
fn two_columns() -> (Vec<f64>, Vec<f64>, Vec<usize>) {
    let label = |i: usize| f64::from(u8::from(i * 7 % 5 < 2));
    let score = |i: usize| (i * 37 % 11) as f64 / 10.0 + label(i) * 0.3;
    (
        (0..50).map(label).collect(),
        (0..50).map(score).collect(),
        (0..50).map(|i| i * i % 17).collect(),
    )
}

#[test]
fn weighted_rankings_are_those_of_rows_written_out_as_often() {
    let (labels, scores, clusters) = two_columns();
    let names = clusters.iter().map(usize::to_string).collect();
    let grouping = Grouping { clusters: Some(names), strata: None };
    let plain = |labels: &[f64], scores: &[f64], measure: Measure| {
        let flags: Vec<bool> = labels.iter().map(|label| *label == 1.0).collect();
        match measure {
            Measure::Auroc => auroc(&flags, scores).unwrap(),
            Measure::Auprc => auprc(&flags, scores).unwrap(),
            Measure::Spearman => spearman(labels, scores).unwrap(),
        }
    };
    for measure in [Measure::Auroc, Measure::Auprc, Measure::Spearman] {
        let ranked = Ranked::new(&labels, &scores, &grouping, measure).unwrap();
        let units = ranked.units();
        let written = |weights: &[u32]| {
            let rows = (0..units.count())
                .flat_map(|unit| units.rows(unit).repeat(weights[unit] as usize))
                .collect::<Vec<usize>>();
            let side = |column: &[f64]| rows.iter().map(|row| column[*row]).collect::<Vec<_>>();
            plain(&side(&labels), &side(&scores), measure)
        };
        let once = units.once();
        close(&[ranked.estimate(&once)], &[written(&once)], 1e-12, "every unit once");
        for turn in 0..20 {
            let weights: Vec<u32> =
                (0..units.count()).map(|unit| ((unit * 13 + turn * 7) % 4) as u32).collect();
            close(&[ranked.estimate(&weights)], &[written(&weights)], 1e-12, "weights");
            let mut left_out = once.clone();
            left_out[turn % units.count()] = 0;
            close(&[ranked.without(turn % units.count())], &[written(&left_out)], 1e-12, "without");
        }
    }
}

#[test]
fn medians_and_deviations_with_a_cluster_left_out_are_those_of_the_rest() {
    let (_, values, clusters) = two_columns();
    let names = clusters.iter().map(usize::to_string).collect();
    let grouping = Grouping { clusters: Some(names), strata: None };
    for statistic in [Statistic::Mean, Statistic::Median, Statistic::StandardDeviation] {
        let sample = Sample::new(&values, None, &grouping, statistic).unwrap();
        for unit in 0..sample.units().count() {
            let gone = sample.units().rows(unit);
            let mut rest: Vec<f64> =
                (0..50).filter(|row| !gone.contains(row)).map(|row| values[row]).collect();
            rest.sort_by(f64::total_cmp);
            let n = rest.len();
            let mean = rest.iter().sum::<f64>() / n as f64;
            let squares: f64 = rest.iter().map(|value| (value - mean).powi(2)).sum();
            let by_hand = match statistic {
                Statistic::Mean => mean,
                Statistic::Median => (rest[(n - 1) / 2] + rest[n / 2]) / 2.0,
                Statistic::StandardDeviation => (squares / (n - 1) as f64).sqrt(),
            };
            close(&[sample.without(unit)], &[by_hand], 1e-12, "left out");
        }
    }
}

#[test]
fn intervals_of_rankings_are_scipy_s_within_the_error_of_drawing() {
    for row in json("ranking_intervals.json").as_array().unwrap() {
        let measure = match row["statistic"].as_str().unwrap() {
            "auroc" => Measure::Auroc,
            "auprc" => Measure::Auprc,
            _ => Measure::Spearman,
        };
        let settings = Settings {
            method: if row["method"] == "bca" { Method::Bca } else { Method::Percentile },
            resamples: 20_000,
            level: 0.9,
            seed: 2,
        };
        let (first, second) = (numbers(&row["first"]), numbers(&row["second"]));
        let ranked = Ranked::new(&first, &second, &Grouping::default(), measure).unwrap();
        let ours = bootstrap(&ranked, &settings, &Control::silent()).unwrap();
        let theirs = |name: &str| row[name].as_f64().unwrap();
        let what = format!("{} {}", row["statistic"], row["method"]);
        close(&[ours.estimate], &[theirs("estimate")], 1e-12, &what);
        // SciPy drew 20,000 too: both ends are known to some hundredths of a standard error.
        let error = theirs("standard_error");
        close(&[ours.low, ours.high], &[theirs("low"), theirs("high")], 0.12 * error, &what);
        close(&[ours.standard_error], &[error], 0.04 * error, &what);
        if settings.method == Method::Bca {
            close(&[ours.acceleration], &[theirs("acceleration")], 1e-10, &what);
        }
    }
}

#[test]
fn bootstrap_takes_columns_of_a_frame_and_two_of_them() {
    let got = script(
        r#"let y = []; let s = []; let q = []; let k = [];
        for i in 0..60 { let yes = i * 7 % 5 < 2; y.push(yes); s.push(i * 37 % 11 + (if yes { 3 } else { 0 })); q.push(i % 15); k.push(if yes { "a" } else { "b" }); }
        let f = frame(#{ y: y, s: s, q: q, k: k });
        let opts = #{ statistic: "auroc", resamples: 500 };
        [bootstrap(y, s, opts), bootstrap(f, ["y", "s"], opts), auroc(y, s),
         bootstrap(s, #{ cluster: q, resamples: 500 }), bootstrap(f, "s", #{ cluster: "q", resamples: 500 }), bootstrap(f, col("s"), #{ cluster: col("q"), resamples: 500 }),
         bootstrap(f, ["y", "s"], #{ statistic: "auprc", stratify: "k", resamples: 500 }).units,
         paired_bootstrap(f, ["s", "q"], #{ resamples: 500 }).difference, f.select([col("s").mean() - col("q").mean()]).row(0)["s"]]"#,
    );
    assert_eq!((&got[0], &got[3], &got[3]), (&got[1], &got[4], &got[5]));
    assert_eq!((&got[3]["units"], &got[6]), (&15.into(), &60.into()));
    close(&[got[0]["auroc"].as_f64().unwrap()], &[got[2].as_f64().unwrap()], 1e-12, "auroc");
    close(&[got[7].as_f64().unwrap()], &[got[8].as_f64().unwrap()], 1e-12, "difference");
    for (call, said) in [
        (
            "bootstrap([1, 0], #{ statistic: \"auroc\" })",
            "expected two columns, got 1 (bootstrap(labels, scores, opts)",
        ),
        ("bootstrap([1, 0], [1, 2])", "expected one column, got 2"),
        (
            "bootstrap([1, 2], [1, 2], #{ statistic: \"auroc\" })",
            "labels of 0 and 1, or false and true, got 2",
        ),
        (
            "bootstrap([1, 1, 0], [1, 2, 3], #{ statistic: \"auroc\" })",
            "not defined on every resample",
        ),
        (
            "paired_bootstrap([1, 0], [1, 2], #{ statistic: \"auroc\" })",
            "paired_bootstrap has no statistic `auroc`",
        ),
        ("bootstrap(frame(#{ x: [1, 2] }), \"y\")", "unknown column `y`"),
        ("bootstrap(frame(#{ x: [1, 2] }), \"x\", #{ cluster: \"q\" })", "unknown column `q`"),
        ("bootstrap(frame(#{ x: [1, 2] }))", "a frame and its columns"),
        ("bootstrap([1, 2], #{ cluster: \"q\" })", "an array"),
        ("bootstrap(col(\"x\"))", "interval(col(\"x\"))"),
    ] {
        let error = script_error(call);
        assert!(error.contains(said), "{call}: {error}");
    }
}

#[test]
fn every_group_shows_its_interval() {
    let got = script(
        r#"let f = frame(#{ g: ["a", "a", "a", "a", "b", "b", "b", "c"], x: [1, 2, 4, 9, 3, (), 5, 7], q: [1, 1, 2, 3, 1, 2, 3, 1] });
        let t = f.group_by("g").agg([col("x").mean(), interval(col("x"), #{ seed: 3, resamples: 2000 })]).sort("g");
        let one = bootstrap([1, 2, 4, 9], #{ seed: 3, resamples: 2000 });
        let clustered = f.group_by("g").agg([interval(col("x"), #{ seed: 3, resamples: 2000, cluster: "q" })]).sort("g").row(0);
        let by_hand = bootstrap([1, 2, 4, 9], #{ seed: 3, resamples: 2000, cluster: [1, 1, 2, 3] });
        let pair = frame(#{ y: [1, 8, 2, 7, 3, 6, 4, 5], s: [5, 4, 3, 4, 2, 1, 6, 2] }).select([interval(col("y"), col("s"), #{ statistic: "spearman", resamples: 800 })]);
        [t.rows(), one.low, one.high, clustered, by_hand.low, by_hand.high, interval([1, 2, 4, 9], #{ seed: 3, resamples: 2000 }),
         pair.columns(), pair.row(0), bootstrap([1, 8, 2, 7, 3, 6, 4, 5], [5, 4, 3, 4, 2, 1, 6, 2], #{ statistic: "spearman", resamples: 800 }), interval([3])]"#,
    );
    let rows = got[0].as_array().unwrap();
    assert_eq!((&rows[0]["x_low"], &rows[0]["x_high"]), (&got[1], &got[2]));
    // What is missing in group b is left out; one row has no interval.
    assert_eq!(rows[1]["x"], 4.0);
    assert!(rows[1]["x_low"].as_f64().unwrap() >= 3.0);
    assert!(rows[2]["x_low"].is_null() && rows[2]["x_high"].is_null());
    assert_eq!((&got[3]["x_low"], &got[3]["x_high"]), (&got[4], &got[5]));
    assert_eq!(got[6], serde_json::json!([got[1], got[2]]));
    assert_eq!(got[7], serde_json::json!(["y_low", "y_high"]));
    assert_eq!((&got[8]["y_low"], &got[8]["y_high"]), (&got[9]["low"], &got[9]["high"]));
    assert_eq!(got[10], serde_json::json!([null, null]));
}

#[test]
fn tables_of_scores_show_the_intervals_of_their_rows() {
    let got = script(
        r#"let rows = []; let right = []; let q = [];
        for i in 0..40 {
            let said = if i % 4 == 0 { 0 } else { 2 };
            rows.push(#{ category: "Age", context_condition: "ambig", question_polarity: "neg", label: 2, predicted: said, target_loc: i % 2, unknown: 2, question_index: div_floor(i, 4) });
            right.push(if said == 2 { 1 } else { 0 }); q.push("Age " + div_floor(i, 4));
        }
        let f = frame(rows);
        let filtered = frame(#{ kind: ["u", "u", "u", "s", "s", "s"], polarity: ["harmful", "harmful", "harmful", "nonharmful", "nonharmful", "nonharmful"], forgetting: [0.9, 0.8, 0.0, 0.0, 0.5, 0.0] });
        let opts = #{ resamples: 1000, method: "percentile" };
        [bbq_scores(f, #{ interval: opts + #{ cluster: false } }).row(0), bootstrap(right, opts), bbq_scores(f, #{ interval: opts }).row(0), bootstrap(right, opts + #{ cluster: q }),
         bbq_scores(f).columns(), filter_scores(filtered, #{ interval: opts + #{ stratify: "kind" } }).rows(), filter_scores(filtered.head(2), filtered, #{ interval: 0.5 }).columns()]"#,
    );
    let ends = |row: &Value, low: &str, high: &str| {
        [row[low].as_f64().unwrap(), row[high].as_f64().unwrap()]
    };
    close(
        &ends(&got[0], "accuracy_low", "accuracy_high"),
        &ends(&got[1], "low", "high"),
        1e-12,
        "single rows",
    );
    // Each question has three right answers and a wrong one: drawn whole, the accuracy never varies.
    close(
        &ends(&got[2], "accuracy_low", "accuracy_high"),
        &ends(&got[3], "low", "high"),
        1e-12,
        "questions",
    );
    assert_eq!(ends(&got[2], "accuracy_low", "accuracy_high"), [0.75, 0.75]);
    assert!(!got[4].as_array().unwrap().contains(&"score_low".into()));
    // Of three unsafe rows two are dropped; the share of drawn ones runs from none to all.
    assert_eq!(ends(&got[5][0], "recall_low", "recall_high"), [0.0, 1.0]);
    assert!(got[5][1]["recall_low"].is_null(), "{}", got[5]);
    assert_eq!(got[6].as_array().unwrap().len(), 7 + 8);
    let error = script_error(
        r#"filter_scores(frame(#{ polarity: ["harmful"], forgetting: [0.9] }), #{ interval: "yes" })"#,
    );
    assert!(error.contains("true, a level as 0.95, or a map"), "{error}");
    let error = script_error(
        r#"filter_scores(frame(#{ polarity: ["harmful"], forgetting: [0.9] }), #{ interval: 95 })"#,
    );
    assert!(error.contains("between 0 and 1") || error.contains("a level as 0.95"), "{error}");
}
