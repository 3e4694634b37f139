//! The network as MariaDB and SQLite hold it, read through the library.

use closte_sync::{
    domain::InvalidDomain,
    ledger::RowLocation,
    simulator::Simulator,
    wordpress::{Network as Read, NoRecord, Source, SourceError},
};

use sqlx::Executor as _;

use crate::support::{KEY, Network, Program, eventually, fitting};

fn mapped(read: &Read) -> Vec<(i64, i64, &str)> {
    read.mappings().map(|m| (m.row_id, m.blog_id, m.domain.as_str())).collect()
}

/// Checks that `tests/data/sites.sql` was read completely.
fn assert_whole(read: &Read) {
    assert_eq!((read.id, read.domain.as_str(), read.rows), (1, "agency.example", 13));
    assert_eq!(
        mapped(read),
        [
            (1, 2, "bakery.agency.example"),
            (2, 3, "florist.agency.example"),
            (3, 2, "the-bakery.example"),
            (4, 3, "roses.example"),
            (5, 3, "*.roses.example"),
            (6, 3, "xn--blmen-lva.example"),
            (7, 2, "taken.example"),
            (8, 3, "taken.example"),
            (9, 999, "orphan.example"),
            (10, 1, "agency.example"),
        ]
    );
    let modified: Vec<_> = read.mappings().take(3).map(|mapping| mapping.modified).collect();
    assert_eq!(modified, [Some(1_767_323_045), None, None]);
    let mut own: Vec<_> = read.network_domains.iter().map(|name| name.as_str()).collect();
    own.sort_unstable();
    own.dedup();
    assert_eq!(own, ["agency.example", "second.example"]);
    let records: Vec<_> =
        read.sites_without_record.iter().map(|site| (site.blog_id, site.record)).collect();
    assert_eq!(
        records,
        [
            (4, Ok(())),
            (5, Err(NoRecord::Gone)),
            (6, Err(NoRecord::Gone)),
            (7, Err(NoRecord::Gone)),
            (10, Err(NoRecord::SharedDomain)),
            (11, Err(NoRecord::OtherPath)),
            (12, Err(NoRecord::HasRowElsewhere)),
        ]
    );
    assert_eq!(read.on_own_domain, 1);
    let invalid: Vec<_> = read.invalid.iter().map(|one| (one.origin, one.reason.clone())).collect();
    assert_eq!(
        invalid,
        [
            (RowLocation::Row(11), InvalidDomain::Url),
            (RowLocation::Row(12), InvalidDomain::Empty),
            (RowLocation::Row(13), InvalidDomain::Character('&')),
            (RowLocation::Site(9), InvalidDomain::SingleLabel),
        ]
    );
}

#[tokio::test]
async fn a_network_is_read_completely_over_tcp_and_over_a_socket() {
    let network = Network::mariadb().await;
    assert_whole(&network.source(None).read().await.unwrap());
    let socket = Source::new(network.socket_url().parse().unwrap(), "wp_".parse().unwrap(), None);
    assert_whole(&socket.read().await.unwrap());
}

#[tokio::test]
async fn a_network_in_sqlite_is_read_as_one_in_mariadb() {
    assert_whole(&Network::sqlite().await.source(Some(1)).read().await.unwrap());
}

#[tokio::test]
async fn a_value_of_a_wrong_type_rejects_only_its_row() {
    let network = Network::sqlite().await;
    network
        .sql(
            "INSERT INTO wp_wu_domain_mappings (id, blog_id, domain, date_modified) VALUES
               (20, 'two', X'ff2e6578616d706c65', 'yesterday'),
               (21, 2, 12.5, 7),
               (22, 2, X'6f6b2e6578616d706c65', NULL)",
        )
        .await;
    let read = network.source(None).read().await.unwrap();
    let reasons: Vec<_> = read
        .invalid
        .iter()
        .filter(|one| matches!(one.origin, RowLocation::Row(20..)))
        .map(|one| one.reason.clone())
        .collect();
    assert_eq!(reasons, [InvalidDomain::NotText, InvalidDomain::Address]);
    assert!(mapped(&read).contains(&(22, 2, "ok.example")));
}

