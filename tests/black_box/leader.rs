//! Several daemons on one network: one leads, the others do nothing outside.

use std::time::Duration;

use closte_sync::simulator::{Call, Face, Fault, Simulator, Target};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySqlConnection};

use crate::support::{
    Daemon, KEY, Network, Outside, Program, client, eventually, mariadb, refusing_proxy,
    settings_row,
};

/// A daemon that is one of several.
pub fn one_of(network: &Network, closte: &Simulator) -> Program {
    Program::new(network, closte)
        .with("CLOSTE_SYNC__HTTP__LISTEN", "127.0.0.1:0")
        .with("CLOSTE_SYNC__WORDPRESS__CREATE_DOMAIN_RECORDS", "false")
        .with("CLOSTE_SYNC__SYNC__MAX_REMOVAL_PERCENT", "100")
        .with("CLOSTE_SYNC__SYNC__REMOVAL_GRACE", "2s")
}

async fn network() -> (Network, Simulator) {
    (Network::mariadb().await, Simulator::start(KEY).await.unwrap())
}

pub fn is_at(closte: &Simulator, name: &str) -> bool {
    closte.domains().iter().any(|one| one == name)
}

/// Its answer to `/readyz`; none if it gives none.
async fn readiness(log: &str) -> Option<Value> {
    let (_, rest) = log.rsplit_once("http.listening address=")?;
    let url = format!("http://{}/readyz", rest.lines().next()?.trim());
    let asked = client().get(url).timeout(Duration::from_millis(500)).send().await.ok()?;
    serde_json::from_str(&asked.text().await.ok()?).ok()
}

pub async fn standing(daemon: &Daemon) -> String {
    let readiness = readiness(&daemon.log()).await;
    readiness.map_or_else(String::new, |it| it["leader"]["standing"].as_str().unwrap().to_owned())
}

async fn leads(daemon: &Daemon) {
    eventually("it leads", async || standing(daemon).await == "leads").await;
}

async fn manages(program: &Program, name: &str) -> bool {
    let status = program.run(&["status", name]).await.out;
    status.contains(name) && !status.contains("is not managed")
}

/// The events of a program, by name, oldest first.
async fn events(program: &Program, name: &str) -> Vec<Value> {
    let events = program.run(&["events", "--lines", "1000", "--json"]).await;
    let events = events.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event["event"] == name).collect()
}

#[tokio::test]
async fn a_standby_does_nothing_and_takes_over_when_the_leader_ends() {
    let (network, closte) = network().await;
    let (first, second) = (one_of(&network, &closte), one_of(&network, &closte));
    let leader = first.start_daemon();
    leads(&leader).await;
    let standby = second.start_daemon();
    standby.logs("leader.standby").await;
    network.map("new.example").await;
    eventually("it is added", async || is_at(&closte, "new.example")).await;
    eventually("the standby adopts it", async || {
        let status = second.run(&["status", "new.example"]).await;
        status.out.contains("Standby: connection ") && status.out.contains("new.example")
    })
    .await;
    assert_eq!(events(&second, "domain.added").await, Vec::<Value>::new());
    assert!(first.run(&["status"]).await.out.contains("\nLeads: "));

    let doctor = async |program: &Program| {
        let found = program.run(&["doctor"]).await.out;
        found.lines().find(|line| line.contains(" leader ")).unwrap().to_owned()
    };
    let of_leader = doctor(&first).await;
    assert!(of_leader.starts_with("ok      leader     the running daemon leads:"), "{of_leader}");
    let of_standby = doctor(&second).await;
    let shown = "ok      leader     the running daemon is a standby: connection ";
    assert!(of_standby.starts_with(shown), "{of_standby}");
    let of_other = doctor(&one_of(&network, &closte)).await;
    assert!(of_other.contains(" leads: a daemon here would be a standby"), "{of_other}");

    // Both have all of their work done by the leader.
    let apply = second.run(&["apply"]).await;
    assert_eq!(apply.status, 3, "{apply:?}");
    assert!(apply.out.contains(" of user") && apply.out.contains(" leads; run it"), "{apply:?}");
    network.unmap("new.example").await;
    let apply = first.run(&["apply"]).await;
    assert_ne!(apply.status, 1, "{apply:?}");
    assert!(!apply.out.contains("leads; run it"), "{apply:?}");
    eventually("it is removed", async || !is_at(&closte, "new.example")).await;

    assert_eq!(leader.stop().await, 0);
    leads(&standby).await;
    standby.logs("leader.acquired").await;
    network.map("newer.example").await;
    eventually("it is added", async || is_at(&closte, "newer.example")).await;
    assert_eq!(events(&second, "domain.added").await.len(), 1);
    assert_eq!(closte.removed_in_vain(), [""; 0]);
    assert_eq!(standby.stop().await, 0);

    // Nobody leads, so that a command does, for as long as it runs.
    assert!(doctor(&first).await.ends_with("nobody leads now: a daemon here would"));
    network.map("newest.example").await;
    let apply = first.run(&["apply"]).await;
    assert!(apply.out.starts_with("1 added"), "{apply:?}");
    assert!(!apply.err.contains("leader."), "{apply:?}");
    let apply = second.run(&["apply"]).await;
    assert!(!apply.out.contains("leads; run it"), "{apply:?}");
}

