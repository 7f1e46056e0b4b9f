//! Expressions over records, in the Common Expression Language: what `--where` asks.

mod nesting;
mod plain;
mod references;
mod values;

use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use cel::{Context, ExecutionError, Program, Value};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::expression::nesting::DEPTH_MAX;
use crate::expression::nesting::STACK_BYTES;
use crate::expression::nesting::TEXT_BYTES_MAX;
use crate::expression::nesting::too_deep;
use crate::expression::plain::Plain;
use crate::expression::references::References;
use crate::expression::values::Variable;
use crate::record::{FieldPath, FieldValue};

/// Names that an expression may use.
pub const VARIABLES: [&str; 7] = [
    "value",
    "key",
    "headers",
    "topic",
    "partition",
    "offset",
    "timestamp",
];

/// Why a text is no expression.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{message}, at column {column}")]
pub struct ExpressionError {
    /// What is wrong.
    pub message: String,
    /// Where, in characters from 1.
    pub column: usize,
    /// The expression on one line.
    pub text: String,
}

impl ExpressionError {
    fn at(source: &str, start: usize, message: String) -> Self {
        let one_line = |text: &str| text.replace(['\n', '\r', '\t'], " ");
        Self {
            message,
            column: start + 1,
            text: one_line(source),
        }
    }

    fn at_part(program: &Program, source: &str, id: u64, message: String) -> Self {
        let start = program.source_info().offset_for(id);
        let start = start.map_or(0, |(start, _)| usize::try_from(start).unwrap_or(0));
        Self::at(source, start, message)
    }
}

/// Why a record could not be judged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Fault {
    /// It lacks this member.
    NoField(String),
    /// A value has a type that the expression does not fit.
    Type,
    /// The answer is neither true nor false.
    NoAnswer,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoField(name) => write!(out, "it has no `{name}`; has(…) asks for that first"),
            Self::Type => out.write_str("a value's type does not fit; double(…) reads texts"),
            Self::NoAnswer => out.write_str("the answer is neither true nor false"),
        }
    }
}

/// A compiled expression, shared by all threads.
#[derive(Clone, Debug)]
pub struct Expression {
    source: String,
    program: Arc<Program>,
    paths: Vec<FieldPath>,
    variables: Vec<Variable>,
    plain: Option<Plain>,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.source)
    }
}

