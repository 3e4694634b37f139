//! What is at rest at both ends is not compared again. A change at either end, or time, ends the rest.

use std::time::Duration;

use closte_sync::{
    app::{App, Overrides},
    clock::Clock,
    reconciler::{CycleReport, Reconciler, Shutdown},
    simulator::{Shape, Simulator},
    state::State,
};
use serde_json::json;

use crate::support::{KEY, Network, Program};

const LIST_INTERVAL: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

struct Rest {
    network: Network,
    closte: Simulator,
    clock: Clock,
    state: State,
    sync: Reconciler,
    _folder: tempfile::TempDir,
}

fn reconciler(network: &Network, closte: &Simulator, clock: &Clock, state: &State) -> Reconciler {
    let program = Program::new(network, closte)
        .with("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "60s")
        .with("CLOSTE_SYNC__SYNC__MAX_REMOVAL_PERCENT", "100");
    let overrides =
        Overrides { allow_removals: true, clock: clock.clone(), ..Overrides::default() };
    App::build(&program.settings(), overrides).reconciler(state).unwrap()
}

/// Both ends have `a.example` and `b.example`, and were compared.
async fn at_rest() -> Rest {
    let rest = at_rest_with(Network::with_domains(&["a.example", "b.example"]).await).await;
    assert_eq!(rest.closte.domains(), ["a.example", "b.example", "unmanaged.example"]);
    rest
}

async fn at_rest_with(network: Network) -> Rest {
    let closte = Simulator::start(KEY).await.unwrap();
    closte.put(["unmanaged.example"]);
    let clock = Clock::default();
    let folder = tempfile::tempdir().unwrap();
    let state = State::open(&folder.path().join("state.db")).await.unwrap();
    let sync = reconciler(&network, &closte, &clock, &state);
    let mut rest = Rest { network, closte, clock, state, sync, _folder: folder };
    rest.cycles(3, LIST_INTERVAL).await;
    rest
}

impl Rest {
    /// The report of the last of so many cycles, each of which reads Closte's list.
    async fn cycles(&mut self, number: usize, apart: Duration) -> CycleReport {
        let mut last = None;
        for _ in 0..number {
            self.clock.advance(apart);
            let outcome = self.sync.cycle(&Shutdown::default(), &|_, _| ()).await;
            last = outcome.report().cloned();
            assert!(last.is_some(), "{outcome:?}");
        }
        last.unwrap()
    }

    async fn cycle(&mut self) -> CycleReport {
        self.cycles(1, LIST_INTERVAL).await
    }
}

#[tokio::test]
async fn a_cycle_at_rest_says_what_the_comparison_before_it_found() {
    let mut rest = at_rest().await;
    let before = rest.state.last_cycle().await.unwrap();
    let report = rest.cycle().await;
    assert_eq!((report.desired, report.in_place, report.unmanaged), (2, 2, 1));
    let after = rest.state.last_cycle().await.unwrap();
    assert_eq!(after.summary, before.summary);
    assert!(after.completed_at > before.completed_at);
}

#[tokio::test]
async fn every_change_of_clostes_list_is_seen() {
    let mut rest = at_rest().await;
    rest.closte.put(["another.example"]);
    assert_eq!(rest.cycle().await.unmanaged, 2);
    rest.closte.take_away("another.example");
    assert_eq!(rest.cycle().await.unmanaged, 1);

    rest.closte.set_shape(Shape::With(vec![json!(7)]));
    assert_eq!(rest.cycle().await.unparsed_elements, Some((1, "7".to_owned())));
    assert_eq!(rest.cycle().await.unparsed_elements, Some((1, "7".to_owned())));
    rest.closte.set_shape(Shape::With(vec![json!(8)]));
    assert_eq!(rest.cycle().await.unparsed_elements, Some((1, "8".to_owned())));
    rest.closte.set_shape(Shape::Texts);
    assert_eq!(rest.cycle().await.unparsed_elements, None);

    rest.closte.take_away("a.example");
    assert_eq!(rest.cycle().await.missing, 1);
    assert_eq!(rest.cycle().await.added, 1);
    assert_eq!(rest.cycles(2, LIST_INTERVAL).await.in_place, 2);
}

#[tokio::test]
async fn every_change_of_the_network_is_seen() {
    let mut rest = at_rest().await;
    rest.network.map("c.example").await;
    assert_eq!(rest.cycle().await.added, 1);
    assert_eq!(rest.cycles(3, LIST_INTERVAL).await.in_place, 3);
    rest.network.unmap("b.example").await;
    assert_eq!(rest.cycle().await.removed, 1);
    assert_eq!(rest.cycles(3, LIST_INTERVAL).await.in_place, 2);
}

/// Nothing changes but the time.
#[tokio::test]
async fn a_name_that_is_gone_from_both_ends_is_forgotten_after_a_day() {
    let mut rest = at_rest().await;
    rest.network.unmap("b.example").await;
    rest.closte.take_away("b.example");
    rest.cycles(3, LIST_INTERVAL).await;
    let id = rest.state.current_ledger().await.unwrap().unwrap();
    assert!(rest.state.load(id).await.unwrap().contains("b.example"));
    rest.cycles(1, DAY).await;
    assert!(!rest.state.load(id).await.unwrap().contains("b.example"));
}

#[tokio::test]
async fn a_leader_at_rest_that_no_longer_leads_says_so() {
    let network = Network::mariadb().await;
    network.map("a.example").await;
    network.map("b.example").await;
    let mut rest = at_rest_with(network).await;
    assert_eq!(rest.cycle().await.standby, None);
    rest.sync.resign().await;
    let folder = tempfile::tempdir().unwrap();
    let state = State::open(&folder.path().join("state.db")).await.unwrap();
    let mut other = reconciler(&rest.network, &rest.closte, &rest.clock, &state);
    let outcome = other.cycle(&Shutdown::default(), &|_, _| ()).await;
    assert_eq!(outcome.report().unwrap().standby, None);
    assert!(rest.cycle().await.standby.is_some());
    other.resign().await;
    assert_eq!(rest.cycle().await.standby, None);
}
