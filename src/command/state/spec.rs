//! What decides which records are the same, as text that a state keeps.

use std::fmt::Display;

use ring::digest;

use crate::audit::{FieldMapping, TimestampUnit};
use crate::command::ScanCommand;
use crate::dedup_key::MissingPolicy;
use crate::expression::Expression;
use crate::schema::PartSpec;
use crate::state::SpecPart;

/// Returns the options on which fingerprints, and what they are of, depend.
pub(super) fn spec_of(scan: &ScanCommand) -> Vec<SpecPart> {
    let plan = &scan.plan;
    let schemas = &scan.schemas;
    let missing = match plan.dedup_key.missing {
        MissingPolicy::Skip => "skip",
        MissingPolicy::Group => "group",
    };
    let registry = schemas.registry.is_named().then_some("given");
    let parts = [
        ("--by", listed(&plan.dedup_key.fields)),
        ("--ignore", listed(&plan.dedup_key.ignore)),
        ("--missing", Some(missing.to_owned())),
        ("--where", expression(scan, plan.filter.as_ref())),
        (
            "--within",
            plan.within_millis.map(|millis| format!("{millis}ms")),
        ),
        ("--reversal", expression(scan, plan.reversal.as_ref())),
        ("--map", mapping(&plan.mapping)),
        ("--tz", plan.mapping.zone.map(|zone| zone.name().to_owned())),
        ("--assume-topic", text(plan.assume_topic.as_ref())),
        ("--format", scan.format.clone()),
        ("--isolation", Some(scan.isolation.name().to_owned())),
        ("--schema-registry", text(registry)),
        (
            "--schemas",
            text(schemas.folder.as_ref().map(|folder| folder.display())),
        ),
        ("--key-schema", part(&schemas.key)),
        ("--value-schema", part(&schemas.value)),
    ];
    let part = |(option, value): (&str, Option<String>)| SpecPart {
        option: option.to_owned(),
        value: value.unwrap_or_else(|| "none".to_owned()),
    };
    parts.map(part).to_vec()
}

/// Expressions may name values of records: where those are hidden, a hash tells whether it is the
/// same expression.
fn expression(scan: &ScanCommand, expression: Option<&Expression>) -> Option<String> {
    let text = text(expression)?;
    if scan.redaction.is_none() {
        return Some(text);
    }
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let start = digest.as_ref().first_chunk().copied()?;
    Some(format!("hidden, {:016x}", u64::from_be_bytes(start)))
}

fn text(value: Option<impl Display>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn listed(values: &[impl ToString]) -> Option<String> {
    let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| texts.join(","))
}

fn mapping(mapping: &FieldMapping) -> Option<String> {
    let timestamp = mapping.timestamp.as_ref().map(|(path, unit)| {
        let unit = match unit {
            TimestampUnit::ByMagnitude => "",
            TimestampUnit::Seconds => ":s",
            TimestampUnit::Milliseconds => ":ms",
            TimestampUnit::Microseconds => ":us",
            TimestampUnit::Nanoseconds => ":ns",
        };
        format!("timestamp={path}{unit}")
    });
    let others = [
        ("topic", &mapping.topic),
        ("partition", &mapping.partition),
        ("offset", &mapping.offset),
        ("key", &mapping.key),
        ("value", &mapping.value),
    ];
    let others = others.into_iter();
    let others = others.filter_map(|(name, path)| Some(format!("{name}={}", path.as_ref()?)));
    let all: Vec<String> = timestamp.into_iter().chain(others).collect();
    listed(&all)
}

fn part(spec: &PartSpec) -> Option<String> {
    match spec {
        PartSpec::ById => None,
        PartSpec::AsTheyAre => Some("as they are".to_owned()),
        PartSpec::With(file) => {
            let message = file.message.iter().map(|message| format!(":{message}"));
            Some(format!(
                "{}{}",
                file.path.display(),
                message.collect::<String>()
            ))
        }
    }
}
