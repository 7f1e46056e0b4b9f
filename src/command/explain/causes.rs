//! Why the extras exist: what the report concluded, and what the records themselves rule out.

use crate::audit::RecalledRecord;
use crate::record::TimestampType;
use crate::report::explain::{ExplainedCause, ExplainedCopy};
use crate::report::read::ReadGroup;

/// Returns the causes of the extras that are shown, in the order in which they come up.
pub(super) fn of(
    group: &ReadGroup,
    copies: &[ExplainedCopy],
    records: &[Option<&RecalledRecord>],
) -> Vec<ExplainedCause> {
    let mut causes: Vec<(ExplainedCause, Texts<'_>, Texts<'_>)> = Vec::new();
    let extras = group.records.iter().enumerate().skip(1);
    for (index, record) in extras {
        let code = record.cause.as_ref().unwrap_or(&group.cause);
        let is_same = |(known, _, _): &(ExplainedCause, Texts<'_>, Texts<'_>)| {
            known.cause == *code && known.confidence == record.confidence
        };
        let number = u64::try_from(index).unwrap_or(u64::MAX);
        let ruled_out = ruled_out(code, copies, records, index);
        let known = causes.iter().position(is_same);
        if let Some((cause, _, _)) = known.and_then(|place| causes.get_mut(place)) {
            cause.ruled_out.retain(|reason| ruled_out.contains(reason));
        }
        let place = known.unwrap_or_else(|| {
            let cause = ExplainedCause {
                cause: code.clone(),
                confidence: record.confidence.clone(),
                ruled_out,
                ..ExplainedCause::default()
            };
            causes.push((cause, Texts::default(), Texts::default()));
            causes.len() - 1
        });
        let Some((cause, evidence, contrary)) = causes.get_mut(place) else {
            continue;
        };
        cause.extras.push(number);
        cause.episodes.extend(record.episode);
        let of_group = (*code == group.cause).then_some(&group.evidence);
        evidence.take(number, record.evidence.as_ref().or(of_group));
        contrary.take(number, record.contrary.as_ref().or(Some(&group.contrary)));
    }
    let finish = |(mut cause, evidence, contrary): (ExplainedCause, Texts<'_>, Texts<'_>)| {
        cause.episodes.sort_unstable();
        cause.episodes.dedup();
        cause.evidence = evidence.sentences(cause.extras.len());
        cause.contrary = contrary.sentences(cause.extras.len()).unwrap_or_default();
        cause
    };
    causes.into_iter().map(finish).collect()
}

/// Sentences about several extras, each with those that it is about.
#[derive(Default)]
struct Texts<'a> {
    sentences: Vec<(&'a str, Vec<u64>)>,
    is_unknown: bool,
}

impl<'a> Texts<'a> {
    fn take(&mut self, extra: u64, sentences: Option<&'a Vec<String>>) {
        self.is_unknown |= sentences.is_none();
        for sentence in sentences.into_iter().flatten() {
            match self
                .sentences
                .iter_mut()
                .find(|(known, _)| known == sentence)
            {
                Some((_, extras)) => extras.push(extra),
                None => self.sentences.push((sentence, vec![extra])),
            }
        }
    }

    /// Returns the sentences; those that are not about all extras name them. Nothing where the
    /// report does not say.
    fn sentences(self, extras: usize) -> Option<Vec<String>> {
        if self.is_unknown {
            return None;
        }
        let text = |(sentence, about): (&str, Vec<u64>)| {
            if about.len() >= extras {
                return sentence.to_owned();
            }
            let about: Vec<String> = about.iter().map(u64::to_string).collect();
            format!("extra {}: {sentence}", about.join(", "))
        };
        Some(self.sentences.into_iter().map(text).collect())
    }
}

/// Says of other causes what a look at an extra record and the copies before it shows; any of them
/// may be the one that came again. Runs are beyond one group.
fn ruled_out(
    code: &str,
    copies: &[ExplainedCopy],
    records: &[Option<&RecalledRecord>],
    index: usize,
) -> Vec<String> {
    let (Some(before), Some(extra)) = (copies.get(..index), copies.get(index)) else {
        return Vec::new();
    };
    let recalled = |index: usize| records.get(index).copied().flatten();
    let mut out = Vec::new();
    let mut add = |cause: &str, reason: Option<&str>| {
        if let Some(reason) = reason.filter(|_| code != cause) {
            out.push(format!("{cause}: {reason}"));
        }
    };
    add("producer-retry", of_all(before, |one| no_retry(one, extra)));
    add(
        "application-resend",
        of_all(before, |one| no_resend(one, extra)),
    );
    add("mirror-copy", of_all(before, |one| no_mirror(one, extra)));
    let is_unnamed = |record: Option<&RecalledRecord>| {
        record.is_some_and(|record| record.headers.is_some() && record.named.is_none())
    };
    let are_unnamed = (0..=index).all(|index| is_unnamed(recalled(index)));
    add(
        "dead-letter-copy",
        are_unnamed.then_some("no header names the other copy"),
    );
    out
}

