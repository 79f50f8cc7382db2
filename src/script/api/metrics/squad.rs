//! SQuAD's two scores, over one gold answer or several, of which the best counts.

use polars::prelude::{self as pl, Column, DataType, Field, IntoColumn, NamedFrom, Series};
use rayon::prelude::*;
use rhai::{Array, Dynamic, Engine, NativeCallContext};

use super::texts;
use crate::aside;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::frame::query;
use crate::metrics::answers;
use crate::script::api::expr::Expr;
use crate::script::convert;
use crate::script::failure::{At, ScriptResult};
use crate::script::record::Record;

pub const RECORDS: &[Record] = &[Record::new(
    "squad_em",
    &["squad_em(gold, predicted)", "squad_f1(gold, predicted)"],
    "SQuAD's exact match and F1, as SQuAD defines them, over one gold answer or the best of several",
    r#"[squad_f1("the Eiffel Tower", "Eiffel tower!"), squad_em(["Denver", "Denver Broncos"], "the Denver Broncos"), squad_em([[], ["1066"]], ["", "in 1066"])]"#,
    register,
)
.doc(
    "Articles and punctuation are left out; words count as often as they stand. The calling forms of `rouge1`; a row's gold \
     may also be an array of answers (in a frame a column of lists), of which the one with the best score counts. A row without answers, as \
     version 2.0 of SQuAD has them, wants an empty prediction.",
)];

fn register(engine: &mut Engine, _host: &std::rc::Rc<crate::script::host::Host>) {
    scorer(
        engine,
        Scorer {
            name: "squad_em",
            one: |gold, predicted, _| Ok(answers::squad_em(gold, predicted)),
            best: |gold, predicted| answers::squad_em_of(gold.iter().copied(), predicted),
        },
    );
    scorer(
        engine,
        Scorer {
            name: "squad_f1",
            one: |gold, predicted, _| Ok(answers::squad_f1(gold, predicted)),
            best: |gold, predicted| answers::squad_f1_of(gold.iter().copied(), predicted),
        },
    );
}

/// One of the scores, for a single gold answer and for several.
#[derive(Clone, Copy)]
struct Scorer {
    name: &'static str,
    one: texts::Score,
    best: fn(&[&str], &str) -> f64,
}

fn scorer(engine: &mut Engine, scorer: Scorer) {
    engine.register_fn(
        scorer.name,
        move |context: NativeCallContext,
              gold: Dynamic,
              predicted: Dynamic|
              -> ScriptResult<Dynamic> { apply(scorer, &gold, &predicted).at(&context) },
    );
}

fn apply(scorer: Scorer, gold: &Dynamic, predicted: &Dynamic) -> Result<Dynamic> {
    let name = scorer.name;
    let array = gold.clone().try_cast::<Array>();
    if let (Some(_), Ok(predicted)) = (&array, predicted.clone().into_string()) {
        let gold = texts::texts(name, gold)?;
        let gold: Vec<&str> = gold.iter().map(String::as_str).collect();
        return Ok(Dynamic::from((scorer.best)(&gold, &predicted)));
    }
    let nested = array.filter(|rows| rows.iter().any(|row| row.is_array()));
    if gold.is::<Expr>() || (predicted.is::<Expr>() && nested.is_some()) {
        let sides = [side(name, gold)?, side(name, predicted)?];
        let made = expression(scorer, sides);
        query::check_size(&made)?;
        return Ok(Dynamic::from(Expr(made)));
    }
    match nested {
        Some(rows) => arrays(scorer, &rows, predicted),
        None => texts::apply(name, scorer.one, gold, predicted),
    }
}

/// Scores of rows whose gold is an array of answers, or one answer.
fn arrays(scorer: Scorer, gold: &[Dynamic], predicted: &Dynamic) -> Result<Dynamic> {
    let predicted = texts::texts(scorer.name, predicted)?;
    if gold.len() != predicted.len() {
        let expected = format!("as many predictions as rows of gold answers ({})", gold.len());
        return Err(Error::invalid(scorer.name, expected, predicted.len().to_string()));
    }
    let answers = gold.iter().map(|row| match row.clone().into_string() {
        Ok(answer) => Ok(vec![answer]),
        Err(_) => texts::texts(scorer.name, row),
    });
    let answers = answers.collect::<Result<Vec<Vec<String>>>>()?;
    let control = aside::present();
    let scores = answers.par_iter().zip(&predicted).map(|(gold, predicted)| {
        control.check()?;
        let gold: Vec<&str> = gold.iter().map(String::as_str).collect();
        Ok((scorer.best)(&gold, predicted))
    });
    let scores = scores.collect::<Result<Vec<f64>>>()?;
    Ok(scores.into_iter().map(Dynamic::from).collect::<Array>().into())
}

/// One side of an expression: lists of answers beside what a score of texts takes.
fn side(name: &str, given: &Dynamic) -> Result<pl::Expr> {
    let array = given.clone().try_cast::<Array>();
    match array.filter(|rows| rows.iter().any(|row| row.is_array())) {
        Some(rows) => Ok(pl::lit(convert::column(name, &rows)?)),
        None => texts::side(name, given),
    }
}

fn expression(scorer: Scorer, sides: [pl::Expr; 2]) -> pl::Expr {
    let control = aside::present();
    pl::map_multiple(
        move |columns: &mut [Column]| match columns {
            [gold, predicted] if gold.dtype().is_list() => lists(scorer, &control, gold, predicted),
            columns => texts::columns_score(scorer.name, scorer.one, &control, columns),
        },
        sides,
        move |_, fields| {
            let first = fields.first().map_or(scorer.name.into(), |field| field.name().clone());
            Ok(Field::new(first, DataType::Float64))
        },
    )
}

/// Scores of a column of lists; a missing list or prediction has none.
fn lists(
    scorer: Scorer,
    control: &Control,
    gold: &Column,
    predicted: &Column,
) -> pl::PolarsResult<Column> {
    let height = gold.len().max(predicted.len());
    for side in [gold, predicted] {
        if side.len() != height && side.len() != 1 {
            let message = format!("{} got {} rows for {height}", scorer.name, side.len());
            return Err(pl::PolarsError::ShapeMismatch(message.into()));
        }
    }
    // Lists that are all empty have no kind of their own.
    let texts = gold.cast(&DataType::List(Box::new(DataType::String)))?;
    if !matches!(gold.dtype(), DataType::List(inner) if inner.is_string() || inner.is_null()) {
        let message = format!("{} takes lists of texts, and got {}", scorer.name, gold.dtype());
        return Err(pl::PolarsError::ComputeError(message.into()));
    }
    let (texts, predicted) =
        (texts.as_materialized_series().list()?.clone(), predicted.as_materialized_series().str()?);
    let row_of = |length: usize, row: usize| if length == 1 { 0 } else { row };
    let mut scores = Vec::with_capacity(height);
    for row in 0..height {
        control.check().map_err(|error| pl::PolarsError::ComputeError(error.to_string().into()))?;
        let answers = texts.get_as_series(row_of(texts.len(), row));
        let said = predicted.get(row_of(predicted.len(), row));
        scores.push(match (answers, said) {
            (Some(answers), Some(said)) => {
                let answers: Vec<&str> = answers.str()?.iter().flatten().collect();
                Some((scorer.best)(&answers, said))
            }
            _ => None,
        });
    }
    Ok(Series::new(gold.name().clone(), scores).into_column())
}
