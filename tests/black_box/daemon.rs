//! The daemon: its signals, its silence, its way back from failures.

use closte_sync::{
    simulator::{Call, Fault, Simulator, Target},
    state::State,
};

use crate::support::{KEY, Network, Program, ends, eventually};

#[tokio::test]
async fn a_wait_for_another_process_is_reported() {
    let (_network, closte, program) = ends(&["a.example"]).await;
    let daemon = program.start_daemon();
    daemon.logs("domain.added").await;
    let lock = program.state_path().with_extension("db.cycle");
    let lock = std::fs::File::open(lock).unwrap();
    lock.lock().unwrap();
    let asked = closte.requests().len();
    daemon.logs("WARN  sync.waits remedy=").await;
    assert!(closte.requests().len() <= asked + 1, "it did not wait");
    lock.unlock().unwrap();
    daemon.logs("INFO  sync.goes_on after_s=").await;
}

#[tokio::test]
async fn it_follows_the_table_of_a_mariadb_network() {
    let network = Network::mariadb().await;
    let closte = Simulator::start(KEY).await.unwrap();
    let daemon = Program::new(&network, &closte).start_daemon();
    eventually("all names are there", async || closte.domains().len() == 10).await;
    daemon.logs("WARN  record.not_created").await;
    network.map("new.example").await;
    eventually("the new name is there", async || closte.domains().contains(&"new.example".into()))
        .await;
    network.unmap("new.example").await;
    eventually("it is gone again", async || !closte.domains().contains(&"new.example".into()))
        .await;
    daemon.logs("domain.removed domain=new.example").await;
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn a_cycle_that_changes_nothing_logs_nothing_and_calls_nothing() {
    let (network, closte, program) = ends(&["a.example", "b.example"]).await;
    let program = program.with("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "1h");
    let program = program.with("CLOSTE_SYNC__LOG__FILTER", "debug");
    let daemon = program.start_daemon();
    daemon.logs("domain.added domain=b.example").await;
    let quiet = async || daemon.log().matches("DEBUG sync.cycle unchanged=true").count() >= 3;
    eventually("three quiet cycles", quiet).await;
    assert_eq!(closte.count(Call::List), 2, "one to see what is there, one to see that it worked");
    // What the checks have to say of names without DNS is not at issue here.
    let lines = |level: &str| {
        let log = daemon.log();
        log.lines().filter(|line| line.contains(level) && !line.contains("dns.")).count()
    };
    assert_eq!((lines(" WARN "), lines(" ERROR ")), (0, 0), "{}", daemon.log());
    assert_eq!(lines(" INFO "), 4, "started, the ledger, two additions: {}", daemon.log());

    network.map("c.example").await;
    daemon.logs("domain.added domain=c.example").await;
    eventually("that it worked is seen", async || closte.count(Call::List) == 4).await;
}

#[tokio::test]
async fn the_list_is_read_regularly_and_lost_names_are_added_again() {
    let (_network, closte, program) = ends(&["a.example", "b.example"]).await;
    let daemon = program.start_daemon();
    daemon.logs("domain.added domain=b.example").await;
    eventually("that it worked is seen", async || closte.count(Call::List) >= 3).await;
    closte.take_away("a.example");
    daemon.logs("WARN  domain.lost domain=a.example").await;
    eventually("it is back", async || closte.domains() == ["a.example", "b.example"]).await;
}

#[tokio::test]
async fn the_list_is_read_soon_after_an_addition_and_after_a_name_is_missing() {
    let (_network, closte, program) = ends(&["a.example", "b.example"]).await;
    let program = program.with("CLOSTE_SYNC__SYNC__INTERVAL", "1h");
    let program = program.with("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "1h");
    let daemon = program.start_daemon();
    eventually("the addition is confirmed", async || closte.count(Call::List) == 2).await;
    eventually("that is recorded", async || {
        let status = program.run(&["status", "--json"]).await.json();
        status.as_array().unwrap().iter().all(|one| one["at_closte"] == "yes")
    })
    .await;
    assert_eq!(daemon.stop().await, 0);
    closte.take_away("a.example");
    let daemon = program.start_daemon();
    daemon.logs("WARN  domain.lost domain=a.example").await;
    eventually("it is confirmed, too", async || closte.count(Call::List) == 5).await;
    assert_eq!(closte.domains(), ["a.example", "b.example"]);
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn sigusr1_begins_a_cycle() {
    let (network, closte, program) = ends(&["a.example"]).await;
    let program = program.with("CLOSTE_SYNC__SYNC__INTERVAL", "1h");
    let program = program.with("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "1h");
    let daemon = program.start_daemon();
    eventually("the addition is confirmed", async || closte.count(Call::List) == 2).await;
    network.map("b.example").await;
    daemon.signal("-USR1");
    daemon.logs("domain.added domain=b.example").await;
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn the_next_cycle_confirms_what_apply_added() {
    let (network, closte, program) = ends(&["a.example"]).await;
    let program = program.with("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "1h");
    closte.fail(Target::Only(Call::Add), Fault::Failure("no".to_owned()));
    let daemon = program.start_daemon();
    daemon.logs("domain.add_failed domain=a.example").await;
    closte.heal();
    assert_eq!(program.run(&["apply", "a.example"]).await.status, 0);
    let confirmed =
        async || program.run(&["status", "--json"]).await.json()[0]["at_closte"] == "yes";
    eventually("the daemon confirms it", confirmed).await;
    drop((daemon, network));
}

#[tokio::test]
async fn a_signal_ends_it_after_the_call_in_flight_which_is_recorded() {
    for signal in ["-TERM", "-INT"] {
        let (_network, closte, program) = ends(&["a.example", "b.example", "c.example"]).await;
        let program = program.with("CLOSTE_SYNC__CLOSTE__CONCURRENCY", "1");
        closte.set_latency(std::time::Duration::from_millis(300));
        let mut daemon = program.start_daemon();
        eventually("a call is under way", async || closte.count(Call::Add) == 1).await;
        daemon.signal(signal);
        assert_eq!(daemon.ends().await, 0);
        assert_eq!(closte.count(Call::Add), 1, "it began another call");
        let log = daemon.log();
        assert!(log.contains(&format!("daemon.stopping signal=SIG{}", &signal[1..])), "{log}");
        assert!(log.contains("domain.added domain=a.example"), "{log}");
        assert!(log.contains("daemon.stopped"), "{log}");
        let events = program.run(&["events", "a.example"]).await;
        assert!(events.out.contains("domain.added a.example"), "{events:?}");
    }
}

#[tokio::test]
async fn a_call_that_hangs_does_not_delay_the_end_and_a_second_signal_ends_it_immediately() {
    let (_network, closte, program) = ends(&["a.example"]).await;
    let program = program.with("CLOSTE_SYNC__CLOSTE__TIMEOUT", "1m");
    closte.fail(Target::Only(Call::Add), Fault::Hang);
    let mut patient = program.start_daemon();
    eventually("the call hangs", async || closte.count(Call::Add) == 1).await;
    patient.signal("-TERM");
    assert_eq!(patient.ends().await, 0);
    assert!(patient.log().contains("domain.outcome_unknown domain=a.example"), "{}", patient.log());

    let network = Network::with_domains(&["b.example"]).await;
    let program = Program::new(&network, &closte);
    let program = program.with("CLOSTE_SYNC__CLOSTE__TIMEOUT", "1m");
    let mut hasty = program.start_daemon();
    eventually("the call hangs", async || closte.count(Call::Add) == 2).await;
    hasty.signal("-TERM");
    hasty.logs("daemon.stopping").await;
    hasty.signal("-TERM");
    assert_eq!(hasty.ends().await, 1);
    assert!(!hasty.log().contains("daemon.stopped"));
}

#[tokio::test]
async fn a_call_that_is_given_up_is_an_unknown_outcome_and_the_next_list_decides() {
    let names: Vec<String> = (0..9).map(|number| format!("shop{number}.example")).collect();
    let (_network, closte, program) =
        ends(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let program = program.with("CLOSTE_SYNC__CLOSTE__TIMEOUT", "1m");
    closte.fail(Target::Domain("shop0.example".to_owned()), Fault::Hang);
    closte.fail(Target::Only(Call::Add), Fault::HeldAnswer);
    let mut daemon = program.start_daemon();
    eventually("calls are in flight", async || closte.count(Call::Add) == 4).await;
    daemon.signal("-TERM");
    assert_eq!(daemon.ends().await, 0);
    let log = daemon.log();
    assert_eq!(log.matches("domain.outcome_unknown").count(), 4, "{log}");
    for other in ["could not reach", "closte.failed", "domain.add_failed"] {
        assert!(!log.contains(other), "{other}: {log}");
    }
    assert_eq!((closte.count(Call::Add), closte.domains().len()), (4, 3));
    closte.heal();
    let daemon = program.start_daemon();
    eventually("all are there", async || closte.domains().len() == 9).await;
    eventually("it is confirmed", async || {
        let status = program.run(&["status", "--json"]).await.json();
        status.as_array().unwrap().iter().all(|one| one["at_closte"] == "yes")
    })
    .await;
    assert_eq!(closte.count(Call::Add), 4 + 6, "only what was not done was asked for again");
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn a_new_reason_of_the_same_trouble_is_logged_in_the_next_cycle() {
    let (network, _closte, program) = ends(&["a.example"]).await;
    let daemon = program.start_daemon();
    daemon.logs("domain.added").await;
    network.sql("DELETE FROM wp_site").await;
    daemon.logs("wordpress.failed error=\"wp_site has no row").await;
    network.sql("ALTER TABLE wp_site RENAME TO wp_gone").await;
    daemon.logs("wordpress.failed error=\"there is no table wp_site").await;
    let log = daemon.log();
    assert_eq!(log.matches("wordpress.failed").count(), 2, "{log}");
}

#[tokio::test]
async fn a_failing_name_delays_no_other() {
    let (network, closte, program) = ends(&["a.example", "bad.example", "poison.example"]).await;
    closte.refuse("bad.example");
    closte.fail(Target::Domain("poison.example".to_owned()), Fault::Status(500));
    let daemon = program.start_daemon();
    daemon.logs("ERROR domain.refused domain=bad.example").await;
    daemon.logs("WARN  domain.add_failed domain=poison.example").await;
    network.map("z.example").await;
    daemon.logs("domain.added domain=z.example").await;
    let lists = closte.count(Call::List);
    eventually("some cycles later", async || closte.count(Call::List) >= lists + 2).await;
    let asked = |name: &str| {
        let requests = closte.requests();
        requests.iter().filter(|one| one.domain.as_deref() == Some(name)).count()
    };
    assert_eq!((asked("bad.example"), asked("poison.example")), (1, 3), "asked again too soon");
    assert_eq!(daemon.log().matches("domain.refused").count(), 1);

    // The row changes, so the refusal may be over.
    closte.heal();
    network.sql("UPDATE wp_wu_domain_mappings SET date_modified = '2026-05-06 07:08:09'").await;
    eventually("it is asked again", async || asked("bad.example") == 2).await;
}

#[tokio::test]
async fn a_firewall_that_forbids_one_name_delays_no_other() {
    let (_network, closte, program) = ends(&["a.example", "eval.example", "z.example"]).await;
    closte.fail(Target::Domain("eval.example".to_owned()), Fault::Status(403));
    let program = program.with("CLOSTE_SYNC__CLOSTE__CONCURRENCY", "1");
    assert_eq!(program.run(&["apply"]).await.status, 3);
    assert_eq!(closte.domains(), ["a.example", "z.example"]);
}

#[tokio::test]
async fn an_error_for_an_existing_name_is_no_failure_once_the_list_shows_it() {
    let (_network, closte, program) = ends(&["a.example"]).await;
    // Closte lists it late, and declines to add it twice.
    closte.fail(Target::Only(Call::Add), Fault::Failure("Domain already exists".to_owned()));
    assert_eq!(program.run(&["apply"]).await.status, 3);
    closte.put(["a.example"]);
    assert_eq!(program.run(&["apply"]).await.status, 0);
    let status = program.run(&["status", "--json"]).await.json();
    assert_eq!((&status[0]["at_closte"], &status[0]["error"]), (&"yes".into(), &().into()));
}

#[tokio::test]
async fn a_signal_ends_it_while_another_process_runs_a_cycle() {
    let (_network, closte, program) = ends(&["a.example"]).await;
    let mut daemon = program.start_daemon();
    daemon.logs("domain.added").await;
    let state = State::open(&program.state_path()).await.unwrap();
    let _in_a_cycle = state.lock_for_cycle().await.unwrap();
    let lists = closte.count(Call::List);
    daemon.signal("-TERM");
    assert_eq!(daemon.ends().await, 0);
    assert!(closte.count(Call::List) <= lists + 1);
}

#[tokio::test]
async fn ten_thousand_names_need_few_connections() {
    let network = Network::mariadb().await;
    network
        .sql(
            "DELETE FROM wp_wu_domain_mappings; DELETE FROM wp_blogs;
             INSERT INTO wp_wu_domain_mappings (blog_id, domain)
             SELECT 2, CONCAT('shop', seq, '.example') FROM seq_1_to_10000",
        )
        .await;
    let closte = Simulator::start(KEY).await.unwrap();
    closte.set_latency(std::time::Duration::from_millis(2));
    let program = Program::new(&network, &closte).with("CLOSTE_SYNC__CLOSTE__CONCURRENCY", "7");
    let applied = program.run(&["apply"]).await;
    assert!(applied.out.starts_with("10000 added, 0 removed"), "{}", applied.out);
    assert_eq!((closte.domains().len(), closte.most_in_flight()), (10_000, 7));
    assert!(closte.connections() <= 21, "{} connections", closte.connections());
}

#[tokio::test]
async fn an_outage_in_a_cycle_postpones_the_remaining_calls() {
    let names: Vec<String> = (0..200).map(|index| format!("shop{index:03}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (_network, closte, program) = ends(&names).await;
    closte.fail(Target::Only(Call::Add), Fault::RetryAfter(429, 600));
    let limited = program.run(&["apply"]).await;
    assert_eq!(limited.status, 3);
    assert!(closte.count(Call::Add) <= 8, "{} calls after a 429", closte.count(Call::Add));
    assert!(limited.out.contains("the cycle stopped: Closte asks for fewer calls"), "{limited:?}");
    closte.heal();
    assert_eq!(program.run(&["apply"]).await.status, 0);
    assert_eq!(closte.domains().len(), 200);
}
