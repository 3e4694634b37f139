use std::time::Duration;

use jiff::Timestamp;

use super::{
    error::CommandError,
    exit,
    output::{print, until},
    status,
};
use crate::{
    app::Settings,
    domain::DomainName,
    ledger::later,
    state::{Mute, State},
};

/// Of `mute` and `unmute`: everything, or one domain.
#[derive(Debug, Clone)]
pub(super) enum MuteSubject {
    All,
    Domain(DomainName),
}

impl MuteSubject {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            name => name
                .parse()
                .map(Self::Domain)
                .map_err(|error| format!("it must be a domain or \"all\": {error}")),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::All => "all",
            Self::Domain(name) => name.as_str(),
        }
    }
}

pub(super) async fn mute(
    settings: &Settings,
    subject: &MuteSubject,
    lasts: Duration,
    because: Option<String>,
) -> Result<u8, CommandError> {
    let Some(state) = open(settings).await? else { return Ok(exit::ERROR) };
    if let MuteSubject::Domain(name) = subject {
        let known = match state.last_cycle().await?.ledger {
            Some(ledger) => state.desired(ledger, std::slice::from_ref(name)).await?,
            None => Vec::new(),
        };
        if known.is_empty() {
            return Err(CommandError::NotManaged(vec![name.clone()]));
        }
    }
    let now = Timestamp::now();
    let mute = Mute {
        subject: subject.as_str().to_owned(),
        since: now,
        until: later(now, lasts),
        because,
    };
    state.mute(&mute).await?;
    let whom = match subject {
        MuteSubject::All => "anything".to_owned(),
        MuteSubject::Domain(name) => name.to_string(),
    };
    let end = format!("for {}", until(mute.until, now));
    print(&format!(
        "nobody is told of {whom} {end}; what is wrong then is told then. End it sooner with \
         `closte-sync unmute {}`\n",
        mute.subject
    ))?;
    Ok(exit::OK)
}

pub(super) async fn unmute(settings: &Settings, subject: &MuteSubject) -> Result<u8, CommandError> {
    let Some(state) = open(settings).await? else { return Ok(exit::ERROR) };
    let was_muted = state.unmute(subject.as_str(), Timestamp::now()).await?;
    let subject = subject.as_str();
    print(&if was_muted {
        format!("{subject} is no longer muted\n")
    } else {
        format!("{subject} was not muted\n")
    })?;
    Ok(exit::OK)
}

async fn open(settings: &Settings) -> Result<Option<State>, CommandError> {
    if !settings.state.path.exists() {
        print(&status::no_state(settings))?;
        return Ok(None);
    }
    Ok(Some(State::open(&settings.state.path).await?))
}
