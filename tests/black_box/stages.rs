//! Stages written back, through the real program, MariaDB and the plugin's API.

use closte_sync::{
    simulator::{Face, Simulator, WordPress},
    status::Stage,
};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Executor as _, sqlite::SqliteConnectOptions};

use crate::support::{
    Finished, KEY, Network, Outside, Program, SERVER, client, ends, eventually,
    plugin_api::{PluginApi, Put, settings},
};

const ROW: i64 = 40;

/// A network with a mapping that the plugin gave up, a practice Closte that lists it, and the program.
async fn place() -> (Network, Simulator, Program) {
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
    network.sql(&settings("", "")).await;
    network.allow_stages().await;
    let closte = Simulator::start(KEY).await.unwrap();
    closte.put(["alpha.test"]);
    let program = Program::new(&network, &closte)
        .with("CLOSTE_SYNC__WORDPRESS__CREATE_DOMAIN_RECORDS", "false");
    (network, closte, program)
}

/// The same, with the stage written by SQL.
async fn by_sql() -> (Network, Simulator, Program) {
    let (network, closte, program) = place().await;
    (network, closte, program.with("CLOSTE_SYNC__WORDPRESS__WRITE_STAGE", "database"))
}

/// The same, with the plugin's API.
async fn by_rest() -> (Network, PluginApi, Simulator, Program) {
    let (network, closte, program) = place().await;
    let api = PluginApi::start(&network).await;
    let program = program.with("CLOSTE_SYNC__WORDPRESS__URL", &api.url);
    (network, api, closte, program)
}

async fn in_state(program: &Program, statement: &str) {
    let options = SqliteConnectOptions::new().filename(program.state_path());
    let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned()));
    options.connect().await.unwrap().execute(statement).await.unwrap();
}

/// Makes all names known to the program, and seen good in so many checks in a row.
async fn seen_good(program: &Program, checks: u32) {
    program.run(&["apply"]).await;
    in_state(
        program,
        &format!(
            "INSERT OR REPLACE INTO domain_status (ledger_id, domain, due_at, good_checks)
             SELECT ledger_id, domain, 4000000000000, {checks} FROM managed"
        ),
    )
    .await;
}

/// Stage, secure and primary of a row.
async fn row(network: &Network, id: i64) -> (String, i64, i64) {
    let of = |column: &str| format!("SELECT {column} FROM wp_wu_domain_mappings WHERE id = {id}");
    let stage = network.text(&of("CAST(stage AS CHAR)")).await;
    let secure = network.number(&of("CAST(secure AS SIGNED)")).await;
    let primary = network.number(&of("CAST(primary_domain AS SIGNED)")).await;
    (stage, secure, primary)
}

async fn stage(network: &Network) -> String {
    row(network, ROW).await.0
}

/// Puts the row back, as a person does.
async fn put_back(network: &Network) {
    network
        .sql(
            "UPDATE wp_wu_domain_mappings SET stage = 'failed',
                 date_modified = DATE_ADD(UTC_TIMESTAMP(), INTERVAL 1 SECOND) WHERE id = 40",
        )
        .await;
}

async fn events(program: &Program, name: &str) -> Vec<Value> {
    let events = program.run(&["events", "--json"]).await;
    let events = events.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let all: Vec<Value> =
        events.flat_map(|one| one.as_array().cloned().unwrap_or(vec![one])).collect();
    all.into_iter().filter(|event| event["event"] == name).collect()
}

async fn apply(program: &Program) -> Finished {
    let done = program.run(&["apply"]).await;
    assert_eq!(done.status, 0, "{done:?}");
    done
}

#[tokio::test]
async fn a_domain_that_the_plugin_gave_up_becomes_done_by_sql() {
    let (network, _closte, program) = by_sql().await;
    seen_good(&program, 2).await;
    let plan = program.run(&["plan"]).await;
    assert!(
        plan.status == 2 && plan.out.contains("~ alpha.test  stage failed → done\n"),
        "{plan:?}"
    );
    let json = program.run(&["plan", "--json"]).await.json();
    let expected = json!([
        {"domain": "alpha.test", "stage": "failed", "decision": "write", "reason": ""}
    ]);
    assert_eq!((&json["stages"], &json["stages_refused"]), (&expected, &Value::Null));
    assert_eq!(stage(&network).await, "failed", "plan changes nothing");
    apply(&program).await;
    assert_eq!(row(&network, ROW).await, ("done".to_owned(), 1, 0));
    let [event] = &events(&program, "stage.written").await[..] else { panic!() };
    assert_eq!(
        (&event["domain"], &event["before"], &event["by"], &event["blog_id"]),
        (&json!("alpha.test"), &json!("failed"), &json!("database"), &json!(5))
    );
    let plan = program.run(&["plan"]).await;
    assert!(plan.status == 0 && !plan.out.contains("alpha.test"), "{plan:?}");
}

