//! The plugin's REST API, as far as it concerns domains.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hyper::{Method, header};
use serde_json::{Map, Value, json};
use sqlx::Error;

use super::{
    Habits, WebAnswer, WebRequest, WordPress,
    tables::{Mapping, Tables},
};
use crate::wordpress::PluginSettings;

const STAGES: [&str; 6] =
    ["checking-dns", "checking-ssl-cert", "done-without-ssl", "done", "failed", "ssl-failed"];

/// The REST route of a request for a path below a site's address. Without rewrite rules its pretty address
/// is a page like any other.
pub(super) fn route(request: &WebRequest, path: &str, habits: &Habits) -> Option<String> {
    let plain = request.query("rest_route");
    plain.or_else(|| {
        let path = path.split('?').next()?.strip_prefix("/wp-json")?;
        habits.pretty_permalinks.then(|| path.to_owned())
    })
}

impl WordPress {
    /// Answers a call below a site's address.
    pub(super) async fn call(
        &self,
        request: &WebRequest,
        route: &str,
        root: &str,
    ) -> Result<WebAnswer, Error> {
        let settings = self.shared.tables.settings().await?;
        let method = match request.query("_method") {
            Some(method) if request.method == Method::POST => method,
            _ => request.method.to_string(),
        };
        let row = route.strip_prefix("/wu/v2/domain/").and_then(|id| id.parse().ok());
        let is_on = settings.api == Some(true);
        match (method.as_str(), route.trim_end_matches('/'), row) {
            ("GET", "", _) => Ok(answer(200, &json!({"url": root, "home": root}))),
            ("GET", "/wu/v2/auth", _) if is_on => Ok(if may(request, &settings) {
                let welcome = "Welcome to our API";
                answer(200, &json!({"success": true, "label": "Network", "message": welcome}))
            } else {
                forbidden()
            }),
            ("PUT", _, Some(id)) if is_on => self.put(request, &settings, id).await,
            _ => {
                let message = "No route was found matching the URL and request method.";
                Ok(failure(404, "rest_no_route", message))
            }
        }
    }

    async fn put(
        &self,
        request: &WebRequest,
        settings: &PluginSettings,
        id: i64,
    ) -> Result<WebAnswer, Error> {
        let Ok(body) = serde_json::from_slice::<Map<String, Value>>(&request.body) else {
            return Ok(failure(400, "rest_invalid_json", "Invalid JSON body passed."));
        };
        let invalid = body.iter().find_map(|(field, value)| match (field.as_str(), value) {
            ("stage", Value::String(stage)) if STAGES.contains(&stage.as_str()) => None,
            ("secure", Value::Bool(_)) => None,
            ("stage" | "secure", _) => Some(field),
            _ => None,
        });
        if let Some(field) = invalid {
            let message = format!("Invalid parameter(s): {field}");
            return Ok(failure(400, "rest_invalid_param", &message));
        }
        if !may(request, settings) {
            return Ok(forbidden());
        }
        let tables = &self.shared.tables;
        let Some(row) = tables.mapping(id).await? else {
            return Ok(failure(404, "wu_rest_domain_invalid_id", "Item not found."));
        };
        if let Some(field) =
            body.keys().find(|field| !["stage", "secure"].contains(&field.as_str()))
        {
            let message =
                format!("The WP_Ultimo\\Models\\Domain object does not have a set_{field} method");
            return Ok(failure(400, "wu_rest_domain_invalid_set_method", &message));
        }
        let stage = body.get("stage").and_then(Value::as_str).unwrap_or(&row.stage);
        let secure = body.get("secure").and_then(Value::as_bool).unwrap_or(row.is_secure);
        let mut changes = Vec::new();
        if stage != row.stage {
            changes.push(("stage", stage.to_owned()));
        }
        if secure != row.is_secure {
            changes.push(("secure", u8::from(secure).to_string()));
        }
        if !changes.is_empty() {
            tables.write(id, &changes).await?;
        }
        self.flush();
        if changes.is_empty() {
            let error = json!({
                "code": "wu_rest_domain", "message": "Something went wrong (Code 2).", "data": null
            });
            return Ok(answer(500, &error));
        }
        let is_done = |stage: &str| matches!(stage, "done" | "done-without-ssl");
        if is_done(stage) && !is_done(&row.stage) {
            promote(tables, &row).await?;
        }
        Ok(answer(200, &describe(&row, stage, secure)))
    }
}

/// Makes the row the primary one of its site, as the plugin does.
async fn promote(tables: &Tables, row: &Mapping) -> Result<(), Error> {
    let (host, _) = tables.network().await?;
    let is_below_network = |name: &str| name.ends_with(&format!(".{host}"));
    let others: Vec<Mapping> =
        tables.primaries(row.site).await?.into_iter().filter(|other| other.id != row.id).collect();
    if row.is_primary
        || is_below_network(&row.domain)
        || others.iter().any(|other| !is_below_network(&other.domain))
    {
        return Ok(());
    }
    tables.write(row.id, &[("primary_domain", "1".to_owned())]).await?;
    for other in others {
        tables.write(other.id, &[("primary_domain", "0".to_owned())]).await?;
    }
    Ok(())
}

/// The row as the API shows it: as it was before, with what was written.
fn describe(row: &Mapping, stage: &str, secure: bool) -> Value {
    let flag = |flag: bool| u8::from(flag).to_string();
    json!({
        "id": row.id.to_string(),
        "model": "domain",
        "slug": "",
        "date_created": row.created,
        "date_modified": row.modified,
        "migrated_from_id": null,
        "blog_id": row.site.to_string(),
        "domain": row.domain,
        "active": flag(row.is_active),
        "primary_domain": flag(row.is_primary),
        "secure": secure,
        "stage": stage,
    })
}

/// Whether the request has the key pair of the settings.
fn may(request: &WebRequest, settings: &PluginSettings) -> bool {
    let sent = request.header(header::AUTHORIZATION).unwrap_or_default();
    settings.api_keys.as_ref().is_some_and(|keys| {
        let (key, secret) = keys.expose();
        sent == format!("Basic {}", BASE64_STANDARD.encode(format!("{key}:{secret}")))
    })
}

fn forbidden() -> WebAnswer {
    failure(401, "rest_forbidden", "Sorry, you are not allowed to do that.")
}

fn failure(status: u16, code: &str, message: &str) -> WebAnswer {
    answer(status, &json!({"code": code, "message": message, "data": {"status": status}}))
}

fn answer(status: u16, body: &Value) -> WebAnswer {
    WebAnswer {
        status,
        headers: vec![("content-type", "application/json; charset=UTF-8".to_owned())],
        body: body.to_string(),
    }
}