#[tokio::test]
async fn another_network_has_a_table_of_its_own() {
    let network = Network::mariadb().await;
    network
        .sql(
            "CREATE TABLE wp_wu_2_domain_mappings LIKE wp_wu_domain_mappings;
             INSERT INTO wp_wu_2_domain_mappings (blog_id, domain) VALUES (14, 'club.example')",
        )
        .await;
    let read = network.source(Some(2)).read().await.unwrap();
    assert_eq!(
        (read.domain.as_str(), mapped(&read)),
        ("second.example", vec![(1, 14, "club.example")])
    );
    assert_eq!(read.sites_without_record, []);
}

#[tokio::test]
async fn the_error_of_a_wrong_prefix_contains_the_right_one() {
    let network = Network::mariadb().await;
    network.sql("RENAME TABLE wp_wu_domain_mappings TO shop_wu_domain_mappings").await;
    let error = network.source(None).read().await.unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(&error, SourceError::TableMissing { table, .. } if table == "wp_wu_domain_mappings")
    );
    assert!(text.contains("wordpress.table_prefix = \"shop_\""), "{text}");

    let network = Network::sqlite().await;
    network.sql("ALTER TABLE wp_site RENAME TO blog_site").await;
    let text = network.source(None).read().await.unwrap_err().to_string();
    assert!(text.contains("wordpress.table_prefix = \"blog_\""), "{text}");
}

#[tokio::test]
async fn a_missing_table_says_which_step_of_the_set_up_is_missing() {
    for network in [Network::mariadb().await, Network::sqlite().await] {
        let says = async |words: &str| {
            let text = network.source(None).read().await.unwrap_err().to_string();
            assert!(text.contains(words), "{text}");
        };
        network.sql("DROP TABLE wp_wu_domain_mappings").await;
        network.sql("DELETE FROM wp_sitemeta WHERE meta_key = 'active_sitewide_plugins'").await;
        says("activate it under Network Admin > Plugins").await;
        network
            .sql(
                r#"INSERT INTO wp_sitemeta (site_id, meta_key, meta_value) VALUES (1, 'active_sitewide_plugins',
                   'a:1:{s:41:"ultimate-multisite/ultimate-multisite.php";i:1795730118;}')"#,
            )
            .await;
        says("set-up wizard, which makes its tables, was not finished").await;
        network.sql("DROP TABLE wp_sitemeta").await;
        says("is this the network's database").await;
        network.sql("DROP TABLE wp_site").await;
        says("is this the network's database").await;
        network.sql("CREATE TABLE wp_options (option_id BIGINT)").await;
        says("this WordPress is no network yet").await;
    }
}

#[tokio::test]
async fn an_incomplete_network_is_an_error() {
    let network = Network::sqlite().await;
    let error = network.source(Some(7)).read().await.unwrap_err();
    assert!(
        matches!(&error, SourceError::UnknownNetwork { known, .. } if known == "1, 2"),
        "{error}"
    );
    network.sql("DELETE FROM wp_site").await;
    let error = network.source(None).read().await.unwrap_err();
    assert!(matches!(error, SourceError::NoNetwork { .. }), "{error}");
    network.sql("DROP TABLE wp_blogs").await;
    network.sql("INSERT INTO wp_site (id, domain) VALUES (1, 'agency.example')").await;
    let error = network.source(None).read().await.unwrap_err();
    assert!(
        matches!(&error, SourceError::TableMissing { table, .. } if table == "wp_blogs"),
        "{error}"
    );
}

