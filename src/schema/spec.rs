//! Which schemas to read keys and values with, as asked for.

use std::path::PathBuf;

use crate::record::Part;
use crate::schema::registry::settings::RegistrySettings;

/// How the keys or the values are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PartSpec {
    /// By the schema ids that they begin with; those without are left as they are.
    #[default]
    ById,
    /// Not at all.
    AsTheyAre,
    /// By their ids, and those without with this schema.
    With(SchemaFile),
}

/// One schema in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFile {
    /// The file: `.avsc`, `.proto` or a set of descriptors.
    pub path: PathBuf,
    /// Name of the Protobuf message, where the file has several.
    pub message: Option<String>,
}

/// Which schemas to read keys and values with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaSpec {
    /// The registry, if its address is among them.
    pub registry: RegistrySettings,
    /// A folder of schemas by id.
    pub folder: Option<PathBuf>,
    /// How keys are read.
    pub key: PartSpec,
    /// How values are read.
    pub value: PartSpec,
}

impl SchemaSpec {
    /// Returns whether any schema is to be used.
    pub fn is_asked_for(&self) -> bool {
        let names_ids = self.registry.is_named() || self.folder.is_some();
        let uses = |part| match self.part(part) {
            PartSpec::ById => names_ids,
            PartSpec::AsTheyAre => false,
            PartSpec::With(_) => true,
        };
        uses(Part::Key) || uses(Part::Value)
    }

    /// Returns how a part is read.
    pub fn part(&self, part: Part) -> &PartSpec {
        match part {
            Part::Key => &self.key,
            Part::Value => &self.value,
        }
    }
}
