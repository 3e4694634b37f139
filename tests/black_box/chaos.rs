//! Whatever happens, in whatever order: when it is over, both ends agree and no unmanaged name was
//! touched. The daemon is crashed at random points on the way.

use std::{collections::BTreeSet, time::Duration};

use closte_sync::{
    clock::Clock,
    closte::{ApiKey, BaseUrl, Client},
    ledger::BackOff,
    plan::Policy,
    reconciler::{Reconciler, Rules, Shutdown, Www},
    simulator::{Call, Fault, Simulator, Target},
    state::State,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::support::{KEY, Network};

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

fn rules() -> Rules {
    let at_once = BackOff { first: Duration::ZERO, longest: Duration::ZERO };
    Rules {
        policy: Policy {
            upsert_only: false,
            removal_grace: Duration::ZERO,
            max_removal_percent: 100,
            keep: Vec::new(),
            exclude: Vec::new(),
            back_off: at_once,
            // Nobody is there to insist.
            allow_removals: true,
            named: Default::default(),
        },
        extra_domains: Vec::new(),
        create_records: true,
        record_grace: Duration::ZERO,
        record_asked_for: None,
        list_interval: Duration::ZERO,
        concurrency: 3,
        request_certificate_after: None,
        www: Www::Off,
    }
}

async fn start(network: &Network, closte: &Simulator, state: &State) -> Reconciler {
    let (base, key): (BaseUrl, ApiKey) = (closte.base_url().parse().unwrap(), KEY.parse().unwrap());
    let account = key.fingerprint(&base);
    let client = Client::new(base, key, Duration::from_millis(100), 3).unwrap();
    Reconciler::new(network.source(None), client, account, state.clone(), rules(), Clock::default())
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
    let mut sync = start(&network, &closte, &state).await;
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
        // A crash is a cycle that ends at any of its steps.
        let crash_after = Duration::from_micros(random.random_range(0..20_000));
        if tokio::time::timeout(crash_after, sync.cycle(&never, &|_, _| ())).await.is_err() {
            sync = start(&network, &closte, &state).await;
        }
    }

    closte.heal();
    let mut settled = 0;
    for _ in 0..20 {
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
