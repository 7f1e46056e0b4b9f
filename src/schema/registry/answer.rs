//! What a registry answers: a schema as text, its language, and the schemas that it refers to.

use serde::Deserialize;

use crate::schema::reading::Language;

/// A schema as a registry gives it.
#[derive(Debug, Deserialize)]
pub(in crate::schema) struct SchemaAnswer {
    /// Its text.
    pub(in crate::schema) schema: String,
    #[serde(rename = "schemaType")]
    schema_type: Option<String>,
    /// Others that it refers to.
    #[serde(default)]
    pub(in crate::schema) references: Vec<Reference>,
}

/// A schema that another one refers to.
#[derive(Debug, Deserialize)]
pub(in crate::schema) struct Reference {
    /// How the other one calls it.
    pub(in crate::schema) name: String,
    /// The subject that it is registered under.
    pub(super) subject: String,
    /// Its version there.
    pub(super) version: i32,
}

impl SchemaAnswer {
    /// Reads an answer; the error says what is wrong with it.
    pub(in crate::schema) fn parse(json: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(json).map_err(|error| format!("is no answer of a registry: {error}"))
    }

    /// Returns the language; registries leave Avro out.
    pub(in crate::schema) fn language(&self) -> Result<Language, String> {
        match self.schema_type.as_deref().unwrap_or("AVRO") {
            "AVRO" => Ok(Language::Avro),
            "PROTOBUF" => Ok(Language::Protobuf),
            "JSON" => Ok(Language::Json),
            other => {
                let other: String = other.chars().take(40).collect();
                Err(format!(
                    "is in a language that is not known here, `{other}`"
                ))
            }
        }
    }
}
