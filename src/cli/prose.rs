//! Markdown as text for a terminal: wrapped, with headings and code set off.

use unicode_width::UnicodeWidthStr;

/// Prose as lines no wider than `width`. What it says is taken as it is: whoever shows it makes it printable first.
pub fn prose(text: &str, width: usize, colour: bool) -> String {
    let mut out = String::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix('#') {
            out.push_str(&painted("1", heading.trim_start_matches('#').trim_start(), colour));
        } else if line.starts_with("    ") {
            out.push_str(&painted("36", line, colour));
        } else {
            let hang = if line.starts_with("- ") { "  " } else { "" };
            out.push_str(&wrapped(line, hang, width));
        }
        out.push('\n');
    }
    out
}

fn painted(code: &str, text: &str, colour: bool) -> String {
    if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
}

/// Words in lines no wider than `width`, all but the first behind `hang`; a wider word has a line of its own.
fn wrapped(line: &str, hang: &str, width: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for word in line.split(' ') {
        if out.is_empty() {
            used = word.width();
        } else if used + 1 + word.width() <= width {
            out.push(' ');
            used += 1 + word.width();
        } else {
            out.push('\n');
            out.push_str(hang);
            used = hang.len() + word.width();
        }
        out.push_str(word);
    }
    out
}
