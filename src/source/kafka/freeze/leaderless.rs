//! Names what cannot be read because no broker leads it, and how to read the rest.

use crate::record::counted;
use crate::source::kafka::KafkaSpec;
use crate::source::kafka::{PartitionListing, TopicListing};

use super::is_wanted;

/// Most partitions that are named.
const NAMED_MAX: usize = 10;

/// Names the partitions that have no leader, or a topic that has no partition yet.
pub(super) fn leaderless(listings: &[TopicListing], spec: &KafkaSpec) -> Option<String> {
    if let Some(empty) = listings.iter().find(|of| of.partitions.is_empty()) {
        return Some(format!("topic {} has no partition", empty.topic));
    }
    let wanted = listings.iter().flat_map(|of| {
        let partitions = of.partitions.iter().map(|one| (of.topic.as_str(), one));
        partitions.filter(|(_, one)| is_wanted(spec, one.partition))
    });
    let (led, lost): (Vec<_>, Vec<_>) = wanted.partition(|(_, one)| one.leader.is_some());
    let why = lost.first()?.1.error.as_deref();
    let why = why.unwrap_or("no broker leads it");
    let has = if lost.len() == 1 { "has" } else { "have" };
    let mut text = format!("{} {has} no leader: {why}", names_of(&lost));
    if listings.len() == 1 && !led.is_empty() {
        text.push_str("; the others can be read with -p ");
        text.push_str(&numbers_of(&led));
    }
    Some(text)
}

fn names_of(lost: &[(&str, &PartitionListing)]) -> String {
    let named = lost.iter().take(NAMED_MAX);
    let mut names: Vec<String> = named
        .map(|(topic, one)| format!("{topic}-{}", one.partition))
        .collect();
    if lost.len() > NAMED_MAX {
        names.push(counted(lost.len() - NAMED_MAX, "other"));
    }
    names.join(", ")
}

/// Returns numbers as `-p` takes them: `0,3-5`.
fn numbers_of(led: &[(&str, &PartitionListing)]) -> String {
    let mut runs: Vec<(i32, i32)> = Vec::new();
    for number in led.iter().map(|(_, one)| one.partition) {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            Some(_) | None => runs.push((number, number)),
        }
    }
    let text = |&(first, last): &(i32, i32)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    };
    runs.iter().map(text).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str, leaders: &[Option<i32>]) -> TopicListing {
        let partitions = (0..).zip(leaders).map(|(partition, &leader)| {
            let error = leader.is_none().then(|| "no such leader".to_owned());
            PartitionListing {
                partition,
                leader,
                error,
            }
        });
        TopicListing {
            topic: name.to_owned(),
            error: None,
            partitions: partitions.collect(),
        }
    }

    fn spec() -> KafkaSpec {
        KafkaSpec::new("h:1", vec!["t".to_owned()])
    }

    #[test]
    fn all_that_lack_a_leader_are_named_and_how_to_read_the_others() {
        let leaders = [Some(1), None, Some(1), Some(2), None, Some(1)];
        let text = leaderless(&[topic("t", &leaders)], &spec()).unwrap();
        let expected = "t-1, t-4 have no leader: no such leader; \
                        the others can be read with -p 0,2-3,5";
        assert_eq!(text, expected);
        let one = leaderless(&[topic("t", &[None])], &spec()).unwrap();
        assert_eq!(one, "t-0 has no leader: no such leader");
    }

    #[test]
    fn of_many_only_some_are_named() {
        let text = leaderless(&[topic("t", &[None; 14])], &spec()).unwrap();
        assert!(text.contains("t-9, 4 others have no leader"), "{text}");
    }

    #[test]
    fn numbers_that_would_be_those_of_other_topics_too_are_not_offered() {
        let listings = [topic("t", &[Some(1), None]), topic("u", &[Some(1)])];
        let text = leaderless(&listings, &spec()).unwrap();
        assert!(text.starts_with("t-1 has no leader"), "{text}");
        assert!(!text.contains("-p"), "{text}");
    }

    #[test]
    fn what_is_not_asked_for_may_lack_a_leader() {
        let mut asked = spec();
        asked.partitions = Some([0].into());
        assert_eq!(leaderless(&[topic("t", &[Some(1), None])], &asked), None);
        let empty = leaderless(&[topic("t", &[])], &asked).unwrap();
        assert_eq!(empty, "topic t has no partition");
    }
}
