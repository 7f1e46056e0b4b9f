//! Protobuf: schemas compiled here, without `protoc`, and messages of them as JSON.

mod known_files;
mod message_json;
#[cfg(test)]
mod tests;

use prost_reflect::{DescriptorPool, DynamicMessage, FileDescriptor, MessageDescriptor};
use protox::Compiler;
use protox::file::{ChainFileResolver, GoogleFileResolver, IncludeFileResolver};

use std::path::Path;

use crate::schema::protobuf::known_files::KnownFiles;
use crate::schema::protobuf::message_json::MessageWriter;
use crate::typed_value::guard::guarded;

/// Name that a schema is compiled under where it has none.
const MAIN_FILE: &str = "schema.proto";

/// The messages of one Protobuf schema.
#[derive(Debug)]
pub(super) struct Messages {
    file: FileDescriptor,
    chosen: Option<MessageDescriptor>,
}

impl Messages {
    /// Compiles a schema whose imports are given, or are known everywhere.
    pub(super) fn compile(text: &str, imports: &[(String, String)]) -> Result<Self, String> {
        let mut files = KnownFiles::default();
        files.add(MAIN_FILE, text);
        for (name, text) in imports {
            files.add(name, text);
        }
        let mut resolver = ChainFileResolver::new();
        resolver.add(files);
        resolver.add(GoogleFileResolver::new());
        let mut compiler = Compiler::with_file_resolver(resolver);
        Self::of_file(&mut compiler, Path::new(MAIN_FILE), MAIN_FILE)
    }

    /// Compiles a file; its imports lie beside it or are known everywhere.
    pub(super) fn compile_file(path: &Path) -> Result<Self, String> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut resolver = ChainFileResolver::new();
        resolver.add(IncludeFileResolver::new(folder.to_owned()));
        resolver.add(KnownFiles::default());
        resolver.add(GoogleFileResolver::new());
        let mut compiler = Compiler::with_file_resolver(resolver);
        Self::of_file(&mut compiler, path, &name)
    }

    fn of_file(compiler: &mut Compiler, path: &Path, name: &str) -> Result<Self, String> {
        guarded(|| {
            let opened = compiler.open_file(path);
            opened.map(|_| ()).map_err(|error| one_line(&error))
        })?;
        let pool = compiler.descriptor_pool();
        let file = pool.get_file_by_name(name);
        let file = file.ok_or_else(|| "cannot be compiled".to_owned())?;
        Ok(Self { file, chosen: None })
    }

    /// Reads a set of descriptors, as `protoc --descriptor_set_out` writes it; its last file is the
    /// one that it was made for.
    pub(super) fn from_descriptors(bytes: &[u8]) -> Result<Self, String> {
        // Damaged ones make it panic where it says what is wrong with them.
        let decode = || DescriptorPool::decode(bytes).map_err(|error| error.to_string());
        let pool = guarded(decode).map_err(|why| format!("is no set of descriptors: {why}"))?;
        let file = pool.files().filter(|file| file.messages().len() > 0).last();
        let file = file.ok_or_else(|| "has no message".to_owned())?;
        Ok(Self { file, chosen: None })
    }

    /// Chooses the message that payloads without indexes are: the one of that name, or the only
    /// one that there is.
    pub(super) fn choose(&mut self, name: Option<&str>) -> Result<(), String> {
        let pool = self.file.parent_pool();
        let found = match name {
            Some(name) => {
                let in_package = format!("{}.{name}", self.file.package_name());
                let full = pool.get_message_by_name(name);
                full.or_else(|| pool.get_message_by_name(&in_package))
            }
            None if self.file.messages().len() == 1 => self.file.messages().next(),
            None => None,
        };
        if found.is_none() {
            let names: Vec<String> = self
                .file
                .messages()
                .map(|message| message.full_name().to_owned())
                .collect();
            let names = names.join(", ");
            return Err(match name {
                Some(name) => format!("has no message `{name}`, but {names}"),
                None => format!("has several messages; say which, as FILE:NAME, of {names}"),
            });
        }
        self.chosen = found;
        Ok(())
    }

    /// Returns the message that was chosen.
    pub(super) fn chosen(&self) -> Option<MessageDescriptor> {
        self.chosen.clone()
    }

    /// Returns the message that the indexes of the wire format lead to.
    pub(super) fn by_indexes(&self, indexes: &[usize]) -> Option<MessageDescriptor> {
        let (first, inner) = indexes.split_first()?;
        let top = self.file.messages().nth(*first)?;
        // What a map is made of is no message of the schema's text.
        let inner_of = |message: MessageDescriptor, index: &usize| {
            let mut declared = message.child_messages().filter(|of| !of.is_map_entry());
            let found = declared.nth(*index);
            drop(declared);
            found
        };
        inner.iter().try_fold(top, inner_of)
    }
}

/// Appends the JSON of a message; nothing where it is damaged.
pub(super) fn write(
    of: &MessageDescriptor,
    payload: &[u8],
    json_bytes_max: usize,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let start = out.len();
    // Descriptors may promise fields that they do not have.
    let written = guarded(|| {
        let message = DynamicMessage::decode(of.clone(), payload)
            .map_err(|error| one_line(&error).replace("failed to decode Protobuf message: ", ""))?;
        MessageWriter::new(out, json_bytes_max).message(&message)
    });
    if written.is_err() {
        out.truncate(start);
    }
    written
}

fn one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
