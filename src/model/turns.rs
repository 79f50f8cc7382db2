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
        return Ok(0..through.len());
    }
    for prompt in [true, false] {
        let before = template.render(before, prompt)?;
        if through.starts_with(&before) {
            return Ok(before.len()..through.len());
        }
    }
    Err(refuse())
}
