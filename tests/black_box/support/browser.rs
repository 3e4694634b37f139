//! Debian's chromium, driven by WebDriver.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use axum::http::Method;
use fantoccini::{Client, ClientBuilder, Locator, wd::WebDriverCompatibleCommand};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use super::eventually;

/// A window of its own, without anything from other windows.
pub struct Browser {
    client: Client,
}

/// Starts with the test program, and ends with it: see the database's.
struct Driver {
    port: u16,
    _keeper: Child,
}

const KEEPER: &str = r#"
chromedriver --port=0 --log-level=SEVERE & driver=$!
cat >/dev/null
kill -9 $driver 2>/dev/null
wait
"#;

fn driver() -> &'static Driver {
    static DRIVER: OnceLock<Driver> = OnceLock::new();
    DRIVER.get_or_init(|| {
        let found = Command::new("chromedriver").arg("--version").output();
        assert!(found.is_ok(), "chromedriver is not installed: run tests/run, which sees to it");
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(keeper.stdout.take().unwrap()).lines();
        let port = lines
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, port) = line.split_once("successfully on port ")?;
                port.trim_end_matches('.').parse().ok()
            })
            .unwrap();
        Driver { port, _keeper: keeper }
    })
}

impl Browser {
    /// So many pixels wide, in dark or light.
    pub async fn start(width: u32, scheme: &str) -> Self {
        let at = format!("http://127.0.0.1:{}", driver().port);
        let options = json!({
            // The tests may run as root, where there is no sandbox, and in containers with little shared memory.
            "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                "--force-prefers-reduced-motion", "--hide-scrollbars"],
        });
        let capabilities = [("goog:chromeOptions".to_owned(), options)];
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities.into_iter().collect())
            .connect(&at)
            .await
            .unwrap();
        let browser = Self { client };
        let screen =
            json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600});
        browser.devtools("Emulation.setDeviceMetricsOverride", screen).await;
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        browser.devtools("Emulation.setEmulatedMedia", scheme).await;
        browser
    }

    async fn devtools(&self, command: &str, parameters: Value) {
        let command = json!({"cmd": command, "params": parameters});
        self.client.issue_cmd(DevTools(command)).await.unwrap();
    }

    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    pub async fn address(&self) -> String {
        self.client.current_url().await.unwrap().to_string()
    }

    /// The text of the page, as it is seen.
    pub async fn text(&self) -> String {
        self.run("return document.body.innerText").await.as_str().unwrap().to_owned()
    }

    pub async fn shows(&self, text: &str) {
        let what = format!("the page shows {text:?}");
        eventually(&what, async || self.text().await.contains(text)).await;
    }

    pub async fn click(&self, css: &str) {
        self.client.find(Locator::Css(css)).await.unwrap().click().await.unwrap();
    }

    /// Presses keys wherever the focus is.
    pub async fn press(&self, keys: &str) {
        self.client.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// A picture of the whole page.
    pub async fn picture(&self) -> Vec<u8> {
        self.client.screenshot().await.unwrap()
    }

    pub async fn close(self) {
        self.client.close().await.unwrap();
    }
}

/// A command of the Chrome DevTools Protocol.
#[derive(Debug)]
struct DevTools(Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/goog/cdp/execute"))
    }

    fn method_and_body(&self, _: &url::Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.0.to_string()))
    }

    fn is_new_session(&self) -> bool {
        false
    }

    fn is_legacy(&self) -> bool {
        false
    }
}
