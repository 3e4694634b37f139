//! The commands as people and scripts meet them.

use closte_sync::simulator::{Call, Fault, Shape, Simulator, Target};
use serde_json::{Value, json};

use crate::support::{KEY, Network, Outside, Program, ends};

#[tokio::test]
async fn plan_prints_json() {
    let network = Network::sqlite().await;
    let closte = Simulator::start(KEY).await.unwrap();
    closte.put(["*.agency.example", "the-bakery.example", "mail.elsewhere.example"]);
    let plan = Program::new(&network, &closte).run(&["plan", "--json"]).await.json();
    let decisions: Vec<_> = plan["decisions"].as_array().unwrap().iter().collect();
    assert_eq!(decisions.len(), 11);
    let covered = decisions.iter().find(|one| one["decision"] == "covered").unwrap();
    assert_eq!(covered["by"], "*.agency.example");
    let no_records = plan["no_records"].as_array().unwrap();
    assert_eq!((no_records.len(), &plan["records"]), (7, &json!([])));
    assert_eq!(no_records[4]["decision"], "shared-domain", "{plan}");
    assert_eq!(plan["sites_on_own_domain"], 1, "{plan}");
}

#[tokio::test]
async fn apply_prints_json() {
    let (_network, closte, program) = ends(&["a.example", "b.example", "c.example"]).await;
    closte.put(["a.example", "b.example"]);
    let applied = program.run(&["apply", "--json"]).await.json();
    assert_eq!((&applied["added"], &applied["in_place"]), (&json!(1), &json!(2)));
}

#[tokio::test]
async fn status_prints_json_worst_first() {
    let (_network, closte, program) = ends(&["a.example", "b.example", "bad.example"]).await;
    closte.refuse("bad.example");
    program.run(&["apply"]).await;
    let status = program.run(&["status", "--json", "bad.example", "b.example"]).await.json();
    let status = status.as_array().unwrap();
    assert_eq!(status.len(), 2);
    assert_eq!(
        (&status[0]["domain"], &status[0]["at_closte"]),
        (&json!("bad.example"), &json!("refused"))
    );
    assert_eq!(status[0]["error"], "Invalid or empty domain: bad.example");
}

#[tokio::test]
async fn events_are_printed_newest_last() {
    let (network, _closte, program) = ends(&["a.example", "b.example", "c.example"]).await;
    program.run(&["apply"]).await;
    network.unmap("a.example").await;
    program.run(&["apply"]).await;
    let events = program.run(&["events", "a.example"]).await;
    let names: Vec<_> =
        events.out.lines().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(names, ["domain.added", "domain.unmapped", "domain.removed"]);
    let newest = program.run(&["events", "--json", "-n", "1"]).await.json();
    assert_eq!(
        (&newest["event"], &newest["domain"]),
        (&json!("domain.removed"), &json!("a.example"))
    );
    assert_eq!((&newest["level"], &newest["blog_id"]), (&json!("INFO"), &json!(1)));
}

#[tokio::test]
async fn events_can_be_followed() {
    let (network, _closte, program) = ends(&["a.example"]).await;
    program.run(&["apply"]).await;
    let following = program.start(&["events", "--follow", "--json"]);
    following.logs("\"event\":\"domain.added\"").await;
    assert!(!following.log().contains("later.example"));
    network.map("later.example").await;
    program.run(&["apply"]).await;
    following.logs("\"domain\":\"later.example\"").await;
}

#[tokio::test]
async fn doctor_prints_failures_in_json() {
    let nothing = Program::bare().run(&["doctor", "--json"]).await;
    assert_eq!(nothing.status, 1);
    let findings = nothing.json();
    let failed = |finding: &&Value| finding["result"] == "failed";
    let failed: Vec<_> = findings.as_array().unwrap().iter().filter(failed).collect();
    assert_eq!(
        (failed[0]["check"].as_str(), failed[1]["check"].as_str()),
        (Some("database"), Some("key"))
    );
}

