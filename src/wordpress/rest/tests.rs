use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::*;

const KEY: &str = "Kq7ZrXw3Tn9LmB4vYc8DfHs2";
const SECRET: &str = "Pa5WxNe6JuRk1GtQz0MiSd7o";
/// `KEY:SECRET` in Base64.
const BASIC: &str = "Basic S3E3WnJYdzNUbjlMbUI0dlljOERmSHMyOlBhNVd4TmU2SnVSazFHdFF6ME1pU2Q3bw==";
/// As plugin 2.14.2 answered.
const ROW: &str = r#"{"id":"7","domain":"alpha.test","blog_id":"2","active":"1","primary_domain":"0","secure":true,"stage":"done","date_created":"2026-11-26 10:00:00","date_modified":"2026-11-26 10:00:00"}"#;
const PAGE: &str = "<!DOCTYPE html><title>Network</title>";

/// A web server that gives these answers in turn, and what it received.
struct Server {
    port: u16,
    received: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(answers: &[(u16, &str)], tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let answers: VecDeque<(u16, String)> =
            answers.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
        let answers = Arc::new(Mutex::new(answers));
        let log = received.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                match &tls {
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            serve(stream, &answers, &log).await;
                        }
                    }
                    None => serve(stream, &answers, &log).await,
                }
            }
        });
        Self { port, received }
    }

    fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn client(&self) -> RestClient {
        client(&self.url(), None).unwrap()
    }
}

