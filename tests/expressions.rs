//! Column expressions from scripts: operators with every type on either side, methods, choices, templates.

use serde_json::json;

use crate::support::{script, script_error};

/// The column `y` that an expression makes of x = 1, 2, missing; t = "a", "bc", missing; b = true, false, missing.
fn made(expression: &str) -> serde_json::Value {
    script(&format!(
        r#"frame(#{{ x: [1, 2, ()], t: ["a", "bc", ()], b: [true, false, ()] }}).select(({expression}).alias("y"))["y"]"#
    ))
}

#[test]
fn arithmetic_works_with_numbers_on_either_side() {
    assert_eq!(made(r#"col("x") + 1"#), json!([2, 3, null]));
    assert_eq!(made(r#"1 + col("x")"#), json!([2, 3, null]));
    assert_eq!(made(r#"10 - col("x") * 2"#), json!([8, 6, null]));
    assert_eq!(
        made(r#"col("x") / 2"#),
        json!([0.5, 1.0, null]),
        "true division"
    );
    assert_eq!(made(r#"col("x") % 2"#), json!([1, 0, null]));
    assert_eq!(made(r#"-col("x")"#), json!([-1, -2, null]));
    assert_eq!(made(r#"col("x") * 1.5"#), json!([1.5, 3.0, null]));
    assert_eq!(made(r#"col("t") + "!""#), json!(["a!", "bc!", null]));
    assert_eq!(made(r#""<" + col("t")"#), json!(["<a", "<bc", null]));
}

#[test]
fn comparisons_are_expressions_for_every_type() {
    assert_eq!(made(r#"col("x") == 1"#), json!([true, false, null]));
    assert_eq!(made(r#"1 == col("x")"#), json!([true, false, null]));
    assert_eq!(made(r#"col("x") != 1.0"#), json!([false, true, null]));
    assert_eq!(made(r#"col("t") == "a""#), json!([true, false, null]));
    assert_eq!(made(r#""a" != col("t")"#), json!([false, true, null]));
    assert_eq!(made(r#"col("b") == true"#), json!([true, false, null]));
    assert_eq!(made(r#"col("x") == col("x")"#), json!([true, true, null]));
    assert_eq!(made(r#"col("x") < 2"#), json!([true, false, null]));
    assert_eq!(made(r#"2 <= col("x")"#), json!([false, true, null]));
    assert_eq!(
        made(r#"(col("x") >= 1) & !(col("x") > 1) | col("b")"#),
        json!([true, false, null])
    );
}

#[test]
fn methods_follow_polars() {
    assert_eq!(made(r#"col("x").sum()"#), json!([3]));
    assert_eq!(made(r#"col("x").mean()"#), json!([1.5]));
    assert_eq!(made(r#"col("x").count()"#), json!([2]));
    assert_eq!(made(r#"col("x").is_null()"#), json!([false, false, true]));
    assert_eq!(made(r#"col("x").fill_null(7)"#), json!([1, 2, 7]));
    assert_eq!(
        made(r#"col("t").is_in(["a", "z"])"#),
        json!([true, false, null])
    );
    assert_eq!(
        made(r#"col("x").is_between(2, 3)"#),
        json!([false, true, null])
    );
    assert_eq!(made(r#"col("x").cast("str")"#), json!(["1", "2", null]));
    assert_eq!(
        made(r#"col("t").try_cast("int")"#),
        json!([null, null, null])
    );
    assert_eq!(made(r#"col("x").quantile(0.5)"#), json!([1.5]));
    assert_eq!(made(r#"col("x").cum_sum()"#), json!([1, 3, null]));
    assert_eq!(made(r#"col("x").shift(1)"#), json!([null, 1, 2]));
    assert_eq!(
        made(r#"(col("x") * 1.25).round(1)"#),
        json!([1.3, 2.5, null])
    );
    assert_eq!(made(r#"col("x").sum().over("b")"#), json!([1, 2, 0]));
}

#[test]
fn texts_lists_and_structs_are_taken_apart() {
    assert_eq!(made(r#"col("t").str_len()"#), json!([1, 2, null]));
    assert_eq!(made(r#"col("t").str_upper()"#), json!(["A", "BC", null]));
    assert_eq!(
        made(r#"col("t").str_contains("b")"#),
        json!([false, true, null])
    );
    assert_eq!(
        made(r#"col("t").str_contains(".")"#),
        json!([false, false, null]),
        "literal"
    );
    assert_eq!(
        made(r#"col("t").str_matches("^.$")"#),
        json!([true, false, null])
    );
    assert_eq!(
        made(r#"col("t").str_replace_all("b", "x")"#),
        json!(["a", "xc", null])
    );
    assert_eq!(
        made(r#"col("t").str_slice(-1, 1)"#),
        json!(["a", "c", null])
    );
    assert_eq!(
        made(r#"col("t").str_split("b").item(-1)"#),
        json!(["a", "c", null])
    );
    assert_eq!(
        made(r#"col("t").str_extract("(c)", 1)"#),
        json!([null, "c", null])
    );
    assert_eq!(
        script(
            r#"frame([#{ s: #{ k: [1, 2] } }]).select(col("s").field("k").item(1).alias("y"))["y"]"#
        ),
        json!([2])
    );
}

#[test]
fn choices_take_the_first_that_holds() {
    assert_eq!(
        made(
            r#"when(col("x") == 1).then("one").when(col("x") == 2).then(col("t")).otherwise("none")"#
        ),
        json!(["one", "bc", "none"])
    );
}

#[test]
fn templates_fill_in_columns_and_keep_doubled_braces() {
    assert_eq!(
        made(r#"template("{t}={x} {{x}}")"#),
        json!(["a=1 {x}", "bc=2 {x}", "= {x}"])
    );
    assert!(script_error(r#"template("{x")"#).contains("do not match"));
    assert!(
        script_error(r#"frame(#{ x: [1] }).select(template("{yy}"))"#)
            .contains("unknown column `yy`")
    );
}

#[test]
fn wrong_types_are_told() {
    assert!(script_error(r#"col("x").cast("date")"#).contains("unknown type `date`"));
    assert!(
        script_error(r#"col("x").alias(3)"#)
            .contains("`alias` cannot be called with (Expr, integer)")
    );
    assert!(
        script_error(r#"frame(#{ x: ["a"] }).select(col("x").cast("int"))"#).contains("failed")
    );
    assert!(script_error(r#"frame(#{ x: ["a"] }).filter(col("x") > 1)"#).contains("compare"));
}
