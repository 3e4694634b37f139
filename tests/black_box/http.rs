//! The endpoint: life, readiness, metrics.

use std::time::Duration;

use closte_sync::simulator::{Call, Face, Fault, Target};
use reqwest::StatusCode;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, sqlite::SqliteConnectOptions};

use crate::support::{Daemon, Outside, Program, client, ends, eventually};

/// The program with an endpoint on any free port.
pub fn with_endpoint(program: Program) -> Program {
    program.with("CLOSTE_SYNC__HTTP__LISTEN", "127.0.0.1:0")
}

/// Where the daemon answers.
pub async fn address(daemon: &Daemon) -> String {
    daemon.logs("http.listening address=").await;
    let log = daemon.log();
    let line = log.lines().rev().find(|line| line.contains("http.listening")).unwrap();
    format!("http://{}", line.rsplit_once("address=").unwrap().1)
}

pub async fn get(url: &str) -> (StatusCode, String) {
    let answer = client().get(url).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

fn value(metrics: &str, name: &str) -> Option<f64> {
    let line = metrics.lines().find(|line| line.rsplit_once(' ').is_some_and(|it| it.0 == name));
    line.map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
}

#[tokio::test]
async fn the_metrics_and_status_have_the_same_stages() {
    let outside = Outside::start().await;
    outside.point(&["agency.example", "a.example"]);
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let program = with_endpoint(outside.around(program));
    let daemon = program.start_daemon();
    let at = address(&daemon).await;
    daemon.logs("dns.right domain=a.example").await;
    let options = SqliteConnectOptions::new().filename(program.state_path());
    // For how long it does not work; since when its DNS is right.
    for (times, stage) in [
        ("since = since - 400000000, dns_since = dns_since", "checking-ssl-cert"),
        ("since = since - 400000000, dns_since = dns_since - 400000000", "ssl-failed"),
    ] {
        let metric = format!("closte_sync_domains{{stage=\"{stage}\"}}");
        // A look that began before may write its own times.
        eventually(stage, async || {
            let mut database = options.connect().await.unwrap();
            let update = format!("UPDATE domain_status SET {times}");
            database.execute(AssertSqlSafe(update)).await.unwrap();
            let status = program.run(&["status", "--json"]).await.json();
            let metrics = get(&format!("{at}/metrics")).await.1;
            status[0]["stage"] == stage && value(&metrics, &metric) == Some(1.0)
        })
        .await;
    }
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn the_pages_report_liveness_readiness_and_metrics() {
    let outside = Outside::start().await;
    outside.point(&["agency.example", "a.example", "b.example"]);
    outside.tls.show("a.example", Face::Valid(60)).unwrap();
    let (_network, closte, program) = ends(&["a.example", "b.example"]).await;
    let program = with_endpoint(outside.around(program));
    let program = program.with("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "1h");
    let daemon = program.start_daemon();
    let at = address(&daemon).await;
    assert_eq!(get(&format!("{at}/healthz")).await, (StatusCode::OK, "alive\n".to_owned()));
    let mut metrics = String::new();
    eventually("all is counted", async || {
        metrics = get(&format!("{at}/metrics")).await.1;
        value(&metrics, r#"closte_sync_domains{stage="done"}"#) == Some(1.0)
            && value(&metrics, r#"closte_sync_domains{stage="checking-ssl-cert"}"#) == Some(1.0)
            && value(&metrics, r#"closte_sync_cycle_domains{state="in_place"}"#) == Some(2.0)
            && value(&metrics, r#"closte_sync_api_calls_total{call="list",outcome="ok"}"#)
                == Some(2.0)
    })
    .await;
    for (name, expected) in [
        (r#"closte_sync_build_info{version="0.1.0"}"#, 1.0),
        (r#"closte_sync_api_calls_total{call="add",outcome="ok"}"#, 2.0),
        (r#"closte_sync_domains{stage="checking-dns"}"#, 0.0),
        (r#"closte_sync_domains{stage="failed"}"#, 0.0),
        (r#"closte_sync_domains_by_dns{verdict="ok"}"#, 2.0),
        (r#"closte_sync_domains_by_ssl{verdict="valid"}"#, 1.0),
        (r#"closte_sync_cycle_domains{state="desired"}"#, 2.0),
        (r#"closte_sync_cycle_domains{state="refused"}"#, 0.0),
    ] {
        assert_eq!(value(&metrics, name), Some(expected), "{name}: {metrics}");
    }
    let cycles = value(&metrics, r#"closte_sync_cycles_total{outcome="ok"}"#).unwrap();
    assert_eq!(value(&metrics, "closte_sync_cycle_duration_seconds_count"), Some(cycles));
    let now = jiff::Timestamp::now().as_second() as f64;
    let success = value(&metrics, "closte_sync_last_success_timestamp_seconds").unwrap();
    assert!((now - 60.0..=now + 1.0).contains(&success), "{success}");
    let expiry = "closte_sync_certificate_soonest_expiry_timestamp_seconds";
    assert!(value(&metrics, expiry).unwrap() > now);
    assert!(!metrics.contains("a.example"), "a line for each domain: {metrics}");
    assert!(!metrics.contains("# EOF"), "{metrics}");
    for (accepts, kind) in [
        (
            "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
            "application/openmetrics-text",
        ),
        ("text/plain;version=0.0.4", "text/plain; version=0.0.4"),
    ] {
        let answer = client().get(format!("{at}/metrics")).header("Accept", accepts).send().await;
        let answer = answer.unwrap();
        let told = answer.headers()["Content-Type"].to_str().unwrap().to_owned();
        assert!(told.starts_with(kind), "{told}");
        let is_open = kind.contains("openmetrics");
        assert_eq!(answer.text().await.unwrap().ends_with("# EOF\n"), is_open);
    }

    let (status, ready) = get(&format!("{at}/readyz")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(ready.contains(r#""ready":true"#) && ready.contains(r#""outcome":"ok""#), "{ready}");
    closte.fail(Target::Only(Call::List), Fault::Status(503));
    _network.map("c.example").await;
    eventually("it is no longer ready", async || {
        get(&format!("{at}/readyz")).await.0 == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;
    let (_, ready) = get(&format!("{at}/readyz")).await;
    assert!(ready.contains("is failing (HTTP 503)"), "{ready}");
    assert_eq!(get(&format!("{at}/healthz")).await.0, StatusCode::OK, "it is alive all the same");
    let metrics = get(&format!("{at}/metrics")).await.1;
    let failed = r#"closte_sync_cycles_total{outcome="closte_failed"}"#;
    assert!(value(&metrics, failed).is_some_and(|number| number >= 1.0), "{metrics}");
    let server_error = r#"closte_sync_api_calls_total{call="list",outcome="server_error"}"#;
    assert!(value(&metrics, server_error).is_some(), "{metrics}");
    assert_eq!(get(&format!("{at}/elsewhere")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn metrics_of_each_domain_are_optional() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let program = with_endpoint(program).with("CLOSTE_SYNC__HTTP__METRICS_PER_DOMAIN", "true");
    let daemon = program.start_daemon();
    let at = address(&daemon).await;
    eventually("the domain is there", async || {
        let metrics = get(&format!("{at}/metrics")).await.1;
        value(&metrics, r#"closte_sync_domain_works{domain="a.example"}"#) == Some(0.0)
    })
    .await;
}

#[tokio::test]
async fn without_the_token_only_healthz_answers() {
    let (_network, _closte, program) = ends(&[]).await;
    let token = program.file("token", "m4rker-token\n");
    let program = with_endpoint(program).with("CLOSTE_SYNC__HTTP__TOKEN_FILE", &token);
    let daemon = program.start_daemon();
    let at = address(&daemon).await;
    assert_eq!(get(&format!("{at}/healthz")).await.0, StatusCode::OK);
    for path in ["readyz", "metrics"] {
        let ask = async |token: Option<&str>| {
            let mut request = client().get(format!("{at}/{path}"));
            if let Some(token) = token {
                request = request.header("Authorization", token);
            }
            request.send().await.unwrap().status()
        };
        for stranger in [
            None,
            Some("Bearer "),
            Some("Bearer wrong"),
            Some("Bearer m4rker-toke"),
            Some("Basic m4rker-token"),
            Some("m4rker-token"),
        ] {
            assert_eq!(ask(stranger).await, StatusCode::UNAUTHORIZED, "{path} {stranger:?}");
        }
        assert_ne!(ask(Some("Bearer m4rker-token")).await, StatusCode::UNAUTHORIZED, "{path}");
        assert_ne!(ask(Some("bearer m4rker-token")).await, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn it_is_open_to_other_machines_only_with_a_token() {
    let (_network, _closte, program) = ends(&[]).await;
    for (open, status) in [("0.0.0.0:0", 1), ("[::]:0", 1), ("127.0.0.1:0", 0), ("[::1]:0", 0)] {
        let config = program.clone().with("CLOSTE_SYNC__HTTP__LISTEN", open).run(&["config"]).await;
        assert_eq!(config.status, status, "{open}: {config:?}");
        assert_eq!(config.err.contains("set http.token"), status == 1, "{open}: {config:?}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let run = program.with("CLOSTE_SYNC__HTTP__LISTEN", &address).run(&["run"]).await;
    assert_eq!(run.status, 1);
    assert!(run.err.contains(&format!("http.listen: cannot listen on {address}")), "{run:?}");
}

#[tokio::test]
async fn a_silent_connection_blocks_no_other() {
    let (_network, _closte, program) = ends(&[]).await;
    let daemon = with_endpoint(program).start_daemon();
    let at = address(&daemon).await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        let host = at.strip_prefix("http://").unwrap();
        silent.push(tokio::net::TcpStream::connect(host).await.unwrap());
    }
    assert_eq!(get(&format!("{at}/healthz")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn health_needs_no_admin_server() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let none = program.run(&["health"]).await;
    assert_eq!(
        (none.status, none.out.starts_with("no daemon is running with")),
        (1, true),
        "{none:?}"
    );
    let daemon = program.start_daemon();
    daemon.logs("domain.added").await;
    eventually("it is healthy", async || program.run(&["health"]).await.status == 0).await;
    // A daemon that hangs no longer touches the file.
    daemon.signal("-STOP");
    let lock = program.state_path().with_extension("db.lock");
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(3_600);
    std::fs::File::options().write(true).open(&lock).unwrap().set_modified(long_ago).unwrap();
    let hangs = program.run(&["health"]).await;
    assert_eq!(
        (hangs.status, hangs.out.as_str()),
        (1, "the daemon hangs: no sign of life for 1h; restart it\n")
    );
    let doctor = program.run(&["doctor"]).await;
    let line = "FAILED  state      the daemon hangs: no sign of life for 1h; restart it\n";
    assert!(doctor.status == 1 && doctor.out.contains(line), "{doctor:?}");
    daemon.signal("-CONT");
    eventually("it is healthy again", async || program.run(&["health"]).await.status == 0).await;
    assert_eq!(daemon.stop().await, 0);
    assert_eq!(program.run(&["health"]).await.status, 1);
}

#[tokio::test]
async fn a_request_begins_a_cycle_with_its_own_token_only() {
    let (network, closte, program) = ends(&["a.example"]).await;
    let program = with_endpoint(program)
        .with("CLOSTE_SYNC__SYNC__INTERVAL", "1h")
        .with("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "1h")
        .with("CLOSTE_SYNC__LOG__FILTER", "debug")
        .with("CLOSTE_SYNC__HTTP__TOKEN", "opens-metrics")
        .with("CLOSTE_SYNC__HTTP__SYNC_TOKEN", "begins-cycles");
    let daemon = program.start_daemon();
    let at = address(&daemon).await;
    eventually("the addition is confirmed", async || closte.count(Call::List) == 2).await;
    network.map("b.example").await;
    let post = async |path: &str, token: &str| {
        let request = client().post(format!("{at}{path}"));
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        request.send().await.unwrap().status()
    };
    for (path, token) in
        [("/sync", ""), ("/sync", "opens-metrics"), ("/sync/opens-metrics", ""), ("/sync/", "")]
    {
        assert!(post(path, token).await.is_client_error(), "{path} {token}");
    }
    assert_eq!(get(&format!("{at}/sync/begins-cycles")).await.0, StatusCode::METHOD_NOT_ALLOWED);
    let metrics = client().get(format!("{at}/metrics")).bearer_auth("begins-cycles").send().await;
    assert_eq!(metrics.unwrap().status(), StatusCode::UNAUTHORIZED, "it opens nothing else");
    assert_eq!(closte.count(Call::Add), 1, "none of these began a cycle");

    assert_eq!(post("/sync", "begins-cycles").await, StatusCode::ACCEPTED);
    daemon.logs("domain.added domain=b.example").await;
    network.map("c.example").await;
    assert_eq!(post("/sync/begins-cycles", "").await, StatusCode::ACCEPTED);
    daemon.logs("domain.added domain=c.example").await;
    assert!(!daemon.log().contains("begins-cycles"), "{}", daemon.log());
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn without_a_token_no_request_begins_a_cycle() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let daemon = with_endpoint(program).start_daemon();
    let at = address(&daemon).await;
    let answer = client().post(format!("{at}/sync")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert_eq!(answer.text().await.unwrap(), "http.sync_token is not set\n");
    let same = Program::bare()
        .with("CLOSTE_SYNC__HTTP__TOKEN", "one")
        .with("CLOSTE_SYNC__HTTP__SYNC_TOKEN", "one");
    let refused = same.run(&["config"]).await;
    assert!(refused.err.contains("http.sync_token must differ from http.token"), "{refused:?}");
}
