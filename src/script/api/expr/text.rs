//! Methods of expressions on texts.

use polars::prelude as pl;
use rhai::Engine;

use super::Expr;
use crate::script::record::Record;

fn with_text(engine: &mut Engine, name: &str, apply: fn(pl::Expr, String) -> pl::Expr) {
    engine.register_fn(name, move |e: Expr, text: &str| {
        Expr(apply(e.0, text.to_string()))
    });
}

fn method(engine: &mut Engine, name: &str, apply: fn(pl::Expr) -> pl::Expr) {
    engine.register_fn(name, move |e: Expr| Expr(apply(e.0)));
}

pub const RECORDS: &[Record] = &[
    Record::new(
        "Expr.str_contains",
        &[
            "e.str_contains(text)",
            "e.str_starts_with(text)",
            "e.str_ends_with(text)",
            "e.str_matches(pattern)",
        ],
        "Whether the text contains, starts with or ends with another, or matches a regular expression",
        r#"frame(#{ x: ["apple", "pear"] }).filter(col("x").str_contains("pp"))"#,
        |engine, _| {
            with_text(engine, "str_contains", |e, text| {
                e.str().contains_literal(pl::lit(text))
            });
            with_text(engine, "str_starts_with", |e, text| {
                e.str().starts_with(pl::lit(text))
            });
            with_text(engine, "str_ends_with", |e, text| {
                e.str().ends_with(pl::lit(text))
            });
            with_text(engine, "str_matches", |e, text| {
                e.str().contains(pl::lit(text), true)
            });
        },
    ),
    Record::new(
        "Expr.str_replace",
        &[
            "e.str_replace(text, with)",
            "e.str_replace_all(text, with)",
            "e.str_extract(pattern, group)",
        ],
        "Replaces the first or every occurrence of a text; takes a group of a regular expression's match",
        r#"frame(#{ x: ["a-b-c"] }).select(col("x").str_replace_all("-", " "))"#,
        |engine, _| {
            engine.register_fn("str_replace", |e: Expr, text: &str, with: &str| {
                Expr(e.0.str().replace(pl::lit(text), pl::lit(with), true))
            });
            engine.register_fn("str_replace_all", |e: Expr, text: &str, with: &str| {
                Expr(e.0.str().replace_all(pl::lit(text), pl::lit(with), true))
            });
            engine.register_fn("str_extract", |e: Expr, pattern: &str, group: i64| {
                Expr(e.0.str().extract(pl::lit(pattern), group.max(0) as usize))
            });
        },
    ),
    Record::new(
        "Expr.str_len",
        &[
            "e.str_len()",
            "e.str_lower()",
            "e.str_upper()",
            "e.str_strip()",
        ],
        "Length in characters, lower and upper case, white space taken off both ends",
        r#"frame(#{ x: [" Ab "] }).select(col("x").str_strip().str_lower())"#,
        |engine, _| {
            method(engine, "str_len", |e| {
                e.str().len_chars().cast(pl::DataType::Int64)
            });
            method(engine, "str_lower", |e| e.str().to_lowercase());
            method(engine, "str_upper", |e| e.str().to_uppercase());
            method(engine, "str_strip", |e| {
                e.str().strip_chars(pl::lit(pl::NULL))
            });
        },
    ),
    Record::new(
        "Expr.str_split",
        &["e.str_split(separator)", "e.str_slice(start, length)"],
        "A list of the parts; the part from a character on (from the end when negative)",
        r#"frame(#{ x: ["a,b"] }).select(col("x").str_split(",").item(0))"#,
        |engine, _| {
            with_text(engine, "str_split", |e, by| e.str().split(pl::lit(by)));
            engine.register_fn("str_slice", |e: Expr, start: i64, length: i64| {
                Expr(
                    e.0.str()
                        .slice(pl::lit(start), pl::lit(length.max(0) as u64)),
                )
            });
        },
    ),
];
