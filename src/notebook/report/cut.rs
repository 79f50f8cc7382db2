//! Text beyond what a report can hold of one cell: cut, and said.

use std::borrow::Cow;

use crate::display::Output;
use crate::notebook::outcome::Item;

/// Characters of text that a report holds of a cell.
const TEXT: usize = 200_000;

/// A cell's items, their text cut where it is too long; then a note says so.
pub fn cut(items: &[Item]) -> Cow<'_, [Item]> {
    let length = |item: &Item| text(item).map_or(0, |text| text.chars().count());
    if items.iter().map(length).sum::<usize>() <= TEXT {
        return Cow::Borrowed(items);
    }
    let mut left = TEXT;
    let mut missing = 0;
    let mut kept = Vec::new();
    for item in items {
        let Some(text) = text(item) else {
            kept.push(item.clone());
            continue;
        };
        let end = text.char_indices().nth(left).map_or(text.len(), |(end, _)| end);
        let (shown, rest) = text.split_at(end);
        left -= shown.chars().count();
        missing += rest.chars().count();
        if !shown.is_empty() {
            kept.push(with_text(item, shown));
        }
    }
    kept.push(Item::Note(format!(
        "cut here: the cell's text goes on for {missing} more characters, and a report holds {TEXT} of a cell"
    )));
    Cow::Owned(kept)
}

fn text(item: &Item) -> Option<&str> {
    match item {
        Item::Printed(text) | Item::Note(text) => Some(text),
        Item::Output(Output::Text(text) | Output::Markdown(text)) => Some(text),
        Item::Output(_) => None,
    }
}

fn with_text(item: &Item, text: &str) -> Item {
    let text = text.to_string();
    match item {
        Item::Printed(_) => Item::Printed(text),
        Item::Note(_) => Item::Note(text),
        Item::Output(Output::Markdown(_)) => Item::Output(Output::Markdown(text)),
        Item::Output(_) => Item::Output(Output::Text(text)),
    }
}
