//! One record per script function.

use std::rc::Rc;

use rhai::Engine;

use super::host::Host;

/// One key of the map of options that a function takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionDoc {
    pub name: &'static str,
    /// What its value is, in the script's words: "string", "whole number", "true or false", "column, template or closure".
    pub kind: &'static str,
    /// What it is unless it is given, as a script writes it; empty where it has no such value.
    pub default: &'static str,
    /// One line, a sentence without a full stop.
    pub meaning: &'static str,
}

/// An option as records and the lists that they share write it.
pub const fn option(
    name: &'static str,
    kind: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> OptionDoc {
    OptionDoc { name, kind, default, meaning }
}

/// A function of the script surface.
pub struct Record {
    /// The name scripts call: "read", or for a method of a type "Frame.select".
    pub name: &'static str,
    /// How it is called, one line a form: "read(path) -> Frame", "read(path, opts) -> Frame".
    pub signatures: &'static [&'static str],
    /// One line, a sentence without a full stop.
    pub summary: &'static str,
    /// Columns, errors, what comes back: plain sentences; may be empty.
    pub doc: &'static str,
    /// What the functions' maps of options may hold, in groups, of which functions share some. A form with `opts` takes all
    /// of them, a form with `#{ literal, n }` those that it names.
    pub options: &'static [&'static [OptionDoc]],
    /// Rhai code that runs as it stands with the bundled data; the test suite runs it.
    pub example: &'static str,
    /// Puts it into an engine.
    pub register: fn(&mut Engine, &Rc<Host>),
}

impl Record {
    /// A record that its summary says all about.
    pub const fn new(
        name: &'static str,
        signatures: &'static [&'static str],
        summary: &'static str,
        example: &'static str,
        register: fn(&mut Engine, &Rc<Host>),
    ) -> Self {
        Self { name, signatures, summary, doc: "", options: &[], example, register }
    }

    /// The same with more to say.
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// The same with options.
    pub const fn options(mut self, options: &'static [&'static [OptionDoc]]) -> Self {
        self.options = options;
        self
    }

    /// The options that one of its forms takes.
    pub fn options_of(&self, form: &str) -> Vec<&'static OptionDoc> {
        let all = self.options.iter().flat_map(|group| group.iter());
        match named_in(form) {
            Some(named) => all.filter(|option| named.contains(&option.name)).collect(),
            None if form.contains("opts") => all.collect(),
            None => Vec::new(),
        }
    }

    /// The options of all its forms, each once.
    pub fn all_options(&self) -> impl Iterator<Item = &'static OptionDoc> {
        self.options.iter().flat_map(|group| group.iter())
    }
}

/// The options that a form names: `#{ literal, n }`. A form's other maps have values: `#{ column: values }`.
pub fn named_in(form: &str) -> Option<Vec<&str>> {
    let (_, behind) = form.split_once("#{")?;
    let (inside, _) = behind.split_once('}')?;
    (!inside.contains(':')).then(|| inside.split(',').map(str::trim).collect())
}
