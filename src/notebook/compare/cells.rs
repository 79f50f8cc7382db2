//! What the cells of two runs showed, side by side: texts, tables with the rows behind them, and charts.

use serde_json::Value;

use super::difference::{Difference, Verdict, named};
use super::values::{self, Found};
use crate::display::{Chart, Output, Table};
use crate::error::Result;
use crate::frame::compare::first_difference;
use crate::notebook::kept::Kept;
use crate::notebook::outcome::{Item, Ran};

/// Adds the first difference of each cell.
pub fn compare(before: &Kept, after: &Kept, within: f64, verdict: &mut Verdict) -> Result<()> {
    let sides = Sides { before, after, within };
    let (one, other) = (&before.outcome.ran, &after.outcome.ran);
    for place in 0..one.len().max(other.len()) {
        let difference = match (one.get(place), other.get(place)) {
            (Some(one), Some(other)) => {
                verdict.counts.cells += usize::from(one.cell.code().is_some());
                sides.cell(one, other, verdict)?
            }
            (Some(one), None) => {
                Some(plain("", "run", &format!("not come to{}", ended(after)))).map(|d| (one, d))
            }
            (None, Some(other)) => {
                Some(plain("", &format!("not come to{}", ended(before)), "run")).map(|d| (other, d))
            }
            (None, None) => None,
        };
        if let Some((ran, mut difference)) = difference {
            difference.place = format!("{}{}", cell_name(place, ran), difference.place);
            verdict.differences.push(difference);
        }
    }
    let message = |kept: &Kept| {
        let error = kept.outcome.error.as_ref();
        error.map(|error| kept.without_place(&error.message))
    };
    let (one, other) = (message(before), message(after));
    if one != other {
        let said = |message: Option<String>| message.unwrap_or_else(|| "none".to_string());
        verdict.differences.push(plain("the error at the end", &said(one), &said(other)));
    }
    Ok(())
}

fn ended(kept: &Kept) -> String {
    kept.outcome.error.as_ref().map_or(String::new(), |error| format!(": {}", error.message))
}

fn cell_name(place: usize, ran: &Ran) -> String {
    match ran.cell.title.as_str() {
        "" => format!("cell {} (line {})", place + 1, ran.cell.lines_before + 1),
        title => format!("cell {} ({title})", place + 1),
    }
}

fn plain(place: &str, before: &str, after: &str) -> Difference {
    Difference {
        place: place.to_string(),
        before: before.to_string(),
        after: after.to_string(),
        relative: None,
    }
}

fn of(place: String, found: Found) -> Difference {
    Difference {
        place: format!("{place}{}", named(&found.path)),
        before: found.before,
        after: found.after,
        relative: found.relative,
    }
}

/// The two runs, and by what share of themselves numbers may differ.
struct Sides<'a> {
    before: &'a Kept,
    after: &'a Kept,
    within: f64,
}

