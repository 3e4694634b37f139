//! Missing domain records, through the real program and MariaDB.

use closte_sync::simulator::{Call, Fault, Simulator, Target};
use serde_json::Value;
use sqlx::{ConnectOptions as _, Executor as _, sqlite::SqliteConnectOptions};

use crate::support::{Finished, KEY, Network, Program};

/// A network on network.example with its main site, and site 5, which has no record.
async fn network(more: &str) -> (Network, Simulator, Program) {
    let network = Network::empty_mariadb().await;
    network.sql(include_str!("../data/network.sql")).await;
    network
        .sql(&format!(
            "INSERT INTO wp_site (id, domain, path) VALUES (1, 'network.example', '/');
             INSERT INTO wp_blogs (blog_id, site_id, domain, path) VALUES
               (1, 1, 'network.example', '/'), (5, 1, 'alpha.network.example', '/');
             INSERT INTO wp_wu_domain_mappings (blog_id, domain) VALUES (99, 'mapped.example');
             {more}"
        ))
        .await;
    network.allow_records().await;
    let closte = Simulator::start(KEY).await.unwrap();
    let program = Program::new(&network, &closte);
    (network, closte, program)
}

/// The sites whose record was written.
async fn recorded(network: &Network) -> Vec<(i64, String)> {
    let read = network.source(None).read().await.unwrap();
    let rows = read.mappings().filter(|row| row.blog_id != 99);
    rows.map(|row| (row.blog_id, row.domain.to_string())).collect()
}

/// Enough cycles to write a record, and one more.
async fn cycles(program: &Program) -> Finished {
    for _ in 0..3 {
        program.run(&["apply"]).await;
    }
    program.run(&["apply"]).await
}

async fn decisions(program: &Program) -> Vec<(i64, String)> {
    let plan = program.run(&["plan", "--json"]).await.json();
    let decision = |one: &Value| {
        (one["blog_id"].as_i64().unwrap(), one["decision"].as_str().unwrap().to_owned())
    };
    plan["no_records"].as_array().unwrap().iter().map(decision).collect()
}

fn alpha() -> (i64, String) {
    (5, "alpha.network.example".to_owned())
}

/// These sites never get a record, for these reasons, and site 5 gets one.
async fn assert_none_but_alpha(more: &str, reasons: &[(i64, &str)]) {
    let (network, _closte, program) = network(more).await;
    cycles(&program).await;
    assert_eq!(recorded(&network).await, [alpha()], "{more}");
    let reasons: Vec<_> = reasons.iter().map(|(site, word)| (*site, (*word).to_owned())).collect();
    assert_eq!(decisions(&program).await, reasons, "{more}");
}

#[tokio::test]
async fn a_host_that_sites_share_by_paths_gets_no_record() {
    assert_none_but_alpha(
        "INSERT INTO wp_blogs (blog_id, site_id, domain, path) VALUES
           (2, 1, 'example.com', '/alice/'), (3, 1, 'example.com', '/bob/')",
        &[(2, "other-path"), (3, "other-path")],
    )
    .await;
    assert_none_but_alpha(
        "INSERT INTO wp_blogs (blog_id, site_id, domain, path) VALUES
           (2, 1, 'a.network.example', '/'), (3, 1, 'a.network.example', '/x/')",
        &[(2, "shared-domain"), (3, "other-path")],
    )
    .await;
}

#[tokio::test]
async fn a_record_is_written_in_lower_case() {
    let more =
        "INSERT INTO wp_blogs (blog_id, site_id, domain, path) VALUES (2, 1, 'Shop.Example', '/')";
    let (network, _closte, program) = network(more).await;
    cycles(&program).await;
    let written = network.text("SELECT domain FROM wp_wu_domain_mappings WHERE blog_id = 2").await;
    assert_eq!(written, "shop.example");
}

