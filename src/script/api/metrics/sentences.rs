//! What the scores of sentences under a model share: columns of texts, tokens or why a row has none, and tables by kind.

use std::collections::BTreeMap;
use std::rc::Rc;

use polars::prelude::{AnyValue, Column, DataFrame, IntoColumn, NamedFrom, Series};
use rhai::{Engine, Map, NativeCallContext};

use crate::error::{Context, Error, Result};
use crate::frame::query;
use crate::frame::table::kind;
use crate::model::Model;
use crate::script::api::frame::Frame;
use crate::script::failure::At;
use crate::script::host::Host;
use crate::script::options::Options;

/// What a row's sentences gave, or why they gave nothing.
pub type Scored<T> = std::result::Result<T, Unscored>;

/// Why a row could not be scored, as it is counted: "with an empty sentence".
pub type Unscored = String;

/// The line of all kinds together; it sorts before them.
pub const ALL: &str = "(all)";

/// A column of texts; nothing where a text is missing.
pub fn texts(name: &str, frame: &DataFrame, column: &str) -> Result<Vec<Option<String>>> {
    query::known(frame, column)?;
    let series = frame.column(column)?.as_materialized_series();
    if !series.dtype().is_string() && !series.dtype().is_null() {
        let what = format!("{name}, column `{column}`");
        return Err(Error::invalid(what, "texts", kind(series.dtype())));
    }
    let text = |cell: AnyValue| cell.get_str().map(str::to_string);
    Ok(series.iter().map(text).collect())
}

/// What rows are told by; where the frame lacks the column, or a row its label, there is none.
pub fn labels(name: &str, frame: &DataFrame, column: &str) -> Result<Vec<String>> {
    if frame.column(column).is_err() {
        return Ok(vec![String::new(); frame.height()]);
    }
    let texts = texts(name, frame, column)?;
    Ok(texts.into_iter().map(|text| text.unwrap_or_else(|| "(none)".to_string())).collect())
}

/// The tokens of each row's sentences, or why they cannot be scored. A sentence needs `least` tokens, and with `before` others in front of it
/// fits into the context.
pub fn tokens<const N: usize>(
    model: &Model,
    rows: &[[Option<String>; N]],
    encode: impl Fn(&str) -> Result<Vec<u32>>,
    least: usize,
    before: usize,
) -> Result<Vec<Scored<[Vec<u32>; N]>>> {
    let limit = model.config().max_position_embeddings;
    let one = |row: &[Option<String>; N]| {
        let mut made = std::array::from_fn(|_| Vec::new());
        for (slot, text) in made.iter_mut().zip(row) {
            let Some(text) = text.as_ref().filter(|text| !text.trim().is_empty()) else {
                return Ok(Err("with an empty sentence".to_string()));
            };
            let ids = encode(text)?;
            if ids.len() < least {
                return Ok(Err("with a sentence of one token, which nothing predicts".to_string()));
            }
            if ids.len() + before > limit {
                return Ok(Err(format!("longer than the context of {limit} tokens")));
            }
            *slot = ids;
        }
        Ok(Ok(made))
    };
    rows.iter().map(one).collect()
}

/// Scores, if they are numbers that can be compared.
pub fn finite<const N: usize>(scores: [f64; N]) -> Scored<[f64; N]> {
    if scores.iter().all(|score| score.is_finite()) {
        Ok(scores)
    } else {
        Err("with a score that is no finite number".to_string())
    }
}

/// Rows of one kind.
pub struct Line<'a, T> {
    names: Vec<String>,
    /// The scored rows by their number in the frame.
    pub scored: Vec<(usize, &'a T)>,
    unscored: BTreeMap<&'a str, usize>,
}

/// A table's lines: for every combination of kinds, and of all of them.
pub struct Lines<'a, T>(Vec<Line<'a, T>>);

