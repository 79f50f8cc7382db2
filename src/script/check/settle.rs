//! Whether what a script reads is there, and where what it writes goes: nothing is read but the names of files.

use std::path::Path;

use super::context::{Context, Reached};
use super::found::{Fetch, Role, State, Use};
use super::scopes::Text;
use crate::doorway::Found;
use crate::error::{Error, Result};
use crate::frame::{bundled, read};
use crate::hub::{DataName, has_data, has_model};
use crate::model::load;
use crate::script::host::{Host, normal_form};
use crate::script::lost;
use crate::toxicity;

/// What is known of a thing that is there, or will be.
struct Settled {
    state: State,
    detail: String,
    hub: Option<Fetch>,
}

impl Settled {
    fn new(state: State, detail: impl Into<String>) -> Self {
        Self { state, detail: detail.into(), hub: None }
    }

    fn of_hub(fetch: Fetch) -> Self {
        Self { hub: Some(fetch), ..Self::new(State::Hub, "") }
    }
}

/// Makes uses of what the calls of a text reach for, and notes what is missing.
pub fn settle(context: &mut Context) {
    let reaches = std::mem::take(&mut context.reaches);
    for reached in &reaches {
        let settled = match &reached.what {
            None => Settled::new(State::Open, ""),
            // An empty default stands for what is not asked for.
            Some(what) if what.text.is_empty() && what.is_default => Settled::new(State::Open, ""),
            Some(what) => {
                let earlier = reaches.iter().filter(|other| is_before(other, reached));
                found(context, reached, what, earlier)
            }
        };
        note(context, reached, settled);
    }
}

/// Whether a call that writes may have run when another one reads.
fn is_before(writes: &Reached, reads: &Reached) -> bool {
    let order = writes.place.line < reads.place.line || writes.in_function || reads.in_function;
    writes.role == Role::Written && order
}

fn found<'r>(
    context: &mut Context,
    reached: &Reached,
    what: &Text,
    mut earlier: impl Iterator<Item = &'r Reached> + Clone,
) -> Settled {
    let looked = match reached.role {
        Role::Written => context.host.writable(&what.text).map(|_| Settled::new(State::New, "")),
        Role::Data => data(context.host, &what.text),
        Role::Model | Role::Module => model(context.host, reached, &what.text),
    };
    let within = |other: &&Reached| {
        let place = other.what.as_ref().map(|place| normal_form(Path::new(&place.text)));
        place.is_some_and(|place| normal_form(Path::new(&what.text)).starts_with(place))
    };
    let made = match (&looked, reached.role) {
        (_, Role::Written) => None,
        // A folder that the script writes may look like a name on the Hub.
        (Ok(settled), _) if settled.state != State::Hub => None,
        _ => earlier.clone().find(within),
    };
    if let Some(made) = made {
        return Settled::new(State::Made, format!("written in line {}", made.place.line));
    }
    let error = match looked {
        Ok(settled) => return settled,
        Err(error) => error,
    };
    if reached.role != Role::Written && context.asked.contains(&what.text) {
        return Settled::new(State::Missing, "the script asks with `exists`");
    }
    // What a parameter's default names, or a `try` catches, or may be written under a name that only the run knows, may be
    // meant to be missing.
    let unsure = earlier.any(|other| other.what.is_none());
    if what.is_default || reached.is_tried || unsure {
        context.warn(reached.place, error);
    } else {
        context.refuse(reached.place, error);
    }
    Settled::new(State::Missing, "")
}

fn note(context: &mut Context, reached: &Reached, settled: Settled) {
    let call = match reached.argument {
        "" => reached.call.clone(),
        option => format!("{}, {option}", reached.call),
    };
    let used = Use {
        role: reached.role,
        what: reached.what.as_ref().map(|what| what.text.clone()),
        parameter: reached.what.as_ref().and_then(|what| what.parameter.clone()),
        call,
        file: context.file.to_string(),
        line: reached.place.line,
        state: settled.state,
        detail: settled.detail,
        hub: settled.hub,
    };
    if !context.found.uses.contains(&used) {
        context.found.uses.push(used);
    }
}

fn data(host: &Host, path: &str) -> Result<Settled> {
    if let Some(name) = path.strip_prefix("ebb/") {
        return bundled::find(name).map(|(file, _)| Settled::new(State::Bundled, file));
    }
    if let Some(name) = path.strip_prefix("hf/") {
        let name = DataName::of(name);
        let cached = has_data(&name, &host.hub);
        let DataName { repository, revision, .. } = name;
        return Ok(Settled::of_hub(Fetch { repository, revision, cached }));
    }
    let files = read::files_of(path, &host.working_folder, &host.roots(path), &host.control);
    let files = lost::file(host, path, files)?;
    Ok(match files.files.len() {
        1 => Settled::new(State::There, ""),
        count => Settled::new(State::There, format!("{count} files")),
    })
}

fn model(host: &Host, reached: &Reached, source: &str) -> Result<Settled> {
    let classifier = reached.call == "load_detoxify";
    if let Some(name) = source.strip_prefix("ebb/") {
        let bundled = Ok(Settled::new(State::Bundled, ""));
        return match (load::bundled_files(name).is_some(), classifier) {
            (true, _) => bundled,
            (false, true) => {
                Err(Error::unknown("bundled classifier", source, load::bundled_classifiers()))
            }
            (false, false) => Err(Error::unknown("bundled model", source, load::bundled_names())),
        };
    }
    match host.found(source) {
        Ok(Found::Folder(_)) => return Ok(Settled::new(State::There, "")),
        Ok(Found::File(file))
            if classifier || file.extension().is_some_and(|end| end == "gguf") =>
        {
            return Ok(Settled::new(State::There, ""));
        }
        Err(error) if !error.is_missing() || !reached.argument.is_empty() => {
            return lost::file(host, source, Err(error));
        }
        _ => {}
    }
    if classifier && toxicity::is_published(source) {
        return Ok(Settled::new(
            State::There,
            "published by Detoxify; fetched where it is not kept",
        ));
    }
    let (repository, revision) = match source.split_once('@') {
        Some((repository, revision)) => (repository, Some(revision.to_string())),
        None => (source, reached.revision.clone()),
    };
    let parts = repository.split('/').filter(|part| !part.is_empty()).count();
    if parts != 2 || repository.starts_with(['.', '/', '~']) {
        let noun = if classifier { "classifier" } else { "model" };
        return Err(Error::failed_with_hint(
            format!("there is no {noun} `{source}`"),
            lost::near(host, source),
        ));
    }
    let cached = has_model(repository, revision.as_deref(), &host.hub);
    Ok(Settled::of_hub(Fetch { repository: repository.to_string(), revision, cached }))
}
