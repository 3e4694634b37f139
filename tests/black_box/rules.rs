//! The rules of what may never happen, through the real program.

use std::time::Duration;

use closte_sync::simulator::{Call, Fault, Shape, Simulator, Target};
use serde_json::json;

use crate::support::{KEY, Network, Program, ends, eventually};

/// Two cycles: one that acts, and one that confirms the result.
async fn two_cycles(program: &Program) {
    program.run(&["apply"]).await;
    let second = program.run(&["apply"]).await;
    assert_eq!(second.status, 0, "{second:?}");
}

fn numbered(number: usize) -> Vec<String> {
    (0..number).map(|index| format!("shop{index:02}.example")).collect()
}

#[tokio::test]
async fn rule_1_an_unmanaged_name_is_never_removed() {
    let (network, closte, program) = ends(&["a.example", "b.example", "c.example"]).await;
    closte.put(["mail.elsewhere.example", "*.elsewhere.example"]);
    two_cycles(&program).await;
    network.unmap("a.example").await;
    two_cycles(&program).await;
    let left = ["*.elsewhere.example", "b.example", "c.example", "mail.elsewhere.example"];
    assert_eq!(closte.domains(), left);
    assert!(!closte.requests().iter().any(|request| {
        request.call == Call::Remove && request.domain.as_deref() != Some("a.example")
    }));
}

#[tokio::test]
async fn rule_1_another_key_has_a_ledger_of_its_own() {
    let (network, closte, program) = ends(&["a.example", "b.example", "c.example"]).await;
    two_cycles(&program).await;
    network.unmap("a.example").await;
    closte.set_key("another-key");
    let program = program.with("CLOSTE_CLIENT_API_KEY", "another-key");
    let applied = program.run(&["apply"]).await;
    assert!(applied.err.contains("ledger.started network=\"agency.example (1)\" left_behind=3"));
    assert!(applied.err.contains("ledger.adopted domains=2"), "{applied:?}");
    two_cycles(&program).await;
    assert_eq!(
        closte.domains(),
        ["a.example", "b.example", "c.example"],
        "a is unmanaged for this key"
    );
    network.unmap("b.example").await;
    two_cycles(&program).await;
    assert_eq!(closte.domains(), ["a.example", "c.example"]);
}

#[tokio::test]
async fn rule_1_another_network_has_a_ledger_of_its_own() {
    let (_network, closte, program) = ends(&["a.example", "b.example", "c.example"]).await;
    two_cycles(&program).await;
    let other = Network::with_domains(&["d.example"]).await;
    other.sql("UPDATE wp_site SET domain = 'other.example'").await;
    let program = program.with("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", &other.url);
    let applied = program.run(&["apply"]).await;
    assert!(applied.err.contains("network=\"other.example (1)\" left_behind=3"), "{applied:?}");
    two_cycles(&program).await;
    assert_eq!(closte.domains(), ["a.example", "b.example", "c.example", "d.example"]);
}

#[tokio::test]
async fn rule_1_a_network_whose_domain_changes_keeps_its_ledger() {
    let (network, closte, program) = ends(&["a.example", "b.agency.example", "c.example"]).await;
    two_cycles(&program).await;
    // A change of letter case only is no change.
    network.sql("UPDATE wp_site SET domain = 'AGENCY.example'").await;
    let applied = program.run(&["apply"]).await;
    assert!(!applied.err.contains("ledger."), "{applied:?}");
    // Without a mapping it is uncertain which network it is: nothing is done, and nothing forgotten.
    network
        .sql(
            "CREATE TABLE away AS SELECT * FROM wp_wu_domain_mappings;
             DELETE FROM wp_wu_domain_mappings;
             UPDATE wp_site SET domain = 'New.example'; UPDATE wp_blogs SET domain = 'new.example'",
        )
        .await;
    for command in ["apply", "plan"] {
        let finished = program.run(&[command]).await;
        assert_eq!(finished.status, 1, "{finished:?}");
        assert!(finished.err.contains("was agency.example and is New.example now"), "{finished:?}");
    }
    // A subdomain of the old domain is one of the new domain now, and a name is missing: it is the same.
    network
        .sql(
            "INSERT INTO wp_wu_domain_mappings SELECT * FROM away;
             UPDATE wp_wu_domain_mappings SET domain = 'b.new.example' WHERE domain LIKE 'b.%';
             DELETE FROM wp_wu_domain_mappings WHERE domain = 'a.example'",
        )
        .await;
    let plan = program.run(&["plan"]).await;
    assert!(plan.out.contains("a.example") && plan.status == 2, "{plan:?}");
    let applied = program.run(&["apply"]).await;
    let renamed = "ledger.network_renamed from=\"agency.example (1)\" to=\"new.example (1)\"";
    assert!(applied.err.contains(renamed), "{applied:?}");
    assert!(!applied.err.contains("ledger.started"), "{applied:?}");
    program.run(&["apply", "--allow-removals"]).await;
    two_cycles(&program).await;
    assert_eq!(closte.domains(), ["b.new.example", "c.example"]);
    // And back.
    network.sql("UPDATE wp_site SET domain = 'agency.example'").await;
    let applied = program.run(&["apply"]).await;
    assert!(applied.err.contains("ledger.network_renamed from=\"new.example (1)\""), "{applied:?}");
}

