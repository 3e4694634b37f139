mod diagnosis;
mod leader;
mod network;

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rustix::fs::{Access, access};

use self::diagnosis::{Diagnosis, Verdict};
use super::{
    error::CommandError,
    exit,
    output::{BAD, FAINT, FAIR, GOOD, count, paint, print, print_json, under},
};
use crate::{
    app::{App, AppError, Settings},
    checks::ResolverTrial,
    closte::{BaseUrl, ClosteError, List},
    http::Listener,
    notify::TargetTrial,
    settings::SettingsError,
    span::span,
    state::{FileLock, RunningDaemon, State, StateError},
};

/// The largest accepted difference between Closte's clock and this machine's, in seconds.
const SKEW_ALLOWED: u64 = 60;

/// The report for invalid settings: nothing else can be tested then.
pub(super) fn without_settings(error: &SettingsError, as_json: bool) -> Result<u8, CommandError> {
    report(&[Diagnosis::new::<&SettingsError>("settings", Err(error))], as_json)
}

pub(super) async fn execute(app: &App, as_json: bool) -> Result<u8, CommandError> {
    let settings = app.settings();
    let mut findings = vec![check_settings(settings)];
    findings.extend(check_wp_config(settings));
    findings.extend(check_lost_wp_config(settings));
    findings.extend(check_secrets(settings));
    findings.push(check_state(settings).await);
    findings.extend(check_http(settings));
    let network = network::check(app, &mut findings).await;
    findings.push(match &network {
        Some(network) => leader::check(app, network.id, running_daemon(settings).is_some()).await,
        None => Diagnosis::skipped("leader", "the network cannot be read"),
    });
    let own_domain = network.map(|network| network.domain);
    check_closte(app, &mut findings).await;
    check_checks(app, own_domain, &mut findings).await;
    findings.extend(check_notify(settings).await);
    report(&findings, as_json)
}

fn report(findings: &[Diagnosis], as_json: bool) -> Result<u8, CommandError> {
    if as_json {
        print_json(&findings)?;
    } else {
        let mut text = String::new();
        for Diagnosis { check, result, found } in findings {
            let (style, mark) = match result {
                Verdict::Ok => (GOOD, "ok"),
                Verdict::Warning => (FAIR, "warning"),
                Verdict::Failed => (BAD, "FAILED"),
                Verdict::Skipped => (FAINT, "-"),
            };
            let line = under(&format!("{mark:<7} {check:<10} "), found);
            text.push_str(&line.replacen(mark, &paint(style, mark), 1));
        }
        print(&text)?;
    }
    let failed = findings.iter().any(|finding| finding.result == Verdict::Failed);
    Ok(if failed { exit::ERROR } else { exit::OK })
}

fn check_settings(settings: &Settings) -> Diagnosis {
    let set = settings.provenance.entries.iter().filter(|entry| entry.source != "default").count();
    Diagnosis::new::<SettingsError>(
        "settings",
        Ok(format!("{set} set, {} at their default", settings.provenance.entries.len() - set)),
    )
}

fn check_secrets(settings: &Settings) -> Vec<Diagnosis> {
    let finding = |file: &PathBuf| Diagnosis {
        check: "secrets",
        result: Verdict::Warning,
        found: format!(
            "every user of this machine can read {}: {}",
            file.display(),
            settings.remedy_of_exposed(file)
        ),
    };
    settings.provenance.exposed_secrets.iter().map(finding).collect()
}

fn check_wp_config(settings: &Settings) -> Option<Diagnosis> {
    let file = settings.wordpress.wp_config.as_ref()?;
    let unknown = file.unknown();
    let result = if unknown.is_empty() { Verdict::Ok } else { Verdict::Warning };
    let found = match &file.config {
        Ok(config) => {
            let known = count(config.known.len(), "value");
            let mut found = format!("{}: {known}", file.path.display());
            for one in unknown {
                let _ = write!(found, "; {one}");
            }
            for (line, what) in &config.not_followed {
                let _ = write!(found, "; {what} in line {line} is not read");
            }
            found
        }
        Err(error) => error.clone(),
    };
    Some(Diagnosis { check: "wp-config", result, found })
}

fn running_daemon(settings: &Settings) -> Option<RunningDaemon> {
    FileLock::daemon(&settings.state.path).ok().flatten()
}

