//! Checkpoints of finetunings, opened as models.

use std::path::Path;

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::model::Model;
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
        None if restored.base.stages.is_empty() => {
            let from = restored.base.source.clone();
            load_base(&from).map_err(|error| {
                let why =
                    format!("{source} was trained from {from}, which cannot be loaded: {error}");
                Error::failed_with_hint(
                    why,
                    "load that model first and give it as the option `base`",
                )
            })?
        }
        None => {
            return Err(Error::failed_with_hint(
                format!(
                    "{source} was trained from {} after {} finetunings, which stands in no file that is known here",
                    restored.base.source,
                    restored.base.stages.len()
                ),
                "give that model: load_model(folder, #{ base: m1 })",
            ));
        }
    };
    let model = restored.over(&base)?;
    host.tell(Event::Input { name: source.to_string(), sha256: None });
    Ok(model)
}
