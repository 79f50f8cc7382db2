//! Classifiers kept whole in a folder of ours, to be the very same classifiers again.

use std::path::Path;

use candle_core::DType;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::classifier::Classifier;
use super::load::{LoadOptions, of_folder};
use super::save;
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::files;
use crate::model::keep;
use crate::model::load::source::Files;

const FACTS: &str = "facts.json";

/// Writes the classifier into a folder that holds nothing yet.
///
/// # Errors
/// Where the classifier would not come back as it is.
pub fn write(classifier: &Classifier, folder: &Path, options: &LoadOptions) -> Result<()> {
    let roots = [folder.to_path_buf()];
    save::to_folder_within(classifier, &folder.join("base"), DType::F32, &roots, &[])?;
    let facts = json!({
        "source": classifier.source, "sha256": classifier.sha256, "unused": classifier.unused,
        "labels": classifier.labels, "lineage": classifier.lineage, "log": classifier.log,
    });
    let path = folder.join(FACTS);
    files::write_bytes(&Roots::of(roots), &path, facts.to_string().as_bytes())?;
    if fingerprint(&read(folder, options)?)? == fingerprint(classifier)? {
        Ok(())
    } else {
        Err(Error::failed("its folder does not give the same classifier again"))
    }
}

/// The classifier that [`write`] kept in a folder.
pub fn read(folder: &Path, options: &LoadOptions) -> Result<Classifier> {
    let path = folder.join(FACTS);
    let malformed = |error: serde_json::Error| Error::malformed(&path, None, error.to_string());
    let mut facts: Value = serde_json::from_str(&options.roots.text(&path)?).map_err(malformed)?;
    let mut fact = |key: &str| facts.get_mut(key).map(Value::take).unwrap_or_default();
    let labels = serde_json::from_value(fact("labels")).map_err(malformed)?;
    let options = LoadOptions { labels: Some(labels), ..options.clone() };
    let mut made = of_folder(&Files::of_folder(&folder.join("base"), &options.roots), &options)?;
    made.source = serde_json::from_value(fact("source")).map_err(malformed)?;
    made.sha256 = serde_json::from_value(fact("sha256")).map_err(malformed)?;
    made.unused = serde_json::from_value(fact("unused")).map_err(malformed)?;
    made.lineage = serde_json::from_value(fact("lineage")).map_err(malformed)?;
    made.log = serde_json::from_value(fact("log")).map_err(malformed)?;
    Ok(made)
}

/// A hash of all that a classifier computes with, and of how it came to be: equal only where every bit is.
pub fn fingerprint(classifier: &Classifier) -> Result<String> {
    let mut hasher = Sha256::new();
    let (tokenizer, settings) = classifier.tokenizer.content()?;
    let facts = json!({
        "config": classifier.encoder.config().to_json(&classifier.labels, "float32"),
        "tokenizer": tokenizer, "settings": settings, "window": classifier.window(),
        "source": classifier.source, "sha256": classifier.sha256, "lineage": classifier.lineage,
    });
    hasher.update(facts.to_string());
    keep::add(&mut hasher, &classifier.encoder.weights()?)?;
    Ok(files::hex(&hasher.finalize()))
}