impl Expression {
    /// Compiles an expression; whatever it names has to exist.
    pub fn compile(source: &str) -> Result<Self, ExpressionError> {
        if source.len() > TEXT_BYTES_MAX {
            let message = format!("it is longer than {TEXT_BYTES_MAX} bytes");
            return Err(ExpressionError::at(source, 0, message));
        }
        // Parsing and dropping a deep one takes a deep stack.
        let builder = thread::Builder::new().stack_size(STACK_BYTES);
        thread::scope(|scope| {
            let compiling = builder
                .spawn_scoped(scope, || Self::compile_here(source))
                .map_err(|error| ExpressionError::at(source, 0, error.to_string()))?;
            compiling
                .join()
                .unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    fn compile_here(source: &str) -> Result<Self, ExpressionError> {
        let program = Program::compile(source).map_err(|errors| syntax_error(source, &errors))?;
        if let Some(id) = too_deep(&program) {
            let message = format!("it has more than {DEPTH_MAX} parts within parts");
            return Err(ExpressionError::at_part(&program, source, id, message));
        }
        let references = References::of(&program, source)?;
        let variables = values::variables(&references.paths);
        Ok(Self {
            plain: Plain::of(program.expression(), &references.paths),
            source: source.to_owned(),
            program: Arc::new(program),
            paths: references.paths,
            variables,
        })
    }

    /// Returns the fields that it looks at.
    pub fn paths(&self) -> &[FieldPath] {
        &self.paths
    }
}

fn syntax_error(source: &str, errors: &cel::ParseErrors) -> ExpressionError {
    let Some(first) = errors.errors.first() else {
        return ExpressionError::at(source, 0, "this is no expression".to_owned());
    };
    let (line, column) = first.pos;
    let line = usize::try_from(line).unwrap_or(1).max(1) - 1;
    let before = source.split_inclusive('\n').take(line);
    let start: usize = before.map(|line| line.chars().count()).sum();
    let column = usize::try_from(column).unwrap_or(1).max(1) - 1;
    // The parser's own words go on over all that it would have taken instead.
    let message = first.msg.split(" expecting ").next().unwrap_or_default();
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    ExpressionError::at(source, start + column, message.replace('\n', " "))
}

/// Judges records; one for each thread.
pub struct Evaluator {
    expression: Expression,
    context: Context<'static, 'static>,
}

impl Evaluator {
    /// Returns an evaluator of the expression.
    pub fn new(expression: &Expression) -> Self {
        Self {
            expression: expression.clone(),
            context: Context::default(),
        }
    }

    /// Returns whether a record matches; `values` are those at the paths of the expression.
    pub fn matches(&self, values: &[FieldValue<'_>]) -> Result<bool, Fault> {
        let plain = self.expression.plain.as_ref();
        match plain.and_then(|plain| plain.answer(values)) {
            Some(answer) => Ok(answer),
            None => self.evaluated(values),
        }
    }

    fn evaluated(&self, values: &[FieldValue<'_>]) -> Result<bool, Fault> {
        let mut scope = self.context.new_inner_scope();
        for variable in &self.expression.variables {
            if let Some(value) = variable.value(values)? {
                scope.add_variable_from_value(variable.name(), value);
            }
        }
        match self.expression.program.execute(&scope) {
            Ok(Value::Bool(answer)) => Ok(answer),
            Ok(_) => Err(Fault::NoAnswer),
            Err(error) => Err(self.fault(&error)),
        }
    }

    /// Texts of the evaluator hold values of records, so only a name that was typed is repeated.
    fn fault(&self, error: &ExecutionError) -> Fault {
        let (ExecutionError::NoSuchKey(name) | ExecutionError::UndeclaredReference(name)) = error
        else {
            return Fault::Type;
        };
        if self.expression.source.contains(name.as_str()) {
            Fault::NoField(name.to_string())
        } else {
            Fault::NoField("field".to_owned())
        }
    }
}

impl fmt::Debug for Evaluator {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Evaluator")
            .field("expression", &self.expression.source)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> FieldValue<'_> {
        FieldValue::Number(text.as_bytes())
    }

    fn paths(source: &str) -> Vec<String> {
        let expression = Expression::compile(source).unwrap();
        expression.paths().iter().map(ToString::to_string).collect()
    }

    fn error(source: &str) -> String {
        Expression::compile(source).unwrap_err().to_string()
    }

    fn matches(source: &str, values: &[FieldValue<'_>]) -> Result<bool, Fault> {
        let expression = Expression::compile(source).unwrap();
        assert_eq!(expression.paths().len(), values.len(), "{source}");
        Evaluator::new(&expression).matches(values)
    }

    #[test]
    fn the_fields_that_are_looked_at_are_known() {
        assert_eq!(paths("value.a.b == 1 && key == 'x'"), ["key", "value.a.b"]);
        assert_eq!(paths("value['a b'].c > 1"), ["value.a b.c"]);
        assert_eq!(paths("value.a.b == 1 || has(value.a)"), ["value.a"]);
        assert_eq!(paths("value.items[0].sku == 'x'"), ["value.items"]);
        assert_eq!(paths("headers.trace == 'x'"), ["headers.trace"]);
        assert_eq!(paths("headers['x-y'].startsWith('a')"), ["headers.x-y"]);
        assert_eq!(paths("value.items.exists(i, i.n > 1)"), ["value.items"]);
        assert_eq!(paths("value.size() > 0"), ["value"]);
        let all = "topic == 'a' && partition == 1 && offset > 5 && timestamp > 7";
        assert_eq!(paths(all), ["offset", "partition", "timestamp", "topic"]);
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_place() {
        for (source, message, column) in [
            ("value.a ==", "EOF", 11),
            ("value.a == 'x", "token recognition", 12),
            ("charge_id == 'x'", "there is no variable `charge_id`", 1),
            ("1 < 2 && amount > 1", "there is no variable `amount`", 10),
            ("'x' in headers", "`headers` is known by name only", 8),
            ("value.a.fits('x')", "there is no function `fits`", 13),
        ] {
            let error = error(source);
            assert!(error.contains(message), "{source}: {error}");
            let place = format!(", at column {column}");
            assert!(error.ends_with(&place), "{source}: {error}");
        }
    }

    #[test]
    fn what_is_too_deep_or_too_long_is_refused() {
        let chain = |length: usize| format!("value.a{} == 1", ".b".repeat(length));
        assert_eq!(paths(&chain(90)).len(), 1);
        for source in [
            chain(110),
            chain(8_000),
            format!("{}value.a{}", "(".repeat(3_000), ")".repeat(3_000)),
            format!("1{} == 2", "+1".repeat(8_000)),
        ] {
            assert!(Expression::compile(&source).is_err(), "{source}");
        }
        assert!(error(&chain(110)).contains("more than 100 parts within parts"));
        assert!(error(&chain(9_000)).contains("longer than 16384 bytes"));
        // Alternatives lie beside each other.
        let any = vec!["value.a == 'x'"; 500].join(" || ");
        assert_eq!(paths(&any), ["value.a"]);
    }

    #[test]
    fn numbers_are_compared_by_value() {
        for text in ["100", "100.0", "1e2"] {
            assert_eq!(
                matches("value.n == 100", &[number(text)]),
                Ok(true),
                "{text}"
            );
            assert_eq!(
                matches("value.n > 99.5", &[number(text)]),
                Ok(true),
                "{text}"
            );
            assert_eq!(
                matches("value.n <= 99", &[number(text)]),
                Ok(false),
                "{text}"
            );
        }
        let large = number("9007199254740993");
        assert_eq!(matches("value.n == 9007199254740993", &[large]), Ok(true));
        assert_eq!(matches("value.n == 9007199254740992", &[large]), Ok(false));
        assert_eq!(
            matches("offset % 2 == 1", &[FieldValue::Integer(7)]),
            Ok(true)
        );
    }

    #[test]
    fn texts_members_and_lists_are_what_they_are() {
        let text = FieldValue::EscapedText(br"caf\u00e9");
        assert_eq!(matches("value.a == 'caf\u{e9}'", &[text]), Ok(true));
        let cell = FieldValue::QuotedCell(b"a \"\"b\"\"\"");
        assert_eq!(matches("value.a.contains('\"b\"')", &[cell]), Ok(true));
        let list = FieldValue::Json(br#"[{"n":1},{"n":2}]"#);
        assert_eq!(matches("value.l.exists(i, i.n == 2)", &[list]), Ok(true));
        assert_eq!(matches("value.l[1].n == 2", &[list]), Ok(true));
        let document = FieldValue::Bytes(br#"{"a":{"b":null}}"#);
        assert_eq!(matches("value.size() == 1", &[document]), Ok(true));
        assert_eq!(
            matches("value == 'x'", &[FieldValue::Bytes(b"x")]),
            Ok(true)
        );
        let null = FieldValue::Null;
        assert_eq!(matches("value.a == null", &[null]), Ok(true));
        assert_eq!(matches("has(value.a.b)", &[FieldValue::Missing]), Ok(false));
        assert_eq!(
            matches("value.a.matches('^x+$')", &[FieldValue::Bytes(b"xx")]),
            Ok(true)
        );
    }

    #[test]
    fn a_record_that_does_not_fit_is_a_fault_without_its_values() {
        let missing = [FieldValue::Missing];
        let fault = Fault::NoField("a".to_owned());
        assert_eq!(matches("value.a == 1", &missing), Err(fault));
        assert_eq!(matches("has(value.a) && value.a == 1", &missing), Ok(false));
        let secret = [FieldValue::Bytes(b"secret")];
        assert_eq!(matches("value.a > 1", &secret), Err(Fault::Type));
        assert_eq!(matches("value.a", &secret), Err(Fault::NoAnswer));
        assert_eq!(matches("value.a == 1", &secret), Ok(false));
        assert_eq!(
            matches("offset > 1", &missing),
            Err(Fault::NoField("offset".to_owned()))
        );
    }

    #[test]
    fn numbers_at_their_ends_are_faults_and_not_the_end() {
        for source in [
            "value.n / -1 == 0",
            "value.n % -1 == 1",
            "-value.n == 0",
            "value.n * 2 == 0",
            "value.n - 1 == 0",
            "value.n / 0 == 0",
            "value.n % 0 == 0",
        ] {
            let least = number("-9223372036854775808");
            assert_ne!(matches(source, &[least]), Ok(true), "{source}");
        }
        let deep = "[".repeat(100_000);
        let document = FieldValue::Bytes(deep.as_bytes());
        assert!(matches("value.size() > 5", &[document]).is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_text_compiles_or_is_refused_within_itself(
            source in r#"(value|key|headers|\.[a-c]|[0-9]|'|"|==|&&|[ ()\[\]<>?:+-]|has|é){0,12}"#,
            cell in any::<Vec<u8>>(),
        ) {
            match Expression::compile(&source) {
                Ok(expression) => {
                    let values = vec![FieldValue::Bytes(&cell); expression.paths().len()];
                    let _ = Evaluator::new(&expression).matches(&values);
                }
                Err(error) => prop_assert!(error.column <= source.chars().count() + 1),
            }
        }
    }
}
