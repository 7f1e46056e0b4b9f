//! What is inside keys and values: records of Avro and Protobuf become the text of JSON documents.
//!
//! Schemas come from a registry, from a folder, or from one file; those of the wire format are
//! named by the id that each payload begins with. Whatever cannot be read stays as it is and is
//! noted as unread, with the reason.

mod folder;
mod frame;
mod payload_reader;
#[cfg(feature = "protobuf")]
mod protobuf;
mod reading;
mod registry;
mod spec;
mod store;

pub use payload_reader::PayloadReader;
pub use registry::settings::RegistrySettings;
pub use spec::{PartSpec, SchemaFile, SchemaSpec};
pub use store::{SchemaError, Schemas};