#[tokio::test]
async fn by_the_plugins_api_one_row_is_written_in_a_cycle() {
    let (network, api, closte, program) = by_rest().await;
    closte.put(["beta.test"]);
    network
        .sql(
            "INSERT INTO wp_wu_domain_mappings (id, blog_id, domain, active, stage) VALUES
             (41, 5, 'beta.test', 1, 'checking-ssl-cert')",
        )
        .await;
    seen_good(&program, 2).await;
    apply(&program).await;
    assert_eq!(api.calls(), ["PUT /wp-json/wu/v2/domain/40"]);
    assert_eq!(row(&network, ROW).await, ("done".to_owned(), 1, 0));
    assert_eq!(row(&network, 41).await.0, "checking-ssl-cert");
    apply(&program).await;
    assert_eq!(row(&network, 41).await.0, "done");
    let written = events(&program, "stage.written").await;
    let written: Vec<_> = written.iter().map(|event| (&event["domain"], &event["by"])).collect();
    let rest = json!("rest");
    assert_eq!(written, [(&json!("alpha.test"), &rest), (&json!("beta.test"), &rest)]);
    apply(&program).await;
    assert_eq!(api.calls().len(), 2);
}

#[tokio::test]
async fn nothing_is_written_that_was_good_once_only_or_while_the_checks_are_in_doubt() {
    let (network, _closte, program) = by_sql().await;
    for checks in [0, 1] {
        seen_good(&program, checks).await;
        apply(&program).await;
        assert_eq!(stage(&network).await, "failed", "{checks}");
    }
    seen_good(&program, 2).await;
    for reason in ["mass-failure", "sick-resolver"] {
        in_state(&program, &format!("INSERT INTO checks_doubt VALUES ('{reason}', 4000000000000)"))
            .await;
        apply(&program).await;
        assert_eq!(stage(&network).await, "failed", "{reason}");
        let plan = program.run(&["plan"]).await.out;
        assert!(plan.contains("! alpha.test  stage failed: not yet: "), "{plan}");
        in_state(&program, "UPDATE checks_doubt SET until = 0").await;
    }
    apply(&program).await;
    assert_eq!(stage(&network).await, "done");
}

#[tokio::test]
async fn a_name_whose_last_check_is_long_overdue_is_not_written() {
    let (network, _closte, program) = by_sql().await;
    seen_good(&program, 2).await;
    in_state(&program, "UPDATE domain_status SET due_at = 1000").await;
    apply(&program).await;
    assert_eq!(stage(&network).await, "failed");
}

#[tokio::test]
async fn with_the_setting_off_nothing_is_written() {
    let (network, _closte, program) = by_sql().await;
    let program = program.with("CLOSTE_SYNC__WORDPRESS__WRITE_STAGE", "off");
    seen_good(&program, 2).await;
    let done = apply(&program).await;
    assert!(stage(&network).await == "failed" && !done.err.contains("WARN"), "{done:?}");
    assert_eq!(program.run(&["plan", "--json"]).await.json()["stages"], json!([]));
}

#[tokio::test]
async fn what_somebody_has_decided_stays() {
    for change in [
        "UPDATE wp_wu_domain_mappings SET active = 0",
        "UPDATE wp_wu_domain_mappings SET stage = 'done-without-ssl'",
        "UPDATE wp_wu_domain_mappings SET blog_id = 99",
        "UPDATE wp_blogs SET archived = 1 WHERE blog_id = 5",
        "UPDATE wp_blogs SET site_id = 2 WHERE blog_id = 5",
        "UPDATE wp_blogs SET domain = 'alpha.test' WHERE blog_id = 5",
        "UPDATE wp_blogs SET domain = 'www.alpha.test' WHERE blog_id = 5",
    ] {
        let (network, _closte, program) = by_sql().await;
        seen_good(&program, 2).await;
        network.sql(change).await;
        let before = row(&network, ROW).await;
        apply(&program).await;
        assert_eq!(row(&network, ROW).await, before, "{change}");
        assert!(events(&program, "stage.written").await.is_empty(), "{change}");
    }
}

