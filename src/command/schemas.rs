//! Opens the schemas that keys and values are read with.

use std::sync::Arc;

use anyhow::anyhow;

use crate::audit::AuditPlan;
use crate::command::{CommandError, ScanCommand, Surroundings};
use crate::schema::{RegistrySettings, SchemaError, Schemas};
use crate::source::kafka::Properties;

/// What to do where the registry does not answer, or refuses.
const REGISTRY_HINT: &str = "is the registry running, and is this its address? --schemas DIR \
                             reads schemas from a folder instead, named by their ids";

/// Returns the plan with the schemas that are asked for.
pub(super) fn plan(
    scan: &ScanCommand,
    surroundings: &Surroundings<'_>,
) -> Result<AuditPlan, CommandError> {
    let mut spec = scan.schemas.clone();
    spec.registry = registry(scan, surroundings)?;
    let mut plan = scan.plan.clone();
    if spec.is_asked_for() {
        let schemas = Schemas::open(&spec).map_err(failure)?;
        plan.schemas = Some(Arc::new(schemas));
    }
    Ok(plan)
}

/// Returns the properties of the registry, those of files and those that are typed.
pub(super) fn registry(
    scan: &ScanCommand,
    surroundings: &Surroundings<'_>,
) -> Result<RegistrySettings, CommandError> {
    let mut registry = of_files(scan, surroundings)?;
    registry.extend(&scan.schemas.registry);
    Ok(registry)
}

/// Returns the properties of a registry in the files of `-F`.
fn of_files(
    scan: &ScanCommand,
    surroundings: &Surroundings<'_>,
) -> Result<RegistrySettings, CommandError> {
    let mut properties = Properties::default();
    for path in scan.kafka.iter().flat_map(|kafka| &kafka.property_files) {
        properties
            .add_file(path, surroundings.variable)
            .map_err(CommandError::configuration)?;
    }
    let mut settings = RegistrySettings::default();
    for (name, value) in properties.take_registry() {
        settings
            .add(&name, &value)
            .map_err(|problem| CommandError::configuration(anyhow!("{problem}")))?;
    }
    Ok(settings)
}

fn failure(error: SchemaError) -> CommandError {
    match error {
        SchemaError::Setting(_) => CommandError::configuration(error),
        SchemaError::Registry(_) => CommandError::failed(error).with_hint(REGISTRY_HINT),
    }
}
