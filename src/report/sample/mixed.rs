//! A small report of every cause.

use crate::finding::Cause;
use crate::finding::CauseTotal;
use crate::finding::Confidence;
use crate::finding::Episode;
use crate::report::sample::{Sample, episode, sample};

/// A report of every cause; its groups are not part of it.
pub(in crate::report) fn mixed() -> Sample {
    let mut sample = sample();
    let total = |cause, confidences: &[(Option<Confidence>, u64)]| CauseTotal {
        cause,
        groups: 1,
        extra_records: confidences.iter().map(|(_, extra)| extra).sum(),
        confidences: confidences.to_vec(),
        evidence: vec!["key, headers and value are the same bytes".to_owned()],
        contrary: Vec::new(),
    };
    let (strong, weak) = (Some(Confidence::Strong), Some(Confidence::Weak));
    let certain = Some(Confidence::Certain);
    let mut resend = total(Cause::ApplicationResend, &[(strong, 4), (weak, 3)]);
    resend.evidence = vec!["CreateTime is 5 s later: it was sent anew".to_owned()];
    resend.contrary = vec!["what a repeat does not change differs: value.amount".to_owned()];
    let mut undetermined = total(Cause::Undetermined, &[(None, 5)]);
    undetermined.contrary = vec![
        "missing: timestamps".to_owned(),
        "producer-retry and application-resend explain it equally well".to_owned(),
    ];
    sample.summary.causes = vec![
        resend,
        undetermined,
        total(Cause::MirrorCopy, &[(certain, 2)]),
        total(Cause::ProducerRetry, &[(certain, 1)]),
        total(Cause::ConsumerReplay, &[(weak, 1)]),
        total(Cause::DeadLetterCopy, &[(certain, 1)]),
    ];
    sample.episodes = mixed_episodes();
    sample.groups.clear();
    sample
}

fn mixed_episodes() -> Vec<Episode> {
    let of = |id, cause, extra_records, episode: Episode| Episode {
        id,
        cause,
        extra_records,
        ..episode
    };
    let resend = episode(2, 667, 10..90, 20..95);
    let mut bare = episode(3, 0, 0..1, 0..1);
    bare.topic = None;
    bare.partition = None;
    bare.first_timestamp_millis = None;
    bare.last_timestamp_millis = None;
    bare.original_topic = None;
    bare.original_partition = None;
    bare.original_offsets = None;
    bare.extra_offsets = None;
    let mut mirror = episode(1, 60, 5..7, 5..7);
    mirror.topic = Some("mirror.charges".to_owned());
    let mut retry = episode(4, 1_200, 30..31, 31..32);
    retry.partition = Some(0);
    retry.original_partition = Some(0);
    let mut replay = episode(5, 1_500, 77..78, 40..41);
    replay.topic = Some("charges.replies".to_owned());
    replay.partition = Some(2);
    vec![
        of(2, Cause::ApplicationResend, 7, resend),
        of(3, Cause::Undetermined, 5, bare),
        of(1, Cause::MirrorCopy, 2, mirror),
        of(4, Cause::ProducerRetry, 1, retry),
        of(5, Cause::ConsumerReplay, 1, replay),
    ]
}
