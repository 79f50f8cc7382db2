//! Scores of a prediction against a gold text. Two strings give a number, two arrays an array, and anything with an
//! expression in it an expression.

use polars::prelude::{self as pl, Column, DataType, Field, IntoColumn, NamedFrom, Series};
use rayon::prelude::*;
use rhai::{Array, Dynamic, Engine, NativeCallContext};

use crate::aside;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::frame::query;
use crate::metrics::answers;
use crate::metrics::rouge::{self, Unit};
use crate::metrics::stemmer;
use crate::script::api::expr::Expr;
use crate::script::convert;
use crate::script::failure::{At, ScriptResult};
use crate::script::record::Record;

/// A score of a prediction against a gold text.
pub type Score = fn(&str, &str, &Control) -> Result<f64>;

pub const RECORDS: &[Record] = &[
    Record::new(
        "rouge1",
        &["rouge1(gold, predicted)", "rouge2(gold, predicted)", "rouge_l(gold, predicted)"],
        "ROUGE F-measure with the stemmer: shared words, shared pairs of words, longest common subsequence",
        r#"rouge1("the cats sat", "a cat sat")"#,
        |engine, _| {
            scorer(engine, "rouge1", |gold, predicted, control| rouge::score(gold, predicted, Unit::Gram(1), control));
            scorer(engine, "rouge2", |gold, predicted, control| rouge::score(gold, predicted, Unit::Gram(2), control));
            scorer(engine, "rouge_l", |gold, predicted, control| rouge::score(gold, predicted, Unit::Sequence, control));
        },
    )
    .doc("Two strings give a number, arrays an array, expressions (also beside an array of the frame's length) an expression."),
    Record::new(
        "exact_match",
        &["exact_match(gold, predicted)", "token_f1(gold, predicted)"],
        "1 where the cleaned answers are equal, else 0; F1 over their sets of words",
        r#"exact_match("Paris", "paris.\nAnd more")"#,
        |engine, _| {
            scorer(engine, "exact_match", |gold, predicted, _| Ok(answers::exact_match(gold, predicted)));
            scorer(engine, "token_f1", |gold, predicted, _| Ok(answers::token_f1(gold, predicted)));
        },
    )
    .doc("Cleaned as `clean_answer` does it. The calling forms of `rouge1`."),
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

/// A score of two strings, arrays or expressions.
pub fn apply(
    name: &'static str,
    score: Score,
    gold: &Dynamic,
    predicted: &Dynamic,
) -> Result<Dynamic> {
    if let (Ok(gold), Ok(predicted)) = (gold.clone().into_string(), predicted.clone().into_string())
    {
        return aside::aside(move || score(&gold, &predicted, &aside::present()))
            .map(Dynamic::from);
    }
    let is_expression = |value: &Dynamic| value.is::<Expr>();
    if is_expression(gold) || is_expression(predicted) {
        let sides = [side(name, gold)?, side(name, predicted)?];
        let made = expression(name, score, sides);
        query::check_size(&made)?;
        return Ok(Dynamic::from(Expr(made)));
    }
    let (gold, predicted) = (texts(name, gold)?, texts(name, predicted)?);
    if gold.len() != predicted.len() {
        return Err(Error::invalid(
            name,
            format!("as many predictions as gold texts ({})", gold.len()),
            predicted.len().to_string(),
        ));
    }
    let control = aside::present();
    let scores = gold.par_iter().zip(&predicted).map(|(gold, predicted)| {
        control.check()?;
        score(gold, predicted, &control)
    });
    let scores = scores.collect::<Result<Vec<f64>>>()?;
    Ok(scores.into_iter().map(Dynamic::from).collect::<Array>().into())
}

/// An array of strings.
pub fn texts(name: &str, given: &Dynamic) -> Result<Vec<String>> {
    let refuse = |got: &Dynamic| {
        Error::invalid(name, "strings, arrays of strings or expressions", convert::describe(got))
    };
    let array = given.clone().try_cast::<Array>().ok_or_else(|| refuse(given))?;
    array.iter().map(|item| item.clone().into_string().map_err(|_| refuse(item))).collect()
}

/// One side of a score over a frame: an expression, an array of the frame's length, or one text for all rows.
pub fn side(name: &str, given: &Dynamic) -> Result<pl::Expr> {
    if let Some(expression) = given.clone().try_cast::<Expr>() {
        return Ok(expression.0);
    }
    if let Ok(text) = given.clone().into_string() {
        return Ok(pl::lit(text));
    }
    Ok(pl::lit(Series::new(name.into(), texts(name, given)?)))
}

fn expression(name: &'static str, score: Score, sides: [pl::Expr; 2]) -> pl::Expr {
    let control = aside::present();
    pl::map_multiple(
        move |columns: &mut [Column]| columns_score(name, score, &control, columns),
        sides,
        move |_, fields| {
            let first = fields.first().map_or(name.into(), |field| field.name().clone());
            Ok(Field::new(first, DataType::Float64))
        },
    )
}

/// The scores of two columns of texts, row by row; where either is missing, none.
pub fn columns_score(
    name: &str,
    score: Score,
    control: &Control,
    columns: &mut [Column],
) -> pl::PolarsResult<Column> {
    let [gold, predicted] = columns else {
        return Err(pl::PolarsError::ComputeError(format!("{name} takes two columns").into()));
    };
    let height = gold.len().max(predicted.len());
    for side in [&gold, &predicted] {
        if side.len() != height && side.len() != 1 {
            let message = format!("{name} got {} texts for {height} rows", side.len());
            return Err(pl::PolarsError::ShapeMismatch(message.into()));
        }
    }
    let (a, b) = (gold.as_materialized_series().str()?, predicted.as_materialized_series().str()?);
    let at = |texts: &'_ pl::StringChunked, row: usize| {
        texts.get(if texts.len() == 1 { 0 } else { row }).map(str::to_string)
    };
    let pairs: Vec<_> = (0..height).map(|row| (at(a, row), at(b, row))).collect();
    let scores = pairs.par_iter().map(|pair| {
        control.check()?;
        match pair {
            (Some(gold), Some(predicted)) => score(gold, predicted, control).map(Some),
            _ => Ok(None),
        }
    });
    let scores = scores
        .collect::<Result<Vec<Option<f64>>>>()
        .map_err(|error| pl::PolarsError::ComputeError(error.to_string().into()))?;
    Ok(Series::new(gold.name().clone(), scores).into_column())
}
