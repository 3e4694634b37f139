//! What a visitor gets, as the checks see it: against the practice WordPress, and against other servers.

use std::io::Read as _;

use closte_sync::simulator::{Closed, Simulator, WebAnswer, WebFace, WebRequest, WordPress};
use serde_json::Value;
use sqlx::{ConnectOptions as _, Executor as _, sqlite::SqliteConnectOptions};

use crate::support::{KEY, Network, Outside, Program, SERVER, eventually, settings_row};

/// A network with the site `alpha` and its WordPress, which `alpha.example` is mapped to.
struct Place {
    network: Network,
    wordpress: WordPress,
    outside: Outside,
    _closte: Simulator,
    program: Program,
}

impl Place {
    async fn start() -> Self {
        let network = Network::sqlite_without_rows().await;
        network
            .sql(
                "INSERT INTO wp_site (id, domain, path) VALUES (1, 'agency.example', '/');
                 INSERT INTO wp_blogs (blog_id, site_id, domain, path) VALUES
                   (1, 1, 'agency.example', '/'), (2, 1, 'alpha.agency.example', '/');
                 INSERT INTO wp_wu_domain_mappings (id, blog_id, domain, active, stage)
                 VALUES (7, 2, 'alpha.example', 1, 'done')",
            )
            .await;
        network.sql(&settings_row(&[("enable_domain_mapping", "1")])).await;
        let wordpress = WordPress::open(&network.administrator_url()).unwrap();
        let outside = Outside::start().await;
        outside.tls.install(wordpress.clone());
        for name in ["agency.example", "alpha.example", "beta.example"] {
            outside.point(&[name]);
            outside.tls.show(name, closte_sync::simulator::Face::Valid(60)).unwrap();
        }
        let closte = Simulator::start(KEY).await.unwrap();
        let program = outside.around(Program::new(&network, &closte));
        let program = program.with("CLOSTE_SYNC__WORDPRESS__WRITE_STAGE", "off");
        assert_eq!(program.run(&["apply"]).await.status, 0);
        Self { network, wordpress, outside, _closte: closte, program }
    }

    async fn row(&self, set: &str) {
        self.network.sql(&format!("UPDATE wp_wu_domain_mappings SET {set} WHERE id = 7")).await;
        self.program.run(&["apply"]).await;
    }

    /// What a check finds, and its exit status.
    async fn check(&self) -> (Value, i32) {
        let checked = self.program.run(&["check", "alpha.example", "--json"]).await;
        (checked.json()[0].clone(), checked.status)
    }

    /// The site's verdict, whether it works, and the exit status.
    async fn verdict(&self) -> (String, bool, i32) {
        let (checked, status) = self.check().await;
        let verdict = checked["site"]["verdict"].as_str().unwrap_or("-").to_owned();
        (verdict, checked["works"].as_bool().unwrap(), status)
    }

    /// How many requests for the name came over TLS, and were any past the caches.
    fn requests(&self) -> (usize, bool) {
        let requests = self.outside.tls.requests();
        let is_of_name = |one: &&WebRequest| one.is_tls && one.host == "alpha.example";
        let of_name = || requests.iter().filter(is_of_name);
        (of_name().count(), of_name().any(|one| one.path != "/"))
    }
}

fn is(verdict: &str, works: bool, status: i32) -> (String, bool, i32) {
    (verdict.to_owned(), works, status)
}