impl Sides<'_> {
    /// The first difference of a cell, counted by kind: "table 1". Remarks of the program are not compared: they speak of
    /// times, caches and places.
    fn cell<'a>(
        &self,
        one: &'a Ran,
        other: &Ran,
        verdict: &mut Verdict,
    ) -> Result<Option<(&'a Ran, Difference)>> {
        let shown = |ran: &Ran| -> Vec<Item> {
            let items = ran.items.iter().filter(|item| !matches!(item, Item::Note(_)));
            items.cloned().collect()
        };
        let (ones, others) = (shown(one), shown(other));
        let (mut tables, mut charts, mut texts) = (0, 0, 0);
        for place in 0..ones.len().max(others.len()) {
            let (Some(before), Some(after)) = (ones.get(place), others.get(place)) else {
                let count = |items: &[Item]| format!("{} things shown", items.len());
                return Ok(Some((one, plain("", &count(&ones), &count(&others)))));
            };
            let difference = match (before, after) {
                (Item::Output(Output::Table(before)), Item::Output(Output::Table(after))) => {
                    tables += 1;
                    verdict.counts.tables += 1;
                    verdict.counts.shown_only += usize::from(before.kept.is_none());
                    self.tables(&format!(", table {tables}"), before, after)?
                }
                (Item::Output(Output::Chart(before)), Item::Output(Output::Chart(after))) => {
                    charts += 1;
                    verdict.counts.charts += 1;
                    self.charts(&format!(", chart {charts}"), before, after)
                }
                (before, after) => {
                    texts += 1;
                    verdict.counts.texts += 1;
                    self.texts(&format!(", text {texts}"), before, after)
                }
            };
            if let Some(difference) = difference {
                return Ok(Some((one, difference)));
            }
        }
        Ok(None)
    }

    fn texts(&self, place: &str, before: &Item, after: &Item) -> Option<Difference> {
        let text = |item: &Item, kept: &Kept| match item {
            Item::Printed(text) | Item::Output(Output::Text(text) | Output::Markdown(text)) => {
                Some(kept.without_place(text))
            }
            _ => None,
        };
        match (text(before, self.before), text(after, self.after)) {
            (Some(one), Some(other)) => {
                values::text(&one, &other, self.within).map(|found| of(place.to_string(), found))
            }
            _ => Some(plain(place, kind(before), kind(after))),
        }
    }

    fn charts(&self, place: &str, before: &Chart, after: &Chart) -> Option<Difference> {
        let value = |chart: &Chart, kept: &Kept| {
            kept.value_without_place(&serde_json::to_value(chart).unwrap_or(Value::Null))
        };
        let (one, other) = (value(before, self.before), value(after, self.after));
        let found = values::first(&one, &other, self.within)?;
        Some(of(place.to_string(), found))
    }

    /// Two tables, by all their rows where both runs kept them, else by those that were shown.
    fn tables(&self, place: &str, before: &Table, after: &Table) -> Result<Option<Difference>> {
        let names = |table: &Table| {
            let names =
                table.columns.iter().map(|column| format!("{} ({})", column.name, column.kind));
            names.collect::<Vec<_>>().join(", ")
        };
        if before.columns != after.columns {
            let place = format!("{place}, columns");
            return Ok(Some(plain(&place, &names(before), &names(after))));
        }
        if before.caption != after.caption {
            return Ok(Some(plain(place, &before.caption, &after.caption)));
        }
        let (Some(one), Some(other)) = (&before.kept, &after.kept) else {
            return Ok(self.shown(place, before, after));
        };
        if one.sha256 == other.sha256 {
            return Ok(None);
        }
        let (Some(one), Some(other)) = (&one.file, &other.file) else {
            let difference = self.shown(place, before, after);
            let hashes = || {
                plain(&format!("{place}, in rows that are not kept"), &one.sha256, &other.sha256)
            };
            return Ok(difference.or_else(|| (self.within == 0.0).then(hashes)));
        };
        let (one, other) = (self.before.rows(one)?, self.after.rows(other)?);
        let sides = |before: &Value, after: &Value| {
            (self.before.value_without_place(before), self.after.value_without_place(after))
        };
        let same = |before: &Value, after: &Value| {
            let (before, after) = sides(before, after);
            values::same(&before, &after, self.within)
        };
        let found = first_difference(&one, &other, same)?;
        Ok(found.and_then(|cell| {
            let place = format!("{place}, row {} of `{}`", cell.row + 1, cell.column);
            let (before, after) = sides(&cell.before, &cell.after);
            values::first(&before, &after, self.within).map(|found| of(place, found))
        }))
    }

    fn shown(&self, place: &str, before: &Table, after: &Table) -> Option<Difference> {
        let rows = before.rows.iter().zip(&after.rows).enumerate();
        rows.flat_map(|(row, (one, other))| {
            let cells = one.iter().zip(other).zip(&before.columns);
            cells.map(move |((one, other), column)| (row, one, other, column))
        })
        .find_map(|(row, one, other, column)| {
            let text = |cell: &Option<String>, kept: &Kept| match cell {
                Some(text) => kept.without_place(text),
                None => "missing".to_string(),
            };
            let (one, other) = (text(one, self.before), text(other, self.after));
            let found = values::text(&one, &other, self.within)?;
            Some(of(format!("{place}, shown row {} of `{}`", row + 1, column.name), found))
        })
    }
}

fn kind(item: &Item) -> &'static str {
    match item {
        Item::Printed(_) => "something printed",
        Item::Note(_) => "a note",
        Item::Output(Output::Text(_)) => "a text",
        Item::Output(Output::Markdown(_)) => "prose",
        Item::Output(Output::Table(_)) => "a table",
        Item::Output(Output::Chart(_)) => "a chart",
    }
}
