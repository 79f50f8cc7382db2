//! Rotary positions as a configuration asks for them: the base, which part of a head turns, and how frequencies are scaled
//! for contexts longer than the first training's.

use serde_json::{Map, Value};

use super::fields::{number, size};
use crate::error::{Error, Result};

/// The rotary settings of a kind of layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    pub theta: f64,
    /// Elements of a head that turn; the others stay.
    pub dims: usize,
    pub scaling: Scaling,
}

/// How frequencies are changed for long contexts.
#[derive(Clone, Debug, PartialEq)]
pub enum Scaling {
    None,
    /// Positions divided by a factor (Chen et al. 2023).
    Linear {
        factor: f64,
    },
    /// LLaMA 3.1: low frequencies divided by a factor, high ones kept, those between mixed.
    Llama3 {
        factor: f64,
        low: f64,
        high: f64,
        original: usize,
    },
    /// YaRN (Peng et al. 2023): as LLaMA 3.1's, by dimensions, and cos and sin multiplied by `attention`.
    Yarn {
        factor: f64,
        beta_fast: f64,
        beta_slow: f64,
        original: usize,
        attention: f64,
        truncate: bool,
    },
}

impl Rope {
    /// From the map of config.json: transformers 5 keeps everything under `rope_parameters`, older files have `rope_theta`
    /// at the top and the scaling under `rope_scaling`, which goes before `rope_parameters` where it holds anything. `dims` is the size of a head, `kind` a kind of layer where
    /// `rope_parameters` has one map each.
    pub fn from_json(
        map: &Map<String, Value>,
        dims: usize,
        context: usize,
        kind: Option<&str>,
    ) -> Result<Self> {
        let empty = Map::new();
        let held = |key: &str| {
            let held = map.get(key).and_then(Value::as_object);
            held.filter(|held| !held.is_empty())
        };
        let (scaling, parameters) = (held("rope_scaling"), held("rope_parameters"));
        if scaling.is_some() && parameters.is_some() && kind.is_some() {
            return Err(Error::failed_with_hint(
                "config.json has both rope_parameters and rope_scaling, and its layers have rotary settings of several kinds",
                "leave out rope_scaling, so that rope_parameters says all",
            ));
        }
        let parameters = match (scaling.or(parameters), kind) {
            (Some(all), Some(kind)) => all.get(kind).and_then(Value::as_object).or(Some(all)),
            (all, _) => all,
        };
        let scaling = parameters.unwrap_or(&empty);
        let has = |source: &Map<String, Value>, key: &str| source.contains_key(key);
        let from = |key: &str, default: f64| match parameters {
            Some(all) if has(all, key) => number(all, key, default),
            _ => number(map, key, default),
        };
        let theta = if has(map, "rotary_emb_base") {
            number(map, "rotary_emb_base", 10_000.0)?
        } else {
            from("rope_theta", 10_000.0)?
        };
        let part = if has(map, "rotary_pct") {
            number(map, "rotary_pct", 1.0)?
        } else {
            from("partial_rotary_factor", 1.0)?
        };
        if !(theta.is_finite() && theta > 0.0 && part > 0.0 && part <= 1.0) {
            return Err(Error::invalid(
                "reading the rotary settings of config.json",
                "rope_theta above 0 and a part of the head above 0 and at most 1",
                format!("{theta} and {part}"),
            ));
        }
        // An odd number of elements cannot be paired; transformers' slices drop the last one too.
        let dims = ((dims as f64 * part) as usize).max(2) & !1;
        Ok(Self { theta, dims, scaling: Scaling::from_json(scaling, context)? })
    }
}

impl Scaling {
    fn from_json(map: &Map<String, Value>, context: usize) -> Result<Self> {
        let kind = map
            .get("rope_type")
            .or_else(|| map.get("type"))
            .and_then(Value::as_str)
            .unwrap_or("default");
        let factor = number(map, "factor", 1.0)?;
        if !(factor.is_finite() && factor >= 1.0) {
            return Err(Error::invalid(
                "reading the rotary scaling of config.json",
                "a factor from 1",
                factor.to_string(),
            ));
        }
        let original = || size(map, "original_max_position_embeddings", Some(context));
        match kind {
            "default" => Ok(Self::None),
            "linear" => Ok(Self::Linear { factor }),
            "llama3" => Ok(Self::Llama3 {
                factor,
                low: number(map, "low_freq_factor", 1.0)?,
                high: number(map, "high_freq_factor", 4.0)?,
                original: original()?,
            }),
            "yarn" => Ok(Self::Yarn {
                factor,
                beta_fast: number(map, "beta_fast", 32.0)?,
                beta_slow: number(map, "beta_slow", 1.0)?,
                original: original()?,
                attention: match number(map, "attention_factor", 0.0)? {
                    given if given > 0.0 => given,
                    _ if factor > 1.0 => 0.1 * factor.ln() + 1.0,
                    _ => 1.0,
                },
                truncate: map.get("truncate").and_then(Value::as_bool).unwrap_or(true),
            }),
            other => Err(Error::unknown(
                "rotary scaling (rope_type)",
                other,
                ["default", "linear", "llama3", "yarn"],
            )),
        }
    }

    /// The frequencies of pairs of elements (`dims` / 2 of them), in f32 as transformers computes them.
    pub fn frequencies(&self, theta: f64, dims: usize) -> Vec<f32> {
        let plain = |i: usize| 1.0 / (theta as f32).powf((2 * i) as f32 / dims as f32);
        let half = dims / 2;
        match *self {
            Self::None => (0..half).map(plain).collect(),
            Self::Linear { factor } => (0..half).map(|i| plain(i) / factor as f32).collect(),
            Self::Llama3 { factor, low, high, original } => {
                let original = original as f64;
                let scaled = |i| {
                    let frequency = plain(i);
                    let wavelength = 2.0 * std::f64::consts::PI / f64::from(frequency);
                    if wavelength > original / low {
                        return frequency / factor as f32;
                    }
                    if wavelength < original / high {
                        return frequency;
                    }
                    let smooth = ((original / wavelength - low) / (high - low)) as f32;
                    (1.0 - smooth) * frequency / factor as f32 + smooth * frequency
                };
                (0..half).map(scaled).collect()
            }
            Self::Yarn { factor, beta_fast, beta_slow, original, truncate, .. } => {
                let turns = |count: f64| {
                    let ratio = original as f64 / (count * 2.0 * std::f64::consts::PI);
                    dims as f64 * ratio.ln() / (2.0 * theta.ln())
                };
                let (mut low, mut high) = (turns(beta_fast), turns(beta_slow));
                if truncate {
                    (low, high) = (low.floor(), high.ceil());
                }
                let low = low.max(0.0);
                let high = high.min(dims as f64 - 1.0);
                let span = if high == low { 0.001 } else { high - low };
                let scaled = |i: usize| {
                    let ramp = ((i as f64 - low) / span).clamp(0.0, 1.0) as f32;
                    let kept = 1.0 - ramp;
                    plain(i) / factor as f32 * (1.0 - kept) + plain(i) * kept
                };
                (0..half).map(scaled).collect()
            }
        }
    }

    /// What cos and sin are multiplied by.
    pub fn attention_factor(&self) -> f64 {
        match self {
            Self::Yarn { attention, .. } => *attention,
            _ => 1.0,
        }
    }
}
