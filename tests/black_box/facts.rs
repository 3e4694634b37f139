//! What is recorded as a fact is recorded as an event and logged; what cannot be recorded is logged.

use closte_sync::simulator::{Call, Fault, Target};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, sqlite::SqliteConnectOptions};

use crate::support::{Outside, Program, ends};

/// Runs statements in the program's state database.
async fn state(program: &Program, statements: &str) {
    let options = SqliteConnectOptions::new().filename(program.state_path());
    let mut connection = options.connect().await.unwrap();
    connection.execute(sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))).await.unwrap();
}

/// From now on, no event of these names can be written.
async fn break_events(program: &Program, names: &str) {
    state(
        program,
        &format!(
            "CREATE TRIGGER broken BEFORE INSERT ON event WHEN NEW.name IN ({names})
             BEGIN SELECT RAISE(FAIL, 'the disk is full'); END"
        ),
    )
    .await;
}

async fn mend(program: &Program) {
    state(program, "DROP TRIGGER broken").await;
}

fn lines(text: &str, part: &str) -> usize {
    text.lines().filter(|line| line.contains(part)).count()
}

#[tokio::test]
async fn a_row_that_is_no_name_is_told_whatever_fails_when_it_is_found() {
    let (network, _closte, program) = ends(&["a.example"]).await;
    program.run(&["apply"]).await;
    break_events(&program, "'row.invalid'").await;
    network.map("no name").await;
    let daemon = program.start_daemon();
    daemon.logs("ERROR row.invalid kind=").await;
    daemon.logs("ERROR state.failed").await;
    mend(&program).await;
    daemon.logs("state.recovered").await;
    assert_eq!(lines(&daemon.log(), "row.invalid"), 1, "{}", daemon.log());
    let events = program.run(&["events"]).await;
    assert_eq!(lines(&events.out, "row.invalid"), 1, "{events:?}");
}

#[tokio::test]
async fn a_setting_that_cannot_be_read_is_told_whatever_fails_when_it_is_found() {
    let (network, _closte, program) = ends(&["a.example"]).await;
    program.run(&["apply"]).await;
    break_events(&program, "'plugin.settings_unread'").await;
    network
        .sql(
            "UPDATE wp_sitemeta SET meta_value = 'a:1:{s:4:'
             WHERE meta_key = 'wp-ultimo_v2_settings'",
        )
        .await;
    let daemon = program.start_daemon();
    daemon.logs("plugin.settings_unread").await;
    daemon.logs("state.failed").await;
    mend(&program).await;
    daemon.logs("state.recovered").await;
    assert_eq!(lines(&daemon.log(), "plugin.settings_unread"), 1, "{}", daemon.log());
    let events = program.run(&["events"]).await;
    assert_eq!(lines(&events.out, "plugin.settings_unread"), 1, "{events:?}");
}

#[tokio::test]
async fn what_became_of_a_call_is_logged_though_it_cannot_be_recorded() {
    let (network, closte, program) = ends(&["a.example"]).await;
    program.run(&["apply"]).await;
    break_events(&program, "'domain.added'").await;
    network.map("b.example").await;
    let applied = program.run(&["apply"]).await;
    assert_eq!(applied.status, 1, "{applied:?}");
    assert_eq!(lines(&applied.err, "INFO  domain.added domain=b.example"), 1, "{applied:?}");
    assert!(applied.err.contains("the disk is full"), "{applied:?}");
    mend(&program).await;
    assert_eq!(program.run(&["apply"]).await.status, 0);
    assert_eq!((closte.count(Call::Add), closte.domains().len()), (2, 2), "called twice");
}

#[tokio::test]
async fn calls_in_flight_are_waited_for_and_none_begun_when_their_outcomes_cannot_be_recorded() {
    let names: Vec<String> = (0..20).map(|number| format!("shop{number:02}.example")).collect();
    let (network, closte, program) = ends(&["a.example"]).await;
    let program = program
        .with("CLOSTE_SYNC__CLOSTE__TIMEOUT", "2s")
        .with("CLOSTE_SYNC__CLOSTE__CONCURRENCY", "4");
    program.run(&["apply"]).await;
    break_events(&program, "'domain.added', 'domain.add_failed'").await;
    for name in &names {
        network.map(name).await;
    }
    // The first is answered at once, the next ones after two seconds.
    for name in &names[1..] {
        closte.fail(Target::Domain(name.clone()), Fault::Hang);
    }
    let applied = program.run(&["apply"]).await;
    assert_eq!(applied.status, 1, "{applied:?}");
    assert_eq!(lines(&applied.err, "domain.added domain=shop00.example"), 1, "{applied:?}");
    let begun = closte.count(Call::Add) - 2;
    assert!((3..=4).contains(&begun), "{begun} calls beside the first");
    for name in &names[1..=begun as usize] {
        let told = format!("domain.add_failed domain={name}");
        assert_eq!(lines(&applied.err, &told), 1, "{name}: {applied:?}");
    }
    mend(&program).await;
    closte.heal();
    program.run(&["apply"]).await;
    let applied = program.run(&["apply"]).await;
    assert_eq!((applied.status, closte.domains().len()), (0, 21), "{applied:?}");
}

#[tokio::test]
async fn looks_that_cannot_be_recorded_wait_and_are_not_made_again_and_again() {
    let (network, _closte, program) = ends(&["a.example"]).await;
    let outside = Outside::start().await;
    let program = outside.around(program);
    program.run(&["apply"]).await;
    break_events(&program, "'dns.pending'").await;
    let daemon = program.start_daemon();
    daemon.logs("dns.pending domain=a.example").await;
    daemon.logs("state.failed").await;
    let queries = outside.dns.queries();
    // Some seconds, by the daemon's own clock; the schedule is asked every half second.
    for name in ["b.example", "c.example", "d.example"] {
        network.map(name).await;
        daemon.logs(&format!("domain.added domain={name}")).await;
    }
    assert_eq!(outside.dns.queries(), queries, "{}", daemon.log());
    mend(&program).await;
    daemon.logs("state.recovered").await;
    daemon.logs("dns.pending domain=d.example").await;
    assert_eq!(lines(&daemon.log(), "dns.pending domain=a"), 1, "{}", daemon.log());
    let events = program.run(&["events", "a.example"]).await;
    assert_eq!(lines(&events.out, "dns.pending"), 1, "{events:?}");
}

#[tokio::test]
async fn what_a_check_records_is_logged() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    program.run(&["apply"]).await;
    let checked = program.run(&["check"]).await;
    assert_eq!(lines(&checked.err, "INFO  dns.pending domain=a.example"), 1, "{checked:?}");
    let events = program.run(&["events", "a.example"]).await;
    assert_eq!(lines(&events.out, "dns.pending"), 1, "{events:?}");
}

#[tokio::test]
async fn a_cycle_of_apply_that_was_broken_off_is_an_event() {
    let (network, _closte, program) = ends(&["a.example"]).await;
    program.run(&["apply"]).await;
    network.sql("ALTER TABLE wp_blogs RENAME TO away").await;
    let applied = program.run(&["apply"]).await;
    assert_eq!((applied.status, lines(&applied.err, "wp_blogs")), (1, 1), "{applied:?}");
    let events = program.run(&["events"]).await;
    assert_eq!(lines(&events.out, "wordpress.failed"), 1, "{events:?}");
    let status = program.run(&["status"]).await;
    assert!(status.out.contains("stopped early"), "{status:?}");
}
