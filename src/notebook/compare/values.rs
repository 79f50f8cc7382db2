//! Values and texts of two runs side by side: the same, or where they first differ. Numbers may differ by a share of
//! themselves.

use serde_json::Value;

/// Where two values differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Within the value, such as `series[0].points[3][1]`; empty for the value itself.
    pub path: String,
    pub before: String,
    pub after: String,
    /// For numbers: how far apart they are, as a share of the larger.
    pub relative: Option<f64>,
}

/// Characters of a value that are shown.
const SHOWN: usize = 120;

/// The difference of two numbers as a share of the larger; nothing for equal ones, NaN counts as equal to itself.
pub fn relative(before: f64, after: f64) -> f64 {
    if before == after || (before.is_nan() && after.is_nan()) {
        return 0.0;
    }
    let share = (before - after).abs() / before.abs().max(after.abs());
    if share.is_nan() { f64::INFINITY } else { share }
}

/// Whether two values are the same, numbers within a share of themselves.
pub fn same(before: &Value, after: &Value, within: f64) -> bool {
    first(before, after, within).is_none()
}

/// The first difference of two values.
pub fn first(before: &Value, after: &Value, within: f64) -> Option<Found> {
    let found = |relative: Option<f64>| {
        let (before, after) = (shown(before), shown(after));
        Some(Found { path: String::new(), before, after, relative })
    };
    match (before, after) {
        (Value::Number(one), Value::Number(other)) if one != other => {
            match (one.as_f64(), other.as_f64()) {
                (Some(one), Some(other)) => {
                    let share = relative(one, other);
                    // Whole numbers beyond what a float holds are told apart by their digits.
                    if share > within || (share == 0.0 && within == 0.0) {
                        found(Some(share))
                    } else {
                        None
                    }
                }
                _ => found(None),
            }
        }
        (Value::String(one), Value::String(other)) => text(one, other, within),
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let mut pairs = one.iter().zip(other).enumerate();
            pairs.find_map(|(place, (one, other))| {
                first(one, other, within).map(|found| below(found, &format!("[{place}]")))
            })
        }
        (Value::Object(one), Value::Object(other)) => {
            let inner = one.iter().find_map(|(name, one)| match other.get(name) {
                Some(other) => {
                    first(one, other, within).map(|found| below(found, &format!(".{name}")))
                }
                None => Some(lacking(name, shown(one), "nothing".to_string())),
            });
            let more = || other.iter().find(|(name, _)| !one.contains_key(*name));
            inner.or_else(|| {
                more().map(|(name, value)| lacking(name, "nothing".to_string(), shown(value)))
            })
        }
        (one, other) if one == other => None,
        _ => found(None),
    }
}

fn below(mut found: Found, part: &str) -> Found {
    found.path.insert_str(0, part);
    found
}

fn lacking(name: &str, before: String, after: String) -> Found {
    Found { path: format!(".{name}"), before, after, relative: None }
}

fn shown(value: &Value) -> String {
    short(&value.to_string())
}

/// The first line of two texts that differs.
pub fn text(before: &str, after: &str, within: f64) -> Option<Found> {
    if before == after {
        return None;
    }
    let (one, other): (Vec<&str>, Vec<&str>) =
        (before.split('\n').collect(), after.split('\n').collect());
    for place in 0..one.len().max(other.len()) {
        let (before, after) = (one.get(place), other.get(place));
        let relative = match (before, after) {
            (Some(before), Some(after)) if before == after => continue,
            (Some(before), Some(after)) => distance(before, after),
            _ => None,
        };
        if relative.is_some_and(|share| share <= within && within > 0.0) {
            continue;
        }
        let line = |line: Option<&&str>| {
            line.map_or("nothing".to_string(), |line| short(&format!("{line:?}")))
        };
        let path = if one.len().max(other.len()) > 1 {
            format!("line {}", place + 1)
        } else {
            String::new()
        };
        return Some(Found { path, before: line(before), after: line(after), relative });
    }
    None
}

