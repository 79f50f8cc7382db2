//! The variables that a place of a script sees, with what is known of each.

use super::surface::Kind;

/// A text, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    pub text: String,
    /// The parameter that it is, or is made with.
    pub parameter: Option<String>,
    /// It is the parameter's default, which the command line may change.
    pub is_default: bool,
}

impl Text {
    pub fn literal(text: &str) -> Self {
        Self { text: text.to_string(), parameter: None, is_default: false }
    }

    pub fn and(mut self, next: Self) -> Self {
        self.text.push_str(&next.text);
        self.parameter = self.parameter.or(next.parameter);
        self.is_default |= next.is_default;
        self
    }
}

/// A variable.
#[derive(Clone, Debug, Default)]
pub struct Variable {
    pub name: String,
    pub kind: Kind,
    /// What it holds, where that is a text which can be told without a run.
    pub text: Option<Text>,
}

/// The variables of a block and of those around it.
#[derive(Default)]
pub struct Scopes {
    variables: Vec<Variable>,
    /// Variables below this one belong to whoever called, and are not seen.
    floor: usize,
}

/// Where a block, or a function, began.
#[derive(Clone, Copy)]
pub struct Mark {
    count: usize,
    floor: usize,
}

impl Scopes {
    pub fn add(&mut self, variable: Variable) {
        self.variables.push(variable);
    }

    /// A variable that nothing is known of but its name.
    pub fn name(&mut self, name: &str) {
        self.add(Variable { name: name.to_string(), ..Variable::default() });
    }

    /// The newest variable of a name.
    pub fn find(&self, name: &str) -> Option<&Variable> {
        self.seen().iter().rev().find(|variable| variable.name == name)
    }

    fn seen(&self) -> &[Variable] {
        self.variables.get(self.floor..).unwrap_or_default()
    }

    /// All variables, those that a function does not see as well.
    pub fn all(&self) -> &[Variable] {
        &self.variables
    }

    /// Nothing more is known of what variables hold.
    pub fn forget(&mut self) {
        for variable in &mut self.variables {
            (variable.kind, variable.text) = (None, None);
        }
    }

    pub fn begin_block(&self) -> Mark {
        Mark { count: self.variables.len(), floor: self.floor }
    }

    /// A function's body sees nothing of what is around it.
    pub fn begin_function(&mut self) -> Mark {
        let mark = self.begin_block();
        self.floor = self.variables.len();
        mark
    }

    pub fn end(&mut self, mark: Mark) {
        self.variables.truncate(mark.count);
        self.floor = mark.floor;
    }
}
