//! The ends of an interval as values and as expressions, so that every table of means can show them.

use polars::prelude::{self as pl, Column, DataType, Field, IntoColumn, NamedFrom, Series};
use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::asked::{self, Named};
use super::columns;
use crate::aside;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::frame::query;
use crate::metrics::bootstrap::{Outcome, Settings};
use crate::metrics::ranked::Ranked;
use crate::metrics::sample::Sample;
use crate::metrics::units::Grouping;
use crate::script::api::expr::Expr;
use crate::script::failure::{At, ScriptResult};
use crate::script::options::Options;
use crate::script::record::Record;

pub const RECORDS: &[Record] = &[Record::new(
    NAME,
    &["interval(values) -> array", "interval(values, opts)", "interval(labels, scores, opts)"],
    "The low and the high end of a mean's interval, of arrays or, as two expressions, of a frame's groups",
    r#"let f = frame(#{ kind: ["a", "a", "a", "b", "b", "b"], right: [1, 0, 1, 1, 1, 0] });
f.group_by("kind").agg([col("right").mean(), interval(col("right"), #{ resamples: 1000 })])"#,
    register,
)
.doc(
    "What `bootstrap` finds, as its ends. Arrays give [low, high]. Expressions give two, of which the columns NAME_low and NAME_high come; there `cluster` and `stratify` \
     are names of columns or expressions. Rows with a missing value or NaN are left out. Where there is no interval (of fewer than two rows or clusters, or where \
     a resample has no such statistic) both ends are missing.",
)
.options(&[asked::OPTIONS])];

const NAME: &str = "interval";

fn register(engine: &mut Engine, _host: &std::rc::Rc<crate::script::host::Host>) {
    engine.register_fn(NAME, |context: NativeCallContext, values: Dynamic| {
        call(&[values], Options::none(NAME)).at(&context)
    });
    engine.register_fn(NAME, |context: NativeCallContext, values: Dynamic, opts: Map| {
        call(&[values], Options::new(NAME, opts)).at(&context)
    });
    engine.register_fn(
        NAME,
        |context: NativeCallContext, a: Dynamic, b: Dynamic, opts: Map| -> ScriptResult<Array> {
            call(&[a, b], Options::new(NAME, opts)).at(&context)
        },
    );
}

/// What is to be made of the columns that come: values, then clusters and strata.
#[derive(Clone)]
struct Wanted {
    statistic: Named,
    settings: Settings,
    is_clustered: bool,
    is_stratified: bool,
    control: Control,
}

fn call(arguments: &[Dynamic], options: Options) -> Result<Array> {
    let (statistic_name, statistic) = asked::statistic(&options)?;
    let expected = if matches!(statistic, Named::OfTwo(_)) { 2 } else { 1 };
    if arguments.len() != expected {
        let what = format!("interval of the statistic `{statistic_name}`");
        let expected = if expected == 1 { "one column" } else { "two columns: labels and scores" };
        return Err(Error::invalid(what, expected, arguments.len().to_string()));
    }
    let (settings, _) = asked::settings(NAME, &options)?;
    let [clusters, strata] = ["cluster", "stratify"].map(|key| options.value(key));
    options.finish()?;
    let wanted = Wanted {
        statistic,
        settings,
        is_clustered: clusters.is_some(),
        is_stratified: strata.is_some(),
        control: aside::present(),
    };
    let groups = [clusters, strata].into_iter().flatten();
    if arguments.iter().any(|argument| argument.is::<Expr>()) {
        let mut sides = arguments.iter().map(value).collect::<Result<Vec<_>>>()?;
        sides.extend(groups.map(|given| group(&given)).collect::<Result<Vec<_>>>()?);
        return expressions(&wanted, &sides);
    }
    let mut sides =
        arguments.iter().map(|side| columns::series(NAME, side)).collect::<Result<Vec<_>>>()?;
    sides.extend(groups.map(|given| columns::series(NAME, &given)).collect::<Result<Vec<_>>>()?);
    let found = aside::aside(move || ends(&wanted, &sides))?;
    let end =
        |value: fn(&Outcome) -> f64| found.as_ref().map_or(Dynamic::UNIT, |it| value(it).into());
    Ok(vec![end(|outcome| outcome.low), end(|outcome| outcome.high)])
}

/// Values of a frame: an expression, or an array of its length.
fn value(given: &Dynamic) -> Result<pl::Expr> {
    match given.clone().try_cast::<Expr>() {
        Some(expression) => Ok(expression.0),
        None => columns::series(NAME, given).map(pl::lit),
    }
}

/// Names of a frame's rows: a column's name, or as values.
fn group(given: &Dynamic) -> Result<pl::Expr> {
    match given.clone().into_string() {
        Ok(name) => Ok(pl::col(name)),
        Err(_) => value(given),
    }
}

/// One end of an interval.
type End = fn(&Outcome) -> f64;

fn expressions(wanted: &Wanted, sides: &[pl::Expr]) -> Result<Array> {
    let one = |(suffix, end): (&'static str, End)| {
        let wanted = wanted.clone();
        let made = pl::apply_multiple(
            move |columns: &mut [Column]| whole(&wanted, columns, end),
            sides,
            |_, fields| {
                let first = fields.first().map_or(NAME.into(), |field| field.name().clone());
                Ok(Field::new(first, DataType::Float64))
            },
            true,
        );
        let made = made.name().suffix(suffix);
        query::check_size(&made)?;
        Ok(Dynamic::from(Expr(made)))
    };
    let low: End = |outcome| outcome.low;
    let high: End = |outcome| outcome.high;
    [("_low", low), ("_high", high)].into_iter().map(one).collect()
}

fn whole(wanted: &Wanted, columns: &mut [Column], end: End) -> pl::PolarsResult<Column> {
    let name = columns.first().map_or(NAME.into(), |column| column.name().clone());
    let sides: Vec<Series> =
        columns.iter().map(|column| column.as_materialized_series().clone()).collect();
    let found = aside::under(&wanted.control, || ends(wanted, &sides));
    let found = found.map_err(|error| pl::PolarsError::ComputeError(error.to_string().into()))?;
    Ok(Series::new(name, [found.as_ref().map(end)]).into_column())
}

/// The interval of columns: values (one or two), then clusters and strata where there are any.
fn ends(wanted: &Wanted, sides: &[Series]) -> Result<Option<Outcome>> {
    let height = sides.first().map_or(0, |side| side.len());
    if let Some(odd) = sides.iter().find(|side| side.len() != height) {
        let expected = format!("columns of one length ({height} rows)");
        return Err(Error::invalid(NAME, expected, format!("one of {}", odd.len())));
    }
    let width = if matches!(wanted.statistic, Named::OfTwo(_)) { 2 } else { 1 };
    let values = sides.iter().take(width).map(|side| columns::numbers(NAME, side));
    let values = values.collect::<Result<Vec<_>>>()?;
    if values.iter().flatten().any(|value| value.is_infinite()) {
        return Err(Error::invalid(NAME, "finite numbers", "an infinite one"));
    }
    asked::check_labels(NAME, wanted.statistic, &values)?;
    let known = |row: usize| values.iter().all(|side| side.get(row).is_some_and(|x| !x.is_nan()));
    let known: Vec<usize> = (0..height).filter(|row| known(*row)).collect();
    let mut groups = sides.iter().skip(width);
    let mut names = |is_there: bool| -> Result<Option<Vec<String>>> {
        let Some(column) = groups.next().filter(|_| is_there) else {
            return Ok(None);
        };
        let names = columns::names(NAME, column)?;
        Ok(Some(known.iter().filter_map(|row| names.get(*row)).cloned().collect()))
    };
    let clusters = if wanted.is_clustered { names(true)? } else { None };
    let grouping = Grouping { clusters, strata: names(wanted.is_stratified)? };
    let kept = |side: &Vec<f64>| known.iter().filter_map(|row| side.get(*row)).copied().collect();
    let kept: Vec<Vec<f64>> = values.iter().map(kept).collect();
    let [first, second] = [0, 1].map(|side| kept.get(side).map(Vec::as_slice).unwrap_or_default());
    match wanted.statistic {
        Named::Of(statistic) => {
            asked::ends(&Sample::new(first, None, &grouping, statistic)?, &wanted.settings)
        }
        // Rows of one class have no such statistic.
        Named::OfTwo(measure) => match Ranked::new(first, second, &grouping, measure) {
            Ok(ranked) => asked::ends(&ranked, &wanted.settings),
            Err(_) => Ok(None),
        },
    }
}
