//! Tokenizers that scripts train.

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use crate::aside::aside;
use crate::error::{Error, Result};
use crate::model::bpe;
use crate::script::convert;
use crate::script::failure::{At, ScriptResult};
use crate::script::host::Host;
use crate::script::options::Options;

/// A tokenizer without a model: what `train_tokenizer` gives and `new_model` takes.
#[derive(Clone)]
pub struct TokenizerFile(pub Rc<String>);

pub fn register_tokenizer(engine: &mut Engine, _host: &Rc<Host>) {
    engine.register_type_with_name::<TokenizerFile>("Tokenizer");
    engine.register_fn(
        "train_tokenizer",
        |context: NativeCallContext, texts: Array, opts: Map| -> ScriptResult<TokenizerFile> {
            let run = || {
                let options = Options::new("train_tokenizer", opts);
                let size = options.count("vocab_size", 1)?.unwrap_or(2048);
                let specials =
                    options.texts("special_tokens")?.unwrap_or_else(|| vec!["<end>".to_string()]);
                let spaces_apart = match options.text("spaces")?.as_deref() {
                    None | Some("joined") => false,
                    Some("apart") => true,
                    Some(other) => {
                        return Err(Error::unknown("way of spaces", other, ["joined", "apart"]));
                    }
                };
                options.finish()?;
                let texts = strings("train_tokenizer", &texts)?;
                let file = aside(move || bpe::train(&texts, size, &specials, spaces_apart))?;
                Ok::<_, Error>(TokenizerFile(Rc::new(file)))
            };
            run().at(&context)
        },
    );
}

/// An array of strings.
fn strings(operation: &str, values: &Array) -> Result<Vec<String>> {
    let text = |value: &Dynamic| {
        value
            .clone()
            .into_string()
            .map_err(|_| Error::invalid(operation, "an array of strings", convert::describe(value)))
    };
    values.iter().map(text).collect()
}
