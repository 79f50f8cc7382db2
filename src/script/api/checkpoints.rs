//! Checkpoints of finetunings, opened as models.

use std::path::Path;

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::lineage::Lineage;
use crate::model::load::{self, LoadOptions};
use crate::script::convert;
use crate::script::host::{Event, Host};
use crate::train::{checkpoint, restored};

/// Whether a folder is a checkpoint.
pub fn is_one(folder: &Path) -> bool {
    checkpoint::is_checkpoint(folder)
}

/// The model that a checkpoint of a finetuning holds.
pub fn model(
    host: &Host,
    source: &str,
    folder: &Path,
    base: Option<Dynamic>,
    settings: &LoadOptions,
    load_base: impl Fn(&str) -> Result<Model>,
) -> Result<Model> {
    let is_changed = settings.quantize.is_some() || settings.adapter.is_some();
    if is_changed || settings.revision.is_some() || settings.dtype.is_some() {
        return Err(Error::failed(
            "load_model: of a checkpoint it takes the options `base` and `device` alone",
        ));
    }
    let restored = restored::open(folder, &load::device_of(&settings.device)?)?;
    let base = match base {
        Some(base) => {
            let got = convert::describe(&base);
            let wrong = || Error::invalid("option `base` of load_model", "a model", got);
            base.try_cast::<Model>().ok_or_else(wrong)?
        }
        None => named(source, &restored.base, load_base)?,
    };
    let model = restored.over(&base)?;
    host.tell(Event::Input { name: source.to_string(), sha256: None });
    Ok(model)
}

/// The model that a checkpoint was trained from, where it stands under the name that its lineage begins with.
fn named(
    source: &str,
    lineage: &Lineage,
    load_base: impl Fn(&str) -> Result<Model>,
) -> Result<Model> {
    let from = &lineage.source;
    let hint = "give that model: load_model(folder, #{ base: m1 })";
    let found = load_base(from).map_err(|error| {
        let why = format!("{source} was trained from {from}, which cannot be loaded: {error}");
        Error::failed_with_hint(why, hint)
    })?;
    if found.lineage() == lineage {
        return Ok(found);
    }
    Err(Error::failed_with_hint(
        format!("{source} was trained from a model that was made of {from} and stands in no file"),
        hint,
    ))
}