#[tokio::test]
async fn the_own_domain_of_a_site_stays_when_the_site_gets_another_row_or_moves() {
    let more =
        "INSERT INTO wp_blogs (blog_id, site_id, domain, path) VALUES (2, 1, 'moves.example', '/')";
    let (network, closte, program) = network(more).await;
    // No record is written yet.
    let program = program.with("CLOSTE_SYNC__SYNC__RECORD_GRACE", "10m");
    program.run(&["apply"]).await;
    network
        .sql(
            "INSERT INTO wp_wu_domain_mappings (blog_id, domain) VALUES (5, 'custom.example');
             INSERT INTO wp_site (id, domain, path) VALUES (2, 'second.example', '/');
             UPDATE wp_blogs SET site_id = 2 WHERE blog_id = 2",
        )
        .await;
    let last = cycles(&program).await;
    let expected = ["alpha.network.example", "custom.example", "mapped.example", "moves.example"];
    assert_eq!(closte.domains(), expected, "{last:?}");
    let plan = program.run(&["plan"]).await.out;
    for name in ["alpha.network.example", "moves.example"] {
        assert!(plan.lines().any(|line| line.contains(name) && line.contains("held: ")), "{plan}");
    }
    // The name of a deleted row is removed, as by the plugin.
    network.sql("DELETE FROM wp_wu_domain_mappings WHERE blog_id = 5").await;
    cycles(&program).await;
    assert!(!closte.domains().contains(&"custom.example".to_owned()));
}

#[tokio::test]
async fn no_main_site_gets_a_record() {
    assert_none_but_alpha(
        "UPDATE wp_site SET domain = 'www.network.example'",
        &[(1, "network-domain")],
    )
    .await;
    assert_none_but_alpha(
        "INSERT INTO wp_blogs (blog_id, site_id, domain, path) VALUES (2, 1, 'main.example', '/');
         INSERT INTO wp_sitemeta (site_id, meta_key, meta_value) VALUES (1, 'main_site', '2')",
        &[(2, "main-site")],
    )
    .await;

    let (network, _closte, program) =
        network("UPDATE wp_blogs SET domain = 'live.example' WHERE blog_id = 1").await;
    let said = "<?php $table_prefix = 'wp_'; define('DOMAIN_CURRENT_SITE', 'live.example');";
    let said = program.file("wp-config.php", said);
    let program = program.with("CLOSTE_SYNC__WORDPRESS__CONFIG_FILE", &said);
    cycles(&program).await;
    assert_eq!(recorded(&network).await, [alpha()]);
    assert_eq!(decisions(&program).await, [(1, "network-domain".to_owned())]);
}

#[tokio::test]
async fn during_a_manual_rename_no_site_gets_a_record() {
    const SITES: &str =
        "UPDATE wp_blogs SET domain = REPLACE(domain, 'network.example', 'new.example')";
    const NETWORK: &str = "UPDATE wp_site SET domain = 'new.example'";
    for [first, second] in [[SITES, NETWORK], [NETWORK, SITES]] {
        let (network, _closte, program) = network("").await;
        // The time before the rename does not count.
        program.run(&["apply"]).await;
        program.run(&["apply"]).await;
        network.sql(first).await;
        let applied = cycles(&program).await;
        assert_eq!(recorded(&network).await, [], "{first}");
        assert!(decisions(&program).await.iter().all(|(_, why)| why == "main-site-unknown"));
        let log = program.run(&["events"]).await;
        assert!(log.out.contains("record.not_created"), "{applied:?} {log:?}");
        network.sql(second).await;
        program.run(&["apply"]).await;
        program.run(&["apply"]).await;
        assert_eq!(recorded(&network).await, [], "{second}");
        program.run(&["apply"]).await;
        assert_eq!(recorded(&network).await, [(5, "alpha.new.example".to_owned())]);
    }
}

