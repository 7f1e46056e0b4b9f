//! The common part of the language without its evaluator: comparisons of fields with literals, and
//! what joins them. It answers only where nothing is unusual; all else is the evaluator's.

use std::cmp::Ordering;

use cel::common::ast::operators::{
    EQUALS, GREATER, GREATER_EQUALS, IN, LESS, LESS_EQUALS, LOGICAL_AND, LOGICAL_NOT, LOGICAL_OR,
    NOT_EQUALS,
};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};

use crate::expression::references;
use crate::record::{FieldPath, FieldValue};

/// Whole numbers up to here are floats exactly.
const EXACT_MAX: u64 = 1 << 53;

/// A question that can be answered at once for most records.
#[derive(Clone, Debug)]
pub(super) enum Plain {
    /// Both, the second only if the first is true.
    And(Box<Plain>, Box<Plain>),
    /// One, the second only if the first is false.
    Or(Box<Plain>, Box<Plain>),
    Not(Box<Plain>),
    /// Whether the record has the field.
    Has(usize),
    /// The field itself.
    Flag(usize),
    /// Whether a text is one of some.
    IsOneOf(usize, Vec<Box<[u8]>>),
    /// A part of a text.
    Text(usize, Part, Box<[u8]>),
    /// A number beside a number: the orderings of the field to it that are right.
    Number(usize, Number, Vec<Ordering>),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Start,
    End,
    Anywhere,
}

/// A literal that is a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number {
    /// As a whole number, where it is one.
    whole: Option<i64>,
    /// As a float, where it is one exactly.
    float: Option<f64>,
}

impl Plain {
    /// Returns the question, if all of it is of the common part; values are known by the places of
    /// their paths.
    pub(super) fn of(expression: &IdedExpr, paths: &[FieldPath]) -> Option<Self> {
        if let Some(place) = field(expression, paths) {
            let is_asked_for = matches!(&expression.expr, Expr::Select(select) if select.test);
            return Some(if is_asked_for {
                Self::Has(place)
            } else {
                Self::Flag(place)
            });
        }
        let Expr::Call(call) = &expression.expr else {
            return None;
        };
        let both = |join: fn(Box<Self>, Box<Self>) -> Self| {
            let left = Self::of(call.args.first()?, paths)?;
            let right = Self::of(call.args.get(1)?, paths)?;
            Some(join(Box::new(left), Box::new(right)))
        };
        match &*call.func_name {
            LOGICAL_AND => both(Self::And),
            LOGICAL_OR => both(Self::Or),
            LOGICAL_NOT => Some(Self::Not(Box::new(Self::of(call.args.first()?, paths)?))),
            IN => Self::is_one_of(call, paths),
            "startsWith" => Self::part(Part::Start, call, paths),
            "endsWith" => Self::part(Part::End, call, paths),
            "contains" => Self::part(Part::Anywhere, call, paths),
            operator => Self::comparison(operator, call, paths),
        }
    }

    fn is_one_of(call: &CallExpr, paths: &[FieldPath]) -> Option<Self> {
        let place = field(call.args.first()?, paths)?;
        let Expr::List(list) = &call.args.get(1)?.expr else {
            return None;
        };
        let texts = list.elements.iter().map(text);
        Some(Self::IsOneOf(place, texts.collect::<Option<_>>()?))
    }

    fn part(part: Part, call: &CallExpr, paths: &[FieldPath]) -> Option<Self> {
        let place = field(call.target.as_deref()?, paths)?;
        let [argument] = &call.args[..] else {
            return None;
        };
        Some(Self::Text(place, part, text(argument)?))
    }

