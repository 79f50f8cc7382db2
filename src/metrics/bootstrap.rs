//! The bootstrap (Efron and Tibshirani 1993): intervals of a statistic by drawing the rows anew, with replacement.
//!
//! What is drawn is a unit: a row, or all rows of a cluster. Units of a stratum are drawn from that stratum, as many as it
//! has. Every resample has a stream of its own, so that what comes out does not depend on the number of threads.

use rayon::prelude::*;

use super::units::Drawn;
use super::{normal, sample};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::random::Stream;

/// How an interval is read off the resamples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The quantiles of the resampled estimates.
    Percentile,
    /// The same, corrected for bias and acceleration (Efron 1987).
    Bca,
}

/// What a bootstrap is to do.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub method: Method,
    pub resamples: usize,
    /// The share that the interval shall cover: 0.95.
    pub level: f64,
    pub seed: u64,
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub estimate: f64,
    pub low: f64,
    pub high: f64,
    /// The standard deviation of the resampled estimates.
    pub standard_error: f64,
    /// How often, were there no difference, one as large would be seen by chance: both sides, from the resampled estimates
    /// moved to 0. For estimates that are differences.
    pub p_value: f64,
    /// BCa's two corrections: 0 and 0 for percentiles.
    pub bias_correction: f64,
    pub acceleration: f64,
}

/// Estimates a statistic of what can be drawn anew, with its interval.
pub fn bootstrap(drawn: &impl Drawn, settings: &Settings, control: &Control) -> Result<Outcome> {
    drawn.units().check()?;
    let estimate = drawn.estimate(&drawn.units().once());
    let estimates = resampled(drawn, settings, control)?;
    // Equal estimates may differ by as much where they were summed in another order.
    let rounding = 1e-12 * drawn.scale();
    let (mut bias, mut skew) = (0.0, 0.0);
    if settings.method == Method::Bca {
        bias = bias_correction(&estimates, estimate, rounding)?;
        skew = acceleration(drawn, rounding, control)?;
    }
    let end = |share: f64| {
        if settings.method == Method::Percentile {
            return sample::quantile(&estimates, share);
        }
        let moved = bias + normal::quantile(share);
        sample::quantile(&estimates, normal::below(bias + moved / (1.0 - skew * moved)))
    };
    let tail = (1.0 - settings.level) / 2.0;
    Ok(Outcome {
        estimate,
        low: end(tail),
        high: end(1.0 - tail),
        standard_error: sample::deviation(&estimates),
        p_value: p_value(&estimates, estimate, rounding),
        bias_correction: bias,
        acceleration: skew,
    })
}

/// The estimates of all resamples, sorted.
fn resampled(drawn: &impl Drawn, settings: &Settings, control: &Control) -> Result<Vec<f64>> {
    let stream = Stream::new(settings.seed, "bootstrap");
    let units = drawn.units();
    let one = |weights: &mut Vec<u32>, place: usize| {
        control.check()?;
        units.draw(&stream.child(place as u64), weights);
        Ok(drawn.estimate(weights))
    };
    let estimates = (0..settings.resamples).into_par_iter().map_init(|| units.once(), one);
    let mut estimates = estimates.collect::<Result<Vec<f64>>>()?;
    let undefined = estimates.iter().filter(|estimate| estimate.is_nan()).count();
    if undefined > 0 {
        let message = format!(
            "bootstrap: the statistic is not defined on every resample ({undefined} of {} have none)",
            estimates.len()
        );
        let hint = "there are too few rows for it; of rare classes, `stratify` by the class draws some every time";
        return Err(Error::failed_with_hint(message, hint));
    }
    estimates.sort_by(f64::total_cmp);
    Ok(estimates)
}

/// Of resampled estimates moved to 0, the share as far from it as the estimate; the estimate itself counts as one.
fn p_value(estimates: &[f64], estimate: f64, rounding: f64) -> f64 {
    let least = estimate.abs() - rounding;
    let as_far = estimates.iter().filter(|other| (*other - estimate).abs() >= least).count();
    (as_far + 1) as f64 / (estimates.len() + 1) as f64
}

/// The normal quantile of the share of estimates below the estimate, ties counting half.
fn bias_correction(estimates: &[f64], estimate: f64, rounding: f64) -> Result<f64> {
    let below = estimates.iter().filter(|other| **other < estimate - rounding).count();
    let not_above = estimates.iter().filter(|other| **other <= estimate + rounding).count();
    let share = (below + not_above) as f64 / (2 * estimates.len()) as f64;
    if share <= 0.0 || share >= 1.0 {
        return Err(Error::failed_with_hint(
            "bootstrap: BCa has no interval here, as every resample lies on one side of the estimate",
            "take `method: \"percentile\"`, or more resamples",
        ));
    }
    Ok(normal::quantile(share))
}

/// A sixth of the skewness of the estimates with one unit left out, added up over strata.
fn acceleration(drawn: &impl Drawn, rounding: f64, control: &Control) -> Result<f64> {
    let mut influences = Vec::new();
    for stratum in drawn.units().strata() {
        let n = stratum.len() as f64;
        let without = |unit: usize| {
            control.check()?;
            Ok(drawn.without(unit))
        };
        let estimates = stratum.clone().into_par_iter().map(without);
        let estimates = estimates.collect::<Result<Vec<f64>>>()?;
        let middle = estimates.iter().map(|estimate| estimate / n).sum::<f64>();
        // Estimates that differ by rounding alone have no skewness.
        let real = |away: f64| if away.abs() <= rounding { 0.0 } else { away };
        influences.extend(estimates.iter().map(|estimate| (n - 1.0) / n * real(middle - estimate)));
    }
    if influences.iter().any(|influence| influence.is_nan()) {
        return Err(Error::failed_with_hint(
            "bootstrap: BCa needs the statistic with each row or cluster left out, and it is not defined there",
            "take `method: \"percentile\"`, or more rows",
        ));
    }
    // By the largest, so that no power of them is too large for a number.
    let largest = influences.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
    if largest == 0.0 {
        return Ok(0.0);
    }
    let cubes = influences.iter().map(|x| (x / largest).powi(3)).sum::<f64>();
    let squares = influences.iter().map(|x| (x / largest).powi(2)).sum::<f64>();
    Ok(cubes / squares.powf(1.5) / 6.0)
}
