//! The commands as people and scripts meet them.

use closte_sync::simulator::{Call, Fault, Shape, Simulator, Target};
use serde_json::{Value, json};

use crate::support::{KEY, Network, Outside, Program, ends};

#[tokio::test]
async fn plan_shows_a_diff_and_changes_nothing() {
    let network = Network::sqlite().await;
    let closte = Simulator::start(KEY).await.unwrap();
    closte.put(["*.agency.example", "the-bakery.example", "mail.elsewhere.example"]);
    let program = Program::new(&network, &closte);
    let plan = program.run(&["plan"]).await;
    assert_eq!((plan.status, plan.err.as_str()), (2, ""));
    assert_eq!(
        plan.out,
        "\
6 to add, 0 to remove, 0 held, 0 waiting; 1 in place, 3 covered, 2 unmanaged, 4 invalid
+ *.roses.example
+ agency.example
+ orphan.example
+ roses.example
+ taken.example
+ xn--blmen-lva.example
! never-recorded.agency.example  no domain record for site 4: not yet: it must lack it in 2 more reads
! twins.agency.example  no domain record for site 10: another site has its domain too
! twins.agency.example/b  no domain record for site 11: its path is not the network's
! taken.example  no domain record for site 12: the domain table has its domain for another site
! archived.agency.example  no domain record for site 5: it is archived, spam or deleted
! spam.agency.example  no domain record for site 6: it is archived, spam or deleted
! deleted.agency.example  no domain record for site 7: it is archived, spam or deleted
! row 11 \"https://pasted.example/\"  invalid: it is a web address; only the host name belongs here; correct it in Network Admin > Ultimate Multisite > Domains
! row 12 \"\"  invalid: it is empty; correct it in Network Admin > Ultimate Multisite > Domains
! row 13 \"evil.example&domain=victim.example\"  invalid: the character '&' cannot be part of a host name; correct it in Network Admin > Ultimate Multisite > Domains
! site 9 \"localhost\"  invalid: it has one label only, and a domain needs two, such as shop.example; correct it in Network Admin > Sites > Edit
"
    );
    assert_eq!(closte.domains().len(), 3);
    assert_eq!(network.source(None).read().await.unwrap().sites_without_record.len(), 7);

    let plan = program.run(&["plan", "--json"]).await.json();
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
async fn plan_is_settled_when_both_ends_agree() {
    let (_network, closte, program) = ends(&["a.example"]).await;
    closte.put(["a.example"]);
    let plan = program.run(&["plan"]).await;
    assert_eq!(
        (plan.status, plan.out.as_str()),
        (0, "0 to add, 0 to remove, 0 held, 0 waiting; 1 in place\n")
    );
}

#[tokio::test]
async fn apply_tells_what_it_did() {
    let (network, closte, program) = ends(&["a.example", "b.example"]).await;
    closte.put(["a.example"]);
    let applied = program.run(&["apply"]).await;
    assert_eq!(applied.out, "1 added, 0 removed; 1 of 2 desired names were in place\n");
    network.map("c.example").await;
    let applied = program.run(&["apply", "--json"]).await.json();
    assert_eq!((&applied["added"], &applied["in_place"]), (&json!(1), &json!(2)));
}

#[tokio::test]
async fn status_shows_the_worst_first() {
    let (network, closte, program) = ends(&["a.example", "b.example", "bad.example"]).await;
    closte.refuse("bad.example");
    network
        .sql("INSERT INTO wp_wu_domain_mappings (blog_id, domain) VALUES (7, 'not a name')")
        .await;
    program.run(&["apply"]).await;
    program.run(&["apply"]).await;
    let status = program.run(&["status"]).await;
    let lines: Vec<_> = status.out.lines().collect();
    assert!(
        lines[0].starts_with("2 of 3 desired domains are served by Closte, as of"),
        "{status:?}"
    );
    assert!(lines[1].starts_with("DOMAIN"), "{status:?}");
    let words = |line: &str| line.split_whitespace().take(3).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(lines[2]), ["bad.example", "refused", "-"]);
    assert_eq!(words(lines[3]), ["a.example", "yes", "-"]);
    assert_eq!(words(lines[4]), ["b.example", "yes", "-"]);
    assert!(lines[6].starts_with("! row 4 \"not a name\"  invalid: "), "{status:?}");

    let status = program.run(&["status", "--json", "bad.example", "b.example"]).await.json();
    let status = status.as_array().unwrap();
    assert_eq!(status.len(), 2);
    assert_eq!(
        (&status[0]["domain"], &status[0]["at_closte"]),
        (&json!("bad.example"), &json!("refused"))
    );
    assert_eq!(status[0]["error"], "Invalid or empty domain: bad.example");
    let unknown = program.run(&["status", "no.example"]).await;
    assert!(unknown.out.contains("no.example is not managed: no row"), "{unknown:?}");
    let program = program.with("CLOSTE_SYNC__SYNC__EXCLUDE", "off.example");
    let others = program.run(&["status", "site5.closte.com", "off.example"]).await.out;
    for said in [
        "site5.closte.com is not managed: it is one of Closte's own names",
        "off.example is not managed: it matches sync.exclude\n",
    ] {
        assert!(others.contains(said), "{others}");
    }
}

