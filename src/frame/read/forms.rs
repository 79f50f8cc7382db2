//! Values that frames have no column for, in the nearest form that loses nothing: a number where it is exact, otherwise text.

use half::f16;
use polars::prelude::*;

/// Digits that a number of 64 bits holds whatever they are.
const EXACT_DIGITS: usize = 15;
/// The days before and after 1970 that can be shown: some 260,000 years.
const DAYS: i64 = 95_000_000;
const MILLISECONDS_A_DAY: i64 = 86_400_000;

/// Whole numbers of 64 bits without a sign: with one where all of them have room for it, otherwise texts. A script's own
/// numbers could not be compared with them.
pub fn unsigned(column: Series) -> Result<Series, String> {
    let numbers = column.u64().map_err(|error| error.to_string())?;
    let long = numbers.max().is_some_and(|most| i64::try_from(most).is_err());
    let dtype = if long { DataType::String } else { DataType::Int64 };
    column.cast(&dtype).map_err(|error| error.to_string())
}

/// Dates, times and durations, refused where one cannot be shown: the calendar has an end.
pub fn checked(column: Series) -> Result<Series, String> {
    let range = match column.dtype() {
        DataType::Date => -DAYS..DAYS,
        DataType::Datetime(TimeUnit::Milliseconds, _) => {
            -DAYS * MILLISECONDS_A_DAY..DAYS * MILLISECONDS_A_DAY
        }
        DataType::Datetime(TimeUnit::Microseconds, _) => {
            -DAYS * MILLISECONDS_A_DAY * 1000..DAYS * MILLISECONDS_A_DAY * 1000
        }
        DataType::Time => 0..MILLISECONDS_A_DAY * 1_000_000,
        _ => i64::MIN + 1..i64::MAX,
    };
    let physical = column.to_physical_repr();
    let numbers = physical.cast(&DataType::Int64).map_err(|error| error.to_string())?;
    let numbers = numbers.i64().map_err(|error| error.to_string())?;
    let outside = |number: Option<i64>| number.is_some_and(|number| !range.contains(&number));
    match numbers.iter().position(outside) {
        None => Ok(column),
        Some(row) => {
            let value = numbers.get(row).unwrap_or_default();
            let kind = column.dtype();
            Err(format!("value {row} is {value} as a {kind}, which lies beyond what can be shown"))
        }
    }
}

/// Moments with a time zone as texts in universal time, such as `2024-05-01 12:00:00+00:00`, with the same number of digits
/// behind the seconds in each, so that texts sort as the moments do.
pub fn instants(column: &Series, digits: u32) -> Result<Series, String> {
    let physical = column.to_physical_repr();
    let numbers = physical.i64().map_err(|error| error.to_string())?;
    let second = 10_i64.pow(digits);
    let whole = numbers.iter().flatten().all(|number| number % second == 0);
    let mut texts = StringChunkedBuilder::new(column.name().clone(), numbers.len());
    for (row, number) in numbers.iter().enumerate() {
        let Some(number) = number else {
            texts.append_null();
            continue;
        };
        let (seconds, rest) = (number.div_euclid(second), number.rem_euclid(second));
        let moment = jiff::Timestamp::from_second(seconds)
            .map_err(|_| format!("value {row} lies beyond the years that can be shown"))?;
        let moment = jiff::tz::TimeZone::UTC.to_datetime(moment);
        let (date, time) = (moment.date(), moment.time());
        let part =
            if whole { String::new() } else { format!(".{rest:0width$}", width = digits as usize) };
        texts.append_value(format!(
            "{date} {:02}:{:02}:{:02}{part}+00:00",
            time.hour(),
            time.minute(),
            time.second()
        ));
    }
    Ok(texts.finish().into_series())
}

/// Decimals: whole numbers where nothing stands behind the point, otherwise numbers where each has so few digits that it is
/// exact, otherwise texts.
pub fn decimals(column: &Series, scale: usize) -> Result<Series, String> {
    let digits = unscaled(column)?;
    if scale == 0 {
        return Ok(whole_numbers(&digits));
    }
    let texts = digits.apply_values(|digits| with_point(digits, scale).into());
    let short = |digits: &str| digits.trim_start_matches('-').len() <= EXACT_DIGITS;
    if digits.iter().flatten().all(short) {
        let numbers = texts.iter().map(|text| text?.parse::<f64>().ok());
        return Ok(Float64Chunked::from_iter_options(column.name().clone(), numbers).into_series());
    }
    Ok(texts.into_series())
}

