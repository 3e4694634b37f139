//! What the simulated web server answers over HTTP/1.1, with TLS and without.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    fmt,
    future::pending,
    io,
    sync::Mutex,
};

use axum::body::{Body, Bytes, to_bytes};
use hyper::{
    Method, Request as HttpRequest, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderMap, HeaderName, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::{REQUESTS_KEPT, WordPress, lock};

/// In bytes.
const BODY_LIMIT: usize = 64 << 10;

/// An answer of the web server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAnswer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

/// What the web server answers for a name, whatever the network says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebFace {
    Answer(WebAnswer),
    /// No answer.
    Hang,
    /// The connection is closed without an answer.
    Close,
}

/// A request that the web server received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebRequest {
    pub is_tls: bool,
    pub method: Method,
    /// As it came.
    pub host: String,
    /// With the query.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Answers every host as a WordPress that serves it, until it has a WordPress of its own.
#[derive(Default)]
pub(super) struct Web {
    wordpress: Mutex<Option<WordPress>>,
    faces: Mutex<HashMap<String, WebFace>>,
    requests: Mutex<VecDeque<WebRequest>>,
}

impl WebAnswer {
    pub fn new(status: u16, body: &str) -> Self {
        let html = ("content-type", "text/html; charset=UTF-8".to_owned());
        Self { status, headers: vec![html], body: body.to_owned() }
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl WebRequest {
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.path.split_once('?')?;
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    pub(super) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.is_tls { "https" } else { "http" }
    }
}

impl Web {
    pub(super) fn install(&self, wordpress: WordPress) {
        *lock(&self.wordpress) = Some(wordpress);
    }

    pub(super) fn show(&self, name: &str, face: Option<WebFace>) {
        let mut faces = lock(&self.faces);
        match face {
            Some(face) => faces.insert(name.to_owned(), face),
            None => faces.remove(name),
        };
    }

    pub(super) fn requests(&self) -> Vec<WebRequest> {
        lock(&self.requests).iter().cloned().collect()
    }

    /// Serves one connection until the client closes it.
    pub(super) async fn serve(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        is_tls: bool,
    ) -> io::Result<()> {
        let close = CancellationToken::new();
        let service = service_fn(|request| async {
            let answer = self.answer(request, is_tls).await;
            let Some(answer) = answer else {
                close.cancel();
                return pending().await;
            };
            Ok::<_, Infallible>(into_response(answer))
        });
        let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        match close.run_until_cancelled(serving).await {
            Some(served) => served.map_err(io::Error::other),
            None => Ok(()),
        }
    }

    /// None closes the connection.
    async fn answer(&self, request: HttpRequest<Incoming>, is_tls: bool) -> Option<WebAnswer> {
        let (head, body) = request.into_parts();
        let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let request = WebRequest {
            is_tls,
            host: host.unwrap_or_default().to_owned(),
            path: head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            method: head.method,
            headers: head.headers,
            body: to_bytes(Body::new(body), BODY_LIMIT).await.unwrap_or_default(),
        };
        {
            let mut requests = lock(&self.requests);
            if requests.len() == REQUESTS_KEPT {
                requests.pop_front();
            }
            requests.push_back(request.clone());
        }
        let face = lock(&self.faces).get(&request.host).cloned();
        let wordpress = lock(&self.wordpress).clone();
        match (face, wordpress) {
            (Some(WebFace::Answer(answer)), _) => Some(answer),
            (Some(WebFace::Hang), _) => pending().await,
            (Some(WebFace::Close), _) => None,
            (None, Some(wordpress)) => Some(wordpress.answer(&request).await),
            (None, None) => {
                let root = format!("{}://{}", request.scheme(), request.host);
                Some(super::wordpress::served(&root, true))
            }
        }
    }
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web").finish_non_exhaustive()
    }
}

fn into_response(answer: WebAnswer) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}
