//! The client, against a practice Closte that behaves, and one that does not.

use std::{sync::Arc, time::Duration};

use closte_sync::{
    closte::{Client, ClosteError, List, Redirect},
    domain::DomainName,
    simulator::{Call, Fault, Shape, Simulator, Target},
};
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

const KEY: &str = "m4rker-key/with+odd=characters";

fn names(list: &List) -> Vec<String> {
    list.names.iter().map(|(name, ())| name.to_string()).collect()
}

fn name(text: &str) -> DomainName {
    text.parse().unwrap()
}

fn client_with(base_url: &str, key: &str, timeout: Duration) -> Client {
    Client::new(base_url.parse().unwrap(), key.parse().unwrap(), timeout, 4).unwrap()
}

fn client(closte: &Simulator) -> Client {
    client_with(&closte.base_url(), KEY, Duration::from_secs(20))
}

#[tokio::test]
async fn names_are_added_listed_and_removed() {
    let closte = Simulator::start(KEY).await.unwrap();
    let client = client(&closte);
    client.add(&name("shop.example")).await.unwrap();
    client.add(&name("*.wild.example")).await.unwrap();
    client.add(&name("shop.example")).await.unwrap();
    assert_eq!(closte.domains(), ["*.wild.example", "shop.example"]);
    let list = client.list().await.unwrap();
    assert!(list.is_complete());
    assert_eq!(names(&list), ["*.wild.example", "shop.example"]);
    client.remove(&name("*.wild.example")).await.unwrap();
    assert_eq!(closte.domains(), ["shop.example"]);
    let flags: Vec<_> =
        closte.requests().into_iter().filter_map(|request| request.wildcard).collect();
    assert_eq!(flags, ["0", "1", "0", "1"]);
}

#[tokio::test]
async fn lists_of_objects_are_understood_and_unparsed_elements_counted() {
    let closte = Simulator::start(KEY).await.unwrap();
    closte.put(["a.example", "*.b.example"]);
    let client = client(&closte);
    closte.set_shape(Shape::Objects("hostname"));
    let list = client.list().await.unwrap();
    assert_eq!(names(&list), ["*.b.example", "a.example"]);
    closte.set_shape(Shape::With(vec![json!(7), json!({"id": 1})]));
    let list = client.list().await.unwrap();
    assert_eq!((list.names.len(), list.unparsed), (2, 2));
    assert_eq!(list.example.as_deref(), Some("7"));
}

#[tokio::test]
async fn a_key_is_tested_without_changing_anything() {
    let closte = Simulator::start(KEY).await.unwrap();
    let test = client(&closte).test_key().await.unwrap();
    assert!(test.server_time.is_some());
    let wrong = client_with(&closte.base_url(), "wrong-key", Duration::from_secs(5));
    assert!(matches!(wrong.test_key().await, Err(ClosteError::KeyRejected(_))));
    assert!(matches!(wrong.list().await, Err(ClosteError::KeyRejected(_))));
    assert!(matches!(wrong.add(&name("a.example")).await, Err(ClosteError::KeyRejected(_))));
    assert_eq!((closte.count(Call::KeyTest), closte.domains().len()), (2, 0));
}