fn short(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// The largest share by which the numbers in two lines differ, where the lines differ in nothing else.
fn distance(before: &str, after: &str) -> Option<f64> {
    let (mut one, mut other) = (before, after);
    let mut largest: f64 = 0.0;
    let mut last = ' ';
    while !one.is_empty() || !other.is_empty() {
        if !last.is_alphanumeric()
            && let (Some((first, length)), Some((second, other_length))) =
                (number(one), number(other))
        {
            largest = largest.max(relative(first, second));
            (one, other) = (one.get(length..)?, other.get(other_length..)?);
            last = '0';
            continue;
        }
        let (first, second) = (one.chars().next()?, other.chars().next()?);
        if first != second {
            return None;
        }
        last = first;
        (one, other) = (one.get(first.len_utf8()..)?, other.get(second.len_utf8()..)?);
    }
    Some(largest)
}

/// The number that a text begins with, and how many bytes it takes.
fn number(text: &str) -> Option<(f64, usize)> {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        from + rest.bytes().take_while(u8::is_ascii_digit).count()
    };
    let begin = usize::from(text.starts_with('-'));
    let mut end = digits(begin);
    if end == begin {
        return None;
    }
    if text.get(end..)?.starts_with('.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    if let Some(rest) = text.get(end..).and_then(|rest| rest.strip_prefix(['e', 'E'])) {
        let from = end + 1 + usize::from(rest.starts_with(['+', '-']));
        if digits(from) > from {
            end = digits(from);
        }
    }
    Some((text.get(..end)?.parse().ok()?, end))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_difference_of_nested_values_is_named_by_its_place() {
        let before = json!({ "a": [1, { "b": 2.0 }], "c": "x" });
        assert_eq!(first(&before, &before, 0.0), None);
        let found = first(&before, &json!({ "a": [1, { "b": 2.5 }], "c": "y" }), 0.0).unwrap();
        assert_eq!(
            (found.path.as_str(), found.before.as_str(), found.after.as_str()),
            (".a[1].b", "2.0", "2.5")
        );
        assert_eq!(found.relative, Some(0.2));
        let found = first(&before, &json!({ "a": [1, { "b": 2.0 }] }), 0.0).unwrap();
        assert_eq!((found.path.as_str(), found.after.as_str()), (".c", "nothing"));
        let found = first(&json!({}), &before, 0.0).unwrap();
        assert_eq!((found.path.as_str(), found.before.as_str()), (".a", "nothing"));
    }

    #[test]
    fn numbers_may_differ_by_a_share_where_that_is_asked_for() {
        assert!(!same(&json!(1.0), &json!(1.000_000_1), 0.0));
        assert!(same(&json!(1.0), &json!(1.000_000_1), 1e-6));
        assert!(!same(&json!(1.0), &json!(1.000_01), 1e-6));
        assert!(!same(&json!(0.0), &json!(1e-9), 1e-6));
        // Whole numbers that are the same as floats are not the same.
        assert!(!same(&json!(9_007_199_254_740_993_u64), &json!(9_007_199_254_740_992_u64), 0.0));
    }

    #[test]
    fn numbers_within_texts_are_numbers_and_the_rest_is_not() {
        assert_eq!(text("loss 1.000 after 3", "loss 1.001 after 3", 0.01), None);
        let found = text("a\nloss 1.000", "a\nloss 1.001", 0.0).unwrap();
        assert_eq!((found.path.as_str(), found.before.as_str()), ("line 2", "\"loss 1.000\""));
        assert!((found.relative.unwrap() - 0.001 / 1.001).abs() < 1e-12);
        assert!(text("x1.0", "x1.1", 0.5).is_some(), "a name is no number");
        assert!(text("a 1", "b 1", 0.5).unwrap().relative.is_none());
        assert!(text("1 2", "1", 0.5).is_some());
        assert!(text("a\nb", "a", 0.5).is_some());
        assert_eq!(text("-1e-3", "-1.0001e-3", 1e-3), None);
    }
}
