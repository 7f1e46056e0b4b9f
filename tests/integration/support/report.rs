//! A JSON report as the tests read it: groups by dedup key, with the places of their records.

use std::collections::BTreeMap;

use serde_json::Value;

/// Topic, partition and offset of a record.
pub(crate) type Place = (String, i64, i64);

/// A parsed JSON report.
pub(crate) struct Report(pub(crate) Value);

impl Report {
    pub(crate) fn parse(text: &str) -> Self {
        let report: Value = serde_json::from_str(text).unwrap();
        assert_eq!(report["schema_version"], 1);
        Self(report)
    }

    /// Returns a number of the summary.
    pub(crate) fn total(&self, name: &str) -> i64 {
        self.0["summary"][name]
            .as_i64()
            .unwrap_or_else(|| panic!("summary has no number `{name}`: {}", self.0["summary"]))
    }

    pub(crate) fn skipped(&self, reason: &str) -> i64 {
        self.0["summary"]["skipped"][reason].as_i64().unwrap()
    }

    pub(crate) fn verdict(&self) -> &str {
        self.0["summary"]["verdict"].as_str().unwrap()
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.0["summary"]["complete"].as_bool().unwrap()
    }

    pub(crate) fn groups(&self) -> &[Value] {
        self.0["groups"].as_array().unwrap()
    }

    /// Returns the groups by the text of `field` in the dedup key; places sorted.
    pub(crate) fn places_by(&self, field: &str) -> BTreeMap<String, Vec<Place>> {
        let mut groups = BTreeMap::new();
        for group in self.groups() {
            let key = group["key"][field].as_str().unwrap().to_owned();
            let places = places_of(group);
            assert_eq!(groups.insert(key, places), None, "a key has two groups");
        }
        groups
    }

    /// Returns the places of all groups, sorted.
    pub(crate) fn places(&self) -> Vec<Vec<Place>> {
        let mut groups: Vec<Vec<Place>> = self.groups().iter().map(places_of).collect();
        groups.sort();
        groups
    }

    pub(crate) fn partition(&self, topic: &str, partition: i32) -> &Value {
        let partitions = self.0["coverage"]["partitions"].as_array().unwrap();
        partitions
            .iter()
            .find(|of| of["topic"] == topic && of["partition"] == partition)
            .unwrap_or_else(|| panic!("no coverage of {topic}-{partition}"))
    }

    /// Returns the gaps of a partition as start, end and reason.
    pub(crate) fn gaps(&self, topic: &str, partition: i32) -> Vec<(i64, i64, String)> {
        let gaps = self.partition(topic, partition)["gaps"].as_array().unwrap();
        gaps.iter()
            .map(|gap| {
                let reason = gap["reason"].as_str().unwrap().to_owned();
                (
                    gap["start"].as_i64().unwrap(),
                    gap["end"].as_i64().unwrap(),
                    reason,
                )
            })
            .collect()
    }
}

/// Returns the places of a group, sorted, which must be as many as it says.
fn places_of(group: &Value) -> Vec<Place> {
    let records = group["records"].as_array().unwrap();
    let mut places: Vec<Place> = records.iter().map(place).collect();
    assert_eq!(group["count"], places.len(), "count of {group}");
    assert_eq!(group["extra"], places.len() - 1, "extra of {group}");
    places.sort();
    places
}

fn place(record: &Value) -> Place {
    (
        record["topic"].as_str().unwrap_or_default().to_owned(),
        record["partition"].as_i64().unwrap_or(-1),
        record["offset"].as_i64().unwrap_or(-1),
    )
}
