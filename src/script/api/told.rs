//! What a run's record is told of models that were loaded: by which names they are known to others, and with which hashes.

use std::path::Path;

use crate::model::{Model, load};
use crate::script::host::{Event, Host};

/// Tells of a model; of an adapter and its base each by itself. `folder` is where the name leads on the disk.
pub fn model(host: &Host, source: &str, folder: Option<&Path>, model: &Model) {
    let (lineage, base) = (model.lineage(), model.base_source());
    let of_base = format!(" over {}", base.name);
    let Some(own) = lineage.source.strip_suffix(&of_base) else {
        let name = with_commit(source, &lineage.source);
        host.tell(Event::Input { name, sha256: lineage.sha256.clone() });
        return;
    };
    let is_asked = folder.is_some_and(|folder| folder.display().to_string() == own);
    let name = if is_asked { source.to_string() } else { own.to_string() };
    host.tell(Event::Input { name, sha256: lineage.sha256.clone() });
    host.tell(Event::Input { name: base.name.clone(), sha256: base.sha256.clone() });
}

/// A name on the Hub with the commit that it stood for, `org/name@commit`, as `known` says; any other name as it is.
pub fn with_commit(source: &str, known: &str) -> String {
    let repository = source.split('@').next().unwrap_or(source);
    let rest = known.strip_prefix(repository);
    let is_commit = rest.is_some_and(|rest| rest.starts_with('@'));
    if is_commit { known.to_string() } else { source.to_string() }
}

/// What of a model's files is not computed with: code of their own, and tensors that the model has no use for.
pub fn strange(host: &Host, source: &str, model: &Model) {
    if model.config().to_json("float32").get("auto_map").is_some() {
        host.tell(Event::Note(format!(
            "load_model: {source} names code of its own (auto_map), which is not run: it is computed as a {}",
            model.config().family.name()
        )));
    }
    if !model.lineage().unused.is_empty() {
        let unused = model.lineage().unused.iter().cloned().collect();
        host.tell(Event::Note(format!(
            "load_model: the files hold tensors that the model does not use: {}",
            load::shortened(&unused)
        )));
    }
}
