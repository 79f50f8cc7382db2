//! Which modules an adapter stands beside, by the rules of PEFT: names or a regular expression, what is left out, and layers.

use std::collections::BTreeSet;

use polars::prelude::{NewChunkedArray, StringChunked, StringNameSpaceImpl};

use crate::error::{Error, Result};

/// Modules by their names, or the ends of them ("q_proj"), or by a regular expression over the whole name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Modules {
    Names(BTreeSet<String>),
    Pattern(String),
}

impl Modules {
    fn hold(&self, module: &str) -> Result<bool> {
        match self {
            Self::Names(names) => Ok(names.iter().any(|name| is_end(module, name))),
            Self::Pattern(pattern) => fits(&format!("^(?:{pattern})$"), module),
        }
    }
}

/// The modules of an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    pub modules: Modules,
    pub excluded: Option<Modules>,
    /// Only these layers; every layer where `None`.
    pub layers: Option<BTreeSet<usize>>,
    /// What the list of layers may be called; anything where empty.
    pub layers_names: Vec<String>,
    /// Modules that are stored whole, beside which no adapter stands.
    pub saved: Vec<String>,
}

impl Targets {
    /// Every module of these names.
    pub fn named(names: impl IntoIterator<Item = String>) -> Self {
        Self {
            modules: Modules::Names(names.into_iter().collect()),
            excluded: None,
            layers: None,
            layers_names: Vec::new(),
            saved: Vec::new(),
        }
    }

    /// Whether an adapter stands beside this module (`model.layers.0.self_attn.q_proj`).
    pub fn hold(&self, module: &str) -> Result<bool> {
        if let Some(excluded) = &self.excluded
            && excluded.hold(module)?
        {
            return Ok(false);
        }
        for saved in &self.saved {
            if fits(&format!(r"^(?:.*\.)?(?:{saved})(?:$|\.)"), module)? {
                return Ok(false);
            }
        }
        let whole = matches!(&self.modules, Modules::Names(names) if names.contains(module));
        let by_pattern = matches!(self.modules, Modules::Pattern(_));
        Ok(self.modules.hold(module)? && (whole || by_pattern || self.in_layers(module)))
    }

    fn in_layers(&self, module: &str) -> bool {
        let Some(layers) = &self.layers else {
            return true;
        };
        let parts: Vec<&str> = module.split('.').collect();
        let usual = |list: &str| {
            self.layers_names.is_empty() || self.layers_names.iter().any(|name| name == list)
        };
        // The first number that has a list's name before it and a module behind it.
        let first = parts.windows(3).enumerate().find_map(|(place, window)| {
            let [list, number, _] = window else {
                return None;
            };
            let far_enough = place > 0 || !self.layers_names.is_empty();
            let number = number.parse::<usize>().ok();
            number.filter(|_| far_enough && usual(list))
        });
        first.is_some_and(|layer| layers.contains(&layer))
    }

    /// Whether a module is stored whole: it or one that it is part of ends like a name of modules_to_save, which is how PEFT
    /// finds them.
    pub fn save_whole(&self, module: &str) -> bool {
        let ends = module.match_indices('.').map(|(end, _)| end);
        let mut parts = ends.chain([module.len()]).filter_map(|end| module.get(..end));
        let is_named = |part: &str| {
            let mut names = self.saved.iter();
            names.any(|name| !name.is_empty() && part.ends_with(name.as_str()))
        };
        parts.any(is_named)
    }

    /// The names, or the regular expression, as a person wrote them.
    pub fn text(&self) -> String {
        match &self.modules {
            Modules::Names(names) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                names.join(" ")
            }
            Modules::Pattern(pattern) => pattern.clone(),
        }
    }
}

/// Whether a name is a module's, or the end of it.
fn is_end(module: &str, name: &str) -> bool {
    let rest = module.strip_suffix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The first of the patterns that fits a module, as rank_pattern and alpha_pattern are read.
pub fn first_fitting<'a, T>(patterns: &'a [(String, T)], module: &str) -> Result<Option<&'a T>> {
    for (pattern, value) in patterns {
        if fits(&format!(r"^(?:.*\.)?(?:{pattern})$"), module)? {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// Whether a regular expression is found in a text. The engine takes time in proportion to both, whatever a stranger writes.
fn fits(pattern: &str, text: &str) -> Result<bool> {
    let texts = StringChunked::from_slice("".into(), &[text]);
    let found = texts.contains(pattern, true).map_err(|_| {
        Error::failed_with_hint(
            format!("the regular expression {pattern:?} of adapter_config.json cannot be read"),
            "look-around and back references are not computed: name the modules in a list",
        )
    })?;
    Ok(found.get(0) == Some(true))
}
