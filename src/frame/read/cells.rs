//! What a column of texts holds, where a file has nothing but texts: whole numbers, numbers, booleans or text.
//!
//! A column is what all of its cells are. Whole numbers beside numbers are numbers where that keeps each of them, and text
//! otherwise: an identifier of nineteen digits must not lose its last ones.

use polars::prelude::*;

use super::forms;

/// Whole numbers of so many digits are the same as numbers with a fraction.
const SURELY_EXACT: usize = 15;

/// A column of texts with the type that all of its cells have.
pub fn found(texts: &StringChunked) -> Series {
    let mut kinds = Kinds::default();
    for text in texts.iter().flatten() {
        kinds.add(text);
        if kinds.text {
            break;
        }
    }
    let name = texts.name().clone();
    match kinds {
        Kinds { text: true, .. } => texts.clone().into_series(),
        Kinds { boolean: true, whole: false, number: false, .. } => {
            let flags = texts.iter().map(|text| text.map(|text| text.eq_ignore_ascii_case("true")));
            BooleanChunked::from_iter_options(name, flags).into_series()
        }
        Kinds { boolean: false, whole: true, number: false, .. } => forms::whole_numbers(texts),
        Kinds { boolean: false, number: true, whole, inexact, .. } if !(whole && inexact) => {
            let numbers = texts.iter().map(|text| text.and_then(|text| text.parse::<f64>().ok()));
            Float64Chunked::from_iter_options(name, numbers).into_series()
        }
        _ => texts.clone().into_series(),
    }
}

/// What the cells of a column are, so far.
#[derive(Default)]
struct Kinds {
    boolean: bool,
    whole: bool,
    number: bool,
    text: bool,
    /// There is a whole number that no number of 64 bits with a fraction is equal to.
    inexact: bool,
}

impl Kinds {
    fn add(&mut self, text: &str) {
        if is_whole(text) {
            self.whole = true;
            self.inexact |= text.len() > SURELY_EXACT && !text.parse().is_ok_and(is_exact);
        } else if is_number(text) {
            self.number = true;
        } else if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
            self.boolean = true;
        } else {
            self.text = true;
        }
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_whole(text: &str) -> bool {
    digits(text.strip_prefix('-').unwrap_or(text))
}

/// Whether a whole number is the same as a number with a fraction.
pub fn is_exact(whole: i128) -> bool {
    (whole as f64) as i128 == whole
}

/// `1.5`, `.5`, `1.`, `1e5`, `1.5e-3`, `inf`, `NaN`, with a sign or without.
fn is_number(text: &str) -> bool {
    let size = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(size, "inf" | "NaN") {
        return true;
    }
    let (mantissa, exponent) = match size.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (size, None),
    };
    let power = |exponent: &str| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    match (mantissa.split_once('.'), exponent) {
        (Some((whole, "")), None) => digits(whole),
        (Some((whole, part)), exponent) => {
            (whole.is_empty() || digits(whole)) && digits(part) && exponent.is_none_or(power)
        }
        (None, Some(exponent)) => digits(mantissa) && power(exponent),
        (None, None) => false,
    }
}
