//! Arrays of numbers as scripts use them. Truths are worked by hand; deviations and quantiles are polars' own.

use serde_json::json;

use crate::support::{close, script, script_error};

#[test]
fn an_array_has_the_statistics_of_its_numbers() {
    // Squared deviations from 5: 9, 1, 1, 1, 0, 0, 4, 16, together 32, over 7.
    let values = "let v = [2, 4, 4, 4, 5, 5, 7, 9];";
    let said = script(&format!("{values} [v.variance(), v.std(), v.mean(), v.median()]"));
    close(
        &crate::support::numbers(&said),
        &[32.0 / 7.0, (32.0_f64 / 7.0).sqrt(), 5.0, 4.5],
        1e-14, // a handful of roundings
        "statistics",
    );
    for (text, expected) in [
        ("[3, 1, 2].median()", json!(2.0)),
        ("[1, 2].median()", json!(1.5)),
        ("[7].median()", json!(7.0)),
        ("[7].quantile(0.9)", json!(7.0)),
        ("[5, 1, 4, 2, 3].quantile(0.25)", json!(2.0)),
        ("[1, 2, 3, 4].quantile(0.1, \"linear\")", json!(1.3)),
        ("[1, 2, 3, 4].quantile(0.1, \"higher\")", json!(2.0)),
        ("[1, 2, 3, 4].quantile(0.1, \"lower\")", json!(1.0)),
        ("[[1, 9].quantile(0), [1, 9].quantile(1)]", json!([1.0, 9.0])),
        ("[4, 4, 4].std()", json!(0.0)),
        ("std([1, 3]) == 2.sqrt()", json!(true)),
        ("[1, 0 / 0, 2].std().is_nan()", json!(true)),
        ("[1, 0 / 0, 2].median().is_nan()", json!(true)),
        ("[1, 1 / 0].std().is_nan()", json!(true)),
        ("[1, 2, 1 / 0].median()", json!(2.0)),
        ("let f = frame(#{ x: [1.5, 2.5] }); f[\"x\"].std()", json!(0.5_f64.sqrt())),
    ] {
        assert_eq!(script(text), expected, "{text}");
    }
}

