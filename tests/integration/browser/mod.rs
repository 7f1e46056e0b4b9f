//! HTML reports in a real browser: what is shown, what a hand and a keyboard do, what never runs.

mod driver;
mod markdown;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::browser::driver::Browser;
use crate::support::{Workspace, or_skip};

/// Keys of the protocol.
const ENTER: &str = "\u{e007}";
const TAB: &str = "\u{e004}";

/// Texts that some reader of a page would obey.
const HOSTILE: [&str; 9] = [
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "<img src=x onerror=alert(3)>",
    "\" onmouseover=\"alert(4)\" autofocus onfocus=\"alert(5)",
    "<!--<script>",
    "{{ 7*7 }}{% raw %}",
    "=cmd|' /C calc'!A0",
    "\u{202e}gnp.exe\u{2066}\u{200b}",
    "\u{1b}[2J\u{9b}31m",
];

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns where pictures are kept for people to look at.
fn picture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Writes `page.html` from records of a file and opens it.
fn opened(browser: &Browser, workspace: &Workspace, arguments: &[&str]) {
    let all = [
        "scan",
        "log.jsonl",
        "--by",
        "charge_id",
        "-q",
        "-o",
        "page.html",
    ];
    let run = workspace.dupaudit(all.iter().chain(arguments)).run();
    run.expect_code(1);
    browser.open(&workspace.path().join("page.html"));
}

/// Nothing was said to the console, no dialog is open, and nothing but the page was asked for.
fn assert_quiet(browser: &Browser, workspace: &Workspace) {
    assert!(!browser.has_dialog());
    let console = browser.console();
    assert!(console.is_empty(), "{console:?}");
    let page = format!(
        "\"file://{}\"",
        workspace.path().join("page.html").display()
    );
    let requests = browser.requests();
    assert!(requests.contains(&page), "{requests:?}");
    assert!(requests.iter().all(|asked| *asked == page), "{requests:?}");
}

/// Returns the first cells of the rows that are shown.
fn keys(browser: &Browser) -> Vec<String> {
    let script = "return [...document.querySelectorAll('#groups-table .unfold')]\
                  .map((button) => button.textContent)";
    let keys = browser.run(script);
    let keys = keys.as_array().unwrap().iter();
    keys.map(|key| key.as_str().unwrap().to_owned()).collect()
}

#[test]
fn hostile_records_are_shown_as_they_are_and_nothing_of_them_runs() {
    let Some(browser) = or_skip(Browser::start()) else {
        return;
    };
    let workspace = Workspace::new();
    let mut log = String::new();
    for (number, text) in HOSTILE.iter().enumerate() {
        for attempt in 0..2 {
            let record = json!({"charge_id": text, "customer": text, "currency": text,
                "amount": number, "attempt": attempt, "note": text});
            writeln!(log, "{record}").unwrap();
        }
    }
    for attempt in 0..2 {
        let value = "</script><b>".repeat((4 << 20) / 12);
        let record = json!({"charge_id": "large", "attempt": attempt, "value": value});
        writeln!(log, "{record}").unwrap();
    }
    workspace.write("log.jsonl", log);
    let options = [
        "--amount",
        "amount",
        "--currency",
        "currency",
        "--subject",
        "customer",
    ];
    let shown = options.iter().chain(&["--show-values"]).copied();
    opened(&browser, &workspace, &shown.collect::<Vec<_>>());
    let size = std::fs::metadata(workspace.path().join("page.html"))
        .unwrap()
        .len();
    assert!(size < 2_000_000, "{size}");
    let shown = keys(&browser);
    assert_eq!(shown.len(), HOSTILE.len() + 1);
    for text in &HOSTILE[..7] {
        assert!(shown.iter().any(|key| key == text), "{text}: {shown:?}");
    }
    for text in [r"\u{202e}gnp.exe\u{2066}\u{200b}", r"\x1b[2J\x9b31m"] {
        assert!(shown.iter().any(|key| key == text), "{text}: {shown:?}");
    }
    browser.run(
        "document.querySelectorAll('#groups-table .unfold').forEach((_, index) => \
                 document.querySelectorAll('#groups-table .unfold')[index].click())",
    );
    let marked = browser.text("return document.querySelector('.inside mark').textContent");
    assert_eq!(marked, "1", "the attempts differ");
    let elements = browser.run(
        "return [document.scripts.length, document.images.length, \
         document.querySelectorAll('main b, [onerror], [onmouseover], [onfocus]').length]",
    );
    let lanes = browser.run("return document.querySelectorAll('.lane-name b').length");
    assert_eq!(elements, json!([2, 0, lanes]));
    browser.picture(&picture("html-hostile.png"), 1200, 5_000);
    assert_quiet(&browser, &workspace);
}