    fn comparison(operator: &str, call: &CallExpr, paths: &[FieldPath]) -> Option<Self> {
        let [left, right] = &call.args[..] else {
            return None;
        };
        let (place, literal, is_turned) = match (field(left, paths), field(right, paths)) {
            (Some(place), None) => (place, right, false),
            (None, Some(place)) => (place, left, true),
            (Some(_), Some(_)) | (None, None) => return None,
        };
        let mut orderings = match operator {
            EQUALS => vec![Ordering::Equal],
            NOT_EQUALS => vec![Ordering::Less, Ordering::Greater],
            LESS => vec![Ordering::Less],
            LESS_EQUALS => vec![Ordering::Less, Ordering::Equal],
            GREATER => vec![Ordering::Greater],
            GREATER_EQUALS => vec![Ordering::Greater, Ordering::Equal],
            _ => return None,
        };
        if let Some(text) = text(literal) {
            let is_one = Self::IsOneOf(place, vec![text]);
            return match operator {
                EQUALS => Some(is_one),
                NOT_EQUALS => Some(Self::Not(Box::new(is_one))),
                _ => None,
            };
        }
        if is_turned {
            orderings = orderings.into_iter().map(Ordering::reverse).collect();
        }
        Some(Self::Number(place, number(literal)?, orderings))
    }