#[test]
fn statistics_of_an_array_are_those_of_a_column() {
    let numbers = "let v = [0.3, 12.5, -4, 1e6, 7, 7, 0.001]; let f = frame(#{ x: v });";
    for call in [
        "mean()",
        "std()",
        "variance()",
        "median()",
        "min()",
        "max()",
        "sum()",
        "quantile(0.3)",
        "quantile(0.3, \"linear\")",
        "quantile(0.5, \"midpoint\")",
        "quantile(0.8, \"equiprobable\")",
    ] {
        let both = format!(r#"{numbers} [v.{call}, f.select(col("x").{call})["x"][0]]"#);
        let both = crate::support::numbers(&script(&both));
        // Sums in another order: a few units in the last place of the larger.
        assert!((both[0] - both[1]).abs() <= 1e-13 * both[1].abs(), "{call}: {both:?}");
    }
}

#[test]
fn an_array_is_rounded_number_by_number() {
    for (text, expected) in [
        ("[0.12345, 2.5, 3].round(2)", json!([0.12, 2.5, 3])),
        ("[0.5, 1.5, -2.5].round()", json!([1.0, 2.0, -3.0])),
        ("[2.675].round(2)", json!([2.67])),
        ("[].round(1)", json!([])),
        ("let v = [0.12]; v.round(1); v", json!([0.12])),
        ("[1 / 0].round(2) == [1 / 0]", json!(true)),
    ] {
        assert_eq!(script(text), expected, "{text}");
    }
}

#[test]
fn what_has_no_statistics_says_which_item_it_is() {
    for (text, parts) in [
        ("[].std()", ["std: expected at least two numbers", "an empty array"]),
        ("[1].std()", ["at least two numbers", "an array of one"]),
        ("[1].variance()", ["variance: expected at least two numbers", "an array of one"]),
        ("[].median()", ["median: expected at least one number", "an empty array"]),
        ("[].quantile(0.5)", ["quantile: expected at least one number", "an empty array"]),
        ("[].mean()", ["mean: expected at least one number", "an empty array"]),
        ("[].max()", ["max: expected at least one number", "an empty array"]),
        ("[1, 2, \"x\"].mean()", ["an array of numbers", "the string \"x\" at index 2"]),
        ("[true].std()", ["std", "true at index 0"]),
        ("[1, ()].sum()", ["nothing at index 1", "x != ()"]),
        ("[1.5, ()].round(1)", ["round", "nothing at index 1"]),
        ("[[1]].median()", ["median", "an array at index 0"]),
        ("[3, \"b\"].min()", ["min", "the string \"b\" at index 1"]),
        ("[1, 2].quantile(1.5)", ["a number from 0 to 1", "got 1.5"]),
        ("[1, 2].quantile(\"a\")", ["a number from 0 to 1", "the string \"a\""]),
        ("[1, 2].quantile(0.5, \"linea\")", ["unknown interpolation", "did you mean `linear`?"]),
        ("[1.5].round(-1)", ["round", "from 0 to 300 digits"]),
    ] {
        let said = script_error(text);
        assert!(parts.iter().all(|part| said.contains(part)), "{text}: {said}");
    }
    assert_eq!(script("[1, (), 3].filter(|x| x != ()).mean()"), json!(2.0));
}

#[test]
fn a_range_is_an_array_of_whole_numbers() {
    for (text, expected) in [
        ("range(4)", json!([0, 1, 2, 3])),
        ("range(2, 5)", json!([2, 3, 4])),
        ("range(0, 10, 4)", json!([0, 4, 8])),
        ("range(10, 0, -5)", json!([10, 5])),
        ("[range(0), range(-3), range(5, 2), range(2, 5, -1)]", json!([[], [], [], []])),
        ("let sum = 0; for i in range(5) { sum += i } sum", json!(10)),
        ("let sum = 0; for i in range(1, 4) { sum += i } sum", json!(6)),
        ("range(3).map(|i| i * i)", json!([0, 1, 4])),
        ("[range(5).len(), range(5).sum(), range(5)[-1]]", json!([5, 10, 4])),
        ("frame(#{ x: range(2) })", json!([{"x": 0}, {"x": 1}])),
        ("range(9223372036854775805, 9223372036854775807)", json!([i64::MAX - 2, i64::MAX - 1])),
    ] {
        assert_eq!(script(text), expected, "{text}");
    }
    assert!(script_error("range(0, 5, 0)").contains("a step that is not 0"));
    assert!(script_error("range(1 << 40)").contains("for i in 0..n"));
    assert!(script_error("range(-9223372036854775808, 9223372036854775807)").contains("at most"));
    assert!(script_error("range(6 / 2)").contains("div_floor(a, b)"));
}

#[test]
fn mathematics_takes_whole_numbers_as_functions_and_as_methods() {
    for (text, expected) in [
        (
            "[sqrt(4), sqrt(2) == 2.0.sqrt(), exp(0), ln(1), log(8, 2)]",
            json!([2.0, true, 1.0, 0.0, 3.0]),
        ),
        (
            "[sin(0), cos(0), tan(0), asin(0), acos(1), atan(0)]",
            json!([0.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
        ),
        ("[abs(-2), abs(-2.5), (-2).abs(), sign(-3)]", json!([2, 2.5, 2, -1])),
        (
            "[floor(2), floor(2.5), ceil(2), ceil(2.5), ceiling(2.5), round(2)]",
            json!([2, 2.0, 2, 3.0, 3.0, 2]),
        ),
        ("[hypot(3, 4), hypot(3.0, 4), hypot(3, 4.0), atan(0, 1)]", json!([5.0, 5.0, 5.0, 0.0])),
        ("[to_degrees(0), to_radians(180) == PI()]", json!([0.0, true])),
        ("sqrt(-1).is_nan()", json!(true)),
    ] {
        assert_eq!(script(text), expected, "{text}");
    }
}
