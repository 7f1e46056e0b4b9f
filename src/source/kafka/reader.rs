//! Which client reads: our own unless asked otherwise, or unless only librdkafka has what it takes.

use crate::source::kafka::ClusterClient;
use crate::source::kafka::KafkaError;
use crate::source::kafka::KafkaSpec;
#[cfg(feature = "kafka")]
use crate::source::kafka::LibrdkafkaClient;
use crate::source::kafka::WireClient;

/// Which client reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reader {
    /// Our own, or librdkafka where the properties ask for what only it has.
    #[default]
    Automatic,
    /// Our own.
    Wire,
    /// librdkafka.
    Librdkafka,
}

impl Reader {
    /// Returns the reader as the command line names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Automatic => "auto",
            Self::Wire => "wire",
            Self::Librdkafka => "librdkafka",
        }
    }

    /// Returns the reader that is used for a spec, and why where it was not asked for.
    pub fn chosen_for(spec: &KafkaSpec) -> (Self, Option<String>) {
        match spec.reader {
            Self::Automatic => match WireClient::lacking(&spec.properties) {
                None => (Self::Wire, None),
                Some(property) => {
                    let text = format!("{property} is read with librdkafka");
                    (Self::Librdkafka, Some(text))
                }
            },
            asked @ (Self::Wire | Self::Librdkafka) => (asked, None),
        }
    }

    /// Returns the client for a spec.
    pub fn client_for(spec: &KafkaSpec) -> Result<Box<dyn ClusterClient>, KafkaError> {
        match Self::chosen_for(spec).0 {
            Self::Automatic | Self::Wire => Ok(Box::new(WireClient::new(spec)?)),
            #[cfg(feature = "kafka")]
            Self::Librdkafka => Ok(Box::new(LibrdkafkaClient::new(spec)?)),
            #[cfg(not(feature = "kafka"))]
            Self::Librdkafka => Err(KafkaError::Configuration(
                "this build has no librdkafka; build it with the feature `kafka`".to_owned(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn librdkafka_is_chosen_with_a_word_where_only_it_will_do() {
        let mut spec = KafkaSpec::new("localhost", vec![]);
        assert_eq!(Reader::chosen_for(&spec), (Reader::Wire, None));
        spec.properties.add("sasl.mechanism", "GSSAPI").unwrap();
        let (reader, word) = Reader::chosen_for(&spec);
        assert_eq!(reader, Reader::Librdkafka);
        assert!(word.unwrap().contains("GSSAPI"));
        spec.reader = Reader::Wire;
        assert!(Reader::client_for(&spec).is_err());
    }
}
