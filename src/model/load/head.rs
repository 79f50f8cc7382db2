//! The head of a model whose config.json ties it to the embedding: what the file holds decides, as in transformers.

use candle_core::DType;

use super::names::Names;
use super::tensors::TensorFile;
use crate::error::Result;
use crate::model::config::Config;
use crate::model::decoder;

/// The names of a model's weights in its files, and its configuration: untied where a stored head differs from the embedding.
pub fn names(
    mut config: Config,
    files: &[TensorFile],
    stored: &[String],
) -> Result<(Config, Names)> {
    let tied = |config: &Config| Names::new(config, &decoder::shapes(config), stored);
    if !config.tie_word_embeddings {
        let names = tied(&config)?;
        return Ok((config, names));
    }
    let mut untied = config.clone();
    untied.tie_word_embeddings = false;
    let names = Names::new(&untied, &decoder::shapes(&untied), stored)?;
    let (head, embedding) = (untied.head_name(), untied.embedding_name());
    let same = match (names.found.get(head), names.found.get(embedding)) {
        (Some(head), Some(embedding)) => are_equal(files, head, embedding)?,
        // The one that is there is both.
        (Some(head), None) => {
            let mut names = tied(&config)?;
            names.found.insert(embedding.to_string(), head.clone());
            return Ok((config, names));
        }
        (None, _) => true,
    };
    if same {
        let names = tied(&config)?;
        return Ok((config, names));
    }
    config = untied;
    Ok((config, names))
}

/// Whether two stored tensors have the same values.
fn are_equal(files: &[TensorFile], one: &str, other: &str) -> Result<bool> {
    let read = |name: &str| {
        let file = files.iter().find(|file| file.shape(name).is_some());
        file.map(|file| file.read(name, DType::F32)).transpose()
    };
    let (Some(one), Some(other)) = (read(one)?, read(other)?) else {
        return Ok(true);
    };
    if one.dims() != other.dims() {
        return Ok(false);
    }
    let different = one.ne(&other)?.to_dtype(DType::F32)?.sum_all()?;
    Ok(different.to_scalar::<f32>()? == 0.0)
}