#[tokio::test]
async fn every_kind_of_failure_is_told_apart_and_none_holds_the_key() {
    let closte = Simulator::start(KEY).await.unwrap();
    closte.refuse("bad.example");
    let client = client(&closte);
    let body = |text: &str| Fault::Body(text.to_owned());
    let is_invalid = |error: &ClosteError| matches!(error, ClosteError::InvalidResponse(_));
    type Check = fn(&ClosteError) -> bool;
    let cases: [(Fault, Check); 14] = [
        (Fault::Status(401), |error| matches!(error, ClosteError::KeyRejected(_))),
        (Fault::Status(403), |error| matches!(error, ClosteError::KeyRejected(_))),
        (Fault::Status(404), |error| matches!(error, ClosteError::NotFound { status: 404 })),
        (Fault::RetryAfter(429, 600), |error| {
            error.retry_after() == Some(Duration::from_secs(600))
                && matches!(error, ClosteError::RateLimited { .. })
        }),
        (Fault::RetryAfter(503, 600), |error| {
            matches!(error, ClosteError::ServerError { status: 503, .. })
        }),
        (Fault::Redirect("http://127.0.0.1:9/elsewhere".to_owned()), |error| {
            matches!(error, ClosteError::Redirected { why: Redirect::OtherPort(9), .. })
        }),
        (body("<html><h1>Log in</h1>"), is_invalid),
        (body(""), is_invalid),
        (body(r#"{"success": true, "domains": ["a.exa"#), is_invalid),
        (body("[1, 2]"), is_invalid),
        (body("\"yes\""), is_invalid),
        (
            Fault::Failure("bad key {apikey} given".to_owned()),
            |error| matches!(error, ClosteError::Rejected(text) if text == "bad key *** given"),
        ),
        (Fault::Failure("API key expired".to_owned()), |error| {
            matches!(error, ClosteError::KeyRejected(_))
        }),
        (Fault::Reset, |error| matches!(error, ClosteError::Unreachable { timed_out: false, .. })),
    ];
    for (fault, is_expected) in cases {
        closte.heal();
        closte.fail(Target::Everything, fault.clone());
        for error in
            [client.add(&name("a.example")).await.unwrap_err(), client.list().await.unwrap_err()]
        {
            assert!(is_expected(&error), "{fault:?}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("m4rker"), "{error:?}");
        }
    }
    closte.heal();
    let refused = client.add(&name("bad.example")).await.unwrap_err();
    assert!(matches!(refused, ClosteError::NameRefused(_)), "{refused:?}");
}

#[tokio::test]
async fn an_answer_that_never_comes_ends_with_the_time_limit_and_is_not_tried_again() {
    let closte = Simulator::start(KEY).await.unwrap();
    closte.fail(Target::Everything, Fault::Hang);
    let client = client_with(&closte.base_url(), KEY, Duration::from_millis(200));
    let error = client.list().await.unwrap_err();
    assert!(matches!(error, ClosteError::Unreachable { timed_out: true, .. }), "{error:?}");
    assert_eq!(closte.count(Call::List), 1);
}

#[tokio::test]
async fn what_may_heal_is_tried_three_times_and_what_will_not_once() {
    let closte = Simulator::start(KEY).await.unwrap();
    let client = client(&closte);
    for (fault, tries) in [
        (Fault::Status(500), 3),
        (Fault::RetryAfter(429, 0), 3),
        (Fault::RetryAfter(429, 600), 1),
        (Fault::Failure("no".to_owned()), 1),
        (Fault::Body("<html>".to_owned()), 1),
        (Fault::Status(403), 1),
    ] {
        closte.heal();
        closte.fail(Target::Everything, fault.clone());
        let before = closte.count(Call::List);
        client.list().await.unwrap_err();
        assert_eq!(closte.count(Call::List) - before, tries, "{fault:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let client = client_with("http://127.0.0.1:1/api", KEY, Duration::from_secs(5));
    let error = client.list().await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("could not reach Closte: Connection refused"), "{text}");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_not_accepted() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("https://localhost:{}/api", listener.local_addr().unwrap().port());
    let (accepted, mut went_on) = (TlsAcceptor::from(Arc::new(tls)), JoinSet::new());
    let serving = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            went_on.spawn(accepted.accept(stream));
            while let Some(handshake) = went_on.try_join_next() {
                assert!(handshake.unwrap().is_err(), "the client went on");
            }
        }
    });
    let error = client_with(&base_url, KEY, Duration::from_secs(20)).add(&name("a.example")).await;
    let text = error.unwrap_err().to_string();
    assert!(text.contains("invalid peer certificate"), "{text}");
    assert!(!serving.is_finished(), "{:?}", serving.await);
}

#[tokio::test]
async fn connections_are_kept_and_calls_bounded_by_them() {
    let closte = Simulator::start(KEY).await.unwrap();
    let client = client(&closte);
    for index in 0..50 {
        client.add(&name(&format!("shop{index}.example"))).await.unwrap();
    }
    assert_eq!(closte.connections(), 1);
}

#[tokio::test]
async fn a_redirect_is_followed_on_the_same_host_and_nowhere_else() {
    let closte = Simulator::start(KEY).await.unwrap();
    closte.put(["a.example"]);
    let elsewhere = Simulator::start(KEY).await.unwrap();
    let old_address = closte.base_url().replace("/api/client", "/old");
    let client = client_with(&old_address, KEY, Duration::from_secs(20));
    let key: String = url::form_urlencoded::byte_serialize(KEY.as_bytes()).collect();
    let to = |host: &Simulator| {
        let list = format!("{}/getdomains?apikey={key}", host.base_url());
        closte.heal();
        closte.fail(Target::Only(Call::Unknown), Fault::Redirect(list));
    };
    to(&closte);
    assert_eq!(names(&client.list().await.unwrap()), ["a.example"]);
    to(&elsewhere);
    let error = client.list().await.unwrap_err().to_string();
    assert!(error.contains("a redirect to port "), "{error}");
    assert_eq!(elsewhere.connections(), 0, "the key went to another host");
}

/// The address of a server that answers everything with this.
async fn answering(response: impl Into<String>) -> String {
    let response = response.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/api", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(response.as_bytes()).await;
        }
    });
    base_url
}

