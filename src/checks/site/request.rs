use std::{
    error::Error as _,
    io::{self, ErrorKind},
};

use http_body_util::{BodyExt as _, Empty};
use hyper::{
    HeaderMap, Request, Response,
    body::Incoming,
    client::conn::http1,
    header::{self, HeaderName},
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::bytes::Bytes;
use tokio_util::task::AbortOnDropHandle;

use super::{Answer, Failure};

/// How much of a page is read: its head.
const MOST_BODY: usize = 64 * 1024;
const MOST_HEADERS: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::checks) enum Kind {
    /// As a browser asks.
    Visitor,
    /// As page caches pass it on.
    PastCaches,
}

/// Sends one request over the connection, and reads the answer.
pub(in crate::checks) async fn get(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    host: &str,
    path: &str,
    kind: Kind,
) -> Result<Answer, Failure> {
    let accept = match kind {
        Kind::Visitor => "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        Kind::PastCaches => "*/*",
    };
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(
            header::USER_AGENT,
            concat!("Mozilla/5.0 (compatible; closte-sync/", env!("CARGO_PKG_VERSION"), ")"),
        )
        .header(header::ACCEPT, accept)
        .header(header::ACCEPT_LANGUAGE, "en")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| Failure::Ours(error.to_string()))?;
    let connecting =
        http1::Builder::new().max_buf_size(MOST_HEADERS).handshake(TokioIo::new(stream));
    let (mut sender, connection) = connecting.await.map_err(failure)?;
    let _running = AbortOnDropHandle::new(tokio::spawn(connection));
    let response = sender.send_request(request).await.map_err(failure)?;
    let (head, body) = response.into_parts();
    let body = read(Response::new(body)).await;
    let text = |name: HeaderName| text(&head.headers, &name);
    let is_cloudflare_challenge =
        text(HeaderName::from_static("cf-mitigated")).is_some_and(|word| word == "challenge");
    Ok(Answer {
        status: head.status.as_u16(),
        location: text(header::LOCATION),
        is_redirect_by_wordpress: text(HeaderName::from_static("x-redirect-by"))
            .is_some_and(|by| by == "WordPress"),
        is_challenge: is_cloudflare_challenge,
        sets_cookie: head.headers.contains_key(header::SET_COOKIE),
        retry_after: text(header::RETRY_AFTER),
        links: head.headers.get_all(header::LINK).iter().filter_map(as_text).collect(),
        body,
    })
}

/// The beginning of a body: what arrived, if it ends early.
async fn read(response: Response<Incoming>) -> String {
    let (mut body, mut read) = (response.into_body(), Vec::new());
    while read.len() < MOST_BODY
        && let Some(Ok(frame)) = body.frame().await
    {
        if let Ok(data) = frame.into_data() {
            let room = MOST_BODY - read.len();
            read.extend(data.iter().take(room));
        }
    }
    String::from_utf8_lossy(&read).into_owned()
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(as_text)
}

fn as_text(value: &header::HeaderValue) -> Option<String> {
    value.to_str().ok().map(str::to_owned)
}

fn failure(error: hyper::Error) -> Failure {
    let closed = || Failure::Closed("it closes the connection without an answer".to_owned());
    if error.is_parse() {
        return Failure::Closed("its answer is no HTTP".to_owned());
    }
    if error.is_incomplete_message() || error.is_closed() {
        return closed();
    }
    let mut cause = error.source();
    while let Some(inner) = cause.filter(|cause| !cause.is::<io::Error>()) {
        cause = inner.source();
    }
    let io = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
    match io.map(io::Error::kind) {
        Some(
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
            // An alert of TLS.
            | ErrorKind::InvalidData,
        ) => closed(),
        Some(ErrorKind::TimedOut) => Failure::TimedOut,
        // As without a route any more.
        _ => Failure::Ours(io.map_or_else(|| error.to_string(), ToString::to_string)),
    }
}
