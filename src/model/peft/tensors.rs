//! The tensors of an adapter's file: low-rank matrices beside the base's, weights in place of the base's, rows of embeddings.
//! Each has its place, or the adapter is refused.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{DType, Tensor};

use super::settings::Settings;
use crate::error::{Error, Result};
use crate::model::adapter::{Adapter, Start, module_of, rows_name};
use crate::model::config::{Config, Family};
use crate::model::load::names::{shortened, unwrapped};
use crate::model::load::tensors::TensorFile;
use crate::model::residual::residual;
use crate::model::weights::Weights;
use crate::model::{Model, decoder};

/// What PEFT puts before the names of its base's weights.
const PREFIX: &str = "base_model.model.";

/// What to try where only the number of rows differs.
const OTHER_VOCABULARY: &str = "was it trained over a vocabulary of another size? Give it the base with its embedding \
                                resized, merged with peft's merge_and_unload";

/// A base with what an adapter's file brings: the head may be untied from the embedding.
pub struct Adapted {
    pub config: Config,
    pub weights: Weights,
    pub adapter: Adapter,
}

/// The tensors of a file by the names of the base's weights and modules, until each is taken.
struct Left<'a> {
    file: &'a TensorFile,
    /// The decoder's name → the file's.
    names: BTreeMap<String, String>,
}

impl Left<'_> {
    fn take(&mut self, name: &str, shape: Option<&[usize]>) -> Result<Option<Tensor>> {
        let Some(stored) = self.names.remove(name) else {
            return Ok(None);
        };
        let got = self.file.shape(&stored).unwrap_or_default();
        if let Some(expected) = shape.filter(|expected| *expected != got) {
            let error = Error::invalid(
                format!("loading `{stored}` of the adapter"),
                format!("shape {expected:?}, as the base and the adapter's settings call for"),
                format!("{got:?}"),
            );
            let resized = got.len() == 2 && got.get(1) == expected.get(1);
            return Err(error.with_hint(if resized {
                OTHER_VOCABULARY
            } else {
                "is it an adapter for this base?"
            }));
        }
        self.file.read(&stored, DType::F32).map(Some)
    }

    fn required(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.take(name, Some(shape))?.ok_or_else(|| {
            Error::failed_with_hint(
                format!("the adapter lacks `{PREFIX}{name}`"),
                "is it an adapter for this base?",
            )
        })
    }
}

/// Puts the file's tensors over and into a base.
pub fn put(base: &Model, settings: Settings, file: &TensorFile) -> Result<Adapted> {
    let mut names = BTreeMap::new();
    for stored in file.names() {
        if let Some(other) = names.insert(plain(&stored), stored.clone()) {
            return Err(Error::failed_with_hint(
                format!("the adapter's file holds one tensor twice: `{other}` and `{stored}`"),
                "keep the one that is meant",
            ));
        }
    }
    let mut left = Left { file, names };
    let mut adapted = Adapted {
        config: base.config().clone(),
        weights: base.weights().clone(),
        adapter: Adapter::empty(settings.form),
    };
    adapted.own_head(&settings.tokens, &left)?;
    adapted.low_rank(&mut left)?;
    adapted.whole(&mut left)?;
    let untied = base.config().tie_word_embeddings && !adapted.config.tie_word_embeddings;
    adapted.rows(&mut left, &settings.tokens)?;
    if untied && !settings.tokens.is_empty() {
        // Saved again, the two have to stay apart.
        let pair = [adapted.config.embedding_name(), adapted.config.untied_head_name()];
        for name in pair {
            let module = module_of(name).rsplit('.').next().unwrap_or(name);
            let saved = &mut adapted.adapter.form.targets.saved;
            if adapted.adapter.brought.contains(name) && !saved.iter().any(|one| one == module) {
                saved.push(module.to_string());
            }
        }
    }
    let unused: BTreeSet<String> = left.names.into_values().collect();
    if !unused.is_empty() {
        return Err(Error::failed_with_hint(
            format!(
                "the adapter's file holds tensors that its settings and this base have no use for: {}",
                shortened(&unused)
            ),
            "is it an adapter for this base? Else merge it with peft's merge_and_unload, and load the merged model",
        ));
    }
    Ok(adapted)
}

/// The base's name of what an adapter's file holds.
fn plain(stored: &str) -> String {
    let name = unwrapped(stored.strip_prefix(PREFIX).unwrap_or(stored));
    name.replace(".base_layer.", ".").replace(".modules_to_save.", ".").replace(".default.", ".")
}

impl Adapted {
    /// Gives the head weights of its own where the adapter changes only one of a tied pair.
    fn own_head(&mut self, tokens: &BTreeMap<String, Vec<u32>>, left: &Left) -> Result<()> {
        if !self.config.tie_word_embeddings {
            return Ok(());
        }
        let (head, embedding) = (self.config.untied_head_name(), self.config.embedding_name());
        let targets = &self.adapter.form.targets;
        let (head_module, embedding_module) = (module_of(head), module_of(embedding));
        let saved = |module: &str| targets.save_whole(module);
        let changed = left.names.contains_key(&rows_name(head))
            || targets.hold(head_module)?
            || saved(head_module)
            || saved(embedding_module);
        if changed && let Some(weight) = self.weights.unpacked(embedding)? {
            self.config.tie_word_embeddings = false;
            self.weights.dense.insert(head.to_string(), weight);
        }
        let known = |name: &String| name.is_empty() || is_end_of_one(name, &[head, embedding]);
        match tokens.keys().find(|name| !known(name)) {
            Some(name) => Err(Error::failed(format!(
                "trainable_token_indices of adapter_config.json names `{name}`, which is no embedding of this base"
            ))),
            None => Ok(()),
        }
    }