#[tokio::test]
async fn a_deleted_record_is_written_again_only_by_name() {
    let (network, closte, program) = network("").await;
    cycles(&program).await;
    assert_eq!(recorded(&network).await, [alpha()]);
    network.sql("DELETE FROM wp_wu_domain_mappings WHERE blog_id = 5").await;
    cycles(&program).await;
    assert_eq!(recorded(&network).await, []);
    assert_eq!(decisions(&program).await, [(5, "taken-back".to_owned())]);
    assert!(closte.domains().contains(&alpha().1), "its site still exists");
    let plan = program.run(&["plan"]).await;
    assert!(plan.out.contains("apply --create-record"), "{plan:?}");

    let asked = program.run(&["apply", "--create-record", "alpha.network.example"]).await;
    assert_eq!(recorded(&network).await, [alpha()], "{asked:?}");
    assert!(asked.status == 0 && asked.out.contains("1 domain records written"), "{asked:?}");
    let created = program.run(&["events", "alpha.network.example"]).await;
    assert_eq!(created.out.matches("record.created").count(), 2, "{created:?}");
}

#[tokio::test]
async fn a_deleted_record_of_the_plugin_is_not_replaced() {
    let (network, closte, program) = network(
        "INSERT INTO wp_blogs (blog_id, site_id, domain, path) VALUES (6, 1, 'b.network.example', '/');
         INSERT INTO wp_wu_domain_mappings (blog_id, domain)
           VALUES (5, 'alpha.network.example'), (6, 'b.network.example')",
    )
    .await;
    program.run(&["apply"]).await;
    let delete = |site| format!("DELETE FROM wp_wu_domain_mappings WHERE blog_id = {site}");
    // While its site is archived.
    let archived =
        |is_archived: u8| format!("UPDATE wp_blogs SET archived = {is_archived} WHERE blog_id = 6");
    network.sql(&format!("{}; {}", archived(1), delete(6))).await;
    cycles(&program).await;
    network.sql(&archived(0)).await;
    // While Closte fails.
    closte.fail(Target::Everything, Fault::Status(503));
    network.sql(&delete(5)).await;
    cycles(&program).await;
    closte.heal();
    cycles(&program).await;
    assert_eq!(recorded(&network).await, []);
    let taken_back = |site| (site, "taken-back".to_owned());
    assert_eq!(decisions(&program).await, [taken_back(5), taken_back(6)]);
    assert_eq!(closte.domains().len(), 3, "their sites still exist");
    let plan = program.run(&["plan"]).await;
    assert!(plan.status == 0 && plan.out.contains("somebody deleted it"), "{plan:?}");
    program.run(&["apply", "--create-record", "alpha.network.example"]).await;
    assert_eq!(recorded(&network).await, [alpha()]);
}

#[tokio::test]
async fn by_name_a_record_is_written_immediately_if_the_plugin_would_have_written_it() {
    let (network, _closte, program) = network(
        "INSERT INTO wp_blogs (blog_id, site_id, domain, path) VALUES (2, 1, 'a.example', '/x/')",
    )
    .await;
    let program = program
        .with("CLOSTE_SYNC__SYNC__RECORD_GRACE", "1h")
        .with("CLOSTE_SYNC__WORDPRESS__CREATE_DOMAIN_RECORDS", "false");
    for (domain, reason) in [
        ("a.example", "its path is not the network's"),
        ("network.example", "it is the network's own domain"),
        ("mapped.example", "the domain table has it, for site 99"),
        ("nobody.example", "no site without a domain record has this domain"),
    ] {
        let refused = program.run(&["apply", "--create-record", domain]).await;
        let line = format!("no domain record for {domain}: {reason}");
        assert!(refused.status == 3 && refused.out.contains(&line), "{refused:?}");
    }
    let excluding = program.clone().with("CLOSTE_SYNC__SYNC__EXCLUDE", "alpha.network.example");
    let refused = excluding.run(&["apply", "--create-record", "alpha.network.example"]).await;
    assert!(refused.status == 3 && refused.out.contains("sync.exclude"), "{refused:?}");
    assert_eq!(recorded(&network).await, []);
    let written = program.run(&["apply", "--create-record", "alpha.network.example"]).await;
    assert_eq!(recorded(&network).await, [alpha()], "{written:?}");
    let other = Program::bare().run(&["apply", "--create-record", "no name"]).await;
    assert_eq!(other.status, 64, "{other:?}");
}

