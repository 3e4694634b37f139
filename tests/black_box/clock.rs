//! The scheduler: which names are checked when, and the events that follow.

use std::time::Duration;

use closte_sync::{
    app::{App, Overrides},
    clock::Clock,
    simulator::{DnsFault, Face, Simulator, World},
    state::{CheckedDomain, ChecksDoubt, State},
    status::SslVerdict,
};
use jiff::SignedDuration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{Network, Outside, Program, SERVER, ends, eventually};

const HOUR: Duration = Duration::from_secs(60 * 60);
const INTERVAL: Duration = Duration::from_secs(300);

/// The scheduler alone, with a state that a cycle has filled and a clock that the test moves.
struct Running {
    state: State,
    clock: Clock,
    stop: CancellationToken,
    scheduler: JoinHandle<()>,
    outside: Outside,
    _ends: (Network, Simulator, Program),
}

impl Running {
    async fn start(names: &[&str]) -> Self {
        let outside = Outside::start().await;
        outside.point(names);
        for name in names {
            outside.tls.show(name, Face::Valid(90)).unwrap();
        }
        let (network, closte, program) = ends(names).await;
        // In another stage, a site that is served is looked at twice.
        network.sql("UPDATE wp_wu_domain_mappings SET stage = 'done'").await;
        program.run(&["apply"]).await;
        let state = State::open(&program.state_path()).await.unwrap();
        let clock = Clock::default();
        let program =
            outside.around(program).with("CLOSTE_SYNC__CHECKS__QUERIES_PER_SECOND", "100000");
        let program = program.without("CLOSTE_SYNC__CHECKS__INTERVAL");
        let overrides = Overrides { clock: clock.clone(), ..Overrides::default() };
        let scheduler = App::build(&program.settings(), overrides).scheduler(&state).unwrap();
        let stop = CancellationToken::new();
        let scheduler = tokio::spawn({
            let stop = stop.clone();
            async move { scheduler.run(&stop, &|| ()).await }
        });
        Self { state, clock, stop, scheduler, outside, _ends: (network, closte, program) }
    }

    async fn all(&self) -> Vec<CheckedDomain> {
        let ledger = self.state.current_ledger().await.unwrap().unwrap();
        self.state.desired(ledger, &[]).await.unwrap()
    }

    /// Waits until all names are like this.
    async fn wait_for(&self, what: &str, is_so: impl Fn(&CheckedDomain) -> bool) {
        eventually(what, async || self.all().await.iter().all(&is_so)).await;
    }

    async fn work(&self) {
        self.wait_for("all work", |one| {
            one.status.as_ref().is_some_and(|status| status.latest.works())
        })
        .await;
    }

    /// Advances the time until no name is in a check or due soon.
    async fn settle(&self) {
        const A_WHILE: Duration = Duration::from_secs(30);
        eventually("nothing is due for a while", async || {
            let until = self.clock.now() + A_WHILE;
            let rests = self.all().await.iter().all(|one| one.due_at.is_some_and(|at| at > until));
            if !rests {
                self.clock.advance(A_WHILE);
            }
            rests
        })
        .await;
    }

    /// Advances the time, and waits until all names have been checked since.
    async fn advance(&self, by: Duration) {
        let before = self.clock.now();
        self.clock.advance(by);
        self.wait_for("all are checked again", |one| {
            one.status.as_ref().is_some_and(|status| status.checked_at > before)
        })
        .await;
    }

    /// Points a working name elsewhere, and waits for the event.
    async fn break_dns(&self, name: &str) {
        self.outside.dns.point(name, &["127.0.0.2".parse().unwrap()]);
        self.advance(INTERVAL).await;
        self.advance(Duration::from_secs(40)).await;
        let broke = async || self.events().await.contains(&"dns.broke".to_owned());
        eventually("it broke", broke).await;
    }

    /// The names of the events of the checks, oldest first.
    async fn events(&self) -> Vec<String> {
        let events = self.state.events(None, None, 10_000).await.unwrap();
        let events = events.into_iter().map(|one| one.event);
        events.filter(|name| !name.starts_with("ledger.") && name != "domain.added").collect()
    }

    async fn stop(self) {
        self.stop.cancel();
        self.scheduler.await.unwrap();
    }
}