/// Returns the reason of the nearest copy where each of them gives one.
fn of_all(
    copies: &[ExplainedCopy],
    reason: impl Fn(&ExplainedCopy) -> Option<&'static str>,
) -> Option<&'static str> {
    let reasons: Option<Vec<_>> = copies.iter().map(reason).collect();
    reasons?.pop()
}

fn no_retry(earlier: &ExplainedCopy, extra: &ExplainedCopy) -> Option<&'static str> {
    if is_elsewhere(earlier, extra) {
        return Some("it would be in the same partition");
    }
    let (from, to) = create_times(earlier, extra)?;
    (from != to).then_some("CreateTime would be equal")
}

fn no_resend(earlier: &ExplainedCopy, extra: &ExplainedCopy) -> Option<&'static str> {
    if is_elsewhere(earlier, extra) {
        return None;
    }
    let (from, to) = create_times(earlier, extra)?;
    (from == to).then_some("CreateTime would differ")
}

fn no_mirror(earlier: &ExplainedCopy, extra: &ExplainedCopy) -> Option<&'static str> {
    let topic = |copy: &ExplainedCopy| copy.topic_partition.clone().map(|(topic, _)| topic);
    (topic(earlier)? == topic(extra)?).then_some("one topic")
}

fn is_elsewhere(earlier: &ExplainedCopy, extra: &ExplainedCopy) -> bool {
    let (from, to) = (&earlier.topic_partition, &extra.topic_partition);
    from.is_some() && to.is_some() && from != to
}

fn create_times(earlier: &ExplainedCopy, extra: &ExplainedCopy) -> Option<(i64, i64)> {
    let is_create_time = |copy: &ExplainedCopy| copy.timestamp_type == TimestampType::CreateTime;
    let times = earlier.timestamp_millis.zip(extra.timestamp_millis);
    times.filter(|_| is_create_time(earlier) && is_create_time(extra))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::read::ReadRecord;

    fn group(extras: &[Option<&[&str]>]) -> ReadGroup {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let record = |(index, evidence): (usize, Option<&[&str]>)| ReadRecord {
            occurrence: u64::try_from(index).unwrap() + 2,
            cause: Some("producer-retry".to_owned()),
            episode: Some(9 - u64::try_from(index).unwrap()),
            evidence: evidence.map(texts),
            ..ReadRecord::default()
        };
        let mut group: ReadGroup = serde_json::from_value(serde_json::json!({
            "id": "g_1", "key": {}, "count": 3, "extra": 2, "cause": "producer-retry",
            "confidence": null, "evidence": ["the group's"], "amount": null, "subject": null,
            "records": [],
        }))
        .unwrap();
        let extras = extras.iter().copied().enumerate().map(record);
        group.records = std::iter::once(ReadRecord::default())
            .chain(extras)
            .collect();
        group
    }

    #[test]
    fn what_is_about_all_extras_stands_once_and_the_rest_names_its_extra() {
        let causes = of(
            &group(&[Some(&["same", "at 1"]), Some(&["same", "at 2"])]),
            &[],
            &[],
        );
        let [cause] = causes.as_slice() else {
            panic!("{causes:?}")
        };
        assert_eq!(
            (&*cause.extras, &*cause.episodes),
            (&[1, 2][..], &[8, 9][..])
        );
        let evidence = cause.evidence.as_ref().unwrap();
        assert_eq!(*evidence, ["same", "extra 1: at 1", "extra 2: at 2"]);
    }

    fn copy(topic: &str, millis: i64) -> ExplainedCopy {
        ExplainedCopy {
            topic_partition: Some((topic.to_owned(), 0)),
            timestamp_millis: Some(millis),
            timestamp_type: TimestampType::CreateTime,
            ..ExplainedCopy::default()
        }
    }

    #[test]
    fn a_cause_is_ruled_out_by_all_earlier_copies_and_for_all_its_extras() {
        let copies = [copy("mirror", 5), copy("a", 5), copy("a", 9)];
        let mut mixed = group(&[None, None]);
        mixed.records[1].cause = Some("mirror-copy".to_owned());
        mixed.records[2].cause = Some("application-resend".to_owned());
        let causes = of(&mixed, &copies, &[]);
        let in_partition = "producer-retry: it would be in the same partition";
        assert_eq!(causes[0].ruled_out, [in_partition]);
        // The copy in its own partition is the one that it may repeat.
        let of_time = "producer-retry: CreateTime would be equal";
        assert_eq!(causes[1].ruled_out, [of_time]);

        for extra in &mut mixed.records[1..] {
            extra.cause = Some("undetermined".to_owned());
        }
        assert!(of(&mixed, &copies, &[])[0].ruled_out.is_empty());
    }

    #[test]
    fn reports_without_evidence_of_each_record_have_that_of_the_group() {
        let causes = of(&group(&[None, None]), &[], &[]);
        assert_eq!(causes[0].evidence.as_ref().unwrap(), &["the group's"]);
        let mut other = group(&[None, None]);
        other.records[2].cause = Some("mirror-copy".to_owned());
        assert_eq!(of(&other, &[], &[])[1].evidence, None);
    }
}