/// The `wp-config.php` that a running daemon has read and that is gone.
fn check_lost_wp_config(settings: &Settings) -> Option<Diagnosis> {
    let daemon = running_daemon(settings)?;
    let found = format!(
        "{} is gone since the running daemon has read it: the daemon goes on with what was in it, and \
         would start without it; put it back",
        daemon.lost_wp_config()?.display()
    );
    Some(Diagnosis { check: "wp-config", result: Verdict::Warning, found })
}

/// Creates nothing: the daemon's user could not write a file that root created
/// here.
async fn check_state(settings: &Settings) -> Diagnosis {
    let path = &settings.state.path;
    let shown = path.display();
    let daemon = running_daemon(settings);
    if let Some(trouble) = daemon.as_ref().and_then(|daemon| daemon.trouble(path)) {
        return Diagnosis { check: "state", result: Verdict::Failed, found: trouble };
    }
    let found = match State::open_existing(path).await {
        Ok(Some(_)) if daemon.is_some() => Ok(format!("{shown} is in use by a running daemon")),
        Ok(_) | Err(StateError::Older) => {
            // Where there is no file yet, its nearest existing folder must be writable.
            let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
            match access(there, Access::WRITE_OK) {
                Ok(()) => Ok(format!("{shown} can be written")),
                Err(error) => Err(StateError::NotWritable(format!("{}: {error}", there.display()))),
            }
        }
        Err(error) => Err(error),
    };
    Diagnosis::new("state", found.map_err(|error| format!("{shown}: {error}")))
}

/// Whether `http.listen` is free. A running daemon uses it already.
fn check_http(settings: &Settings) -> Option<Diagnosis> {
    let address = settings.http.listen?;
    if running_daemon(settings).is_some() {
        return Some(Diagnosis::skipped("http", "a daemon is running"));
    }
    let opened = Listener::open(address).map(|_| format!("{address} is free"));
    Some(Diagnosis::new("http", opened))
}

/// The targets of notifications, as far as they can be tried without a message.
async fn check_notify(settings: &Settings) -> Vec<Diagnosis> {
    let trials = match settings.notify.try_targets().await {
        Ok(trials) => trials,
        Err(error) => return vec![Diagnosis::new::<AppError>("notify", Err(error.into()))],
    };
    let finding = |trial: TargetTrial| {
        let found = format!("{} ({}): {}", trial.target, trial.kind, trial.found);
        Diagnosis::new("notify", if trial.ok { Ok(found) } else { Err(found) })
    };
    trials.into_iter().map(finding).collect()
}

async fn check_closte(app: &App, findings: &mut Vec<Diagnosis>) {
    let client = match app.client() {
        Ok(client) => client,
        Err(error) => {
            findings.push(Diagnosis::new::<AppError>("key", Err(error)));
            return;
        }
    };
    match client.test_key().await {
        Ok(test) => {
            findings.push(check_base_url(&app.settings().closte.base_url));
            findings.push(check_clock(test.server_time));
        }
        Err(error) => {
            findings.push(Diagnosis::new("key", Err(error)));
            findings.push(Diagnosis::skipped("list", "the key test did not pass"));
            return;
        }
    }
    match client.list().await {
        Ok(list) => findings.extend(check_list(list)),
        Err(error) => findings.push(Diagnosis::new("list", Err(error))),
    }
}

fn check_base_url(url: &BaseUrl) -> Diagnosis {
    let found = format!("{url} accepts it");
    if !url.exposes_key() {
        return Diagnosis::new::<ClosteError>("key", Ok(found));
    }
    let danger =
        "it is sent unencrypted, because closte.allow_plain_http is on: only for a practice Closte";
    Diagnosis { check: "key", result: Verdict::Warning, found: format!("{found}; {danger}") }
}

/// How much of the list could be parsed, and its shape, which Closte does not document.
fn check_list(list: List) -> [Diagnosis; 2] {
    let is_complete = list.is_complete();
    let names = count(list.names.sorted().len(), "name");
    let finding = if is_complete {
        Diagnosis::new::<ClosteError>("list", Ok(format!("{names} at Closte")))
    } else {
        let example = list.example.unwrap_or_default();
        let found = format!(
            "{names} understood, {} not ({example}): nothing is removed; please report the \
             line below",
            list.unparsed
        );
        Diagnosis { check: "list", result: Verdict::Warning, found }
    };
    [finding, Diagnosis::new::<ClosteError>("shape", Ok(list.shape.to_string()))]
}