#[tokio::test]
async fn a_new_name_is_checked_immediately_until_it_works() {
    let (network, closte, program) = ends(&[]).await;
    let world = World::start(&closte, Duration::from_millis(300)).await.unwrap();
    let outside = Outside { dns: world.dns.clone(), tls: world.tls.clone() };
    let daemon = outside.around(program.clone()).start_daemon();
    daemon.logs("ledger.started").await;
    world.dns.point("shop.example", &["127.0.0.2".parse().unwrap()]);
    network.map("shop.example").await;
    daemon.logs("dns.pending domain=shop.example").await;
    world.point("shop.example");
    daemon.logs("dns.right domain=shop.example").await;
    daemon.logs("certificate.valid domain=shop.example").await;
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains("certificate.valid")).unwrap();
    assert!(line.contains(" INFO ") && line.contains("issuer=\"Practice R1\""), "{line}");
    assert!(line.contains("took_s=") && line.contains("after_added_s="), "{line}");
    assert!(!log.contains("needs_attention"), "{log}");
    let status = program.run(&["status", "--json"]).await.json();
    assert_eq!((&status[0]["stage"], &status[0]["works"]), (&"done".into(), &true.into()));
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn a_name_that_works_costs_one_resolver_and_one_handshake() {
    let running = Running::start(&["a.example", "b.example", "c.example"]).await;
    running.work().await;
    running.settle().await;
    let (queries, handshakes) = (running.outside.dns.queries(), running.outside.tls.handshakes());
    running.advance(INTERVAL).await;
    assert_eq!(running.outside.dns.queries() - queries, 2 * 3, "A and AAAA for each");
    assert_eq!(running.outside.tls.handshakes() - handshakes, 3);
    running.stop().await;
}

#[tokio::test]
async fn due_times_survive_a_restart() {
    let running = Running::start(&["a.example", "b.example", "c.example", "d.example"]).await;
    running.work().await;
    let due = |all: &[CheckedDomain]| all.iter().map(|one| one.due_at.unwrap()).collect::<Vec<_>>();
    let before = due(&running.all().await);
    let spread: std::collections::HashSet<_> = before.iter().collect();
    assert_eq!(spread.len(), 4, "each has a moment of its own: {before:?}");
    let path = running._ends.2.state_path();
    running.state.close().await;
    running.stop.cancel();
    let again = State::open(&path).await.unwrap();
    let ledger = again.current_ledger().await.unwrap().unwrap();
    assert_eq!(due(&again.desired(ledger, &[]).await.unwrap()), before);
    // The longest overdue names come first.
    let mut in_order = before.clone();
    in_order.sort();
    let late = running.clock.now() + INTERVAL;
    assert_eq!(due(&again.due(ledger, late, 2).await.unwrap()), in_order[..2]);
}

#[tokio::test]
async fn a_shorter_interval_brings_due_times_forward() {
    let running = Running::start(&["a.example", "b.example", "c.example", "d.example"]).await;
    running.work().await;
    running.stop.cancel();
    running.scheduler.await.unwrap();
    let ledger = running.state.current_ledger().await.unwrap().unwrap();
    let now = running.clock.now();
    let interval = Duration::from_secs(10);
    let due = async || {
        let all = running.state.desired(ledger, &[]).await.unwrap();
        all.iter().map(|one| one.due_at.unwrap()).collect::<Vec<_>>()
    };
    assert!(due().await.iter().any(|at| *at > now + interval));
    running.state.spread(ledger, interval, now).await.unwrap();
    let spread = due().await;
    assert!(spread.iter().all(|at| *at <= now + interval), "{now}: {spread:?}");
}

#[tokio::test]
async fn a_name_that_broke_has_an_event_after_a_second_check() {
    let running = Running::start(&["a.example", "b.example"]).await;
    running.work().await;
    running.outside.tls.show("a.example", Face::Expired).unwrap();
    running.advance(INTERVAL).await;
    eventually("it is doubted", async || {
        let all = running.all().await;
        all[0].status.as_ref().unwrap().suspect_since.is_some()
    })
    .await;
    assert!(!running.events().await.contains(&"certificate.broke".to_owned()));
    assert_eq!(
        running.all().await[0].status.as_ref().unwrap().latest.ssl.verdict,
        SslVerdict::Valid
    );
    running.advance(Duration::from_secs(40)).await;
    let broke = async || running.events().await.contains(&"certificate.broke".to_owned());
    eventually("it broke", broke).await;

    // A single failure has no event.
    running.outside.tls.show("a.example", Face::Valid(90)).unwrap();
    running.advance(INTERVAL).await;
    running.work().await;
    running.outside.dns.fail("b.example", DnsFault::Broken);
    running.advance(INTERVAL).await;
    running.outside.point(&["b.example"]);
    running.advance(Duration::from_secs(40)).await;
    running.work().await;
    assert!(!running.events().await.contains(&"dns.broke".to_owned()));
    running.stop().await;
}

