//! Text that nobody vouches for, made safe to show: what a model, a file or a script writes must not steer a terminal,
//! reorder a page, or hide something in it. One list, used by everything that shows text.
//!
//! The list follows Unicode's categories Cc and Cf and its property Default_Ignorable_Code_Point (UAX #44), less what
//! scripts and emoji need where they need it: joiners and variation selectors.

/// The text with what cannot be seen written out as `\u{1b}`: control characters and escape sequences, marks that reorder
/// text, characters without width, and separators of lines other than the usual one. Line ends and tabs stay.
pub fn printable(text: &str) -> String {
    written_out(text, |character, out| {
        out.extend(character.escape_unicode())
    })
}

/// The same on one line: line ends and tabs are written out too.
pub fn one_line(text: &str) -> String {
    printable(text).replace('\n', "\\n").replace('\t', "\\t")
}

/// JSON with the same characters in JSON's own notation (RFC 8259, section 7), so that it says what it said. They can
/// stand only within strings: the notation between them is plain ASCII.
pub fn json(value: &serde_json::Value) -> String {
    json_text(&value.to_string())
}

/// [`json`] over several lines, indented.
pub fn json_pretty(value: &serde_json::Value) -> String {
    json_text(&serde_json::to_string_pretty(value).unwrap_or_default())
}

fn json_text(text: &str) -> String {
    written_out(text, |character, out| {
        for unit in character.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    })
}

fn written_out(text: &str, write: impl Fn(char, &mut String)) -> String {
    if text.is_ascii() && !text.chars().any(always_hidden) {
        return text.to_string();
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut before = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let hidden = always_hidden(character)
            || (joins(character) && !may_join(before, characters.peek().copied()))
            || (selects(character) && !may_select(before, character));
        if hidden {
            write(character, &mut out);
        } else {
            out.push(character);
        }
        before = Some(character);
    }
    out
}

fn always_hidden(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control() && !matches!(character, '\n' | '\t');
    }
    matches!(character,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e00ff}'
        | '\u{e01f0}'..='\u{e0fff}')
        || u32::from(character) & 0xfffe == 0xfffe
}

fn joins(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}')
}

/// A joiner belongs between two characters of a script that uses it, or of an emoji.
fn may_join(before: Option<char>, after: Option<char>) -> bool {
    let uses = |neighbour: Option<char>| {
        neighbour.is_some_and(|c| !c.is_ascii() && !joins(c) && !always_hidden(c))
    };
    uses(before) && uses(after)
}

fn selects(character: char) -> bool {
    matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// One selector belongs behind a character that has variants: an emoji, a digit as a key cap, an ideograph. A row of
/// them is a way to hide bytes.
fn may_select(before: Option<char>, selector: char) -> bool {
    let Some(before) = before else { return false };
    let keycap =
        matches!(before, '0'..='9' | '#' | '*') && matches!(selector, '\u{fe0e}' | '\u{fe0f}');
    keycap || (!before.is_ascii() && !selects(before) && !joins(before) && !always_hidden(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        for (text, shown) in [
            ("a\u{1b}[31mb", r"a\u{1b}[31mb"),
            ("a\u{9b}2Jb", r"a\u{9b}2Jb"),
            ("a\u{61c}b", r"a\u{61c}b"),
            ("a\u{200b}b", r"a\u{200b}b"),
            ("a\u{2028}b\u{2029}c", r"a\u{2028}b\u{2029}c"),
            ("\u{feff}a", r"\u{feff}a"),
            ("a\u{e0041}b", r"a\u{e0041}b"),
            ("a\u{202e}b\u{2066}c", r"a\u{202e}b\u{2066}c"),
            ("a\u{3164}b\u{ad}c", r"a\u{3164}b\u{ad}c"),
            ("a\u{ffff}b", r"a\u{ffff}b"),
            ("a\r\nb\tc", "a\\u{d}\nb\tc"),
        ] {
            assert_eq!(printable(text), shown);
        }
        assert_eq!(one_line("a\nb\tc"), "a\\nb\\tc");
    }

    #[test]
    fn joiners_and_selectors_stay_where_a_script_or_an_emoji_needs_them() {
        for text in [
            "می\u{200c}خواهم",
            "👩\u{200d}🔬",
            "❤\u{fe0f}",
            "1\u{fe0f}\u{20e3}",
            "葛\u{e0100}",
            "क\u{94d}\u{200d}ष",
        ] {
            assert_eq!(printable(text), text);
        }
        assert_eq!(printable("a\u{200d}b"), r"a\u{200d}b");
        assert_eq!(printable("é\u{200d}\u{200d}é"), r"é\u{200d}\u{200d}é");
        assert_eq!(printable("❤\u{fe0f}\u{fe0f}"), "❤\u{fe0f}\\u{fe0f}");
        assert_eq!(printable("a\u{fe00}"), r"a\u{fe00}");
    }

    #[test]
    fn json_keeps_what_it_says() {
        let value = serde_json::json!({ "a\u{9b}": "b\u{202e}\u{e0041}\n\u{1b}é" });
        let text = json(&value);
        assert_eq!(text, "{\"a\\u009b\":\"b\\u202e\\udb40\\udc41\\n\\u001bé\"}");
        let back: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back, value);
        let back: serde_json::Value = serde_json::from_str(&json_pretty(&value)).unwrap();
        assert_eq!(back, value);
    }
}
