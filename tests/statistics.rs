//! Rankings and bootstrap intervals against SciPy and scikit-learn, SQuAD over several answers against its own script.

mod intervals;

use ebb::control::Control;
use ebb::metrics::answers::{squad_em_of, squad_f1_of};
use ebb::metrics::bootstrap::{Method, Settings, bootstrap};
use ebb::metrics::normal;
use ebb::metrics::ranking::{auprc, auroc, kendall, spearman};
use ebb::metrics::sample::{Sample, Statistic};
use ebb::metrics::units::Grouping;
use serde_json::Value;

use crate::support::{close, json, numbers, script, script_error};

#[test]
fn rankings_equal_those_of_scikit_learn_and_scipy_with_ties() {
    let expected = json("statistics.json");
    for row in expected["rankings"].as_array().unwrap() {
        let labels: Vec<bool> = numbers(&row["labels"]).iter().map(|label| *label == 1.0).collect();
        let (scores, other) = (numbers(&row["scores"]), numbers(&row["other"]));
        let ours = [
            auroc(&labels, &scores).unwrap(),
            auprc(&labels, &scores).unwrap(),
            spearman(&scores, &other).unwrap(),
            kendall(&scores, &other).unwrap(),
        ];
        let theirs =
            ["auroc", "auprc", "spearman", "kendall"].map(|name| row[name].as_f64().unwrap());
        // Sums of at most a thousand terms in another order.
        close(&ours, &theirs, 1e-12, &format!("{} rows", labels.len()));
    }
}

#[test]
fn the_normal_distribution_is_scipy_s() {
    let expected = json("statistics.json");
    for pair in expected["normals"].as_array().unwrap() {
        let (x, share) = (pair[0].as_f64().unwrap(), pair[1].as_f64().unwrap());
        close(&[normal::below(x)], &[share], 1e-14, "share below");
        // Far out the share itself has too few digits left to tell the value.
        if x.abs() < 5.0 {
            close(&[normal::quantile(share)], &[x], 1e-8, "quantile");
        }
    }
}

#[test]
fn bootstrap_intervals_are_scipy_s_within_the_error_of_drawing() {
    let expected = json("statistics.json");
    for row in expected["bootstraps"].as_array().unwrap() {
        let statistic = match row["statistic"].as_str().unwrap() {
            "mean" => Statistic::Mean,
            "median" => Statistic::Median,
            _ => Statistic::StandardDeviation,
        };
        let settings = Settings {
            method: if row["method"] == "bca" { Method::Bca } else { Method::Percentile },
            resamples: 20_000,
            level: row["level"].as_f64().unwrap(),
            seed: 3,
        };
        let values = numbers(&row["values"]);
        let sample = Sample::new(&values, None, &Grouping::default(), statistic).unwrap();
        let ours = bootstrap(&sample, &settings, &Control::silent()).unwrap();
        let theirs = |name: &str| row[name].as_f64().unwrap();
        let what =
            format!("{} {} {} {}", row["sample"], row["statistic"], row["method"], row["level"]);
        close(&[ours.estimate], &[theirs("estimate")], 1e-12, &what);
        // Of 20,000 resamples the end of an interval is known to some hundredths of a standard error, and the error itself
        // to half a hundredth; five of these.
        let error = theirs("standard_error");
        let ends = [theirs("low"), theirs("high")];
        // The bootstrap of a median takes few values: neighbours in the data are as near as it can come.
        let near = if row["statistic"] == "median" { 0.25 } else { 0.08 };
        close(&[ours.low, ours.high], &ends, near * error, &what);
        close(&[ours.standard_error], &[error], 0.03 * error, &what);
        if settings.method == Method::Bca {
            // No draw is in it.
            close(&[ours.acceleration], &[theirs("acceleration")], 1e-10, &what);
            // The quantile of a share of 20,000 draws: 5 times 1.25 / √20,000.
            close(&[ours.bias_correction], &[theirs("bias_correction")], 0.045, &what);
        }
    }
}

