//! A function of a script by itself.

use rhai::AST;

/// The functions of this name with so many parameters, and nothing else of the text.
pub fn alone(ast: &AST, name: &str, count: usize) -> AST {
    // rhai's clone with a filter takes all functions, and each closure would be looked for in all of them.
    let mut alone = ast.clone_functions_only();
    alone.retain_functions(|_, _, other, arguments| other == name && arguments == count);
    alone
}