impl<'a, T> Lines<'a, T> {
    /// `kinds` has the kinds of each row, an empty one where rows have no such kind.
    pub fn new(kinds: impl IntoIterator<Item = Vec<String>>, judged: &'a [Scored<T>]) -> Self {
        let mut lines: BTreeMap<Vec<String>, Line<'a, T>> = BTreeMap::new();
        for ((row, judged), kinds) in judged.iter().enumerate().zip(kinds) {
            for names in combinations(&kinds) {
                let line = lines.entry(names.clone()).or_insert_with(|| Line {
                    names,
                    scored: Vec::new(),
                    unscored: BTreeMap::new(),
                });
                match judged {
                    Ok(scored) => line.scored.push((row, scored)),
                    Err(why) => *line.unscored.entry(why).or_default() += 1,
                }
            }
        }
        Self(lines.into_values().collect())
    }

    pub fn iter(&self) -> impl Iterator<Item = &Line<'a, T>> {
        self.0.iter()
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The columns of the kinds, and n, unscored and why.
    pub fn columns(&self, names: &[&str]) -> Vec<Column> {
        let mut columns: Vec<Column> = Vec::new();
        for (place, name) in names.iter().enumerate() {
            let values = self.iter().map(|line| line.names.get(place).cloned().unwrap_or_default());
            columns.push(column(name, values.collect::<Vec<String>>()));
        }
        let n = self.iter().map(|line| line.scored.len() as i64).collect::<Vec<_>>();
        let unscored = self.iter().map(|line| line.unscored.values().sum::<usize>() as i64);
        columns.push(column("n", n));
        columns.push(column("unscored", unscored.collect::<Vec<_>>()));
        columns
            .push(column("why", self.iter().map(|line| why(&line.unscored)).collect::<Vec<_>>()));
        columns
    }
}

/// The kinds themselves, and with each of them left open.
fn combinations(kinds: &[String]) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = vec![Vec::new()];
    for kind in kinds {
        let choices = [ALL, kind].into_iter().filter(|choice| !choice.is_empty());
        let longer = |choice: &str| {
            let longer = |names: &Vec<String>| [names.as_slice(), &[choice.to_string()]].concat();
            found.iter().map(longer).collect::<Vec<_>>()
        };
        found = choices.flat_map(longer).collect();
    }
    found
}

/// "2 with an empty sentence; 1 longer than the context of 128 tokens".
fn why(unscored: &BTreeMap<&str, usize>) -> Option<String> {
    let parts: Vec<String> = unscored.iter().map(|(why, count)| format!("{count} {why}")).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// A column of values.
pub fn column<T>(name: &str, values: Vec<T>) -> Column
where
    Series: NamedFrom<Vec<T>, [T]>,
{
    Series::new(name.into(), values).into_column()
}

pub fn frame(name: &str, height: usize, columns: Vec<Column>) -> Result<DataFrame> {
    DataFrame::new(height, columns).during(name)
}

/// A frame with further columns, of which it must have none yet.
pub fn beside(name: &str, given: &DataFrame, columns: Vec<Column>) -> Result<DataFrame> {
    if let Some(taken) = columns.iter().find(|column| given.column(column.name()).is_ok()) {
        return Err(Error::failed_with_hint(
            format!(
                "{name}: the frame has a column `{}` already, which would be put over",
                taken.name()
            ),
            "rename or drop it first",
        ));
    }
    frame(name, given.height(), given.columns().iter().cloned().chain(columns).collect())
}

/// How a model's sentences of a frame are scored.
type Score = fn(&Host, &Model, &DataFrame, Options) -> Result<DataFrame>;

/// Registers such a score by its name, with and without options.
pub fn register(engine: &mut Engine, host: &Rc<Host>, name: &'static str, score: Score) {
    let plain = host.clone();
    engine.register_fn(name, move |context: NativeCallContext, m: Model, f: Frame| {
        score(&plain, &m, &f.0, Options::none(name)).map(Frame).at(&context)
    });
    let host = host.clone();
    engine.register_fn(name, move |context: NativeCallContext, m: Model, f: Frame, opts: Map| {
        score(&host, &m, &f.0, Options::new(name, opts)).map(Frame).at(&context)
    });
}
