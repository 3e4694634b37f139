//! Several daemons on one network: one leads, the others do nothing outside.

use std::{
    collections::BTreeSet,
    env,
    time::{Duration, Instant},
};

use closte_sync::simulator::{Call, Simulator};
use futures_util::future::join_all;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySqlConnection};

use crate::support::{Daemon, KEY, Network, Program, client, eventually, mariadb};

/// How long two daemons may both say that they lead: one asks every two seconds, and waits five for an answer.
/// The rest is for a busy machine.
const BOTH_LEAD: Duration = Duration::from_secs(2 + 5 + 8);

/// A daemon that is one of several.
fn one_of(network: &Network, closte: &Simulator) -> Program {
    Program::new(network, closte)
        .with("CLOSTE_SYNC__HTTP__LISTEN", "127.0.0.1:0")
        .with("CLOSTE_SYNC__WORDPRESS__CREATE_DOMAIN_RECORDS", "false")
        .with("CLOSTE_SYNC__SYNC__MAX_REMOVAL_PERCENT", "100")
        .with("CLOSTE_SYNC__SYNC__REMOVAL_GRACE", "2s")
}

async fn network() -> (Network, Simulator) {
    (Network::mariadb().await, Simulator::start(KEY).await.unwrap())
}

fn is_at(closte: &Simulator, name: &str) -> bool {
    closte.domains().iter().any(|one| one == name)
}

/// Its answer to `/readyz`; none if it gives none.
async fn readiness(log: &str) -> Option<Value> {
    let (_, rest) = log.rsplit_once("http.listening address=")?;
    let url = format!("http://{}/readyz", rest.lines().next()?.trim());
    let asked = client().get(url).timeout(Duration::from_millis(500)).send().await.ok()?;
    serde_json::from_str(&asked.text().await.ok()?).ok()
}

async fn standing(daemon: &Daemon) -> String {
    let readiness = readiness(&daemon.log()).await;
    readiness.map_or_else(String::new, |it| it["leader"]["standing"].as_str().unwrap().to_owned())
}

