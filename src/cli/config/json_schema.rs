//! The JSON Schema of the file, for editors.

use serde_json::{Map, Value, json};

use crate::cli::config::options::{ConfigOption, Count, Kind};

/// Returns the schema of a file whose audits have these options.
pub fn json_schema(options: &[ConfigOption]) -> Value {
    let mut properties = Map::new();
    for option in options {
        let schema = option_schema(option);
        properties.insert(option.name.clone(), schema.clone());
        for alias in &option.aliases {
            properties.insert(alias.clone(), schema.clone());
        }
    }
    json!({
        // The newest that editors of TOML understand.
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "dupaudit.toml",
        "description": "Audits of `dupaudit scan --audit NAME`",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "defaults": {
                "description": "What every audit has that does not say otherwise",
                "$ref": "#/definitions/settings",
            },
            "audit": {
                "description": "The audits, by name",
                "type": "object",
                "additionalProperties": { "$ref": "#/definitions/settings" },
            },
        },
        "definitions": {
            "settings": {
                "type": "object",
                "additionalProperties": false,
                "properties": properties,
            },
        },
    })
}

fn option_schema(option: &ConfigOption) -> Value {
    let one = value_schema(option);
    let mut schema = match option.count {
        Count::Switch => json!({ "type": "boolean" }),
        Count::One => one,
        Count::Many => {
            let list = json!({ "type": "array", "items": one });
            let mut forms = vec![one, list];
            if option.kind == Kind::Pair {
                forms.push(json!({ "type": "object" }));
            }
            json!({ "anyOf": forms })
        }
    };
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), json!(option.help));
    }
    schema
}

fn value_schema(option: &ConfigOption) -> Value {
    if option.kind == Kind::Number {
        return json!({ "type": "integer", "minimum": 0 });
    }
    if option.possible.is_empty() {
        return json!({ "type": ["string", "number"] });
    }
    let listed = json!({ "enum": option.possible });
    if option.count == Count::Many {
        // Several may stand in one text, comma-separated.
        return json!({ "anyOf": [listed, { "type": "string", "pattern": "," }] });
    }
    listed
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::config::options::options_of;
    use crate::cli::flags::Flags;

    #[test]
    fn every_option_has_a_schema_with_what_it_is_for() {
        let mut root = Flags::command();
        root.build();
        let options = options_of(root.find_subcommand("scan").unwrap());
        let schema = json_schema(&options);
        let properties = &schema["definitions"]["settings"]["properties"];
        for option in &options {
            let schema = &properties[&option.name];
            let help = schema["description"].as_str().unwrap();
            assert!(!help.is_empty(), "{}", option.name);
        }
        assert_eq!(properties["allow_empty"]["type"], "boolean");
        assert_eq!(properties["top"]["type"], "integer");
        let levels = json!(["read_committed", "read_uncommitted"]);
        assert_eq!(properties["isolation"]["enum"], levels);
        assert_eq!(properties["map"]["anyOf"][2]["type"], "object");
        assert!(properties.get("audit").is_none());
    }
}
