//! Schemas in files: by id in a folder, or one named by itself.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

#[cfg(feature = "protobuf")]
use crate::schema::protobuf::Messages;
use crate::schema::reading::{Language, Reading, SchemaText};
use crate::schema::registry::answer::SchemaAnswer;
use crate::schema::spec::SchemaFile;
use crate::schema::store::SchemaError;

/// Bytes of a schema that are read.
const SCHEMA_BYTES_MAX: u64 = 10 * 1024 * 1024;

/// Extensions of schemas in a folder; the name before is the id.
const EXTENSIONS: [&str; 4] = ["avsc", "proto", "desc", "json"];

/// A folder of schemas by id.
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Checks that there is such a folder, with a schema in it.
    pub(super) fn open(path: &Path) -> Result<Self, SchemaError> {
        let shown = path.display();
        let entries = path
            .read_dir()
            .map_err(|error| SchemaError::Setting(format!("`--schemas {shown}`: {error}")))?;
        let has_schema = entries.flatten().any(|entry| is_schema(&entry.path()));
        if !has_schema {
            return Err(SchemaError::Setting(format!(
                "`--schemas {shown}`: there is no schema in it; they are named by their ids, \
                 such as 17.avsc, 17.proto, 17.desc or 17.json"
            )));
        }
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Returns the schema of an id, nothing if it is not there; the error says what is wrong.
    pub(super) fn reading(&self, id: u32) -> Option<Result<Reading, String>> {
        let paths = EXTENSIONS.map(|extension| self.path.join(format!("{id}.{extension}")));
        let path = paths.into_iter().find(|path| path.is_file())?;
        Some(parse(&path))
    }

    /// Returns the folder's name.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }
}

fn is_schema(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    stem.is_some_and(|stem| stem.parse::<u32>().is_ok()) && EXTENSIONS.contains(&extension(path))
}

fn extension(path: &Path) -> &str {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.unwrap_or_default()
}

/// Reads the one schema that a part's payloads have.
pub(super) fn single(option: &str, file: &SchemaFile) -> Result<Reading, SchemaError> {
    let wrong = |why: String| {
        let path = file.path.display();
        SchemaError::Setting(format!("`{option} {path}`: {why}"))
    };
    if !EXTENSIONS.contains(&extension(&file.path)) {
        return Err(wrong(
            "its name does not say what it is; schemas end in .avsc, .proto, .desc or .json"
                .to_owned(),
        ));
    }
    let reading = parse(&file.path).map_err(wrong)?;
    match reading {
        #[cfg(feature = "protobuf")]
        Reading::Protobuf(mut messages) => {
            messages
                .choose(file.message.as_deref())
                .map_err(|why| wrong(format!("the schema {why}")))?;
            Ok(Reading::Protobuf(messages))
        }
        Reading::Avro(_) | Reading::Json => match &file.message {
            Some(message) => Err(wrong(format!(
                "only Protobuf has messages such as `{message}`"
            ))),
            None => Ok(reading),
        },
    }
}

fn parse(path: &Path) -> Result<Reading, String> {
    let parsed = match extension(path) {
        "avsc" => Reading::parse(&SchemaText {
            language: Language::Avro,
            text: read_text(path)?,
            others: Vec::new(),
        }),
        "json" => {
            let text = read_text(path)?;
            return parse_json(&text).map_err(|why| format!("the schema {why}"));
        }
        #[cfg(feature = "protobuf")]
        "proto" => Messages::compile_file(path).map(Reading::Protobuf),
        #[cfg(feature = "protobuf")]
        _ => Messages::from_descriptors(&read(path)?).map(Reading::Protobuf),
        #[cfg(not(feature = "protobuf"))]
        _ => Err("is in Protobuf, which this build does not read".to_owned()),
    };
    parsed.map_err(|why| format!("the schema {why}"))
}

/// JSON Schema says nothing of how its payloads are written; a registry's answer, saved as it
/// came, says what its schema says.
fn parse_json(text: &str) -> Result<Reading, String> {
    let answer = match SchemaAnswer::parse(text.as_bytes()) {
        Err(_) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => {
            return Ok(Reading::Json);
        }
        Err(_) => return Err("is no JSON".to_owned()),
        Ok(answer) => answer,
    };
    if let Some(reference) = answer.references.first() {
        return Err(format!(
            "refers to `{}`, which a folder does not have: ask the registry, with \
             --schema-registry",
            reference.name
        ));
    }
    Reading::parse(&SchemaText {
        language: answer.language()?,
        text: answer.schema,
        others: Vec::new(),
    })
}

fn read_text(path: &Path) -> Result<String, String> {
    String::from_utf8(read(path)?).map_err(|_| "it is no text".to_owned())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut part = file.take(SCHEMA_BYTES_MAX + 1);
    part.read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    match u64::try_from(bytes.len()) {
        Ok(..=SCHEMA_BYTES_MAX) => Ok(bytes),
        _ => Err(format!("it has more than {SCHEMA_BYTES_MAX} bytes")),
    }
}