    /// Returns the answer, where it can be told at once.
    pub(super) fn answer(&self, values: &[FieldValue<'_>]) -> Option<bool> {
        let value = |place: &usize| values.get(*place).copied();
        match self {
            Self::And(left, right) => Some(left.answer(values)? && right.answer(values)?),
            Self::Or(left, right) => Some(left.answer(values)? || right.answer(values)?),
            Self::Not(inner) => inner.answer(values).map(|answer| !answer),
            Self::Has(place) => Some(value(place)? != FieldValue::Missing),
            Self::Flag(place) => {
                let FieldValue::Boolean(flag) = value(place)? else {
                    return None;
                };
                Some(flag)
            }
            Self::IsOneOf(place, texts) => {
                let bytes = plain_text(value(place)?)?;
                Some(texts.iter().any(|text| **text == *bytes))
            }
            Self::Text(place, part, text) => {
                let bytes = plain_text(value(place)?).filter(|bytes| bytes.is_ascii())?;
                Some(match part {
                    Part::Start => bytes.starts_with(text),
                    Part::End => bytes.ends_with(text),
                    Part::Anywhere => memchr::memmem::find(bytes, text).is_some(),
                })
            }
            Self::Number(place, number, orderings) => {
                Some(orderings.contains(&number.compared(value(place)?)?))
            }
        }
    }
}

impl Number {
    /// Returns how a field is ordered to the number.
    fn compared(self, value: FieldValue<'_>) -> Option<Ordering> {
        if let FieldValue::Integer(field) = value {
            return Some(field.cmp(&self.whole?));
        }
        let FieldValue::Number(text) = value else {
            return None;
        };
        let text = std::str::from_utf8(text).ok()?;
        if let Ok(field) = text.parse::<i64>() {
            if let Some(whole) = self.whole {
                return Some(field.cmp(&whole));
            }
            if field.unsigned_abs() > EXACT_MAX {
                return None;
            }
        }
        let field = text.parse::<f64>().ok().filter(|field| field.is_finite())?;
        field.partial_cmp(&self.float?)
    }
}

/// Returns the text of a field where its bytes are the text.
fn plain_text(value: FieldValue<'_>) -> Option<&[u8]> {
    let FieldValue::Bytes(bytes) = value else {
        return None;
    };
    // What could be a document is none of the common part.
    let first = bytes.trim_ascii_start().first();
    (!matches!(first, Some(b'{' | b'['))).then_some(bytes)
}

fn field(expression: &IdedExpr, paths: &[FieldPath]) -> Option<usize> {
    let path = references::field_path(expression)?;
    paths.iter().position(|of| *of == path)
}

fn text(expression: &IdedExpr) -> Option<Box<[u8]>> {
    let Expr::Literal(LiteralValue::String(text)) = &expression.expr else {
        return None;
    };
    Some(text.inner().as_bytes().into())
}

fn number(expression: &IdedExpr) -> Option<Number> {
    let Expr::Literal(literal) = &expression.expr else {
        return None;
    };
    if let LiteralValue::Int(whole) = literal {
        let whole = *whole.inner();
        let float = whole.to_string().parse().ok();
        return Some(Number {
            whole: Some(whole),
            float: float.filter(|_| whole.unsigned_abs() <= EXACT_MAX),
        });
    }
    let LiteralValue::Double(float) = literal else {
        return None;
    };
    Some(Number {
        whole: None,
        float: Some(*float.inner()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::expression::{Evaluator, Expression};

    const QUESTIONS: [&str; 17] = [
        "value.a == 'x'",
        "'x' != value.a",
        "value.a == 12",
        "value.a != 12.5",
        "value.a < 12",
        "12 <= value.a",
        "value.a > 0.1",
        "value.a >= 9007199254740993",
        "9007199254740993.0 > value.a",
        "value.a in ['x', 'caf\u{e9}', '']",
        "value.a.startsWith('x')",
        "value.a.endsWith('x')",
        "value.a.contains('x')",
        "has(value.a)",
        "!has(value.a) || value.a",
        "has(value.a) && !(value.a == 'x')",
        "has(value.a) && value.a > 1 || value.a == 'x'",
    ];

    fn plain(expression: &Expression) -> Plain {
        let program = expression.program.expression();
        Plain::of(program, &expression.paths).unwrap_or_else(|| panic!("{expression}"))
    }

    #[test]
    fn common_questions_are_answered_at_once() {
        let answer = |source: &str, value: FieldValue<'_>| {
            plain(&Expression::compile(source).unwrap()).answer(&[value])
        };
        let bytes = FieldValue::Bytes;
        let number = |text: &'static str| FieldValue::Number(text.as_bytes());
        assert_eq!(answer("value.a == 'x'", bytes(b"x")), Some(true));
        assert_eq!(answer("value.a != 'x'", bytes(b"x")), Some(false));
        assert_eq!(answer("value.a in ['x', 'y']", bytes(b"y")), Some(true));
        assert_eq!(answer("100 < value.a", number("100.5")), Some(true));
        assert_eq!(answer("value.a == 100", number("1e2")), Some(true));
        assert_eq!(answer("offset >= 5", FieldValue::Integer(5)), Some(true));
        assert_eq!(answer("has(value.a)", FieldValue::Missing), Some(false));
        assert_eq!(answer("value.a", FieldValue::Boolean(true)), Some(true));
    }

    #[test]
    fn what_is_unusual_is_left_to_the_evaluator() {
        for source in ["value.a == value.b", "value.a + 1 == 2", "value.a == null"] {
            let expression = Expression::compile(source).unwrap();
            let of = Plain::of(expression.program.expression(), &expression.paths);
            assert!(of.is_none(), "{source}");
        }
        let equals = plain(&Expression::compile("value.a == 'x'").unwrap());
        for value in [
            FieldValue::Missing,
            FieldValue::Null,
            FieldValue::Number(b"1"),
            FieldValue::Bytes(b" {}"),
            FieldValue::EscapedText(br"\u0078"),
        ] {
            assert_eq!(equals.answer(&[value]), None, "{value:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn an_answer_at_once_is_that_of_the_evaluator(
            text in r#"[x{\[ "é]{0,3}"#,
            number in r"-?(0|[1-9][0-9]{0,16})(\.[0-9]{1,3})?(e[0-9])?|12|9007199254740993",
            kind in 0..5_u8,
        ) {
            let value = match kind {
                0 => FieldValue::Bytes(text.as_bytes()),
                1 => FieldValue::Number(number.as_bytes()),
                2 => FieldValue::Boolean(text.len() > 1),
                3 => FieldValue::Null,
                _ => FieldValue::Missing,
            };
            for source in QUESTIONS {
                let expression = Expression::compile(source).unwrap();
                if let Some(answer) = plain(&expression).answer(&[value]) {
                    let slow = Evaluator::new(&expression).evaluated(&[value]);
                    prop_assert_eq!(slow, Ok(answer), "{} of {:?}", source, value);
                }
            }
        }
    }
}