#[tokio::test]
async fn events_tell_the_story_newest_last() {
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
async fn doctor_tries_everything_and_names_the_remedy() {
    let network = Network::mariadb().await;
    let closte = Simulator::start(KEY).await.unwrap();
    closte.put(["a.example"]);
    let program = Program::new(&network, &closte);
    let well = program.run(&["doctor"]).await;
    assert_eq!(well.status, 0, "{well:?}");
    let line = |out: &str, check: &str| {
        let line = out.lines().find(|line| line.contains(&format!(" {check} ")));
        line.unwrap_or_else(|| panic!("{check}: {out}")).to_owned()
    };
    for check in ["settings", "state", "database", "tables", "key", "clock", "list"] {
        assert!(line(&well.out, check).starts_with("ok "), "{well:?}");
    }
    assert!(line(&well.out, "rights").starts_with("warning"), "{well:?}");
    assert!(line(&well.out, "rights").contains("GRANT INSERT ON"), "{well:?}");

    let broken = program
        .with("CLOSTE_CLIENT_API_KEY", "wrong")
        .with("CLOSTE_SYNC__WORDPRESS__TABLE_PREFIX", "x_");
    let ill = broken.run(&["doctor"]).await;
    assert_eq!(ill.status, 1);
    assert!(line(&ill.out, "database").contains("set wordpress.table_prefix = \"wp_\""), "{ill:?}");
    assert!(line(&ill.out, "key").contains("check CLOSTE_CLIENT_API_KEY"), "{ill:?}");

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
async fn doctor_shows_what_clostes_list_looks_like_and_nothing_of_what_is_in_it() {
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
async fn what_is_no_name_is_told_with_the_screen_where_it_stands_and_in_order() {
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
    let line = "2 mappings, 2 of them no domain name, 2 sites whose own domain is none (`closte-sync \
                plan` lists them)";
    assert!(doctor.out.contains(line), "{doctor:?}");
    let events = program.run(&["events", "--json"]).await.out;
    let events: Vec<Value> =
        events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let remedy = |origin: &str| {
        let one = events.iter().find(|one| one["origin"] == origin).unwrap();
        one["remedy"].as_str().unwrap().to_owned()
    };
    assert_eq!(remedy("row 9"), format!("correct it in {rows}"));
    assert_eq!(remedy("site 4"), format!("correct it in {sites}"));
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
async fn a_missing_setting_is_named_with_the_place_where_it_belongs() {
    let (_network, _closte, program) = ends(&[]).await;
    let keyless = program.clone().without("CLOSTE_CLIENT_API_KEY").run(&["run"]).await;
    assert!(
        keyless.status == 1 && keyless.err.contains("set CLOSTE_CLIENT_API_KEY"),
        "{keyless:?}"
    );
    let homeless = program.without("CLOSTE_SYNC__WORDPRESS__DATABASE_URL").run(&["plan"]).await;
    assert!(homeless.status == 1 && homeless.err.contains("WORDPRESS_DB_HOST"), "{homeless:?}");
}

#[tokio::test]
async fn help_reads_well_and_wrong_usage_ends_with_64() {
    let program = Program::bare();
    let help = program.run(&["--help"]).await;
    assert_eq!(help.status, 0);
    for command in
        ["run", "plan", "apply", "status", "check", "events", "health", "doctor", "config", "demo"]
    {
        assert!(help.out.contains(&format!("  {command}")), "{command}: {}", help.out);
        let its_own = program.run(&[command, "--help"]).await;
        assert!(its_own.status == 0 && its_own.out.contains("Usage: closte-sync"), "{its_own:?}");
    }
    for wrong in
        [&["fly"][..], &[], &["plan", "--fast"], &["status", "not a name"], &["--set", "x"]]
    {
        assert_eq!(program.run(wrong).await.status, 64, "{wrong:?}");
    }
}

#[tokio::test]
async fn the_demo_comes_to_a_good_end() {
    let demo = Program::bare().run(&["demo"]).await;
    assert_eq!(demo.status, 0, "{demo:?}");
    for told in [
        "15 of 17 work, seen from outside",
        "For you   Point the A record of old-books.example at 127.0.0.1",
        "Blocked   caa-forbids",
        "Both ends agree.",
    ] {
        assert!(demo.out.contains(told), "{told}: {}", demo.out);
    }
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
async fn doctor_tries_the_resolvers_and_the_target() {
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
async fn apply_tries_named_domains_at_once() {
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
async fn apply_of_a_name_that_nobody_knows_does_nothing() {
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