#[test]
fn the_corrections_of_bca_are_those_worked_by_hand() {
    // Leaving one of 0, 0, 3 out: means 1.5, 1.5, 0 about 1; influences −1/3, −1/3, 2/3; their cubes add up to 2/9, their squares to
    // 2/3, so that the acceleration is 2/9 / (2/3)^1.5 / 6.
    let got = script("bootstrap([0, 0, 3], #{ resamples: 20000 })");
    let by_hand = 2.0 / 9.0 / (2.0f64 / 3.0).powf(1.5) / 6.0;
    close(&[got["acceleration"].as_f64().unwrap()], &[by_hand], 1e-12, "acceleration");
    // The mean is below 1 where 3 was never drawn (8/27), and 1 where it was drawn once (12/27): a share of 14/27.
    let bias = normal::quantile(14.0 / 27.0);
    close(&[got["bias_correction"].as_f64().unwrap()], &[bias], 0.045, "bias correction");
    // Of 40 zeros and 40 ones any one may be left out with the same deviation, but for rounding.
    let got = script(
        "let x = []; for i in 0..80 { x.push(i % 2) } bootstrap(x, #{ statistic: \"std\", resamples: 2000 })",
    );
    assert_eq!(got["acceleration"], 0.0);
}

/// The same data a second time in clusters of two: what is drawn is a cluster, so that the interval is that of the single rows.
#[test]
fn clusters_are_drawn_whole_and_strata_keep_their_size() {
    let single = script("bootstrap([1, 5, 2, 9, 4, 7, 3], #{ seed: 4 })");
    let twice = script(
        "bootstrap([1, 5, 2, 9, 4, 7, 3, 1, 5, 2, 9, 4, 7, 3], #{ seed: 4, cluster: [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6] })",
    );
    for name in ["low", "high", "standard_error", "acceleration", "bias_correction"] {
        let both = [&single, &twice].map(|map| map[name].as_f64().unwrap());
        close(&both[..1], &both[1..], 1e-12, name);
    }
    assert_eq!((&twice["n"], &twice["units"]), (&14.into(), &7.into()));
    // Within each stratum nothing varies, so that the mean does not either.
    let got = script(
        "bootstrap([0, 0, 0, 6, 6, 6], #{ method: \"percentile\", stratify: [\"a\", \"a\", \"a\", \"b\", \"b\", \"b\"] })",
    );
    assert_eq!((&got["low"], &got["high"]), (&3.0.into(), &3.0.into()));
    let error =
        script_error("bootstrap([1, 2, 3, 4], #{ cluster: [1, 1, 2, 2], stratify: [1, 2, 1, 1] })");
    assert!(error.contains("every cluster in one stratum"), "{error}");
}

#[test]
fn a_bootstrap_is_the_same_on_any_number_of_threads() {
    let values: Vec<f64> = (0..300).map(|i| f64::from(i * 7919 % 1009)).collect();
    let sample = Sample::new(&values, None, &Grouping::default(), Statistic::Mean).unwrap();
    let settings = Settings { method: Method::Bca, resamples: 2000, level: 0.9, seed: 5 };
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| bootstrap(&sample, &settings, &Control::silent()).unwrap())
    };
    assert_eq!(on(1), on(3));
    let other = bootstrap(&sample, &Settings { seed: 6, ..settings }, &Control::silent()).unwrap();
    assert_ne!(on(1).low, other.low);
}

