//! The formats of files, by the names that `--format` takes.

/// A format of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileFormat {
    /// One JSON document per line.
    JsonLines,
    /// JSON documents that are not one per line: elements of an array, pretty-printed or joined.
    Json,
    /// Comma- or semicolon-separated rows under a header row.
    Csv,
    /// The same without a header row: columns are `c1`, `c2` and so on.
    CsvNoHeader,
    /// Tab-separated rows under a header row.
    Tsv,
    /// Envelopes as `kcat -J` writes them, one per line.
    Kcat,
    /// Envelopes as `rpk topic consume` writes them.
    Rpk,
    /// The JSON download of Redpanda Console.
    RedpandaConsole,
    /// What kafka-ui saves of a topic.
    KafkaUi,
    /// The download of a query's result in AKHQ.
    Akhq,
    /// Envelopes of `kaf consume --output json` and `json-each-row`.
    Kaf,
    /// Envelopes of `kafkactl consume -o json` and `json-raw`.
    Kafkactl,
    /// Lines of `kafka-console-consumer`.
    ConsoleConsumer,
    /// Text of `kafka-dump-log --print-data-log`.
    DumpLog,
    /// Lines of `name=value` pairs.
    Logfmt,
    /// `OpenTelemetry` logs as JSON.
    Otel,
    /// Events of `CloudWatch` Logs as JSON.
    CloudWatch,
    /// Message DB's `messages` table as CSV.
    MessageDb,
    /// Segments of Kafka's log, as a broker keeps them.
    Segment,
    /// Avro object container files.
    Avro,
    /// Parquet files.
    Parquet,
}

impl FileFormat {
    /// All formats, in the order in which they are listed to people.
    pub const ALL: [Self; 21] = [
        Self::JsonLines,
        Self::Json,
        Self::Csv,
        Self::CsvNoHeader,
        Self::Tsv,
        Self::Kcat,
        Self::Rpk,
        Self::RedpandaConsole,
        Self::KafkaUi,
        Self::Akhq,
        Self::Kaf,
        Self::Kafkactl,
        Self::ConsoleConsumer,
        Self::DumpLog,
        Self::Logfmt,
        Self::Otel,
        Self::CloudWatch,
        Self::MessageDb,
        Self::Segment,
        Self::Avro,
        Self::Parquet,
    ];

    /// Returns the name of the format.
    pub fn name(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::CsvNoHeader => "csv-no-header",
            Self::Tsv => "tsv",
            Self::Kcat => "kcat",
            Self::Rpk => "rpk",
            Self::RedpandaConsole => "redpanda-console",
            Self::KafkaUi => "kafka-ui",
            Self::Akhq => "akhq",
            Self::Kaf => "kaf",
            Self::Kafkactl => "kafkactl",
            Self::ConsoleConsumer => "console-consumer",
            Self::DumpLog => "dump-log",
            Self::Logfmt => "logfmt",
            Self::Otel => "otel",
            Self::CloudWatch => "cloudwatch",
            Self::MessageDb => "message-db",
            Self::Segment => "segment",
            Self::Avro => "avro",
            Self::Parquet => "parquet",
        }
    }

    /// Returns the names of all formats.
    pub fn names() -> [&'static str; 21] {
        Self::ALL.map(Self::name)
    }

    /// Returns the format of a name, or nothing for any other text.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Returns whether its records carry the offsets of a topic.
    pub fn has_offsets(self) -> bool {
        match self {
            Self::Kcat
            | Self::Rpk
            | Self::RedpandaConsole
            | Self::KafkaUi
            | Self::Akhq
            | Self::Kaf
            | Self::Kafkactl
            | Self::ConsoleConsumer
            | Self::DumpLog
            | Self::Segment => true,
            Self::JsonLines
            | Self::Json
            | Self::Csv
            | Self::CsvNoHeader
            | Self::Tsv
            | Self::Logfmt
            | Self::Otel
            | Self::CloudWatch
            | Self::MessageDb
            | Self::Avro
            | Self::Parquet => false,
        }
    }

    /// Returns whether its records carry offsets but never the topic that they are of.
    pub fn lacks_topic(self) -> bool {
        matches!(
            self,
            Self::RedpandaConsole
                | Self::KafkaUi
                | Self::Akhq
                | Self::Kafkactl
                | Self::ConsoleConsumer
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_format() {
        for format in FileFormat::ALL {
            assert_eq!(FileFormat::parse(format.name()), Some(format));
        }
        let mut names = FileFormat::names().to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FileFormat::ALL.len());
        assert_eq!(FileFormat::parse("orc"), None);
    }
}
