//! How well a filter finds the unsafe rows.

use std::collections::HashMap;

use polars::prelude::{Column, DataFrame, DataType, NamedFrom, Series};
use rhai::{Dynamic, Engine, Map, NativeCallContext};

use super::asked::{self, Interval};
use crate::error::{Context, Error, Result};
use crate::frame::query;
use crate::frame::table::kind;
use crate::metrics::filter::{Counts, count, counted, of_sums};
use crate::metrics::sums::Score;
use crate::script::api::frame::Frame;
use crate::script::convert;
use crate::script::failure::At;
use crate::script::options::Options;
use crate::script::record::{Record, option};

pub const RECORDS: &[Record] = &[Record::new(
    "filter_scores",
    &["filter_scores(dropped, all) -> Frame", "filter_scores(f, opts) -> Frame", "filter_scores(dropped, all, #{ interval }) -> Frame"],
    "Precision, recall, F1 and false-positive rate of a filter: a row for all rows and one for each kind",
    r#"let f = frame(#{ kind: ["unsafe", "safe"], polarity: ["harmful", "nonharmful"], forgetting: [0.9, 0.0] });
filter_scores(f, #{ phi: 0.1 })"#,
    register,
)
.doc(
    "A row is unsafe when its `polarity` is \"harmful\", and not where it is \"nonharmful\" or missing. `dropped` is the frame of the rows that the filter took out of `all`. \
     The second form is told which these are, by a threshold or by a column. Columns: kind, rows, dropped, precision, recall, f1, false_positive_rate.",
)
.options(&[
    &[
        option("phi", "number", "0.1", "Rows are dropped where the column `forgetting` exceeds it"),
        option("forgetting", "string", r#""forgetting""#, "The column that `phi` is compared with"),
        option("dropped", "string", "", "A column that is true where a row was dropped, instead of `phi` and `forgetting`"),
    ],
    asked::INTERVAL,
])];

fn register(engine: &mut Engine, _host: &std::rc::Rc<crate::script::host::Host>) {
    engine.register_fn(
        "filter_scores",
        |context: NativeCallContext, dropped: Frame, all: Frame| {
            by_frames(&dropped.0, &all.0, Options::none("filter_scores")).map(Frame).at(&context)
        },
    );
    engine.register_fn(
        "filter_scores",
        |context: NativeCallContext, dropped: Frame, all: Frame, opts: Map| {
            let options = Options::new("filter_scores", opts);
            by_frames(&dropped.0, &all.0, options).map(Frame).at(&context)
        },
    );
    engine.register_fn("filter_scores", |context: NativeCallContext, f: Frame, opts: Map| {
        by_options(&f.0, Options::new("filter_scores", opts)).map(Frame).at(&context)
    });
    engine.register_fn("filter_scores", |context: NativeCallContext, f: Dynamic, all: Dynamic| {
        let got = format!("{} and {}", convert::describe(&f), convert::describe(&all));
        Err::<Frame, _>(Error::invalid("filter_scores", "two frames, or a frame and options", got))
            .at(&context)
    });
}

fn by_frames(dropped: &DataFrame, all: &DataFrame, options: Options) -> Result<DataFrame> {
    let interval = Interval::read(&options, all, true)?;
    options.finish()?;
    if let Some(odd) = all.get_column_names().iter().find(|name| dropped.column(name).is_err()) {
        return Err(Error::unknown("column", odd.to_string(), query::names(dropped))
            .with_hint("the dropped rows must be rows of the second frame"));
    }
    // Rows are told apart by everything they hold; equal rows are taken as often as they were dropped.
    let mut left: HashMap<String, usize> = HashMap::new();
    let names: Vec<&str> = all.get_column_names().into_iter().map(|name| name.as_str()).collect();
    let dropped = dropped.select(names).during("filter_scores")?;
    for row in crate::frame::json::rows(&dropped)? {
        *left.entry(row.to_string()).or_default() += 1;
    }
    let mut flags = Vec::with_capacity(all.height());
    for row in crate::frame::json::rows(all)? {
        let found = left.get_mut(&row.to_string()).filter(|count| **count > 0);
        flags.push(found.map(|count| *count -= 1).is_some());
    }
    if left.values().any(|count| *count > 0) {
        return Err(Error::failed_with_hint(
            "filter_scores: some dropped rows are not among all rows",
            "both frames must have the same columns, and the first be a part of the second",
        ));
    }
    table(all, &flags, interval)
}

fn by_options(frame: &DataFrame, options: Options) -> Result<DataFrame> {
    let phi = options.number("phi")?;
    let forgetting = options.text("forgetting")?;
    let dropped = options.text("dropped")?;
    let interval = Interval::read(&options, frame, true)?;
    options.finish()?;
    if dropped.is_some() && (phi.is_some() || forgetting.is_some()) {
        return Err(Error::failed_with_hint(
            "filter_scores: `dropped` names the rows that were dropped, so `phi` and `forgetting` do not apply",
            "give either `dropped`, or `phi` and `forgetting`",
        ));
    }
    if phi.is_some_and(f64::is_nan) {
        return Err(Error::invalid("option `phi` of filter_scores", "a number", "NaN"));
    }
    let flags: Vec<bool> = match dropped {
        Some(name) => {
            query::known(frame, &name)?;
            let column = frame.column(&name)?.as_materialized_series().clone();
            let flags = column.bool().map_err(|_| {
                Error::invalid(
                    "filter_scores",
                    format!("true or false in column `{name}`"),
                    column.dtype().to_string(),
                )
            })?;
            refuse_unknown(&name, "true or false", flags.null_count())?;
            flags.iter().map(|flag| flag.unwrap_or(false)).collect()
        }
        None => {
            let name = forgetting.unwrap_or_else(|| "forgetting".to_string());
            query::known(frame, &name)?;
            let phi = phi.unwrap_or(0.1);
            let column = frame.column(&name)?;
            if !column.dtype().is_primitive_numeric() {
                let what = format!("filter_scores, column `{name}`");
                return Err(Error::invalid(what, "numbers", kind(column.dtype())));
            }
            let column = column.cast(&DataType::Float64).during("filter_scores")?;
            let values = column.as_materialized_series();
            let values = values.f64().during("filter_scores")?;
            let known = |value: &Option<f64>| value.is_some_and(|value| !value.is_nan());
            let unknown = values.iter().filter(|value| !known(value)).count();
            refuse_unknown(&name, "a number", unknown)?;
            let over = |value: Option<f64>| value.is_some_and(|value| value > phi);
            values.iter().map(over).collect()
        }
    };
    table(frame, &flags, interval)
}

/// Refuses rows of which nobody can say whether they are dropped.
fn refuse_unknown(name: &str, expected: &str, unknown: usize) -> Result<()> {
    if unknown == 0 {
        return Ok(());
    }
    let expected = format!("{expected} in every row");
    let got = format!("{unknown} rows without");
    Err(Error::invalid(format!("filter_scores, column `{name}`"), expected, got)
        .with_hint("leave those rows out with `filter`, or fill them"))
}

/// A column as texts, empty where one is missing.
fn texts(frame: &DataFrame, name: &str) -> Result<Vec<String>> {
    let column: &Column = frame.column(name)?;
    let column = column.cast(&DataType::String).during("filter_scores")?;
    let texts = column.as_materialized_series().str().during("filter_scores")?;
    Ok(texts.iter().map(|text| text.unwrap_or_default().to_string()).collect())
}

/// Whether each row is unsafe.
fn harmful(frame: &DataFrame) -> Result<Vec<bool>> {
    query::known(frame, "polarity")?;
    let polarity = texts(frame, "polarity")?;
    let known = ["harmful", "nonharmful"];
    match polarity
        .iter()
        .find(|polarity| !polarity.is_empty() && !known.contains(&polarity.as_str()))
    {
        None => Ok(polarity.iter().map(|polarity| polarity == "harmful").collect()),
        Some(odd) => Err(Error::unknown("polarity", odd.as_str(), known)
            .with_hint("a row without a polarity is missing there, and counts as safe")),
    }
}

fn table(frame: &DataFrame, dropped: &[bool], interval: Option<Interval>) -> Result<DataFrame> {
    let harmful = harmful(frame)?;
    let kind = match frame.column("kind") {
        Ok(_) => texts(frame, "kind")?,
        Err(_) => vec!["rows".to_string(); frame.height()],
    };
    let rows = kind.iter().zip(dropped).zip(&harmful);
    let (all, kinds) =
        count(rows.map(|((kind, dropped), harmful)| (kind.as_str(), *dropped, *harmful)));
    let lines: Vec<(String, Counts)> =
        [("all".to_string(), all)].into_iter().chain(kinds).collect();
    // A kind that is all unsafe has no false positives to speak of, and one without unsafe rows no recall.
    let score = |value: fn(&Counts) -> f64| -> Vec<Option<f64>> {
        lines.iter().map(|(_, counts)| Some(value(counts)).filter(|x| x.is_finite())).collect()
    };
    let count = |value: fn(&Counts) -> usize| -> Vec<i64> {
        lines.iter().map(|(_, counts)| value(counts) as i64).collect()
    };
    let mut columns: Vec<Column> = vec![
        Series::new("kind".into(), lines.iter().map(|(kind, _)| kind.clone()).collect::<Vec<_>>())
            .into(),
        Series::new("rows".into(), count(Counts::rows)).into(),
        Series::new("dropped".into(), count(Counts::dropped)).into(),
        Series::new("precision".into(), score(Counts::precision)).into(),
        Series::new("recall".into(), score(Counts::recall)).into(),
        Series::new("f1".into(), score(f1)).into(),
        Series::new("false_positive_rate".into(), score(Counts::false_positive_rate)).into(),
    ];
    if let Some(interval) = interval {
        let rows = dropped.iter().zip(&harmful).enumerate();
        let rows: Vec<(usize, [f64; 4])> =
            rows.map(|(row, (dropped, harmful))| (row, counted(*dropped, *harmful))).collect();
        // The first line is of all rows, whatever a kind may be called.
        let of_lines = lines.iter().enumerate().map(|(line, (name, _))| {
            let is_of_line = |row: usize| line == 0 || kind.get(row) == Some(name);
            rows.iter().filter(|(row, _)| is_of_line(*row)).copied().collect()
        });
        columns.extend(intervals(&of_lines.collect::<Vec<Vec<_>>>(), &interval)?);
    }
    DataFrame::new(lines.len(), columns).during("filter_scores")
}

/// The columns with the ends of the scores' intervals, of the rows of each line.
fn intervals(lines: &[Vec<(usize, [f64; 4])>], interval: &Interval) -> Result<Vec<Column>> {
    let mut columns = Vec::new();
    for (name, score) in SCORES {
        let ends = lines.iter().map(|rows| interval.ends(rows, score, 1.0));
        columns.extend(asked::columns_of(name, &ends.collect::<Result<Vec<_>>>()?));
    }
    Ok(columns)
}

/// F1, and nothing where no row is unsafe.
fn f1(counts: &Counts) -> f64 {
    match counts.dropped_unsafe + counts.kept_unsafe {
        0 => f64::NAN,
        _ => counts.f1(),
    }
}

/// The scores that have intervals, of summed counts.
const SCORES: [(&str, Score<4>); 4] = [
    ("precision", |sums| of_sums(sums).precision()),
    ("recall", |sums| of_sums(sums).recall()),
    ("f1", |sums| f1(&of_sums(sums))),
    ("false_positive_rate", |sums| of_sums(sums).false_positive_rate()),
];
