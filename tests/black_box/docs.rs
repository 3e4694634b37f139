//! The documentation says what the program does: each of its tables is compared with the code.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    fs,
    path::{Path, PathBuf},
};

use closte_sync::{
    cli,
    events::Event,
    settings::catalog,
    simulator::Face,
    status::{
        Blocker, BrokenBy, CaaFault, CnameFault, DnsVerdict, Serving, SiteVerdict, SslVerdict,
        Stage,
    },
};
use strum::VariantArray as _;

use crate::{
    http::{address, get, with_endpoint},
    support::{Outside, ends, eventually},
};

const README: &str = include_str!("../../README.md");
const EVENTS: &str = include_str!("../../docs/events.md");
const METRICS: &str = include_str!("../../docs/metrics.md");
const SETTINGS: &str = include_str!("../../docs/settings.md");
const VERDICTS: &str = include_str!("../../docs/verdicts.md");

/// The rows of the table whose head begins like this, cell by cell. None is empty at its end.
fn table<'a>(text: &'a str, head: &str) -> Vec<Vec<&'a str>> {
    let lines = text.lines().skip_while(|line| !line.starts_with(head));
    let width = text.lines().find(|line| line.starts_with(head)).unwrap().split('|').count();
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        assert_eq!(cells.len(), width, "{row}");
        assert!(!cells[width - 2].is_empty(), "it explains nothing: {row}");
        cells[1..width - 1].to_vec()
    })
    .collect()
}

/// The words of a cell.
fn words(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(',').map(|word| word.trim().trim_matches('`'))
}

/// The words in the first cells of a table.
fn first_words<'a>(text: &'a str, head: &str) -> Vec<&'a str> {
    table(text, head).iter().flat_map(|row| words(row[0])).collect()
}

/// Both have the same words, and none of them twice.
fn assert_same<T: Ord + Debug>(
    explained: impl IntoIterator<Item = T>,
    there_is: impl IntoIterator<Item = T>,
) {
    let explained: Vec<T> = explained.into_iter().collect();
    let number = explained.len();
    let explained = BTreeSet::from_iter(explained);
    let there_is = BTreeSet::from_iter(there_is);
    let missing: Vec<_> = there_is.difference(&explained).collect();
    let invented: Vec<_> = explained.difference(&there_is).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "not explained: {missing:?}; explained, and not there: {invented:?}"
    );
    assert_eq!(number, explained.len(), "something is explained twice: {explained:?}");
}

#[test]
fn every_event_has_its_name_and_level() {
    let mut explained: Vec<(&str, &str)> = Vec::new();
    for row in table(EVENTS, "| event |") {
        let names: Vec<&str> = words(row[0]).collect();
        let levels: Vec<&str> = words(row[1]).collect();
        assert!(levels.len() == 1 || levels.len() == names.len(), "{row:?}");
        explained.extend(names.into_iter().zip(levels.into_iter().cycle()));
    }
    assert_same(explained, Event::LEVELS.iter().copied());
}

#[test]
fn every_verdict_blocker_and_stage_is_explained_and_no_other() {
    let dns = DnsVerdict::VARIANTS.iter().map(|verdict| verdict.as_str());
    assert_same(first_words(VERDICTS, "| DNS |"), dns);
    let ssl = SslVerdict::VARIANTS.iter().map(|verdict| verdict.as_str());
    assert_same(first_words(VERDICTS, "| SSL |"), ssl);
    let sites = SiteVerdict::VARIANTS.iter().map(|site| site.as_str());
    assert_same(first_words(VERDICTS, "| site |"), sites);
    let blockers = Blocker::VARIANTS.iter().map(|blocker| blocker.as_str());
    assert_same(first_words(VERDICTS, "| blocker |"), blockers);
    let stages = Stage::VARIANTS.iter().map(|stage| stage.as_str());
    assert_same(first_words(VERDICTS, "| stage |"), stages);
    let servings = Serving::VARIANTS.iter().map(|serving| serving.as_str());
    assert_same(first_words(VERDICTS, "| serving |"), servings);
}

#[test]
fn every_fault_is_explained_with_its_field() {
    let mut field = "";
    let mut explained: Vec<(&str, &str)> = Vec::new();
    for row in table(VERDICTS, "| field | word |") {
        if !row[0].is_empty() {
            field = row[0];
        }
        explained.extend(words(row[1]).map(|word| (field, word)));
    }
    let broken = BrokenBy::VARIANTS.iter().map(|fault| ("`dns.broken_by`", fault.as_str()));
    let chain = CnameFault::VARIANTS.iter().map(|fault| ("`dns.chain.fault`", fault.as_str()));
    let caa = CaaFault::VARIANTS.iter().map(|fault| ("`caa.fault`", fault.as_str()));
    assert_same(explained, broken.chain(chain).chain(caa));
}

