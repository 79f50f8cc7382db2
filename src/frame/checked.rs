//! Whole numbers that do not fit into 64 bits: polars goes on at the other end, which is a wrong number. Before an expression
//! runs, its sums, differences, products and the like are put behind a check that refuses instead.

use polars::prelude::*;

use super::DataFrame;

/// Results further from the same in floating point than this have gone round: a round is 2^64, rounding far less.
const FAR: f64 = 4_611_686_018_427_387_904.0;
/// What the check is called in a plan; by it a check inside a larger one is found and taken off.
const NAME: &str = "checked";

/// The expressions with a check behind every part that may go round.
pub fn checked(frame: &DataFrame, expressions: &[Expr]) -> Vec<Expr> {
    let of_one = |expression: &Expr| {
        expression.clone().map_expr(|part| match both(&part) {
            Some((name, whole, shadow)) if is_whole(frame, &whole) => compare(whole, shadow, name),
            _ => part,
        })
    };
    expressions.iter().map(of_one).collect()
}

/// A part that may go round: what it is called, itself, and the same computed in floating point.
fn both(part: &Expr) -> Option<(&'static str, Expr, Expr)> {
    match part {
        Expr::BinaryExpr { left, op, right } => {
            let name = match op {
                Operator::Plus => "+",
                Operator::Minus => "-",
                Operator::Multiply => "*",
                _ => return None,
            };
            let ((left, left_shadow), (right, right_shadow)) = (apart(left), apart(right));
            let shadow = binary_expr(left_shadow, *op, right_shadow);
            Some((name, binary_expr(left, *op, right), shadow))
        }
        Expr::Agg(AggExpr::Sum(inner)) => {
            let (inner, shadow) = apart(inner);
            Some(("sum", inner.sum(), shadow.sum()))
        }
        Expr::Function { input, function } => {
            let (inner, shadow) = apart(input.first()?);
            match function {
                FunctionExpr::Abs => Some(("abs", inner.abs(), shadow.abs())),
                FunctionExpr::Negate => Some(("-", -inner, -shadow)),
                FunctionExpr::CumSum { reverse } => {
                    Some(("cum_sum", inner.cum_sum(*reverse), shadow.cum_sum(*reverse)))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// A part without its check, and the same in floating point.
fn apart(part: &Expr) -> (Expr, Expr) {
    if let Expr::AnonymousFunction { input, fmt_str, .. } = part
        && fmt_str.as_str() == NAME
        && let [whole, shadow] = input.as_slice()
    {
        return (whole.clone(), shadow.clone());
    }
    (part.clone(), part.clone().cast(DataType::Float64))
}

/// Whether a part gives 64-bit whole numbers on this frame.
fn is_whole(frame: &DataFrame, part: &Expr) -> bool {
    let alone = frame.clone().lazy().select([part.clone().alias("part")]).collect_schema();
    alone.is_ok_and(|schema| {
        let kind = schema.get("part");
        matches!(kind, Some(DataType::Int64 | DataType::UInt64))
    })
}

fn compare(whole: Expr, shadow: Expr, name: &'static str) -> Expr {
    let check = move |columns: &mut [Column]| -> PolarsResult<Column> {
        let (Some(whole), Some(shadow)) = (columns.first(), columns.get(1)) else {
            return Err(PolarsError::ComputeError("an expression without a value".into()));
        };
        let difference = (&whole.cast(&DataType::Float64)? - shadow)?;
        let difference = difference.as_materialized_series().f64()?.clone();
        let far = |value: f64| value.abs() > FAR;
        if difference.max().is_some_and(far) || difference.min().is_some_and(far) {
            let message = format!(
                "`{name}` of whole numbers gives one that does not fit into 64 bits; cast the column to \"float\" before"
            );
            return Err(PolarsError::ComputeError(message.into()));
        }
        Ok(whole.clone())
    };
    let same = |_: &Schema, fields: &[Field]| {
        let first = fields.first().cloned();
        first.ok_or_else(|| PolarsError::ComputeError("an expression without a type".into()))
    };
    let mut behind = whole.map_many(check, &[shadow], same);
    if let Expr::AnonymousFunction { fmt_str, .. } = &mut behind {
        **fmt_str = NAME.into();
    }
    behind
}
