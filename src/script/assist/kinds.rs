//! What kind of thing stands before a cursor: the chain `rows.filter(…).head(3)` walked from its beginning.

use super::entries::Entry;
use super::tokens::{Kind, Token, closes, opens};
use super::view::View;

/// A text's words with what is needed to tell their kinds.
pub struct Reader<'a> {
    pub text: &'a str,
    pub tokens: &'a [Token],
    pub entries: &'a [Entry],
    pub view: &'a View<'a>,
}

impl<'a> Reader<'a> {
    pub fn word(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| token.of(self.text))
    }

    pub fn is_word(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| token.kind == Kind::Word)
    }

    /// The reference's entries for the word at `at`: a method of what stands in front of it, or a function.
    pub fn forms(&self, at: usize) -> Vec<&Entry> {
        let name = self.word(at);
        let named = || self.entries.iter().filter(|entry| entry.name == name);
        let dot = at.checked_sub(1).filter(|dot| matches!(self.word(*dot), "." | "?."));
        match dot.map(|dot| self.kind_before(dot)) {
            None => named().filter(|entry| entry.on.is_empty()).collect(),
            Some(Some(kind)) => named().filter(|entry| entry.on == kind).collect(),
            Some(None) => named().filter(|entry| !entry.on.is_empty()).collect(),
        }
    }

    /// Where the bracket that is closed by the token at `at` was opened.
    fn opened_by(&self, at: usize) -> Option<usize> {
        let mut depth = 0usize;
        for place in (0..=at).rev() {
            let token = self.tokens.get(place)?;
            if closes(token, self.text) {
                depth += 1;
            } else if opens(token, self.text) {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(place);
                }
            }
        }
        None
    }

    /// Where the bracket that is opened at `at` is closed.
    fn closed_at(&self, at: usize) -> Option<usize> {
        let mut depth = 0usize;
        for (place, token) in self.tokens.iter().enumerate().skip(at) {
            if opens(token, self.text) {
                depth += 1;
            } else if closes(token, self.text) {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(place);
                }
            }
        }
        None
    }

    /// The innermost bracket that is open before the token `end`, and how many commas of its own stand behind it.
    pub fn open_before(&self, end: usize) -> Option<(usize, usize)> {
        let mut place = end;
        let mut commas = 0;
        while let Some(at) = place.checked_sub(1) {
            let token = self.tokens.get(at)?;
            if closes(token, self.text) {
                place = self.opened_by(at)?;
                continue;
            }
            if opens(token, self.text) {
                return Some((at, commas));
            }
            match token.of(self.text) {
                "," => commas += 1,
                // A statement ends: what is open was meant to be closed.
                ";" if token.kind == Kind::Mark => return None,
                _ => {}
            }
            place = at;
        }
        None
    }

    /// Where the chain begins whose last piece ends just before `end`.
    pub fn start_of_chain(&self, end: usize) -> Option<usize> {
        let mut place = end.checked_sub(1)?;
        loop {
            let token = self.tokens.get(place)?;
            if closes(token, self.text) {
                place = self.opened_by(place)?;
                // A call or an index belongs to the word in front of it.
                let before = place.checked_sub(1);
                let belongs =
                    before.filter(|before| self.is_callable(*before) && self.word(place) != "{");
                if let Some(before) = belongs {
                    place = before;
                    continue;
                }
            } else if token.kind == Kind::Mark {
                return None;
            }
            match place.checked_sub(1).map(|before| (before, self.word(before))) {
                Some((dot, "." | "::" | "?.")) => place = dot.checked_sub(1)?,
                _ => return Some(place),
            }
        }
    }

    fn is_callable(&self, at: usize) -> bool {
        let closed = self.tokens.get(at).is_some_and(|token| closes(token, self.text));
        closed || (self.is_word(at) && !super::tokens::LANGUAGE.contains(&self.word(at)))
    }

    /// The kind of the chain whose last piece ends just before the token `end`.
    pub fn kind_before(&self, end: usize) -> Option<String> {
        let start = self.start_of_chain(end)?;
        self.kind_of_chain(start, end)
    }

    /// The kind of the chain that begins at `start`, as far as `end` at the most.
    pub fn kind_of_chain(&self, start: usize, end: usize) -> Option<String> {
        let first = self.tokens.get(start)?;
        let (mut kind, mut place) = match first.kind {
            Kind::Text { .. } => ("Text".to_string(), start + 1),
            Kind::Number => ("Number".to_string(), start + 1),
            Kind::Comment => return None,
            Kind::Word => self.kind_of_word(start)?,
            Kind::Mark => {
                let close = self.closed_at(start)?;
                let kind = match first.of(self.text) {
                    "[" => "Array".to_string(),
                    "#{" => "Map".to_string(),
                    // Of what stands in brackets the beginning tells: `(col("x") > 3)`.
                    "(" => self.kind_of_chain(start + 1, close)?,
                    _ => return None,
                };
                (kind, close + 1)
            }
        };
        while place < end {
            match self.word(place) {
                "." | "?." => {
                    if !self.is_word(place + 1) || self.word(place + 2) != "(" {
                        return None;
                    }
                    kind = self.given(&kind, self.word(place + 1))?;
                    place = self.closed_at(place + 2)? + 1;
                }
                "[" => {
                    kind = (kind == "Frame").then(|| "Array".to_string())?;
                    place = self.closed_at(place)? + 1;
                }
                // An operator: what it makes of an expression is one, of others who knows.
                _ => return (kind == "Expr").then_some(kind),
            }
        }
        Some(kind)
    }

    /// The kind of a word at the head of a chain, and where the chain goes on.
    fn kind_of_word(&self, at: usize) -> Option<(String, usize)> {
        let name = self.word(at);
        if self.word(at + 1) == "(" {
            let close = self.closed_at(at + 1)?;
            return Some((self.given("", name)?, close + 1));
        }
        let known = || self.view.variable(name).map(|value| self.view.kind(value));
        Some((self.assigned(name, at).or_else(known)?, at + 1))
    }

    /// What `let name = …` further up in the same text makes of a name.
    fn assigned(&self, name: &str, before: usize) -> Option<String> {
        let is_let = |at: &usize| {
            self.word(*at) == name
                && self.word(at + 1) == "="
                && at.checked_sub(1).is_some_and(|at| self.word(at) == "let")
        };
        let at = (0..before).rev().find(is_let)?;
        // Without the end of its statement the name is still the earlier one: `let rows = rows.head(3)`.
        let end = (at + 2..before).find(|end| self.word(*end) == ";")?;
        self.kind_of_chain(at + 2, end)
    }

    /// What a method of a kind gives.
    fn given(&self, on: &str, name: &str) -> Option<String> {
        let entry = self.entries.iter().find(|entry| entry.on == on && entry.name == name);
        entry.and_then(|entry| entry.gives.clone())
    }
}