#[tokio::test]
async fn errors_of_a_connection_are_distinguished() {
    let network = Network::mariadb().await;
    let read = async |url: String| {
        let source = Source::new(url.parse().unwrap(), "wp_".parse().unwrap(), None);
        source.read().await.unwrap_err()
    };
    let error = read(network.url.replace("m4rker", "wrong")).await;
    assert!(matches!(error, SourceError::AccessDenied { .. }), "{error:?}");
    let (server, _) = network.url.rsplit_once('/').unwrap();
    let error = read(format!("{server}/no_such_database")).await;
    // Without rights to it, the server does not report that it does not exist.
    assert!(error.to_string().contains("check the database's name"), "{error}");
    let error = read("mysql://wp:m4rker@127.0.0.1:1/wp".to_owned()).await;
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("m4rker"));
    let error = read("sqlite:/no/such/file.sqlite".to_owned()).await;
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");

    network.sql("CREATE USER nosy@'%' IDENTIFIED BY 'pw'; GRANT INSERT ON *.* TO nosy@'%'").await;
    let (_, address) = network.url.rsplit_once('@').unwrap();
    let error = read(format!("mysql://nosy:pw@{address}")).await;
    let grant = "GRANT SELECT ON `";
    assert!(
        matches!(&error, SourceError::SelectDenied { grant: g, .. } if g.starts_with(grant)),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_site_that_changed_since_the_read_gets_no_domain_record() {
    const NAME: &str = "never-recorded.agency.example";
    for network in [Network::mariadb().await, Network::sqlite().await] {
        if network.url.starts_with("mysql") {
            network.allow_records().await;
        }
        let source = network.source(None);
        let read = source.read().await.unwrap();
        let sites_without_record = fitting(&read);
        let set = |table: &str, id: &str, column: &str, value: &str| {
            format!("UPDATE wp_{table} SET {column} = '{value}' WHERE {id}")
        };
        let blog = |column: &str, value: &str| set("blogs", "blog_id = 4", column, value);
        let site = |id: &str, column: &str, value: &str| set("site", id, column, value);
        let row = |site: i64, domain: &str| {
            let columns = "wp_wu_domain_mappings (id, blog_id, domain)";
            format!("INSERT INTO {columns} VALUES (90, {site}, '{domain}')")
        };
        let no_row = || "DELETE FROM wp_wu_domain_mappings WHERE id = 90".to_owned();
        let sibling = format!(
            "INSERT INTO wp_blogs (blog_id, site_id, domain, path) VALUES (90, 2, '{NAME}', '/x/')"
        );
        for (change, back) in [
            (blog("domain", "new.example"), blog("domain", NAME)),
            (blog("path", "/x/"), blog("path", "/")),
            (blog("site_id", "2"), blog("site_id", "1")),
            (blog("spam", "1"), blog("spam", "0")),
            (site("id = 1", "domain", "new.example"), site("id = 1", "domain", "agency.example")),
            (site("id = 1", "path", "/wp/"), site("id = 1", "path", "/")),
            (site("id = 2", "domain", NAME), site("id = 2", "domain", "second.example")),
            (sibling, "DELETE FROM wp_blogs WHERE blog_id = 90".to_owned()),
            (row(2, NAME), no_row()),
            (row(2, &format!("www.{NAME}")), no_row()),
            (row(4, "other.example"), no_row()),
        ] {
            network.sql(&change).await;
            assert_eq!(
                source.create_records(&read, &sites_without_record).await.unwrap(),
                [] as [i64; 0],
                "{change}"
            );
            network.sql(&back).await;
        }
        // The tables of one database often have different collations.
        if network.url.starts_with("mysql") {
            let other = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
            network.sql(&format!("ALTER TABLE wp_blogs CONVERT TO {other}")).await;
        }
        assert_eq!(source.create_records(&read, &sites_without_record).await.unwrap(), [4]);
    }
}

#[tokio::test]
async fn columns_of_enums_are_read_by_value_and_not_by_index() {
    let network = Network::mariadb().await;
    network
        .sql(
            "SET sql_mode = '';
             ALTER TABLE wp_blogs
               MODIFY archived enum('0','1') NOT NULL DEFAULT '0',
               MODIFY spam varchar(9) DEFAULT '0',
               MODIFY deleted enum('0','1') DEFAULT NULL;
             UPDATE wp_blogs SET archived = IF(blog_id = 5, '1', '0'),
               deleted = IF(blog_id = 7, '1', IF(blog_id = 4, NULL, '0')),
               spam = IF(blog_id = 6, '1', IF(blog_id = 4, '', '0'))",
        )
        .await;
    assert_whole(&network.source(None).read().await.unwrap());
    let network = Network::sqlite().await;
    network
        .sql(
            "UPDATE wp_blogs SET archived = CAST(archived AS TEXT), spam = CAST(spam AS TEXT);
             UPDATE wp_blogs SET deleted = '' WHERE deleted = 0",
        )
        .await;
    assert_whole(&network.source(None).read().await.unwrap());
}

#[tokio::test]
async fn a_domain_record_is_written_as_the_plugin_writes_it_and_only_once() {
    for network in [Network::mariadb().await, Network::sqlite().await] {
        let source = network.source(None);
        let read = source.read().await.unwrap();
        let sites_without_record = fitting(&read);
        if network.url.starts_with("mysql") {
            let error = source.create_records(&read, &sites_without_record).await.unwrap_err();
            let text = error.to_string();
            assert!(matches!(error.error, SourceError::InsertDenied { .. }) && !error.undetermined);
            assert!(text.contains("GRANT INSERT ON `net"), "{text}");
            assert!(text.contains("`.`wp_wu_domain_mappings` TO 'user"), "{text}");
            network.allow_records().await;
        }
        source.check_insert().await.unwrap();
        assert_eq!(source.create_records(&read, &sites_without_record).await.unwrap(), [4]);
        assert_eq!(
            source.create_records(&read, &sites_without_record).await.unwrap(),
            [] as [i64; 0],
            "written twice"
        );

        let read = source.read().await.unwrap();
        assert_eq!((read.rows, fitting(&read)), (14, vec![]));
        let new = read.mappings().find(|mapping| mapping.blog_id == 4).unwrap();
        assert_eq!(new.domain.as_str(), "never-recorded.agency.example");
        if network.url.starts_with("mysql") {
            let as_the_plugin = network.number(
                "SELECT COUNT(*) FROM wp_wu_domain_mappings WHERE blog_id = 4 AND active = 1
                 AND primary_domain = 1 AND secure = 0 AND stage = 'checking-dns'
                 AND ABS(TIMESTAMPDIFF(SECOND, date_created, UTC_TIMESTAMP())) < 60
                 AND date_modified = date_created",
            );
            assert_eq!(as_the_plugin.await, 1);
        }
    }
}

#[tokio::test]
async fn thousands_of_rows_come_in_one_read() {
    let network = Network::mariadb().await;
    network
        .sql(
            "DELETE FROM wp_wu_domain_mappings;
             INSERT INTO wp_wu_domain_mappings (blog_id, domain)
             SELECT 2, CONCAT('shop', seq, '.example') FROM seq_1_to_20000",
        )
        .await;
    let read = network.source(None).read().await.unwrap();
    assert_eq!((read.rows, read.mapped.len()), (20_000, 20_000));
    assert!(read.mappings().is_sorted_by_key(|mapping| mapping.row_id));
}

#[tokio::test]
async fn a_read_sees_one_moment() {
    let network = Network::mariadb().await;
    // Stops the read between its two large tables.
    let mut holding = network.connect().await;
    holding.execute("LOCK TABLES wp_blogs WRITE").await.unwrap();
    let source = network.source(None);
    let reading = tokio::spawn(async move { source.read().await });
    eventually("the read waits for wp_blogs", async || {
        let waiting = "SELECT COUNT(*) FROM information_schema.processlist
                       WHERE db = DATABASE() AND state LIKE 'Waiting for table%'";
        network.number(waiting).await == 1
    })
    .await;
    network.map("late.example").await;
    holding.execute("UNLOCK TABLES").await.unwrap();
    assert_whole(&reading.await.unwrap().unwrap());
}

#[tokio::test]
async fn a_site_whose_domain_does_not_fit_does_not_stop_other_records() {
    let network = Network::sqlite().await;
    let long = ["a".repeat(49).as_str(); 4].join(".");
    let insert = "INSERT INTO wp_blogs (blog_id, site_id, domain) VALUES";
    network.sql(&format!("{insert} (20, 1, '{long}'), (21, 1, 'fits.agency.example')")).await;
    let source = network.source(None);
    let read = source.read().await.unwrap();
    let long = read.sites_without_record.iter().find(|site| site.blog_id == 20).unwrap();
    assert_eq!(long.record, Err(NoRecord::DoesNotFit));
    assert_eq!(source.create_records(&read, &fitting(&read)).await.unwrap(), [4, 21]);
}

#[tokio::test]
async fn the_rights_of_database_user_sql_are_sufficient_and_all_needed() {
    let network = Network::mariadb().await;
    let (head, database) = network.url.rsplit_once('/').unwrap();
    let address = head.rsplit_once('@').unwrap().1;
    let user = format!("least_{database}");
    let grants: Vec<String> = include_str!("../../config/database-user.sql")
        .lines()
        .filter(|line| line.starts_with("GRANT "))
        .map(|line| line.replace(" ON ", &format!(" ON {database}.")))
        .map(|line| line.replace("'closte_sync'@'localhost'", &format!("{user}@'%'")))
        .collect();
    assert_eq!(grants.len(), 7, "{grants:?}");
    let closte = Simulator::start(KEY).await.unwrap();
    let url = format!("mysql://{user}:pw@{address}/{database}");
    let program = Program::new(&network, &closte);
    let program = program
        .with("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", &url)
        .with("CLOSTE_SYNC__WORDPRESS__WRITE_STAGE", "database");
    network.sql(include_str!("../data/actions.sql")).await;
    // If one of them is missing, the error names it.
    for missing in 0..grants.len() {
        let some = grants.iter().enumerate().filter(|(number, _)| *number != missing);
        let some: String = some.map(|(_, grant)| grant.as_str()).collect();
        network.sql(&format!("CREATE OR REPLACE USER {user}@'%' IDENTIFIED BY 'pw'; {some}")).await;
        let doctor = program.run(&["doctor"]).await;
        let table = grants[missing].split(' ').find(|word| word.contains("wp_")).unwrap();
        let table = table.split('.').nth(1).unwrap();
        let named = doctor
            .out
            .lines()
            .any(|line| !line.starts_with("ok") && line.contains("GRANT ") && line.contains(table));
        assert!(named, "{}: {doctor:?}", grants[missing]);
    }
    // With none or one of them, all are named as statements.
    for some in ["", &grants[0]] {
        network.sql(&format!("CREATE OR REPLACE USER {user}@'%' IDENTIFIED BY 'pw'; {some}")).await;
        let doctor = program.run(&["doctor"]).await;
        let line = doctor.out.lines().find(|line| line.contains(" database ")).unwrap();
        let (_, named) = line.split_once("run: ").unwrap_or_else(|| panic!("{some}: {line}"));
        assert_eq!(named.matches("GRANT ").count(), 5, "{some}: {line}");
        network.sql(named).await;
        let doctor = program.run(&["doctor"]).await;
        assert!(doctor.out.contains("ok      rights"), "{some}: {doctor:?}");
    }
    // A user who may read such tables with another prefix has a wrong prefix, not too few rights.
    let other = program.clone().with("CLOSTE_SYNC__WORDPRESS__TABLE_PREFIX", "other_");
    let doctor = other.run(&["doctor"]).await;
    assert!(doctor.out.contains("set wordpress.table_prefix = \"wp_\""), "{doctor:?}");
    let all = grants.concat();
    network.sql(&format!("CREATE OR REPLACE USER {user}@'%' IDENTIFIED BY 'pw'; {all}")).await;
    let doctor = program.run(&["doctor"]).await;
    assert!(!doctor.out.contains("GRANT "), "{doctor:?}");
    for check in ["database", "tables", "rights", "stages"] {
        let line = doctor.out.lines().find(|line| line.contains(&format!(" {check} "))).unwrap();
        assert!(line.starts_with("ok"), "{line}");
    }
    program.run(&["apply"]).await;
    program.run(&["apply"]).await;
    let applied = program.run(&["apply"]).await;
    assert!(applied.out.contains("1 domain records written"), "{applied:?}");
}