#[tokio::test]
async fn a_redirect_that_is_not_followed_is_reported_with_the_reason() {
    let other = |host: &str| Redirect::OtherHost(host.to_owned());
    let cases: [(&str, Redirect); 14] = [
        ("302 Found", Redirect::Nowhere),
        ("307 T\r\nLocation: http://[::1", Redirect::NoAddress),
        ("302 Found\r\nLocation: http://a b/", Redirect::NoAddress),
        ("302 Found\r\nLocation: http://", Redirect::NoAddress),
        ("302 Found\r\nLocation: http://x.example:99999/", Redirect::NoAddress),
        ("302 Found\r\nLocation: /\u{ff}", Redirect::NoAddress),
        ("301 Moved\r\nLocation: //login.example/?apikey=x", other("login.example")),
        ("302 Found\r\nLocation: https://m4rker-key.example/", other("***.example")),
        ("302 Found\r\nLocation: https://127.0.0.1/", Redirect::OtherScheme("https".to_owned())),
        ("302 Found\r\nLocation: mailto:a@b.example", Redirect::OtherScheme("mailto".to_owned())),
        ("308 Permanent\r\nLocation: /api/getdomains", Redirect::Endless),
        ("302 Found\r\nLocation:", Redirect::Endless),
        ("300 Multiple Choices\r\nLocation: /here", Redirect::None),
        ("304 Not Modified", Redirect::None),
    ];
    for (head, why) in cases {
        let response = format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let base_url = answering(response).await;
        let error = client_with(&base_url, KEY, Duration::from_secs(20)).list().await.unwrap_err();
        let status: u16 = head.get(..3).unwrap().parse().unwrap();
        assert_eq!(error, ClosteError::Redirected { status, why }, "{head}");
        let text = error.to_string();
        assert!(text.starts_with(&format!("Closte answers HTTP {status}: ")), "{text}");
        assert!(!text.contains("m4rker") && !text.contains("apikey"), "{text}");
    }
}

#[tokio::test]
async fn a_redirect_to_a_login_page_is_told_and_changes_no_call_into_another() {
    let closte = Simulator::start(KEY).await.unwrap();
    let client = client(&closte);
    closte.fail(Target::Only(Call::Unknown), Fault::Body("<html>Log in</html>".to_owned()));
    for call in [Call::List, Call::Add] {
        closte.fail(Target::Only(call), Fault::Redirect("/login".to_owned()));
    }
    let error = client.list().await.unwrap_err().to_string();
    assert!(
        error.contains("on the same host leads to a web page, such as a login page"),
        "{error}"
    );
    let error = client.add(&name("a.example")).await.unwrap_err();
    assert_eq!(error, ClosteError::Redirected { status: 302, why: Redirect::OtherPage });
    // As a GET without its fields, "Invalid or empty domain" would be said of no name at all.
    assert_eq!(closte.count(Call::Unknown), 1);
}

#[tokio::test]
async fn a_huge_retry_after_is_bounded_and_said_with_its_bound() {
    let response = "HTTP/1.1 429 Slow\r\nRetry-After: 99999999999999999999999\r\n\
        Content-Length: 0\r\nConnection: close\r\n\r\n";
    let client = client_with(&answering(response).await, KEY, Duration::from_secs(20));
    let error = client.list().await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3_600)));
    let text = "Closte asks for fewer calls (HTTP 429), again in 1h, the most that is waited (it asks \
                for over a hundred years)";
    assert_eq!(error.to_string(), text);
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_it() {
    let closte = Simulator::start(KEY).await.unwrap();
    let client = client(&closte);
    let endless = "x".repeat(2 << 20);
    for start in [r#"{"success": true, "domains": ["a.example", ""#, r#"{"other": ""#, "["] {
        closte.heal();
        closte.fail(Target::Everything, Fault::Body(format!("{start}{endless}")));
        let error = client.list().await.unwrap_err().to_string();
        let is_read = !start.starts_with('[');
        assert_eq!(error.contains("a part of it is larger than 1024 KiB"), is_read, "{error}");
        let error = client.add(&name("a.example")).await.unwrap_err().to_string();
        assert!(error.contains("larger than 1 MiB"), "{error}");
    }
    // The limit is one of elements: together they may be larger.
    let names: Vec<String> = (0..200_000).map(|number| format!("{number}.example")).collect();
    let list = json!({"success": true, "domains": names}).to_string();
    assert!(list.len() > 2 << 20);
    closte.heal();
    closte.fail(Target::Everything, Fault::Body(list));
    assert_eq!(client.list().await.unwrap().names.len(), names.len());
}

#[tokio::test]
async fn whoever_asks_for_it_no_name_of_clostes_own_is_sent() {
    let closte = Simulator::start(KEY).await.unwrap();
    let client = client(&closte);
    let own = name("app-0123456789abcdef01234567.closte.com");
    for error in [
        client.add(&own).await.unwrap_err(),
        client.remove(&own).await.unwrap_err(),
        client.request_certificate(&own, &[]).await.answer.unwrap_err(),
    ] {
        assert!(matches!(error, ClosteError::NameRefused(_)), "{error:?}");
    }
    assert_eq!(closte.connections(), 0);
}
