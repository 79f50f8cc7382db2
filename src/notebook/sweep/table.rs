//! A sweep as people look at it: a table over its parameters with means and intervals over the seeds, charts by parameter,
//! and what failed.

use super::gather::{Gathered, Row, number_or_text};
use super::student::{Mean, mean};
use crate::display::{Chart, ChartKind, Column, Output, Series, Table, number::number};
use crate::notebook::cells::{Cell, Content};
use crate::notebook::outcome::{Item, Outcome, Ran};

/// The parameter over whose values the mean is taken.
const SEED: &str = "seed";
/// Metrics that are drawn, and lines in one chart.
const CHARTS: usize = 12;
const LINES: usize = 8;

/// Runs that differ in their seed alone.
struct Group<'a> {
    /// The other parameters' values, in the order of the axes.
    values: Vec<&'a str>,
    rows: Vec<&'a Row>,
}

impl Group<'_> {
    fn mean(&self, metric: &str) -> Option<Mean> {
        let done = self.rows.iter().filter(|row| row.status == "done");
        let values: Vec<f64> = done.filter_map(|row| row.metric(metric)).collect();
        mean(&values)
    }

    /// The mean in words; runs whose value is no number, as where a training diverged, are counted beside it.
    fn told(&self, metric: &str) -> Option<String> {
        let done = self.rows.iter().filter(|row| row.status == "done");
        let strange = done.filter(|row| row.logged(metric) && row.metric(metric).is_none()).count();
        match (self.mean(metric), strange) {
            (None, 0) => None,
            (Some(mean), 0) => Some(told(&mean)),
            (None, count) => Some(format!("no number in {count}")),
            (Some(mean), count) => Some(format!("{}, no number in {count}", told(&mean))),
        }
    }
}

/// The axes but the seed's.
fn axes(sweep: &Gathered) -> Vec<&str> {
    let names = sweep.plan.axes.iter().map(|axis| axis.name.as_str());
    names.filter(|name| *name != SEED).collect()
}

fn groups(sweep: &Gathered) -> Vec<Group<'_>> {
    let names = axes(sweep);
    let mut groups: Vec<Group> = Vec::new();
    for row in &sweep.rows {
        let values: Vec<&str> =
            names.iter().map(|name| row.parameter(name).unwrap_or("–")).collect();
        match groups.iter_mut().find(|group| group.values == values) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group { values, rows: vec![row] }),
        }
    }
    groups
}

fn column(name: &str, numeric: bool) -> Column {
    Column { name: name.to_string(), kind: String::new(), numeric }
}

/// "0.8012 ± 0.0123".
fn told(mean: &Mean) -> String {
    match mean.half {
        Some(half) => format!("{} ± {}", number(mean.value), number(half)),
        None => number(mean.value),
    }
}

/// A row for each combination of the parameters, with means over the seeds and their 95 % intervals.
pub fn summary(sweep: &Gathered) -> Table {
    let (names, metrics) = (axes(sweep), sweep.metrics());
    let mut columns: Vec<Column> = names.iter().map(|name| column(name, true)).collect();
    columns.push(column("runs", true));
    columns.extend(metrics.iter().map(|name| column(name, true)));
    let rows = groups(sweep).into_iter().map(|group| {
        let done = group.rows.iter().filter(|row| row.status == "done").count();
        let runs = if done == group.rows.len() {
            done.to_string()
        } else {
            format!("{done} of {}", group.rows.len())
        };
        let values = group.values.iter().map(|value| Some(value.to_string()));
        let means = metrics.iter().map(|name| group.told(name));
        values.chain([Some(runs)]).chain(means).collect()
    });
    let count = |status: &str| sweep.rows.iter().filter(|row| row.status == status).count();
    let mut caption = format!("{} runs, {} done", sweep.rows.len(), count("done"));
    for status in ["failed", "stopped", "killed", "running", "missing"] {
        if count(status) > 0 {
            caption.push_str(&format!(", {} {status}", count(status)));
        }
    }
    let has_means = sweep.plan.axes.iter().any(|axis| axis.name == SEED && axis.values.len() > 1);
    if has_means {
        caption.push_str("; means over the seeds, ± the 95 % interval by Student's t");
    }
    Table { columns, rows: rows.collect(), caption, ..Table::default() }
}