#[tokio::test]
async fn doctor_prints_the_shape_of_clostes_list_without_its_content() {
    let (_network, closte, program) = ends(&[]).await;
    closte.put(["a.example"]);
    closte.set_shape(Shape::With(vec![
        json!({"Domain": "b.example", "ssl": {"state": "on"}, KEY: 7}),
        json!(["c.example"]),
    ]));
    let shape = "an array of 1 string, 1 array, 1 object; in the objects Domain (1 string), *** (1 \
                 number), ssl (1 object); the answer has domains (1 array), success (1 boolean)";
    let doctor = program.run(&["doctor"]).await;
    assert!(doctor.out.contains(&format!("ok      shape      {shape}\n")), "{doctor:?}");
    assert!(doctor.out.contains("please report the line below"), "{doctor:?}");
    let findings = program.run(&["doctor", "--json"]).await.json();
    let findings = findings.as_array().unwrap();
    let found = findings.iter().find(|one| one["check"] == "shape").unwrap();
    assert_eq!(found["found"], shape);

    closte.fail(Target::Only(Call::List), Fault::Body(r#"{"success":1,"data":[]}"#.to_owned()));
    let doctor = program.run(&["doctor"]).await;
    let why = "its `domains` is no list; the answer has success (1 number), data (1 array)";
    assert!(doctor.out.contains(why), "{doctor:?}");
}

#[tokio::test]
async fn invalid_rows_are_sorted_and_name_the_screen_that_corrects_them() {
    let (network, _closte, program) = ends(&[]).await;
    network
        .sql(
            "INSERT INTO wp_wu_domain_mappings (id, blog_id, domain) VALUES (10, 2, 'b b');
             INSERT INTO wp_wu_domain_mappings (id, blog_id, domain) VALUES (9, 2, 'a a');
             INSERT INTO wp_blogs (blog_id, site_id, domain) VALUES (30, 1, 'd d');
             INSERT INTO wp_blogs (blog_id, site_id, domain) VALUES (4, 1, 'c c')",
        )
        .await;
    program.run(&["apply"]).await;
    let (rows, sites) =
        ("Network Admin > Ultimate Multisite > Domains", "Network Admin > Sites > Edit");
    let status = program.run(&["status", "--json"]).await.json();
    let status = status.as_array().unwrap();
    let advice =
        |one: &Value| one["advice"].as_str().unwrap().split_once(": ").unwrap().0.to_owned();
    let expected = [("row 9", rows), ("row 10", rows), ("site 4", sites), ("site 30", sites)];
    let expected = expected.map(|(origin, screen)| format!("Correct {origin} in {screen}"));
    assert_eq!(status.iter().map(advice).collect::<Vec<_>>(), expected);
    for command in ["status", "plan"] {
        let shown = program.run(&[command]).await.out;
        let origins =
            shown.lines().filter_map(|line| Some(line.strip_prefix("! ")?.split_once(" \"")?.0));
        let origins: Vec<&str> = origins.collect();
        assert_eq!(origins, ["row 9", "row 10", "site 4", "site 30"], "{command}: {shown}");
    }
    let doctor = program.run(&["doctor"]).await;
    let line = "2 mappings, 2 of them without a valid domain name, 2 sites whose own domain is invalid \
                (`closte-sync plan` lists them)";
    assert!(doctor.out.contains(line), "{doctor:?}");
    let events = program.run(&["events", "--json"]).await.out;
    let events: Vec<Value> =
        events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let remedy = |kind: &str, id: i64| {
        let is_it = |one: &&Value| one["kind"] == kind && one["id"] == id;
        let one = events.iter().find(is_it).unwrap();
        one["remedy"].as_str().unwrap().to_owned()
    };
    assert_eq!(remedy("row", 9), format!("correct it in {rows}"));
    assert_eq!(remedy("site", 4), format!("correct it in {sites}"));
}

#[tokio::test]
async fn the_table_of_status_is_80_columns_wide_when_it_is_piped() {
    let long = format!("{}.{}.example", "a".repeat(60), "b".repeat(60));
    let (_network, _closte, program) = ends(&[&long, "c.example"]).await;
    program.run(&["apply"]).await;
    let status = program.run(&["status"]).await;
    let table = status.out.lines().skip_while(|line| !line.starts_with("DOMAIN"));
    assert!(table.clone().all(|line| line.len() <= 80), "{status:?}");
    let names: String = table.skip(1).filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains(&long) && names.contains("c.example"), "{status:?}");
}

#[tokio::test]
async fn colours_are_for_terminals_only() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    for command in ["plan", "apply", "status", "events", "doctor", "config"] {
        let finished = program.run(&[command]).await;
        assert!(!format!("{}{}", finished.out, finished.err).contains('\u{1b}'), "{finished:?}");
    }
}

#[tokio::test]
async fn the_log_may_be_json() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let applied = program.with("CLOSTE_SYNC__LOG__FORMAT", "json").run(&["apply"]).await;
    let lines: Vec<Value> =
        applied.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let added = lines.iter().find(|line| line["event"] == "domain.added").unwrap();
    assert_eq!((&added["domain"], &added["level"]), (&json!("a.example"), &json!("INFO")));
    assert!(added["time"].as_str().unwrap().ends_with('Z'));
    assert_eq!(added["attempt"], 1);
}

