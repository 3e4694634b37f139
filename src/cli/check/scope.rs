use std::collections::HashSet;

use crate::{
    app::App,
    cli::{
        error::CommandError,
        output::{FAIR, complain, paint},
    },
    clock::Clock,
    domain::DomainName,
    ledger::LedgerInfo,
    state::{CheckedDomain, LedgerId, Loop, State, StateError},
};

/// What is checked, and where the results are recorded.
pub(super) struct Scope {
    pub(super) names: Vec<CheckedDomain>,
    pub(super) own_domain: Option<String>,
    pub(super) ledger: Option<LedgerId>,
    /// None where nothing can be recorded.
    pub(super) place: Option<State>,
}

impl Scope {
    /// Reads the state database; where there is none yet, the network.
    pub(super) async fn find(
        app: &App,
        only: &[DomainName],
        clock: &mut Clock,
    ) -> Result<Self, CommandError> {
        let mut scope = Self { names: Vec::new(), own_domain: None, ledger: None, place: None };
        let settings = app.settings();
        let path = &settings.state.path;
        let state = if path.exists() {
            match State::open(path).await {
                Err(StateError::NotWritable(_)) => {
                    let note = format!("{} is not writable: nothing is recorded", path.display());
                    complain(&format!("{}\n", paint(FAIR, note)));
                    State::open_existing(path).await?.map(|state| (state, false))
                }
                opened => Some((opened?, true)),
            }
        } else {
            None
        };
        if let Some((state, is_writable)) = state
            && let Some(ledger) = state.current_ledger().await?
        {
            if is_writable {
                state.follow_clock(Loop::Checks, clock).await?;
                state
                    .sync_schedule(ledger, settings.checks.check_interval.interval, clock.now())
                    .await?;
            }
            scope.names = state.desired(ledger, only).await?;
            scope.own_domain = Some(state.network(ledger).await?.domain);
            scope.ledger = Some(ledger);
            scope.place = is_writable.then_some(state);
        }
        let needs_names = scope.ledger.is_none() && only.is_empty();
        let needs_target =
            scope.own_domain.is_none() && settings.checks.options.expected_targets.is_empty();
        if needs_names || needs_target {
            let read = async { Ok::<_, CommandError>(app.source()?.read().await?) };
            match read.await {
                Ok(network) => {
                    scope.own_domain = Some(network.domain.clone());
                    if needs_names {
                        let desired = app.rules().desired(network).names;
                        scope.names =
                            desired.iter().map(|(name, _)| unrecorded(name.to_name())).collect();
                    }
                }
                // closte.public_address is enough to tell which DNS is right.
                Err(_) if !needs_names && settings.closte.public_address.is_some() => {}
                Err(error) => return Err(error),
            }
        }
        let known: HashSet<_> = scope.names.iter().map(|checked| checked.name.clone()).collect();
        let unknown = only.iter().filter(|name| !known.contains(*name));
        scope.names.extend(unknown.cloned().map(unrecorded));
        Ok(scope)
    }
}

pub(super) fn unrecorded(name: DomainName) -> CheckedDomain {
    CheckedDomain { name, facts: LedgerInfo::default(), status: None, due_at: None, request: None }
}