#[tokio::test]
async fn a_takeover_goes_on_after_a_first_cycle_that_failed() {
    let (network, closte) = network().await;
    let (first, second) = (one_of(&network, &closte), one_of(&network, &closte));
    let leader = first.start_daemon();
    leads(&leader).await;
    closte.fail(Target::Only(Call::Add), Fault::Status(500));
    network.map("new.example").await;
    // Where both ends stay as they are, the standby asks for the list no more.
    let second = second
        .with("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "1h")
        .with("CLOSTE_SYNC__LOG__FILTER", "debug");
    let standby = second.start_daemon();
    eventually("both know it", async || manages(&second, "new.example").await).await;
    standby.logs("unchanged=true").await;
    closte.fail(Target::Only(Call::List), Fault::Status(500));
    leader.kill();
    leads(&standby).await;
    standby.logs("closte.failed").await;
    closte.heal();
    eventually("it is added", async || is_at(&closte, "new.example")).await;
}

#[tokio::test]
async fn a_new_leader_removes_nothing_within_its_first_grace() {
    let (network, closte) = network().await;
    network.map("goes.example").await;
    let grace = "CLOSTE_SYNC__SYNC__REMOVAL_GRACE";
    // The first one leads, and would never remove anything.
    let first = one_of(&network, &closte).with("CLOSTE_SYNC__SYNC__POLICY", "upsert-only");
    let second = one_of(&network, &closte).with(grace, "5s");
    let leader = first.start_daemon();
    leads(&leader).await;
    let standby = second.start_daemon();
    standby.logs("leader.standby").await;
    eventually("it is managed by both", async || manages(&second, "goes.example").await).await;
    network.unmap("goes.example").await;
    eventually("the standby has seen that for as long", async || {
        second.run(&["plan"]).await.out.contains("- goes.example")
    })
    .await;
    leader.kill();
    leads(&standby).await;
    eventually("it is removed", async || !is_at(&closte, "goes.example")).await;
    standby.logs("domain.removed").await;
    let at = |event: &Value| event["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let began = at(events(&second, "leader.acquired").await.last().unwrap());
    let removed = at(events(&second, "domain.removed").await.last().unwrap());
    assert!(removed.duration_since(began).as_millis() >= 5_000, "{began} {removed}");
}

#[tokio::test]
async fn a_stage_that_a_person_took_back_stays_whoever_leads() {
    let (network, closte) = network().await;
    network.sql(include_str!("../data/actions.sql")).await;
    network.sql(&settings_row(&[("enable_domain_mapping", "1")])).await;
    network.allow_stages().await;
    let set = async |stage: &str| {
        let set = format!("stage = '{stage}', date_modified = UTC_TIMESTAMP()");
        network.sql(&format!("UPDATE wp_wu_domain_mappings SET {set} WHERE id = 3")).await;
    };
    set("failed").await;
    let name = "the-bakery.example";
    let outside = Outside::start().await;
    outside.point(&["agency.example", name]);
    outside.tls.show(name, Face::Valid(60)).unwrap();
    let member = || {
        let program = one_of(&network, &closte);
        outside.around(program).with("CLOSTE_SYNC__WORDPRESS__WRITE_STAGE", "database")
    };
    let (first, second) = (member(), member());
    let leader = first.start_daemon();
    leads(&leader).await;
    let standby = second.start_daemon();
    let sees = async |stage: &str| {
        eventually(&format!("the standby sees {stage}"), async || {
            let status = second.run(&["status", name, "--json"]).await;
            let status = serde_json::from_str::<Value>(&status.out);
            status.is_ok_and(|status| status[0]["plugin"]["stage"] == stage)
        })
        .await;
    };
    sees("done").await;
    set("failed").await;
    sees("failed").await;
    leader.kill();
    standby.logs("leader.acquired").await;
    // It decides when it has seen the name work twice.
    eventually("it has decided", async || {
        let log = standby.log();
        log.contains("stage.not_written") || log.contains("stage.written")
    })
    .await;
    assert_eq!(events(&second, "stage.written").await, Vec::<Value>::new());
    let stage = "SELECT CAST(stage AS CHAR) FROM wp_wu_domain_mappings WHERE id = 3";
    assert_eq!(network.text(stage).await, "failed");
}

#[tokio::test]
async fn a_name_that_a_person_put_back_at_closte_stays_whoever_leads() {
    let (network, closte) = network().await;
    let (first, second) = (one_of(&network, &closte), one_of(&network, &closte));
    for name in ["goes.example", "stays.example"] {
        network.map(name).await;
    }
    let leader = first.start_daemon();
    leads(&leader).await;
    let standby = second.start_daemon();
    for name in ["goes.example", "stays.example"] {
        eventually("the standby manages it", async || manages(&second, name).await).await;
    }
    network.unmap("stays.example").await;
    eventually("it is removed", async || !is_at(&closte, "stays.example")).await;
    eventually("the standby forgets it", async || !manages(&second, "stays.example").await).await;
    closte.put(["stays.example"]);
    leader.kill();
    leads(&standby).await;
    network.unmap("goes.example").await;
    eventually("it is removed", async || !is_at(&closte, "goes.example")).await;
    assert!(is_at(&closte, "stays.example"));
}

#[tokio::test]
async fn a_standby_does_not_report_removals_that_the_leader_holds() {
    let (network, closte) = network().await;
    let (first, second) = (one_of(&network, &closte), one_of(&network, &closte));
    network.sql("DELETE FROM wp_wu_domain_mappings; DELETE FROM wp_blogs WHERE blog_id > 1").await;
    for name in ["one.example", "two.example"] {
        network.map(name).await;
    }
    let leader = first.start_daemon();
    leads(&leader).await;
    eventually("they are added", async || is_at(&closte, "two.example")).await;
    let standby = second.start_daemon();
    eventually("the standby manages it", async || manages(&second, "two.example").await).await;
    network.sql("DELETE FROM wp_wu_domain_mappings").await;
    leader.logs("sync.removals_held").await;
    standby.logs("domain.unmapped").await;
    // Another cycle.
    network.map("new.example").await;
    eventually("the standby manages it", async || manages(&second, "new.example").await).await;
    assert!(!standby.log().contains("sync.removals_"), "{}", standby.log());
}

#[tokio::test]
async fn a_server_that_refuses_locks_is_reported_once_and_the_daemon_acts() {
    let (network, closte) = network().await;
    let error = "this cluster prohibits use of GET_LOCK";
    let server = mariadb::server().port;
    let proxy = refusing_proxy(server, "GET_LOCK(", 1105, error).await;
    let url = network.url.replace(&format!(":{server}/"), &format!(":{proxy}/"));
    let program = one_of(&network, &closte).with("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", &url);
    let daemon = program.start_daemon();
    network.map("new.example").await;
    eventually("it is added", async || is_at(&closte, "new.example")).await;
    network.unmap("new.example").await;
    eventually("it is removed", async || !is_at(&closte, "new.example")).await;
    assert_eq!(standing(&daemon).await, "alone");
    let [event] = &events(&program, "leader.undecided").await[..] else { panic!() };
    assert!(event["reason"].as_str().unwrap().contains(error), "{event}");
    let doctor = program.run(&["doctor"]).await.out;
    let shown = "warning leader     the database cannot decide who leads (the server refuses it";
    assert!(doctor.contains(shown), "{doctor}");
    assert_eq!(daemon.stop().await, 0);

    let added = closte.count(Call::Add);
    network.map("newer.example").await;
    let strict = program.with("CLOSTE_SYNC__LEADER__ENABLED", "on");
    let apply = strict.run(&["apply"]).await;
    assert!(apply.status == 3 && apply.out.contains("nobody is known to lead"), "{apply:?}");
    assert_eq!(closte.count(Call::Add), added);
    let doctor = strict.run(&["doctor"]).await;
    assert!(doctor.status == 1 && doctor.out.contains("FAILED  leader "), "{doctor:?}");
}

#[tokio::test]
async fn a_leader_that_was_stopped_for_too_long_notices_it_before_it_acts() {
    let (network, closte) = network().await;
    let (first, second) = (one_of(&network, &closte), one_of(&network, &closte));
    let leader = first.start_daemon();
    leads(&leader).await;
    let standby = second.start_daemon();
    standby.logs("leader.standby").await;
    leader.signal("-STOP");
    // The server ends the session after `wait_timeout`, which is 30 seconds here.
    leads(&standby).await;
    network.map("late.example").await;
    eventually("it is added", async || is_at(&closte, "late.example")).await;
    let added = closte.count(Call::Add);
    network.unmap("late.example").await;
    leader.signal("-CONT");
    leader.logs("leader.lost").await;
    eventually("it is a standby", async || standing(&leader).await == "standby").await;
    eventually("it is removed", async || !is_at(&closte, "late.example")).await;
    assert_eq!(events(&first, "domain.removed").await, Vec::<Value>::new());
    assert_eq!((closte.count(Call::Add), closte.removed_in_vain()), (added, Vec::new()));
}

#[tokio::test]
async fn the_end_of_its_session_ends_the_lead_until_it_has_it_again() {
    let server = mariadb::Server::start(&[]);
    let network = Network::on(&server).await;
    let closte = Simulator::start(KEY).await.unwrap();
    let program = one_of(&network, &closte);
    let daemon = program.start_daemon();
    leads(&daemon).await;
    network.cut_connections().await.unwrap();
    daemon.logs("leader.lost").await;
    leads(&daemon).await;
    server.restart();
    eventually("the restart is noticed", async || events(&program, "leader.lost").await.len() == 2)
        .await;
    leads(&daemon).await;
    assert_eq!(events(&program, "leader.acquired").await.len(), 3);
    patiently(
        &network,
        "INSERT INTO wp_wu_domain_mappings (blog_id, domain) VALUES (1, 'a.example')",
    )
    .await;
    eventually("it is added", async || is_at(&closte, "a.example")).await;
    assert_eq!(daemon.stop().await, 0);
}

/// Runs statements, again and again if the server is away at the moment.
pub async fn patiently(network: &Network, statements: &str) {
    eventually("the database takes the statements", async || {
        let run = async {
            let mut connection = MySqlConnection::connect(&network.administrator_url()).await?;
            connection.execute(sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))).await?;
            connection.close().await
        };
        run.await.is_ok()
    })
    .await;
}
