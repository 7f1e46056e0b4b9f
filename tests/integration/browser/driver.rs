//! A real Chromium without a window, driven over the W3C protocol of its chromedriver.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// No answer of the browser takes this long.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Several browsers at once are too much for a small machine that runs brokers too.
static TURN: Mutex<()> = Mutex::new(());

/// What the protocol calls the id of an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One browser, closed when the test ends, its profile removed.
pub(crate) struct Browser {
    driver: Child,
    agent: ureq::Agent,
    session: String,
    profile: tempfile::TempDir,
    /// Held until the browser is closed.
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    /// Starts a browser with a profile of its own, when no other one is open.
    pub(crate) fn start() -> Result<Self, String> {
        // A test that failed has let go of its browser all the same.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("chromedriver, of package chromium-driver: {error}"))?;
        let port = port_of(&mut driver);
        let profile = tempfile::tempdir().unwrap();
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .build();
        let mut browser = Self {
            driver,
            agent: config.into(),
            session: format!("http://127.0.0.1:{port}/session"),
            profile,
            _turn: turn,
        };
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--window-size=1200,900",
        ];
        let profile = format!("--user-data-dir={}", browser.profile.path().display());
        let arguments: Vec<&str> = arguments.into_iter().chain([&*profile]).collect();
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "unhandledPromptBehavior": "ignore",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let started = browser.post("", &capabilities);
        let id = started["sessionId"].as_str().expect("a session has an id");
        browser.session = format!("{}/{id}", browser.session);
        // What the page of a new tab asked for is not counted.
        browser.post("/url", &json!({"url": "about:blank"}));
        browser.requests();
        browser.console();
        Ok(browser)
    }

    /// Opens a file and returns once it is loaded.
    pub(crate) fn open(&self, path: &Path) {
        let url = format!("file://{}", path.display());
        self.post("/url", &json!({ "url": url }));
    }

    /// Returns what a script of the test returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Returns the text that a script of the test returns.
    pub(crate) fn text(&self, script: &str) -> String {
        let value = self.run(script);
        let text = value.as_str();
        text.unwrap_or_else(|| panic!("{script}: {value}"))
            .to_owned()
    }

    /// Clicks on the first element of a CSS selector, as a mouse does.
    pub(crate) fn click(&self, selector: &str) {
        let id = self.element(selector);
        self.post(&format!("/element/{id}/click"), &json!({}));
    }

    /// Types into the first element of a CSS selector.
    pub(crate) fn type_into(&self, selector: &str, text: &str) {
        let id = self.element(selector);
        self.post(&format!("/element/{id}/value"), &json!({ "text": text }));
    }

    /// Presses a key where the focus is.
    pub(crate) fn press(&self, key: &str) {
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": [
            {"type": "keyDown", "value": key}, {"type": "keyUp", "value": key},
        ]}]});
        self.post("/actions", &actions);
    }

    /// Returns whether a dialog is open.
    pub(crate) fn has_dialog(&self) -> bool {
        let url = format!("{}/alert/text", self.session);
        let mut answer = self.agent.get(url).call().unwrap();
        let body = answer.body_mut().read_to_string().unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        body["value"]["error"] != "no such alert"
    }

    /// Returns the lines of the console.
    pub(crate) fn console(&self) -> Vec<String> {
        let lines = self.post("/se/log", &json!({"type": "browser"}));
        let lines = lines.as_array().unwrap().iter();
        lines.map(|line| line["message"].to_string()).collect()
    }

    /// Returns the addresses that were asked for since the last call.
    pub(crate) fn requests(&self) -> Vec<String> {
        let lines = self.post("/se/log", &json!({"type": "performance"}));
        let lines = lines.as_array().unwrap().iter();
        let messages = lines.map(|line| -> Value {
            serde_json::from_str(line["message"].as_str().unwrap()).unwrap()
        });
        let sent = messages
            .filter(|message| message["message"]["method"] == "Network.requestWillBeSent")
            .map(|message| message["message"]["params"]["request"]["url"].to_string());
        sent.collect()
    }

    /// Runs a command of the developer tools.
    pub(crate) fn tool(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.post("/goog/cdp/execute", &body)
    }

    /// Lets the page believe in a screen of `width` points, and in a person who wants it dark.
    pub(crate) fn look(&self, width: u32, is_dark: bool) {
        let scheme = if is_dark { "dark" } else { "light" };
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.tool(
            "Emulation.setEmulatedMedia",
            &json!({"features": [feature]}),
        );
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.tool("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Lets the page believe that it is printed, by a person who wants screens dark.
    pub(crate) fn print(&self) {
        let feature = json!({"name": "prefers-color-scheme", "value": "dark"});
        self.tool(
            "Emulation.setEmulatedMedia",
            &json!({"media": "print", "features": [feature]}),
        );
    }

    /// Writes a picture of the first `height` points of the page.
    pub(crate) fn picture(&self, path: &Path, width: u32, height: u32) {
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        let asked = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let taken = self.tool("Page.captureScreenshot", &asked);
        let bytes = STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn element(&self, selector: &str) -> String {
        let by = json!({"using": "css selector", "value": selector});
        let found = self.post("/element", &by);
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.session);
        let request = self.agent.post(&url).content_type("application/json");
        let mut answer = request.send(body.to_string()).unwrap();
        let limited = answer.body_mut().with_config().limit(64 << 20);
        let text = limited.read_to_string().unwrap();
        let mut parsed: Value = serde_json::from_str(&text).unwrap();
        assert!(answer.status().is_success(), "{path} {body}: {text}");
        parsed["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.agent.delete(&self.session).call());
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

fn port_of(driver: &mut Child) -> u16 {
    let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let mut lines = lines.map(Result::unwrap);
    let line = lines.find(|line| line.contains("started successfully on port"));
    let line = line.expect("chromedriver says its port");
    let port = line.trim_end_matches('.').rsplit(' ').next().unwrap();
    // Read on, so that it never waits for a reader.
    std::thread::spawn(move || lines.for_each(drop));
    port.parse().unwrap()
}