#[tokio::test]
async fn when_all_fail_together_the_checks_are_suspicious() {
    let names: Vec<String> = (0..12).map(|number| format!("shop{number}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let running = Running::start(&names).await;
    running.work().await;
    for name in &names {
        running.outside.tls.show(name, Face::Garbage).unwrap();
    }
    // Only one name is due; the others are checked because of it.
    let first = running.all().await.iter().filter_map(|one| one.due_at).min().unwrap();
    running.clock.advance(first.duration_since(running.clock.now()).unsigned_abs());
    let suspicious = async || running.events().await.contains(&"checks.suspicious".to_owned());
    eventually("it is said", suspicious).await;
    // No stage is written meanwhile.
    let doubt = async |after: u64| {
        let at = running.clock.now() + Duration::from_secs(after);
        running.state.checks_doubt(at).await.unwrap()
    };
    assert_eq!(doubt(0).await, Some(ChecksDoubt::MassFailure));
    assert_eq!(doubt(20 * 60).await, None);
    let events = running.events().await;
    assert!(!events.contains(&"certificate.broke".to_owned()), "{events:?}");
    for name in &names {
        running.outside.tls.show(name, Face::Valid(90)).unwrap();
    }
    running.advance(INTERVAL).await;
    // A check that was in flight may add one more.
    running.clock.advance(Duration::from_secs(40));
    running
        .wait_for("no doubt is left", |one| one.status.as_ref().unwrap().suspect_since.is_none())
        .await;
    let events = running.events().await;
    assert!(!events.contains(&"certificate.broke".to_owned()), "{events:?}");
    assert_eq!(events.iter().filter(|name| *name == "checks.suspicious").count(), 1);
    running.stop().await;
}

#[tokio::test]
async fn an_unknown_result_changes_no_verdict() {
    let running = Running::start(&["a.example", "b.example"]).await;
    running.work().await;
    for name in ["a.example", "b.example"] {
        running.outside.dns.fail(name, DnsFault::Refused);
    }
    running.advance(INTERVAL).await;
    running.advance(25 * HOUR).await;
    running.work().await;
    let events = running.events().await;
    let about_them = |name: &String| name.ends_with(".broke") || name.contains("attention");
    assert!(!events.iter().any(about_them), "{events:?}");
    running.stop().await;
}

#[tokio::test]
async fn a_broken_name_stays_checked_and_alerts_once_a_day() {
    let running = Running::start(&["a.example", "b.example"]).await;
    running.work().await;
    running.break_dns("a.example").await;
    let calls = async || {
        let events = running.events().await;
        events.iter().filter(|name| *name == "domain.needs_attention").count()
    };
    running.advance(23 * HOUR).await;
    assert_eq!(calls().await, 0);
    running.advance(HOUR).await;
    assert_eq!(calls().await, 1);
    running.advance(HOUR).await;
    assert_eq!(calls().await, 1);
    running.advance(24 * HOUR).await;
    assert_eq!(calls().await, 2);
    running.outside.dns.point("a.example", &[SERVER]);
    running.advance(INTERVAL).await;
    running.work().await;
    running.advance(24 * HOUR).await;
    assert_eq!(calls().await, 2);
    running.stop().await;
}

#[tokio::test]
async fn alternating_verdicts_are_one_condition() {
    let running = Running::start(&["a.example"]).await;
    running.work().await;
    running.outside.tls.show("a.example", Face::Garbage).unwrap();
    for round in 0..12 {
        let elsewhere = [SERVER, "127.0.0.2".parse().unwrap()];
        running.outside.dns.point("a.example", &elsewhere[round % 2..][..1]);
        running.advance(INTERVAL).await;
    }
    let events = running.events().await;
    let many = |what: &str| events.iter().filter(|name| name.starts_with(what)).count();
    assert_eq!(many("dns.unsteady"), 1, "{events:?}");
    assert!(many("dns.") <= 6 && many("certificate.") <= 4, "{events:?}");
    for _ in 0..8 {
        running.advance(INTERVAL).await;
    }
    let events = running.events().await;
    assert_eq!(events.iter().filter(|name| *name == "dns.steady").count(), 1, "{events:?}");
    running.stop().await;
}

#[tokio::test]
async fn an_expiring_certificate_is_reported_in_time() {
    let running = Running::start(&["a.example"]).await;
    running.work().await;
    running.advance(80 * 24 * HOUR).await;
    let events = async || running.events().await.contains(&"certificate.expiring".to_owned());
    eventually("it is expiring", events).await;
    running.work().await;
    running.advance(11 * 24 * HOUR).await;
    running.advance(Duration::from_secs(40)).await;
    running
        .wait_for("it has expired", |one| {
            one.status.as_ref().unwrap().latest.ssl.verdict == SslVerdict::Expired
        })
        .await;
    running.stop().await;
}

#[tokio::test]
async fn undesired_names_are_not_checked() {
    let running = Running::start(&["a.example", "b.example"]).await;
    running.work().await;
    running._ends.0.unmap("a.example").await;
    running._ends.2.run(&["apply"]).await;
    eventually("one is left", async || running.all().await.len() == 1).await;
    let checked_at = running.all().await[0].status.as_ref().unwrap().checked_at;
    let queries = running.outside.dns.queries();
    running.advance(INTERVAL).await;
    assert!(running.all().await[0].status.as_ref().unwrap().checked_at > checked_at);
    assert_eq!(running.outside.dns.queries() - queries, 2);
    running.stop().await;
}

#[tokio::test]
async fn silent_resolvers_and_their_return_are_events() {
    let (_network, _closte, program) = ends(&["a.example", "b.example"]).await;
    let outside = Outside::start().await;
    // While the target is unknown, every tick asks for it.
    let program = outside.around(program).with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "");
    outside.dns.point("agency.example", &[SERVER]);
    outside.dns.fail("agency.example", DnsFault::Refused);
    for name in ["a.example", "b.example"] {
        outside.dns.point(name, &[SERVER]);
        outside.dns.fail(name, DnsFault::Refused);
    }
    let daemon = program.start_daemon();
    daemon.logs("WARN  checks.target_unknown").await;
    daemon.logs(": it answers Query Refused\"").await;
    assert!(!daemon.log().contains("dns.pending"), "{}", daemon.log());
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn the_public_address_alone_is_a_target() {
    let (_network, _closte, program) = ends(&["a.example", "b.example"]).await;
    let outside = Outside::start().await;
    let program = outside
        .around(program)
        .with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "")
        .with("CLOSTE_SYNC__CLOSTE__PUBLIC_ADDRESS", "127.0.0.1");
    // The network's own domain cannot be resolved: right names are `ok`, others unknown.
    outside.dns.fail("agency.example", DnsFault::Refused);
    outside.dns.point("a.example", &[SERVER]);
    outside.dns.point("b.example", &["127.0.0.2".parse().unwrap()]);
    let daemon = program.start_daemon();
    daemon.logs("dns.right domain=a.example").await;
    assert!(!daemon.log().contains("dns.pending"), "{}", daemon.log());
    // It does not exist: the address is the only target.
    outside.dns.forget("agency.example");
    let checked = program.run(&["check", "b.example", "--json"]).await.json();
    assert_eq!(checked[0]["dns"]["verdict"], "elsewhere", "{checked}");
    assert!(!daemon.log().contains("checks.target_unknown"), "{}", daemon.log());
    assert_eq!(daemon.stop().await, 0);
    let doctor = program.run(&["doctor"]).await;
    let target = "ok      targets    domains should point at 127.0.0.1, agency.example";
    assert!(doctor.out.contains(target), "{doctor:?}");
}

#[tokio::test]
async fn a_clock_jump_delays_nothing_and_sends_no_alert() {
    let running = Running::start(&["a.example", "b.example", "c.example"]).await;
    running.work().await;
    running.break_dns("a.example").await;
    let mut scheduler = running.clock.clone();
    for days in [300, -3_000, 3_000, -300] {
        running.clock.set_clock(SignedDuration::from_hours(24 * days));
        scheduler.follow(scheduler.jump().unwrap().boot);
        let set_at = scheduler.now();
        let interval = Duration::from_secs(1) + INTERVAL;
        eventually("each is checked once in an interval from now on", async || {
            let mut due = running.all().await.into_iter().map(|one| one.due_at.unwrap());
            due.all(|due| due >= scheduler.now() && due <= scheduler.now() + interval)
        })
        .await;
        running.clock.advance(INTERVAL);
        running
            .wait_for("all are checked again", |one| {
                one.status.as_ref().is_some_and(|status| {
                    status.checked_at > set_at && status.checked_at < set_at + HOUR
                })
            })
            .await;
        for one in running.all().await {
            let status = one.status.unwrap();
            assert!(status.since <= scheduler.now() && status.since > set_at - HOUR, "{days}");
        }
    }
    let events = running.events().await;
    assert!(!events.contains(&"domain.needs_attention".to_owned()), "{events:?}");
    // The test advances the time by an interval; a jump is a matter of days.
    let events = running.state.events(None, None, 10_000).await.unwrap();
    let late = events.iter().filter_map(|one| one.detail.get("late_s")?.as_u64());
    assert!(late.max().unwrap_or_default() < 3 * INTERVAL.as_secs(), "{events:?}");
    running.stop().await;
}
