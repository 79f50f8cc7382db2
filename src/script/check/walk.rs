//! A walk over one cell as the run would go: what each place sees, and what each call meets there.

use std::collections::HashMap;

use rhai::{Array, Dynamic, Expr, FlowControl, FnCallExpr, FnPtr, Map, Position, Stmt};

use super::bodies::Body;
use super::calls::{self, Call};
use super::context::{Context, Place, Reached};
use super::kinds::{Link, Reader, is_closure, links};
use super::reach::{self, Reach};
use super::scopes::{Scopes, Text, Variable};
use super::surface::Kind;
use super::texts;

/// One cell under way.
pub struct Walk<'w, 'c> {
    pub context: &'w mut Context<'c>,
    pub scopes: &'w mut Scopes,
    /// Functions and closures of the cell, by rhai's names.
    pub bodies: HashMap<&'w str, &'w Body>,
    pub lines_before: usize,
    /// The number of the cell; a function may be called after later ones were run.
    pub cell: usize,
    /// Closures that are looked into: one may stand within itself, as rhai tells it.
    pub under_way: Vec<String>,
    /// How many functions, and how many `try` blocks, stand around the place.
    pub functions: usize,
    pub tries: usize,
}

impl<'w> Walk<'w, '_> {
    pub fn statements(&mut self, statements: &'w [Stmt]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn block(&mut self, statements: &'w [Stmt]) {
        let mark = self.scopes.begin_block();
        self.statements(statements);
        self.scopes.end(mark);
    }

    fn statement(&mut self, statement: &'w Stmt) {
        match statement {
            Stmt::If(flow, _) | Stmt::While(flow, _) => {
                self.expression(&flow.expr);
                self.block(flow.body.statements());
                self.block(flow.branch.statements());
            }
            Stmt::Do(flow, ..) => {
                self.block(flow.body.statements());
                self.expression(&flow.expr);
            }
            Stmt::Switch(parts, _) => {
                self.expression(&parts.0);
                for case in &parts.1.expressions {
                    self.expression(&case.lhs);
                    self.expression(&case.rhs);
                }
            }
            Stmt::For(parts, _) => {
                let (item, counter, flow) = parts.as_ref();
                self.expression(&flow.expr);
                let mark = self.scopes.begin_block();
                self.scopes.name(&item.name);
                if let Some(counter) = counter {
                    self.scopes.name(&counter.name);
                }
                self.statements(flow.body.statements());
                self.scopes.end(mark);
            }
            Stmt::Var(parts, ..) => self.declare(&parts.0.name, &parts.1),
            Stmt::Assignment(parts) => {
                self.expression(&parts.1.lhs);
                self.expression(&parts.1.rhs);
            }
            Stmt::FnCall(call, at) => self.call(call, *at),
            Stmt::Block(block) => self.block(block.statements()),
            Stmt::TryCatch(flow, _) => self.attempt(flow),
            Stmt::Expr(expression) => self.expression(expression),
            Stmt::BreakLoop(Some(value), ..) | Stmt::Return(Some(value), ..) => {
                self.expression(value);
            }
            Stmt::Import(parts, _) => self.expression(&parts.0),
            Stmt::Export(parts, _) => self.variable(&parts.0.name, parts.0.pos),
            _ => {}
        }
    }

    fn attempt(&mut self, flow: &'w FlowControl) {
        self.tries += 1;
        self.block(flow.body.statements());
        self.tries -= 1;
        let mark = self.scopes.begin_block();
        if let Expr::Variable(variable, ..) = &flow.expr {
            self.scopes.name(&variable.1);
        }
        self.statements(flow.branch.statements());
        self.scopes.end(mark);
    }

    fn declare(&mut self, name: &str, value: &'w Expr) {
        self.expression(value);
        let changes = self.context.assigned.contains(name);
        let (kind, text) =
            if changes { (None, None) } else { (self.kind(value), self.text(value)) };
        self.scopes.add(Variable { name: name.to_string(), kind, text });
    }

    fn kind(&self, value: &Expr) -> Kind {
        self.reader(&|name| self.context.is_own(name)).of(value)
    }

    fn reader<'r>(&'r self, is_own: &'r dyn Fn(&str) -> bool) -> Reader<'r> {
        Reader { surface: self.context.surface, scopes: self.scopes, is_own }
    }

    fn text(&self, value: &Expr) -> Option<Text> {
        texts::of(value, self.scopes, &|name| self.context.given(name))
    }

    fn expression(&mut self, expression: &'w Expr) {
        match expression {
            Expr::DynamicConstant(value, _) => self.closures_in(value),
            Expr::InterpolatedString(parts, _) | Expr::Array(parts, _) => {
                parts.iter().for_each(|part| self.expression(part));
            }
            Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
                parts.iter().for_each(|part| self.expression(part));
            }
            Expr::Map(parts, _) => parts.0.iter().for_each(|(_, value)| self.expression(value)),
            Expr::Variable(variable, _, at) if variable.2.is_empty() => {
                self.variable(&variable.1, *at);
            }
            Expr::Variable(variable, _, at) => {
                let place = self.place(*at);
                calls::module_variable(self.context, &variable.2, &variable.1, place);
            }
            Expr::Stmt(block) if is_closure(block.statements()) => {
                self.capturing(block.statements())
            }
            Expr::Stmt(block) => self.block(block.statements()),
            Expr::FnCall(call, at) => self.call(call, *at),
            Expr::Dot(sides, ..) | Expr::Index(sides, ..) => self.chain(expression, &sides.lhs),
            _ => {}
        }
    }

    pub fn place(&self, at: Position) -> Place {
        Place::of(at, self.lines_before)
    }

    fn variable(&mut self, name: &str, at: Position) {
        let known = self.scopes.find(name).is_some() || self.context.is_own(name);
        // The prompt knows the last value by this name.
        if !known && name != crate::script::last::LAST {
            self.context.unknown_variable(name, self.place(at), self.scopes);
        }
    }

    /// Closures in a constant: itself, or in an array or a map of constants.
    fn closures_in(&mut self, value: &Dynamic) {
        if let Some(pointer) = value.read_lock::<FnPtr>() {
            self.closure(pointer.fn_name(), &[]);
        }
        if let Some(items) = value.read_lock::<Array>() {
            items.iter().for_each(|item| self.closures_in(item));
        }
        if let Some(map) = value.read_lock::<Map>() {
            map.values().for_each(|item| self.closures_in(item));
        }
    }

    /// A closure that captures variables: they are shared, and handed to it first.
    fn capturing(&mut self, statements: &'w [Stmt]) {
        let curried = statements.iter().find_map(|statement| match statement {
            Stmt::FnCall(call, _) => Some(call),
            Stmt::Expr(expression) => match expression.as_ref() {
                Expr::FnCall(call, _) => Some(call),
                _ => None,
            },
            _ => None,
        });
        let Some((Expr::DynamicConstant(value, _), captured)) =
            curried.and_then(|call| call.args.split_first())
        else {
            return;
        };
        captured.iter().for_each(|variable| self.expression(variable));
        if let Some(pointer) = value.read_lock::<FnPtr>() {
            self.closure(pointer.fn_name(), captured);
        }
    }

    fn closure(&mut self, name: &str, captured: &[Expr]) {
        let body = self.bodies.get(name).copied();
        let Some(body) = body.filter(|_| !self.under_way.iter().any(|known| known == name)) else {
            return;
        };
        let known: Vec<Variable> = captured
            .iter()
            .filter_map(|variable| match variable {
                Expr::Variable(variable, ..) => self.scopes.find(&variable.1).cloned(),
                _ => None,
            })
            .collect();
        self.under_way.push(name.to_string());
        self.body(body, &known);
        self.under_way.pop();
    }

    /// The body of a function or closure; `known` are variables that it captured.
    pub fn body(&mut self, body: &'w Body, known: &[Variable]) {
        let mark = self.scopes.begin_function();
        for parameter in &body.parameters {
            let captured = known.iter().find(|variable| variable.name == *parameter);
            match captured {
                Some(variable) => self.scopes.add(variable.clone()),
                None => self.scopes.name(parameter),
            }
        }
        self.functions += 1;
        self.statements(&body.statements);
        self.functions -= 1;
        self.scopes.end(mark);
    }

    fn call(&mut self, call: &'w FnCallExpr, at: Position) {
        call.args.iter().for_each(|argument| self.expression(argument));
        let place = self.place(at);
        let kinds: Vec<Kind> = call.args.iter().map(|argument| self.kind(argument)).collect();
        // What a function calls may be defined in a later cell.
        let cell = if self.functions > 0 { usize::MAX } else { self.cell };
        let met = Call { call, place, kinds: &kinds, cell, lines_before: self.lines_before };
        calls::function(self.context, self.scopes, &met);
        self.reach(None, call, place);
    }

    fn chain(&mut self, chain: &'w Expr, head: &'w Expr) {
        self.expression(head);
        let mut kind = self.kind(head);
        for link in links(chain).unwrap_or_default() {
            match &link {
                Link::Index(index) => self.expression(index),
                Link::Property(name, at) => {
                    let place = self.place(*at);
                    calls::property(self.context, self.scopes, kind, name, place);
                }
                Link::Method(call, at) => self.method(kind, call, *at),
            }
            kind = self.reader(&|name| self.context.is_own(name)).of_link(kind, &link);
        }
    }

    fn method(&mut self, on: Kind, call: &'w FnCallExpr, at: Position) {
        call.args.iter().for_each(|argument| self.expression(argument));
        let place = self.place(at);
        let kinds: Vec<Kind> = call.args.iter().map(|argument| self.kind(argument)).collect();
        let met =
            Call { call, place, kinds: &kinds, cell: usize::MAX, lines_before: self.lines_before };
        calls::method(self.context, self.scopes, on, &met);
        self.reach(Some(on), call, place);
    }

    /// Notes what a call reads or writes.
    fn reach(&mut self, on: Option<Kind>, call: &FnCallExpr, place: Place) {
        if !call.namespace.is_empty() || self.context.is_own(&call.name) {
            return;
        }
        let given = |name: &str| self.context.given(name);
        let text = |value: &Expr| texts::of(value, self.scopes, &given);
        let reached = reach::of(on, call, &text);
        for Reach { role, what, revision, argument } in reached {
            self.context.reaches.push(Reached {
                role,
                what,
                revision,
                call: call.name.to_string(),
                argument,
                place,
                is_tried: self.tries > 0,
                in_function: self.functions > 0,
            });
        }
    }
}