#[test]
fn a_hundred_thousand_groups_are_cut_and_sorted_filtered_and_unfolded_by_hand_and_by_keyboard() {
    let Some(browser) = or_skip(Browser::start()) else {
        return;
    };
    let workspace = Workspace::new();
    let mut log = String::new();
    for number in 0..100_000 {
        let copies = if number == 77 { 3 } else { 2 };
        for _ in 0..copies {
            let record = json!({"charge_id": format!("ch_{number:06}"), "amount": number});
            writeln!(log, "{record}").unwrap();
        }
    }
    workspace.write("log.jsonl", log);
    opened(&browser, &workspace, &["--amount", "amount"]);
    let size = std::fs::metadata(workspace.path().join("page.html"))
        .unwrap()
        .len();
    assert!(size < 2_000_000, "{size}");
    let cut = browser.text("return document.querySelector('.cut').textContent");
    assert!(
        cut.contains("of 100,000 groups") && cut.contains("-o groups.csv"),
        "{cut}"
    );
    assert_eq!(keys(&browser)[0], "ch_000077");

    let sort = "#groups-table thead th:first-child button";
    browser.click(sort);
    assert_eq!(keys(&browser)[..2], ["ch_000000", "ch_000001"]);
    let order = "return document.querySelector('#groups-table th').getAttribute('aria-sort')";
    assert_eq!(browser.text(order), "ascending");
    // The focus stays on the button, so that the keyboard goes on from there.
    browser.press(ENTER);
    assert_eq!(browser.text(order), "descending");
    let down = keys(&browser);
    assert!(down[0] > down[1] && down.len() == 50, "{down:?}");

    browser.type_into("#filter-text", "ch_00007");
    assert_eq!(keys(&browser).len(), 10);
    let count = browser.text("return document.getElementById('filter-count').textContent");
    assert!(count.starts_with("10 of "), "{count}");

    browser.click("#groups-table .unfold");
    let opened = "return document.querySelector('.inside')?.textContent ?? ''";
    assert!(browser.text(opened).contains("log.jsonl"));
    let expanded = "return document.querySelector('.unfold').getAttribute('aria-expanded')";
    assert_eq!(browser.text(expanded), "true");
    browser.press(ENTER);
    assert_eq!(browser.text(opened), "");
    assert_eq!(browser.text(expanded), "false");
    assert_quiet(&browser, &workspace);
}

/// The report that the README shows.
fn shown_report(browser: &Browser, workspace: &Workspace) {
    let example = package().join("fixtures/examples/charges.kcat.jsonl");
    workspace.write("log.jsonl", std::fs::read(example).unwrap());
    let options = [
        "--amount",
        "amount",
        "--currency",
        "currency",
        "--subject",
        "customer_id",
    ];
    opened(browser, workspace, &options);
}

