//! Choosing a token from logits: repetition penalty, temperature, top-k, top-p, in the order transformers applies them.

use super::Options;

/// The token of a row, given its logits, the tokens already there, and a uniform draw in [0, 1).
pub fn choose<'a>(
    mut logits: Vec<f32>,
    seen: impl Iterator<Item = &'a u32>,
    options: &Options,
    draw: f64,
) -> u32 {
    penalise(&mut logits, seen, options.repetition_penalty);
    let mut candidates: Vec<(u32, f64)> =
        logits.iter().enumerate().map(|(id, logit)| (id as u32, f64::from(*logit))).collect();
    // The likeliest first; among equals the lower id, so that the order is one on every machine.
    candidates.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let Some((best, largest)) = candidates.first().copied() else {
        return 0;
    };
    if options.temperature == 0.0 {
        return best;
    }
    if options.top_k > 0 {
        candidates.truncate(options.top_k);
    }
    for (_, weight) in &mut candidates {
        *weight = ((*weight - largest) / options.temperature).exp();
    }
    keep_likeliest(&mut candidates, options.top_p);
    let total: f64 = candidates.iter().map(|(_, weight)| weight).sum();
    let mut left = draw * total;
    for (id, weight) in &candidates {
        left -= weight;
        if left < 0.0 {
            return *id;
        }
    }
    candidates.last().map_or(best, |(id, _)| *id)
}

/// Tokens already there become less likely: positive logits are divided, negative ones multiplied.
fn penalise<'a>(logits: &mut [f32], seen: impl Iterator<Item = &'a u32>, penalty: f64) {
    if penalty == 1.0 {
        return;
    }
    let mut ids: Vec<u32> = seen.copied().collect();
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        if let Some(logit) = logits.get_mut(id as usize) {
            let factor = if *logit > 0.0 { 1.0 / penalty } else { penalty };
            *logit = (f64::from(*logit) * factor) as f32;
        }
    }
}

/// Keeps the fewest of the likeliest whose probability together reaches `top_p` (Holtzman et al. 2020).
fn keep_likeliest(candidates: &mut Vec<(u32, f64)>, top_p: f64) {
    if top_p >= 1.0 {
        return;
    }
    let total: f64 = candidates.iter().map(|(_, weight)| weight).sum();
    let mut reached = 0.0;
    let mut count = 0;
    for (_, weight) in candidates.iter() {
        count += 1;
        reached += weight;
        if reached >= top_p * total {
            break;
        }
    }
    candidates.truncate(count.max(1));
}
