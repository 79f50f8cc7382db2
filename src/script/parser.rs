//! An engine that reads a script without running it.

use rhai::Engine;

use super::last;

/// Expressions as deep as any script needs, and far from the end of the stack.
pub const EXPRESSION_DEPTH: usize = 128;

/// Makes rhai's hashes the same in every process: what a script is parsed into holds them, the cases of a `switch` as nothing
/// else, and `cached` knows code by it. Any numbers do; there is one choice for the process, and the first one stays.
pub fn hash_alike() {
    let _ = rhai::config::hashing::set_hashing_seed(Some([5, 8, 13, 21]));
}

/// An engine that only parses: to read a script's parameters without running it.
pub fn parser() -> Engine {
    hash_alike();
    let mut engine = Engine::new_raw();
    // Nothing may be optimised away: a parameter in a branch that is not taken is one all the same.
    engine.set_optimization_level(rhai::OptimizationLevel::None);
    last::name(&mut engine, |token| token);
    engine.set_max_expr_depths(EXPRESSION_DEPTH, EXPRESSION_DEPTH);
    engine
}
