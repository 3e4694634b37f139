//! Writes a stage by the plugin's REST API. The key pair is sent in the header only: in the query it would
//! be in the web server's log, and the plugin logs the body of a call that fails. Nothing is asked by an
//! authenticated GET, which a page cache would store and serve to everyone.

use std::{error::Error, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use reqwest::{
    Certificate, Method, Response, StatusCode, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{ACCEPT, CONTENT_TYPE, HOST, HeaderValue, LOCATION},
    redirect::Policy,
};
use serde_json::{Value, json};
use thiserror::Error;

use super::{ApiKeyPair, SiteUrl};
use crate::secrets;

const LIMIT: Duration = Duration::from_secs(30);
/// In bytes.
const BODY_LIMIT: usize = 1 << 20;

/// Why the plugin's REST API did not write a stage. Texts of the server are masked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RestError {
    /// 404 `rest_no_route`
    #[error(
        "the plugin's REST API is off; switch it on in Ultimate Multisite > Settings > API & Webhooks"
    )]
    ApiOff,
    /// 401 `rest_forbidden`
    #[error(
        "the plugin's REST API does not accept the key pair of its own settings; press \"Refresh API \
         Credentials\" in Ultimate Multisite > Settings > API & Webhooks, and let the web server pass \
         the header Authorization to PHP"
    )]
    KeysRejected,
    /// 401 or 403 of another plugin.
    #[error(
        "WordPress's REST API is closed to requests without a login ({0}); let the plugin or firewall \
         that closes it allow /wp-json/wu/v2"
    )]
    Closed(String),
    /// 404 `wu_rest_domain_invalid_id`
    #[error("the plugin has no such row; check that wordpress.url is the address of this network")]
    NoSuchRow,
    /// The same answer comes for a row that holds these values already.
    #[error(
        "the plugin did not save the row ({0}); if it is done there, wordpress.url is the address of a copy"
    )]
    NotSaved(String),
    #[error(
        "{url} is not WordPress's REST API: {what}; set wordpress.url to the address where the network's \
         main site answers"
    )]
    NotTheApi { url: String, what: String },
    #[error(
        "could not reach WordPress at {url}: {reason}; check wordpress.url, and checks.ca_file where the \
         certificate's authority is your own"
    )]
    Unreachable { url: String, reason: String },
    #[error("the plugin's REST API fails (HTTP {status}: {reason}); see WordPress's own log")]
    Failed { status: u16, reason: String },
    #[error("the network's address is not known; set wordpress.url")]
    NoAddress,
    #[error("checks.ca_file: {0}")]
    CaFile(String),
}

impl RestError {
    /// Whether other rows would fail as well.
    pub fn is_of_all_rows(&self) -> bool {
        !matches!(self, Self::NoSuchRow | Self::NotSaved(_) | Self::Failed { .. })
    }

    /// Whether the row may have been written nevertheless.
    pub fn is_undetermined(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::NotSaved(_) | Self::Failed { .. })
    }
}

/// The plugin's REST API of one network.
#[derive(Debug)]
pub struct RestClient {
    http: reqwest::Client,
    url: SiteUrl,
    /// The same, by the name that the certificate is verified for.
    named: SiteUrl,
    /// The host of the network, where `url` has one that WordPress does not know.
    host: Option<HeaderValue>,
    keys: ApiKeyPair,
}

/// How to reach WordPress.
#[derive(Debug, Clone, Default)]
pub struct SiteAccess {
    /// `wordpress.url`; none is the network's own address.
    pub url: Option<SiteUrl>,
    /// `checks.ca_file`
    pub ca_file: Option<PathBuf>,
}

impl RestClient {
    /// Opens no connection.
    ///
    /// # Errors
    /// The network has no address, or the certificates cannot be read.
    pub fn new(
        network_domain: &str,
        network_path: &str,
        keys: ApiKeyPair,
        access: &SiteAccess,
    ) -> Result<Self, RestError> {
        // Fails only if one is installed already, which is then used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let of_network = SiteUrl::of_network(network_domain, network_path);
        let url = access.url.clone().or_else(|| of_network.clone()).ok_or(RestError::NoAddress)?;
        let network =
            of_network.filter(|network| url.is_inside() && network.authority() != url.authority());
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("closte-sync/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(LIMIT / 3)
            .timeout(LIMIT)
            .referer(false)
            // Another host must not get the key pair.
            .redirect(Policy::none());
        if let Some(path) = &access.ca_file {
            let wrong = |reason: String| RestError::CaFile(format!("{}: {reason}", path.display()));
            let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
            let read = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(cause(&error)))?;
            builder = builder.tls_certs_merge(read);
        }
        if url.is_inside() {
            builder = builder.no_proxy();
        }
        let mut named = url.clone();
        if url.url().scheme() == "https"
            && let Some((url, target)) = network.as_ref().and_then(|network| url.renamed(network))
        {
            builder = builder.dns_resolver(Arc::new(Inside { target }));
            named = url;
        }
        let http = builder.build().map_err(|error| RestError::unreachable(&url, &error))?;
        let host = network.and_then(|network| HeaderValue::from_str(&network.authority()).ok());
        Ok(Self { http, url, named, host, keys })
    }

