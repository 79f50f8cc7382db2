//! Text that nobody vouches for, made safe to show: what a model writes must not steer a terminal or reorder a page.

use crate::plot::Chart;

/// The text with control characters, escape sequences and marks that reorder text written out as `\u{1b}`. Line ends and
/// tabs stay.
pub fn printable(text: &str) -> String {
    if !text.chars().any(hidden) {
        return text.to_string();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match hidden(character) {
            true => out.extend(character.escape_unicode()),
            false => out.push(character),
        }
    }
    out
}

/// The same on one line: line ends and tabs are written out too.
pub fn one_line(text: &str) -> String {
    printable(text).replace('\n', "\\n").replace('\t', "\\t")
}

fn hidden(character: char) -> bool {
    let reorders = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    (character.is_control() && !matches!(character, '\n' | '\t')) || reorders
}

/// A chart whose title, labels and names are safe to draw.
pub fn chart(chart: &Chart) -> Chart {
    let mut clean = chart.clone();
    let labels = [&mut clean.title, &mut clean.x_label, &mut clean.y_label];
    let names = clean.series.iter_mut().map(|series| &mut series.name);
    for text in labels.into_iter().chain(names).chain(&mut clean.categories) {
        *text = one_line(text);
    }
    clean
}
