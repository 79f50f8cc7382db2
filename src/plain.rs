//! Text that nobody vouches for, made safe to show: what a model, a file or a script writes must not steer a terminal,
//! reorder a page, or hide something in it. One list, used by everything that shows text.
//!
//! The list follows Unicode's categories Cc and Cf and its property Default_Ignorable_Code_Point (UAX #44), less the signs
//! that are drawn (Prepended_Concatenation_Mark, such as U+06DD), and less what scripts and emoji need where they need it: joiners and
//! variation selectors.

/// The text with what cannot be seen written out as `\u{1b}`: control characters and escape sequences, marks that reorder
/// text, characters without width, and separators of lines other than the usual one. Line ends and tabs stay.
pub fn printable(text: &str) -> String {
    written_out(text, |character, out| out.extend(character.escape_unicode()))
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
        | '\u{13430}'..='\u{13455}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e00ff}'
        | '\u{e01f0}'..='\u{e0fff}')
        || u32::from(character) & 0xfffe == 0xfffe
}

fn joins(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}')
}

/// A joiner belongs between two letters of a script that uses it (Arabic and its kin, the scripts of India and South-East
/// Asia, Mongolian), or within an emoji.
fn may_join(before: Option<char>, after: Option<char>) -> bool {
    let (Some(before), Some(after)) = (before, after) else {
        return false;
    };
    let of_emoji = |c: char| is_pictograph(c) || c == '\u{fe0f}';
    (uses_joiners(before) && uses_joiners(after)) || (of_emoji(before) && is_pictograph(after))
}

fn uses_joiners(character: char) -> bool {
    matches!(character,
        '\u{606}'..='\u{8ff}' | '\u{900}'..='\u{dff}' | '\u{f00}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{1800}'..='\u{18af}' | '\u{1a20}'..='\u{1aaf}' | '\u{1b00}'..='\u{1bff}' | '\u{a800}'..='\u{a8ff}'
        | '\u{a980}'..='\u{a9ff}' | '\u{aa60}'..='\u{aa7f}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'
        | '\u{11000}'..='\u{1193f}')
        && !always_hidden(character)
}

fn is_pictograph(character: char) -> bool {
    matches!(character,
        '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2190}'..='\u{21ff}'
        | '\u{2300}'..='\u{23ff}' | '\u{24c2}' | '\u{25a0}'..='\u{27bf}' | '\u{2900}'..='\u{297f}'
        | '\u{2b00}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}' | '\u{1f000}'..='\u{1faff}')
}

fn is_ideograph(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

fn selects(character: char) -> bool {
    matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// One selector belongs behind a character that has variants: an emoji, a digit as a key cap, an ideograph. Behind any
/// other, or several in a row, they are a way to hide bytes.
fn may_select(before: Option<char>, selector: char) -> bool {
    let Some(before) = before else { return false };
    match selector {
        '\u{fe0e}' | '\u{fe0f}' => is_pictograph(before) || matches!(before, '0'..='9' | '#' | '*'),
        '\u{fe00}'..='\u{fe02}' | '\u{e0100}'..='\u{e01ef}' => is_ideograph(before),
        _ => false,
    }
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
        for (text, shown) in [
            ("a\u{200d}b", r"a\u{200d}b"),
            ("é\u{200d}é", r"é\u{200d}é"),
            ("пар\u{200c}оль", r"пар\u{200c}оль"),
            ("é\u{fe00}é\u{e0153}", r"é\u{fe00}é\u{e0153}"),
            ("😀\u{e0153}", r"😀\u{e0153}"),
            ("葛\u{e0100}\u{e0101}", "葛\u{e0100}\\u{e0101}"),
            ("\u{13000}\u{13430}\u{13439}", "\u{13000}\\u{13430}\\u{13439}"),
        ] {
            assert_eq!(printable(text), shown);
        }
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