    /// The low-rank matrices, and what they start by taking out of the base.
    fn low_rank(&mut self, left: &mut Left) -> Result<()> {
        let base = self.weights.clone();
        let modules = self.adapter.form.modules_of(&base)?;
        if modules.is_empty() {
            return Err(Error::failed_with_hint(
                format!(
                    "target_modules ({}) holds no module of this base",
                    self.adapter.form.targets.text()
                ),
                "is it an adapter for this base?",
            ));
        }
        let start = self.adapter.form.start;
        if start == Start::Olora && self.config.family == Family::Gpt2 {
            return Err(Error::failed(
                "init_lora_weights \"olora\" is not computed over GPT-2's matrices",
            ));
        }
        for (module, [out, width]) in modules {
            let rank = self.adapter.form.rank_of(module)?;
            let down = left.required(&format!("{module}.lora_A.weight"), &[rank, width])?;
            let up = left.required(&format!("{module}.lora_B.weight"), &[out, rank])?;
            let device = base.device();
            let (down, up) = (down.to_device(&device)?, up.to_device(&device)?);
            self.adapter.insert(module, down, up)?;
            let (scale, name) = (self.adapter.scale(module), format!("{module}.weight"));
            if let (Some(scale), Some(weight)) = (scale, base.unpacked(&name)?)
                && start != Start::Plain
            {
                self.weights.packed.remove(&name);
                let weight = residual(&weight, start, rank, scale)?;
                self.weights.dense.insert(name, weight);
            }
        }
        Ok(())
    }

    /// Weights in place of the base's: modules_to_save, embeddings, biases.
    fn whole(&mut self, left: &mut Left) -> Result<()> {
        for (name, shape) in decoder::shapes(&self.config) {
            let module = module_of(&name);
            // The matrix under low-rank ones is the base's.
            let matrix = name.ends_with(".weight") && self.adapter.scale(module).is_some();
            let must = self.adapter.form.targets.save_whole(module);
            if matrix || !(must || left.names.contains_key(&name)) {
                continue;
            }
            let transposed = decoder::is_stored_transposed(&self.config, &name);
            let mut stored_shape = shape;
            if transposed {
                stored_shape.reverse();
            }
            let mut weight = left.required(&name, &stored_shape)?;
            if transposed {
                weight = weight.t()?.contiguous()?;
            }
            self.bring(&name, weight)?;
        }
        let tied = self.config.tie_word_embeddings;
        let embedding = self.config.embedding_name();
        if let (true, Some(shape)) = (tied, self.weights.shape(embedding)) {
            // PEFT loads the head last, into the matrix that both are.
            let head = self.config.untied_head_name();
            if let Some(weight) = left.take(head, Some(&shape))? {
                self.bring(embedding, weight)?;
            }
        }
        Ok(())
    }

    /// Rows of embeddings, for the tokens that the settings list.
    fn rows(&mut self, left: &mut Left, tokens: &BTreeMap<String, Vec<u32>>) -> Result<()> {
        let mut pairs = vec![self.config.embedding_name()];
        if !self.config.tie_word_embeddings {
            pairs.push(self.config.untied_head_name());
        }
        for (place, name) in pairs.into_iter().enumerate() {
            let ids = tokens
                .iter()
                .find(|(given, _)| given.is_empty() && place == 0 || is_end_of_one(given, &[name]));
            let (Some((_, ids)), Some(weight)) = (ids, self.weights.unpacked(name)?) else {
                continue;
            };
            let (rows, width) = weight.dims2()?;
            let Some(change) = left.take(&rows_name(name), Some(&[ids.len(), width]))? else {
                // The head may follow the embedding's rows; the embedding's must be there.
                let shared = rows_name(name);
                return Err(Error::failed(format!("the adapter lacks `{PREFIX}{shared}`")));
            };
            let mut seen = BTreeSet::new();
            if let Some(id) = ids.iter().find(|id| **id as usize >= rows || !seen.insert(**id)) {
                return Err(Error::failed(format!(
                    "trainable_token_indices of adapter_config.json names the token {id}, twice or outside of the base's {rows}"
                )));
            }
            if self.adapter.trains(name) {
                return Err(Error::failed(format!(
                    "adapter_config.json names `{name}` in modules_to_save and in trainable_token_indices: one of them can be"
                )));
            }
            let kind = self.kind();
            let weight = weight.to_dtype(kind)?;
            let change = change.to_device(weight.device())?.to_dtype(kind)?;
            self.weights.packed.remove(name);
            self.weights.dense.insert(name.to_string(), weight);
            self.adapter.rows.insert(name.to_string(), ids.clone());
            let place = rows_name(name);
            self.adapter.place(&mut self.weights, &place, change)?;
        }
        Ok(())
    }

    /// The type of the base's dense weights.
    fn kind(&self) -> DType {
        let any = self.weights.dense.values().next();
        any.map_or(DType::F32, Tensor::dtype)
    }

    fn bring(&mut self, name: &str, weight: Tensor) -> Result<()> {
        let device = self.weights.device();
        let weight = weight.to_device(&device)?.to_dtype(self.kind())?;
        self.weights.packed.remove(name);
        self.weights.dense.insert(name.to_string(), weight);
        self.adapter.brought.insert(name.to_string());
        Ok(())
    }
}

/// Whether a name is the end of one of these weights' modules.
fn is_end_of_one(name: &str, weights: &[&str]) -> bool {
    let mut modules = weights.iter().map(|weight| module_of(weight));
    !name.is_empty() && modules.any(|module| module.ends_with(name))
}
