//! Keeps expressions shallow: whoever walks one, walks it by recursion.

use cel::Program;
use cel::common::ast::{EntryExpr, Expr, IdedExpr};

/// Longest text of an expression.
pub(super) const TEXT_BYTES_MAX: usize = 16 * 1024;

/// Parts within parts that an expression may have.
pub(super) const DEPTH_MAX: usize = 100;

/// Stack on which the longest text can be parsed, however deep it is.
pub(super) const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Returns the first part that lies deeper than is allowed, by its id.
pub(super) fn too_deep(program: &Program) -> Option<u64> {
    let mut waiting = vec![(program.expression(), 0)];
    while let Some((expression, depth)) = waiting.pop() {
        if depth > DEPTH_MAX {
            return Some(expression.id);
        }
        for_each_part(expression, |part| waiting.push((part, depth + 1)));
    }
    None
}

fn for_each_part<'e>(expression: &'e IdedExpr, mut visit: impl FnMut(&'e IdedExpr)) {
    match &expression.expr {
        Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) => {}
        Expr::Select(select) => visit(&select.operand),
        Expr::Call(call) => call
            .target
            .as_deref()
            .into_iter()
            .chain(&call.args)
            .for_each(visit),
        Expr::List(list) => list.elements.iter().for_each(visit),
        Expr::Map(map) => entries(map.entries.iter().map(|entry| &entry.expr), visit),
        Expr::Struct(of) => entries(of.entries.iter().map(|entry| &entry.expr), visit),
        Expr::Comprehension(of) => {
            for part in [
                &of.iter_range,
                &of.accu_init,
                &of.loop_cond,
                &of.loop_step,
                &of.result,
            ] {
                visit(part);
            }
        }
    }
}

fn entries<'e>(entries: impl Iterator<Item = &'e EntryExpr>, mut visit: impl FnMut(&'e IdedExpr)) {
    for entry in entries {
        match entry {
            EntryExpr::StructField(field) => visit(&field.value),
            EntryExpr::MapEntry(entry) => {
                visit(&entry.key);
                visit(&entry.value);
            }
        }
    }
}