    /// Writes the stage `done` and the flag `secure` of a row. The plugin may make the domain the primary
    /// one of its site.
    pub async fn write_done(&self, row_id: i64) -> Result<(), RestError> {
        let body = json!({"stage": "done", "secure": true}).to_string();
        let call = format!("/wu/v2/domain/{row_id}");
        let answer = self.call(&Method::PUT, &call, Some(body)).await?;
        match answer.get("id") {
            Some(_) => Ok(()),
            None => Err(RestError::NotSaved(secrets::excerpt(&answer.to_string()))),
        }
    }

    /// Tests the key pair, and changes nothing.
    pub async fn test_keys(&self) -> Result<(), RestError> {
        let answer = self.call(&Method::POST, "/wu/v2/auth", None).await?;
        match answer.get("success") {
            Some(Value::Bool(true)) => Ok(()),
            _ => Err(RestError::KeysRejected),
        }
    }

    /// Makes a call, at the pretty address first. Where there are no rewrite rules that answers with a
    /// page.
    async fn call(
        &self,
        method: &Method,
        route: &str,
        body: Option<String>,
    ) -> Result<Value, RestError> {
        let [mut pretty, mut plain] = self.named.rest(route);
        if *method == Method::POST {
            // A GET for WordPress, and not for a page cache.
            for url in [&mut pretty, &mut plain] {
                url.query_pairs_mut().append_pair("_method", "GET");
            }
        }
        match self.send(method, pretty, body.clone()).await? {
            Answer::OfApi(status, answer) => evaluate(status, answer),
            Answer::Other(what) => match self.send(method, plain, body).await? {
                Answer::OfApi(status, answer) => evaluate(status, answer),
                Answer::Other(_) => Err(RestError::NotTheApi { url: self.url.to_string(), what }),
            },
        }
    }

    async fn send(
        &self,
        method: &Method,
        url: Url,
        body: Option<String>,
    ) -> Result<Answer, RestError> {
        let unreachable = |error| RestError::unreachable(&self.url, &error);
        let (key, secret) = self.keys.expose();
        let mut request = self
            .http
            .request(method.clone(), url)
            .basic_auth(key, Some(secret))
            .header(ACCEPT, "application/json");
        if let Some(host) = &self.host {
            request = request.header(HOST, host);
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let request = request.build().map_err(unreachable)?;
        let response = self.http.execute(request).await.map_err(unreachable)?;
        let status = response.status();
        if status.is_redirection() {
            return Ok(Answer::Other(describe_redirect(&response)));
        }
        Ok(Answer::read(status, &read_body(response).await.map_err(unreachable)?))
    }
}

/// An answer to a call.
#[derive(Debug)]
enum Answer {
    OfApi(StatusCode, Value),
    /// Of something else, and what it is.
    Other(String),
}

impl Answer {
    fn read(status: StatusCode, body: &[u8]) -> Self {
        match serde_json::from_slice(body) {
            // Errors have a code, rows an id.
            Ok(Value::Object(answer))
                if ["code", "id", "success"].iter().any(|key| answer.contains_key(*key)) =>
            {
                Self::OfApi(status, Value::Object(answer))
            }
            _ => {
                let text = String::from_utf8_lossy(body);
                let text = match text.trim() {
                    "" => "with nothing in it".to_owned(),
                    page if page.starts_with('<') => "with a web page".to_owned(),
                    other => format!("with {}", secrets::excerpt(other)),
                };
                Self::Other(format!("it answers HTTP {} {text}", status.as_u16()))
            }
        }
    }
}

fn evaluate(status: StatusCode, answer: Value) -> Result<Value, RestError> {
    if status.is_success() {
        return Ok(answer);
    }
    let text = |key: &str| answer.get(key).and_then(Value::as_str).map(secrets::excerpt);
    let code = text("code").unwrap_or_default();
    Err(match (status.as_u16(), code.as_str()) {
        (404, "rest_no_route") => RestError::ApiOff,
        (404, "wu_rest_domain_invalid_id") => RestError::NoSuchRow,
        (401, "rest_forbidden") => RestError::KeysRejected,
        (401 | 403, _) => RestError::Closed(code),
        (500, "wu_rest_domain") => RestError::NotSaved(text("message").unwrap_or(code)),
        (status, _) => RestError::Failed { status, reason: text("message").unwrap_or(code) },
    })
}

fn describe_redirect(response: &Response) -> String {
    let status = response.status().as_u16();
    let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
    // The rest of the address may hold anything.
    let to = to.and_then(|to| response.url().join(to).ok());
    let to = to.map(|to| secrets::excerpt(&to.origin().ascii_serialization()));
    format!("it redirects (HTTP {status}) to {}", to.as_deref().unwrap_or("no web address"))
}

async fn read_body(mut response: Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > BODY_LIMIT {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

impl RestError {
    fn unreachable(url: &SiteUrl, error: &reqwest::Error) -> Self {
        let reason = if error.is_timeout() {
            format!("no answer within {} s", LIMIT.as_secs())
        } else {
            secrets::excerpt(&cause(error))
        };
        Self::Unreachable { url: url.to_string(), reason }
    }
}

/// The innermost error, which names no address.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Connects to an address inside, whatever the name.
struct Inside {
    target: String,
}

impl Resolve for Inside {
    fn resolve(&self, _: Name) -> Resolving {
        let target = self.target.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((target.as_str(), 0)).await?;
            let addresses: Addrs = Box::new(found.collect::<Vec<SocketAddr>>().into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests;
