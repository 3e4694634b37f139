//! The plugin's own settings apply unless closte-sync's settings override them.

use std::time::Duration;

use closte_sync::{simulator::Simulator, wordpress::WwwPolicy};

use crate::support::{KEY, Network, Program, ends, eventually};

/// Saves a setting among others, as the plugin does.
async fn save(network: &Network, key: &str, value: &str) {
    let row = format!(
        "a:3:{{s:5:\"trap1\";s:12:\"s:1:\"x\";i:1;\";s:{}:\"{key}\";{value}s:5:\"trap2\";a:2:{{i:0;i:1;\
         s:1:\"a\";b:1;}}}}",
        key.len()
    );
    write(network, "wp-ultimo_v2_settings", &row).await;
}

async fn write(network: &Network, key: &str, row: &str) {
    network
        .sql(&format!(
            "DELETE FROM wp_sitemeta WHERE meta_key = '{key}';
             INSERT INTO wp_sitemeta (site_id, meta_key, meta_value) VALUES
             (2, '{key}', 'another network'), (1, '{key}', '{row}')"
        ))
        .await;
}

#[tokio::test]
async fn settings_are_read_from_both_kinds_of_database() {
    for network in [Network::mariadb().await, Network::sqlite().await] {
        let source = network.source(None);
        assert_eq!(source.read().await.unwrap().plugin, Ok(Default::default()), "never saved");
        save(&network, "dns_check_interval", "s:3:\"120\";").await;
        write(&network, "wu_host_integrations_enabled", "a:1:{s:6:\"closte\";b:1;}").await;
        let read = source.read().await.unwrap();
        let plugin = read.plugin.unwrap();
        assert_eq!((plugin.dns_check_interval, plugin.www), (Some(Duration::from_secs(120)), None));
        assert_eq!(read.closte_integration, Ok(Some(true)));
        save(&network, "auto_create_www_subdomain", "s:6:\"always\";").await;
        assert_eq!(source.read().await.unwrap().plugin.unwrap().www, Some(WwwPolicy::Always));
        network.sql("DROP TABLE wp_sitemeta").await;
        assert_eq!(source.read().await.unwrap().plugin, Ok(Default::default()));
    }
}

#[tokio::test]
async fn an_unparsable_row_changes_nothing_and_is_reported_once() {
    let (network, closte, program) = ends(&["a.example"]).await;
    write(&network, "wp-ultimo_v2_settings", "a:1:{s:4:").await;
    let daemon = program.start_daemon();
    daemon.logs("WARN  plugin.settings_unread").await;
    network.map("b.example").await;
    eventually("the daemon continues", async || closte.domains() == ["a.example", "b.example"])
        .await;
    assert_eq!(daemon.log().matches("plugin.settings_unread").count(), 1);
    let doctor = program.run(&["doctor"]).await;
    let line = doctor.out.lines().find(|line| line.contains(" plugin ")).unwrap();
    assert!(line.starts_with("warning"), "{line}");
}

#[tokio::test]
async fn a_changed_check_interval_applies_while_running() {
    let (network, _closte, program) = ends(&["a.example"]).await;
    let program = program.with("CLOSTE_SYNC__LOG__FILTER", "debug");
    let daemon = program.start_daemon();
    daemon.logs("domain.added").await;
    save(&network, "dns_check_interval", "i:60;").await;
    daemon.logs("checks.interval seconds=60").await;
    // An unparsable row changes no setting, and does not affect the other row.
    for broken in ["wu_host_integrations_enabled", "wp-ultimo_v2_settings"] {
        write(&network, broken, "a:1:{s:4:").await;
        daemon.logs(&format!("plugin.settings_unread error=\"the row {broken} is no")).await;
        let doctor = program.run(&["doctor"]).await;
        let line = doctor.out.lines().find(|line| line.contains(" plugin ")).unwrap();
        assert!(line.starts_with("warning"), "{line}");
        assert!(line.contains(&format!("the row {broken} is no serialised PHP array")), "{line}");
    }
    let before = daemon.log().matches("sync.cycle").count();
    network.map("b.example").await;
    eventually("the daemon continues", async || {
        daemon.log().matches("sync.cycle").count() > before + 1
    })
    .await;
    assert_eq!(daemon.log().matches("checks.interval").count(), 1, "{}", daemon.log());
    // Each of them is reported once.
    let reported = daemon.log().matches("plugin.settings_unread").count();
    assert_eq!(reported, 2, "{}", daemon.log());
    save(&network, "dns_check_interval", "i:3;").await;
    daemon.logs("checks.interval seconds=10").await;
    let config = program.run(&["config"]).await;
    let line = config.out.lines().find(|line| line.starts_with("interval") && line.contains("10s"));
    assert!(line.is_some_and(|line| line.ends_with("# plugin setting")), "{config:?}");

    let set = program.with("CLOSTE_SYNC__CHECKS__INTERVAL", "45s").run(&["config"]).await;
    assert!(set.out.contains("# environment CLOSTE_SYNC__CHECKS__INTERVAL"), "{set:?}");
    assert!(!set.out.contains("plugin setting"), "{set:?}");
}