#[tokio::test]
async fn no_record_is_written_early_switched_off_or_excluded() {
    for (setting, value, word) in [
        ("CLOSTE_SYNC__SYNC__RECORD_GRACE", "1h", "not-yet"),
        ("CLOSTE_SYNC__WORDPRESS__CREATE_DOMAIN_RECORDS", "false", "switched-off"),
        ("CLOSTE_SYNC__SYNC__EXCLUDE", "*.network.example", "excluded"),
    ] {
        let (network, closte, program) = network("").await;
        let program = program.with(setting, value);
        cycles(&program).await;
        assert_eq!(recorded(&network).await, [], "{setting}");
        assert_eq!(decisions(&program).await, [(5, word.to_owned())]);
        // The site's domain is desired without a record, too.
        assert_eq!(closte.domains().contains(&alpha().1), word != "excluded");
    }
}

#[tokio::test]
async fn base_domains_get_no_record_and_unparsed_checkout_forms_stop_all_records() {
    const FORM: &str = r#"a:1:{i:0;a:2:{s:2:"id";s:4:"site";s:6:"fields";a:1:{i:0;a:2:{s:4:"type";s:8:"site_url";s:17:"available_domains";s:12:"base.example";}}}}"#;
    let (network, closte, program) = network(
        "INSERT INTO wp_blogs (blog_id, site_id, domain, path) VALUES (2, 1, 'base.example', '/')",
    )
    .await;
    network.sql("INSERT INTO wp_wu_forms (settings) VALUES ('half a form')").await;
    let applied = cycles(&program).await;
    assert_eq!(recorded(&network).await, []);
    assert!(
        closte.domains().contains(&"base.example".to_owned()),
        "it is still desired: {applied:?}"
    );
    let unknown = "base-domains-unknown";
    assert_eq!(decisions(&program).await, [(2, unknown.to_owned()), (5, unknown.to_owned())]);
    let events = program.run(&["events"]).await;
    assert_eq!(events.out.matches("record.not_created").count(), 4, "once per process: {events:?}");
    let doctor = program.run(&["doctor"]).await;
    assert!(doctor.out.contains("the checkout form 1 in wp_wu_forms"), "{doctor:?}");

    network.sql(&format!("UPDATE wp_wu_forms SET settings = '{FORM}'")).await;
    cycles(&program).await;
    assert_eq!(recorded(&network).await, [alpha()]);
    // The base domain is no longer desired, but a site still has it and it is managed, so it is kept.
    assert!(closte.domains().contains(&"base.example".to_owned()));
    let plan = program.run(&["plan", "--json"]).await.json();
    let held = plan["decisions"].as_array().unwrap().iter();
    let held: Vec<_> = held.filter(|one| one["decision"] == "held").collect();
    assert_eq!(
        (&held[0]["domain"], &held[0]["guard"]),
        (&"base.example".into(), &"carried".into())
    );
    let status = program.run(&["status", "base.example"]).await;
    assert!(status.out.contains("yes"), "{status:?}");
    assert_eq!(closte.count(Call::Remove), 0);
    network.sql("DELETE FROM wp_blogs WHERE blog_id = 2").await;
    program.run(&["apply"]).await;
    assert!(!closte.domains().contains(&"base.example".to_owned()), "no site has it any more");
}

#[tokio::test]
async fn an_unknown_domain_current_site_stops_records_and_is_reported() {
    let (network, _closte, program) = network("").await;
    let unknown = "<?php $table_prefix = 'wp_'; define('DOMAIN_CURRENT_SITE', f());";
    let unknown = program.file("wp-config.php", unknown);
    let program = program.with("CLOSTE_SYNC__WORDPRESS__CONFIG_FILE", &unknown);
    cycles(&program).await;
    assert_eq!(recorded(&network).await, []);
    let plan = program.run(&["plan"]).await;
    assert!(plan.out.contains("DOMAIN_CURRENT_SITE"), "{plan:?}");
    assert!(plan.out.contains("set wordpress.current_site"), "{plan:?}");
    let program = program.with("CLOSTE_SYNC__WORDPRESS__CURRENT_SITE", "network.example");
    cycles(&program).await;
    assert_eq!(recorded(&network).await, [alpha()]);
}

