//! Methods of expressions on texts. Where polars takes a pattern, a regular expression is meant, unless `literal: true`
//! says that the text stands for itself; only `str_split` is the other way round, as it is in polars.

use pl::{NamedFrom, StringNameSpaceImpl};
use polars::prelude as pl;
use rhai::{Dynamic, Engine, Map, NativeCallContext};

use super::given::bounded;
use crate::error::{Error, Result};
use crate::script::convert;
use crate::script::failure::At;
use crate::script::options::Options;
use crate::script::record::{Record, option};
use crate::script::values::Expr;

pub const RECORDS: &[Record] = &[
    Record::new(
        "Expr.str_contains",
        &[
            "e.str_contains(pattern)",
            "e.str_contains(pattern, #{ literal })",
            "e.str_count_matches(pattern)",
            "e.str_count_matches(pattern, #{ literal })",
            "e.str_count(pattern)",
            "e.str_count(pattern, #{ literal })",
            "e.str_matches(pattern)",
        ],
        "Whether a regular expression matches anywhere in the text, and how often it does",
        r#"frame(#{ x: ["apple", "a.b"] }).filter(col("x").str_contains(".", #{ literal: true }))"#,
        |engine, _| {
            with_pattern(engine, "str_contains", |e, pattern, literal| {
                if literal {
                    e.str().contains_literal(pattern)
                } else {
                    e.str().contains(pattern, true)
                }
            });
            for name in ["str_count_matches", "str_count"] {
                with_pattern(engine, name, |e, pattern, literal| {
                    let count = e.str().count_matches(pattern, literal);
                    count.cast(pl::DataType::Int64)
                });
            }
            engine.register_fn(
                "str_matches",
                |context: NativeCallContext, e: Expr, given: Dynamic| {
                    let pattern = pattern("str_matches", &given, false);
                    let matches = |pattern| Expr(e.0.str().contains(pattern, true));
                    pattern.map(matches).at(&context).and_then(|made| bounded(made.0))
                },
            );
        },
    )
    .doc(
        "Patterns are regular expressions (<https://docs.rs/regex/latest/regex/#syntax>, as polars has them). A pattern may also be an expression, one for each row. \
         `str_count_matches` counts matches that do not overlap; `str_count` is short for it, and `str_matches` another name \
         of `str_contains`.",
    )
    .options(&[
        &[
            option("literal", "true or false", "false", "The text is looked for as it stands, and is no regular expression"),
        ],
    ]),
    Record::new(
        "Expr.str_starts_with",
        &["e.str_starts_with(text)", "e.str_ends_with(text)"],
        "Whether the text begins or ends with another, taken as it stands",
        r#"frame(#{ x: ["apple", "pear"] }).filter(col("x").str_starts_with("ap"))"#,
        |engine, _| {
            with_text(engine, "str_starts_with", |e, text| e.str().starts_with(text));
            with_text(engine, "str_ends_with", |e, text| e.str().ends_with(text));
        },
    ),
    Record::new(
        "Expr.str_replace",
        &[
            "e.str_replace(pattern, with)",
            "e.str_replace(pattern, with, #{ literal, n })",
            "e.str_replace_all(pattern, with)",
            "e.str_replace_all(pattern, with, #{ literal })",
        ],
        "Replaces the first match, the first `n`, or every match of a regular expression",
        r#"frame(#{ x: ["a1b22"] }).select(col("x").str_replace_all("[0-9]+", "-"))"#,
        |engine, _| {
            replacing(engine, "str_replace", false);
            replacing(engine, "str_replace_all", true);
        },
    )
    .doc(
        "`with` may name groups of the match: `$1`, `${1}`, `${name}`; a dollar sign is written `$$`.",
    )
    .options(&[
        &[
            option("literal", "true or false", "false", "Both texts stand for themselves, and the pattern is no regular expression"),
            option("n", "whole number", "1", "How many matches `str_replace` replaces, -1 for all; above 1 with `literal: true` only"),
        ],
    ]),
    Record::new(
        "Expr.str_extract",
        &[
            "e.str_extract(pattern)",
            "e.str_extract(pattern, group)",
            "e.str_extract_all(pattern)",
        ],
        "A group of a regular expression's first match (group 1, or 0 for the whole match); a list of all matches",
        r#"frame(#{ x: ["ans2: the boy"] }).select(col("x").str_extract("ans([0-9])", 1))"#,
        |engine, _| {
            engine.register_fn(
                "str_extract",
                |context: NativeCallContext, e: Expr, pattern: Dynamic| {
                    extract(e, &pattern, 1).at(&context).and_then(|made| bounded(made.0))
                },
            );
            engine.register_fn(
                "str_extract",
                |context: NativeCallContext, e: Expr, pattern: Dynamic, group: i64| {
                    extract(e, &pattern, group).at(&context).and_then(|made| bounded(made.0))
                },
            );
            engine.register_fn(
                "str_extract_all",
                |context: NativeCallContext, e: Expr, given: Dynamic| {
                    let pattern = pattern("str_extract_all", &given, false);
                    pattern.map(|pattern| Expr(e.0.str().extract_all(pattern))).at(&context).and_then(|made| bounded(made.0))
                },
            );
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
        &[
            "e.str_split(separator)",
            "e.str_split(separator, #{ literal, inclusive })",
        ],
        "A list of the parts between separators, taken as they stand",
        r#"frame(#{ x: ["a,b"] }).select(col("x").str_split(",").item(0))"#,
        |engine, _| {
            engine.register_fn(
                "str_split",
                |context: NativeCallContext, e: Expr, by: Dynamic| {
                    split(e, &by, Options::none("str_split")).at(&context).and_then(|made| bounded(made.0))
                },
            );
            engine.register_fn(
                "str_split",
                |context: NativeCallContext, e: Expr, by: Dynamic, opts: Map| {
                    split(e, &by, Options::new("str_split", opts)).at(&context).and_then(|made| bounded(made.0))
                },
            );
        },
    )
    .options(&[
        &[
            option("literal", "true or false", "true", "The separator stands for itself; false makes it a regular expression"),
            option("inclusive", "true or false", "false", "Parts keep the separator at their end"),
        ],
    ]),
    Record::new(
        "Expr.str_slice",
        &["e.str_slice(start, length)"],
        "The part from a character on (counted from the end when negative)",
        r#"frame(#{ x: ["abc"] }).select(col("x").str_slice(1, 2))"#,
        |engine, _| {
            engine.register_fn(
                "str_slice",
                |context: NativeCallContext, e: Expr, start: i64, length: i64| {
                    let length = natural("the length of str_slice", length);
                    let part = |length| Expr(e.0.str().slice(pl::lit(start), pl::lit(length)));
                    length.map(part).at(&context).and_then(|made| bounded(made.0))
                },
            );
        },
    ),
];

fn method(engine: &mut Engine, name: &str, apply: fn(pl::Expr) -> pl::Expr) {
    engine.register_fn(name, move |e: Expr| bounded(apply(e.0)));
}

/// A method that takes a text as it stands.
fn with_text(engine: &mut Engine, name: &'static str, apply: fn(pl::Expr, pl::Expr) -> pl::Expr) {
    engine.register_fn(name, move |context: NativeCallContext, e: Expr, given: Dynamic| {
        let text = pattern(name, &given, true);
        text.map(|text| Expr(apply(e.0, text))).at(&context).and_then(|made| bounded(made.0))
    });
}

/// A method that takes a pattern, with whether it is literal.
fn with_pattern(
    engine: &mut Engine,
    name: &'static str,
    apply: fn(pl::Expr, pl::Expr, bool) -> pl::Expr,
) {
    let run = move |e: Expr, given: &Dynamic, options: Options| {
        let literal = options.boolean("literal")?.unwrap_or(false);
        options.finish()?;
        Ok::<_, Error>(Expr(apply(e.0, pattern(name, given, literal)?, literal)))
    };
    engine.register_fn(name, move |context: NativeCallContext, e: Expr, given: Dynamic| {
        run(e, &given, Options::none(name)).at(&context).and_then(|made| bounded(made.0))
    });
    engine.register_fn(
        name,
        move |context: NativeCallContext, e: Expr, given: Dynamic, opts: Map| {
            run(e, &given, Options::new(name, opts)).at(&context).and_then(|made| bounded(made.0))
        },
    );
}

fn replacing(engine: &mut Engine, name: &'static str, all: bool) {
    let run = move |e: Expr, given: &Dynamic, with: &Dynamic, options: Options| {
        let literal = options.boolean("literal")?.unwrap_or(false);
        let times = if all { -1 } else { options.integer("n")?.unwrap_or(1) };
        options.finish()?;
        if times > 1 && !literal {
            return Err(Error::invalid(
                "option `n` of str_replace",
                "1 or -1 with a regular expression, any number with `literal: true`",
                times.to_string(),
            ));
        }
        let (from, to) = (pattern(name, given, literal)?, pattern(name, with, true)?);
        let e = e.0.str();
        Ok::<_, Error>(Expr(match times {
            ..0 => e.replace_all(from, to, literal),
            times => e.replace_n(from, to, literal, times),
        }))
    };
    engine.register_fn(
        name,
        move |context: NativeCallContext, e: Expr, given: Dynamic, with: Dynamic| {
            run(e, &given, &with, Options::none(name)).at(&context).and_then(|made| bounded(made.0))
        },
    );
    engine.register_fn(
        name,
        move |context: NativeCallContext, e: Expr, given: Dynamic, with: Dynamic, opts: Map| {
            run(e, &given, &with, Options::new(name, opts))
                .at(&context)
                .and_then(|made| bounded(made.0))
        },
    );
}

fn extract(e: Expr, given: &Dynamic, group: i64) -> Result<Expr> {
    let group = natural("the group of str_extract", group)?;
    let pattern = pattern("str_extract", given, false)?;
    Ok(Expr(e.0.str().extract(pattern, group as usize)))
}

fn split(e: Expr, by: &Dynamic, options: Options) -> Result<Expr> {
    let literal = options.boolean("literal")?.unwrap_or(true);
    let inclusive = options.boolean("inclusive")?.unwrap_or(false);
    options.finish()?;
    let (by, e) = (pattern("str_split", by, literal)?, e.0.str());
    Ok(Expr(match (literal, inclusive) {
        (true, false) => e.split(by),
        (true, true) => e.split_inclusive(by),
        (false, false) => e.split_regex(by, true),
        (false, true) => e.split_regex_inclusive(by, true),
    }))
}

fn natural(operation: &str, given: i64) -> Result<u64> {
    u64::try_from(given)
        .map_err(|_| Error::invalid(operation, "a whole number from 0", given.to_string()))
}

/// A pattern or text that a method is given: a text, checked at once where it is a regular expression, or an expression.
fn pattern(operation: &str, given: &Dynamic, literal: bool) -> Result<pl::Expr> {
    if let Some(expression) = given.clone().try_cast::<Expr>() {
        return Ok(expression.0);
    }
    if !given.is_string() && !given.is_char() {
        return Err(Error::invalid(operation, "a text or an expression", convert::describe(given)));
    }
    let text = given.to_string();
    if !literal {
        check(operation, &text)?;
    }
    Ok(pl::lit(text))
}

/// Refuses what is no regular expression, where the script says it and not where the frame is computed.
fn check(operation: &str, pattern: &str) -> Result<()> {
    let probe = pl::StringChunked::new("".into(), [""]);
    let Err(error) = probe.contains(pattern, true) else {
        return Ok(());
    };
    // The library draws the pattern with a mark below it; its last line says what is wrong.
    let told = error.to_string();
    let reason = match told.rsplit_once("error: ") {
        Some((_, reason)) => reason.trim().to_string(),
        None => told.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    Err(Error::failed_with_hint(
        format!("{operation}: `{pattern}` is not a regular expression: {reason}"),
        "write \\\\ before a character that stands for itself, or give `literal: true` for a text as it stands",
    ))
}
