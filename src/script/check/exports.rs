//! What a module has for those who import it, read from its text.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use rhai::{AST, ASTFlags, ASTNode, Engine, EvalAltResult, FnAccess, Position, Stmt};

use super::gather::{self, Gathered};
use crate::script::captures::CLOSURE;
use crate::script::failure::raise_at;
use crate::script::host::Host;
use crate::script::{modules, rewrite, syntax};

/// What a module has for others.
pub struct Exports {
    /// The file that it was read from; nothing where the program brings it.
    pub file: Option<String>,
    pub text: String,
    /// Its functions, and how many values each takes.
    pub functions: Vec<(String, usize)>,
    pub variables: HashSet<String>,
    /// Keys of its maps, under which closures may be.
    pub keys: HashSet<String>,
}

/// The modules of a check, each read once.
pub struct Shelf<'a> {
    engine: &'a Engine,
    host: &'a Rc<Host>,
    known: RefCell<HashMap<String, Rc<Exports>>>,
    under_way: RefCell<Vec<String>>,
}

impl<'a> Shelf<'a> {
    pub fn new(engine: &'a Engine, host: &'a Rc<Host>) -> Self {
        Self { engine, host, known: RefCell::default(), under_way: RefCell::default() }
    }

    /// A module by its path, or what the run would say at a place.
    pub fn find(&self, path: &str, at: Position) -> Result<Rc<Exports>, Box<EvalAltResult>> {
        let path = modules::plain(path);
        if let Some(known) = self.known.borrow().get(&path) {
            return Ok(known.clone());
        }
        let raise = |error| raise_at(at, error);
        modules::check_chain(&self.under_way.borrow(), &path).map_err(raise)?;
        // Whoever reads a page notes where it was.
        self.host.modules.borrow_mut().clear();
        let text = modules::page(self.host, &path).map_err(raise)?;
        let file = self.host.modules.borrow().keys().next().cloned();
        self.under_way.borrow_mut().push(path.clone());
        let read = self.read(text, file);
        self.under_way.borrow_mut().pop();
        let within = |error| Box::new(EvalAltResult::ErrorInModule(path.clone(), error, at));
        let exports = Rc::new(read.map_err(within)?);
        self.known.borrow_mut().insert(path, exports.clone());
        Ok(exports)
    }

    fn read(&self, text: String, file: Option<String>) -> Result<Exports, Box<EvalAltResult>> {
        rewrite::compile(self.engine, &text, &|_| false)
            .map_err(|error| syntax::taught(error, &text, 0))?;
        let ast = self.engine.compile(&text)?;
        let Gathered { imports, mut keys, .. } = gather::of(&ast);
        for import in &imports {
            if let Some(path) = &import.path {
                keys.extend(self.find(path, import.at)?.keys.iter().cloned());
            }
        }
        let public = ast.iter_functions().filter(|function| {
            matches!(function.access, FnAccess::Public) && !function.name.starts_with(CLOSURE)
        });
        let functions = public.map(|function| (function.name.to_string(), function.params.len()));
        Ok(Exports { functions: functions.collect(), variables: exported(&ast), keys, file, text })
    }
}

fn exported(ast: &AST) -> HashSet<String> {
    let mut names = HashSet::new();
    ast.walk(&mut |nodes: &[ASTNode]| {
        match nodes.last() {
            Some(ASTNode::Stmt(Stmt::Var(parts, flags, _)))
                if flags.contains(ASTFlags::EXPORTED) =>
            {
                names.insert(parts.0.name.to_string());
            }
            Some(ASTNode::Stmt(Stmt::Export(parts, _))) => {
                let alias = if parts.1.name.is_empty() { &parts.0 } else { &parts.1 };
                names.insert(alias.name.to_string());
            }
            _ => {}
        }
        true
    });
    names
}
