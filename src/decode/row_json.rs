//! A CSV row as a JSON object, for what compares values member by member.

use crate::decode::csv_row::{cell_value, cells};
use crate::record::RecordView;
use crate::record::ValueFormat;
use crate::scan_json::{field_text, write_string};

/// Returns the row as an object of its cells, all of them strings; nothing for other values.
/// Bytes that are no UTF-8 are replaced: what is compared exactly is the row itself.
pub fn row_as_json(view: RecordView<'_>) -> Option<Vec<u8>> {
    let ValueFormat::Csv { delimiter, columns } = &view.block().value_format else {
        return None;
    };
    let row = view.value().bytes()?;
    let mut object = b"{".to_vec();
    let mut scratch = Vec::new();
    for (column, cell) in columns.iter().zip(cells(row, *delimiter)) {
        if object.len() > 1 {
            object.push(b',');
        }
        write_text(column, &mut object);
        object.push(b':');
        write_text(
            field_text(cell_value(cell), &mut scratch).unwrap_or_default(),
            &mut object,
        );
    }
    object.push(b'}');
    Some(object)
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    write_string(String::from_utf8_lossy(text).as_bytes(), out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RecordBlock;
    use crate::record::RecordSlot;

    #[test]
    fn cells_become_strings_under_their_columns() {
        let columns: [Box<[u8]>; 3] = [(*b"id").into(), (*b"a\"b").into(), (*b"c").into()];
        let mut block = RecordBlock {
            value_format: ValueFormat::Csv {
                delimiter: b';',
                columns: columns.into(),
            },
            ..RecordBlock::default()
        };
        let value = block.push_bytes(b"1;\"x \"\"y\"\"\";");
        block.slots.push(RecordSlot {
            value,
            ..RecordSlot::new(0)
        });
        let object = row_as_json(block.view(0).unwrap()).unwrap();
        assert_eq!(
            String::from_utf8(object).unwrap(),
            r#"{"id":"1","a\"b":"x \"y\"","c":""}"#
        );
    }

    #[test]
    fn other_values_are_no_rows() {
        let mut block = RecordBlock::default();
        let value = block.push_bytes(b"{}");
        block.slots.push(RecordSlot {
            value,
            ..RecordSlot::new(0)
        });
        assert_eq!(row_as_json(block.view(0).unwrap()), None);
    }
}
