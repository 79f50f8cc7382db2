//! How well numbers rank rows: the areas under the receiver operating characteristic and under precision and recall for
//! rows of two classes, and rank correlation. Ties count as scikit-learn and SciPy count them.

use std::cmp::Ordering;

use crate::error::{Error, Result};

/// The area under the receiver operating characteristic: how often a row of the class has a higher score than a row that is
/// not, a tie counting half.
pub fn auroc(positive: &[bool], scores: &[f64]) -> Result<f64> {
    let groups = descending(positive, scores)?;
    let (mut found, mut won) = (0.0, 0.0);
    for (positives, negatives) in &groups {
        won += negatives * (found + positives / 2.0);
        found += positives;
    }
    let negatives: f64 = groups.iter().map(|(_, negatives)| negatives).sum();
    if found == 0.0 || negatives == 0.0 {
        let class = if found == 0.0 { "none is" } else { "every row is" };
        return Err(Error::invalid(
            "auroc",
            "rows of the class and rows that are not",
            format!("{} rows of which {class} of the class", scores.len()),
        ));
    }
    Ok(won / (found * negatives))
}

/// Average precision: the sum over thresholds of the gain in recall times the precision there. Rows of one score share a
/// threshold.
pub fn auprc(positive: &[bool], scores: &[f64]) -> Result<f64> {
    let groups = descending(positive, scores)?;
    let all: f64 = groups.iter().map(|(positives, _)| positives).sum();
    if all == 0.0 {
        let got = format!("{} rows of which none is of the class", scores.len());
        return Err(Error::invalid("auprc", "at least one row of the class", got));
    }
    let (mut found, mut taken, mut area) = (0.0, 0.0, 0.0);
    for (positives, negatives) in groups {
        found += positives;
        taken += positives + negatives;
        area += positives / all * (found / taken);
    }
    Ok(area)
}

/// Rows of the class and other rows at each score, from the highest down.
fn descending(positive: &[bool], scores: &[f64]) -> Result<Vec<(f64, f64)>> {
    paired("labels", positive.len(), scores)?;
    let mut rows: Vec<(f64, bool)> = scores.iter().copied().zip(positive.iter().copied()).collect();
    rows.sort_by(|a, b| order(b.0, a.0));
    let count = |group: &[(f64, bool)]| {
        let positives = group.iter().filter(|(_, positive)| *positive).count();
        (positives as f64, (group.len() - positives) as f64)
    };
    Ok(rows.chunk_by(|a, b| a.0 == b.0).map(count).collect())
}

/// Spearman's rank correlation: Pearson's correlation of the ranks, tied values having the mean of theirs.
pub fn spearman(a: &[f64], b: &[f64]) -> Result<f64> {
    correlated("spearman", a, b)?;
    let middle = (a.len() + 1) as f64 / 2.0;
    let centred = |values: &[f64]| -> Vec<f64> {
        mean_ranks(values).into_iter().map(|rank| rank - middle).collect()
    };
    let (a, b) = (centred(a), centred(b));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    Ok((product(&a, &b) / (product(&a, &a).sqrt() * product(&b, &b).sqrt())).clamp(-1.0, 1.0))
}

/// Ranks from 1, tied values sharing the mean of theirs.
fn mean_ranks(values: &[f64]) -> Vec<f64> {
    let mut places: Vec<(f64, usize)> = values.iter().copied().zip(0..).collect();
    places.sort_by(|a, b| order(a.0, b.0));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for group in places.chunk_by(|a, b| a.0 == b.0) {
        let rank = before as f64 + (group.len() + 1) as f64 / 2.0;
        for (_, place) in group {
            if let Some(slot) = ranks.get_mut(*place) {
                *slot = rank;
            }
        }
        before += group.len();
    }
    ranks
}

/// Kendall's tau-b: pairs in the same order less pairs in the opposite order, over the geometric mean of the pairs that
/// are not tied in either (Knight's way of counting, n log n).
pub fn kendall(a: &[f64], b: &[f64]) -> Result<f64> {
    correlated("kendall", a, b)?;
    let mut rows: Vec<(f64, f64)> = a.iter().copied().zip(b.iter().copied()).collect();
    rows.sort_by(|x, y| order(x.0, y.0).then(order(x.1, y.1)));
    let tied_a = pairs_within(&rows, |x, y| x.0 == y.0);
    let tied_both = pairs_within(&rows, |x, y| x == y);
    let mut seconds: Vec<f64> = rows.iter().map(|row| row.1).collect();
    let opposite = inversions(&mut seconds);
    let tied_b = pairs_within(&seconds, |x, y| x == y);
    let all = pairs(rows.len());
    let difference = all - tied_a - tied_b + tied_both - 2.0 * opposite;
    Ok((difference / (all - tied_a).sqrt() / (all - tied_b).sqrt()).clamp(-1.0, 1.0))
}

/// Pairs among `n`.
fn pairs(n: usize) -> f64 {
    n as f64 * n.saturating_sub(1) as f64 / 2.0
}

fn pairs_within<T>(sorted: &[T], equal: impl Fn(&T, &T) -> bool) -> f64 {
    sorted.chunk_by(equal).map(|group| pairs(group.len())).sum()
}

/// Sorts, and counts the pairs that stood in falling order: a merge sort that adds up what each value overtakes.
fn inversions(values: &mut [f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let (left, right) = values.split_at_mut(values.len() / 2);
    let mut count = inversions(left) + inversions(right);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut lefts, mut rights) = (left.iter().peekable(), right.iter().peekable());
    while let Some(a) = lefts.peek() {
        match rights.next_if(|b| *b < *a) {
            Some(b) => {
                count += lefts.len() as f64;
                merged.push(*b);
            }
            None => merged.extend(lefts.next()),
        }
    }
    merged.extend(rights);
    values.copy_from_slice(&merged);
    count
}

fn order(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

/// Refuses what has no rank correlation.
fn correlated(name: &str, a: &[f64], b: &[f64]) -> Result<()> {
    paired("values of the first", a.len(), b)?;
    if a.iter().any(|value| value.is_nan()) {
        return Err(not_a_number(a));
    }
    for (side, values) in [("first", a), ("second", b)] {
        if values.windows(2).all(|pair| matches!(pair, [x, y] if x == y)) {
            let got = match values.len() {
                0 => "no values".to_string(),
                1 => "one value".to_string(),
                n => format!("{n} equal values as the {side}"),
            };
            return Err(Error::invalid(name, "at least two different values on each side", got));
        }
    }
    Ok(())
}

fn paired(what: &str, expected: usize, scores: &[f64]) -> Result<()> {
    if expected != scores.len() {
        let got = scores.len().to_string();
        return Err(Error::invalid("scores", format!("as many as {what} ({expected})"), got));
    }
    if scores.iter().any(|score| score.is_nan()) {
        return Err(not_a_number(scores));
    }
    Ok(())
}

fn not_a_number(values: &[f64]) -> Error {
    let count = values.iter().filter(|value| value.is_nan()).count();
    Error::invalid("ranking", "a number in every row", format!("{count} rows without"))
        .with_hint("leave those rows out with `filter`, and say how many they are")
}
