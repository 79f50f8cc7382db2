//! What the assistant says in a rendered conversation: by the marks in the template, or by what each turn adds.

use std::ops::Range;

use super::chat::ChatTemplate;
use super::messages::Message;
use crate::error::{Error, Result};

/// A conversation as text, and the bytes of it that the assistant says.
pub fn of_the_assistant(
    template: &ChatTemplate,
    messages: &[Message],
) -> Result<(String, Vec<Range<usize>>)> {
    if template.marks_the_assistant() {
        return template.render_marked(messages);
    }
    let whole = template.render(messages, false)?;
    let mut turns = Vec::new();
    for (place, message) in messages.iter().enumerate() {
        if message.is_of_the_assistant() {
            turns.push(by_difference(template, messages, place, &whole)?);
        }
    }
    Ok((whole, turns))
}

/// The bytes that a turn adds to what stands before it, the words that begin it aside.
fn by_difference(
    template: &ChatTemplate,
    messages: &[Message],
    place: usize,
    whole: &str,
) -> Result<Range<usize>> {
    let refuse = || {
        Error::failed_with_hint(
            format!(
                "the chat template writes message {place} otherwise when others follow, so what the assistant says cannot be \
                 told by what it adds"
            ),
            "put {% generation %} … {% endgeneration %} around it in the template, or train on whole conversations",
        )
    };
    let through = messages.get(..=place).unwrap_or(messages);
    let through = template.render(through, false)?;
    if !whole.starts_with(&through) {
        return Err(refuse());
    }
    let before = messages.get(..place).unwrap_or_default();
    if before.is_empty() {
        return first(template, messages, &through).ok_or_else(refuse);
    }
    for prompt in [true, false] {
        let before = template.render(before, prompt)?;
        if through.starts_with(&before) {
            return Ok(before.len()..through.len());
        }
    }
    Err(refuse())
}

/// The bytes of a first turn, the words that begin it aside. Most templates cannot render nothing, so that the words are
/// told by what two other texts in its place have in common; within it, the turn begins behind what makes the assistant speak.
fn first(template: &ChatTemplate, messages: &[Message], through: &str) -> Option<Range<usize>> {
    let standing_in = |content: &str| {
        let message = Message::new("assistant", content);
        template.render(&[message], false).ok()
    };
    let words = common(&standing_in("0")?, &standing_in("1")?).to_string();
    let shared = common(&words, through);
    if let Some(prompt) = prompt_of(template, messages)
        && let Some(place) = shared.rfind(&prompt)
    {
        return Some(place + prompt.len()..through.len());
    }
    (shared.len() == words.len()).then_some(words.len()..through.len())
}

/// What the template writes behind a conversation to make the assistant speak.
fn prompt_of(template: &ChatTemplate, messages: &[Message]) -> Option<String> {
    let asked = [Message::new("user", "0")];
    let talk = if template.render(&asked, false).is_ok() { asked.as_slice() } else { messages };
    let with = template.render(talk, true).ok()?;
    let without = template.render(talk, false).ok()?;
    let prompt = with.strip_prefix(&without)?;
    (!prompt.is_empty()).then(|| prompt.to_string())
}

/// What two texts begin with.
fn common<'a>(one: &'a str, other: &str) -> &'a str {
    let same = one.chars().zip(other.chars()).take_while(|(a, b)| a == b);
    let bytes = same.map(|(character, _)| character.len_utf8()).sum();
    one.get(..bytes).unwrap_or_default()
}
