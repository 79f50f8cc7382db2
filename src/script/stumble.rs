//! Where in a text the parser stopped, and the words around it.

use super::assist::tokens::{Kind, Token, tokens};

/// Where in a text the parser stopped.
pub struct Place<'a> {
    pub text: &'a str,
    /// The words of the text, without its comments.
    pub tokens: Vec<Token>,
    /// The token at which the parser stopped; beyond the last where the text ended.
    pub at: usize,
    /// Lines of the script in front of the text.
    pub lines_before: usize,
}

impl<'a> Place<'a> {
    /// The place at a byte of a text.
    pub fn new(text: &'a str, byte: usize, lines_before: usize) -> Self {
        let mut tokens = tokens(text);
        tokens.retain(|token| token.kind != Kind::Comment);
        let at = tokens.iter().position(|token| token.range.end > byte).unwrap_or(tokens.len());
        Self { text, tokens, at, lines_before }
    }

    /// The words of a token; none beyond the ends.
    pub fn word(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| token.of(self.text))
    }

    /// The word at which the parser stopped.
    pub fn here(&self) -> &'a str {
        self.word(self.at)
    }

    /// The word in front of it.
    pub fn before(&self) -> &'a str {
        self.at.checked_sub(1).map_or("", |at| self.word(at))
    }

    /// Whether a token is of a kind.
    pub fn is(&self, at: usize, kind: Kind) -> bool {
        self.tokens.get(at).is_some_and(|token| token.kind == kind)
    }

    /// Whether a token is a string.
    pub fn is_text(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| matches!(token.kind, Kind::Text { .. }))
    }

    /// Whether two neighbours stand without a blank between them.
    pub fn touches(&self, at: usize) -> bool {
        let (one, next) = (self.tokens.get(at), self.tokens.get(at + 1));
        one.zip(next).is_some_and(|(one, next)| one.range.end == next.range.start)
    }

    /// The number of the line of a token, from 0.
    pub fn line(&self, at: usize) -> usize {
        let start = self.tokens.get(at).map_or(self.text.len(), |token| token.range.start);
        self.text.get(..start).unwrap_or_default().matches('\n').count()
    }

    /// Whether a token stands at the very beginning of a line.
    pub fn starts_line(&self, at: usize) -> bool {
        let start = self.tokens.get(at).map_or(0, |token| token.range.start);
        self.text.get(..start).is_some_and(|before| before.is_empty() || before.ends_with('\n'))
    }

    /// The first token of the line in which the parser ran aground: that of what came before it.
    pub fn first_of_line(&self) -> usize {
        let last = self.at.saturating_sub(1).min(self.tokens.len().saturating_sub(1));
        let line = self.line(last);
        (0..=last).rev().take_while(|at| self.line(*at) == line).last().unwrap_or(last)
    }

    /// The line of a token as it is written, without the blanks around it and without a comment.
    pub fn line_text(&self, at: usize) -> &'a str {
        let line = self.line(at);
        let on_it = |token: &&Token| {
            let before = self.text.get(..token.range.start).unwrap_or_default();
            before.matches('\n').count() == line
        };
        let first = self.tokens.iter().find(on_it).map_or(0, |token| token.range.start);
        let last = self.tokens.iter().rev().find(on_it).map_or(0, |token| token.range.end);
        self.text.get(first..last).unwrap_or_default()
    }

    /// The bracket that is open at the place where the parser stopped.
    pub fn open(&self) -> Option<usize> {
        let mut open = Vec::new();
        for at in 0..self.at.min(self.tokens.len()) {
            match self.word(at) {
                "(" | "[" | "{" | "#{" => open.push(at),
                ")" | "]" | "}" => {
                    open.pop();
                }
                _ => {}
            }
        }
        open.pop()
    }
}
