//! The plugin's REST API, as plugin 2.14.2 answers.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Network, settings_row};

/// Both halves begin with the marker of the tests of secrets.
const KEY: &str = "m4rkerKq7ZrXw3Tn9LmB4vYc";
const SECRET: &str = "m4rkerPa5WxNe6JuRk1GtQz0";

/// What it does with a PUT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// Writes the row.
    Save,
    /// Writes the row, and never answers.
    SaveAndHang,
    /// Writes the row, and answers as if nothing had to be written.
    SaveUnseen,
    /// Never answers.
    Hang,
    /// Answers with this status and body.
    Answer(u16, String),
}

#[derive(Clone)]
pub struct PluginApi {
    pub url: String,
    network: Network,
    put: Arc<Mutex<Put>>,
    calls: Arc<Mutex<Vec<String>>>,
}

impl PluginApi {
    /// Writes into the network's table, whose settings row gets the key pair.
    pub async fn start(network: &Network) -> Self {
        network.sql(&settings(KEY, SECRET)).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            network: network.clone(),
            put: Arc::new(Mutex::new(Put::Save)),
            calls: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(api.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        api
    }

    pub fn on_put(&self, put: Put) {
        *self.put.lock().unwrap() = put;
    }

    /// Method and path of each call.
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

/// Statements that write the plugin's settings.
pub fn settings(key: &str, secret: &str) -> String {
    settings_row(&[
        ("enable_domain_mapping", "1"),
        ("enable_api", "1"),
        ("api_key", key),
        ("api_secret", secret),
    ])
}

async fn answer(State(api): State<PluginApi>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let plain = head.uri.query().and_then(|query| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == "rest_route").map(|(_, route)| route.into_owned())
    });
    let route = plain.or_else(|| path.strip_prefix("/wp-json").map(str::to_owned));
    let route = route.unwrap_or_default();
    api.calls.lock().unwrap().push(format!("{} {path}", head.method));
    let basic = head.headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
    let is_known = basic == Some(&expected());
    let body: Value =
        serde_json::from_slice(&to_bytes(body, 1 << 16).await.unwrap()).unwrap_or_default();
    if !is_known {
        return error(401, "rest_forbidden", "Sorry, you are not allowed to do that.");
    }
    if head.method == Method::POST && route == "/wu/v2/auth" {
        return json_answer(200, &json!({"success": true}));
    }
    let row = route.strip_prefix("/wu/v2/domain/").and_then(|id| id.parse::<i64>().ok());
    let (Some(row), true) = (row, head.method == Method::PUT) else {
        return error(404, "rest_no_route", "No route was found.");
    };
    assert_eq!(body, json!({"stage": "done", "secure": true}));
    let put = api.put.lock().unwrap().clone();
    if matches!(put, Put::Save | Put::SaveAndHang | Put::SaveUnseen) {
        api.network
            .sql(&format!(
                "UPDATE wp_wu_domain_mappings SET stage = 'done', secure = 1,
                     date_modified = {} WHERE id = {row}",
                api.network.now()
            ))
            .await;
    }
    match put {
        Put::Save => json_answer(200, &json!({"id": row.to_string(), "stage": "done"})),
        Put::SaveUnseen => error(500, "wu_rest_domain", "Something went wrong (Code 2)."),
        Put::SaveAndHang | Put::Hang => std::future::pending().await,
        Put::Answer(status, body) => {
            let status = StatusCode::from_u16(status).unwrap();
            (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
    }
}

/// The header of the key pair.
fn expected() -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let pair = format!("{KEY}:{SECRET}");
    let groups = pair.as_bytes().chunks(3).map(|group| {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        let digit = |place: usize| match place <= group.len() {
            true => char::from(DIGITS[(bits >> (18 - 6 * place)) as usize & 63]),
            false => '=',
        };
        (0..4).map(digit).collect::<String>()
    });
    format!("Basic {}", groups.collect::<String>())
}

fn error(status: u16, code: &str, message: &str) -> Response {
    json_answer(status, &json!({"code": code, "message": message, "data": {"status": status}}))
}

fn json_answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
