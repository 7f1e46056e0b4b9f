//! Schemas by id, shared by all threads: each is looked for once, and what came of it stands for
//! the whole run.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use thiserror::Error;

use crate::record::Part;
use crate::schema::folder::{self, Folder};
use crate::schema::reading::Reading;
use crate::schema::registry::Registry;
use crate::schema::spec::{PartSpec, SchemaSpec};

/// Schemas that are kept: a log has few, and bytes that only look like ids have many.
const SCHEMAS_MAX: usize = 2_000;
/// Bytes of all their texts.
const TEXT_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Why schemas cannot be used.
#[derive(Debug, Error)]
pub enum SchemaError {
    /// What the user named does not exist or does not fit.
    #[error("{0}")]
    Setting(String),
    /// The registry does not answer, or refuses.
    #[error("schema registry: {0}")]
    Registry(String),
}

/// What came of looking for a schema; the error says of it why it cannot be used.
pub(super) type Found = Result<Arc<Reading>, Arc<str>>;

/// Schemas by id, and those of payloads without one.
pub struct Schemas {
    folder: Option<Folder>,
    registry: Option<Registry>,
    key: PartReading,
    value: PartReading,
    by_id: Mutex<ById>,
}

/// How a part without a schema id is read.
pub(super) enum PartReading {
    AsItIs,
    ById,
    With(Arc<Reading>),
}

#[derive(Default)]
struct ById {
    cells: HashMap<u32, Arc<OnceLock<Found>>>,
    text_bytes: usize,
}

impl fmt::Debug for Schemas {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Schemas").finish_non_exhaustive()
    }
}

impl PartialEq for Schemas {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Schemas {
    /// Reads the schemas that are files, and checks that the registry answers.
    pub fn open(spec: &SchemaSpec) -> Result<Self, SchemaError> {
        let part = |option: &str, part: Part| match spec.part(part) {
            PartSpec::ById => Ok(PartReading::ById),
            PartSpec::AsTheyAre => Ok(PartReading::AsItIs),
            PartSpec::With(file) => {
                let reading = folder::single(option, file)?;
                Ok(PartReading::With(Arc::new(reading)))
            }
        };
        let (key, value) = (
            part("--key-schema", Part::Key)?,
            part("--value-schema", Part::Value)?,
        );
        let uses_ids = [&key, &value]
            .iter()
            .any(|part| !matches!(part, PartReading::AsItIs));
        let folder = spec.folder.as_deref().filter(|_| uses_ids);
        let folder = folder.map(Folder::open).transpose()?;
        let registry = if spec.registry.is_named() && uses_ids {
            Some(Registry::open(&spec.registry)?)
        } else {
            None
        };
        Ok(Self {
            folder,
            registry,
            key,
            value,
            by_id: Mutex::default(),
        })
    }

    /// Returns how a part without a schema id is read.
    pub(super) fn part(&self, part: Part) -> &PartReading {
        match part {
            Part::Key => &self.key,
            Part::Value => &self.value,
        }
    }

    /// Returns whether there is anywhere to look for ids.
    pub(super) fn knows_ids(&self) -> bool {
        self.folder.is_some() || self.registry.is_some()
    }

    /// Returns the schema of an id, looking for it where nobody has before. Only those who want
    /// the same one wait for each other.
    pub(super) fn by_id(&self, id: u32) -> Found {
        let cell = {
            let mut by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
            let is_full = by_id.cells.len() >= SCHEMAS_MAX || by_id.text_bytes > TEXT_BYTES_MAX;
            if is_full && !by_id.cells.contains_key(&id) {
                return Err(
                    "too many schema ids to look for them all: are these bytes in the wire \
                     format of a schema registry?"
                        .into(),
                );
            }
            Arc::clone(by_id.cells.entry(id).or_default())
        };
        cell.get_or_init(|| self.look_for(id)).clone()
    }

    fn look_for(&self, id: u32) -> Found {
        let as_reason = |why: String| Arc::from(format!("schema {id} {why}"));
        if let Some(found) = self.folder.as_ref().and_then(|folder| folder.reading(id)) {
            return found
                .map(Arc::new)
                .map_err(|why| Arc::from(format!("schema {id} cannot be used: {why}")));
        }
        let Some(registry) = &self.registry else {
            let folder = self.folder.as_ref().map(Folder::name).unwrap_or_default();
            return Err(as_reason(format!("is not in {folder}")));
        };
        let text = registry.schema(id).map_err(as_reason)?;
        let others: usize = text.others.iter().map(|(_, text)| text.len()).sum();
        let mut by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        by_id.text_bytes += text.text.len() + others;
        drop(by_id);
        let parsed = Reading::parse(&text).map(Arc::new);
        parsed.map_err(|why| Arc::from(format!("schema {id} {why}")))
    }
}
