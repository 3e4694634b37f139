//! New settings for a daemon that runs.

use std::os::unix::net::UnixDatagram;

use closte_sync::{
    simulator::{Call, Fault, Target},
    state::State,
};

use sqlx::Connection as _;

use crate::support::{Daemon, KEY, ends, eventually};

#[tokio::test]
async fn new_settings_are_applied_and_named() {
    let (network, closte, program) = ends(&["a.example"]).await;
    let path = program.file("closte-sync.toml", "");
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("notify");
    let heard = UnixDatagram::bind(&socket).unwrap();
    heard.set_nonblocking(true).unwrap();
    let program = program.with("NOTIFY_SOCKET", socket.to_str().unwrap());
    let daemon = program.start(&["run", "--config", &path]);
    daemon.logs("domain.added domain=a.example").await;
    assert!(!daemon.log().contains("DEBUG"));

    program.file(
        "closte-sync.toml",
        "[sync]\nextra_domains = [\"extra.example\"]\n[log]\nfilter = \"debug\"\n",
    );
    daemon.signal("-HUP");
    daemon.logs("INFO  daemon.reloaded changed=\"sync.extra_domains, log.filter\"").await;
    daemon.logs("domain.added domain=extra.example").await;
    daemon.logs("DEBUG sync.cycle").await;

    program.file("closte-sync.toml", "[log]\nformat = \"json\"\n");
    daemon.signal("-HUP");
    daemon
        .logs(r#""event":"daemon.reloaded","changed":["sync.extra_domains","log.format","log.filter"]"#)
        .await;
    network.map("later.example").await;
    daemon.logs(r#""event":"domain.added","domain":"later.example""#).await;
    eventually("it was told", async || closte.domains().contains(&"later.example".into())).await;

    let mut said = String::new();
    let mut buffer = [0; 4096];
    while let Ok(length) = heard.recv(&mut buffer) {
        said.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        said.push('\n');
    }
    let states: Vec<&str> =
        said.lines().filter(|line| ["READY=1", "RELOADING=1"].contains(line)).collect();
    assert_eq!(states, ["READY=1", "RELOADING=1", "READY=1", "RELOADING=1", "READY=1"]);
    assert!(said.contains("RELOADING=1\nMONOTONIC_USEC="), "{said}");
    assert_eq!(daemon.stop().await, 0);
}

/// Asks for a reload that is the next to be refused after so many: what the log says of it.
async fn refused_reload(daemon: &Daemon, before: usize) -> String {
    daemon.signal("-HUP");
    let mut line = None;
    eventually("it is refused", async || {
        let log = daemon.log();
        line = log
            .lines()
            .filter(|line| line.contains("ERROR daemon.reload_refused"))
            .nth(before)
            .map(str::to_owned);
        line.is_some()
    })
    .await;
    line.unwrap()
}

#[tokio::test]
async fn invalid_settings_are_refused_and_the_old_ones_stay() {
    let (network, _closte, program) = ends(&["a.example"]).await;
    let path = program.file("closte-sync.toml", "");
    let daemon = program.start(&["run", "--config", &path]);
    daemon.logs("domain.added domain=a.example").await;
    for (number, (content, reason)) in [
        ("[sync]\nintervall = 5", "did you mean sync.interval?"),
        ("[checks]\ninterval = \"1s\"", "it must be at least 10s"),
        ("[checks", "is not valid TOML"),
        ("[checks]\nca_file = \"/nowhere.pem\"", "/nowhere.pem"),
        ("[http]\nlisten = \"192.0.2.1:1\"\ntoken = \"t\"", "cannot listen on 192.0.2.1:1"),
        ("[http]\nlisten = \"0.0.0.0:0\"", "set http.token"),
    ]
    .into_iter()
    .enumerate()
    {
        program.file("closte-sync.toml", content);
        let line = refused_reload(&daemon, number).await;
        assert!(line.contains(reason), "{content}: {line}");
        let health = program.run(&["health", "--config", &path]).await;
        assert_eq!((health.status, health.out.as_str()), (0, "alive\n"), "{content}: {health:?}");
    }
    network.map("b.example").await;
    daemon.logs("domain.added domain=b.example").await;
    assert_eq!(daemon.log().matches("daemon.reloaded").count(), 0);
    assert_eq!(daemon.stop().await, 0);
}

/// What a `wp-config.php` says no longer must not become a default, which may be another network.
#[tokio::test]
async fn a_missing_or_partly_written_wp_config_changes_no_network() {
    let (_network, closte, program) = ends(&["a.example"]).await;
    let whole = "<?php $table_prefix = 'wp_'; define('SITE_ID_CURRENT_SITE', 1);";
    let path = program.file("wp-config.php", whole);
    let daemon = program.start(&["run", "--wp-config", &path]);
    daemon.logs("domain.added domain=a.example").await;
    for (number, (text, reason)) in [
        ("<?php", "wordpress.table_prefix was set by "),
        ("<?php $table_prefix = 'wp_';", "wordpress.network_id was set by "),
    ]
    .into_iter()
    .enumerate()
    {
        program.file("wp-config.php", text);
        let line = refused_reload(&daemon, number).await;
        assert!(line.contains(reason), "{text}: {line}");
    }
    program.file("wp-config.php", whole);
    daemon.signal("-HUP");
    daemon.logs("daemon.reloaded").await;
    assert_eq!(daemon.stop().await, 0);

    // The same where it was found, and is not to be found any more.
    let daemon = program.start_in_its_folder(&["run"]);
    eventually("it runs", async || daemon.log().matches("daemon.started").count() == 2).await;
    std::fs::remove_file(&path).unwrap();
    daemon.signal("-HUP");
    daemon.logs("wordpress.table_prefix was set by ./wp-config.php, and is no longer").await;
    assert_eq!(closte.domains(), ["a.example"]);
}

#[tokio::test]
async fn a_reload_cannot_move_the_state() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let program = program.without("CLOSTE_SYNC__STATE__URL");
    let state = |name: &str| format!("[state]\nurl = \"sqlite:{name}\"\n");
    let path = program.file("closte-sync.toml", &state(program.state_path().to_str().unwrap()));
    let daemon = program.start(&["run", "--config", &path]);
    daemon.logs("domain.added").await;
    program.file("closte-sync.toml", &state("/tmp/other.db"));
    daemon.signal("-HUP");
    daemon
        .logs("daemon.reload_refused error=\"state.url cannot change while the daemon runs")
        .await;
}

#[tokio::test]
async fn calls_in_flight_are_finished_before_new_settings_apply() {
    let names: Vec<String> = (0..30).map(|number| format!("shop{number:02}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (_network, closte, program) = ends(&names).await;
    let key = program.file("key", KEY);
    let program = program.without("CLOSTE_CLIENT_API_KEY").with("CLOSTE_CLIENT_API_KEY_FILE", &key);
    closte.set_latency(std::time::Duration::from_millis(50));
    let mut daemon = program.start_daemon();
    eventually("calls are under way", async || closte.count(Call::Add) >= 3).await;
    (0..5).for_each(|_| daemon.signal("-HUP"));
    eventually("all are there", async || closte.domains().len() == 30).await;
    daemon.logs("daemon.reloaded").await;
    let requests = closte.requests();
    for name in &names {
        let asked = requests.iter().filter(|one| one.domain.as_deref() == Some(name)).count();
        assert_eq!(asked, 1, "{name} was asked for twice");
    }

    // Another key is another account: a ledger of its own.
    closte.set_key("another-key");
    program.file("key", "another-key");
    daemon.signal("-HUP");
    daemon.logs("daemon.reloaded changed=closte.api_key").await;
    daemon.logs("ledger.adopted domains=30").await;

    // An end while it takes up new settings is an end.
    closte.fail(Target::Only(Call::List), Fault::Hang);
    daemon.signal("-HUP");
    daemon.signal("-TERM");
    assert_eq!(daemon.ends().await, 0);
    assert!(!daemon.log().contains("m4rker"), "{}", daemon.log());
}

/// Longer than the daemon's end would wait for it.
#[tokio::test]
async fn a_reload_waits_for_a_slow_call_and_a_stop_does_not() {
    let (network, closte, program) = ends(&["a.example"]).await;
    let program = program.with("CLOSTE_SYNC__CLOSTE__TIMEOUT", "1m");
    closte.set_latency(std::time::Duration::from_secs(9));
    let mut daemon = program.start_daemon();
    eventually("the call is under way", async || closte.count(Call::Add) == 1).await;
    daemon.signal("-HUP");
    daemon.logs("daemon.reloaded").await;
    daemon.logs("domain.added domain=a.example").await;
    assert!(!daemon.log().contains("domain.add_failed"), "{}", daemon.log());

    closte.set_latency(std::time::Duration::ZERO);
    closte.fail(Target::Only(Call::Add), Fault::Hang);
    network.map("b.example").await;
    eventually("the call hangs", async || closte.count(Call::Add) == 2).await;
    daemon.signal("-HUP");
    eventually("it is heard", async || daemon.log().matches("daemon.reloaded").count() == 2).await;
    daemon.signal("-TERM");
    assert_eq!(daemon.ends().await, 0);
    assert!(daemon.log().contains("domain.outcome_unknown domain=b.example"), "{}", daemon.log());
}

#[tokio::test]
async fn a_reload_keeps_the_retry_after() {
    let (_network, closte, program) = ends(&["a.example"]).await;
    closte.fail(Target::Everything, Fault::RetryAfter(429, 3_600));
    let mut daemon = program.start_daemon();
    daemon.logs("closte.failed").await;
    let asked = closte.requests().len();
    for reloads in 1..5 {
        daemon.signal("-HUP");
        let heard = async || daemon.log().matches("daemon.reloaded").count() == reloads;
        eventually("it is heard", heard).await;
    }
    daemon.signal("-TERM");
    assert_eq!(daemon.ends().await, 0);
    assert_eq!(closte.requests().len(), asked);
}

#[tokio::test]
async fn a_retry_after_that_arrives_during_a_reload_is_kept() {
    let (network, closte, program) = ends(&["a.example"]).await;
    let mut daemon = program.start_daemon();
    daemon.logs("domain.added domain=a.example").await;
    closte.set_latency(std::time::Duration::from_secs(2));
    closte.fail(Target::Only(Call::Add), Fault::RetryAfter(429, 3_600));
    network.map("b.example").await;
    eventually("the call is under way", async || closte.count(Call::Add) == 2).await;
    let asked = closte.requests().len();
    daemon.signal("-HUP");
    daemon.logs("WARN  closte.failed error=\"Closte asks for fewer calls (HTTP 429)").await;
    daemon.signal("-HUP");
    eventually("it is heard", async || daemon.log().matches("daemon.reloaded").count() == 2).await;
    daemon.signal("-TERM");
    assert_eq!(daemon.ends().await, 0);
    assert_eq!(closte.requests().len(), asked);
}

#[tokio::test]
async fn a_busy_state_database_does_not_delay_the_end() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let mut daemon = program.start_daemon();
    daemon.logs("domain.added domain=a.example").await;
    let state = format!("sqlite:{}", program.state_path().display());
    let mut other = sqlx::SqliteConnection::connect(&state).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    (0..20).for_each(|_| daemon.signal("-HUP"));
    daemon.signal("-TERM");
    daemon.logs("daemon.stopping signal=SIGTERM").await;
    // Whatever it still wants to write down: a second signal ends it at once.
    daemon.signal("-TERM");
    assert!([0, 1].contains(&daemon.ends().await));
}

#[tokio::test]
async fn the_admin_server_keeps_its_socket_or_moves() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let listen = |address: &str| format!("[http]\nlisten = \"{address}\"\n");
    let path = program.file("closte-sync.toml", &listen("127.0.0.1:0"));
    let daemon = program.start(&["run", "--config", &path]);
    let addresses = || -> Vec<String> {
        let log = daemon.log();
        let lines = log.lines().filter_map(|line| line.split_once("http.listening address="));
        lines.map(|(_, address)| address.to_owned()).collect()
    };
    daemon.logs("http.listening").await;
    let first = addresses()[0].clone();
    let is_open = async |address: &str| tokio::net::TcpStream::connect(address).await.is_ok();

    program.file("closte-sync.toml", &(listen("127.0.0.1:0") + "metrics_per_domain = true\n"));
    daemon.signal("-HUP");
    daemon.logs("daemon.reloaded changed=http.metrics_per_domain").await;
    assert!(is_open(&first).await);
    assert_eq!(addresses().len(), 1, "it was opened anew");

    program.file("closte-sync.toml", &listen("[::1]:0"));
    daemon.signal("-HUP");
    daemon.logs("http.listening address=[::1]:").await;
    eventually("the old one is closed", async || !is_open(&first).await).await;
    assert!(is_open(&addresses()[1]).await);

    let port = addresses()[1].rsplit_once(':').unwrap().1.to_owned();
    let other = format!("[::]:{port}\"\ntoken = \"m4rker");
    program.file("closte-sync.toml", &listen(&other));
    daemon.signal("-HUP");
    daemon.logs("daemon.reload_refused error=\"http.listen: cannot listen on [::]:").await;
    assert!(
        daemon.log().contains("restart the daemon to change only the address"),
        "{}",
        daemon.log()
    );

    program.file("closte-sync.toml", "");
    daemon.signal("-HUP");
    eventually("it is closed", async || !is_open(&addresses()[1]).await).await;

    let state = State::open(&program.state_path()).await.unwrap();
    let events = state.events(None, None, 100).await.unwrap();
    let told = events.iter().map(|one| one.event.as_str());
    let told: Vec<&str> =
        told.filter(|name| name.starts_with("daemon.") || name.starts_with("http.")).collect();
    let (started, reloaded, listening) = ("daemon.started", "daemon.reloaded", "http.listening");
    let refused = "daemon.reload_refused";
    assert_eq!(told, [started, listening, reloaded, reloaded, listening, refused, reloaded]);
}