#[tokio::test]
async fn doctor_tests_the_resolvers_and_the_target() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let outside = Outside::start().await;
    outside.dns.point("agency.example", &["9.9.9.9".parse().unwrap()]);
    let program = outside.around(program).with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "");
    let well = program.run(&["doctor"]).await;
    let resolver = outside.dns.address();
    assert_eq!(well.status, 0, "{well:?}");
    assert!(well.out.contains(&format!("ok      resolvers  {resolver} answer")), "{well:?}");
    let target = "ok      targets    domains should point at 9.9.9.9, agency.example";
    assert!(well.out.contains(target), "{well:?}");

    // A port of this machine at which nobody listens.
    let deaf = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let both = format!("{resolver},{deaf}");
    let one = program.clone().with("CLOSTE_SYNC__CHECKS__RESOLVERS", &both).run(&["doctor"]).await;
    assert_eq!(one.status, 0, "{one:?}");
    assert!(one.out.contains(&format!("warning resolvers  {deaf}: ")), "{one:?}");
    let none =
        program.with("CLOSTE_SYNC__CHECKS__RESOLVERS", &deaf.to_string()).run(&["doctor"]).await;
    assert_eq!(none.status, 1, "{none:?}");
    assert!(none.out.contains("-       targets    not tried: no resolver answers"), "{none:?}");
}

#[tokio::test]
async fn apply_tries_named_domains_immediately() {
    let (_network, closte, program) =
        ends(&["bad.example", "slow.example", "slower.example"]).await;
    closte.refuse("bad.example");
    for name in ["slow.example", "slower.example"] {
        closte.fail(Target::Domain(name.to_owned()), Fault::Failure("not now".to_owned()));
    }
    assert_eq!(program.run(&["apply"]).await.status, 3);
    let asked = closte.count(Call::Add);
    assert_eq!(program.run(&["apply"]).await.status, 3);
    assert_eq!(closte.count(Call::Add), asked, "it is too early for another attempt");

    closte.heal();
    let named = program.run(&["apply", "bad.example", "SLOW.example"]).await;
    assert!(named.out.starts_with("1 added"), "{named:?}");
    assert!(named.err.contains("domain.refused domain=bad.example"), "{named:?}");
    assert_eq!((named.status, closte.count(Call::Add)), (3, asked + 2), "{named:?}");
    assert_eq!(closte.domains(), ["slow.example"]);
}

#[tokio::test]
async fn apply_of_an_unknown_name_does_nothing() {
    let (_network, closte, program) = ends(&["a.example"]).await;
    let applied = program.run(&["apply", "a.example", "stranger.example"]).await;
    assert_eq!((applied.status, closte.requests().len()), (1, 0), "{applied:?}");
    let said = "stranger.example is neither desired by the network nor managed, so nothing was done: see \
                Network Admin > Ultimate Multisite > Domains";
    assert!(applied.err.contains(said) && !applied.err.contains("a.example is"), "{applied:?}");
    assert_eq!(program.run(&["apply", "no name"]).await.status, 64);
    let events = program.run(&["events"]).await;
    assert_eq!(events.out, "", "{events:?}");
}

#[tokio::test]
async fn the_key_leaves_the_machine_unencrypted_only_where_a_setting_allows_it() {
    let (_network, closte, program) = ends(&["a.example"]).await;
    // An IPv4 address in IPv6's form is no loopback address by its looks.
    let elsewhere = closte.base_url().replace("127.0.0.1", "[::ffff:127.0.0.1]");
    let program = program.with("CLOSTE_SYNC__CLOSTE__BASE_URL", &elsewhere);
    let refused = program.run(&["apply"]).await;
    assert_eq!((refused.status, closte.connections()), (1, 0));
    assert!(refused.err.contains("closte.allow_plain_http permits it"), "{refused:?}");
    let program = program.with("CLOSTE_SYNC__CLOSTE__ALLOW_PLAIN_HTTP", "true");
    assert_eq!(program.run(&["apply"]).await.status, 0);
    assert_eq!(closte.domains(), ["a.example"]);
    let doctor = program.run(&["doctor"]).await;
    assert!(doctor.out.contains("accepts it; it is sent unencrypted"), "{doctor:?}");
}

#[tokio::test]
async fn the_demo_says_that_it_has_no_folder() {
    let demo = Program::bare().with("TMPDIR", "/nowhere").run(&["demo"]).await;
    assert_eq!(demo.status, 1, "{demo:?}");
    assert!(demo.err.contains("no folder for the practice network"), "{demo:?}");
    assert!(demo.err.contains("set TMPDIR"), "{demo:?}");
}
