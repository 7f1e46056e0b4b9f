//! Values of fields as the evaluator takes them, bound only where the expression looks.

use std::collections::HashMap;
use std::sync::Arc;

use cel::Value;
use cel::objects::{Key, Map};

use crate::expression::Fault;
use crate::record::{FieldPath, FieldValue, PathStep, Root};
use crate::scan_json::field_text;

/// A variable and what is known below it.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    name: &'static str,
    node: Node,
}

#[derive(Clone, Debug)]
enum Node {
    /// The value of this index.
    Leaf(usize),
    /// Members that the expression looks at.
    Members(Vec<(Arc<String>, Node)>),
}

/// Returns the variables that the paths belong to.
pub(super) fn variables(paths: &[FieldPath]) -> Vec<Variable> {
    let mut variables: Vec<Variable> = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let (name, names) = names_of(path);
        let place = variables.iter().position(|known| known.name == name);
        match place.and_then(|place| variables.get_mut(place)) {
            Some(known) => known.node.add(&names, index),
            None => variables.push(Variable {
                name,
                node: Node::new(&names, index),
            }),
        }
    }
    variables
}

fn names_of(path: &FieldPath) -> (&'static str, Vec<String>) {
    let steps = path.steps.iter().filter_map(|step| match step {
        PathStep::Member(name) => Some(name.to_string()),
        PathStep::Item(_) => None,
    });
    match &path.root {
        Root::Key => ("key", steps.collect()),
        Root::Value => ("value", steps.collect()),
        Root::Header(name) => ("headers", vec![name.to_string()]),
        Root::Topic => ("topic", Vec::new()),
        Root::Partition => ("partition", Vec::new()),
        Root::Offset => ("offset", Vec::new()),
        Root::Timestamp => ("timestamp", Vec::new()),
    }
}

impl Node {
    fn new(names: &[String], index: usize) -> Self {
        match names.split_first() {
            None => Self::Leaf(index),
            Some((name, rest)) => {
                Self::Members(vec![(Arc::new(name.clone()), Self::new(rest, index))])
            }
        }
    }

    /// No path is the beginning of another, so a leaf is never in the way.
    fn add(&mut self, names: &[String], index: usize) {
        if let (Self::Members(members), Some((name, rest))) = (self, names.split_first()) {
            match members.iter_mut().find(|(known, _)| **known == *name) {
                Some((_, node)) => node.add(rest, index),
                None => members.push((Arc::new(name.clone()), Self::new(rest, index))),
            }
        }
    }

    fn value(&self, values: &[FieldValue<'_>]) -> Result<Option<Value>, Fault> {
        match self {
            Self::Leaf(index) => convert(values.get(*index).copied()),
            Self::Members(members) => {
                let mut map = HashMap::with_capacity(members.len());
                for (name, node) in members {
                    if let Some(value) = node.value(values)? {
                        map.insert(Key::String(Arc::clone(name)), value);
                    }
                }
                Ok(Some(Value::Map(Map { map: Arc::new(map) })))
            }
        }
    }
}

impl Variable {
    /// Returns its name.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Returns its value; nothing where the record has none.
    pub(super) fn value(&self, values: &[FieldValue<'_>]) -> Result<Option<Value>, Fault> {
        self.node.value(values)
    }
}

fn convert(value: Option<FieldValue<'_>>) -> Result<Option<Value>, Fault> {
    Ok(Some(match value {
        None | Some(FieldValue::Missing | FieldValue::Undecodable) => return Ok(None),
        Some(FieldValue::Null) => Value::Null,
        Some(FieldValue::Boolean(flag)) => Value::Bool(flag),
        Some(FieldValue::Integer(number)) => Value::Int(number),
        Some(FieldValue::Number(text)) => {
            number(std::str::from_utf8(text).unwrap_or_default()).ok_or(Fault::Type)?
        }
        Some(FieldValue::Json(text)) => json(text).ok_or(Fault::Type)?,
        Some(FieldValue::Bytes(bytes)) => whole(bytes),
        Some(value @ (FieldValue::EscapedText(_) | FieldValue::QuotedCell(_))) => {
            let mut scratch = Vec::new();
            text(field_text(value, &mut scratch).unwrap_or_default())
        }
    }))
}

/// A whole payload may be a document; any other bytes are text, or else bytes.
fn whole(bytes: &[u8]) -> Value {
    let first = bytes.trim_ascii_start().first();
    let parsed = if matches!(first, Some(b'{' | b'[')) {
        json(bytes)
    } else {
        None
    };
    parsed.unwrap_or_else(|| text(bytes))
}

fn text(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::String(Arc::new(text.to_owned())),
        Err(_) => Value::Bytes(Arc::new(bytes.to_vec())),
    }
}

fn number(text: &str) -> Option<Value> {
    if let Ok(whole) = text.parse() {
        return Some(Value::Int(whole));
    }
    let float: f64 = text.parse().ok()?;
    float.is_finite().then_some(Value::Float(float))
}

fn json(bytes: &[u8]) -> Option<Value> {
    Some(from_json(serde_json::from_slice(bytes).ok()?))
}

fn from_json(value: serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(flag) => Value::Bool(flag),
        serde_json::Value::Number(of) => number(&of.to_string()).unwrap_or(Value::Null),
        serde_json::Value::String(text) => Value::String(Arc::new(text)),
        serde_json::Value::Array(items) => {
            Value::List(Arc::new(items.into_iter().map(from_json).collect()))
        }
        serde_json::Value::Object(members) => {
            let members = members
                .into_iter()
                .map(|(name, value)| (Key::String(Arc::new(name)), from_json(value)));
            Value::Map(Map {
                map: Arc::new(members.collect()),
            })
        }
    }
}
