//! Which fields of a file the first pass reads.

use ::parquet::file::metadata::RowGroupMetaData;
use ::parquet::schema::types::Type;

use crate::source::file::ValueMembers;
use crate::source::file::container::parquet::columns::FieldUse;
use crate::source::file::container::parquet::row_json::fields_of;

/// Returns what is read of each field; all of all fields where records are looked into whole.
pub(super) fn uses(schema: &Type, members: Option<&ValueMembers>) -> Vec<FieldUse> {
    let fields = fields_of(schema);
    let whole = vec![FieldUse::Values; fields.len()];
    let Some(members) = members else { return whole };
    let has = |name: &str| fields.iter().any(|field| field.name() == name);
    // A record of these two may be a document that Kafka Connect wrote with its schema.
    if has("schema") && has("payload") {
        return whole;
    }
    let use_of = |name: &str| {
        if members.values.iter().any(|member| **member == *name) {
            FieldUse::Values
        } else if members.presence.iter().any(|member| **member == *name) {
            FieldUse::Presence
        } else {
            FieldUse::Unused
        }
    };
    let uses: Vec<FieldUse> = fields.iter().map(|field| use_of(field.name())).collect();
    // Without values nothing would prove that the records are there.
    if uses.contains(&FieldUse::Values) {
        uses
    } else {
        whole
    }
}

/// Returns the fields whose values are read.
pub(super) fn read_fields<'a>(
    schema: &'a Type,
    uses: &'a [FieldUse],
) -> impl Iterator<Item = &'a Type> {
    let fields = fields_of(schema).iter().zip(uses);
    fields
        .filter(|(_, usage)| **usage == FieldUse::Values)
        .map(|(field, _)| field.as_ref())
}

/// Returns about how many bytes there are of a record in the fields that are read.
pub(super) fn record_bytes(group: &RowGroupMetaData, uses: &[FieldUse]) -> u64 {
    let schema = group.schema_descr();
    let is_read = |column: usize| {
        let root = schema.get_column_root_idx(column);
        uses.get(root) == Some(&FieldUse::Values)
    };
    let columns = group.columns().iter().enumerate();
    let sizes = columns
        .filter(|(column, _)| is_read(*column))
        .map(|(_, column)| {
            // A dictionary makes text of a few bits.
            u64::try_from(column.uncompressed_size()).unwrap_or_default()
        });
    let bytes = sizes.fold(0_u64, u64::saturating_add);
    let count = u64::try_from(group.num_rows()).unwrap_or_default();
    bytes.checked_div(count).unwrap_or_default()
}
