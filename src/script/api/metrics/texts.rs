//! Scores of a prediction against a gold text. Two strings give a number, two arrays an array, and anything with an
//! expression in it an expression.

use polars::prelude::{self as pl, Column, DataType, Field, IntoColumn, NamedFrom, Series};
use rayon::prelude::*;
use rhai::{Array, Dynamic, Engine, NativeCallContext};

use crate::error::{Error, Result};
use crate::metrics::answers;
use crate::metrics::rouge::{self, Unit};
use crate::metrics::stemmer;
use crate::script::api::expr::Expr;
use crate::script::convert;
use crate::script::failure::{At, ScriptResult};
use crate::script::record::Record;

type Score = fn(&str, &str) -> f64;

pub const RECORDS: &[Record] = &[
    Record::new(
        "rouge1",
        &["rouge1(gold, predicted)", "rouge2(gold, predicted)", "rouge_l(gold, predicted)"],
        "ROUGE F-measure with the stemmer: shared words, shared pairs of words, longest common subsequence",
        r#"rouge1("the cats sat", "a cat sat")"#,
        |engine, _| {
            scorer(engine, "rouge1", |gold, predicted| rouge::score(gold, predicted, Unit::Gram(1)));
            scorer(engine, "rouge2", |gold, predicted| rouge::score(gold, predicted, Unit::Gram(2)));
            scorer(engine, "rouge_l", |gold, predicted| rouge::score(gold, predicted, Unit::Sequence));
        },
    )
    .doc("Two strings give a number, arrays an array, expressions (also beside an array of the frame's length) an expression."),
    Record::new(
        "exact_match",
        &["exact_match(gold, predicted)", "token_f1(gold, predicted)"],
        "1 where the cleaned answers are equal, else 0; F1 over their sets of words",
        r#"exact_match("Paris", "paris.\nAnd more")"#,
        |engine, _| {
            scorer(engine, "exact_match", answers::exact_match);
            scorer(engine, "token_f1", answers::token_f1);
        },
    )
    .doc("Cleaned as `clean_answer` does it. The calling forms of `rouge1`."),
    Record::new(
        "squad_em",
        &["squad_em(gold, predicted)", "squad_f1(gold, predicted)"],
        "SQuAD's exact match and F1, as SQuAD defines them",
        r#"squad_f1("the Eiffel Tower", "Eiffel tower!")"#,
        |engine, _| {
            scorer(engine, "squad_em", answers::squad_em);
            scorer(engine, "squad_f1", answers::squad_f1);
        },
    )
    .doc("Articles and punctuation are left out; words count as often as they stand. The calling forms of `rouge1`."),
    Record::new(
        "clean_answer",
        &["clean_answer(text) -> string"],
        "What follows `Response:`, its first line, in lower case, without . ? ! ; : ,",
        "clean_answer(\"Response: Paris.\")",
        |engine, _| {
            engine.register_fn("clean_answer", |text: &str| answers::clean(text, "</s>"));
        },
    ),
    Record::new(
        "porter_stem",
        &["porter_stem(word) -> string"],
        "The stem that ROUGE compares by: Porter's stemmer with NLTK's extensions",
        r#"porter_stem("running")"#,
        |engine, _| {
            engine.register_fn("porter_stem", |word: &str| stemmer::stem(word));
        },
    ),
];

fn scorer(engine: &mut Engine, name: &'static str, score: Score) {
    engine.register_fn(
        name,
        move |context: NativeCallContext,
              gold: Dynamic,
              predicted: Dynamic|
              -> ScriptResult<Dynamic> {
            apply(name, score, &gold, &predicted).at(&context)
        },
    );
}

fn apply(name: &'static str, score: Score, gold: &Dynamic, predicted: &Dynamic) -> Result<Dynamic> {
    if let (Ok(gold), Ok(predicted)) = (gold.clone().into_string(), predicted.clone().into_string())
    {
        return Ok(score(&gold, &predicted).into());
    }
    let is_expression = |value: &Dynamic| value.is::<Expr>();
    if is_expression(gold) || is_expression(predicted) {
        let sides = [side(name, gold)?, side(name, predicted)?];
        return Ok(Dynamic::from(Expr(expression(name, score, sides))));
    }
    let (gold, predicted) = (texts(name, gold)?, texts(name, predicted)?);
    if gold.len() != predicted.len() {
        return Err(Error::invalid(
            name,
            format!("as many predictions as gold texts ({})", gold.len()),
            predicted.len().to_string(),
        ));
    }
    let pairs: Vec<_> = gold.iter().zip(&predicted).collect();
    let scores: Vec<f64> = pairs
        .par_iter()
        .map(|(gold, predicted)| score(gold, predicted))
        .collect();
    Ok(scores
        .into_iter()
        .map(Dynamic::from)
        .collect::<Array>()
        .into())
}

fn texts(name: &str, given: &Dynamic) -> Result<Vec<String>> {
    let refuse = |got: &Dynamic| {
        Error::invalid(
            name,
            "strings, arrays of strings or expressions",
            convert::describe(got),
        )
    };
    let array = given
        .clone()
        .try_cast::<Array>()
        .ok_or_else(|| refuse(given))?;
    array
        .iter()
        .map(|item| item.clone().into_string().map_err(|_| refuse(item)))
        .collect()
}

/// One side of a score over a frame: an expression, an array of the frame's length, or one text for all rows.
fn side(name: &str, given: &Dynamic) -> Result<pl::Expr> {
    if let Some(expression) = given.clone().try_cast::<Expr>() {
        return Ok(expression.0);
    }
    if let Ok(text) = given.clone().into_string() {
        return Ok(pl::lit(text));
    }
    Ok(pl::lit(Series::new(name.into(), texts(name, given)?)))
}

fn expression(name: &'static str, score: Score, sides: [pl::Expr; 2]) -> pl::Expr {
    pl::map_multiple(
        move |columns: &mut [Column]| columns_score(name, score, columns),
        sides,
        move |_, fields| {
            let first = fields
                .first()
                .map_or(name.into(), |field| field.name().clone());
            Ok(Field::new(first, DataType::Float64))
        },
    )
}

fn columns_score(name: &str, score: Score, columns: &mut [Column]) -> pl::PolarsResult<Column> {
    let [gold, predicted] = columns else {
        return Err(pl::PolarsError::ComputeError(
            format!("{name} takes two columns").into(),
        ));
    };
    let height = gold.len().max(predicted.len());
    for side in [&gold, &predicted] {
        if side.len() != height && side.len() != 1 {
            let message = format!("{name} got {} texts for {height} rows", side.len());
            return Err(pl::PolarsError::ShapeMismatch(message.into()));
        }
    }
    let (a, b) = (
        gold.as_materialized_series().str()?,
        predicted.as_materialized_series().str()?,
    );
    let at = |texts: &'_ pl::StringChunked, row: usize| {
        texts
            .get(if texts.len() == 1 { 0 } else { row })
            .map(str::to_string)
    };
    let pairs: Vec<_> = (0..height).map(|row| (at(a, row), at(b, row))).collect();
    let scores: Vec<Option<f64>> = pairs
        .par_iter()
        .map(|pair| match pair {
            (Some(gold), Some(predicted)) => Some(score(gold, predicted)),
            _ => None,
        })
        .collect();
    Ok(Series::new(gold.name().clone(), scores).into_column())
}
