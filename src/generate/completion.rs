//! What a model wrote.

/// What the model wrote after a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// New tokens, without the end token.
    pub ids: Vec<u32>,
    /// Their text, cut before the stop string.
    pub text: String,
}
