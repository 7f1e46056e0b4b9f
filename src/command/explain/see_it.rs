//! The commands that show each copy of a group where it lies.

use std::collections::BTreeMap;
use std::path::Path;

use crate::command::explain::by_file;
use crate::command::explain::places::Opened;
use crate::finding::{kcat_command, shell_word};
use crate::report::explain::ExplainedCommand;
use crate::report::read::ReadGroup;

/// Returns one command for each partition and each file.
pub(super) fn commands(
    connection: &str,
    group: &ReadGroup,
    opened: &Opened,
) -> Vec<ExplainedCommand> {
    let mut partitions: BTreeMap<(&str, i32), Vec<i64>> = BTreeMap::new();
    for record in group.records.iter().filter(|record| record.file.is_none()) {
        if let (Some(topic), Some(partition), Some(offset)) =
            (&record.topic, record.partition, record.offset)
        {
            let offsets = partitions.entry((topic, partition)).or_default();
            offsets.push(offset);
        }
    }
    let mut commands = Vec::new();
    for ((topic, partition), offsets) in partitions {
        commands.extend(kcat(connection, topic, partition, &offsets));
    }
    for (name, records) in by_file(group) {
        let Some((path, compression)) = opened.files.get(name) else {
            continue;
        };
        let lines: Option<Vec<u64>> = records.iter().map(|record| record.line).collect();
        let starts = records.iter().filter_map(|record| record.byte_offset);
        let texts = match lines {
            Some(lines) => vec![sed(path, compression, &lines)],
            None => starts.map(|start| tail(path, compression, start)).collect(),
        };
        commands.extend(texts.into_iter().map(|text| ExplainedCommand {
            text,
            others: Vec::new(),
        }));
    }
    commands
}

fn kcat(
    connection: &str,
    topic: &str,
    partition: i32,
    offsets: &[i64],
) -> Option<ExplainedCommand> {
    let (first, others) = offsets.split_first()?;
    Some(ExplainedCommand {
        text: kcat_command(connection, topic, partition, *first),
        others: others.iter().map(|offset| format!("-o {offset}")).collect(),
    })
}

fn sed(path: &Path, compression: &str, lines: &[u64]) -> String {
    let prints: Vec<String> = lines.iter().map(|line| format!("{line}p")).collect();
    let script = match &*prints {
        [one] => one.clone(),
        several => format!("'{}'", several.join(";")),
    };
    match unpacked(path, compression) {
        None => format!("sed -n {script} {}", word(path)),
        Some(unpack) => format!("{unpack} | sed -n {script}"),
    }
}

fn tail(path: &Path, compression: &str, start: u64) -> String {
    let from = start.saturating_add(1);
    match unpacked(path, compression) {
        None => format!("tail -c +{from} {} | head -n 1", word(path)),
        Some(unpack) => format!("{unpack} | tail -c +{from} | head -n 1"),
    }
}

fn unpacked(path: &Path, compression: &str) -> Option<String> {
    let tool = match compression {
        "" => return None,
        "snappy" => "snzip",
        other => other,
    };
    Some(format!("{tool} -dc {}", word(path)))
}

fn word(path: &Path) -> String {
    let text = path.display().to_string();
    // What begins with a dash would be taken for an option.
    if text.starts_with('-') {
        shell_word(&format!("./{text}"))
    } else {
        shell_word(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_files_are_shown_by_sed() {
        let command = |path: &str, compression| sed(Path::new(path), compression, &[3, 17]);
        assert_eq!(command("logs/a.jsonl", ""), "sed -n '3p;17p' logs/a.jsonl");
        assert_eq!(
            command("a b.gz", "gzip"),
            "gzip -dc 'a b.gz' | sed -n '3p;17p'"
        );
        assert_eq!(sed(Path::new("-x"), "", &[3]), "sed -n 3p ./-x");
        assert_eq!(tail(Path::new("x"), "", 40), "tail -c +41 x | head -n 1");
    }

    #[test]
    fn offsets_of_one_partition_share_a_command() {
        let command = kcat("-b h:9092", "charges", 1, &[7, 9, 12]).unwrap();
        let expected = "kcat -b h:9092 -C -t charges -p 1 -o 7 -c 1 -J";
        assert_eq!(command.text, expected);
        assert_eq!(command.others, ["-o 9", "-o 12"]);
    }
}
