//! One record per script function.

use std::rc::Rc;

use rhai::Engine;

use super::host::Host;

/// A function of the script surface.
pub struct Record {
    /// The name scripts call: "read", or for a method of a type "Frame.select".
    pub name: &'static str,
    /// How it is called, one line a form: "read(path) -> Frame", "read(path, opts) -> Frame".
    pub signatures: &'static [&'static str],
    /// One line, a sentence without a full stop.
    pub summary: &'static str,
    /// Options, columns, errors: plain sentences; may be empty.
    pub doc: &'static str,
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
        Self { name, signatures, summary, doc: "", example, register }
    }

    /// The same with more to say.
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }
}
