//! Values that are kept from one run to the next: `cached`, and what it keeps listed and cleared.

use std::path::PathBuf;
use std::rc::Rc;

use polars::prelude::{DataFrame, IntoColumn, NamedFrom, Series};
use rhai::{Dynamic, Engine, FnPtr, Map, NativeCallContext};

use super::frame::Frame;
use crate::error::{Context, Error, Result};
use crate::files;
use crate::script::cache::{self, Shelf};
use crate::script::failure::{At, ScriptResult};
use crate::script::host::{Event, Host, Inputs};
use crate::script::record::Record;

/// Characters of a key that are shown.
const LABEL: usize = 60;

pub const RECORDS: &[Record] = &[
    Record::new(
        "cached",
        &["cached(key, || …)"],
        "The closure's value, computed once and kept: the next time it is read back",
        r#"let rows = 100;
cached(#{ what: "draws", rows: rows }, || frame(#{ x: random_integers(rows, 10, 1, "x") }))"#,
        register_cached,
    )
    .doc(
        "Kept are models (with lineage and log, also over GGUF blocks), classifiers, frames, numbers, texts, and arrays and maps of these. The value is found again \
         where all of this is the same: the key, the closure's code with the functions of the script that it calls, the \
         variables that it reads (frames and models by their content), the seed, the device, the program, and the files that it \
         read. What else it does (printing, saving, its log in the run folder) does not happen again. Entries lie in EBB_CACHE, \
         or in `ebb` in the user's cache folder, and are shared by scripts; what is damaged is computed again.",
    ),
    Record::new(
        "cache_list",
        &["cache_list() -> Frame"],
        "What cached keeps: key, bytes and address of each entry",
        r#"cache_list().columns()"#,
        register_list,
    ),
    Record::new(
        "cache_clear",
        &["cache_clear() -> map"],
        "Removes what cached keeps, but for what another process is at; says how many entries and bytes",
        r#"cache_clear().entries"#,
        register_clear,
    ),
];

fn register_cached(engine: &mut Engine, host: &Rc<Host>) {
    let host = host.clone();
    engine.register_fn(
        "cached",
        move |context: NativeCallContext, key: Dynamic, closure: FnPtr| {
            cached(&context, &host, &key, &closure)
        },
    );
}

fn cached(
    context: &NativeCallContext,
    host: &Host,
    key: &Dynamic,
    closure: &FnPtr,
) -> ScriptResult<Dynamic> {
    let address = cache::address(context, host, key, closure).at(context)?;
    let label: String = key.to_string().chars().take(LABEL).collect();
    let Some(folder) = &host.cache else {
        host.tell_once("cached: there is no cache folder, so nothing is kept".to_string());
        return compute(context, host, closure).map(|(value, _)| value);
    };
    let shelf = match Shelf::hold(folder, &address, &host.device, &host.control) {
        Ok(shelf) => shelf,
        Err(error @ Error::Interrupted) => return Err(error).at(context),
        Err(error) => {
            host.tell(Event::Note(format!("cached: {label} is not kept: {error}")));
            return compute(context, host, closure).map(|(value, _)| value);
        }
    };
    match found(host, &shelf) {
        Ok(Some((value, inputs))) => {
            for (name, sha256) in inputs {
                host.tell(Event::Input { name, sha256 });
            }
            told(host, &address, &label, "was kept, and is not computed again");
            return Ok(value);
        }
        Ok(None) => {}
        Err(error @ Error::Interrupted) => return Err(error).at(context),
        Err(error) => {
            host.tell(Event::Note(format!("cached: {label} is computed again: {error}")));
        }
    }
    shelf.empty().at(context)?;
    let (value, inputs) = compute(context, host, closure)?;
    match shelf.keep(&label, &value, &inputs) {
        Ok(bytes) => told(host, &address, &label, &format!("is kept ({bytes} bytes)")),
        Err(error @ Error::Interrupted) => return Err(error).at(context),
        // The value is here, and may have taken hours.
        Err(error) => {
            host.tell(Event::Note(format!("cached: {label} is not kept: {error}")));
            shelf.empty().at(context)?;
        }
    }
    Ok(value)
}

fn told(host: &Host, address: &str, label: &str, what: &str) {
    host.tell(Event::Note(format!("cached: {label} {what}")));
    host.tell(Event::Input { name: format!("cached: {label}"), sha256: Some(address.to_string()) });
}

/// The entry, where what it was made from is still the same.
fn found(host: &Host, shelf: &Shelf) -> Result<Option<(Dynamic, Inputs)>> {
    let Some((note, inputs)) = shelf.find()? else {
        return Ok(None);
    };
    for (name, sha256) in &inputs {
        if !is_same(host, name, sha256.as_deref()) {
            return Err(Error::failed(format!(
                "{name}, which it read, has changed, or is no single file whose hash can be compared"
            )));
        }
    }
    Ok(Some((shelf.read(&note)?, inputs)))
}

/// Whether something read has the hash that it had. What the program ships goes with the program.
fn is_same(host: &Host, name: &str, sha256: Option<&str>) -> bool {
    if name.starts_with("ebb/") || name.starts_with("cached: ") {
        return true;
    }
    let bytes = host.roots(name).bytes(&host.absolute(name));
    bytes.is_ok_and(|bytes| Some(files::sha256(&bytes).as_str()) == sha256)
}

fn compute(
    context: &NativeCallContext,
    host: &Host,
    closure: &FnPtr,
) -> ScriptResult<(Dynamic, Inputs)> {
    host.heard.borrow_mut().push(Inputs::new());
    let value = closure.call_within_context::<Dynamic>(context, ());
    let inputs = host.heard.borrow_mut().pop().unwrap_or_default();
    let value = value?;
    cache::check(&value).at(context)?;
    Ok((value, inputs))
}

fn register_list(engine: &mut Engine, host: &Rc<Host>) {
    let host = host.clone();
    engine.register_fn("cache_list", move |context: NativeCallContext| {
        list(host.cache.clone()).map(Frame).at(&context)
    });
}

fn list(folder: Option<PathBuf>) -> Result<DataFrame> {
    let entries = folder.map_or(Ok(Vec::new()), |folder| cache::list(&folder))?;
    let labels: Vec<&str> = entries.iter().map(|entry| entry.label.as_str()).collect();
    let bytes: Vec<i64> = entries.iter().map(|entry| entry.bytes as i64).collect();
    let addresses: Vec<&str> = entries.iter().map(|entry| entry.address.as_str()).collect();
    let columns = vec![
        Series::new("key".into(), labels).into_column(),
        Series::new("bytes".into(), bytes).into_column(),
        Series::new("address".into(), addresses).into_column(),
    ];
    DataFrame::new(entries.len(), columns).during("cache_list")
}

fn register_clear(engine: &mut Engine, host: &Rc<Host>) {
    let host = host.clone();
    engine.register_fn("cache_clear", move |context: NativeCallContext| {
        let cleared = host.cache.as_ref().map_or(Ok((0, 0)), |folder| cache::clear(folder));
        let (entries, bytes) = cleared.at(&context)?;
        ScriptResult::Ok(Map::from([
            ("entries".into(), Dynamic::from(entries as i64)),
            ("bytes".into(), Dynamic::from(bytes as i64)),
        ]))
    });
}
