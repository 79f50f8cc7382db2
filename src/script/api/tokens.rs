//! Token ids as scripts hand them over and get them back.

use rhai::{Array, Dynamic};

use crate::aside::aside;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::script::convert;

/// Ids as a script's array.
pub fn ids_array(ids: &[u32]) -> Array {
    ids.iter().map(|id| Dynamic::from(i64::from(*id))).collect()
}

/// An array of token ids.
pub fn token_ids(value: &Dynamic) -> Result<Vec<u32>> {
    let refuse = || {
        Error::invalid("token ids", "an array of whole numbers from 0", convert::describe(value))
    };
    let array = value.clone().try_cast::<Array>().ok_or_else(refuse)?;
    let id =
        |item: Dynamic| u32::try_from(item.as_int().map_err(|_| refuse())?).map_err(|_| refuse());
    array.into_iter().map(id).collect()
}

/// A prompt as token ids: a text, or ids as they are.
pub fn prompt_ids(model: &Model, prompt: &Dynamic) -> Result<Vec<u32>> {
    match prompt.clone().into_string() {
        Ok(text) => {
            let model = model.clone();
            aside(move || model.tokenizer().encode_prompt(&text))
        }
        Err(_) => token_ids(prompt),
    }
}
