//! Two daemons on one network, and random faults.

use std::{
    collections::BTreeSet,
    env,
    time::{Duration, Instant},
};

use closte_sync::simulator::Simulator;
use futures_util::future::join_all;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};

use crate::{
    leader::{is_at, one_of, patiently, standing},
    support::{Daemon, KEY, Network, Program, eventually, mariadb},
};

/// How long two daemons may both say that they lead: one asks every two seconds, and waits five for an answer.
/// The rest is for a busy machine.
const BOTH_LEAD: Duration = Duration::from_secs(2 + 5 + 8);

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

/// Which of them leads, if exactly one does. One that leads no more may not have noticed it yet.
async fn only_leader(members: &[Member; 2]) -> Option<usize> {
    let [first, second] = [members[0].leads().await, members[1].leads().await];
    (first != second).then_some(usize::from(second))
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
        let mut which = 0;
        eventually(&format!("seed {seed}: the leader has nothing left to do"), async || {
            let Some(leader) = only_leader(&members).await else { return false };
            which = leader;
            members[which].program.run(&["plan"]).await.status == 0
        })
        .await;
        if let Some(daemon) = members[which].daemon.take() {
            assert_eq!(daemon.stop().await, 0);
        }
        eventually(&format!("seed {seed}: the other one leads"), async || {
            only_leader(&members).await == Some(1 - which)
        })
        .await;
        members[which].go_on();
    }
    // The first one to lead may have been on its way out then, and leads now.
    eventually(&format!("seed {seed}: both ends agree"), async || {
        let there = closte.domains();
        let there: BTreeSet<&str> =
            there.iter().map(String::as_str).filter(|name| NAMES.contains(name)).collect();
        // The wildcard serves the name below it, which may be there or not.
        let is_covered = |name: &&&str| **name == "f.e.example" && mapped.contains("*.e.example");
        there.symmetric_difference(&mapped).all(|name| is_covered(&name))
    })
    .await;
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