#[tokio::test]
async fn names_of_archived_spam_and_deleted_sites_are_kept_and_no_new_ones_added() {
    let old = "MODIFY archived enum('0','1') NOT NULL DEFAULT '0',
               MODIFY spam enum('0','1') NOT NULL DEFAULT '0',
               MODIFY deleted enum('0','1') NOT NULL DEFAULT '0'";
    let (network, closte, program) = network("").await;
    let program = program.with("CLOSTE_SYNC__WORDPRESS__CREATE_DOMAIN_RECORDS", "false");
    cycles(&program).await;
    assert_eq!(closte.domains(), ["alpha.network.example", "mapped.example"]);
    // The types in dumps of WordPress 3: all live sites remain live.
    let to_text = ["archived", "spam", "deleted"].map(|column| {
        format!("ALTER TABLE wp_blogs MODIFY {column} varchar(9) NOT NULL DEFAULT '0';")
    });
    network.sql(&format!("{} ALTER TABLE wp_blogs {old}", to_text.concat())).await;
    cycles(&program).await;
    assert_eq!(closte.count(Call::Remove), 0);
    for column in ["archived", "spam", "deleted"] {
        network.sql(&format!("UPDATE wp_blogs SET {column} = '1' WHERE blog_id = 5")).await;
        let applied = cycles(&program).await;
        assert!(!applied.err.contains("domain.unmapped"), "{applied:?}");
        // A name that Closte lost is added again.
        closte.take_away("alpha.network.example");
        cycles(&program).await;
        assert_eq!(closte.domains(), ["alpha.network.example", "mapped.example"], "{column}");
        network.sql(&format!("UPDATE wp_blogs SET {column} = '0' WHERE blog_id = 5")).await;
    }
    network
        .sql("INSERT INTO wp_blogs (blog_id, site_id, domain, path, archived) VALUES (6, 1, 'old.example', '/', '1')")
        .await;
    let program = program.with("CLOSTE_SYNC__WORDPRESS__CREATE_DOMAIN_RECORDS", "true");
    cycles(&program).await;
    assert_eq!(recorded(&network).await, [alpha()]);
    assert!(!closte.domains().contains(&"old.example".to_owned()), "it was never desired");
    assert_eq!(decisions(&program).await, [(6, "gone".to_owned())]);
}

#[tokio::test]
async fn a_crash_between_the_note_and_the_record_writes_no_second_record() {
    let (network, _closte, program) = network("").await;
    program.run(&["apply"]).await;
    // The note of a write whose outcome is unknown.
    let note = "INSERT INTO written_record VALUES (1, 5, 'alpha.network.example', 0, 0)";
    let options = SqliteConnectOptions::new().filename(program.state_path());
    options.connect().await.unwrap().execute(note).await.unwrap();
    cycles(&program).await;
    assert_eq!(recorded(&network).await, []);
    let plan = program.run(&["plan"]).await;
    assert!(plan.out.contains("writing it was begun"), "{plan:?}");
    // It was written nevertheless, which is reported once.
    network
        .sql("INSERT INTO wp_wu_domain_mappings (blog_id, domain) VALUES (5, 'alpha.network.example')")
        .await;
    cycles(&program).await;
    let events = program.run(&["events", "alpha.network.example"]).await;
    assert_eq!(events.out.matches("record.created").count(), 1, "{events:?}");
}

#[tokio::test]
async fn a_plan_of_many_sites_without_records_is_short() {
    let (network, _closte, program) = network(
        "INSERT INTO wp_blogs (blog_id, site_id, domain, path)
         SELECT 100 + seq, 1, CONCAT('host', seq MOD 50, '.example'), CONCAT('/', seq, '/')
         FROM seq_1_to_3000",
    )
    .await;
    let plan = program.run(&["plan"]).await;
    assert!(plan.out.lines().count() < 40, "{plan:?}");
    assert!(
        plan.out.contains("! no domain record for 2981 more sites: 2981 other-path"),
        "{plan:?}"
    );
    assert_eq!(decisions(&program).await.len(), 3001);
    assert_eq!(recorded(&network).await, []);
}
