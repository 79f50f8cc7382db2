//! Where `import` finds modules: the standard library (embedded, or a folder that overrides it), and .rhai files beside
//! the script, never outside what the run may read.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use include_dir::{Dir, include_dir};
use rhai::{Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};

use super::calls;
use super::captures;
use super::failure::raise_at;
use super::host::{Event, Host, ModuleFile};
use super::lost;
use super::rewrite;
use super::syntax;
use crate::doorway::{Opened, Roots};
use crate::error::{Error, Result};

static STANDARD: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/stdlib");

/// How many modules may import each other in a chain.
const LONGEST_CHAIN: usize = 32;

/// Resolves and keeps modules: each is evaluated once a session.
pub struct Library {
    host: Rc<Host>,
    known: RefCell<BTreeMap<String, Shared<Module>>>,
    /// The modules whose evaluation is under way: each imports the one behind it.
    under_way: RefCell<Vec<String>>,
}

impl Library {
    pub fn new(host: Rc<Host>) -> Self {
        Self { host, known: RefCell::default(), under_way: RefCell::default() }
    }

    fn text(&self, path: &str) -> Result<String> {
        match path.strip_prefix("std/") {
            Some(name) => self.standard(name),
            None => self.beside(path),
        }
    }

    fn standard(&self, name: &str) -> Result<String> {
        let file = format!("{name}.rhai");
        let plain = !name.contains(['/', '\\', '.']);
        let folders = self.host.library.iter().filter(|_| plain);
        for folder in folders {
            match Roots::of([folder.clone()]).open(&folder.join(&file)) {
                Err(error) if error.is_missing() => {}
                opened => return self.file_text(opened?),
            }
        }
        STANDARD
            .get_file(&file)
            .and_then(|file| file.contents_utf8())
            .map(str::to_string)
            .ok_or_else(|| Error::unknown("module", format!("std/{name}"), standard_names()))
    }

    fn beside(&self, path: &str) -> Result<String> {
        if Path::new(path).is_absolute()
            || Path::new(path).components().any(|part| part.as_os_str() == "..")
        {
            return Err(Error::failed_with_hint(
                format!("the module {path:?} may not be imported"),
                "import a .rhai file below the working folder by its relative path, or \"std/NAME\"",
            ));
        }
        let file = format!("{path}.rhai");
        let beside_script = self.host.script_folder.as_ref().map(|folder| {
            let roots = Roots::of([folder.clone()]);
            roots.open(&folder.join(&file))
        });
        let opened = match beside_script {
            // What is there and may not be read is not to be taken from elsewhere without a word.
            Some(Err(error)) if !error.is_missing() => Err(error),
            Some(Ok(opened)) => Ok(opened),
            _ => self.host.roots(&file).open(&self.host.absolute(&file)),
        };
        let searched = match &self.host.script_folder {
            Some(folder) => folder.join(&file).display().to_string(),
            None => file.clone(),
        };
        let opened = opened.map_err(|error| error.about(&file));
        self.file_text(lost::file(&self.host, &searched, opened)?)
    }

    /// A module's text; the run's record learns of it.
    fn file_text(&self, opened: Opened) -> Result<String> {
        let path = opened.path.clone();
        let text = opened.text(&path)?;
        let (name, hash) = (path.display().to_string(), crate::files::sha256(text.as_bytes()));
        let module = ModuleFile { sha256: hash.clone(), asks_parameters: text.contains("param") };
        self.host.modules.borrow_mut().insert(name.clone(), module);
        self.host.tell(Event::Input { name, sha256: Some(hash) });
        Ok(text)
    }
}

/// Refuses a module that is under way already, and chains of modules without an end.
pub fn check_chain(under_way: &[String], path: &str) -> Result<()> {
    if let Some(start) = under_way.iter().position(|module| module == path) {
        let circle = under_way.iter().skip(start).map(String::as_str);
        let circle: Vec<&str> = circle.chain([path]).collect();
        return Err(Error::failed_with_hint(
            format!("the module {path} imports itself ({})", circle.join(" → ")),
            "put what both need into a module of its own",
        ));
    }
    if under_way.len() < LONGEST_CHAIN {
        Ok(())
    } else {
        Err(Error::failed(format!(
            "the module {path} is the end of a chain of more than {LONGEST_CHAIN} modules that import each other"
        )))
    }
}

/// A module's text, for those who read about it.
pub fn page(host: &Rc<Host>, path: &str) -> Result<String> {
    Library::new(host.clone()).text(&plain(path))
}

/// One name a module: `./a` is `a`.
pub fn plain(path: &str) -> String {
    let parts = path.split('/').filter(|part| *part != ".");
    parts.collect::<Vec<_>>().join("/")
}

/// The guide to the standard library, in Markdown.
pub fn guide() -> &'static str {
    STANDARD.get_file("README.md").and_then(|file| file.contents_utf8()).unwrap_or_default()
}

/// "std/bbq", "std/mixture", …
pub fn standard_names() -> Vec<String> {
    let pages = STANDARD.files().map(|file| file.path());
    let pages = pages.filter(|path| path.extension().is_some_and(|extension| extension == "rhai"));
    let stems = pages.filter_map(Path::file_stem);
    stems.map(|stem| format!("std/{}", stem.to_string_lossy())).collect()
}

/// How the functions of a module of the standard library are called: "prompt(row)".
pub fn standard_forms(path: &str) -> Vec<String> {
    let file = format!("{}.rhai", path.trim_start_matches("std/"));
    let text = STANDARD.get_file(file).and_then(|file| file.contents_utf8()).unwrap_or_default();
    let heads = text.lines().filter_map(|line| line.strip_prefix("fn "));
    heads.filter_map(|head| Some(format!("{})", head.split_once(')')?.0))).collect()
}

impl ModuleResolver for Library {
    fn resolve(
        &self,
        engine: &Engine,
        _source: Option<&str>,
        path: &str,
        position: Position,
    ) -> std::result::Result<Shared<Module>, Box<EvalAltResult>> {
        let path = plain(path);
        let path = path.as_str();
        if let Some(module) = self.known.borrow().get(path) {
            return Ok(module.clone());
        }
        let raise = |error| raise_at(position, error);
        let text = check_chain(&self.under_way.borrow(), path)
            .and_then(|()| self.text(path))
            .map_err(raise)?;
        let in_module =
            |error| Box::new(EvalAltResult::ErrorInModule(path.to_string(), error, position));
        let (mut ast, _) = rewrite::compile(engine, &text, &|_| false)
            .map_err(|error| in_module(syntax::taught(error, &text, 0)))?;
        calls::check(engine, &ast, &[]).map_err(in_module)?;
        captures::check(&ast, &[]).map_err(in_module)?;
        ast.set_source(path);
        self.under_way.borrow_mut().push(path.to_string());
        let module = Module::eval_ast_as_new(Scope::new(), &ast, engine);
        self.under_way.borrow_mut().pop();
        let module = module.map_err(in_module)?;
        let module: Shared<Module> = module.into();
        self.known.borrow_mut().insert(path.to_string(), module.clone());
        Ok(module)
    }
}