#[test]
fn every_setting_is_explained_as_in_default_toml() {
    let rows = SETTINGS.lines().skip_while(|line| !line.starts_with("| setting |")).skip(2);
    let explained: Vec<&str> = rows.take_while(|line| line.starts_with('|')).collect();
    let settings = catalog().settings.iter().map(|setting| {
        let default = match setting.default {
            "\"\"" => String::new(),
            default => format!(" `{default}`"),
        };
        format!("| `{}` |{default} | {} |", setting.key, setting.summary())
    });
    let settings: Vec<String> = settings.collect();
    assert!(
        explained == settings,
        "the table of docs/settings.md must be:\n{}",
        settings.join("\n")
    );
}

#[tokio::test]
async fn every_metric_is_explained_with_its_states() {
    let outside = Outside::start().await;
    outside.point(&["agency.example", "a.example"]);
    outside.tls.show("a.example", Face::Valid(60)).unwrap();
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let program = with_endpoint(outside.around(program));
    let program = program.with("CLOSTE_SYNC__HTTP__METRICS_PER_DOMAIN", "true");
    let daemon = program.start_daemon();
    let at = address(&daemon).await;
    let scrape = async || get(&format!("{at}/metrics")).await.1;
    let works = "closte_sync_domain_works{domain=\"a.example\"} 1\n";
    eventually("the domain works", async || scrape().await.contains(works)).await;
    // Once more: the sums of a scrape are read before the domains.
    let metrics = scrape().await;
    let names = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    assert_same(first_words(METRICS, "| metric |"), names);
    let states = metrics.lines().filter_map(|line| {
        line.strip_prefix("closte_sync_cycle_domains{state=\"")?.split('"').next()
    });
    let rows = table(METRICS, "| metric |");
    let row = rows.iter().find(|row| row[0] == "`closte_sync_cycle_domains`").unwrap();
    let explained = row[2].split('`').skip(1).step_by(2);
    assert_same(explained, states);
}

#[test]
fn the_readme_explains_every_command() {
    let rows = table(README, "| command |");
    let explained = rows.iter().map(|row| row[0].trim_matches('`').split(' ').next().unwrap());
    let command = cli::command();
    let commands = command.get_subcommands().map(|command| command.get_name());
    assert_same(explained, commands.filter(|name| *name != "help"));
}

/// What a heading is called in a link.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_link_has_a_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];
    let files = files.map(|file| root.join(file)).into_iter();
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|file| file.unwrap().path());
    let is_text = |file: &PathBuf| file.extension().is_some_and(|kind| kind == "md");
    for file in files.chain(docs).filter(is_text) {
        let text = fs::read_to_string(&file).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("http")) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => file.clone(),
                path => file.parent().unwrap().join(path),
            };
            assert!(target.exists(), "{}: {link}", file.display());
            if heading.is_empty() {
                continue;
            }
            let target = fs::read_to_string(target).unwrap();
            let mut headings = target.lines().filter(|line| line.starts_with('#')).map(anchor);
            let leads = headings.any(|known| known == heading);
            assert!(leads, "{}: {link}", file.display());
        }
    }
}

/// The files below a folder, except those that only hold tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) =
        entries.filter(|path| path.file_stem().unwrap() != "tests").partition(|path| path.is_dir());
    files.into_iter().chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}

/// The name of the type that a line declares for other modules.
fn public_type(line: &str) -> Option<&str> {
    let (visibility, declared) = line.trim_start().split_once(' ')?;
    let (kind, rest) = declared.split_once(' ')?;
    let is_public = matches!(visibility, "pub" | "pub(crate)");
    let is_type = matches!(kind, "struct" | "enum" | "type" | "trait");
    rest.split(|c: char| !c.is_alphanumeric()).next().filter(|_| is_public && is_type)
}

#[test]
fn no_two_public_types_share_a_name() {
    let mut files: BTreeMap<String, BTreeSet<PathBuf>> = BTreeMap::new();
    for file in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
        for name in code.lines().filter_map(public_type) {
            files.entry(name.to_owned()).or_default().insert(file.clone());
        }
    }
    assert!(files.len() > 50, "the declarations are not found: {files:?}");
    files.retain(|_, files| files.len() > 1);
    assert!(files.is_empty(), "rename one of each: {files:#?}");
}