#[tokio::test]
async fn each_state_of_wordpress_is_a_verdict() {
    let place = Place::start().await;
    assert_eq!(place.verdict().await, is("served", true, 0));
    assert_eq!(place.requests(), (1, false), "one request, and nothing past the caches");
    place.row("stage = 'failed'").await;
    assert_eq!(place.verdict().await, is("not-active", false, 3));
    let (checked, _) = place.check().await;
    let advice = checked["advice"].as_str().unwrap();
    assert!(advice.contains("gave up on its DNS (stage \"failed\")"), "{advice}");
    assert!(checked["customer"].as_str().unwrap().contains("nothing to do for you"), "{checked}");
    assert_eq!(checked["plugin"]["serving"], "stage-not-done");
    place.row("stage = 'done', active = 0").await;
    assert_eq!(place.verdict().await, is("not-active", false, 3));
    place.row("active = 1").await;
    for (closed, verdict, works, status) in [
        (Closed::Maintenance, "maintenance", false, 0),
        (Closed::Suspended, "suspended", false, 0),
        (Closed::FatalError, "server-error", false, 3),
    ] {
        place.wordpress.change(|habits| drop(habits.closed.insert(2, closed)));
        assert_eq!(place.verdict().await, is(verdict, works, status));
    }
    place.wordpress.change(|habits| habits.closed.clear());
    place.wordpress.change(|habits| habits.is_updating = true);
    assert_eq!(place.verdict().await, is("maintenance", false, 0));
    place.wordpress.change(|habits| habits.is_updating = false);
    place.network.sql("UPDATE wp_blogs SET archived = 1 WHERE blog_id = 2").await;
    place.program.run(&["apply"]).await;
    assert_eq!(place.verdict().await, is("gone", false, 0));
    place.network.sql("UPDATE wp_blogs SET archived = 0 WHERE blog_id = 2").await;
    place
        .network
        .sql(
            "INSERT INTO wp_wu_domain_mappings (blog_id, domain, active, primary_domain, stage)
             VALUES (2, 'beta.example', 1, 1, 'done')",
        )
        .await;
    place.program.run(&["apply"]).await;
    assert_eq!(place.verdict().await, is("redirected", true, 0));
    let (checked, _) = place.check().await;
    assert_eq!(checked["site"]["location"], "beta.example");
    place.row("primary_domain = 1").await;
    assert_eq!(place.verdict().await, is("loop", false, 3));
}

#[tokio::test]
async fn each_other_answer_is_a_verdict() {
    let place = Place::start().await;
    let at = |to: &str| WebAnswer::new(302, "").with("location", to);
    let face = |answer: WebAnswer| WebFace::Answer(answer);
    for (answer, verdict, works, status) in [
        (face(WebAnswer::new(200, "It works!")), "other-server", false, 3),
        (face(at("https://parked.example/")), "other-server", false, 3),
        (face(at("https://alpha.example/")), "loop", false, 3),
        (face(WebAnswer::new(502, "")), "server-error", false, 3),
        (WebFace::Close, "server-error", false, 3),
        (face(WebAnswer::new(403, "no")), "blocked", true, 0),
        (face(WebAnswer::new(200, "/wp-content/")), "unknown", true, 0),
    ] {
        place.outside.tls.answer("alpha.example", Some(answer.clone()));
        assert_eq!(place.verdict().await, is(verdict, works, status), "{answer:?}");
    }
}

#[tokio::test]
async fn a_page_cache_does_not_hide_that_the_row_has_failed() {
    let place = Place::start().await;
    place.wordpress.change(|habits| habits.page_cache = true);
    assert_eq!(place.verdict().await, is("served", true, 0));
    place.row("stage = 'failed'").await;
    assert_eq!(place.verdict().await, is("not-active", false, 3));
    assert!(place.requests().1, "it did not look past the cache");
}

#[tokio::test]
async fn a_time_out_counts_from_the_second_look_on() {
    let mut place = Place::start().await;
    // Only the site is waited for.
    place.program = place.program.with("CLOSTE_SYNC__CHECKS__HTTP_PORT", "1");
    place.outside.tls.answer("alpha.example", Some(WebFace::Hang));
    let (first, _) = place.check().await;
    let verdict = |checked: &Value| checked["site"]["verdict"].as_str().unwrap().to_owned();
    let daemon_sees = |checked: &Value| (verdict(checked), checked["works"].as_bool().unwrap());
    assert_eq!(daemon_sees(&first).0, "timed-out");
    let status = async || place.program.run(&["status", "alpha.example", "--json"]).await.json();
    let remembered = status().await[0].clone();
    assert_eq!(daemon_sees(&remembered), ("unknown".to_owned(), true), "one look decides nothing");
    place.check().await;
    assert_eq!(daemon_sees(&status().await[0]), ("timed-out".to_owned(), false));
}

