//! An installation as WordPress has it: several networks, and old tables of another character set.

use std::pin::Pin;

use closte_sync::wordpress::{DatabaseUrl, Network as Read, Source, SourceError};

use crate::support::{
    KEY, Network, PASSWORD, Program,
    fake_database::{FakeDatabase, Peer},
};

/// A wp-config.php for a network of the test server.
fn wp_config(network: &Network, more: &str) -> String {
    let (head, database) = network.url.rsplit_once('/').unwrap();
    let (user, host) = head.trim_start_matches("mysql://").rsplit_once('@').unwrap();
    let (user, _) = user.split_once(':').unwrap();
    format!(
        "<?php define('DB_NAME', '{database}'); define('DB_USER', '{user}');
         define('DB_PASSWORD', '{PASSWORD}'); define('DB_HOST', '{host}');
         define('CLOSTE_CLIENT_API_KEY', '{KEY}'); $table_prefix = 'wp_';\n{more}\n"
    )
}

fn names(read: &Read) -> Vec<&str> {
    read.mappings().map(|mapping| mapping.domain.as_str()).collect()
}

#[tokio::test]
async fn the_primary_network_owns_the_table_without_a_number() {
    let network = Network::mariadb().await;
    network
        .sql(
            "DELETE FROM wp_wu_domain_mappings WHERE blog_id <> 3;
             CREATE TABLE wp_wu_1_domain_mappings LIKE wp_wu_domain_mappings;
             INSERT INTO wp_wu_1_domain_mappings (blog_id, domain) VALUES (2, 'numbered.example')",
        )
        .await;
    let source = |id, primary| network.source(id).with_primary_network(primary, Vec::new());
    let plain = source(Some(2), Some(2)).read().await.unwrap();
    assert!(names(&plain).contains(&"roses.example"), "{plain:?}");
    let numbered = source(Some(1), Some(2)).read().await.unwrap();
    assert_eq!(names(&numbered), ["numbered.example"]);
    let unnamed = source(None, Some(2)).read().await.unwrap();
    assert_eq!((unnamed.id, unnamed.domain.as_str()), (2, "second.example"));
    let error = source(None, Some(7)).read().await.unwrap_err();
    assert!(matches!(error, SourceError::UnknownNetwork { id: 7, .. }), "{error}");
    // Writes go the same way.
    let error = source(Some(1), Some(2)).check_insert().await.unwrap_err().to_string();
    assert!(error.contains("`wp_wu_1_domain_mappings`"), "{error}");
    let error = source(Some(1), None).check_insert().await.unwrap_err().to_string();
    assert!(error.contains("`wp_wu_domain_mappings`"), "{error}");
}

/// What wp-config.php does not say beyond doubt stops nothing where there is but one network.
#[tokio::test]
async fn one_of_several_networks_is_not_guessed() {
    let network = Network::mariadb().await;
    let program = Program::bare();
    let file = |more: &str| program.file("wp-config.php", &wp_config(&network, more));
    for (more, setting, why) in [
        (
            "define('SITE_ID_CURRENT_SITE', f());",
            "network_id",
            "in line 4, but it calls a function",
        ),
        ("define('PRIMARY_NETWORK_ID', f());", "primary_network_id", "in line 4, but it calls"),
        ("if ($x) { define('SITE_ID_CURRENT_SITE', 2); }", "network_id", "only running the file"),
    ] {
        let plan = program.run(&["config", "--wp-config", &file(more)]).await;
        assert_eq!(plan.status, 0, "{plan:?}");
        assert!(plan.out.contains(&format!("wordpress.{setting} replaces it")), "{plan:?}");
        let doctor = program.run(&["doctor", "--wp-config", &file(more)]).await;
        let line = doctor.out.lines().find(|line| line.contains(" database ")).unwrap();
        assert!(line.starts_with("FAILED") && line.contains("there are networks 1, 2"), "{line}");
        assert!(line.contains(why), "{line}");
        let set = format!("wordpress.{setting}=1");
        let doctor = program.run(&["doctor", "--wp-config", &file(more), "--set", &set]).await;
        let line = doctor.out.lines().find(|line| line.contains(" database ")).unwrap();
        assert!(line.starts_with("ok"), "{line}");
    }
    // A file that is required may define either.
    let text = wp_config(&network, "").replace("$table", "?><?php require 'more.php'; $table");
    let required = program.file("wp-config.php", &text);
    let doctor = program.run(&["doctor", "--wp-config", &required]).await;
    assert!(doctor.out.contains("sets no PRIMARY_NETWORK_ID; the file required in line 3"));
    network.sql("DELETE FROM wp_site WHERE id = 2").await;
    let doctor = program.run(&["doctor", "--wp-config", &required]).await;
    let line = doctor.out.lines().find(|line| line.contains(" database ")).unwrap();
    assert!(line.starts_with("ok"), "{line}");
}

/// Tables of latin1 into which PHP has written UTF-8 for twenty years.
async fn old_network() -> Network {
    let network = Network::mariadb().await;
    let bytes = |text: &str| {
        format!("CONVERT(CAST(CONVERT('{text}' USING utf8mb4) AS BINARY) USING latin1)")
    };
    let settings = r#"a:2:{s:12:"company_name";s:7:"Müller";s:18:"dns_check_interval";i:60;}"#;
    for table in ["wp_site", "wp_blogs", "wp_wu_domain_mappings", "wp_sitemeta"] {
        network.sql(&format!("ALTER TABLE {table} CONVERT TO CHARACTER SET latin1")).await;
    }
    network
        .sql(&format!(
            "DELETE FROM wp_wu_domain_mappings WHERE id <> 6;
             UPDATE wp_wu_domain_mappings SET domain = {};
             INSERT INTO wp_sitemeta (site_id, meta_key, meta_value)
             VALUES (1, 'wp-ultimo_v2_settings', {})",
            bytes("blümen.example"),
            bytes(settings)
        ))
        .await;
    network
}

