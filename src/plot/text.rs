//! Texts of a chart that is drawn in characters, made to fit.

/// A text in lines of at most so many characters, broken at words where that is possible. No text, no lines.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let characters: Vec<char> = word.chars().collect();
        for piece in characters.chunks(width.max(1)) {
            let piece: String = piece.iter().collect();
            match lines.last_mut() {
                Some(line) if line.chars().count() + 1 + piece.chars().count() <= width => {
                    line.push(' ');
                    line.push_str(&piece);
                }
                _ => lines.push(piece),
            }
        }
    }
    lines
}

/// The text, or its beginning and … where it has more than so many characters.
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_string();
    }
    let start: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{start}…")
}

/// A name between two lines: what stands above a small chart.
pub fn heading(text: &str, width: usize) -> String {
    let text = cut(text, width.saturating_sub(6));
    let rest = width.min(60).saturating_sub(text.chars().count() + 4);
    format!("── {text} {}", "─".repeat(rest))
}
