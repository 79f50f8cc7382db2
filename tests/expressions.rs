//! Column expressions. Expected values are worked by hand.

use serde_json::{Value, json};

use crate::frames::{fails_with, run};

const FRAME: &str = r#"frame([
    #{ i: 7, f: 0.5, s: "Ab c", b: true, l: [3, 1, 2], m: #{ g: "x" } },
    #{ i: -2, f: 2.0, s: "ab", b: false, l: [], m: #{ g: () } },
    #{ i: (), f: (), s: (), b: (), l: (), m: () },
])"#;

/// The column that an expression makes of [`FRAME`].
#[track_caller]
fn column(expression: &str) -> Value {
    run(&format!(r#"{FRAME}.select(({expression}).alias("out"))["out"]"#))
}

#[test]
fn arithmetic_works_with_expressions_and_values_on_both_sides() {
    assert_eq!(column(r#"col("i") + 1"#), json!([8, -1, null]));
    assert_eq!(column(r#"1 + col("i")"#), json!([8, -1, null]));
    assert_eq!(column(r#"10 - col("i")"#), json!([3, 12, null]));
    assert_eq!(column(r#"col("i") - 0.5"#), json!([6.5, -2.5, null]));
    assert_eq!(column(r#"col("i") * col("f")"#), json!([3.5, -4.0, null]));
    assert_eq!(column(r#"2 * col("f")"#), json!([1.0, 4.0, null]));
    assert_eq!(column(r#"col("i") / 2"#), json!([3.5, -1.0, null]));
    assert_eq!(column(r#"7 / col("i")"#), json!([1.0, -3.5, null]));
    assert_eq!(column(r#"col("i") % 4"#), json!([3, 2, null]));
    assert_eq!(column(r#"-col("i")"#), json!([-7, 2, null]));
    assert_eq!(column(r#"col("s") + "!""#), json!(["Ab c!", "ab!", null]));
    assert_eq!(column(r#""<" + col("s") + ">""#), json!(["<Ab c>", "<ab>", null]));
    assert_eq!(column(r#""x: " + col("i").cast("str")"#), json!(["x: 7", "x: -2", null]));
}

#[test]
fn a_negated_column_keeps_its_name() {
    assert_eq!(run(r#"frame(#{ x: [1] }).select(-col("x"))"#), json!([{"x": -1}]));
}

#[test]
fn comparisons_work_with_every_type_on_both_sides() {
    for (expression, expected) in [
        (r#"col("i") == 7"#, json!([true, false, null])),
        (r#"7 == col("i")"#, json!([true, false, null])),
        (r#"col("i") != 7"#, json!([false, true, null])),
        (r#"7 != col("i")"#, json!([false, true, null])),
        (r#"col("i") < 0"#, json!([false, true, null])),
        (r#"0 < col("i")"#, json!([true, false, null])),
        (r#"col("i") <= 7"#, json!([true, true, null])),
        (r#"7 <= col("i")"#, json!([true, false, null])),
        (r#"col("i") > -2"#, json!([true, false, null])),
        (r#"-2 > col("i")"#, json!([false, false, null])),
        (r#"col("i") >= 7.0"#, json!([true, false, null])),
        (r#"0.5 >= col("f")"#, json!([true, false, null])),
        (r#"col("f") == 0.5"#, json!([true, false, null])),
        (r#"0.5 == col("f")"#, json!([true, false, null])),
        (r#"col("f") == 2"#, json!([false, true, null])),
        (r#"col("s") == "ab""#, json!([false, true, null])),
        (r#""ab" == col("s")"#, json!([false, true, null])),
        (r#"col("s") != "ab""#, json!([true, false, null])),
        (r#"col("b") == true"#, json!([true, false, null])),
        (r#"false == col("b")"#, json!([false, true, null])),
        (r#"col("i") == col("f") * 14"#, json!([true, false, null])),
        (r#"col("i") == ()"#, json!([null, null, null])),
        (r#"col("s").str_slice(0, 1) == 'A'"#, json!([true, false, null])),
        (r#"'A' == col("s").str_slice(0, 1)"#, json!([true, false, null])),
    ] {
        assert_eq!(column(expression), expected, "{expression}");
    }
}

#[test]
fn values_of_a_variable_compare_like_literals() {
    assert_eq!(
        run(&format!(r#"let seven = 7; let f = {FRAME}; f.filter(col("i") == seven).len()"#)),
        json!(1)
    );
    assert_eq!(
        run(&format!(r#"fn same(e, x) {{ e == x }} {FRAME}.filter(same(col("s"), "ab")).len()"#)),
        json!(1)
    );
}

#[test]
fn what_cannot_stand_beside_an_expression_is_an_error() {
    for operator in ["==", "!=", "<", ">=", "+", "/", "&"] {
        fails_with(
            &format!(r#"col("x") {operator} [1, 2]"#),
            &["expression beside", operator, "an array"],
        );
        fails_with(&format!(r#"#{{ a: 1 }} {operator} col("x")"#), &["expression beside", "a map"]);
    }
    fails_with(r#"frame(#{ x: [1] }) == col("x")"#, &["expression beside `==`"]);
}

#[test]
fn logic_has_three_values() {
    assert_eq!(column(r#"(col("i") > 0) & (col("f") > 1)"#), json!([false, false, null]));
    assert_eq!(column(r#"(col("i") > 0) | (col("f") > 1)"#), json!([true, true, null]));
    assert_eq!(column(r#"!col("b")"#), json!([false, true, null]));
    assert_eq!(column(r#"col("b") & true"#), json!([true, false, null]));
    assert_eq!(column(r#"col("b") | true"#), json!([true, true, true]));
}

#[test]
fn choices_take_the_first_condition_that_holds() {
    assert_eq!(
        column(
            r#"when(col("i") > 5).then("large").when(col("i") > 0).then("small").otherwise("none")"#
        ),
        json!(["large", "none", "none"])
    );
    assert_eq!(column(r#"when(col("b")).then(col("i")).otherwise(0)"#), json!([7, 0, 0]));
    assert_eq!(column(r#"when(col("b")).then(1).otherwise(())"#), json!([1, null, null]));
    fails_with(r#"when(true).otherwise(1)"#, &["then"]);
    fails_with(r#"when(true).then(1).then(2)"#, &["`then` must follow a `when`"]);
    fails_with(r#"when([1])"#, &["when", "an array"]);
}

#[test]
fn templates_fill_in_columns() {
    assert_eq!(column(r#"template("{i}/{s} {{x}}")"#), json!(["7/Ab c {x}", "-2/ab {x}", "/ {x}"]));
    assert_eq!(column(r#"template("{s}{s}")"#), json!(["Ab cAb c", "abab", ""]));
    assert_eq!(
        run(r#"frame(#{ x: [1, 2] }).with_columns(template("same").alias("t"))["t"]"#),
        json!(["same", "same"])
    );
    fails_with(r#"template("{x")"#, &["braces"]);
    fails_with(r#"template("x}")"#, &["braces"]);
    fails_with(
        r#"frame(#{ que: [1] }).select(template("{ques}").alias("t"))"#,
        &["unknown column `ques`, did you mean `que`?"],
    );
    // What a cell holds is text, not another template.
    assert_eq!(
        run(r#"frame(#{ x: ["{y}"] }).select(template("{x}").alias("t"))["t"]"#),
        json!(["{y}"])
    );
}

#[test]
fn aggregates_leave_missing_values_out() {
    let one = |expression: &str| column(expression)[0].clone();
    assert_eq!(one(r#"col("i").mean()"#), json!(2.5));
    assert_eq!(one(r#"col("i").sum()"#), json!(5));
    assert_eq!(one(r#"col("i").min()"#), json!(-2));
    assert_eq!(one(r#"col("i").max()"#), json!(7));
    assert_eq!(one(r#"col("f").median()"#), json!(1.25));
    assert_eq!(one(r#"col("f").variance()"#), json!(1.125));
    assert_eq!(one(r#"col("f").std()"#), json!(1.125_f64.sqrt()));
    assert_eq!(one(r#"col("i").count()"#), json!(2));
    assert_eq!(one(r#"col("i").null_count()"#), json!(1));
    assert_eq!(one(r#"col("s").n_unique()"#), json!(3));
    assert_eq!(one(r#"col("i").first()"#), json!(7));
    assert_eq!(one(r#"col("i").last()"#), json!(null));
    assert_eq!(one(r#"col("f").quantile(0.5)"#), json!(2.0));
    assert_eq!(one(r#"col("f").quantile(0.5, "linear")"#), json!(1.25));
    assert_eq!(one(r#"col("f").quantile(1)"#), json!(2.0));
    assert_eq!(one(r#"len()"#), json!(3));
    assert_eq!(one(r#"col("b").any()"#), json!(true));
    assert_eq!(one(r#"col("b").all()"#), json!(false));
    assert_eq!(one(r#"col("b").mean()"#), json!(0.5));
    fails_with(r#"col("x").quantile(1.5)"#, &["quantile", "a number from 0 to 1", "got 1.5"]);
}

#[test]
fn aggregates_over_groups_stand_on_every_row() {
    let f = r#"frame(#{ k: ["a", "b", "a"], x: [1, 5, 3] })"#;
    assert_eq!(
        run(&format!(r#"{f}.select(col("x").mean().over("k"))["x"]"#)),
        json!([2.0, 5.0, 2.0])
    );
    assert_eq!(run(&format!(r#"{f}.select(len().over(["k"]).alias("n"))["n"]"#)), json!([2, 1, 2]));
    assert_eq!(
        run(&format!(r#"{f}.select((col("x") - col("x").min().over("k")).alias("x"))["x"]"#)),
        json!([0, 0, 2])
    );
}

#[test]
fn missing_values_and_membership() {
    assert_eq!(column(r#"col("i").is_null()"#), json!([false, false, true]));
    assert_eq!(column(r#"col("i").is_not_null()"#), json!([true, true, false]));
    assert_eq!(column(r#"col("i").fill_null(0)"#), json!([7, -2, 0]));
    assert_eq!(column(r#"col("i").fill_null(col("f"))"#), json!([7.0, -2.0, null]));
    assert_eq!(column(r#"col("i").is_in([7, 8])"#), json!([true, false, null]));
    assert_eq!(column(r#"col("s").is_in(["ab"])"#), json!([false, true, null]));
    assert_eq!(column(r#"col("s").is_in([])"#), json!([false, false, null]));
    assert_eq!(column(r#"col("i").is_between(-2, 6)"#), json!([false, true, null]));
    assert_eq!(column(r#"(col("f") - 0.5).log().is_nan()"#), json!([false, false, null]));
}

#[test]
fn casts_refuse_or_make_missing() {
    assert_eq!(column(r#"col("i").cast("float")"#), json!([7.0, -2.0, null]));
    assert_eq!(column(r#"col("f").cast("int")"#), json!([0, 2, null]));
    assert_eq!(column(r#"col("i").cast("str")"#), json!(["7", "-2", null]));
    assert_eq!(column(r#"col("b").cast("int")"#), json!([1, 0, null]));
    assert_eq!(column(r#"col("i").cast("bool")"#), json!([true, true, null]));
    assert_eq!(column(r#"col("s").try_cast("int")"#), json!([null, null, null]));
    assert_eq!(
        run(r#"frame(#{ x: ["1", "-7"] }).select(col("x").cast("int"))["x"]"#),
        json!([1, -7])
    );
    fails_with(&format!(r#"{FRAME}.select(col("s").cast("int"))"#), &["select"]);
    fails_with(r#"col("x").cast("integral")"#, &["unknown type `integral`"]);
}

#[test]
fn numbers_by_row_and_along_the_rows() {
    assert_eq!(column(r#"col("i").abs()"#), json!([7, 2, null]));
    assert_eq!(column(r#"col("f").floor()"#), json!([0.0, 2.0, null]));
    assert_eq!(column(r#"col("f").ceil()"#), json!([1.0, 2.0, null]));
    assert_eq!(column(r#"col("f").round()"#), json!([0.0, 2.0, null]));
    assert_eq!(column(r#"(col("f") / 7).round(3)"#), json!([0.071, 0.286, null]));
    assert_eq!(column(r#"(col("f") * 0).exp()"#), json!([1.0, 1.0, null]));
    assert_eq!(column(r#"(col("f") * 0 + 1).log()"#), json!([0.0, 0.0, null]));
    assert_eq!(column(r#"(col("f") * 8).sqrt()"#), json!([2.0, 4.0, null]));
    assert_eq!(column(r#"col("i").cum_sum()"#), json!([7, 5, null]));
    assert_eq!(column(r#"col("i").shift(1)"#), json!([null, 7, -2]));
    assert_eq!(column(r#"col("i").rank()"#), json!([2.0, 1.0, null]));
    assert_eq!(column(r#"col("i").sort()"#), json!([null, -2, 7]));
    assert_eq!(column(r#"col("i").sort(#{ descending: true })"#), json!([null, 7, -2]));
    assert_eq!(
        column(r#"col("i").sort(#{ descending: true, nulls_last: true })"#),
        json!([7, -2, null])
    );
    assert_eq!(column(r#"col("i").reverse()"#), json!([null, -2, 7]));
    assert_eq!(
        run(r#"frame(#{ x: ["b", "a", "b"] }).select(col("x").unique())["x"]"#),
        json!(["b", "a"])
    );
}

#[test]
fn texts() {
    for (expression, expected) in [
        (r#"col("s").str_contains("b c")"#, json!([true, false, null])),
        (r#"col("s").str_contains("^a.$")"#, json!([false, true, null])),
        (r#"col("s").str_contains(".", #{ literal: true })"#, json!([false, false, null])),
        (r#"col("s").str_contains("(?i)^AB")"#, json!([true, true, null])),
        (r#"col("s").str_contains(col("s").str_lower())"#, json!([false, true, null])),
        (r#"col("s").str_count_matches("[a-c]")"#, json!([2, 2, null])),
        (r#"col("s").str_count(".")"#, json!([4, 2, null])),
        (r#"col("s").str_count(".", #{ literal: true })"#, json!([0, 0, null])),
        (r#"col("s").str_matches("^a.$")"#, json!([false, true, null])),
        (r#"col("s").str_starts_with("A")"#, json!([true, false, null])),
        (r#"col("s").str_ends_with("b")"#, json!([false, true, null])),
        (r#"col("s").str_replace("b", "-")"#, json!(["A- c", "a-", null])),
        (
            r#"(col("s") + col("s")).str_replace_all("b", "$1", #{ literal: true })"#,
            json!(["A$1 cA$1 c", "a$1a$1", null]),
        ),
        (
            r#"(col("s") + "b.").str_replace(".", "-", #{ literal: true })"#,
            json!(["Ab cb-", "abb-", null]),
        ),
        (r#"col("s").str_replace_all("([a-z])", "<$1>")"#, json!(["A<b> <c>", "<a><b>", null])),
        (r#"col("s").str_replace_all("[^a-z]", "")"#, json!(["bc", "ab", null])),
        (r#"col("s").str_replace("\\w", "$$")"#, json!(["$b c", "$b", null])),
        (
            r#"(col("s") + "bb").str_replace("b", "-", #{ n: 2, literal: true })"#,
            json!(["A- c-b", "a--b", null]),
        ),
        (r#"col("s").str_replace("\\w", "-", #{ n: -1 })"#, json!(["-- -", "--", null])),
        (r#"col("s").str_extract("(\\w)")"#, json!(["A", "a", null])),
        (r#"col("s").str_extract_all("[a-c]")"#, json!([["b", "c"], ["a", "b"], null])),
        (
            r#"col("s").str_split("[ b]+", #{ literal: false })"#,
            json!([["A", "c"], ["a", ""], null]),
        ),
        (r#"col("s").str_split("b", #{ inclusive: true })"#, json!([["Ab", " c"], ["ab"], null])),
        (r#"col("s").str_split(".")"#, json!([["Ab c"], ["ab"], null])),
        (r#"col("s").str_extract("(\\w) (\\w)", 2)"#, json!(["c", null, null])),
        (r#"col("s").str_len()"#, json!([4, 2, null])),
        (r#"col("s").str_lower()"#, json!(["ab c", "ab", null])),
        (r#"col("s").str_upper()"#, json!(["AB C", "AB", null])),
        (r#"(" " + col("s") + "\n").str_strip()"#, json!(["Ab c", "ab", null])),
        (r#"col("s").str_split(" ")"#, json!([["Ab", "c"], ["ab"], null])),
        (r#"col("s").str_split(" ").item(-1)"#, json!(["c", "ab", null])),
        (r#"col("s").str_split(" ").list_join("+")"#, json!(["Ab+c", "ab", null])),
        (r#"col("s").str_slice(1, 2)"#, json!(["b ", "b", null])),
        (r#"col("s").str_slice(-1, 1)"#, json!(["c", "b", null])),
    ] {
        assert_eq!(column(expression), expected, "{expression}");
    }
}

#[test]
fn a_broken_pattern_is_a_sentence() {
    for call in [
        r#"str_contains("(")"#,
        r#"str_matches("(")"#,
        r#"str_count("(")"#,
        r#"str_count_matches("(")"#,
        r#"str_replace("(", "x")"#,
        r#"str_replace_all("(", "x")"#,
        r#"str_extract("(")"#,
        r#"str_extract_all("(")"#,
        r#"str_split("(", #{ literal: false })"#,
    ] {
        let name = call.split('(').next().unwrap();
        fails_with(
            &format!(r#"col("s").{call}"#),
            &[&format!("{name}: `(` is not a regular expression: unclosed group")],
        );
    }
    fails_with(r#"col("s").str_contains("a(?=b)")"#, &["is not a regular expression: look-around"]);
    run(&format!(r#"{FRAME}.select(col("s").str_contains("(", #{{ literal: true }}))"#));
    fails_with(r#"col("s").str_contains("a", #{ literl: true })"#, &["did you mean `literal`"]);
    fails_with(r#"col("s").str_replace_all("a", "b", #{ n: 2 })"#, &["unknown option `n`"]);
    fails_with(
        r#"col("s").str_replace("a", "b", #{ n: 2 })"#,
        &["`n` of str_replace", "literal: true"],
    );
    fails_with(r#"col("s").str_contains(3)"#, &["str_contains: expected a text or an expression"]);
    fails_with(r#"col("s").str_slice(0, -1)"#, &["the length of str_slice"]);
}

#[test]
fn fields_and_items() {
    assert_eq!(column(r#"col("m").field("g")"#), json!(["x", null, null]));
    assert_eq!(column(r#"col("l").item(0)"#), json!([3, null, null]));
    assert_eq!(column(r#"col("l").item(-1)"#), json!([2, null, null]));
    assert_eq!(column(r#"col("l").item(5)"#), json!([null, null, null]));
    assert_eq!(column(r#"col("l").list_len()"#), json!([3, 0, null]));
    fails_with(&format!(r#"{FRAME}.select(col("m").field("nope"))"#), &["nope"]);
    fails_with(&format!(r#"{FRAME}.select(col("i").field("g"))"#), &["select"]);
}

#[test]
fn expressions_that_do_not_fit_are_sentences() {
    fails_with(&format!(r#"{FRAME}.select(col("s") * 2)"#), &["select"]);
    fails_with(&format!(r#"{FRAME}.filter(col("i") + 1)"#), &["filter"]);
    fails_with(
        &format!(r#"{FRAME}.select(col("s").sum().alias("i").cast("nope"))"#),
        &["unknown type `nope`"],
    );
    fails_with(r#"col("x").alias(3)"#, &["`alias` cannot be called with (Expr, integer)"]);
    fails_with(r#"lit([1])"#, &["lit", "an array"]);
}

/// The column that an expression makes of a column `x`.
#[track_caller]
fn of(x: &str, expression: &str) -> Value {
    run(&format!(r#"frame(#{{ x: {x} }}).select(({expression}).alias("out"))["out"]"#))
}

/// Numbers of polars 2.1 from Python.
#[test]
fn halves_and_quantiles_and_orders_are_those_of_polars() {
    let halves = "[0.5, 1.5, 2.5, -0.5, -1.5]";
    assert_eq!(of(halves, r#"col("x").round()"#), json!([0.0, 2.0, 2.0, -0.0, -2.0]));
    let hundredths = "[2.675, 0.125, 0.375, 1.005, 0.285]";
    assert_eq!(of(hundredths, r#"col("x").round(2)"#), json!([2.68, 0.12, 0.38, 1.0, 0.28]));
    assert_eq!(
        of(hundredths, r#"col("x").round(2, "half_away_from_zero")"#),
        json!([2.68, 0.13, 0.38, 1.0, 0.28])
    );
    let shares = [0.1, 0.25, 0.3, 0.5, 0.75];
    for (interpolation, expected) in [
        ("nearest", [1.0, 2.0, 2.0, 3.0, 3.0]),
        ("higher", [2.0, 2.0, 2.0, 3.0, 10.0]),
        ("lower", [1.0, 1.0, 1.0, 2.0, 3.0]),
        ("midpoint", [1.5, 1.5, 1.5, 2.5, 6.5]),
        ("linear", [1.3, 1.75, 1.9, 2.5, 4.75]),
        ("equiprobable", [1.0, 1.0, 2.0, 2.0, 3.0]),
    ] {
        for (share, expected) in shares.iter().zip(expected) {
            let ours =
                of("[1, 2, 3, 10]", &format!(r#"col("x").quantile({share}, "{interpolation}")"#));
            let ours = ours[0].as_f64().unwrap();
            assert!((ours - expected).abs() < 1e-12, "{interpolation} {share}");
        }
    }
    fails_with(r#"col("x").quantile(0.5, "linea")"#, &["linea", "linear"]);
    fails_with(r#"col("x").round(1, "half_up")"#, &["mode of round", "half_up"]);
    fails_with(r#"col("x").round(-1)"#, &["round", "from 0"]);
}

/// What polars 2.1 says of missing values, empty columns and the like.
#[test]
fn missing_values_and_empty_columns_are_as_in_polars() {
    for (x, expression, expected) in [
        ("[1, (), 3]", r#"col("x").is_in([1, 2])"#, json!([true, null, false])),
        ("[1, (), 3]", r#"col("x").is_in([1, ()])"#, json!([true, null, false])),
        ("[1, (), ()]", r#"col("x").n_unique()"#, json!([2])),
        ("[1, (), ()]", r#"col("x").unique()"#, json!([1, null])),
        ("[1, (), 2]", r#"col("x").cum_sum()"#, json!([1, null, 3])),
        ("[1, 1, 2, ()]", r#"col("x").rank()"#, json!([1.5, 1.5, 3.0, null])),
        ("[1, ()]", r#"col("x").fill_null(0.5)"#, json!([1.0, 0.5])),
        ("[1, ()]", r#"col("x").fill_null("a")"#, json!(["1", "a"])),
        ("[1.0]", r#"col("x").std()"#, json!([null])),
        ("[1.7, -1.7]", r#"col("x").cast("int")"#, json!([1, -1])),
        ("[(), 1]", r#"col("x").first()"#, json!([null])),
        ("[1, (), 3]", r#"col("x").is_between(1, 2)"#, json!([true, null, false])),
        (
            r#"["", "a,,b", "abc", ()]"#,
            r#"col("x").str_split(",")"#,
            json!([[""], ["a", "", "b"], ["abc"], null]),
        ),
        (r#"["abc", "é日x"]"#, r#"col("x").str_slice(-2, 1)"#, json!(["b", "日"])),
        (r#"["abc", "é日x"]"#, r#"col("x").str_slice(-5, 3)"#, json!(["a", "é"])),
        (r#"["abc", "é日x"]"#, r#"col("x").str_slice(5, 2)"#, json!(["", ""])),
        (r#"["aaa"]"#, r#"col("x").str_count("aa")"#, json!([1])),
        (
            r#"[["a", ()], ["b"], (), []]"#,
            r#"col("x").list_join(",")"#,
            json!(["a", "b", null, ""]),
        ),
        ("[-3, 3]", r#"col("x") % 2"#, json!([1, 1])),
        ("[3, -3]", r#"col("x") % -2"#, json!([-1, -1])),
        ("[-3.5]", r#"col("x") % 2"#, json!([0.5])),
        ("[false, ()]", r#"col("x").any()"#, json!([false])),
        ("[true, ()]", r#"col("x").all()"#, json!([true])),
        ("[true, true]", r#"col("x").sum()"#, json!([2])),
        (r#"["b", "a"]"#, r#"col("x").min()"#, json!(["a"])),
        (r#"["ab"]"#, r#"col("x").str_extract("(x)?b", 1)"#, json!([null])),
    ] {
        assert_eq!(of(x, expression), expected, "{expression} of {x}");
    }
    let empty = |expression: &str| {
        run(&format!(
            r#"frame(#{{ x: [1.0] }}).filter(col("x") > 2).select(({expression}).alias("out"))["out"]"#
        ))
    };
    assert_eq!(empty(r#"col("x").sum()"#), json!([0.0]));
    assert_eq!(empty(r#"col("x").mean()"#), json!([null]));
    assert_eq!(empty(r#"col("x").quantile(0.5)"#), json!([null]));
}
