//! `--expect`: rules for what repeats by design, as typed.

use crate::audit::ExpectedRepeat;
use crate::cli::usage_error::UsageError;
use crate::finding::Cause;

const OPTION: &str = "--expect";

const HINT: &str = "there are dead-letter, mirror, aborted, snapshot (Debezium's `op` is `r`) and \
                    compacted:TOPIC";

/// Returns the rules.
pub fn resolve(texts: &[String]) -> Result<Vec<ExpectedRepeat>, UsageError> {
    let mut rules = Vec::new();
    for text in texts.iter().flat_map(|text| text.split(',')) {
        let rule = parse(text).map_err(|error| error.at(OPTION, text))?;
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    Ok(rules)
}

fn parse(text: &str) -> Result<ExpectedRepeat, UsageError> {
    match text {
        "dead-letter" => Ok(ExpectedRepeat::Cause(Cause::DeadLetterCopy)),
        "mirror" => Ok(ExpectedRepeat::Cause(Cause::MirrorCopy)),
        "aborted" => Ok(ExpectedRepeat::Cause(Cause::AbortedTransaction)),
        "snapshot" => Ok(ExpectedRepeat::Snapshot),
        _ => match text.strip_prefix("compacted:").map(str::trim) {
            Some(topic) if !topic.is_empty() => Ok(ExpectedRepeat::Compacted(topic.to_owned())),
            Some(_) => Err(UsageError::new("it names no topic").hint(HINT)),
            None => Err(UsageError::new("this is no rule").hint(HINT)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_named_and_what_is_none_is_refused() {
        let texts = ["dead-letter,snapshot", "compacted:users", "snapshot"];
        let rules = resolve(&texts.map(str::to_owned)).unwrap();
        let names: Vec<&str> = rules.iter().map(ExpectedRepeat::name).collect();
        assert_eq!(names, ["dead-letter", "snapshot", "compacted"]);
        for text in ["", "compacted", "compacted:", "mirrors", "mirror,"] {
            let error = resolve(&[text.to_owned()]).unwrap_err();
            assert!(error.hint.unwrap().contains("compacted:TOPIC"), "{text}");
        }
    }
}
