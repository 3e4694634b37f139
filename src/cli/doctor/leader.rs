use super::diagnosis::{Diagnosis, Verdict};
use crate::{
    app::App,
    leader::{LeaderEnabled, WhoLeads},
    state::State,
    wordpress::LockError,
};

/// Which of several daemons leads this network. `has_daemon` is whether one runs with this state.
pub(super) async fn check(app: &App, network: i64, has_daemon: bool) -> Diagnosis {
    let enabled = app.settings().leader.enabled;
    if enabled == LeaderEnabled::Off {
        return Diagnosis::skipped("leader", "leader.enabled is off");
    }
    let Ok(clients) = app.clients() else {
        return Diagnosis::skipped("leader", "the account is not known without the API key");
    };
    let Some(lock) = clients.source.lock_name(network, &clients.account) else {
        return Diagnosis::skipped(
            "leader",
            "with SQLite, the lock of the state allows one daemon",
        );
    };
    // An error of the state has a line of its own.
    let state = State::open_existing(&app.settings().state.path).await.ok().flatten();
    let note = match state {
        Some(state) => state.leadership(lock.as_str()).await.ok().flatten(),
        None => None,
    };
    let proof = note.and_then(|note| note.proof?.parse().ok());
    let (result, found) = match WhoLeads::ask(&clients.source, &lock, proof).await {
        Ok(leader) => (Verdict::Ok, describe(&leader, has_daemon)),
        Err(LockError::Unsupported(reason)) if enabled == LeaderEnabled::On => {
            let remedy = "nothing is added or removed while leader.enabled is \"on\"";
            (Verdict::Failed, format!("the database cannot decide who leads ({reason}): {remedy}"))
        }
        Err(LockError::Unsupported(reason)) => {
            let remedy = "run one daemon only, and set leader.enabled = \"off\"";
            (Verdict::Warning, format!("the database cannot decide who leads ({reason}): {remedy}"))
        }
        Err(LockError::Failed(reason)) => {
            let remedy = "each daemon needs a connection of its own for that, beside the others";
            (Verdict::Failed, format!("who leads is not known ({reason}): {remedy}"))
        }
    };
    Diagnosis { check: "leader", result, found }
}

fn describe(leader: &WhoLeads, has_daemon: bool) -> String {
    match (leader, has_daemon) {
        (WhoLeads::Nobody, true) => {
            "nobody leads now: the running daemon does within seconds".to_owned()
        }
        (WhoLeads::Nobody, false) => "nobody leads now: a daemon here would".to_owned(),
        (WhoLeads::ThisState, true) => {
            "the running daemon leads: others of this network are standbys".to_owned()
        }
        (WhoLeads::ThisState, false) => "a command with this state leads now".to_owned(),
        (WhoLeads::Other(leader), true) => {
            format!("the running daemon is a standby: {leader} leads")
        }
        (WhoLeads::Other(leader), false) => {
            format!("{leader} leads: a daemon here would be a standby until that one ends")
        }
    }
}