/// Serves one connection, and closes it after each answer.
async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answers: &Mutex<VecDeque<(u16, String)>>,
    received: &Mutex<Vec<String>>,
) {
    let mut request = Vec::new();
    let is_whole = |request: &[u8]| {
        let text = String::from_utf8_lossy(request).into_owned();
        text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.to_ascii_lowercase();
            let length = length
                .split("content-length: ")
                .nth(1)
                .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
            body.len() >= length
        })
    };
    while !is_whole(&request) {
        let mut part = [0; 4096];
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(&part[..read]),
        }
    }
    received.lock().unwrap().push(String::from_utf8(request).unwrap());
    let (status, body) = answers.lock().unwrap().pop_front().unwrap_or((500, String::new()));
    let location = match status {
        301 | 302 => format!("Location: {body}\r\n"),
        _ => String::new(),
    };
    let answer = format!(
        "HTTP/1.1 {status} x\r\n{location}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn client(url: &str, ca_file: Option<PathBuf>) -> Result<RestClient, RestError> {
    let access = SiteAccess { url: Some(url.parse().unwrap()), ca_file };
    RestClient::new("network.example", "/", ApiKeyPair::new(KEY, SECRET).unwrap(), &access)
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = request.lines().take_while(|line| !line.is_empty());
    lines.find_map(|line| {
        let (key, value) = line.split_once(": ")?;
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}

#[tokio::test]
async fn the_key_pair_is_in_the_header_only() {
    let server = Server::start(&[(200, ROW)], None).await;
    server.client().write_done(7).await.unwrap();
    let [request] = &server.received()[..] else { panic!("{:?}", server.received()) };
    assert!(request.starts_with("PUT /wp-json/wu/v2/domain/7 HTTP/1.1\r\n"), "{request}");
    assert_eq!(header(request, "Authorization"), Some(BASIC));
    assert_eq!(header(request, "Host"), Some("network.example"));
    assert_eq!(header(request, "Content-Type"), Some("application/json"));
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(body).unwrap(),
        json!({"stage": "done", "secure": true})
    );
    let elsewhere = head.replace(BASIC, "") + body;
    assert!(!elsewhere.contains(KEY) && !elsewhere.contains(SECRET), "{elsewhere}");
    assert!(!format!("{:?}", server.client()).contains(KEY));
}

#[tokio::test]
async fn without_rewrite_rules_the_other_address_is_used() {
    for pretty in [(200, PAGE), (404, PAGE), (403, ""), (301, "https://network.example/")] {
        let server = Server::start(&[pretty, (200, ROW)], None).await;
        server.client().write_done(7).await.unwrap();
        let received = server.received();
        let plain = "PUT /index.php?rest_route=%2Fwu%2Fv2%2Fdomain%2F7 HTTP/1.1\r\n";
        assert!(received[1].starts_with(plain), "{received:?}");
        assert_eq!(header(&received[1], "Authorization"), Some(BASIC));
    }
}

#[tokio::test]
async fn each_answer_has_its_error() {
    let code = |code: &str| format!(r#"{{"code":"{code}","message":"So it is.","data":{{}}}}"#);
    let of = |status: u16, name: &str| (status, code(name));
    let failed = RestError::Failed { status: 400, reason: "So it is.".to_owned() };
    for (answer, expected) in [
        (of(404, "rest_no_route"), RestError::ApiOff),
        (of(404, "wu_rest_domain_invalid_id"), RestError::NoSuchRow),
        (of(401, "rest_forbidden"), RestError::KeysRejected),
        (of(401, "rest_not_logged_in"), RestError::Closed("rest_not_logged_in".to_owned())),
        (of(403, "blocked"), RestError::Closed("blocked".to_owned())),
        (of(500, "wu_rest_domain"), RestError::NotSaved("So it is.".to_owned())),
        (of(400, "rest_invalid_param"), failed),
    ] {
        let server = Server::start(&[(answer.0, &answer.1)], None).await;
        assert_eq!(server.client().write_done(7).await, Err(expected), "{answer:?}");
        assert_eq!(server.received().len(), 1, "an answer of the API is the answer");
    }
}

#[tokio::test]
async fn a_page_at_both_addresses_is_not_the_api() {
    let to = format!("http://other.example:81/x?key={KEY}");
    for (first, what) in [
        ((200, PAGE), "it answers HTTP 200 with a web page"),
        ((401, ""), "it answers HTTP 401 with nothing in it"),
        ((502, "Bad Gateway"), "it answers HTTP 502 with Bad Gateway"),
        // The secrets of other tests may be masked in the rest.
        ((302, to.as_str()), "it redirects (HTTP 302) to "),
    ] {
        let server = Server::start(&[first, (200, PAGE)], None).await;
        let error = server.client().write_done(7).await.unwrap_err();
        let RestError::NotTheApi { url, what: found } = &error else { panic!("{error:?}") };
        assert!(*url == server.url() && found.starts_with(what), "{error}");
        assert!(error.is_of_all_rows() && !error.to_string().contains(KEY), "{error}");
    }
}

#[tokio::test]
async fn the_pair_is_tested_without_a_get() {
    let server = Server::start(&[(200, PAGE), (200, r#"{"success":true}"#)], None).await;
    server.client().test_keys().await.unwrap();
    let received = server.received();
    assert!(received[0].starts_with("POST /wp-json/wu/v2/auth?_method=GET HTTP/1.1\r\n"));
    let plain = "POST /index.php?rest_route=%2Fwu%2Fv2%2Fauth&_method=GET HTTP/1.1\r\n";
    assert!(received[1].starts_with(plain), "{received:?}");
    let refused = r#"{"code":"rest_forbidden","message":"Sorry","data":{"status":401}}"#;
    let server = Server::start(&[(401, refused)], None).await;
    assert_eq!(server.client().test_keys().await, Err(RestError::KeysRejected));
}

#[tokio::test]
async fn no_answer_is_an_error_that_names_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    drop(listener);
    let error = client(&url, None).unwrap().write_done(7).await.unwrap_err();
    assert!(
        matches!(&error, RestError::Unreachable { url: named, .. } if *named == url),
        "{error}"
    );
    assert!(error.is_undetermined());
}

/// A server's TLS with a certificate for a name, and the PEM of its authority.
fn tls_for(name: &str) -> (TlsAcceptor, String) {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &root).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), root.pem())
}

#[tokio::test]
async fn the_certificate_is_verified_for_the_networks_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    for (name, is_right) in [("network.example", true), ("other.example", false)] {
        let (tls, root) = tls_for(name);
        std::fs::write(&file, root).unwrap();
        let server = Server::start(&[(200, ROW), (200, ROW)], Some(tls)).await;
        let url = format!("https://localhost:{}", server.port);
        let known = client(&url, Some(file.clone())).unwrap();
        assert_eq!(known.write_done(7).await.is_ok(), is_right, "{name}");
        if is_right {
            assert_eq!(header(&server.received()[0], "Host"), Some("network.example"));
        }
        let unknown = client(&url, None).unwrap().write_done(7).await.unwrap_err();
        assert!(matches!(unknown, RestError::Unreachable { .. }), "{unknown}");
        assert!(server.received().len() <= usize::from(is_right), "it got the key pair");
    }
    let missing = folder.path().join("missing.pem");
    let error = client("https://localhost", Some(missing)).unwrap_err();
    assert!(error.to_string().starts_with("checks.ca_file: "), "{error}");
}
