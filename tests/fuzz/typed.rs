//! What people type is understood or refused with a word, however it is garbled.

use std::collections::BTreeSet;

use dupaudit::cli::resolve::time::TimeContext;
use dupaudit::cli::resolve::{duration, mapping, partitions, size, time};
use dupaudit::cli::secret;
use dupaudit::dedup_key::KeyField;
use dupaudit::expression::{Evaluator, Expression};
use dupaudit::record::{FieldPath, FieldValue};
use dupaudit::report::read_group;
use dupaudit::source::kafka::Properties;

use crate::Target;

const FIELD_WORDS: &[&[u8]] = &[
    b"value",
    b"key",
    b"headers.",
    b"offset",
    b"[0]",
    b"\"a.b\"",
    b".",
    b"|trim",
    b"|lower",
    b",",
    b"[18446744073709551616]",
    b"\"",
    b"\\\"",
    b"topic",
];

#[test]
fn field_paths_are_understood_or_refused() {
    Target::new("fixtures/corpus/field-path", FIELD_WORDS).run(|_, input| {
        let text = String::from_utf8_lossy(input);
        match FieldPath::parse(&text) {
            Ok(path) => {
                let shown = path.to_string();
                assert_eq!(FieldPath::parse(&shown).unwrap(), path, "{shown}");
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        if let Err(error) = KeyField::parse_list(&text) {
            assert!(!error.to_string().is_empty());
        }
    });
}

const EXPRESSION_WORDS: &[&[u8]] = &[
    b"value.a",
    b"==",
    b"&&",
    b"||",
    b"(",
    b")",
    b"[",
    b"]",
    b"!",
    b"-",
    b"headers[\"a\"]",
    b"size(",
    b"\"x\"",
    b".matches(\"a*\")",
    b"1.0e9",
    b"has(",
    b"? :",
    b"in ",
    b"{",
    b"}",
    b"key",
    b".exists(x, x > 1)",
    b"timestamp",
    b"'''",
    b"r\"",
    b"\\u00e9",
    b".map(x, [x, x])",
];

#[test]
fn expressions_are_compiled_or_refused() {
    Target::new("fixtures/corpus/where", EXPRESSION_WORDS).run(|_, input| {
        let text = String::from_utf8_lossy(&input[..input.len().min(4_000)]);
        let expression = match Expression::compile(&text) {
            Ok(expression) => expression,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return;
            }
        };
        let evaluator = Evaluator::new(&expression);
        for value in [
            FieldValue::Missing,
            FieldValue::Null,
            FieldValue::Bytes(b"x\xff"),
            FieldValue::Number(b"1e400"),
            FieldValue::Integer(i64::MIN),
            FieldValue::Json(b"{\"a\":[1,{\"b\":\"\\u00e9\"}]}"),
            FieldValue::Undecodable,
        ] {
            let values = vec![value; expression.paths().len()];
            let _ = evaluator.matches(&values);
        }
    });
}

const PROPERTY_WORDS: &[&[u8]] = &[
    b"sasl.jaas.config=",
    b"username=\"",
    b"\" password='",
    b"required ",
    b";",
    b"\\\n",
    b"\\u0041",
    b"org.apache.kafka.common.security.plain.PlainLoginModule ",
    b"${env:",
    b"}",
    b"#",
    b"!",
    b"=",
    b"ssl.truststore.location=",
    b"bootstrap.servers",
    b"security.protocol=SASL_SSL\n",
    b": ",
];

#[test]
fn properties_files_are_understood_or_refused() {
    Target::new("fixtures/corpus/properties", PROPERTY_WORDS).run(|path, _| {
        let mut properties = Properties::default();
        let added = properties.add_file(path, |name| (name.len() < 5).then(|| "set".to_owned()));
        if let Err(error) = added {
            assert!(!error.to_string().is_empty());
        }
        let _ = properties.check();
        for (name, _) in properties.iter() {
            assert!(properties.get(name).is_some());
        }
        assert!(!format!("{properties:?}").is_empty());
    });
}

const OPTION_WORDS: &[&[u8]] = &[
    b"2026-01-15",
    b"T02:30:00",
    b"Z",
    b"+14:00",
    b"-",
    b"h",
    b"ms",
    b"1.5",
    b"GiB",
    b"KB",
    b"0-999999",
    b"timestamp=",
    b":ns",
    b"60",
    b"24:00",
    b"password=",
    b"//u:p@h",
];

#[test]
fn options_are_understood_or_refused() {
    let zones = [None, Some(time::parse_zone("Europe/Berlin").unwrap())];
    Target::new("fixtures/corpus/options", OPTION_WORDS).run(|_, input| {
        let text = String::from_utf8_lossy(&input[..input.len().min(500)]);
        for zone in zones {
            let now_millis = 1_768_444_200_000;
            let _ = time::parse(&text, TimeContext { now_millis, zone });
        }
        let _ = (duration::parse(&text), size::parse(&text));
        let _ = mapping::resolve(&[text.to_string()], false, None);
        let mut numbers = BTreeSet::new();
        let _ = partitions::parse_into(&mut numbers, &text);
        assert!(numbers.len() <= 1_000_000);
        let masked = secret::masked(&text);
        assert_eq!(
            secret::masked(&masked),
            masked,
            "a mask hides no more the second time"
        );
    });
}

#[test]
fn reports_are_read_back_or_refused() {
    let words: &[&[u8]] = &[
        b"\"groups\":[",
        b"\"schema_version\":2",
        b"null",
        b"[[[[",
        b"{\"id\":",
    ];
    Target::new("fixtures/corpus/report-read", words).run(|_, input| {
        for id in ["g_", "g_a88fa5e9", ""] {
            if let Err(error) = read_group(input, id) {
                assert!(!error.to_string().is_empty());
            }
        }
    });
}
