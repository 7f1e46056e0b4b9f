//! The diagnosis changes no group: with it they are what they are without it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::conclude::ConcludedGroup;
use super::verdicts::Verdicts;
use super::{build, gather};
use crate::audit::detail::Detail;
use crate::audit::plan::AuditPlan;
use crate::audit::revisit::SetAside;
use crate::dedup_key::fingerprint;
use crate::diagnosis::{ContentHashes, DiagnosisContext};
use crate::finding::{DeadLetterDialect, NamedCoordinates};
use crate::record::BatchStamp;
use crate::record::TimestampType;
use crate::sorted_run::encoding::Encoder;
use crate::sorted_run::{BlobSorter, SortedBlobs};

pub(super) fn plan(within_millis: Option<i64>) -> AuditPlan {
    AuditPlan {
        within_millis,
        ..AuditPlan::sample(&[])
    }
}

fn stamp(base: i64, kind: i32) -> BatchStamp {
    BatchStamp {
        base_offset: base * 4,
        last_offset: base * 4 + 3,
        crc: u32::try_from(kind).unwrap(),
        length: 100,
        record_count: 2,
        producer_id: i64::from(kind) - 1,
        producer_epoch: 0,
        base_sequence: kind,
        leader_epoch: kind,
        is_transactional: kind == 2,
        is_aborted: None,
    }
}

/// A record with all that the diagnosis may look at; its place comes later.
pub(super) fn detail() -> impl Strategy<Value = Detail> {
    let topic = proptest::sample::select(vec![Some("a"), Some("a"), Some("dc1.a"), None]);
    let batch =
        proptest::option::of((0_i64..6, 0_i32..3).prop_map(|(base, kind)| stamp(base, kind)));
    let named = (0_i64..60).prop_map(|offset| NamedCoordinates {
        dialect: DeadLetterDialect::Connect,
        topic: "a".to_owned(),
        partition: 0,
        offset,
    });
    (
        (0_u8..8, topic, 0_i32..2, any::<bool>()),
        proptest::option::of(0_i64..5000),
        proptest::option::of(any::<bool>()),
        (batch, proptest::option::weighted(0.2, named)),
        (proptest::bool::weighted(0.2), proptest::bool::weighted(0.9)),
        (0_u128..2, proptest::bool::weighted(0.95)),
    )
        .prop_map(
            |(place, millis, is_appended, copy, flags, content)| Detail {
                canonical_key: content.1.then(|| vec![place.0]),
                topic: place.1.map(str::to_owned),
                partition: Some(place.2),
                timestamp_millis: millis,
                timestamp_type: match is_appended {
                    None => TimestampType::Unrecorded,
                    Some(false) => TimestampType::CreateTime,
                    Some(true) => TimestampType::LogAppendTime,
                },
                batch: copy.0,
                named: copy.1,
                is_aborted: flags.0,
                is_in_range: flags.1,
                value: Some(content.0.to_string().into_bytes()),
                content: ContentHashes {
                    key: Some(1),
                    headers: place.3.then_some(1),
                    value: Some(content.0),
                },
                ..Detail::default()
            },
        )
}

/// Returns what could be read again, and what could not.
pub(super) fn sorted(details: &[Detail], dir: &Path) -> (SortedBlobs, SortedBlobs) {
    let sorters = || BlobSorter::new(dir, 1 << 20);
    let (mut found, mut gone) = (sorters(), sorters());
    let (mut encoder, mut sort_key) = (Encoder::default(), Vec::new());
    for detail in details {
        let key = detail.canonical_key.as_deref();
        detail.write_sort_key(fingerprint(key.unwrap_or(&[3])), &mut sort_key);
        let set_aside = SetAside {
            is_reversal: false,
            detail: detail.clone(),
        };
        let encoded = encoder.encode(&set_aside).unwrap();
        let sorter = if key.is_some() { &mut found } else { &mut gone };
        sorter.push(&sort_key, encoded).unwrap();
    }
    (found.finish().unwrap(), gone.finish().unwrap())
}

/// Returns the bytes of all groups, and how many extra records they have.
fn groups(
    mut blobs: SortedBlobs,
    open: impl Fn(&[u8]) -> (Vec<u8>, u64),
) -> (BTreeSet<Vec<u8>>, u64) {
    let (mut groups, mut extra) = (BTreeSet::new(), 0);
    while let Some((_, payload)) = blobs.next().unwrap() {
        let (group, count) = open(payload);
        extra += count - 1;
        assert!(groups.insert(group), "a group comes once");
    }
    (groups, extra)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, cases: 200, ..ProptestConfig::default()
    })]

    #[test]
    fn groups_are_the_same_with_and_without_a_diagnosis(
        details in proptest::collection::vec(detail(), 0..60),
        within_millis in proptest::option::of(0_i64..3000),
    ) {
        let mut details = details;
        for (position, detail) in (0..).zip(&mut details) {
            detail.position = position;
            detail.offset = detail.topic.is_some().then_some(i64::try_from(position).unwrap());
        }
        let folder = tempfile::tempdir().unwrap();
        let (dir, plan) = (folder.path(), plan(within_millis));
        let gathered = gather::gather(&plan, sorted(&details, dir), dir).unwrap();
        let without = groups(gathered.groups, |payload| {
            let group: super::GatheredGroup = postcard::from_bytes(payload).unwrap();
            (payload.to_vec(), group.count)
        });
        let context = DiagnosisContext::default();
        let concluded = build(&plan, sorted(&details, dir), context, (dir, &[])).unwrap();
        let with = groups(concluded.groups.groups, |payload| {
            let group: ConcludedGroup = postcard::from_bytes(payload).unwrap();
            let verdicts = Verdicts {
                spooled: group.verdicts,
                files: Arc::new([]),
                texts: Arc::default(),
            };
            let diagnosed = verdicts.walk().map(Result::unwrap).count();
            let extra = usize::try_from(group.gathered.count - 1).unwrap();
            assert_eq!(diagnosed, extra, "an extra record has one verdict");
            (postcard::to_stdvec(&group.gathered).unwrap(), group.gathered.count)
        });
        let of_episodes: u64 = concluded.episodes.iter().map(|one| one.extra_records).sum();
        prop_assert_eq!(of_episodes, with.1, "an extra record lies in one episode");
        prop_assert_eq!(with, without);
    }
}