/// What failed, with its error; nothing where nothing did.
pub fn failures(sweep: &Gathered) -> Option<Table> {
    let failed = sweep
        .rows
        .iter()
        .filter(|row| !matches!(row.status.as_str(), "done" | "running" | "missing"));
    let rows: Vec<Vec<Option<String>>> = failed
        .map(|row| {
            let error = row.facts["error"]["message"].as_str().map(str::to_string);
            let line = row.facts["error"]["line"].as_u64().map(|line| line.to_string());
            vec![Some(row.task.name.clone()), Some(row.status.clone()), line, error]
        })
        .collect();
    let columns = ["run", "status", "line", "error"].map(|name| column(name, name == "line"));
    let table = Table { columns: columns.to_vec(), rows, ..Table::default() };
    (!table.rows.is_empty()).then_some(table)
}

/// A chart of each metric over each parameter of numbers that has several values: lines for the values of the first other
/// parameter that has several, points the means over all else.
pub fn charts(sweep: &Gathered) -> Vec<Chart> {
    let varied: Vec<&str> = axes(sweep)
        .into_iter()
        .filter(|name| {
            let axis = sweep.plan.axes.iter().find(|axis| axis.name == *name);
            axis.is_some_and(|axis| axis.values.len() > 1)
        })
        .collect();
    let is_numeric = |name: &&&str| {
        let axis = sweep.plan.axes.iter().find(|axis| axis.name == **name);
        axis.is_some_and(|axis| axis.values.iter().all(|value| number_or_text(value).is_number()))
    };
    let mut charts = Vec::new();
    for along in varied.iter().filter(is_numeric) {
        let other = varied.iter().find(|name| *name != along).copied();
        for metric in sweep.metrics() {
            charts.extend(chart(sweep, along, other, &metric));
        }
    }
    charts.truncate(CHARTS);
    charts
}

fn chart(sweep: &Gathered, along: &str, other: Option<&str>, metric: &str) -> Option<Chart> {
    let values = |name: &str| -> Vec<String> {
        let axis = sweep.plan.axes.iter().find(|axis| axis.name == name);
        axis.map_or(Vec::new(), |axis| axis.values.clone())
    };
    let lines: Vec<Option<String>> = match other {
        Some(other) => values(other).into_iter().take(LINES).map(Some).collect(),
        None => vec![None],
    };
    let series = lines.iter().map(|line| {
        let mut points: Vec<(f64, Mean)> = values(along)
            .iter()
            .filter_map(|value| {
                let rows = sweep.rows.iter().filter(|row| {
                    let is_line = match (other, line) {
                        (Some(other), Some(line)) => row.parameter(other) == Some(line),
                        _ => true,
                    };
                    row.status == "done" && row.parameter(along) == Some(value) && is_line
                });
                let found: Vec<f64> = rows.filter_map(|row| row.metric(metric)).collect();
                Some((number_or_text(value).as_f64()?, mean(&found)?))
            })
            .collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        let has_spread = points.iter().any(|(_, mean)| mean.half.is_some());
        let ends = |mean: &Mean| {
            let half = mean.half.unwrap_or(0.0);
            (mean.value - half, mean.value + half)
        };
        Series {
            name: line
                .as_ref()
                .map_or(metric.to_string(), |line| format!("{} {line}", other.unwrap_or_default())),
            points: points.iter().map(|(x, mean)| (*x, mean.value)).collect(),
            band: if has_spread {
                points.iter().map(|(_, mean)| ends(mean)).collect()
            } else {
                Vec::new()
            },
        }
    });
    let chart = Chart {
        kind: ChartKind::Line,
        title: format!("{metric} over {along}"),
        x_label: along.to_string(),
        y_label: metric.to_string(),
        series: series.collect(),
        error_bars: true,
        ..Chart::default()
    };
    (!chart.is_empty()).then_some(chart)
}

/// The sweep as a report has it.
pub fn report(sweep: &Gathered) -> Outcome {
    let part = |text: String, outputs: Vec<Output>| Ran {
        cell: Cell { title: String::new(), content: Content::Prose(text), lines_before: 0 },
        items: outputs.into_iter().map(Item::Output).collect(),
        seconds: 0.0,
    };
    let axes =
        sweep.plan.axes.iter().map(|axis| format!("- `{}`: {}", axis.name, axis.values.join(", ")));
    let axes: Vec<String> = axes.collect();
    let about = format!("# Sweep of {}\n\n{}", sweep.plan.script, axes.join("\n"));
    let mut ran = vec![part(about, vec![Output::Table(summary(sweep))])];
    let charts: Vec<Output> = charts(sweep).into_iter().map(Output::Chart).collect();
    if !charts.is_empty() {
        ran.push(part("## By parameter".to_string(), charts));
    }
    if let Some(failures) = failures(sweep) {
        ran.push(part("## What failed".to_string(), vec![Output::Table(failures)]));
    }
    Outcome { ran, ..Outcome::default() }
}