#[tokio::test]
async fn a_row_that_somebody_put_back_stays_until_the_domain_broke_and_works_again() {
    let (network, _closte, program) = by_sql().await;
    seen_good(&program, 2).await;
    apply(&program).await;
    put_back(&network).await;
    for _ in 0..3 {
        apply(&program).await;
    }
    assert_eq!(stage(&network).await, "failed");
    let [event] = &events(&program, "stage.not_written").await[..] else { panic!() };
    assert!(event["reason"].as_str().unwrap().starts_with("somebody put the row back"), "{event}");
    let plan = program.run(&["plan"]).await;
    let shown = "! alpha.test  stage failed: somebody put the row back";
    assert!(plan.status == 0 && plan.out.contains(shown), "{plan:?}");
    // It broke, and was good once.
    in_state(&program, "UPDATE domain_status SET times_broken = 1, good_checks = 1").await;
    apply(&program).await;
    assert_eq!(stage(&network).await, "failed");
    in_state(&program, "UPDATE domain_status SET good_checks = 2").await;
    apply(&program).await;
    assert_eq!(stage(&network).await, "done");
    assert_eq!(events(&program, "stage.written").await.len(), 2);
}

#[tokio::test]
async fn a_row_that_was_done_by_others_and_put_back_stays_as_well() {
    let (network, _closte, program) = by_sql().await;
    let done = "UPDATE wp_wu_domain_mappings SET stage = 'done'";
    network.sql(done).await;
    seen_good(&program, 2).await;
    put_back(&network).await;
    for _ in 0..2 {
        apply(&program).await;
    }
    assert_eq!(stage(&network).await, "failed");
    assert_eq!(events(&program, "stage.not_written").await.len(), 1);
    assert!(events(&program, "stage.written").await.is_empty());
    // Put back because it is broken: it is written when it works.
    network.sql(done).await;
    in_state(
        &program,
        "UPDATE domain_status SET times_broken = 1, good_checks = 0, checked_at = 1",
    )
    .await;
    apply(&program).await;
    put_back(&network).await;
    apply(&program).await;
    assert_eq!(stage(&network).await, "failed");
    in_state(&program, "UPDATE domain_status SET good_checks = 2").await;
    apply(&program).await;
    assert_eq!(stage(&network).await, "done");
}

/// A job of the plugin for the row, which ended or begins so many seconds from now.
async fn job(network: &Network, status: &str, seconds: i64) {
    network
        .sql(&format!(
            "DELETE FROM wp_actionscheduler_actions WHERE status IN ('pending', 'in-progress');
             INSERT INTO wp_actionscheduler_actions
               (hook, status, args, scheduled_date_gmt, last_attempt_gmt) VALUES
               ('wu_async_process_domain_stage', '{status}', '{{\"domain_id\":\"40\",\"tries\":2}}',
                DATE_ADD(UTC_TIMESTAMP(), INTERVAL {seconds} SECOND),
                DATE_ADD(UTC_TIMESTAMP(), INTERVAL {seconds} SECOND))"
        ))
        .await;
}

#[tokio::test]
async fn the_plugins_own_check_comes_first_and_a_lost_race_has_one_retry() {
    let (network, _closte, program) = by_sql().await;
    seen_good(&program, 2).await;
    for (status, seconds) in [("in-progress", -5), ("pending", -5), ("complete", -20)] {
        job(&network, status, seconds).await;
        apply(&program).await;
        assert_eq!(stage(&network).await, "failed", "{status}");
    }
    network.sql("DELETE FROM wp_actionscheduler_actions").await;
    job(&network, "pending", 200).await;
    apply(&program).await;
    assert_eq!(stage(&network).await, "done");
    // A check that was in progress ends later, and writes its own verdict.
    job(&network, "complete", -400).await;
    put_back(&network).await;
    apply(&program).await;
    assert_eq!(stage(&network).await, "done");
    job(&network, "complete", -400).await;
    put_back(&network).await;
    apply(&program).await;
    assert_eq!(stage(&network).await, "failed");
    assert_eq!(events(&program, "stage.written").await.len(), 2);
    assert_eq!(events(&program, "stage.not_written").await.len(), 1);
}

