//! A machine whose clock is set while the program runs, or between its runs.

use closte_sync::simulator::{Fault, Simulator, Target};
use serde_json::Value;
use sqlx::{ConnectOptions as _, Executor as _, sqlite::SqliteConnectOptions};

use crate::support::{FakeClock, Network, Outside, Program, ends, eventually};

const HOUR: i64 = 60 * 60;
const YEARS: i64 = 10 * 365 * 24 * HOUR;
const GRACE: &str = "CLOSTE_SYNC__SYNC__REMOVAL_GRACE";

/// A machine with a fake clock. An unmapped name is removed after an hour.
async fn on_machine(names: &[&str]) -> (Network, Simulator, Program, FakeClock) {
    let (network, closte, program) = ends(names).await;
    let clock = FakeClock::start();
    (network, closte, clock.of(program.with(GRACE, "1h")), clock)
}

/// Makes the program believe that the machine has booted since its last run.
async fn boot(program: &Program) {
    let options = SqliteConnectOptions::new().filename(program.state_path());
    let mut connection = options.connect().await.unwrap();
    connection.execute("UPDATE loop_clock SET boot = 'another'").await.unwrap();
}

async fn status(program: &Program) -> Vec<Value> {
    program.run(&["status", "--json"]).await.json().as_array().unwrap().clone()
}

/// The name is removed with a short grace.
async fn goes(name: &str, closte: &Simulator, program: &Program) {
    let program = program.clone().with(GRACE, "1s");
    eventually("it is removed", async || {
        let applied = program.run(&["apply"]).await;
        assert!(applied.status != 1, "{applied:?}");
        !closte.domains().contains(&name.to_owned())
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_shortens_no_grace_and_drops_no_event() {
    let (network, closte, program, clock) =
        on_machine(&["a.example", "b.example", "c.example"]).await;
    let daemon = program.start_daemon();
    eventually("all are there", async || closte.domains().len() == 3).await;
    network.unmap("a.example").await;
    daemon.logs("domain.unmapped domain=a.example").await;
    clock.set(YEARS);
    daemon.logs("WARN  daemon.clock_jumped from=").await;
    // Cycles continue.
    network.map("d.example").await;
    eventually("d is there", async || closte.domains().len() == 4).await;
    assert_eq!(daemon.stop().await, 0);

    // It also jumps while nothing runs, by years or by little.
    clock.set(2 * YEARS);
    let daemon = program.start_daemon();
    network.map("e.example").await;
    eventually("e is there", async || closte.domains().len() == 5).await;
    assert!(!daemon.log().contains("domain.removed"), "{}", daemon.log());
    assert_eq!(daemon.stop().await, 0);
    clock.set(2 * YEARS + 2 * HOUR);
    let plan = program.run(&["plan"]).await;
    assert!(plan.out.contains("sync.removal_grace is over in"), "{plan:?}");
    program.run(&["apply"]).await;
    assert!(closte.domains().contains(&"a.example".to_owned()));

    goes("a.example", &closte, &program).await;
    let events = program.run(&["events", "--json"]).await.out;
    for event in ["ledger.started", "domain.unmapped", "daemon.clock_jumped"] {
        assert!(events.contains(event), "{event}: {events}");
    }
}

#[tokio::test]
async fn a_restart_does_not_restart_the_grace() {
    let (network, closte, program, _clock) = on_machine(&["a.example", "b.example"]).await;
    let daemon = program.start_daemon();
    eventually("both are there", async || closte.domains().len() == 2).await;
    network.unmap("a.example").await;
    daemon.logs("domain.unmapped domain=a.example").await;
    assert_eq!(daemon.stop().await, 0);
    let since = async || {
        let status = program.run(&["status", "a.example", "--json"]).await.json();
        let since = status[0]["undesired_since"].clone();
        assert!(since.is_string(), "{status}");
        since
    };
    let before = since().await;
    for _ in 0..2 {
        let daemon = program.start_daemon();
        let name = format!("new{}.example", closte.domains().len());
        network.map(&name).await;
        eventually("a cycle was completed", async || closte.domains().contains(&name)).await;
        assert_eq!(daemon.stop().await, 0);
        boot(&program).await;
    }
    assert_eq!(since().await, before);
    goes("a.example", &closte, &program).await;
}

#[tokio::test]
async fn a_clock_that_was_ahead_delays_nothing() {
    let names = ["a.example", "b.example", "failing.example", "refused.example"];
    let (network, closte, program, clock) = on_machine(&names).await;
    let refusal = Fault::Failure("Invalid or empty domain".to_owned());
    closte.fail(Target::Domain("refused.example".to_owned()), refusal);
    closte.fail(Target::Domain("failing.example".to_owned()), Fault::Status(500));
    clock.set(YEARS);
    program.run(&["apply"]).await;
    network.unmap("a.example").await;
    let daemon = program.start_daemon();
    daemon.logs("domain.unmapped domain=a.example").await;
    let refused = program.run(&["status", "refused.example", "--json"]).await.json();
    assert_eq!(refused[0]["at_closte"], "refused");
    eventually("all are checked", async || {
        let is_known =
            |one: &Value| one["undesired_since"].is_string() || one["checked_at"].is_string();
        status(&program).await.iter().all(is_known)
    })
    .await;
    assert_eq!(daemon.stop().await, 0);
    closte.heal();

    // After the boot the clock is right, and the earlier error is not known.
    clock.set(0);
    boot(&program).await;
    let daemon = program.start_daemon();
    eventually("what waited is tried again", async || closte.domains().len() == 4).await;
    let now = jiff::Timestamp::now().to_string();
    eventually("nothing is of a time to come", async || {
        let times = ["since", "managed_since", "undesired_since", "checked_at", "works_since"];
        let of = |one: &Value| times.map(|time| one[time].as_str().unwrap_or("").to_owned());
        let year = |time: &str| time.get(..4).unwrap_or("").to_owned();
        status(&program).await.iter().flat_map(of).all(|time| year(&time) <= year(&now))
    })
    .await;
    assert_eq!(daemon.stop().await, 0);
    assert!(closte.domains().contains(&"a.example".to_owned()), "its grace counts from now on");
    goes("a.example", &closte, &program).await;
}

#[tokio::test]
async fn a_clock_jump_sends_no_alert_about_a_name_that_has_just_broken() {
    let (_network, _closte, program, clock) = on_machine(&["a.example"]).await;
    let outside = Outside::start().await;
    outside.dns.point("a.example", &["127.0.0.2".parse().unwrap()]);
    let program = outside.around(program);
    program.run(&["apply"]).await;
    let check = async || program.run(&["check", "--json"]).await.json();
    assert_eq!(check().await[0]["dns"]["verdict"], "elsewhere");
    for ahead in [YEARS, 2 * YEARS] {
        clock.set(ahead);
        assert_eq!(check().await[0]["dns"]["verdict"], "elsewhere");
    }
    let daemon = program.start_daemon();
    let checked_at = async || status(&program).await[0]["checked_at"].clone();
    let before = checked_at().await;
    clock.set(3 * YEARS);
    eventually("it is checked again", async || checked_at().await != before).await;
    assert_eq!(daemon.stop().await, 0);
    let events = program.run(&["events", "--json"]).await.out;
    assert!(events.contains("dns.pending") && !events.contains("needs_attention"), "{events}");
}
