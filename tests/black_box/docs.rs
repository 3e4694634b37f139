//! The tables of docs/ have what the program has, and nothing else.

use std::collections::BTreeSet;

use closte_sync::{
    events::Event,
    settings::catalog,
    status::{Blocker, BrokenBy, CaaFault, CnameFault, DnsVerdict, SslVerdict},
};

/// The cells of the table under this head, row by row.
fn table<'a>(text: &'a str, head: &str) -> Vec<Vec<&'a str>> {
    let rows = text.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows: Vec<Vec<&str>> = rows
        .take_while(|line| line.starts_with('|'))
        .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(!rows.is_empty(), "there is no table {head}");
    rows
}

/// The words between backticks of a cell.
fn words(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_event_is_explained_with_its_level() {
    let table = table(include_str!("../../docs/events.md"), "| event | level |");
    let mut explained = BTreeSet::new();
    for row in &table {
        let (names, levels) = (words(row[0]), row[1].split(", ").collect::<Vec<_>>());
        assert!(!row[2].is_empty(), "{row:?}");
        for (number, name) in names.into_iter().enumerate() {
            let level = levels.get(number).or(levels.last()).unwrap();
            assert!(explained.insert((name, *level)), "{name} is there twice");
        }
    }
    assert_eq!(explained, Event::LEVELS.iter().copied().collect());
}

#[test]
fn every_verdict_is_explained() {
    let text = include_str!("../../docs/verdicts.md");
    let tables: [(&str, BTreeSet<&str>); 3] = [
        ("| DNS |", DnsVerdict::ALL.iter().map(|verdict| verdict.as_str()).collect()),
        ("| SSL |", SslVerdict::ALL.iter().map(|verdict| verdict.as_str()).collect()),
        ("| blocker |", Blocker::ALL.iter().map(|blocker| blocker.as_str()).collect()),
    ];
    for (head, all) in tables {
        let table = table(text, head);
        assert!(table.iter().all(|row| row.len() == 3 && row.iter().all(|cell| !cell.is_empty())));
        let explained: Vec<&str> = table.iter().flat_map(|row| words(row[0])).collect();
        assert_eq!(explained.len(), all.len(), "{head}");
        assert_eq!(BTreeSet::from_iter(explained), all, "{head}");
    }
}

#[test]
fn every_fault_is_explained() {
    let mut field = "";
    let mut explained = BTreeSet::new();
    let table = table(include_str!("../../docs/verdicts.md"), "| field | word |");
    for row in &table {
        if let [name] = words(row[0])[..] {
            field = name;
        }
        explained.extend(words(row[1]).into_iter().map(|word| (field, word)));
    }
    let broken = BrokenBy::ALL.iter().map(|fault| ("dns.broken_by", fault.as_str()));
    let chain = CnameFault::ALL.iter().map(|fault| ("dns.chain.fault", fault.as_str()));
    let caa = CaaFault::ALL.iter().map(|fault| ("caa.fault", fault.as_str()));
    assert_eq!(explained, broken.chain(chain).chain(caa).collect());
}

#[test]
fn every_setting_is_listed_with_its_default() {
    let table = table(include_str!("../../docs/settings.md"), "| setting | default |");
    let listed: Vec<&str> = table.iter().flat_map(|row| words(row[0])).collect();
    let all: Vec<&str> = catalog().settings.iter().map(|setting| setting.key.as_str()).collect();
    assert_eq!(listed, all, "in the order of config/default.toml");
    for (row, setting) in table.iter().zip(&catalog().settings) {
        let default = setting.default.trim_matches('"');
        let shown = match default.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
            Some("") => vec!["[]"],
            Some(list) => list.split(", ").map(|one| one.trim_matches('"')).collect(),
            None => vec![default],
        };
        // Where it is empty, the cell says in words what that means.
        assert!(default.is_empty() || shown == words(row[1]), "{}: {default}", setting.key);
    }
}
