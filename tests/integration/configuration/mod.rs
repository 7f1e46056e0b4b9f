//! Files of audits: reported without them, described to editors, and run every night.

mod units;

use std::fs;
use std::path::Path;

use crate::support::python::python;
use crate::support::{Run, Workspace, or_skip};

/// What validates by a JSON Schema, and reads YAML.
const PACKAGES: [&str; 2] = ["jsonschema==4.26.0", "PyYAML==6.0.3"];

/// Validates files against a schema: prints `valid` or what is wrong, a line each.
const VALIDATE: &str = "
import json, sys, tomllib, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
for path in sys.argv[2:]:
    document = json.loads(json.dumps(tomllib.load(open(path, 'rb')), default=str))
    errors = sorted(error.json_path for error in validator.iter_errors(document))
    print(','.join(errors) or 'valid')
";

fn examples() -> Workspace {
    let workspace = Workspace::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/examples");
    for name in ["charges.jsonl", "dupaudit.toml"] {
        workspace.write(name, fs::read(folder.join(name)).unwrap());
    }
    workspace
}

#[test]
fn a_report_of_a_named_audit_is_explained_without_the_file() {
    let workspace = examples();
    let scan = ["scan", "--audit", "charges", "-o", "r.json"];
    let run = workspace.dupaudit(scan).run().expect_code(1);
    assert_eq!(run.stderr, "", "the file makes it quiet");
    fs::remove_file(workspace.path().join("dupaudit.toml")).unwrap();

    let report = workspace.report("r.json");
    let line: Vec<&str> = report.0["header"]["command_line"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    assert_eq!(
        line.join(" "),
        "dupaudit scan --map timestamp=created --by charge_id --amount amount --currency currency \
         --output r.json --quiet charges.jsonl"
    );
    let id = report.groups()[0]["id"].as_str().unwrap();
    let explain = ["explain", "--report", "r.json", "--group", id];
    workspace.dupaudit(explain).run().expect_code(0);
    // The same line typed is the same audit.
    let typed = line[1..]
        .iter()
        .map(|word| word.replace("r.json", "s.json"));
    workspace.dupaudit(typed).run().expect_code(1);
    let again = workspace.report("s.json");
    for part in ["summary", "groups", "episodes", "coverage"] {
        assert_eq!(report.0[part], again.0[part], "{part}");
    }
}

#[test]
fn the_file_is_found_in_the_configuration_folder_and_variables_go_before_it() {
    let workspace = examples();
    fs::create_dir_all(workspace.path().join("xdg/dupaudit")).unwrap();
    let from = workspace.path().join("dupaudit.toml");
    fs::rename(from, workspace.path().join("xdg/dupaudit/dupaudit.toml")).unwrap();
    let script = format!(
        "export XDG_CONFIG_HOME=\"$PWD/xdg\" DUPAUDIT_FILES=charges.jsonl DUPAUDIT_OUTPUT=r.json\n\
         DUPAUDIT_QUIET=perhaps {0} scan --audit charges; test $? = 2 || exit 9\n\
         DUPAUDIT_BY=customer_id {0} scan --audit charges --by currency",
        env!("CARGO_BIN_EXE_dupaudit")
    );
    let outcome = Run::new("sh", workspace.path(), ["-c", &script]).run();
    let outcome = outcome.expect_code(1);
    outcome.expect_stderr("error: variable DUPAUDIT_QUIET: it is either true or false");
    let report = workspace.report("r.json");
    assert_eq!(report.0["header"]["by"][0], "value.currency");
}

#[test]
fn editors_are_told_the_truth_about_what_a_file_may_hold() {
    let Some(python) = or_skip(python("validators", &PACKAGES)) else {
        return;
    };
    let workspace = examples();
    let schema = workspace.dupaudit(["check", "--schema"]).run();
    workspace.write("schema.json", schema.expect_code(0).stdout);
    workspace.write("script.py", VALIDATE);
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cases");
    let case = |path: &str| cases.join(path).display().to_string();
    let mut files = Vec::new();
    let mut expected = Vec::new();
    for (path, is) in [
        ("dupaudit.toml".to_owned(), "valid"),
        (case("check/audits.toml"), "valid"),
        (case("audit-of-a-file/conf/dupaudit.toml"), "valid"),
        (case("check-tells-everything/audits.toml"), "$,$.audit.one"),
        (
            case("audit-with-an-unknown-key/audits.toml"),
            "$.audit.charges,$.audit.charges.top,$.audit.mails",
        ),
    ] {
        files.push(path);
        expected.push(is);
    }
    let arguments = ["script.py", "schema.json"].into_iter();
    let arguments = arguments.chain(files.iter().map(String::as_str));
    let python = python.display().to_string();
    let said = Run::new(&python, workspace.path(), arguments).run();
    let said = said.expect_code(0).stdout;
    assert_eq!(said.lines().collect::<Vec<&str>>(), expected);
    // What the editor calls valid is what the program takes.
    let check = ["check", "--config", "dupaudit.toml"];
    workspace.dupaudit(check).run().expect_code(0);
}