#[tokio::test]
async fn the_daemon_says_when_a_site_breaks_and_when_it_is_back() {
    let place = Place::start().await;
    let daemon = place.program.clone().with("CLOSTE_SYNC__LOG__FILTER", "debug").start_daemon();
    daemon.logs("domain.live domain=alpha.example").await;
    let broken = WebFace::Answer(WebAnswer::new(500, "There has been a critical error"));
    place.outside.tls.answer("alpha.example", Some(broken));
    // A site that is served is looked at hourly.
    let options = SqliteConnectOptions::new().filename(place.program.state_path());
    eventually("the site is looked at again", async || {
        let mut state = options.connect().await.unwrap();
        let long_ago = "UPDATE domain_status SET due_at = 0,
             latest = json_set(latest, '$.site.checked_at', '2020-01-01T00:00:00Z')";
        state.execute(long_ago).await.unwrap();
        daemon.log().contains("WARN  site.broke domain=alpha.example")
    })
    .await;
    place.outside.tls.answer("alpha.example", None);
    daemon.logs("INFO  site.recovered domain=alpha.example").await;
    assert_eq!(daemon.log().matches("domain.live").count(), 1, "{}", daemon.log());
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn port_80_is_looked_at_and_alarms_nobody() {
    let place = Place::start().await;
    let http = async |program: &Program| {
        let checked = program.run(&["check", "alpha.example", "--json"]).await;
        assert_eq!(checked.status, 0);
        let checked = checked.json()[0].clone();
        assert_eq!(checked["works"], true, "{checked}");
        let advice = checked["advice"].as_str().unwrap().to_owned();
        (checked["http"]["verdict"].as_str().unwrap().to_owned(), advice)
    };
    assert_eq!(http(&place.program).await, ("open".to_owned(), "alpha.example works".to_owned()));
    let of_port = |one: &WebRequest| !one.is_tls && one.host == "alpha.example";
    let requests: Vec<WebRequest> =
        place.outside.tls.requests().into_iter().filter(of_port).collect();
    let paths: Vec<&str> = requests.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(paths, ["/.well-known/acme-challenge/closte-sync"]);

    let login = WebFace::Answer(WebAnswer::new(401, ""));
    place.outside.tls.answer("alpha.example", Some(login));
    let (verdict, advice) = http(&place.program).await;
    assert_eq!(verdict, "blocked");
    assert!(advice.contains("let /.well-known/acme-challenge/ pass"), "{advice}");
    place.outside.tls.answer("alpha.example", None);

    let listener = std::net::TcpListener::bind((SERVER, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let elsewhere = place.program.clone().with("CLOSTE_SYNC__CHECKS__HTTP_PORT", &port);
    // Nothing is accepted yet, so nothing answers.
    let (verdict, advice) = http(&elsewhere).await;
    assert_eq!(verdict, "timed-out");
    assert!(advice.contains("does not answer"), "{advice}");
    let closing = std::thread::spawn(move || {
        let _abandoned = listener.accept().unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let _some = stream.read(&mut [0; 512]).unwrap();
    });
    let (verdict, advice) = http(&elsewhere).await;
    closing.join().unwrap();
    assert_eq!(verdict, "closed");
    assert!(advice.contains("closes connections without an answer"), "{advice}");
    let (verdict, advice) = http(&elsewhere).await;
    assert_eq!(verdict, "refused");
    assert!(advice.starts_with("alpha.example works, but port"), "{advice}");
    let status = place.program.run(&["status"]).await.out;
    assert!(status.contains("open port 80"), "{status}");
}

#[tokio::test]
async fn the_daemon_looks_at_port_80_daily() {
    let place = Place::start().await;
    let daemon = place.program.clone().with("CLOSTE_SYNC__LOG__FILTER", "debug").start_daemon();
    let looks = || place.outside.tls.requests().iter().filter(|one| !one.is_tls).count();
    let options = SqliteConnectOptions::new().filename(place.program.state_path());
    let mut state = options.connect().await.unwrap();
    let checks = async |state: &mut _| {
        let checked = "SELECT checked_at FROM domain_status WHERE domain = 'alpha.example'";
        let checked = sqlx::query_scalar::<_, Option<i64>>(checked).fetch_optional(state).await;
        checked.unwrap().flatten()
    };
    eventually("the first check", async || checks(&mut state).await.is_some()).await;
    let first = checks(&mut state).await;
    assert_eq!(looks(), 1);
    state.execute("UPDATE domain_status SET due_at = 0").await.unwrap();
    eventually("a second check", async || checks(&mut state).await != first).await;
    assert_eq!(looks(), 1, "a port that is open is looked at once a day");
    eventually("a look after a day", async || {
        let a_day_ago = "UPDATE domain_status SET due_at = 0,
             latest = json_set(latest, '$.http.checked_at', '2020-01-01T00:00:00Z')";
        state.execute(a_day_ago).await.unwrap();
        looks() > 1
    })
    .await;
    assert_eq!(daemon.stop().await, 0);
}
