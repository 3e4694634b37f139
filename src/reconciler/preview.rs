//! What a cycle would do.

use jiff::Timestamp;

use super::{
    Reconciler, RecordDecision, Rules, StagePreview, ask_for_list,
    desired::invalid,
    identity::Identity,
    outcome::{CycleError, unparsed_elements},
    stages,
};
use crate::{
    clock::Clock,
    closte,
    ledger::Ledger,
    plan::{Current, Plan, Policy, plan},
    state::{InvalidRow, Loop, State},
    wordpress::{Network, Source, SourceError},
};

/// What a cycle would do.
#[derive(Debug)]
pub struct Preview {
    /// By the clock of the cycles.
    pub now: Timestamp,
    pub plan: Plan,
    pub invalid: Vec<InvalidRow>,
    /// In the order of [`Network::sites_without_record`].
    pub records: Vec<RecordDecision>,
    /// Why domain records cannot be written.
    pub records_refused: Option<SourceError>,
    /// The first of the domains that work and whose stage is not done.
    pub stages: Vec<StagePreview>,
    /// Why stages cannot be written.
    pub stages_refused: Option<String>,
    pub network: Network,
    /// How many, and an example.
    pub unparsed_elements: Option<(usize, String)>,
    /// Who leads, if another daemon does: a cycle here would carry out nothing.
    pub leader: Option<String>,
}

impl Reconciler {
    /// What a cycle would do. It changes nothing. Without a state, there is no ledger yet.
    pub async fn preview(
        source: &Source,
        closte: &closte::Client,
        account: &str,
        state: Option<&State>,
        rules: &Rules,
        mut clock: Clock,
    ) -> Result<Preview, CycleError> {
        let network = source.read().await?;
        let list = ask_for_list(closte).await?;
        let unparsed_elements = unparsed_elements(&list);
        let known = match state {
            Some(state) => {
                let id = Identity::of(&network, account, state).await?.ledger(&network)?;
                id.map(|id| (state, id))
            }
            None => None,
        };
        let ledger = match known {
            Some((state, id)) => state.load(id).await?,
            None => Ledger::default(),
        };
        let current = Current { complete: list.is_complete(), names: list.names.sorted() };
        let desired = rules.desired(network.clone());
        if let Some(state) = state {
            state.restore_clock(Loop::Cycles, &mut clock).await?;
        }
        let now = clock.now();
        let leadership = match (state, source.lock_name(network.id, account)) {
            (Some(state), Some(lock)) => state.leadership(lock.as_str()).await?,
            _ => None,
        };
        let leading_since = leadership.as_ref().map(|note| note.since);
        let policy = Policy { leading_since, ..rules.policy.clone() };
        let plan = plan(&desired, &current, &ledger, &policy, now);
        let invalid = invalid(&network);
        let records = rules.preview_records(&network, state, now).await?;
        let records_refused = match records.contains(&RecordDecision::Write) {
            true => source.check_insert().await.err(),
            false => None,
        };
        let (stages, stages_refused) = match known {
            Some((state, id)) => stages::preview(source, &network, state, id, rules, now).await?,
            None => (Vec::new(), None),
        };
        Ok(Preview {
            now,
            plan,
            invalid,
            records,
            records_refused,
            stages,
            stages_refused,
            unparsed_elements,
            leader: leadership.and_then(|note| note.other_leader().map(str::to_owned)),
            network,
        })
    }
}