#[tokio::test]
async fn old_tables_are_read_through_the_character_set_that_wrote_them() {
    let network = old_network().await;
    let read = async |query: &str| {
        let url: DatabaseUrl = format!("{}{query}", network.url).parse().unwrap();
        Source::new(url, "wp_".parse().unwrap(), None).read().await
    };
    // The server's own character set is latin1, too.
    for query in ["?charset=latin1", "?charset="] {
        let old = read(query).await.unwrap();
        assert_eq!(names(&old), ["xn--blmen-lva.example"], "{query}");
        let interval = old.plugin.as_ref().unwrap().dns_check_interval;
        assert_eq!(interval.map(|it| it.as_secs()), Some(60), "{query}");
    }
    let wrong = read("").await.unwrap();
    assert_ne!(names(&wrong), ["xn--blmen-lva.example"]);
    assert!(wrong.plugin.is_err(), "{wrong:?}");
    for charset in ["klingon", "utf16"] {
        let error = read(&format!("?charset={charset}")).await.unwrap_err().to_string();
        assert!(
            error.contains(charset) && error.contains("DB_CHARSET in wp-config.php"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn wp_config_names_the_character_set_and_asks_for_tls() {
    let network = old_network().await;
    let program = Program::bare();
    let interval = async |more: &str, url: Option<&str>| {
        let file = program.file("wp-config.php", &wp_config(&network, more));
        let program = match url {
            Some(url) => program.clone().with("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", url),
            None => program.clone(),
        };
        program.run(&["config", "--wp-config", &file]).await
    };
    let latin = "define('DB_CHARSET', 'latin1');";
    let utf8 = format!("{}?charset=utf8", network.url);
    for (more, url, is_read) in [
        (latin, None, true),
        ("define('DB_CHARSET', '');", None, true),
        ("define('DB_CHARSET', 'utf8');", None, false),
        ("", None, false),
        (latin, Some(network.url.as_str()), true),
        (latin, Some(utf8.as_str()), false),
    ] {
        let config = interval(more, url).await;
        let line = config.out.lines().find(|line| line.contains(" 1m ")).unwrap_or_default();
        assert_eq!(line.contains("plugin setting"), is_read, "{more} {url:?}: {config:?}");
    }
    let wrong = interval("define('DB_CHARSET', 'latin1; DROP');", None).await;
    assert!(wrong.err.contains("DB_CHARSET in wp-config.php) must be the name of"), "{wrong:?}");

    // The test's server has no TLS.
    let database = async |flags: &str, url: Option<&str>| {
        let flags = format!("{latin} define('MYSQL_CLIENT_FLAGS', {flags});");
        let file = program.file("wp-config.php", &wp_config(&network, &flags));
        let program = match url {
            Some(url) => program.clone().with("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", url),
            None => program.clone(),
        };
        let plan = program.run(&["plan", "--wp-config", &file]).await;
        plan.err
    };
    let is_refused = async |flags| database(flags, None).await.contains("TLS");
    assert!(is_refused("MYSQLI_CLIENT_SSL").await);
    assert!(is_refused("MYSQLI_CLIENT_COMPRESS | MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT").await);
    assert!(is_refused("getenv('FLAGS')").await);
    assert!(!is_refused("MYSQLI_CLIENT_COMPRESS").await);
    assert!(!is_refused("0").await);
    // An address without an ssl-mode leaves it to WordPress.
    let plain = format!("{}?ssl-mode=preferred", network.url);
    assert!(database("MYSQLI_CLIENT_SSL", Some(&network.url)).await.contains("TLS"));
    assert!(!database("MYSQLI_CLIENT_SSL", Some(&plain)).await.contains("TLS"));
}

fn agrees_to_all(mut peer: Peer) -> Pin<Box<dyn Future<Output = std::io::Result<()>> + Send>> {
    Box::pin(async move {
        peer.up_to_a_query().await?;
        peer.no_such_table().await
    })
}

#[tokio::test]
async fn the_collation_is_that_of_wordpress_if_it_exists() {
    let fake = FakeDatabase::start(agrees_to_all).await;
    let url = format!("mysql://wp:{PASSWORD}@127.0.0.1:{}/wordpress", fake.port);
    let source = |url: DatabaseUrl| Source::new(url, "wp_".parse().unwrap(), None);
    let url = |query: &str| format!("{url}{query}").parse::<DatabaseUrl>().unwrap();
    for (query, collation, is_said) in
        [("", "latin1_bin", true), ("", "x; DROP", false), ("?charset=ascii", "ascii_bin", false)]
    {
        let collated = url(query).with_charset(Some("latin1"), Some(collation)).unwrap();
        source(collated).read().await.unwrap_err();
        assert_eq!(fake.received(format!("COLLATE {collation}").as_bytes()), is_said, "{query}");
    }
    assert!(fake.received(b"SET autocommit = 1, NAMES latin1 COLLATE latin1_bin"));

    let network = Network::mariadb().await;
    for collation in ["utf8mb4_bin", "latin1_bin", "klingon"] {
        let url: DatabaseUrl = network.url.parse().unwrap();
        let url = url.with_charset(Some("utf8mb4"), Some(collation)).unwrap();
        assert_eq!(source(url).read().await.unwrap().id, 1, "{collation}");
    }
}
