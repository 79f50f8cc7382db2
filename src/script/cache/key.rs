//! The content address of what `cached` keeps: a hash of everything that its value may depend on.

use polars::prelude::ParquetWriter;
use rhai::{Array, Dynamic, FnPtr, Map, NativeCallContext};
use sha2::{Digest, Sha256};

use super::code;
use crate::error::{Context, Error, Result};
use crate::files;
use crate::frame::nested;
use crate::model::{Model, keep, load};
use crate::script::api::frame::Frame;
use crate::script::api::toxicity::Scorer;
use crate::script::convert;
use crate::script::host::Host;
use crate::toxicity;

/// Counted up when entries are written or addressed otherwise.
const FORM: &str = "ebb cached 1";

/// The address of a closure's value: the program, the key, the closure's code and what it captured, the seed, the device.
pub fn address(
    context: &NativeCallContext,
    host: &Host,
    key: &Dynamic,
    closure: &FnPtr,
) -> Result<String> {
    let mut hash = Hash(Sha256::new());
    let device = load::device_of(&host.device)?;
    hash.part("program", &[FORM, env!("CARGO_PKG_VERSION"), env!("EBB_SOURCE")].join(" "));
    hash.part("device", if device.is_cuda() { "cuda" } else { "cpu" });
    hash.part("asked", &host.device);
    hash.part("seed", &host.seed.get().to_string());
    hash.value("the key of cached", key, None, 0)?;
    hash.closure(context, host, closure, 0)?;
    Ok(files::hex(&hash.0.finalize()))
}

struct Hash(Sha256);

/// Where the code of closures is found; without it they are refused.
type Place<'a> = Option<(&'a NativeCallContext<'a>, &'a Host)>;

impl Hash {
    /// Kinds and lengths go in too, so that no two values run into the same bytes.
    fn part(&mut self, kind: &str, text: &str) {
        self.bytes(kind, text.as_bytes());
    }

    fn bytes(&mut self, kind: &str, bytes: &[u8]) {
        self.0.update(format!("{kind} {}:", bytes.len()));
        self.0.update(bytes);
    }

    fn closure(
        &mut self,
        context: &NativeCallContext,
        host: &Host,
        closure: &FnPtr,
        depth: usize,
    ) -> Result<()> {
        for part in code::of(context, host, closure.fn_name())? {
            self.part("code", &part);
        }
        for captured in closure.curry() {
            let what = "a variable that the closure of cached reads";
            self.value(what, captured, Some((context, host)), depth + 1)?;
        }
        Ok(())
    }

    fn value(&mut self, what: &str, value: &Dynamic, place: Place, depth: usize) -> Result<()> {
        if depth > nested::DEEPEST {
            return Err(nested::too_deep(what));
        }
        let value = value.flatten_clone();
        if let Some(frame) = value.read_lock::<Frame>() {
            return self.frame(&frame);
        }
        if let Some(model) = value.read_lock::<Model>() {
            self.part("model", &keep::fingerprint(&model)?);
            return Ok(());
        }
        if let Some(scorer) = value.read_lock::<Scorer>() {
            self.part("classifier", &toxicity::keep::fingerprint(&scorer)?);
            return Ok(());
        }
        if let Some(array) = value.read_lock::<Array>() {
            self.part("array", &array.len().to_string());
            return array.iter().try_for_each(|item| self.value(what, item, place, depth + 1));
        }
        if let Some(map) = value.read_lock::<Map>() {
            self.part("map", &map.len().to_string());
            return map.iter().try_for_each(|(name, item)| {
                self.part("name", name);
                self.value(what, item, place, depth + 1)
            });
        }
        match (value.read_lock::<FnPtr>(), place) {
            (Some(closure), Some((context, host))) => {
                return self.closure(context, host, &closure, depth + 1);
            }
            (Some(_), None) => return Err(refused(what, &value)),
            _ => {}
        }
        match value.type_name() {
            "()" => self.part("nothing", ""),
            "bool" | "i64" | "char" => self.part(value.type_name(), &value.to_string()),
            "f64" => {
                let bits = value.as_float().unwrap_or_default().to_bits();
                self.part("f64", &bits.to_string());
            }
            _ if value.is_string() => self.part("text", &value.to_string()),
            _ => return Err(refused(what, &value)),
        }
        Ok(())
    }

    fn frame(&mut self, frame: &Frame) -> Result<()> {
        let mut frame = frame.0.clone();
        frame.rechunk_mut();
        self.part("frame", &format!("{} {:?}", frame.height(), frame.schema()));
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes).finish(&mut frame).during("hashing a frame for cached")?;
        self.bytes("cells", &bytes);
        Ok(())
    }
}

fn refused(what: &str, value: &Dynamic) -> Error {
    Error::invalid(
        what,
        "numbers, texts, booleans, arrays, maps, frames, models and classifiers",
        convert::describe(value),
    )
    .with_hint("make what it stands for inside the closure, or name it by a text")
}
