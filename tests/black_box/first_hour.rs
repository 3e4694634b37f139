//! What `doctor` says while WordPress is made a network and the plugin is set up.

use serde_json::Value;

use crate::support::{KEY, Network, Program, settings_row};

/// What doctor found in its line of this name: the result, and the words.
async fn doctor(program: &Program, line: &str) -> (String, String) {
    let all = program.run(&["doctor", "--json"]).await.json();
    let one = all.as_array().unwrap().iter().find(|one| one["check"] == line);
    let one = one.unwrap_or_else(|| panic!("no {line} in {all}"));
    let text = |key: &str| one[key].as_str().unwrap().to_owned();
    (text("result"), text("found"))
}

fn active(plugin: &str) -> String {
    format!(
        "DELETE FROM wp_sitemeta WHERE meta_key = 'active_sitewide_plugins';
         INSERT INTO wp_sitemeta (site_id, meta_key, meta_value) VALUES (1, 'active_sitewide_plugins',
           'a:1:{{s:{}:\"{plugin}\";i:1795730118;}}')",
        plugin.len()
    )
}

const PLUGIN: &str = "ultimate-multisite/ultimate-multisite.php";

#[tokio::test]
async fn doctor_tells_each_step_of_the_set_up() {
    let network = Network::empty_mariadb().await;
    let program = Program::bare()
        .with("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", &network.url)
        .with("CLOSTE_CLIENT_API_KEY", KEY)
        .with("CLOSTE_SYNC__CLOSTE__BASE_URL", "http://127.0.0.1:1/")
        .with("CLOSTE_SYNC__CHECKS__RESOLVERS", "127.0.0.1:1")
        .with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "127.0.0.1");
    let says = async |line: &str, result: &str, words: &str| {
        let (found_result, found) = doctor(&program, line).await;
        assert!(found_result == result && found.contains(words), "{found_result}: {found}");
    };
    says("database", "failed", "is this the network's database").await;
    network.sql("CREATE TABLE wp_options (option_id BIGINT)").await;
    says("database", "failed", "this WordPress is no network yet").await;

    network.sql(include_str!("../data/network.sql")).await;
    network
        .sql(
            "INSERT INTO wp_site (id, domain, path) VALUES (1, 'network.example', '/');
             INSERT INTO wp_blogs (blog_id, site_id, domain, path) VALUES (1, 1, 'network.example', '/');
             RENAME TABLE wp_wu_domain_mappings TO kept",
        )
        .await;
    network.sql(&active("akismet/akismet.php")).await;
    says("database", "failed", "Ultimate Multisite is not active on the network").await;
    network.sql(&active(PLUGIN)).await;
    says("database", "failed", "its set-up wizard, which makes its tables, was not finished").await;

    network.sql("RENAME TABLE kept TO wp_wu_domain_mappings").await;
    says("plugin", "warning", "its settings were never saved. WordPress serves no mapped").await;
    network.sql(&settings_row(&[("enable_domain_mapping", "0")])).await;
    says("plugin", "warning", "because domain mapping is off: switch it on in Network Admin").await;
    network.sql(&settings_row(&[("enable_domain_mapping", "1")])).await;
    let off = "domain mapping is on; its own Closte integration is off, which is fine";
    says("plugin", "ok", off).await;
    for (value, words) in [
        (r#"a:1:{s:6:"closte";b:1;}"#, "its own Closte integration is on as well, which is fine"),
        (r#"a:1:{s:6:"closte";b:0;}"#, off),
        ("a:0:{}", off),
    ] {
        network
            .sql(&format!(
                "DELETE FROM wp_sitemeta WHERE meta_key = 'wu_host_integrations_enabled';
                 INSERT INTO wp_sitemeta (site_id, meta_key, meta_value)
                 VALUES (1, 'wu_host_integrations_enabled', '{value}')"
            ))
            .await;
        says("plugin", "ok", words).await;
    }
    // Its tables stay when it is switched off.
    network.sql(&active("akismet/akismet.php")).await;
    says("plugin", "warning", "not among the network's active plugins: activate it under").await;
    let (_, found) = doctor(&program, "plugin").await;
    assert!(found.contains("unless it is a must-use plugin; domain mapping is on"), "{found}");
    let all: Value = program.run(&["doctor", "--json"]).await.json();
    assert!(!all.to_string().contains(KEY));
}
