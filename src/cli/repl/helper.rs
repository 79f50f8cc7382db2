//! What the line editor asks while a person types: colours, completion, hints, and whether a cell is whole.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Context, Helper};
use unicode_width::UnicodeWidthStr;

use super::commands;
use crate::plain::one_line;
use crate::script::assist::tokens::{self, Kind, LANGUAGE};
use crate::script::assist::{Candidates, Item};
use crate::script::engine::Session;

/// Stands between a candidate and its summary in a list.
const GAP: &str = "  ";

pub struct Typing {
    pub session: Rc<RefCell<Session>>,
    pub width: usize,
    pub colour: bool,
    /// Whether the line is drawn for the last time: nothing that only helps typing is left on the screen.
    pub last: std::cell::Cell<bool>,
}

/// The signature of the call that the cursor stands in, below the line; nothing that a key would take over.
pub struct Signature(String);

impl Hint for Signature {
    fn display(&self) -> &str {
        &self.0
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Validator for Typing {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let session = self.session.borrow();
        let is_whole = commands::is_command(text) || session.answer(text).is_some();
        Ok(if !is_whole && session.is_unfinished(text) {
            ValidationResult::Incomplete
        } else {
            ValidationResult::Valid(None)
        })
    }
}

impl Completer for Typing {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        cursor: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let candidates = match commands::complete(line, cursor) {
            Some(items) => Candidates { start: 0, items },
            None => self.session.borrow().complete(line, cursor),
        };
        let widest = candidates.items.iter().map(|item| item.text.width()).max().unwrap_or(0);
        let pairs = candidates.items.iter().map(|item| Pair {
            display: self.listed(item, widest.min(30)),
            replacement: item.text.clone(),
        });
        Ok((candidates.start, pairs.collect()))
    }
}

impl Typing {
    /// A candidate and its summary on a line of its own.
    fn listed(&self, item: &Item, widest: usize) -> String {
        let name = one_line(&item.text);
        if item.summary.is_empty() {
            return name;
        }
        let gap = " ".repeat(widest.saturating_sub(name.width()));
        let said = format!("{name}{gap}{GAP}{}", one_line(&item.summary));
        cut(&said, self.width.saturating_sub(3))
    }
}

/// A text that fits, with a mark where it was cut.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_string();
    }
    let mut out = String::new();
    for character in text.chars() {
        if out.width() + 2 > width {
            break;
        }
        out.push(character);
    }
    out + "…"
}

impl Hinter for Typing {
    type Hint = Signature;

    fn hint(&self, line: &str, cursor: usize, _: &Context<'_>) -> Option<Signature> {
        let signature = self.session.borrow().signature_at(line, cursor)?;
        let said = format!("{}: {}", signature.form, signature.summary);
        Some(Signature(format!("\n  {}", cut(&one_line(&said), self.width.saturating_sub(4)))))
    }
}

impl Highlighter for Typing {
    fn highlight<'l>(&self, line: &'l str, cursor: usize) -> Cow<'l, str> {
        if !self.colour {
            return Cow::Borrowed(line);
        }
        let matching = if self.last.get() { None } else { tokens::matching(line, cursor) };
        Cow::Owned(coloured(line, matching))
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        if self.colour {
            Cow::Owned(format!("\u{1b}[2m{hint}\u{1b}[0m"))
        } else {
            Cow::Borrowed(hint)
        }
    }

    fn highlight_candidate<'c>(&self, candidate: &'c str, _: CompletionType) -> Cow<'c, str> {
        match candidate.split_once(GAP) {
            Some((name, said)) if self.colour => {
                Cow::Owned(format!("{name}{GAP}\u{1b}[2m{said}\u{1b}[0m"))
            }
            _ => Cow::Borrowed(candidate),
        }
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        self.last.set(kind == CmdKind::ForcedRefresh);
        self.colour
    }
}

impl Helper for Typing {}

/// A text with its kinds of words in colours, and the bracket that belongs to the one at the cursor set off.
fn coloured(text: &str, matching: Option<usize>) -> String {
    let mut out = String::new();
    let mut at = 0;
    for token in tokens::tokens(text) {
        let word = token.of(text);
        let colour = match token.kind {
            Kind::Comment => "2",
            Kind::Text { .. } => "32",
            Kind::Number => "36",
            Kind::Word if LANGUAGE.contains(&word) => "35",
            Kind::Mark if matching.is_some_and(|place| token.range.contains(&place)) => "1;34",
            Kind::Word | Kind::Mark => "",
        };
        out.push_str(text.get(at..token.range.start).unwrap_or_default());
        if colour.is_empty() {
            out.push_str(word);
        } else {
            out.push_str(&format!("\u{1b}[{colour}m{word}\u{1b}[0m"));
        }
        at = token.range.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}
