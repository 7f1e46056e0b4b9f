//! The page around the groups: templates, styles, script, and the policy that allows only these.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::Environment;
use minijinja::Value;
use minijinja::context;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use ring::digest;

use crate::report::ReportHead;
use crate::report::html::view::View;
use crate::report::terminal::numbers::grouped;

const HEAD: &str = include_str!("page/head.html");
const FOOT: &str = include_str!("page/foot.html");
const STYLES: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// Returns the page up to the rows of its groups.
pub(super) fn head(report: &ReportHead<'_>) -> io::Result<String> {
    let view = Value::from(Serde(View::new(report)));
    let policy = policy();
    render(HEAD, context! { view, policy, styles => STYLES })
}

/// Returns the page after the rows of its groups, of which `kept` are in it.
pub(super) fn foot(kept: u64, groups: u64) -> io::Result<String> {
    let values = context! {
        is_cut => kept < groups,
        kept => grouped(kept),
        groups => grouped(groups),
        script => SCRIPT,
    };
    render(FOOT, values)
}

/// Only the page's own styles and script; nothing is loaded, sent or framed.
fn policy() -> String {
    format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash_source(STYLES),
        hash_source(SCRIPT)
    )
}

fn hash_source(text: &str) -> String {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    format!("'sha256-{}'", STANDARD.encode(hash))
}

/// Renders a template as HTML, every value escaped.
fn render(template: &str, values: Value) -> io::Result<String> {
    let mut environment = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    syntax
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true);
    environment.set_syntax(syntax.build().map_err(io::Error::other)?);
    let rendered = environment.render_named_str("page.html", template, values);
    rendered.map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_leave_its_place() {
        let text = "</script><img src=x onerror=alert(1)>\"'&";
        let page = render("<p title=\"{{ text }}\">{{ text }}</p>", context! { text }).unwrap();
        assert_eq!(page.matches('<').count(), 2);
        assert_eq!(page.matches('"').count(), 2);
    }

    #[test]
    fn styles_and_script_fit_between_their_tags() {
        assert!(!STYLES.contains("</") && !SCRIPT.contains("</"));
        assert!(!SCRIPT.contains("innerHTML"));
    }
}