async fn check_checks(app: &App, own_domain: Option<String>, findings: &mut Vec<Diagnosis>) {
    let options = &app.settings().checks.options;
    let checks = match app.checker() {
        Ok(checks) => checks,
        Err(error) => {
            findings.push(Diagnosis::new::<AppError>("roots", Err(error)));
            return;
        }
    };
    if !checks.has_roots() {
        let found = "no root certificates on this machine: install ca-certificates, or set \
                     checks.ca_file"
            .to_owned();
        findings.push(Diagnosis { check: "roots", result: Verdict::Failed, found });
    }
    let own = own_domain.as_deref().and_then(|own| own.parse().ok());
    let trials = checks.try_resolvers(own.as_ref()).await;
    let some_answer = trials.iter().any(|(_, trial)| trial.answers());
    findings.push(check_resolvers(&trials));
    let needs_own_domain = options.expected_targets.is_empty() && options.public_address.is_none();
    if needs_own_domain && own_domain.is_none() {
        findings.push(Diagnosis::skipped("targets", "the network cannot be read"));
        return;
    }
    if !some_answer {
        findings.push(Diagnosis::skipped("targets", "no resolver answers"));
        return;
    }
    let expected = checks.expected(own_domain.as_deref(), app.clock().now()).await;
    let found = expected
        .map(|expected| format!("domains should point at {expected}"))
        .map_err(|error| format!("{error}: set checks.expected_targets to where Closte serves it"));
    findings.push(Diagnosis::new("targets", found));
}

fn check_resolvers(trials: &[(String, ResolverTrial)]) -> Diagnosis {
    let matching = |text: &dyn Fn(&ResolverTrial) -> Option<String>| -> Vec<String> {
        trials.iter().filter_map(|(name, trial)| Some(format!("{name}{}", text(trial)?))).collect()
    };
    let passed = matching(&|trial| (*trial == ResolverTrial::Passed).then(String::new));
    let mut found = Vec::new();
    let not_answering = matching(&|trial| match trial {
        ResolverTrial::Silent(reason) => Some(format!(": {reason}")),
        _ => None,
    });
    if !not_answering.is_empty() {
        let remedy = "allow DNS to it (port 53, UDP and TCP), or change checks.resolvers";
        found.push(format!("{}; {remedy}", not_answering.join("; ")));
    }
    let failing = matching(&|trial| match trial {
        ResolverTrial::Failing(how) => Some(format!(" is failing: {how}")),
        _ => None,
    });
    if !failing.is_empty() {
        let remedy = "a failing resolver does not count until it answers again: repair it, or \
                      remove it from checks.resolvers";
        found.push(format!("{}; {remedy}", failing.join("; ")));
    }
    let different = matching(&|trial| match trial {
        ResolverTrial::Differs(says) => Some(format!(" answers differently ({says})")),
        _ => None,
    });
    if !different.is_empty() {
        found.push(format!("{}; the other resolvers decide", different.join("; ")));
    }
    let result = match (found.is_empty(), trials.iter().any(|(_, trial)| trial.answers())) {
        (true, _) => Verdict::Ok,
        (false, true) => Verdict::Warning,
        (false, false) => Verdict::Failed,
    };
    if !passed.is_empty() {
        let answer = if passed.len() == 1 { "answers" } else { "answer" };
        found.push(format!("{} {answer}", passed.join(", ")));
    }
    Diagnosis { check: "resolvers", result, found: found.join(". ") }
}

fn check_clock(server_time: Option<Timestamp>) -> Diagnosis {
    let Some(theirs) = server_time else {
        return Diagnosis::skipped("clock", "Closte's answer has no Date");
    };
    let skew = Timestamp::now().duration_since(theirs).unsigned_abs();
    if skew.as_secs() <= SKEW_ALLOWED {
        return Diagnosis::new::<ClosteError>("clock", Ok("agrees with Closte's".to_owned()));
    }
    let found = format!("{} off Closte's: set this machine's time with NTP", span(skew));
    Diagnosis { check: "clock", result: Verdict::Warning, found }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_clock_that_is_minutes_off_is_a_warning() {
        let at = |minutes| Some(Timestamp::now() + SignedDuration::from_mins(minutes));
        assert_eq!(check_clock(at(0)).result, Verdict::Ok);
        for minutes in [-5, 5] {
            let finding = check_clock(at(minutes));
            assert_eq!(finding.result, Verdict::Warning);
            assert!(finding.found.contains("off Closte's: set this machine's time"), "{finding:?}");
        }
        assert_eq!(check_clock(None).result, Verdict::Skipped);
    }
}
