//! The stage of a row, in MariaDB and in SQLite.

use std::time::Duration;

use closte_sync::{
    status::Stage,
    wordpress::{PluginCheck, RowFacts, RowSite, SourceError},
};

use crate::support::Network;

/// The rows that the tests are about, beside those of tests/data/sites.sql.
const ROWS: &str = "
    INSERT INTO wp_wu_domain_mappings
      (id, blog_id, domain, active, primary_domain, secure, stage, date_created, date_modified) VALUES
      (40, 3, 'ready.example', 1, 0, 0, 'failed', '2026-01-02 03:04:05', '2026-01-02 03:04:05'),
      (41, 3, 'Off.Example', 0, 0, 0, 'ssl-failed', NULL, '2026-01-02 03:04:05'),
      (42, 13, 'of-another.example', 1, 0, 0, 'failed', NULL, NULL),
      (43, 5, 'of-archived.example', 1, 0, 0, 'failed', NULL, '2026-01-02 03:04:05'),
      (44, 3, 'www.bakery.agency.example', 1, 0, 0, 'checking-dns', NULL, '2026-01-02 03:04:05')";

async fn facts(network: &Network, rows: &[i64]) -> Vec<RowFacts> {
    network.source(None).row_facts(1, rows).await.unwrap()
}

async fn fact(network: &Network, row: i64) -> RowFacts {
    facts(network, &[row]).await.pop().unwrap()
}

#[tokio::test]
async fn a_row_is_read_with_what_decides_about_its_stage() {
    for network in [Network::mariadb().await, Network::sqlite().await] {
        network.sql(ROWS).await;
        let all = facts(&network, &[1, 9, 40, 41, 42, 43, 44, 999]).await;
        let mut all: Vec<_> = all
            .iter()
            .map(|row| (row.row_id, row.stage, row.is_active, row.site, row.is_own_address))
            .collect();
        all.sort_by_key(|row| row.0);
        use RowSite::{Gone, Here, Missing, OfOtherNetwork};
        assert_eq!(
            all,
            [
                (1, Some(Stage::CheckingDns), true, Here, true),
                (9, Some(Stage::Done), true, Missing, false),
                (40, Some(Stage::Failed), true, Here, false),
                (41, Some(Stage::SslFailed), false, Here, false),
                (42, Some(Stage::Failed), true, OfOtherNetwork, false),
                (43, Some(Stage::Failed), true, Gone, false),
                (44, Some(Stage::CheckingDns), true, Here, true),
            ]
        );
        let ready = fact(&network, 40).await;
        assert!(ready.is_of(&"ready.example".parse().unwrap()));
        assert!(!ready.is_of(&"www.ready.example".parse().unwrap()));
        assert_eq!(ready.modified, Some(1_767_323_045));
        assert!(ready.unchanged_for.unwrap() > Duration::from_secs(86_400), "{ready:?}");
        assert!(fact(&network, 41).await.is_of(&"off.example".parse().unwrap()));
        let null = fact(&network, 42).await;
        assert_eq!((null.modified, null.unchanged_for), (None, None));
        assert_eq!(ready.check, PluginCheck::Unknown, "there is no table of jobs");
    }
}

#[tokio::test]
async fn only_a_row_that_is_as_it_was_read_is_written() {
    for network in [Network::mariadb().await, Network::sqlite().await] {
        network.sql(ROWS).await;
        network.allow_stages().await;
        let source = network.source(None);
        source.check_update().await.unwrap();
        let before = fact(&network, 40).await;
        assert!(source.write_done(&before).await.unwrap());
        let after = fact(&network, 40).await;
        assert_eq!(after.stage, Some(Stage::Done));
        assert!(after.modified > before.modified, "{after:?}");
        assert!(after.unchanged_for.unwrap() < Duration::from_secs(3_600), "{after:?}");
        assert!(!source.write_done(&before).await.unwrap(), "it is done");
        // Nobody's row but that one changes.
        for change in [
            "UPDATE wp_wu_domain_mappings SET stage = 'failed', active = 0 WHERE id = 40",
            "UPDATE wp_wu_domain_mappings SET stage = 'done-without-ssl', active = 1 WHERE id = 40",
            "UPDATE wp_wu_domain_mappings SET stage = 'failed', domain = 'new.example' WHERE id = 40",
            "DELETE FROM wp_wu_domain_mappings WHERE id = 40",
        ] {
            network.sql(change).await;
            assert!(!source.write_done(&before).await.unwrap(), "{change}");
        }
    }
}

