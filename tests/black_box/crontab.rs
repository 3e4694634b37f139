//! `apply --check --quiet`, as a crontab runs it, where no daemon can.

use closte_sync::simulator::{Face, Fault, Simulator, Target};
use serde_json::{Value, json};

use crate::support::{
    Finished, KEY, Network, Outside, PASSWORD, Program, Receiver, ends, eventually, settings_row,
};

async fn cron(program: &Program) -> Finished {
    program.run(&["apply", "--check", "--quiet"]).await
}

/// Runs it again and again, as cron does, until it has printed this.
async fn cron_until(program: &Program, text: &str) -> Finished {
    let mut last = None;
    eventually(&format!("it prints {text}"), async || {
        let done = cron(program).await;
        let found = done.out.contains(text) || done.err.contains(text);
        last = Some(done);
        found
    })
    .await;
    last.unwrap()
}

/// Silence, and this status.
fn silent(status: i32, done: &Finished) {
    assert_eq!((done.status, &*done.out, &*done.err), (status, "", ""), "{done:?}");
}

async fn recorded(program: &Program, name: &str) -> usize {
    let events = program.run(&["events", "--json", "-n", "1000"]).await.out;
    events.lines().filter(|line| line.contains(&format!(r#""event":"{name}""#))).count()
}

/// Names that work, in DNS and with certificates.
async fn working(names: &[&str]) -> Outside {
    let outside = Outside::start().await;
    outside.point(names);
    names.iter().for_each(|name| outside.tls.show(name, Face::Valid(60)).unwrap());
    outside
}

#[tokio::test]
async fn it_tells_what_changes_once_and_is_silent_otherwise() {
    let names = ["agency.example", "a.example", "b.example", "new.example"];
    let outside = working(&names).await;
    let (network, closte, program) = ends(&["a.example", "b.example"]).await;
    let receiver = Receiver::start().await;
    let target = format!(r#"[{{name = "ops", kind = "webhook", url = "{}"}}]"#, receiver.url("/"));
    let beat = receiver.url("/beat");
    let program = outside
        .around(program)
        .with("CLOSTE_SYNC__NOTIFY__TARGETS", &target)
        .with("CLOSTE_SYNC__NOTIFY__HEARTBEAT_URL", &beat);
    let first = cron(&program).await;
    for part in [
        "domain.added a.example",
        "domain.added b.example",
        "dns.right a.example",
        "certificate.valid b.example",
    ] {
        assert!(first.out.contains(part), "{part}: {first:?}");
    }
    assert_eq!((first.status, &*first.err), (0, ""), "{first:?}");
    eventually("it is silent", async || cron(&program).await.out.is_empty()).await;
    silent(0, &cron(&program).await);
    let beats = receiver.arrived().iter().filter(|one| one.path == "/beat").count();
    assert!(beats >= 3, "each run calls the heartbeat: {beats}");

    network.map("new.example").await;
    let mapped = cron(&program).await;
    assert!(mapped.out.contains("domain.added new.example"), "{mapped:?}");
    assert!(mapped.out.contains("dns.right new.example"), "in the same run: {mapped:?}");
    assert!(closte.domains().contains(&"new.example".to_owned()));

    outside.dns.forget("a.example");
    let broke = cron_until(&program, "dns.broke a.example").await;
    assert_eq!(broke.err, "", "{broke:?}");
    let told = |receiver: &Receiver| -> Vec<String> {
        let hooks = receiver.accepted();
        let hooks = hooks.iter().filter(|one| one.path == "/").map(|one| one.json());
        let groups = hooks.flat_map(|message| message["groups"].as_array().unwrap().clone());
        groups.map(|group| format!("{} {}", group["change"], group["event"])).collect()
    };
    assert_eq!(told(&receiver), [r#""new" "dns.broke""#], "told before it ended");
    let checked_at = async || {
        program.run(&["status", "a.example", "--json"]).await.json()[0]["checked_at"].clone()
    };
    let before = checked_at().await;
    eventually("it is checked again", async || {
        silent(0, &cron(&program).await);
        checked_at().await != before
    })
    .await;

    outside.point(&["a.example"]);
    cron_until(&program, "dns.right a.example").await;
    assert_eq!(told(&receiver)[1..], [r#""over" "dns.broke""#]);
    network.unmap("b.example").await;
    let removed = cron_until(&program, "domain.removed b.example").await;
    assert_eq!(removed.err, "", "{removed:?}");
}

#[tokio::test]
async fn stages_are_written_within_some_runs() {
    let network = Network::empty_mariadb().await;
    network.sql(include_str!("../data/network.sql")).await;
    network.sql(include_str!("../data/actions.sql")).await;
    network
        .sql(
            "INSERT INTO wp_site (id, domain, path) VALUES (1, 'network.example', '/');
             INSERT INTO wp_blogs (blog_id, site_id, domain, path) VALUES
               (1, 1, 'network.example', '/'), (5, 1, 'alpha.network.example', '/');
             INSERT INTO wp_wu_domain_mappings
               (id, blog_id, domain, active, primary_domain, secure, stage, date_created, date_modified)
               VALUES (40, 5, 'alpha.test', 1, 0, 0, 'failed', '2026-01-02 03:04:05',
                 '2026-01-02 03:04:05')",
        )
        .await;
    network.sql(&settings_row(&[("enable_domain_mapping", "1")])).await;
    network.allow_stages().await;
    let closte = Simulator::start(KEY).await.unwrap();
    let outside = working(&["network.example", "alpha.test"]).await;
    let program = outside
        .around(Program::new(&network, &closte))
        .with("CLOSTE_SYNC__WORDPRESS__CREATE_DOMAIN_RECORDS", "false")
        .with("CLOSTE_SYNC__WORDPRESS__WRITE_STAGE", "database");
    cron_until(&program, "stage.written alpha.test").await;
    assert_eq!(network.row(40).await, json!([40, 5, "alpha.test", 1, 0, 1, "done"]));
}

#[tokio::test]
async fn a_second_one_and_one_beside_the_daemon_end_at_once() {
    let (network, closte, program) = ends(&["a.example"]).await;
    closte.fail(Target::Domain("a.example".to_owned()), Fault::Hang);
    let program = program.with("CLOSTE_SYNC__CLOSTE__TIMEOUT", "60s");
    let mut first = program.start(&["apply", "--check", "--quiet"]);
    eventually("it waits for Closte", async || closte.most_in_flight() > 0).await;
    silent(75, &cron(&program).await);
    let loud = program.run(&["apply", "--check"]).await;
    assert_eq!((loud.status, &*loud.out), (75, ""), "{loud:?}");
    assert!(loud.err.starts_with("nothing was done: another closte-sync"), "{loud:?}");
    first.signal("-TERM");
    assert_ne!(first.ends().await, 0);

    closte.heal();
    let daemon = program.start_daemon();
    daemon.logs("daemon.started").await;
    network.map("b.example").await;
    silent(75, &cron(&program).await);
    eventually("the daemon does it", async || closte.domains().len() == 2).await;
    assert_eq!(daemon.stop().await, 0);
    let then = program.run(&["apply", "--check"]).await;
    assert!(then.status == 0 && then.out.ends_with(" checked\n"), "{then:?}");
    let both = program.run(&["status", "--json", "a.example", "b.example"]).await.json();
    let checked = both.as_array().unwrap().iter().filter(|one| one["checked_at"].is_string());
    assert_eq!(checked.count(), 2, "{both}");
    let then = program.run(&["apply", "--check", "--json"]).await.json();
    assert_eq!((&then["desired"], &then["checked"]), (&json!(2), &json!(0)));
}

#[tokio::test]
async fn an_error_is_told_when_it_is_new_and_what_may_heal_when_it_lasts() {
    let (_network, closte, program) = ends(&["a.example"]).await;
    cron(&program).await;
    closte.set_key("another");
    let rejected = cron(&program).await;
    assert_eq!((rejected.status, &*rejected.out), (1, ""), "{rejected:?}");
    assert!(rejected.err.contains("ERROR closte.key_rejected"), "{rejected:?}");
    assert_eq!(rejected.err.lines().count(), 1, "{rejected:?}");
    silent(1, &cron(&program).await);
    closte.set_key(KEY);
    cron(&program).await;
    assert_eq!(recorded(&program, "closte.key_rejected").await, 1);
    assert_eq!(recorded(&program, "closte.recovered").await, 1);

    // The database is away for a while.
    let gone = program.clone().with("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", "sqlite:/nowhere/a.db");
    silent(1, &cron(&gone).await);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(program.state_path());
    let mut state = sqlx::ConnectOptions::connect(&options).await.unwrap();
    let kept: String = sqlx::query_scalar("SELECT conditions FROM kept_conditions")
        .fetch_one(&mut state)
        .await
        .unwrap();
    let mut kept: Value = serde_json::from_str(&kept).unwrap();
    let one = kept.as_array_mut().unwrap().iter_mut().find(|one| one["condition"] == "WordPress");
    let one = one.unwrap();
    let earlier = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(20);
    one["since"] = json!(earlier);
    one["reported"][0]["at"] = json!(earlier);
    sqlx::query("UPDATE kept_conditions SET conditions = ?")
        .bind(kept.to_string())
        .execute(&mut state)
        .await
        .unwrap();
    drop(state);
    let lasting = cron(&gone).await;
    assert_eq!((lasting.status, &*lasting.out), (1, ""), "{lasting:?}");
    assert!(lasting.err.contains(" wordpress.failed error="), "{lasting:?}");
    silent(1, &cron(&gone).await);
    silent(0, &cron(&program).await);
    assert_eq!(recorded(&program, "wordpress.recovered").await, 1);

    let loud = gone.run(&["apply", "--check"]).await;
    assert!(loud.status == 1 && loud.err.contains("error: cannot connect"), "{loud:?}");
    assert!(!lasting.err.contains(PASSWORD));
}