#[tokio::test]
async fn a_cron_that_does_not_run_is_reported() {
    let (network, _closte, program) = by_sql().await;
    seen_good(&program, 2).await;
    job(&network, "pending", -3_000).await;
    let done = apply(&program).await;
    assert!(!done.err.contains("WARN"), "{done:?}");
    job(&network, "pending", -8_000).await;
    let done = apply(&program).await;
    assert!(done.err.contains("wordpress.stages_failed"), "{done:?}");
    assert!(done.err.contains("calls wp-cron.php"), "{done:?}");
    assert_eq!(stage(&network).await, "failed");
}

#[tokio::test]
async fn a_crash_between_the_call_and_its_record_writes_nothing_twice() {
    let (network, api, _closte, program) = by_rest().await;
    seen_good(&program, 2).await;
    // The call has its effect, and the process ends before the answer.
    api.on_put(Put::SaveAndHang);
    let process = program.start(&["apply"]);
    eventually("it is written", async || stage(&network).await == "done").await;
    process.kill();
    api.on_put(Put::Save);
    assert!(events(&program, "stage.written").await.is_empty());
    apply(&program).await;
    assert_eq!(events(&program, "stage.written").await.len(), 1);
    apply(&program).await;
    assert_eq!(events(&program, "stage.written").await.len(), 1);
    assert_eq!(api.calls().len(), 1);
    // Somebody puts it back, which is somebody's decision in spite of the crash.
    put_back(&network).await;
    apply(&program).await;
    assert_eq!((api.calls().len(), stage(&network).await.as_str()), (1, "failed"));
}

#[tokio::test]
async fn after_a_crash_before_the_call_had_an_effect_it_is_made_again() {
    let (network, api, _closte, program) = by_rest().await;
    seen_good(&program, 2).await;
    api.on_put(Put::Hang);
    let process = program.start(&["apply"]);
    eventually("it is called", async || !api.calls().is_empty()).await;
    process.kill();
    api.on_put(Put::Save);
    // The call may still have an effect.
    apply(&program).await;
    assert_eq!(api.calls().len(), 1);
    in_state(&program, "UPDATE written_stage SET at = at - 120000").await;
    apply(&program).await;
    assert_eq!((api.calls().len(), stage(&network).await.as_str()), (2, "done"));
    assert_eq!(events(&program, "stage.written").await.len(), 1);
}

#[tokio::test]
async fn a_crash_after_which_somebody_changed_the_row_writes_nothing() {
    let (network, api, _closte, program) = by_rest().await;
    seen_good(&program, 2).await;
    api.on_put(Put::SaveAndHang);
    let process = program.start(&["apply"]);
    eventually("it is written", async || stage(&network).await == "done").await;
    process.kill();
    put_back(&network).await;
    in_state(&program, "UPDATE written_stage SET at = at - 120000").await;
    api.on_put(Put::Save);
    apply(&program).await;
    assert_eq!((api.calls().len(), stage(&network).await.as_str()), (1, "failed"));
    assert_eq!(events(&program, "stage.not_written").await.len(), 1);
}

#[tokio::test]
async fn after_the_500_of_an_unchanged_row_the_row_decides() {
    let (network, api, _closte, program) = by_rest().await;
    seen_good(&program, 2).await;
    api.on_put(Put::SaveUnseen);
    let done = apply(&program).await;
    assert!(!done.err.contains("WARN"), "{done:?}");
    assert_eq!(stage(&network).await, "done");
    assert!(events(&program, "stage.not_written").await.is_empty());
    // Where the row is not done, it is a failure of this row, which is reported once.
    put_back(&network).await;
    let body = json!({"code": "wu_rest_domain", "message": "Something went wrong (Code 2)."});
    api.on_put(Put::Answer(500, body.to_string()));
    for _ in 0..2 {
        apply(&program).await;
    }
    assert_eq!(api.calls().len(), 2, "it waits");
    let [event] = &events(&program, "stage.not_written").await[..] else { panic!() };
    assert!(event["reason"].as_str().unwrap().contains("Something went wrong"), "{event}");
    in_state(&program, "UPDATE written_stage SET next_attempt = 0, at = at - 120000").await;
    api.on_put(Put::Save);
    apply(&program).await;
    assert_eq!(stage(&network).await, "done");
}