#[tokio::test]
async fn rule_2_a_source_that_cannot_be_read_removes_nothing() {
    let (network, closte, program) = ends(&["a.example", "b.example"]).await;
    two_cycles(&program).await;
    for damage in [
        "ALTER TABLE wp_wu_domain_mappings RENAME TO away",
        "ALTER TABLE wp_blogs RENAME TO away_too",
        "DELETE FROM wp_site",
    ] {
        network.sql(damage).await;
        assert_eq!(program.run(&["apply"]).await.status, 1);
    }
    let nowhere = program.with("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", "sqlite:/no/such.sqlite");
    assert_eq!(nowhere.run(&["apply"]).await.status, 1);
    assert_eq!(closte.domains(), ["a.example", "b.example"]);
    assert_eq!(closte.count(Call::Remove), 0);
}

#[tokio::test]
async fn rule_2_an_empty_table_removes_nothing_not_even_the_only_name() {
    let (network, closte, program) = ends(&["only.example"]).await;
    two_cycles(&program).await;
    network.unmap("only.example").await;
    let held = program.run(&["apply"]).await;
    assert_eq!((held.status, closte.count(Call::Remove)), (3, 0));
    assert!(held.out.contains("the domain table is empty"), "{held:?}");
    assert_eq!(program.run(&["apply", "--allow-removals"]).await.status, 0);
    assert_eq!(closte.domains(), Vec::<String>::new());
}

#[tokio::test]
async fn rule_2_an_incompletely_parsed_list_removes_nothing_and_stops_no_addition() {
    let (network, closte, program) = ends(&["a.example", "b.example", "c.example"]).await;
    two_cycles(&program).await;
    network.unmap("a.example").await;
    network.map("new.example").await;
    closte.set_shape(Shape::With(vec![json!({"unheard": "of"})]));
    let held = program.run(&["apply"]).await;
    assert_eq!((held.status, closte.count(Call::Remove)), (3, 0));
    assert!(closte.domains().contains(&"new.example".to_owned()));
    let daemon = program.start_daemon();
    daemon.logs("closte.list_incomplete elements=1 example=").await;
    closte.set_shape(Shape::Texts);
    daemon.logs("closte.list_complete").await;
    eventually("a is removed", async || {
        closte.domains() == ["b.example", "c.example", "new.example"]
    })
    .await;
}

