//! Edits within the lines of a script's text, and the way back: where a place of the edited text was before.

use rhai::Position;

/// One edit within a line; columns are counted from 0 in characters.
#[derive(Clone, Debug)]
pub struct Edit {
    pub line: usize,
    pub column: usize,
    pub removed: usize,
    pub inserted: String,
    /// What an error about the inserted text is about.
    pub about: Position,
}

impl Edit {
    /// Text put in at a place.
    pub fn insertion(at: Position, inserted: &str, about: Position) -> Option<Self> {
        Some(Self {
            line: at.line()?,
            column: at.position()?.checked_sub(1)?,
            removed: 0,
            inserted: inserted.to_string(),
            about,
        })
    }
}

/// The edits of a text, in its order.
#[derive(Clone, Debug, Default)]
pub struct Edits(pub Vec<Edit>);

impl Edits {
    /// Where a position of the edited text was before.
    pub fn original(&self, position: Position) -> Position {
        let (Some(line), Some(column)) = (position.line(), position.position()) else {
            return position;
        };
        let mut column = column - 1;
        for edit in self.0.iter().filter(|edit| edit.line == line) {
            let length = edit.inserted.chars().count();
            if column >= edit.column + length {
                column = column + edit.removed - length;
            } else if column >= edit.column {
                return edit.about;
            } else {
                break;
            }
        }
        place(line, column)
    }

    /// The edits of a later text of the same script.
    pub fn extend(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    /// The edited text.
    pub fn apply(&mut self, source: &str) -> String {
        self.0.sort_by_key(|edit| (edit.line, edit.column));
        let mut lines: Vec<Vec<char>> =
            source.split('\n').map(|line| line.chars().collect()).collect();
        for edit in self.0.iter().rev() {
            if let Some(line) = lines.get_mut(edit.line - 1) {
                let end = (edit.column + edit.removed).min(line.len());
                line.splice(edit.column.min(end)..end, edit.inserted.chars());
            }
        }
        let lines: Vec<String> = lines.into_iter().map(|line| line.into_iter().collect()).collect();
        lines.join("\n")
    }
}

fn place(line: usize, column: usize) -> Position {
    match (u16::try_from(line), u16::try_from(column + 1)) {
        (Ok(line), Ok(column)) => Position::new(line, column),
        _ => Position::NONE,
    }
}

/// A text by lines and characters, as rhai counts them.
pub struct Text(Vec<Vec<char>>);

impl Text {
    pub fn new(source: &str) -> Self {
        Self(source.split('\n').map(|line| line.chars().collect()).collect())
    }

    fn rest(&self, at: Position) -> Option<&[char]> {
        let line = self.0.get(at.line()?.checked_sub(1)?)?;
        line.get(at.position()?.checked_sub(1)?..)
    }

    pub fn starts_with(&self, at: Position, word: &str) -> bool {
        let word: Vec<char> = word.chars().collect();
        self.rest(at).is_some_and(|rest| rest.starts_with(&word))
    }

    /// The text from one place to another, line breaks as spaces; none where a comment stands in between.
    pub fn between(&self, start: Position, end: Position) -> Option<String> {
        let mut out = String::new();
        for line in start.line()?..=end.line()? {
            let characters = self.0.get(line.checked_sub(1)?)?;
            let from = if line == start.line()? { start.position()? - 1 } else { 0 };
            let to = if line == end.line()? { end.position()? - 1 } else { characters.len() };
            out.extend(characters.get(from..to)?);
            out.push(' ');
        }
        (!out.contains("//") && !out.contains("/*")).then_some(out)
    }

    /// Where the bracket closes that is the first to open from a place on.
    pub fn closing(&self, at: Position) -> Option<Position> {
        let code = self.code_from(at);
        let mut depth = 0_usize;
        for (place, character) in code {
            match character {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        return Some(place);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// What stands in the brackets of a call, from the call's name on; blanks stand for texts.
    pub fn argument_of(&self, at: &Position) -> Option<String> {
        let end = self.closing(*at)?;
        let code = self.code_from(*at);
        let inside = code.iter().take_while(|(place, _)| *place != end);
        Some(inside.map(|(_, character)| *character).collect())
    }

    /// The characters of code from a place on, each with its place; blanks stand for texts and comments.
    pub fn code_from(&self, at: Position) -> Vec<(Position, char)> {
        let from = at.line().unwrap_or(1).saturating_sub(1);
        let skipped = at.position().unwrap_or(1).saturating_sub(1);
        let mut all = Vec::new();
        for (line, characters) in self.0.iter().enumerate().skip(from) {
            let first = if line == from { skipped } else { 0 };
            let here = characters.iter().enumerate().skip(first);
            all.extend(here.map(|(column, character)| (place(line + 1, column), *character)));
            all.push((place(line + 1, characters.len()), '\n'));
        }
        blank_texts(&mut all);
        all
    }
}

/// Blanks in place of texts and comments.
fn blank_texts(code: &mut [(Position, char)]) {
    let mut at = 0;
    while at < code.len() {
        let end = match (character(code, at), character(code, at + 1)) {
            ('"' | '`', _) => end_of_text(code, at),
            ('\'', _) if character(code, at + 1) == '\\' => at + 4,
            ('\'', _) if character(code, at + 2) == '\'' => at + 3,
            ('/', '/') => find(code, at, |one, _| one == '\n'),
            ('/', '*') => find(code, at + 2, |one, next| one == '*' && next == '/') + 2,
            _ => {
                at += 1;
                continue;
            }
        };
        let end = end.min(code.len());
        for (_, character) in code.iter_mut().take(end).skip(at) {
            *character = ' ';
        }
        at = end;
    }
}

fn character(code: &[(Position, char)], at: usize) -> char {
    code.get(at).map_or('\0', |(_, character)| *character)
}

/// The first place from `from` on where two characters in a row are what is looked for.
fn find(code: &[(Position, char)], from: usize, wanted: fn(char, char) -> bool) -> usize {
    let mut places = from..code.len();
    let found = places.find(|at| wanted(character(code, *at), character(code, at + 1)));
    found.unwrap_or(code.len())
}

/// Behind the text that begins at a place; texts in backticks may hold code in `${…}`, and that further texts.
fn end_of_text(code: &[(Position, char)], start: usize) -> usize {
    let quote = character(code, start);
    let mut at = start + 1;
    // How many braces of `${…}` are open.
    let mut depth = 0_usize;
    while at < code.len() {
        match (character(code, at), character(code, at + 1)) {
            ('\\', _) if quote == '"' => at += 1,
            (one, _) if one == quote && depth == 0 => return at + 1,
            ('$', '{') if quote == '`' && depth == 0 => {
                depth = 1;
                at += 1;
            }
            ('{', _) if depth > 0 => depth += 1,
            ('}', _) if depth > 0 => depth -= 1,
            ('"' | '`', _) if depth > 0 => {
                at = end_of_text(code, at);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    at
}
