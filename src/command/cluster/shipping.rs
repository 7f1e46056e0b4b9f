//! Properties of clusters and registries reach the tasks in files of their own: no secret is in a
//! command line.

use std::fmt::Write as _;

use anyhow::anyhow;

use crate::command::schemas;
use crate::command::sources;
use crate::command::{CommandError, ScanCommand, Surroundings};
use crate::spark::{PLACE, Shipped};

/// Name of the file of properties.
const PROPERTIES: &str = "client.properties";

/// Beginning of the names of a registry's properties among those of clients.
const REGISTRY_PREFIX: &str = "schema.registry.";

/// Properties of a registry that are secret.
const SECRETS: [&str; 2] = ["basic.auth.user.info", "bearer.auth.token"];

/// Words for the tasks, and the files that they name.
#[derive(Default)]
pub(super) struct Shipping {
    /// Words of the command line.
    pub(super) words: Vec<String>,
    /// Files beside the program.
    pub(super) files: Vec<Shipped>,
}

impl Shipping {
    /// Returns what of the properties tasks need, looked up here once for all of them.
    pub(super) fn of(
        scan: &ScanCommand,
        surroundings: &mut Surroundings<'_>,
    ) -> Result<Self, CommandError> {
        let mut shipping = Self::default();
        let registry = schemas::registry(scan, surroundings)?;
        let Some(spec) = sources::kafka_spec(scan, surroundings)? else {
            for (name, value) in registry.iter() {
                shipping.add_typed(name, value)?;
            }
            return Ok(shipping);
        };
        let mut lines = String::new();
        let of_clients = spec.properties.iter().map(|of| ("", of));
        let of_registry = registry.iter().map(|of| (REGISTRY_PREFIX, of));
        for (prefix, (name, value)) in of_clients.chain(of_registry) {
            let place = shipping.keep(value);
            let _ = writeln!(lines, "{prefix}{name}=@{place}");
        }
        shipping.files.push(Shipped {
            name: PROPERTIES.to_owned(),
            bytes: lines.into_bytes(),
        });
        shipping
            .words
            .extend(["-F".to_owned(), format!("{PLACE}/{PROPERTIES}")]);
        shipping
            .words
            .extend(["--brokers".to_owned(), spec.brokers]);
        Ok(shipping)
    }

    /// Adds a property of the registry where there is no topic, and so no file of properties.
    fn add_typed(&mut self, name: &str, value: &str) -> Result<(), CommandError> {
        let value = if SECRETS.contains(&name) {
            format!("@{}", self.keep(value))
        } else if name == "url" && value.contains('@') {
            let error = anyhow!("the address of the schema registry holds a password");
            return Err(CommandError::configuration(error).with_hint(
                "tasks would show it: write -X schema.registry.basic.auth.user.info=@FILE",
            ));
        } else {
            value.to_owned()
        };
        self.words
            .extend(["-X".to_owned(), format!("{REGISTRY_PREFIX}{name}={value}")]);
        Ok(())
    }

    /// Ships a value in a file, so that whatever is in it arrives; returns where it will be.
    fn keep(&mut self, value: &str) -> String {
        let name = format!("value-{}", self.files.len());
        self.files.push(Shipped {
            name: name.clone(),
            bytes: value.as_bytes().to_vec(),
        });
        format!("{PLACE}/{name}")
    }
}