#[test]
fn the_page_looks_right_in_light_and_dark_and_on_a_phone_and_its_pictures_have_words() {
    let Some(browser) = or_skip(Browser::start()) else {
        return;
    };
    let workspace = Workspace::new();
    shown_report(&browser, &workspace);
    for (name, width, is_dark) in [
        ("html-light.png", 1200, false),
        ("html-dark.png", 1200, true),
        ("html-phone.png", 390, false),
    ] {
        browser.look(width, is_dark);
        let overflow = browser.run("return document.documentElement.scrollWidth");
        assert!(
            overflow.as_u64().unwrap() <= u64::from(width),
            "{name}: {overflow}"
        );
        browser.picture(&picture(name), width, 5_200);
    }
    browser.look(1200, false);
    if std::env::var("DUPAUDIT_PICTURES").is_ok_and(|value| value == "1") {
        let path = package().join("fixtures/pictures/report.png");
        browser.picture(&path, 1200, 1_330);
    }
    let lacking = browser.run(
        "return [...document.querySelectorAll('svg')]\
         .filter((svg) => !svg.closest('[aria-hidden]'))\
         .filter((svg) => svg.getAttribute('role') !== 'img' || !svg.getAttribute('aria-label'))\
         .map((svg) => svg.outerHTML.slice(0, 200))",
    );
    assert_eq!(lacking, json!([]), "pictures without words");
    let headless = browser.run(
        "return [...document.querySelectorAll('th:not([scope])')].map((cell) => cell.outerHTML)",
    );
    assert_eq!(headless, json!([]), "heads of nothing");
    browser.press(TAB);
    let focused = browser.text("return document.activeElement.textContent");
    assert_eq!(focused, "Skip to the groups");
    browser.press(ENTER);
    assert_eq!(browser.text("return document.activeElement.id"), "groups");
    assert_eq!(
        faint_texts(&browser),
        json!([]),
        "texts that are hard to read"
    );
    browser.look(1200, true);
    assert_eq!(
        faint_texts(&browser),
        json!([]),
        "texts that are hard to read in the dark"
    );
    assert_quiet(&browser, &workspace);
}

#[test]
fn a_printed_page_is_dark_on_white_and_whole() {
    let Some(browser) = or_skip(Browser::start()) else {
        return;
    };
    let workspace = Workspace::new();
    shown_report(&browser, &workspace);
    browser.look(1200, true);
    let paper = "return getComputedStyle(document.body).backgroundColor";
    assert_ne!(browser.text(paper), "rgb(255, 255, 255)");
    browser.print();
    assert_eq!(browser.text(paper), "rgb(255, 255, 255)");
    assert_eq!(
        faint_texts(&browser),
        json!([]),
        "texts that are hard to read on paper"
    );
    let shown = browser.run(
        "return ['#filters', '.skip', '.told'].filter((what) =>\
           [...document.querySelectorAll(what)].some((part) => part.offsetParent !== null))",
    );
    assert_eq!(shown, json!([]), "what is of no use on paper");
    let cut = browser.run(
        "return [...document.querySelectorAll('.scroll')]\
         .filter((part) => getComputedStyle(part).overflow !== 'visible')\
         .map((part) => part.outerHTML.slice(0, 120))",
    );
    assert_eq!(cut, json!([]), "what paper cannot scroll to");
    assert_quiet(&browser, &workspace);
}

/// Returns texts whose contrast with what is behind them is below WCAG's 4.5.
fn faint_texts(browser: &Browser) -> Value {
    browser.run(
        "const light = (color) => {
           const parts = color.match(/[\\d.]+/g).map(Number);
           if (parts.length > 3 && parts[3] === 0) return null;
           const [r, g, b] = parts.map((part) => part / 255).map((part) =>
             part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
           return 0.2126 * r + 0.7152 * g + 0.0722 * b;
         };
         const behind = (element) => {
           for (let at = element; at; at = at.parentElement) {
             const found = light(getComputedStyle(at).backgroundColor);
             if (found !== null) return found;
           }
           return 1;
         };
         const faint = [];
         for (const element of document.querySelectorAll('body *')) {
           const own = [...element.childNodes].some((node) =>
             node.nodeType === 3 && node.textContent.trim());
           if (!own || element.closest('svg, script, noscript, .skip')) continue;
           const [a, b] = [light(getComputedStyle(element).color), behind(element)];
           const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
           if (contrast < 4.5) faint.push(contrast + ' ' + element.outerHTML.slice(0, 120));
         }
         return faint;",
    )
}
