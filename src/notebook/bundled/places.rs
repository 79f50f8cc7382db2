//! Where in a bundle the files of a run stand: as they stood to the folder that the script was run in.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::asked::Asked;
use crate::bundle::{FILES, LIBRARY};
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::script::host::normal_form;

/// Where files are put that stood outside the working folder and were named by a parameter.
const OUTSIDE: &str = "outside";

/// From places on this machine to places in the bundle.
pub struct Places {
    working: PathBuf,
    /// The script, below `files/`; and its folder, where that is outside the working folder.
    script: String,
    script_folder: Option<PathBuf>,
    library: Vec<PathBuf>,
    parameters: Vec<Parameter>,
}

/// A parameter of the run, as it was and as it is in the bundle.
struct Parameter {
    name: String,
    value: Value,
    /// Where its value leads, up to the first wildcard, if it is a text.
    path: Option<PathBuf>,
    /// Its value in the bundle, where files were found below that path.
    moved: Option<String>,
}

impl Places {
    pub fn of(facts: &Value, asked: &Asked) -> Self {
        let working = match facts["working_folder"].as_str() {
            Some(folder) => PathBuf::from(folder),
            None => asked.working_folder.clone(),
        };
        let typed = facts["script"].as_str().unwrap_or("script.rhai");
        let full = real(&working.join(typed));
        let (script, script_folder) = match inside(&full, &working) {
            Some(script) => (script, None),
            None => {
                let name = full.file_name().unwrap_or_default().to_string_lossy().to_string();
                (name, full.parent().map(Path::to_path_buf))
            }
        };
        let library = facts["library"].as_array().into_iter().flatten();
        let library = library.filter_map(|folder| folder.as_str().map(PathBuf::from));
        let library = library.chain(asked.library.iter().cloned()).collect();
        let all = facts["parameters"].as_object().into_iter().flatten();
        let parameter = |(name, value): (&String, &Value)| Parameter {
            name: name.clone(),
            value: value.clone(),
            path: value.as_str().and_then(|typed| fixed(&working, typed)),
            moved: None,
        };
        let parameters = all.map(parameter).collect();
        Self { working, script, script_folder, library, parameters }
    }

    pub fn working_folder(&self) -> &Path {
        &self.working
    }

    /// The script's place below `files/`.
    pub fn script(&self) -> &str {
        &self.script
    }

    /// The parameters, with the places that files have in the bundle.
    pub fn parameters(&self) -> Map<String, Value> {
        let value = |parameter: &Parameter| match &parameter.moved {
            Some(moved) => Value::from(moved.clone()),
            None => parameter.value.clone(),
        };
        self.parameters.iter().map(|parameter| (parameter.name.clone(), value(parameter))).collect()
    }

    /// Where a file or a folder stands in the bundle. `named` is what the script called it, if that is known.
    pub fn place(&mut self, path: &Path, named: &str) -> Result<String> {
        let folder = self.library.iter().find(|folder| path.parent() == Some(folder));
        if folder.is_some() && path.extension().is_some_and(|end| end == "rhai") {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            return Ok(format!("{LIBRARY}{name}"));
        }
        let by_parameter = self.by_parameter(path);
        let beside = || inside(path, self.script_folder.as_deref()?);
        let place = inside(path, &self.working).or(by_parameter).or_else(beside);
        place.map(|place| format!("{FILES}{place}")).ok_or_else(|| {
            Error::failed_with_hint(
                format!(
                    "{named} lies outside the working folder of the run ({}), so that the script would not find it elsewhere",
                    self.working.display()
                ),
                "put it below the working folder, or hand its path to the script as a parameter, and run it anew",
            )
        })
    }

    /// The place of a file that a parameter leads to; the parameter leads there in the bundle, too.
    fn by_parameter(&mut self, path: &Path) -> Option<String> {
        let mut found = None;
        for parameter in &mut self.parameters {
            let Some(from) = parameter.path.as_ref().filter(|from| path.starts_with(from)) else {
                continue;
            };
            let typed = parameter.value.as_str().unwrap_or_default();
            let wild = match typed.find(['*', '?', '[']) {
                Some(at) => {
                    let slash = typed.get(..at).and_then(|head| head.rfind('/')).unwrap_or(0);
                    typed.get(slash..).unwrap_or_default()
                }
                None => "",
            };
            let root = match inside(from, &self.working) {
                Some(place) => place,
                None => {
                    let name = from.file_name().unwrap_or_default().to_string_lossy();
                    format!("{OUTSIDE}/{}/{name}", parameter.name)
                }
            };
            if Path::new(typed).is_absolute() || typed.split('/').any(|part| part == "..") {
                parameter.moved = Some(format!("{root}{wild}"));
            }
            let rest = inside(path, from).unwrap_or_default();
            let place = if rest.is_empty() { root } else { format!("{root}/{rest}") };
            found.get_or_insert(place);
        }
        found
    }
}

/// Where a text would lead as a path, up to its first wildcard, if there is anything.
fn fixed(working: &Path, typed: &str) -> Option<PathBuf> {
    let end = match typed.find(['*', '?', '[']) {
        Some(wild) => typed.get(..wild)?.rfind('/')?,
        None => typed.len(),
    };
    let head = typed.get(..end).filter(|head| !head.is_empty())?;
    let full = normal_form(&working.join(head));
    let found = Roots::anywhere().find(&full).ok()?;
    // A folder that everything is in says nothing of a file.
    let path = found.path().to_path_buf();
    (path.parent().is_some() && !working.starts_with(&path)).then_some(path)
}

/// A path as it really is, where it is there.
fn real(path: &Path) -> PathBuf {
    let full = normal_form(path);
    let found = Roots::anywhere().find(&full);
    found.map(|found| found.path().to_path_buf()).unwrap_or(full)
}

/// A path below a folder, with `/` between its parts.
fn inside(path: &Path, folder: &Path) -> Option<String> {
    let rest = path.strip_prefix(folder).ok()?;
    let parts = rest.components().map(|part| part.as_os_str().to_str());
    parts.collect::<Option<Vec<&str>>>().map(|parts| parts.join("/"))
}
