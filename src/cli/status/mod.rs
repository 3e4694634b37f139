mod json;
mod text;

use std::collections::HashMap;

use serde_json::Value;

use self::text::to_text;
use super::{
    error::CommandError,
    exit,
    output::{BAD, complain, paint, print, print_json},
};
use crate::{
    app::Settings,
    clock::Clock,
    domain::{CLOSTES_OWN, DomainName, DomainRef},
    ledger::{EntryRef, Ledger},
    overview::DomainRow,
    state::{CheckedDomain, FileLock, LeadershipNote, State},
};

pub(super) async fn execute(
    settings: &Settings,
    only: &[DomainName],
    as_json: bool,
) -> Result<u8, CommandError> {
    let path = &settings.state.path;
    let daemon = FileLock::daemon(path).ok().flatten();
    if let Some(trouble) = daemon.as_ref().and_then(|daemon| daemon.trouble(path)) {
        complain(&format!("{}\n", paint(BAD, trouble)));
    }
    let Some(state) = State::open_existing(path).await? else {
        if as_json {
            print_json(&Vec::<Value>::new())?;
        } else {
            print(&no_state(settings))?;
        }
        return Ok(exit::OK);
    };
    let last_cycle = state.last_cycle().await?;
    let now = Clock::default().now();
    let live_after = match last_cycle.ledger {
        Some(id) => state.live_after(id, now).await?,
        None => None,
    };
    let (ledger, mut invalid, checked) = match last_cycle.ledger {
        Some(id) => {
            (state.load(id).await?, state.invalid(id).await?, state.desired(id, only).await?)
        }
        None => (Ledger::default(), Vec::new(), Vec::new()),
    };
    if !only.is_empty() {
        invalid.clear();
    }
    let mut checked: HashMap<DomainName, CheckedDomain> =
        checked.into_iter().map(|one| (one.name.clone(), one)).collect();
    let row = |(name, entry): (DomainRef<'_>, EntryRef<'_>)| DomainRow {
        name: name.to_name(),
        entry: entry.entry(),
        checked: checked.remove(name.as_str()),
    };
    let is_meant =
        |name: DomainRef<'_>| only.is_empty() || only.iter().any(|one| one.to_ref() == name);
    let ledger = ledger.iter().filter(|(name, _)| is_meant(*name));
    let mut rows: Vec<DomainRow> = ledger.map(row).collect();
    rows.sort_by(|a, b| (a.severity(), &a.name).cmp(&(b.severity(), &b.name)));

    let panel = settings.closte.panel();
    let mutes = state.mutes(now).await?;
    if as_json {
        print_json(&json::to_json(settings, &rows, &invalid, &mutes, panel.as_deref(), now))?;
    } else {
        if !rows.is_empty() || only.is_empty() {
            let leadership = state.last_leadership().await?;
            let leader = leadership.and_then(|note| leader(&note, daemon.is_some()));
            print(&to_text(&last_cycle, live_after, leader, &rows, &invalid, &mutes, now))?;
        }
        for name in only.iter().filter(|name| !rows.iter().any(|row| row.name == **name)) {
            print(&format!("{name} is not managed: {}\n", why_not_managed(settings, name)))?;
        }
    }
    Ok(exit::OK)
}

/// Which of the network's daemons acts.
fn leader(note: &LeadershipNote, has_daemon: bool) -> Option<String> {
    match note.other_leader() {
        Some(leader) => Some(format!("Standby: {leader} leads")),
        None if has_daemon && note.proof.is_some() => {
            Some("Leads: other daemons of this network are standbys".to_owned())
        }
        None => None,
    }
}

fn why_not_managed(settings: &Settings, name: &DomainName) -> &'static str {
    if name.is_clostes_own() {
        CLOSTES_OWN
    } else if settings.sync.exclude.iter().any(|one| one.matches(name)) {
        "it matches sync.exclude"
    } else {
        "it is neither in the domain table nor a site's own domain"
    }
}

pub(super) fn no_state(settings: &Settings) -> String {
    format!(
        "There is no state database yet ({}). Start with `closte-sync run` or `apply`.\n",
        settings.state.path.display()
    )
}
