//! A kept run as a bundle: the script, what it read, and what came of it, gathered and checked against the run's record.

mod asked;
mod inputs;
mod places;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use self::asked::Asked;
use self::inputs::Gathered;
use self::places::Places;
use super::cells;
use super::kept::Kept;
use super::outputs;
use super::record::{FACTS, METRICS, REPORT, SCRIPT};
use crate::bundle::{self, About, EXPECTED, FILES, Manifest};
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::plain;

/// A bundle of a run.
pub struct Bundled {
    pub bytes: Vec<u8>,
    pub manifest: Manifest,
    /// What is worth a word.
    pub notes: Vec<String>,
}

/// Makes the bundle of a run that came to its end.
///
/// # Errors
/// Where an input has changed, is gone, or lies where it would not be found elsewhere.
pub fn bundle(kept: &Kept, asked: &Asked) -> Result<Bundled> {
    let mut places = Places::of(&kept.facts, asked);
    let script = places.script().to_string();
    let mut gathered = Gathered::new(&kept.facts, asked, &kept.folder);
    gathered.text(&format!("{FILES}{script}"), kept.script.as_bytes())?;
    gathered.inputs(&mut places)?;
    gathered.more(&mut places)?;
    let mut facts = kept.facts.clone();
    facts["inputs"] = Value::from(gathered.renamed.clone());
    facts["script"] = Value::from(places.script());
    facts["parameters"] = Value::from(places.parameters());
    let mut manifest = Manifest::new();
    manifest.script = script;
    manifest.parameters = places.parameters();
    manifest.first_seed = kept.facts["first_seed"].as_u64().unwrap_or_default();
    let Gathered { mut entries, notes, place, fetch, shipped, .. } = gathered;
    (manifest.place, manifest.fetch, manifest.shipped) = (place, fetch, shipped);
    expected(kept, &mut facts, &places, &mut entries)?;
    let bytes = bundle::pack(entries, manifest, &about(kept))?;
    let manifest = bundle::Bundle::of(&bytes)?.manifest;
    Ok(Bundled { bytes, manifest, notes })
}

/// The run as it was kept. Its record names inputs by where they are in the bundle.
fn expected(
    kept: &Kept,
    facts: &mut Value,
    places: &Places,
    entries: &mut BTreeMap<String, Vec<u8>>,
) -> Result<()> {
    let roots = Roots::below(&kept.folder);
    for name in [SCRIPT, outputs::FILE, METRICS, REPORT] {
        match roots.bytes(&kept.folder.join(name)) {
            Err(error) if error.is_missing() => {}
            bytes => {
                entries.insert(format!("{EXPECTED}{name}"), bytes?);
            }
        }
    }
    let folder = kept.folder.join(outputs::FOLDER);
    let rows = match roots.list(&folder) {
        Err(error) if error.is_missing() => Vec::new(),
        rows => rows?,
    };
    for entry in rows.iter().filter(|entry| entry.name.ends_with(".parquet")) {
        let name = format!("{EXPECTED}{}/{}", outputs::FOLDER, entry.name);
        entries.insert(name, roots.bytes(&folder.join(&entry.name))?);
    }
    if let Some(facts) = facts.as_object_mut() {
        // What they say of the machine is of no use elsewhere, but for comparing what cells said of it.
        facts.remove("working_folder");
        facts.remove("library");
    }
    let folder = roots.find(&kept.folder)?.path().display().to_string();
    let working = places.working_folder().display().to_string();
    let shown = entries.get(&format!("{EXPECTED}{}", outputs::FILE));
    let shown = shown.map(|bytes| String::from_utf8_lossy(bytes)).unwrap_or_default();
    if shown.contains(&working) || facts.to_string().contains(&working) {
        facts["places"] = json!([[folder, "RUN"], [working, "HERE"]]);
    }
    let text = plain::json_pretty(facts) + "\n";
    entries.insert(format!("{EXPECTED}{FACTS}"), text.into_bytes());
    Ok(())
}

/// What the page for readers says of the run.
fn about(kept: &Kept) -> About {
    let cells = cells::split(&kept.script);
    let title = cells::introduction(&cells).map(|(title, _)| title).unwrap_or_default();
    let named = [
        ("status", "status"),
        ("started", "started"),
        ("first_seed", "seed"),
        ("device", "device"),
        ("system", "system"),
        ("vectors", "vector instructions"),
        ("ebb", "ebb"),
        ("source", "built from"),
    ];
    let said = named.iter().filter_map(|(key, name)| {
        let value = match &kept.facts[*key] {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some((name.to_string(), value))
    });
    About { title, facts: said.collect() }
}

/// Refuses a run that did not come to its end: there is nothing whole to compare with.
pub fn check_ended(kept: &Kept, status: &str) -> Result<()> {
    if ["done", "failed"].contains(&status) {
        return Ok(());
    }
    let script = kept.facts["script"].as_str().unwrap_or("the script");
    Err(Error::failed_with_hint(
        format!(
            "the run in {} is {status}: only one that came to its end can be bundled",
            kept.folder.display()
        ),
        format!("run it to its end: ebb bundle {script} -o FILE.ebb"),
    ))
}
