//! What may stand at a cursor, and what there is to say about a name: for every front, whatever it draws.
//!
//! It is made from the records of the script functions, the `///` comments of modules and of the script's own functions,
//! and the values that the session holds now.

mod candidates;
pub mod complete;
pub mod definitions;
pub mod entries;
pub mod help;
pub mod keys;
mod kinds;
mod pages;
pub mod reference;
mod strings;
pub mod tokens;
pub mod topics;
mod view;

pub use candidates::{Candidates, Item};
pub use view::{Held, View, functions, functions_of, held};

/// The call that a cursor stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// "f.select(exprs) -> Frame".
    pub form: String,
    pub summary: String,
    /// Which argument the cursor stands in, from 0.
    pub argument: usize,
}
