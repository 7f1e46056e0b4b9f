//! What an expression looks at: field paths where they can be told, whole members where not.

use cel::Program;
use cel::common::ast::operators::INDEX;
use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue};

use crate::expression::{ExpressionError, VARIABLES};
use crate::record::{FieldPath, PathStep, Root};

/// Functions of the language, beside its operators.
const FUNCTIONS: [&str; 15] = [
    "bool",
    "bytes",
    "contains",
    "double",
    "endsWith",
    "int",
    "matches",
    "max",
    "min",
    "size",
    "startsWith",
    "string",
    "type",
    "uint",
    "dyn",
];

/// What an expression looks at.
pub(super) struct References {
    /// Sorted; none is the beginning of another.
    pub(super) paths: Vec<FieldPath>,
}

impl References {
    pub(super) fn of(program: &Program, source: &str) -> Result<Self, ExpressionError> {
        let mut walk = Walk {
            program,
            source,
            bound: Vec::new(),
            paths: Vec::new(),
        };
        walk.expression(program.expression())?;
        let mut paths = walk.paths;
        paths.sort_by_key(ToString::to_string);
        paths.dedup();
        let all = paths.clone();
        let is_inside = |path: &FieldPath, other: &FieldPath| {
            path != other && path.root == other.root && path.steps.starts_with(&other.steps)
        };
        paths.retain(|path| !all.iter().any(|other| is_inside(path, other)));
        Ok(Self { paths })
    }
}

struct Walk<'a> {
    program: &'a Program,
    source: &'a str,
    /// Names that macros give to items.
    bound: Vec<String>,
    paths: Vec<FieldPath>,
}

impl Walk<'_> {
    fn expression(&mut self, expression: &IdedExpr) -> Result<(), ExpressionError> {
        if let Some((root, id, mut steps)) = path_of(expression)
            && !self.bound.iter().any(|name| name == root)
        {
            steps.reverse();
            return self.path(root, id, steps);
        }
        match &expression.expr {
            Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) => Ok(()),
            Expr::Select(select) => self.expression(&select.operand),
            Expr::Call(call) => self.call(expression.id, call),
            Expr::List(list) => self.all(list.elements.iter()),
            Expr::Map(map) => self.entries(map.entries.iter().map(|entry| &entry.expr)),
            Expr::Struct(of) => self.entries(of.entries.iter().map(|entry| &entry.expr)),
            Expr::Comprehension(comprehension) => {
                self.all([&comprehension.iter_range, &comprehension.accu_init])?;
                let before = self.bound.len();
                self.bound.push(comprehension.iter_var.clone());
                self.bound.push(comprehension.accu_var.clone());
                self.bound.extend(comprehension.iter_var2.clone());
                let inside = [
                    &comprehension.loop_cond,
                    &comprehension.loop_step,
                    &comprehension.result,
                ];
                self.all(inside)?;
                self.bound.truncate(before);
                Ok(())
            }
        }
    }

    fn all<'e>(
        &mut self,
        expressions: impl IntoIterator<Item = &'e IdedExpr>,
    ) -> Result<(), ExpressionError> {
        expressions
            .into_iter()
            .try_for_each(|expression| self.expression(expression))
    }

    fn entries<'e>(
        &mut self,
        entries: impl Iterator<Item = &'e EntryExpr>,
    ) -> Result<(), ExpressionError> {
        for entry in entries {
            match entry {
                EntryExpr::StructField(field) => self.expression(&field.value)?,
                EntryExpr::MapEntry(entry) => self.all([&entry.key, &entry.value])?,
            }
        }
        Ok(())
    }

    fn call(&mut self, id: u64, call: &CallExpr) -> Result<(), ExpressionError> {
        let name = &*call.func_name;
        let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let is_operator = !is_word || name.starts_with('_') || name.starts_with('@');
        if !is_operator && !FUNCTIONS.contains(&name) {
            return Err(self.error(id, format!("there is no function `{name}`")));
        }
        self.all(call.target.as_deref())?;
        self.all(&call.args)
    }

    fn path(&mut self, root: &str, id: u64, steps: Vec<PathStep>) -> Result<(), ExpressionError> {
        if let Some(path) = path_below(root, steps) {
            self.paths.push(path);
            return Ok(());
        }
        if root == "headers" {
            let message = "`headers` is known by name only: headers.NAME";
            return Err(self.error(id, message.to_owned()));
        }
        let names = VARIABLES.join(", ");
        let message = format!(
            "there is no variable `{root}`, only {names}; a field of the value is value.{root}"
        );
        Err(self.error(id, message))
    }

    fn error(&self, id: u64, message: String) -> ExpressionError {
        ExpressionError::at_part(self.program, self.source, id, message)
    }
}

/// Returns the field that an expression is, if it is no more than that.
pub(super) fn field_path(expression: &IdedExpr) -> Option<FieldPath> {
    let (root, _, mut steps) = path_of(expression)?;
    steps.reverse();
    path_below(root, steps)
}

/// Returns the path from a variable, if there is such a variable, and it is known by that.
fn path_below(root: &str, steps: Vec<PathStep>) -> Option<FieldPath> {
    let (root, steps) = match root {
        "value" => (Root::Value, steps),
        "key" => (Root::Key, steps),
        "topic" => (Root::Topic, Vec::new()),
        "partition" => (Root::Partition, Vec::new()),
        "offset" => (Root::Offset, Vec::new()),
        "timestamp" => (Root::Timestamp, Vec::new()),
        "headers" => match steps.into_iter().next()? {
            PathStep::Member(name) => (Root::Header(name), Vec::new()),
            PathStep::Item(_) => return None,
        },
        _ => return None,
    };
    Some(FieldPath::new(root, steps))
}

/// Returns the name that a chain of members starts with, its node, and the steps, last first.
fn path_of(expression: &IdedExpr) -> Option<(&str, u64, Vec<PathStep>)> {
    let mut steps = Vec::new();
    let mut at = expression;
    loop {
        match &at.expr {
            Expr::Ident(name) => return Some((name, at.id, steps)),
            Expr::Select(select) => {
                steps.push(PathStep::Member(select.field.as_str().into()));
                at = &select.operand;
            }
            Expr::Call(call) if call.func_name == INDEX => {
                let [of, Some(index)] = [call.args.first(), call.args.get(1)] else {
                    return None;
                };
                let Expr::Literal(LiteralValue::String(name)) = &index.expr else {
                    return None;
                };
                steps.push(PathStep::Member(name.inner().into()));
                at = of?;
            }
            Expr::Unspecified
            | Expr::Call(_)
            | Expr::Comprehension(_)
            | Expr::List(_)
            | Expr::Literal(_)
            | Expr::Map(_)
            | Expr::Struct(_) => return None,
        }
    }
}
