//! Values within prose: `{{ name }}` stands for what a variable of the session holds when the prose is passed.

/// Prose with its values filled in, and the names that no variable has: those stay as they stand.
pub struct Filled {
    pub text: String,
    pub unknown: Vec<String>,
}

/// Fills `{{ name }}` with what `value` gives for the name. Nothing in a value is markup.
pub fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> Filled {
    let mut filled = Filled { text: String::with_capacity(text.len()), unknown: Vec::new() };
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.text.push_str(before);
        let named = after.split_once("}}").filter(|(name, _)| is_name(name.trim()));
        let Some((inside, behind)) = named else {
            filled.text.push_str("{{");
            rest = after;
            continue;
        };
        let name = inside.trim();
        match value(name) {
            Some(value) => filled.text.push_str(&literal(&value)),
            None => {
                filled.text.push_str(&format!("{{{{{inside}}}}}"));
                if !filled.unknown.iter().any(|known| known == name) {
                    filled.unknown.push(name.to_string());
                }
            }
        }
        rest = behind;
    }
    filled.text.push_str(rest);
    filled
}

fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    let begins = characters.next().is_some_and(|first| first.is_alphabetic() || first == '_');
    begins && characters.all(|character| character.is_alphanumeric() || character == '_')
}

/// A value on one line of Markdown, in which no sign is markup.
fn literal(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' | '>' => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    out
}