/// Whole numbers, given by their digits; texts where one does not fit.
pub fn whole_numbers(digits: &StringChunked) -> Series {
    let mut there = digits.iter().flatten();
    if !there.all(|digits| digits.parse::<i64>().is_ok()) {
        return digits.clone().into_series();
    }
    let numbers = digits.iter().map(|digits| digits?.parse().ok());
    Int64Chunked::from_iter_options(digits.name().clone(), numbers).into_series()
}

/// The digits of decimals without their point.
fn unscaled(column: &Series) -> Result<StringChunked, String> {
    let told = |error: PolarsError| error.to_string();
    match column.dtype() {
        DataType::Int32 | DataType::Int64 => {
            let texts = column.cast(&DataType::String).map_err(told)?;
            texts.str().cloned().map_err(told)
        }
        _ => {
            let bytes = column.binary().map_err(told)?;
            let digits = bytes.iter().map(|bytes| bytes.map(big_endian));
            Ok(StringChunked::from_iter_options(column.name().clone(), digits))
        }
    }
}

/// A signed number of any width, its first byte the highest, in decimal digits.
fn big_endian(bytes: &[u8]) -> String {
    let negative = bytes.first().is_some_and(|first| *first >= 0x80);
    if bytes.len() <= 16 {
        let mut wide = [if negative { 0xff } else { 0 }; 16];
        for (place, byte) in wide.iter_mut().rev().zip(bytes.iter().rev()) {
            *place = *byte;
        }
        return i128::from_be_bytes(wide).to_string();
    }
    // The size of a negative number is its complement and one.
    let size = bytes.iter().map(|byte| if negative { !byte } else { *byte });
    let mut digits: Vec<u32> = vec![0];
    let add = |digits: &mut Vec<u32>, factor: u32, mut carry: u32| {
        for digit in digits.iter_mut() {
            let value = *digit * factor + carry;
            *digit = value % 10;
            carry = value / 10;
        }
        while carry > 0 {
            digits.push(carry % 10);
            carry /= 10;
        }
    };
    for byte in size {
        add(&mut digits, 256, u32::from(byte));
    }
    add(&mut digits, 1, u32::from(negative));
    let sign = if negative { "-" } else { "" };
    let digits: String = digits.iter().rev().map(u32::to_string).collect();
    format!("{sign}{digits}")
}

/// Digits with a point before the last `scale` of them.
fn with_point(digits: &str, scale: usize) -> String {
    let (sign, size) = match digits.strip_prefix('-') {
        Some(size) => ("-", size),
        None => ("", digits),
    };
    let padded = format!("{size:0>width$}", width = scale.min(100) + 1);
    let (whole, part) = padded.split_at(padded.len() - scale.min(padded.len() - 1));
    format!("{sign}{whole}.{part}")
}

/// Numbers of 16 bits, as they stand in the file: two bytes each, the lower one first.
pub fn halves(column: &Series) -> Result<Series, String> {
    let bytes = column.binary().map_err(|error| error.to_string())?;
    let numbers = bytes.iter().map(|bytes| match bytes {
        Some([low, high]) => Some(f16::from_le_bytes([*low, *high]).to_f32()),
        _ => None,
    });
    Ok(Float32Chunked::from_iter_options(column.name().clone(), numbers).into_series())
}

/// Identifiers of 16 bytes, written as RFC 9562 has them.
pub fn identifiers(column: &Series) -> Result<Series, String> {
    let bytes = column.binary().map_err(|error| error.to_string())?;
    let texts = bytes.iter().map(|bytes| {
        let mut text = hexadecimal(bytes?);
        for place in [20, 16, 12, 8] {
            if text.len() > place {
                text.insert(place, '-');
            }
        }
        Some(text)
    });
    Ok(StringChunked::from_iter_options(column.name().clone(), texts).into_series())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_decimals_have_all_their_digits() {
        assert_eq!(big_endian(&[0x01, 0x00]), "256");
        assert_eq!(big_endian(&[0xff]), "-1");
        let mut wide = [0_u8; 17];
        wide[0] = 1;
        assert_eq!(big_endian(&wide), "340282366920938463463374607431768211456");
        assert_eq!(big_endian(&[0xff; 32]), "-1");
        assert_eq!(with_point("-5", 2), "-0.05");
        assert_eq!(with_point("12345", 2), "123.45");
    }
}
