//! From the names that files give tensors to those of a decoder.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::model::config::Config;

/// What in files belongs to no decoder: buffers that older versions of transformers stored.
const BUFFERS: [&str; 6] = [
    ".rotary_emb.inv_freq",
    ".attention.bias",
    ".attn.bias",
    ".attention.masked_bias",
    ".attn.masked_bias",
    ".attention.rotary_emb.inv_freq",
];

/// For each weight that a decoder needs, the name under which the file has it. A model saved without its head
/// ("wte.weight" for "transformer.wte.weight"), one inside a larger model, and one that was compiled or trained in parallel
/// ("_orig_mod.", "module.") are found too.
pub struct Names {
    /// decoder's name → file's name
    pub found: BTreeMap<String, String>,
    /// Tensors outside the decoder, which are left alone.
    pub unused: Vec<String>,
}

impl Names {
    /// Fails where the file has a tensor inside a block that the decoder would not use: the model would compute something
    /// else than its authors meant.
    pub fn new(
        config: &Config,
        needed: &[(String, Vec<usize>)],
        stored: &[String],
    ) -> Result<Self> {
        let base = config.block_prefix().split('.').next().unwrap_or("model");
        let prefix = format!("{base}.");
        let mut found = BTreeMap::new();
        let mut unused = Vec::new();
        let needed: BTreeSet<&str> = needed.iter().map(|(name, _)| name.as_str()).collect();
        for stored in stored {
            let name = unwrapped(stored);
            let forms = [
                name.to_string(),
                format!("{prefix}{name}"),
                name.replacen("language_model.model.", "model.", 1),
                name.replacen("model.language_model.", "model.", 1),
                name.replacen("language_model.lm_head.", "lm_head.", 1),
            ];
            let known = forms
                .iter()
                .find(|form| needed.contains(form.as_str()) && !found.contains_key(*form));
            match known {
                Some(known) => {
                    found.insert(known.clone(), stored.clone());
                }
                None if is_buffer(name) || is_tied_head(config, name) => {}
                None if forms.iter().any(|form| found.contains_key(form)) => {
                    return Err(Error::failed_with_hint(
                        format!("the weights hold `{name}` twice, one of them as `{stored}`"),
                        "keep the one that is meant",
                    ));
                }
                None => unused.push(stored.clone()),
            }
        }
        refuse_in_blocks(config, &prefix, &unused)?;
        Ok(Self { found, unused })
    }
}

fn refuse_in_blocks(config: &Config, prefix: &str, unused: &[String]) -> Result<()> {
    let block = config.block_prefix();
    let inner = block.strip_prefix(prefix).unwrap_or(block);
    let in_block = |stored: &&String| {
        let name = unwrapped(stored);
        name.starts_with(block) || name.starts_with(inner)
    };
    match unused.iter().find(in_block) {
        Some(name) => Err(Error::failed_with_hint(
            format!(
                "the weights hold `{name}`, which a {} of this config.json has no use for",
                config.family.name()
            ),
            "is this the config.json of these weights?",
        )),
        None => Ok(()),
    }
}

fn is_buffer(name: &str) -> bool {
    BUFFERS.iter().any(|end| name.ends_with(end))
}

/// A head that is stored although it is tied to the embedding, and is the same.
fn is_tied_head(config: &Config, name: &str) -> bool {
    config.tie_word_embeddings && name.ends_with(config.untied_head_name())
}

/// A name without what torch.compile and data-parallel training put before it.
pub fn unwrapped(mut name: &str) -> &str {
    let wrappings = ["_orig_mod.", "module."];
    while let Some(rest) = wrappings.iter().find_map(|start| name.strip_prefix(start)) {
        name = rest;
    }
    name
}

/// Names for a sentence: the first of them, and how many more there are.
pub fn shortened(names: &BTreeSet<String>) -> String {
    const SHOWN: usize = 6;
    let quoted: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => quoted.join(", "),
        Some(more) => format!("{} and {more} more", quoted.join(", ")),
    }
}