#[tokio::test]
async fn what_the_api_says_counts_only_when_the_row_shows_it() {
    let (network, api, _closte, program) = by_rest().await;
    seen_good(&program, 2).await;
    // As the API of a copy answers.
    api.on_put(Put::Answer(200, json!({"id": "40", "stage": "done"}).to_string()));
    for _ in 0..2 {
        apply(&program).await;
    }
    assert_eq!((api.calls().len(), stage(&network).await.as_str()), (1, "failed"));
    assert!(events(&program, "stage.written").await.is_empty());
    in_state(&program, "UPDATE written_stage SET at = at - 120000").await;
    let body = json!({"code": "wu_rest_domain", "message": "Something went wrong (Code 2)."});
    api.on_put(Put::Answer(500, body.to_string()));
    apply(&program).await;
    let [event] = &events(&program, "stage.not_written").await[..] else { panic!() };
    assert!(event["reason"].as_str().unwrap().contains("wordpress.url"), "{event}");
}

#[tokio::test]
async fn what_fails_for_all_rows_is_one_warning_with_its_remedy() {
    let refused = json!({"code": "rest_forbidden", "message": "Sorry", "data": {"status": 401}});
    let no_route = json!({"code": "rest_no_route", "message": "No route", "data": {"status": 404}});
    for (put, remedy) in [
        (Put::Answer(401, refused.to_string()), "Refresh API Credentials"),
        (Put::Answer(404, no_route.to_string()), "REST API is off; switch it on"),
        (Put::Answer(200, "<html>".to_owned()), "set wordpress.url"),
    ] {
        let (network, api, closte, program) = by_rest().await;
        closte.put(["beta.test"]);
        network
            .sql(
                "INSERT INTO wp_wu_domain_mappings (id, blog_id, domain, active, stage) VALUES
                 (41, 5, 'beta.test', 1, 'failed')",
            )
            .await;
        seen_good(&program, 2).await;
        api.on_put(put);
        let program = program.with("CLOSTE_SYNC__LOG__FILTER", "trace");
        let done = apply(&program).await;
        let warnings: Vec<&str> = done.err.lines().filter(|line| line.contains("WARN")).collect();
        let [warning] = &warnings[..] else { panic!("{done:?}") };
        assert!(
            warning.contains("wordpress.stages_failed") && warning.contains(remedy),
            "{warning}"
        );
        // The pair, and the beginning of its Base64.
        for secret in ["m4rkerKq7", "m4rkerPa5", "bTRya2VyS3E3"] {
            assert!(!format!("{done:?}").contains(secret), "{done:?}");
        }
        // The page is asked for at both addresses.
        assert!(api.calls().len() <= 2, "{:?}", api.calls());
        assert_eq!(stage(&network).await, "failed");
        // It is tried again, and nothing is in the way.
        api.on_put(Put::Save);
        apply(&program).await;
        assert_eq!(stage(&network).await, "done");
    }
}

#[tokio::test]
async fn without_a_method_nothing_is_written_and_the_remedy_is_reported() {
    let (network, _closte, program) = place().await;
    seen_good(&program, 2).await;
    let done = apply(&program).await;
    assert!(done.err.contains("wordpress.stages_failed"), "{done:?}");
    assert!(done.err.contains("Refresh API Credentials"), "{done:?}");
    assert_eq!(stage(&network).await, "failed");
    let plan = program.run(&["plan"]).await.out;
    assert!(
        plan.contains("! alpha.test  stage failed: the plugin's REST API has no key pair"),
        "{plan}"
    );
    let doctor = program.run(&["doctor"]).await.out;
    assert!(doctor.contains("warning stages ") && doctor.contains("Refresh API"), "{doctor}");
    // A content folder that holds the plugin and no object cache makes SQL a way.
    let config = program.file("wp-config.php", "<?php $table_prefix = 'wp_';");
    let folder = std::path::Path::new(&config).parent().unwrap().join("wp-content");
    std::fs::create_dir_all(folder.join("plugins/ultimate-multisite")).unwrap();
    let program = program.with("CLOSTE_SYNC__WORDPRESS__CONFIG_FILE", &config);
    apply(&program).await;
    assert_eq!(stage(&network).await, "done");
}

