use serde_json::json;

use super::{
    error::CommandError,
    exit,
    output::{print, print_json},
    status::no_state,
};
use crate::{
    app::Settings,
    clock::Clock,
    domain::DomainName,
    http::{LINK_LASTS, link},
    ledger::later,
    state::State,
};

/// Prints the link of a customer's page. `rotate` ends all earlier links and logins first.
pub(super) async fn execute(
    settings: &Settings,
    domain: Option<&DomainName>,
    rotate: bool,
    as_json: bool,
) -> Result<u8, CommandError> {
    let base = settings.http.public_url.as_ref().filter(|_| domain.is_some());
    if domain.is_some() && base.is_none() {
        return Err(CommandError::NoPublicUrl);
    }
    if !settings.state.path.exists() {
        print(&no_state(settings))?;
        return Ok(exit::ERROR);
    }
    let state = State::open(&settings.state.path).await?;
    if let Some(domain) = domain {
        let known = match state.current_ledger().await? {
            Some(ledger) => state.desired(ledger, std::slice::from_ref(domain)).await?,
            None => Vec::new(),
        };
        if known.is_empty() {
            return Err(CommandError::NotManaged(vec![domain.clone()]));
        }
    }
    if rotate {
        state.rotate_signing_key().await?;
    }
    let (Some(domain), Some(base)) = (domain, base) else {
        print("The key was replaced: all earlier links and logins have ended.\n")?;
        return Ok(exit::OK);
    };
    let now = Clock::default().now();
    let url = link(base, state.signing_key().await?, domain, now);
    state.close().await;
    if as_json {
        print_json(&json!({"domain": domain, "url": url, "ends_at": later(now, LINK_LASTS)}))?;
    } else {
        print(&format!("{url}\n"))?;
    }
    Ok(exit::OK)
}