async fn leads(daemon: &Daemon) {
    eventually("it leads", async || standing(daemon).await == "leads").await;
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
    network.map("newest.example").await;
    let apply = first.run(&["apply"]).await;
    assert!(apply.out.starts_with("1 added"), "{apply:?}");
    assert!(!apply.err.contains("leader."), "{apply:?}");
    let apply = second.run(&["apply"]).await;
    assert!(!apply.out.contains("leads; run it"), "{apply:?}");
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
    eventually("it is managed by both", async || {
        second.run(&["status", "goes.example"]).await.out.contains("goes.example ")
    })
    .await;
    network.unmap("goes.example").await;
    eventually("the standby sees that", async || {
        let plan = second.run(&["plan"]).await.out;
        plan.contains("- goes.example") || plan.contains("goes.example  held")
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
async fn patiently(network: &Network, statements: &str) {
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

/// A daemon in a schedule, in any condition.
struct Member {
    program: Program,
    daemon: Option<Daemon>,
    is_stopped: bool,
}

impl Member {
    fn start(program: Program) -> Self {
        let daemon = Some(program.start_daemon());
        Self { program, daemon, is_stopped: false }
    }

    fn go_on(&mut self) {
        match &self.daemon {
            Some(daemon) if self.is_stopped => daemon.signal("-CONT"),
            Some(_) => {}
            None => self.daemon = Some(self.program.start_daemon()),
        }
        self.is_stopped = false;
    }

    async fn leads(&self) -> bool {
        match &self.daemon {
            Some(daemon) if !self.is_stopped => standing(daemon).await == "leads",
            _ => false,
        }
    }
}

async fn any_fault(
    member: &mut Member,
    network: &Network,
    server: &mariadb::Server,
    random: &mut StdRng,
) {
    match random.random_range(0..6) {
        0 => {
            if let Some(daemon) = member.daemon.take() {
                daemon.kill();
            }
            member.is_stopped = false;
        }
        1 | 2 => {
            if let Some(daemon) = &member.daemon {
                daemon.signal("-STOP");
                member.is_stopped = true;
                // As the server does after `wait_timeout`.
                if random.random() {
                    let _ = network.cut_connections().await;
                }
            }
        }
        3 => {
            if let Some(daemon) = member.daemon.take_if(|_| !member.is_stopped) {
                daemon.stop().await;
            }
        }
        4 => drop(network.cut_connections().await),
        _ => server.restart(),
    }
}

/// Which of them leads, once exactly one does.
async fn only_leader(members: &[Member; 2], seed: u64) -> usize {
    let mut which = 0;
    eventually(&format!("seed {seed}: one of them leads"), async || {
        let [first, second] = [members[0].leads().await, members[1].leads().await];
        which = usize::from(second);
        first != second
    })
    .await;
    which
}

const NAMES: [&str; 6] =
    ["a.example", "b.example", "c.example", "d.example", "*.e.example", "f.e.example"];

async fn schedule(seed: u64, network: Network, server: &mariadb::Server) {
    let mut random = StdRng::seed_from_u64(seed);
    let closte = Simulator::start(KEY).await.unwrap();
    closte.put(["foreign.example"]);
    let member = || Member::start(one_of(&network, &closte));
    let mut members = [member(), member()];
    let mut mapped = BTreeSet::new();
    let mut both_since: Option<Instant> = None;
    for _ in 0..12 {
        let name = *NAMES.choose(&mut random).unwrap();
        let table = "wp_wu_domain_mappings";
        if random.random() {
            mapped.insert(name);
            let values = format!("SELECT 1, '{name}' FROM DUAL");
            let absent =
                format!("WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE domain = '{name}')");
            patiently(
                &network,
                &format!("INSERT INTO {table} (blog_id, domain) {values} {absent}"),
            )
            .await;
        } else {
            mapped.remove(name);
            patiently(&network, &format!("DELETE FROM {table} WHERE domain = '{name}'")).await;
        }
        let which = random.random_range(0..members.len());
        match random.random_range(0..4) {
            0 => {}
            1 | 2 => any_fault(&mut members[which], &network, server, &mut random).await,
            _ => members[which].go_on(),
        }
        // Time passes.
        let end = Instant::now() + Duration::from_millis(random.random_range(0..2_500));
        while Instant::now() < end {
            let both = members[0].leads().await && members[1].leads().await;
            both_since = both.then(|| both_since.unwrap_or_else(Instant::now));
            let lasted = both_since.map_or(Duration::ZERO, |since| since.elapsed());
            assert!(lasted < BOTH_LEAD, "seed {seed}: both lead");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    for member in &mut members {
        member.go_on();
    }
    // A name that only one of them has ever seen mapped is removed when that one leads.
    for _ in 0..2 {
        let which = only_leader(&members, seed).await;
        eventually(&format!("seed {seed}: nothing is left to do"), async || {
            members[which].program.run(&["plan"]).await.status == 0
        })
        .await;
        if let Some(daemon) = members[which].daemon.take() {
            assert_eq!(daemon.stop().await, 0);
        }
        assert_ne!(only_leader(&members, seed).await, which);
        members[which].go_on();
    }
    let there = closte.domains();
    let there: BTreeSet<&str> =
        there.iter().map(String::as_str).filter(|name| NAMES.contains(name)).collect();
    // The wildcard serves the name below it, which may be there or not.
    let is_covered = |name: &&&str| **name == "f.e.example" && mapped.contains("*.e.example");
    let differ: Vec<_> =
        there.symmetric_difference(&mapped).filter(|name| !is_covered(name)).collect();
    assert_eq!(differ, Vec::<&&str>::new(), "seed {seed}: both ends differ");
    assert_eq!(closte.removed_in_vain(), [""; 0], "seed {seed}: removed twice");
    assert!(is_at(&closte, "foreign.example"), "seed {seed}: it was unmanaged");
    for member in members {
        let log = member.daemon.as_ref().map(Daemon::log).unwrap_or_default();
        assert!(!log.contains("panicked"), "seed {seed}: {log}");
    }
}

/// Whatever happens to two daemons and their database, in whatever order: no name is removed twice, both do
/// not lead for longer than one needs to notice it, and in the end both ends agree.
#[tokio::test]
async fn whatever_happens_one_daemon_leads_and_both_ends_agree_in_the_end() {
    let schedules = env::var("LEADER_SCHEDULES").ok().and_then(|text| text.parse().ok());
    let server = mariadb::Server::start(&[]);
    // All of them before the first restart of the server.
    let mut networks = Vec::new();
    for seed in 0..schedules.unwrap_or(20) {
        networks.push((seed, Network::on(&server).await));
    }
    for together in networks.chunks(5) {
        let schedules =
            together.iter().map(|(seed, network)| schedule(*seed, network.clone(), &server));
        join_all(schedules).await;
    }
}