#[tokio::test]
async fn without_the_right_the_grant_is_reported_and_sufficient() {
    let (network, _closte, program) = by_sql().await;
    network.forbid_stages().await;
    seen_good(&program, 2).await;
    let done = apply(&program).await;
    assert!(done.err.contains("GRANT UPDATE (stage, secure, date_modified) ON"), "{done:?}");
    let doctor = program.run(&["doctor"]).await.out;
    let line = doctor.lines().find(|line| line.contains(" stages ")).unwrap();
    let (_, grant) = line.split_once("run: ").unwrap();
    let (grant, _) = grant.split_once(" (or set").unwrap();
    network.sql(grant).await;
    apply(&program).await;
    assert_eq!(stage(&network).await, "done");
}

#[tokio::test]
async fn doctor_tests_the_key_pair() {
    let (network, api, _closte, program) = by_rest().await;
    let doctor = program.run(&["doctor"]).await.out;
    assert!(doctor.contains("ok      stages     written by the plugin's REST API"), "{doctor}");
    assert_eq!(api.calls(), ["POST /wp-json/wu/v2/auth"]);
    network.sql(&settings("another-key-of-24-letters", "another-secret-of-24-lett")).await;
    let doctor = program.run(&["doctor"]).await.out;
    assert!(doctor.contains("warning stages ") && doctor.contains("key pair"), "{doctor}");
    assert!(!doctor.contains("another-"), "{doctor}");
}

#[tokio::test]
async fn in_sqlite_a_stage_is_written_as_well() {
    let (network, closte, program) = ends(&["alpha.test"]).await;
    closte.put(["alpha.test"]);
    network.sql(&settings("", "")).await;
    let program = program.with("CLOSTE_SYNC__WORDPRESS__WRITE_STAGE", "database");
    seen_good(&program, 2).await;
    apply(&program).await;
    let rows = network.source(None).row_facts(1, &[1]).await.unwrap();
    assert_eq!(rows[0].stage, Some(Stage::Done));
    assert_eq!(events(&program, "stage.written").await.len(), 1);
}

/// What a visitor of the practice WordPress gets.
async fn visit(outside: &Outside, host: &str) -> u16 {
    client();
    let no_redirects = reqwest::redirect::Policy::none();
    let client = reqwest::Client::builder().no_proxy().redirect(no_redirects).build().unwrap();
    let url = format!("http://{SERVER}:{}/", outside.tls.plain_port());
    client.get(url).header("host", host).send().await.unwrap().status().as_u16()
}

/// The daemon sees a domain work that the plugin gave up, and its visitors get the site.
async fn becomes_served(method: &str, object_cache: bool) {
    let (network, _closte, program) = place().await;
    network.sql(&settings("Kq7ZrXw3Tn9LmB4vYc8DfHs2", "Pa5WxNe6JuRk1GtQz0MiSd7o")).await;
    let outside = Outside::start().await;
    let wordpress = WordPress::open(&network.administrator_url()).unwrap();
    wordpress.change(|habits| habits.object_cache = object_cache);
    outside.tls.install(wordpress);
    outside.point(&["alpha.test", "network.example"]);
    outside.tls.show("alpha.test", Face::Valid(60)).unwrap();
    assert_eq!(visit(&outside, "alpha.test").await, 302);
    let daemon = outside
        .around(program.clone())
        .with(
            "CLOSTE_SYNC__WORDPRESS__URL",
            &format!("http://{SERVER}:{}", outside.tls.plain_port()),
        )
        .with("CLOSTE_SYNC__WORDPRESS__WRITE_STAGE", method)
        .start_daemon();
    eventually("it is served", async || visit(&outside, "alpha.test").await == 200).await;
    daemon.logs("stage.written").await;
    assert_eq!(daemon.stop().await, 0);
    let [event] = &events(&program, "stage.written").await[..] else { panic!() };
    assert_eq!(event["by"], method, "{event}");
}

#[tokio::test]
async fn a_domain_that_works_becomes_served_by_rest() {
    becomes_served("rest", true).await;
}

#[tokio::test]
async fn a_domain_that_works_becomes_served_by_sql() {
    becomes_served("database", false).await;
}