#[tokio::test]
async fn the_right_to_write_stages_is_on_three_columns_only() {
    let network = Network::mariadb().await;
    network.sql(ROWS).await;
    let source = network.source(None);
    let error = source.check_update().await.unwrap_err();
    let SourceError::UpdateDenied { grant } = &error else { panic!("{error}") };
    assert!(grant.starts_with("GRANT UPDATE (stage, secure, date_modified) ON "), "{grant}");
    let row = fact(&network, 40).await;
    assert!(matches!(source.write_done(&row).await, Err(SourceError::UpdateDenied { .. })));
    network.sql(grant).await;
    assert!(source.write_done(&row).await.unwrap());
    assert_eq!(network.number("SELECT secure FROM wp_wu_domain_mappings WHERE id = 40").await, 1);
}

#[tokio::test]
async fn the_plugins_own_checks_are_read_from_the_action_scheduler() {
    let network = Network::mariadb().await;
    network.sql(ROWS).await;
    network.sql(include_str!("../data/actions.sql")).await;
    let job = |status: &str, arguments: &str, begins: i64, attempted: i64| {
        format!(
            "INSERT INTO wp_actionscheduler_actions
               (hook, status, args, scheduled_date_gmt, last_attempt_gmt) VALUES
               ('wu_async_process_domain_stage', '{status}', '{arguments}',
                DATE_ADD(UTC_TIMESTAMP(), INTERVAL {begins} SECOND),
                DATE_ADD(UTC_TIMESTAMP(), INTERVAL {attempted} SECOND))"
        )
    };
    let check = async || {
        let row = fact(&network, 40).await;
        (row.check, row.last_ended)
    };
    assert_eq!(check().await, (PluginCheck::Idle(None), None));
    // Jobs of other rows and other jobs.
    network.sql(&job("in-progress", r#"{"domain_id":4}"#, -9, -9)).await;
    network.sql(&job("in-progress", r#"{"domain_id":400,"tries":1}"#, -9, -9)).await;
    network
        .sql(
            "INSERT INTO wp_actionscheduler_actions (hook, status, args) VALUES
             ('wu_add_subdomain', 'in-progress', '{\"domain_id\":40}')",
        )
        .await;
    assert_eq!(check().await, (PluginCheck::Idle(None), None));
    network.sql(&job("complete", r#"{"domain_id":"40","tries":3}"#, -500, -480)).await;
    let (PluginCheck::Idle(Some(ago)), Some(ended)) = check().await else { panic!() };
    assert!((480..4_000).contains(&ago.as_secs()), "{ago:?}");
    network.sql(&job("pending", r#"{"domain_id":40,"tries":4}"#, 200, 0)).await;
    assert!(matches!(check().await, (PluginCheck::Idle(Some(_)), Some(id)) if id == ended));
    network.sql(&job("pending", r#"{"domain_id":40}"#, -3, 0)).await;
    assert!(matches!(check().await, (PluginCheck::Due(_), Some(id)) if id == ended));
    network.sql(&job("in-progress", r#"{"domain_id":"40"}"#, -3, -1)).await;
    assert_eq!(check().await, (PluginCheck::InProgress, Some(ended)));
    assert_eq!(network.source(None).check_plugin_checks().await, Ok(()));
    // The rows of another network have other numbers.
    let of_second = network.source(Some(2)).row_facts(2, &[40]).await;
    assert!(of_second.is_err() || of_second.unwrap().is_empty(), "it has no table");
}

#[tokio::test]
async fn without_the_right_to_read_them_the_plugins_own_checks_are_unknown() {
    let network = Network::mariadb().await;
    network.sql(ROWS).await;
    network.sql(include_str!("../data/actions.sql")).await;
    network.hide("wp_actionscheduler_actions").await;
    assert_eq!(fact(&network, 40).await.check, PluginCheck::Unknown);
    let why = network.source(None).check_plugin_checks().await.unwrap_err();
    let (_, grant) = why.split_once("run: ").unwrap();
    assert!(
        grant.starts_with("GRANT SELECT ON ") && grant.contains("`wp_actionscheduler_actions`")
    );
    network.sql(grant).await;
    assert_eq!(fact(&network, 40).await.check, PluginCheck::Idle(None));
}
