//! Whatever happens, in whatever order: when it is over, both ends agree and no unmanaged name was
//! touched. The daemon is crashed at random points on the way.

use std::{collections::BTreeSet, time::Duration};

use closte_sync::{
    app::{App, Overrides},
    back_off::BackOff,
    clock::Clock,
    reconciler::Shutdown,
    simulator::{Call, Fault, Simulator, Target},
    state::State,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::support::{KEY, Network, Program};

const FOREIGN: [&str; 3] =
    ["*.elsewhere.example", "mail.elsewhere.example", "www.unmanaged.example"];
const NAMES: [&str; 8] = [
    "a.example",
    "b.example",
    "c.example",
    "shop.example",
    "www.shop.example",
    "blog.shop.example",
    "*.shop.example",
    "*.blog.shop.example",
];

/// How long a list of Closte counts.
const LIST_INTERVAL: Duration = Duration::from_millis(100);

/// Nothing waits, and nobody is there to insist.
fn app(network: &Network, closte: &Simulator, clock: &Clock) -> App {
    let program = Program::new(network, closte)
        .with("CLOSTE_SYNC__SYNC__MAX_REMOVAL_PERCENT", "100")
        .with("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "100ms")
        .with("CLOSTE_SYNC__CLOSTE__TIMEOUT", "100ms")
        .with("CLOSTE_SYNC__CLOSTE__CONCURRENCY", "3")
        .with("CLOSTE_SYNC__CHECKS__REQUEST_CERTIFICATE_AFTER", "0s");
    let overrides = Overrides {
        allow_removals: true,
        clock: clock.clone(),
        back_off: BackOff { first: Duration::ZERO, longest: Duration::ZERO },
        ..Overrides::default()
    };
    App::build(&program.settings(), overrides)
}

fn any_fault(random: &mut StdRng) -> (Target, Fault) {
    let targets = [
        Target::Everything,
        Target::Only(Call::List),
        Target::Only(Call::Add),
        Target::Only(Call::Remove),
        Target::Domain(NAMES[random.random_range(0..NAMES.len())].to_owned()),
    ];
    let faults = [
        Fault::Failure("no".to_owned()),
        Fault::EmptyPromise,
        Fault::Status(404),
        Fault::RetryAfter(429, 60),
        Fault::Body("<html>".to_owned()),
        Fault::Body(r#"{"success": true, "domains": []}"#.to_owned()),
        Fault::Body(r#"{"success": true, "domains": [null, "a.example"]}"#.to_owned()),
        Fault::Hang,
        Fault::LostAnswer,
    ];
    let pick = |random: &mut StdRng, length: usize| random.random_range(0..length);
    let (target, fault) = (pick(random, targets.len()), pick(random, faults.len()));
    (targets[target].clone(), faults[fault].clone())
}

async fn whatever_happens(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let network = Network::with_domains(&["stays.example"]).await;
    let closte = Simulator::start(KEY).await.unwrap();
    closte.put(FOREIGN);
    let folder = tempfile::tempdir().unwrap();
    let state = State::open(&folder.path().join("state.db")).await.unwrap();
    let clock = Clock::default();
    let app = app(&network, &closte, &clock);
    let mut sync = app.reconciler(&state).unwrap();
    let never = Shutdown::default();
    let mut mapped = BTreeSet::from(["stays.example"]);
    closte.set_latency(Duration::from_millis(3));
    for _ in 0..40 {
        let name = NAMES[random.random_range(0..NAMES.len())];
        match random.random_range(0..10) {
            0..4 => {
                if mapped.insert(name) {
                    network.map(name).await;
                }
            }
            4..6 => {
                if mapped.remove(name) {
                    network.unmap(name).await;
                }
            }
            6 => closte.take_away(name),
            7 => {
                let (target, fault) = any_fault(&mut random);
                closte.fail(target, fault);
            }
            _ => closte.heal(),
        }
        clock.advance(LIST_INTERVAL);
        // A crash is a cycle that ends at any of its steps.
        let crash_after = Duration::from_micros(random.random_range(0..20_000));
        if tokio::time::timeout(crash_after, sync.cycle(&never, &|_, _| ())).await.is_err() {
            sync = app.reconciler(&state).unwrap();
        }
    }

    closte.heal();
    let mut settled = 0;
    for _ in 0..20 {
        clock.advance(LIST_INTERVAL);
        let outcome = sync.cycle(&never, &|_, _| ()).await;
        let calls = outcome.report().map_or(0, |report| report.added + report.removed);
        let idle = outcome.is_settled() && calls == 0;
        settled = if idle { settled + 1 } else { 0 };
    }
    assert!(settled > 2, "seed {seed}: it never came to rest");
    let there: BTreeSet<String> = closte.domains().into_iter().collect();
    for name in FOREIGN {
        assert!(there.contains(name), "seed {seed}: {name} was unmanaged");
    }
    for name in &mapped {
        let wildcard = name.split_once('.').map(|(_, parent)| format!("*.{parent}"));
        let covered = !name.starts_with('*') && wildcard.is_some_and(|it| there.contains(&it));
        assert!(there.contains(*name) || covered, "seed {seed}: {name} is missing");
    }
    for name in NAMES.iter().filter(|name| !mapped.contains(*name)) {
        assert!(!there.contains(*name), "seed {seed}: {name} was left behind");
    }
}

#[tokio::test]
async fn whatever_happens_both_ends_agree_in_the_end() {
    for seed in 0..12 {
        whatever_happens(seed).await;
    }
}