#[tokio::test]
async fn www_twins_are_desired_by_the_setting() {
    let names = ["shop.example", "blog.shop.example", "www.other.example", "*.wild.example"];
    for (www, twins) in [
        ("off", vec![]),
        ("main_only", vec!["www.shop.example"]),
        ("always", vec!["www.blog.shop.example", "www.shop.example"]),
        ("plugin", vec!["www.shop.example"]),
    ] {
        let network = Network::with_domains(&names).await;
        save(&network, "auto_create_www_subdomain", "s:9:\"main_only\";").await;
        let closte = Simulator::start(KEY).await.unwrap();
        let program = Program::new(&network, &closte).with("CLOSTE_SYNC__SYNC__WWW", www);
        program.run(&["apply"]).await;
        let mut expected: Vec<&str> = names.into_iter().chain(twins).collect();
        expected.sort_unstable();
        assert_eq!(closte.domains(), expected, "{www}");
    }
}

#[tokio::test]
async fn no_twin_is_removed_because_the_setting_cannot_be_read() {
    let (network, closte, program) = ends(&["a.example", "b.example", "c.example"]).await;
    let program = program.with("CLOSTE_SYNC__SYNC__WWW", "plugin");
    save(&network, "auto_create_www_subdomain", "s:6:\"always\";").await;
    program.run(&["apply"]).await;
    assert_eq!(closte.domains().len(), 6);
    for row in ["a:1:{", "a:0:{}"] {
        write(&network, "wp-ultimo_v2_settings", row).await;
        program.run(&["apply"]).await;
        let plan = program.run(&["plan"]).await;
        assert!(plan.out.contains("www.a.example  held: the plugin's www. setting"), "{plan:?}");
    }
    assert_eq!(closte.domains().len(), 6);
    save(&network, "auto_create_www_subdomain", "s:5:\"never\";").await;
    program.run(&["apply", "--allow-removals"]).await;
    assert_eq!(closte.domains(), ["a.example", "b.example", "c.example"]);
}

#[tokio::test]
async fn the_tables_say_which_names_wordpress_serves() {
    for network in [Network::mariadb().await, Network::sqlite().await] {
        let closte = Simulator::start(KEY).await.unwrap();
        network
            .sql(
                "DELETE FROM wp_wu_domain_mappings;
                 UPDATE wp_blogs SET archived = '1' WHERE blog_id = 3;
                 INSERT INTO wp_wu_domain_mappings
                     (id, blog_id, domain, active, primary_domain, secure, stage) VALUES
                     (1, 2, 'done.example', 1, 1, 1, 'done'),
                     (2, 2, 'plain.example', 1, 0, 0, 'done-without-ssl'),
                     (3, 2, 'failed.example', 1, 0, 0, 'failed'),
                     (4, 2, 'off.example', 0, 0, 0, 'done'),
                     (5, 3, 'archived.example', 1, 0, 0, 'done'),
                     (6, 99, 'nowhere.example', 1, 0, 0, 'done'),
                     (7, 2, 'twin.example', 1, 0, 0, 'done'),
                     (8, 2, 'www.twin.example', 1, 0, 1, 'checking-ssl-cert'),
                     (9, 2, 'null.example', NULL, NULL, NULL, NULL)",
            )
            .await;
        let program = Program::new(&network, &closte);
        let not_served = async || {
            let plan = program.run(&["plan", "--json"]).await.json();
            let all = plan["not_served"].as_array().unwrap().clone();
            let word = |one: &serde_json::Value| {
                let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
                (text(&one["domain"]), text(&one["plugin"]["serving"]))
            };
            all.iter().map(word).collect::<Vec<_>>()
        };
        let off = not_served().await;
        assert!(off.contains(&("done.example".into(), "mapping-off".into())), "{off:?}");
        save(&network, "enable_domain_mapping", "s:1:\"1\";").await;
        let expected = [
            ("failed.example", "stage-not-done"),
            ("off.example", "inactive"),
            ("archived.example", "site-archived"),
            ("nowhere.example", "site-missing"),
            ("twin.example", "twin-decides"),
            ("www.twin.example", "stage-not-done"),
            ("null.example", "inactive"),
        ];
        assert_eq!(not_served().await, expected.map(|(name, word)| (name.into(), word.into())));
        network.sql("UPDATE wp_wu_domain_mappings SET primary_domain = 1 WHERE id = 2").await;
        let torn = not_served().await;
        assert!(torn.contains(&("done.example".into(), "two-primaries".into())), "{torn:?}");
        program.run(&["apply"]).await;
        let status = program.run(&["status", "failed.example", "--json"]).await.json();
        assert_eq!(status[0]["plugin"]["stage"], "failed");
        assert_eq!(status[0]["plugin"]["active"], true);
    }
}