#[test]
fn a_paired_bootstrap_tells_a_difference_from_chance() {
    let got = script(
        "let a = []; let b = []; for i in 0..200 { a.push(if i % 10 < 7 { 1 } else { 0 }); b.push(if i % 10 < 5 { 1 } else { 0 }); }
         [paired_bootstrap(a, b), paired_bootstrap(a, a, #{ method: \"percentile\" }), paired_bootstrap(a, b, #{ method: \"percentile\", level: 0.5 })]",
    );
    let far = &got[0];
    close(
        &[far["difference"].as_f64().unwrap(), far["a"].as_f64().unwrap()],
        &[0.2, 0.7],
        1e-12,
        "difference",
    );
    // A fifth of the pairs differ by one: the standard error of their mean is √(0.2 · 0.8 / 200) = 0.0283.
    close(&[far["standard_error"].as_f64().unwrap()], &[0.0283], 0.001, "standard error");
    assert!(far["low"].as_f64().unwrap() > 0.13 && far["high"].as_f64().unwrap() < 0.28, "{far}");
    // Seven standard errors: no resample comes near, and the one observed is one of 10,001.
    close(&[far["p_value"].as_f64().unwrap()], &[1.0 / 10_001.0], 1e-12, "p-value");
    assert_eq!((&got[1]["p_value"], &got[1]["low"]), (&1.0.into(), &0.0.into()));
    let narrow = |map: &Value| map["high"].as_f64().unwrap() - map["low"].as_f64().unwrap();
    assert!(narrow(&got[2]) < narrow(far) / 2.0);
}

#[test]
fn a_p_value_is_the_share_worked_by_hand() {
    // Differences 1 and −3 with mean −1: of the four resamples two have mean −1, one 1 and one −3; moved by 1 they are 0, 0, 2 and
    // −2, so that half are as far from 0 as −1.
    let got =
        script("paired_bootstrap([1, 0], [0, 3], #{ method: \"percentile\", resamples: 40000 })");
    // Five times √(0.25 / 40,000).
    close(&[got["p_value"].as_f64().unwrap()], &[0.5], 0.0125, "p-value");
}

#[test]
fn what_is_missing_is_counted_beside_the_interval() {
    let got = script(
        "[bootstrap([1, (), 2, NaN, 3]), paired_bootstrap([1, (), 2, 4], [1, 2, NaN, 3])]"
            .replace("NaN", "0.0 / 0.0")
            .as_str(),
    );
    assert_eq!(
        (&got[0]["n"], &got[0]["missing"], &got[0]["mean"]),
        (&3.into(), &2.into(), &2.0.into())
    );
    assert_eq!((&got[1]["n"], &got[1]["missing"]), (&2.into(), &2.into()));
}

#[test]
fn what_has_no_score_is_refused_in_a_sentence() {
    for (call, said) in [
        ("auroc([1, 1], [0.1, 0.2])", "every row is of the class"),
        ("auroc([0, 0], [0.1, 0.2])", "none is of the class"),
        ("auprc([0, 0], [0.1, 0.2])", "at least one row of the class"),
        ("auroc([], [])", "0 rows"),
        ("auroc([0, 2], [0.1, 0.2])", "labels of 0 and 1, or false and true, got 2"),
        ("auroc([0, 1], [0.1])", "two columns of one length"),
        ("auroc([0, 1], [0.1, ()])", "a number in every row, got 1 rows without"),
        ("auprc([0, 1], [0.1, 0.0 / 0.0])", "a number in every row, got 1 rows without"),
        ("auroc([0, 1], [\"a\", \"b\"])", "expected numbers"),
        ("auroc(1, [0.1])", "an array or an expression"),
        ("spearman([1, 1], [1, 2])", "2 equal values as the first"),
        ("kendall([1, 2], [3, 3])", "2 equal values as the second"),
        ("kendall([1], [3])", "one value"),
        ("bootstrap([])", "at least two values to draw from, got 0"),
        ("bootstrap([1])", "at least two values to draw from, got 1"),
        ("bootstrap([1, 1.0 / 0.0])", "row 1: expected a finite number"),
        ("bootstrap([1, 2], #{ level: 95 })", "between 0 and 1"),
        ("bootstrap([1, 2], #{ resamples: 1 })", "at least 2"),
        ("bootstrap([1, 2], #{ method: \"bc\" })", "unknown method `bc`"),
        ("bootstrap([1, 2], #{ statistic: \"mode\" })", "unknown statistic `mode`"),
        ("bootstrap([1, 2], #{ cluster: [1] })", "a value for each of the 2 rows"),
        ("bootstrap([1, 2], #{ cluster: [1, ()] })", "a value in every row"),
        ("bootstrap([1, 2], #{ cluster: [1, 1] })", "at least two clusters"),
        ("bootstrap([1, 2], #{ clusters: [1, 1] })", "unknown option `clusters`"),
        ("bootstrap([1, 2], #{ statistic: \"std\" })", "not defined"),
        ("paired_bootstrap([1, 2], [1])", "as many values on both sides (2)"),
    ] {
        let error = script_error(call);
        assert!(error.contains(said), "{call}: {error}");
    }
}

#[test]
fn rankings_are_expressions_over_a_frame_and_its_groups() {
    let got = script(
        "let f = frame(#{ g: [1, 1, 1, 2, 2, 2], y: [true, false, true, false, true, false], s: [0.9, 0.1, 0.5, 0.9, 0.1, 0.5] });
         [f.select([auroc(col(\"y\"), col(\"s\")).alias(\"all\")]).row(0).all,
          f.group_by([\"g\"]).agg([auroc(col(\"y\"), col(\"s\")).alias(\"area\"), spearman(col(\"y\").cast(\"int\"), col(\"s\")).alias(\"rank\")]).sort(\"g\", #{}).column(\"area\")]",
    );
    // In all: of nine pairs 0.9 wins two and ties one, 0.5 wins one and ties one, 0.1 ties one: 4.5 of 9.
    close(&[got[0].as_f64().unwrap()], &[0.5], 1e-12, "all");
    close(&numbers(&got[1]), &[1.0, 0.0], 1e-12, "groups");
}

#[test]
fn squad_takes_the_best_of_several_answers() {
    let got = script(
        "let gold = [[\"Denver Broncos\", \"the Broncos\"], [], [\"the\", \"1066\"], [\"a\"]];
         let said = [\"Broncos\", \"\", \"in 1066\", \"something\"];
         let f = frame(#{ gold: gold, said: said });
         let scored = f.with_columns([squad_em(col(\"gold\"), col(\"said\")).alias(\"em\"), squad_f1(col(\"gold\"), col(\"said\")).alias(\"f1\")]);
         [squad_em(gold, said), squad_f1(gold, said), scored.column(\"em\"), scored.column(\"f1\"), squad_em([\"x\", \"y\"], \"Y!\"), squad_f1([], \"y\"), squad_em([], \"the\")]",
    );
    // An empty list wants the empty text; answers of articles alone do not count; 1066 is one of the two words said.
    let (em, f1) = ([1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 2.0 / 3.0, 0.0]);
    close(&numbers(&got[0]), &em, 1e-12, "em of arrays");
    close(&numbers(&got[1]), &f1, 1e-12, "f1 of arrays");
    close(&numbers(&got[2]), &em, 1e-12, "em of columns");
    close(&numbers(&got[3]), &f1, 1e-12, "f1 of columns");
    assert_eq!((&got[4], &got[5], &got[6]), (&1.0.into(), &0.0.into(), &1.0.into()));
    let error = script_error("squad_em([[\"a\"], [\"b\"]], [\"a\"])");
    assert!(error.contains("as many predictions as rows of gold answers (2)"), "{error}");
    let error = script_error("squad_em([[1], [\"b\"]], [\"a\", \"b\"])");
    assert!(error.contains("strings"), "{error}");
}

#[test]
fn squad_over_several_answers_equals_both_versions_of_its_evaluation() {
    for row in json("squad_answers.json").as_array().unwrap() {
        let gold: Vec<&str> =
            row["gold"].as_array().unwrap().iter().map(|g| g.as_str().unwrap()).collect();
        let predicted = row["predicted"].as_str().unwrap();
        let ours = [
            squad_em_of(gold.iter().copied(), predicted),
            squad_f1_of(gold.iter().copied(), predicted),
        ];
        close(&ours, &numbers(&row["version_2"]), 1e-12, &row.to_string());
        // Version 1.1 knows no questions without an answer.
        if !row["version_1"].is_null() {
            close(&ours, &numbers(&row["version_1"]), 1e-12, &row.to_string());
        }
    }
}
