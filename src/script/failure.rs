//! Errors on their way through rhai: ours keep their hint and gain the call's position.

use rhai::{Dynamic, EvalAltResult, NativeCallContext, Position};

use crate::error::Error;

/// What a script function returns.
pub type ScriptResult<T> = Result<T, Box<EvalAltResult>>;

/// An error of ours as a script's `catch` sees it: prints as its sentence, with `message` and `hint` to read.
#[derive(Clone, Debug)]
pub struct Failure {
    pub message: String,
    pub hint: Option<String>,
    /// The user asked to stop: no `catch` may swallow this.
    pub interrupted: bool,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            message: error.to_string(),
            hint: error.hint(),
            interrupted: matches!(error, Error::Interrupted),
        }
    }
}

/// Attaches the position of the call to an error from Rust, which rhai would report without one.
pub fn raise(context: &NativeCallContext, error: Error) -> Box<EvalAltResult> {
    raise_at(context.call_position(), error)
}

/// The same for a known position.
pub fn raise_at(position: Position, error: Error) -> Box<EvalAltResult> {
    let failure = Failure::from(&error);
    if failure.interrupted {
        Box::new(EvalAltResult::ErrorTerminated(Dynamic::UNIT, position))
    } else {
        Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(failure), position))
    }
}

/// `result.at(&context)?` in a script function.
pub trait At<T> {
    fn at(self, context: &NativeCallContext) -> ScriptResult<T>;
}

impl<T> At<T> for crate::error::Result<T> {
    fn at(self, context: &NativeCallContext) -> ScriptResult<T> {
        self.map_err(|error| raise(context, error))
    }
}