#[tokio::test]
async fn rule_2_lost_names_are_added_again_only_after_two_lists() {
    let names = numbered(20);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (_network, closte, program) = ends(&names).await;
    two_cycles(&program).await;
    let empty = Fault::Body(r#"{"success": true, "domains": []}"#.to_owned());
    closte.fail(Target::Only(Call::List), empty);
    let missing = program.run(&["apply"]).await;
    assert_eq!((missing.status, closte.count(Call::Add)), (3, 20), "{missing:?}");
    assert!(missing.out.contains(", 20 missing"), "{missing:?}");
    assert!(!missing.err.contains("WARN"), "{missing:?}");
    let status = program.run(&["status"]).await;
    assert!(status.out.contains("20 missing from Closte's last list"), "{status:?}");
    let plan = program.run(&["plan"]).await;
    assert_eq!(plan.status, 2, "{plan:?}");
    closte.heal();
    let healed = program.run(&["apply"]).await;
    assert_eq!((healed.status, closte.count(Call::Add)), (0, 20), "{healed:?}");

    for name in &names {
        closte.take_away(name);
    }
    assert_eq!(program.run(&["apply"]).await.status, 3);
    assert_eq!(closte.count(Call::Add), 20);
    let restored = program.run(&["apply"]).await;
    assert_eq!((restored.status, closte.domains().len()), (0, 20), "{restored:?}");
    let log = &restored.err;
    assert!(log.contains("WARN  sync.domains_lost domains=20 examples=\"shop00.example,"), "{log}");
    assert!(log.contains("INFO  sync.domains_restored domains=20"), "{log}");
    assert!(!log.contains("domain.lost") && !log.contains("domain.added"), "{log}");
    let events = program.run(&["events", "shop07.example"]).await;
    for event in ["domain.lost shop07.example", "domain.added shop07.example"] {
        assert!(events.out.contains(event), "{events:?}");
    }

    two_cycles(&program).await;
    closte.take_away(names[3]);
    program.run(&["apply"]).await;
    let restored = program.run(&["apply"]).await;
    assert!(restored.err.contains("WARN  domain.lost domain=shop03.example"), "{restored:?}");
    assert!(restored.err.contains("INFO  domain.added domain=shop03.example"), "{restored:?}");
}

#[tokio::test]
async fn rule_2_an_invalid_list_removes_nothing() {
    let (network, closte, program) = ends(&["a.example", "b.example", "c.example"]).await;
    two_cycles(&program).await;
    network.unmap("a.example").await;
    let body = |text: &str| Fault::Body(text.to_owned());
    for fault in [
        body(r#"{"success": true, "domains": ["a.example", "b.exam"#),
        body(r#"{"success": true, "domains": null}"#),
        body(r#"{"success": true}"#),
        body(r#"{"success": true, "domains": "a.example"}"#),
        body(r#"{"success": false, "domains": ["a.example"]}"#),
        body("<html>Maintenance</html>"),
        body(""),
        Fault::Status(404),
        Fault::Reset,
    ] {
        closte.heal();
        closte.fail(Target::Only(Call::List), fault.clone());
        let applied = program.run(&["apply"]).await;
        assert_ne!(applied.status, 0, "{fault:?}: {applied:?}");
        assert_eq!(closte.count(Call::Remove), 0, "{fault:?}");
    }
    closte.heal();
    two_cycles(&program).await;
    assert_eq!(closte.domains(), ["b.example", "c.example"]);
}

#[tokio::test]
async fn rule_3_many_names_are_removed_only_with_allow_removals() {
    let names = numbered(12);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (network, closte, program) = ends(&names).await;
    two_cycles(&program).await;
    network.sql("DELETE FROM wp_wu_domain_mappings WHERE domain < 'shop04'").await;
    let held = program.run(&["apply"]).await;
    assert_eq!((held.status, closte.count(Call::Remove)), (3, 0), "{held:?}");
    assert!(held.out.contains("4 of 12 managed names would be removed"), "{held:?}");
    let plan = program.run(&["plan"]).await;
    assert_eq!(plan.status, 2);
    assert!(plan.out.contains("apply --allow-removals"), "{plan:?}");

    let allowed = program.run(&["apply", "--allow-removals"]).await;
    assert_eq!((allowed.status, closte.domains().len()), (0, 8), "{allowed:?}");
    two_cycles(&program).await;
    network.sql("DELETE FROM wp_wu_domain_mappings WHERE domain < 'shop06'").await;
    two_cycles(&program).await;
    assert_eq!(closte.domains().len(), 6, "two of eight is no mass removal");
}

#[tokio::test]
async fn rule_3_the_daemon_reports_held_removals_and_how_to_allow_them() {
    let (network, closte, program) = ends(&["a.example", "b.example"]).await;
    two_cycles(&program).await;
    network.sql("UPDATE wp_wu_domain_mappings SET domain = 'new.' || domain").await;
    network
        .sql("INSERT INTO wp_wu_domain_mappings (blog_id, domain) VALUES (1, 'x.example')")
        .await;
    network.sql("DELETE FROM wp_wu_domain_mappings WHERE domain LIKE 'new.%'").await;
    network.sql("DELETE FROM wp_wu_domain_mappings WHERE domain = 'x.example'").await;
    let daemon = program.start_daemon();
    daemon.logs("sync.removals_held domains=2 managed=2").await;
    assert!(daemon.log().contains("closte-sync apply --allow-removals"));
    let allowed = program.run(&["apply", "--allow-removals"]).await;
    assert_eq!(allowed.status, 0, "beside the daemon: {allowed:?}");
    daemon.logs("sync.removals_released").await;
    assert_eq!(closte.domains(), Vec::<String>::new());
}

#[tokio::test]
async fn rule_4_a_name_that_is_unmapped_only_briefly_is_kept() {
    let (network, closte, program) = ends(&["a.example", "b.example", "c.example"]).await;
    let program = program.with("CLOSTE_SYNC__SYNC__REMOVAL_GRACE", "1h");
    two_cycles(&program).await;
    network.unmap("a.example").await;
    let applied = program.run(&["apply"]).await;
    assert_eq!(applied.status, 3, "{applied:?}");
    assert!(applied.err.contains("domain.unmapped domain=a.example"), "{applied:?}");
    network.map("a.example").await;
    let applied = program.run(&["apply"]).await;
    assert!(applied.err.contains("domain.mapped_again domain=a.example"), "{applied:?}");
    assert_eq!((applied.status, closte.count(Call::Remove)), (0, 0));
}

#[tokio::test]
async fn rule_5_the_networks_own_names_and_kept_ones_are_never_removed() {
    let all = ["agency.example", "keep.shop.example", "a.example", "b.example", "c.example"];
    let (network, closte, program) = ends(&all).await;
    let program = program.with("CLOSTE_SYNC__SYNC__KEEP", "*.shop.example");
    two_cycles(&program).await;
    assert_eq!(closte.domains().len(), 5);
    network.unmap("agency.example").await;
    network.unmap("keep.shop.example").await;
    let applied = program.run(&["apply", "--allow-removals"]).await;
    assert_eq!((applied.status, closte.count(Call::Remove)), (0, 0), "{applied:?}");
    let plan = program.run(&["plan"]).await;
    assert!(plan.out.contains("held: it is the network's own name"), "{plan:?}");
    assert!(plan.out.contains("held: it matches sync.keep"), "{plan:?}");
}

#[tokio::test]
async fn rule_5_names_of_wp_config_and_main_sites_are_kept_with_and_without_www() {
    let own = [
        "agency.example",
        "www.agency.example",
        "live.example",
        "www.live.example",
        "main.example",
        "www.main.example",
    ];
    let (network, closte, program) = ends(&own).await;
    let program = program.with("CLOSTE_SYNC__WORDPRESS__CURRENT_SITE", "Live.example");
    network
        .sql(
            "INSERT INTO wp_blogs (blog_id, site_id, domain, path) VALUES (2, 1, 'main.example', '/');
             INSERT INTO wp_sitemeta (site_id, meta_key, meta_value) VALUES (1, 'main_site', '2')",
        )
        .await;
    network.map("stays.example").await;
    two_cycles(&program).await;
    network.sql("DELETE FROM wp_wu_domain_mappings WHERE domain <> 'stays.example'").await;
    let applied = program.run(&["apply", "--allow-removals"]).await;
    assert_eq!((applied.status, closte.count(Call::Remove)), (0, 0), "{applied:?}");
    let plan = program.run(&["plan"]).await;
    assert_eq!(plan.out.matches("held: it is the network's own name").count(), 6, "{plan:?}");
}

#[tokio::test]
async fn rule_6_a_crash_in_the_middle_of_a_call_forgets_no_name() {
    let (network, closte, program) = ends(&["a.example", "b.example", "c.example"]).await;
    closte.fail(Target::Only(Call::Add), Fault::Hang);
    let daemon = program.start_daemon();
    eventually("the calls have begun", async || closte.count(Call::Add) == 3).await;
    daemon.kill();
    closte.heal();
    // The calls succeeded at Closte in spite of the crash, and the network has changed.
    closte.put(["a.example", "b.example", "c.example"]);
    network.unmap("a.example").await;
    two_cycles(&program).await;
    assert_eq!(closte.domains(), ["b.example", "c.example"], "a was forgotten");
}

#[tokio::test]
async fn rule_8_only_domain_names_are_sent() {
    let network = Network::sqlite().await;
    let closte = Simulator::start(KEY).await.unwrap();
    Program::new(&network, &closte).run(&["apply"]).await;
    let expected = [
        "*.roses.example",
        "agency.example",
        "bakery.agency.example",
        "florist.agency.example",
        "never-recorded.agency.example",
        "orphan.example",
        "roses.example",
        "taken.example",
        "the-bakery.example",
        "xn--blmen-lva.example",
    ];
    let mut sent: Vec<_> = closte.requests().into_iter().filter_map(|one| one.domain).collect();
    sent.sort();
    assert_eq!(sent, expected);
    assert_eq!(closte.domains(), expected);
}

#[tokio::test]
async fn rule_10_the_daemon_survives_failures_of_database_and_closte() {
    let (network, closte, program) = ends(&["a.example"]).await;
    let daemon = program.start_daemon();
    daemon.logs("domain.added domain=a.example").await;
    network.sql("ALTER TABLE wp_site RENAME TO away").await;
    daemon.logs("WARN  wordpress.failed").await;
    network.sql("ALTER TABLE away RENAME TO wp_site").await;
    daemon.logs("INFO  wordpress.recovered").await;

    closte.fail(Target::Everything, Fault::Body("<html>".to_owned()));
    daemon.logs("WARN  closte.failed").await;
    closte.heal();
    closte.set_key("rotated");
    daemon.logs("ERROR closte.key_rejected").await;
    closte.set_key(KEY);
    daemon.logs("INFO  closte.recovered").await;

    closte.set_latency(Duration::from_millis(1));
    network.map("late.example").await;
    daemon.logs("domain.added domain=late.example").await;
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn names_below_closte_com_are_never_sent() {
    const OWN: &str = "app-0123456789abcdef01234567.closte.com";
    let (network, closte, program) = ends(&["a.example", OWN]).await;
    let program = program.with("CLOSTE_SYNC__WORDPRESS__CREATE_DOMAIN_RECORDS", "false");
    network
        .sql("INSERT INTO wp_blogs (blog_id, site_id, domain) VALUES (5, 1, 'site5.closte.com')")
        .await;
    closte.put([OWN, "cdn-7.closte.com"]);
    let plan = program.run(&["plan"]).await.out;
    let head = "1 to add, 0 to remove, 0 held, 0 waiting; 0 in place, 2 unmanaged, 2 not desired\n";
    assert!(plan.starts_with(head), "{plan}");
    let reason = "not desired: it is one of Closte's own names, which are never sent to it";
    assert!(plan.contains(&format!("! row 2 \"{OWN}\"  {reason}\n")), "{plan}");
    assert!(plan.contains(&format!("! site 5 \"site5.closte.com\"  {reason}\n")), "{plan}");
    for _ in 0..2 {
        assert_eq!(program.run(&["apply"]).await.status, 0);
    }
    network.unmap(OWN).await;
    assert_eq!(program.run(&["apply"]).await.status, 0);
    let sent = closte.requests().into_iter().filter_map(|request| request.domain);
    assert_eq!(sent.collect::<Vec<_>>(), ["a.example"]);
    let events = program.run(&["events"]).await.out;
    assert_eq!(events.matches("domain.not_desired").count(), 2, "{events}");
    assert!(!events.contains("row.invalid"), "{events}");
    let status = program.run(&["status", "--json"]).await.json();
    let own: Vec<_> =
        status.as_array().unwrap().iter().filter(|one| one["domain"] != "a.example").collect();
    assert_eq!((own.len(), &own[0]["at_closte"]), (1, &json!("not-desired")), "{status}");

    let extra =
        program.with("CLOSTE_SYNC__SYNC__EXTRA_DOMAINS", "*.closte.com").run(&["plan"]).await;
    assert!(extra.status == 1 && extra.err.contains("one of Closte's own names"), "{extra:?}");
}
