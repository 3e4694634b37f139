use std::{collections::BTreeMap, fmt::Write as _};

use super::diagnosis::{Diagnosis, Verdict};
use crate::{
    app::{App, Settings},
    checks::MAPPING_OFF,
    cli::output::count,
    escape::escape_line,
    ledger::RowLocation,
    reconciler::StageRules,
    secrets,
    settings::SettingsError,
    span::span,
    status::Serving,
    wordpress::{
        Network, NoStageMethod, RestClient, Source, SourceError, StageMethod, TLS_REMEDY,
        WriteStage,
    },
};

/// What other checks need of the network.
pub(super) struct NetworkFound {
    pub(super) id: i64,
    pub(super) domain: String,
}

/// Returns none if the network could not be read.
pub(super) async fn check(app: &App, findings: &mut Vec<Diagnosis>) -> Option<NetworkFound> {
    let settings = app.settings();
    let source = match app.source() {
        Ok(source) => source,
        Err(error) => {
            findings.push(Diagnosis::new::<SettingsError>("database", Err(error)));
            return None;
        }
    };
    let (found, stages) = match source.read().await {
        Ok(network) => {
            let database = settings.database().map(ToString::to_string);
            findings.push(match (database, &network.tls_failed) {
                (Ok(url), Some(reason)) => Diagnosis {
                    check: "database",
                    result: Verdict::Warning,
                    found: format!(
                        "{url} can be read, but without TLS, which fails ({reason}); {TLS_REMEDY}"
                    ),
                },
                (database, _) => {
                    Diagnosis::new("database", database.map(|url| format!("{url} can be read")))
                }
            });
            findings.push(check_tables(settings, &network));
            findings.push(check_plugin(&network, source.plugin_is_active(network.id).await));
            findings.extend(check_serving(&network));
            let stages = check_stages(app, &source, &network).await;
            (NetworkFound { id: network.id, domain: network.domain }, stages)
        }
        Err(error) => {
            findings.push(Diagnosis::new("database", Err(error)));
            findings.push(Diagnosis::skipped("rights", "the network cannot be read"));
            return None;
        }
    };
    findings.push(if !settings.wordpress.create_domain_records {
        Diagnosis::skipped("rights", "wordpress.create_domain_records is off")
    } else {
        match source.check_insert().await {
            Ok(()) => {
                Diagnosis::new::<SourceError>("rights", Ok("domain records can be written".into()))
            }
            Err(error) => {
                Diagnosis { check: "rights", result: Verdict::Warning, found: error.to_string() }
            }
        }
    });
    findings.push(stages);
    Some(found)
}

/// How stages are written, and whether that works.
async fn check_stages(app: &App, source: &Source, network: &Network) -> Diagnosis {
    let StageRules { write_stage, access, content } = app.rules().stages;
    if write_stage == WriteStage::Off {
        return Diagnosis::skipped("stages", &NoStageMethod::Off.to_string());
    }
    let tested = match write_stage.method(&network.plugin, || content.object_cache()) {
        Err(why) => Err(why.to_string()),
        Ok(StageMethod::Rest(keys)) => {
            match RestClient::new(&network.domain, &network.path, keys, &access) {
                Ok(client) => client.test_keys().await,
                Err(error) => Err(error),
            }
            .map(|()| "written by the plugin's REST API, which accepts its key pair")
            .map_err(|error| error.to_string())
        }
        Ok(StageMethod::Database) => match source.check_update().await {
            Ok(()) => Ok("written by SQL"),
            Err(error) => Err(error.to_string()),
        },
    };
    let (result, found) = match (tested, source.check_plugin_checks().await) {
        (Ok(found), Ok(())) => (Verdict::Ok, found.to_owned()),
        (Ok(found), Err(why)) => {
            let effect = "each waits for one interval of the plugin's after a change of its row";
            (Verdict::Warning, format!("{found}; {effect}: {why}"))
        }
        (Err(error), _) => (Verdict::Warning, error),
    };
    Diagnosis { check: "stages", result, found }
}

fn check_plugin(network: &Network, is_active: Option<bool>) -> Diagnosis {
    let mut result = Verdict::Ok;
    let mut found = Vec::new();
    if is_active == Some(false) {
        result = Verdict::Warning;
        found.push(
            "Ultimate Multisite is not among the network's active plugins: activate it under Network \
             Admin > Plugins, unless it is a must-use plugin"
                .to_owned(),
        );
    }
    match &network.plugin {
        Ok(plugin) => {
            found.push(match plugin.domain_mapping {
                Some(true) => "domain mapping is on".to_owned(),
                Some(false) => {
                    result = Verdict::Warning;
                    MAPPING_OFF.to_owned()
                }
                None => {
                    result = Verdict::Warning;
                    format!("its settings were never saved. {MAPPING_OFF}")
                }
            });
            let interval = plugin.dns_check_interval;
            found.extend(interval.map(|it| format!("DNS check interval {}", span(it))));
        }
        Err(error) => {
            result = Verdict::Warning;
            found.push(error.clone());
        }
    }
    match &network.closte_integration {
        Ok(Some(true)) => {
            found.push("its own Closte integration is on as well, which is fine".to_owned());
        }
        Ok(_) => found.push("its own Closte integration is off, which is fine".to_owned()),
        // Both can fail with the same error.
        Err(error) if !found.contains(error) => {
            result = Verdict::Warning;
            found.push(error.clone());
        }
        Err(_) => {}
    }
    if let Err(error) = &network.base_domains {
        result = Verdict::Warning;
        found.push(format!("no domain record is written: {error}"));
    }
    Diagnosis { check: "plugin", result, found: found.join("; ") }
}

/// How many of the mapped names WordPress serves. None where mapping is off, or where that is not known.
fn check_serving(network: &Network) -> Option<Diagnosis> {
    let plugin = network.plugin.as_ref().ok()?;
    if plugin.domain_mapping != Some(true) || network.mapped.is_empty() {
        return None;
    }
    let mut counts = BTreeMap::new();
    for row in network.mappings() {
        *counts.entry(row.state.serving).or_insert(0_usize) += 1;
    }
    let served = |serving: &Serving| serving.is_served();
    let number = |(_, number): (&Serving, &usize)| *number;
    let all: usize = counts.values().sum();
    let good: usize = counts.iter().filter(|(serving, _)| served(serving)).map(number).sum();
    let others: Vec<String> = counts
        .iter()
        .filter(|(serving, _)| !served(serving))
        .map(|(serving, number)| format!("{number} {serving}"))
        .collect();
    // What is in another stage than `done` may be new.
    let is_new = |serving: &Serving| served(serving) || *serving == Serving::StageNotDone;
    let result = if counts.keys().all(is_new) { Verdict::Ok } else { Verdict::Warning };
    let mut found = format!("WordPress serves {good} of {}", count(all, "mapping"));
    if !others.is_empty() {
        let _ = write!(found, " ({}: `closte-sync plan` says why)", others.join(", "));
    }
    Some(Diagnosis { check: "serving", result, found })
}

fn check_tables(settings: &Settings, network: &Network) -> Diagnosis {
    let mut found = describe(settings, network);
    let configured = settings.wordpress.current_site.as_ref();
    let Some(domain) = configured.filter(|domain| !domain.eq_ignore_ascii_case(&network.domain))
    else {
        return Diagnosis::new::<SourceError>("tables", Ok(found));
    };
    let entry = settings.provenance.entry("wordpress.current_site");
    let source = entry.map_or("", |entry| &entry.source);
    let _ = write!(
        found,
        "; but {source} names the network {domain}: check that this is its database, and not \
         another network's or a copy"
    );
    Diagnosis { check: "tables", result: Verdict::Warning, found }
}

fn describe(settings: &Settings, network: &Network) -> String {
    let mut text = format!(
        "prefix {}, network {} ({}): {}",
        settings.wordpress.table_prefix,
        network.id,
        escape_line(&secrets::mask(&network.domain)),
        count(network.rows, "mapping")
    );
    let (rows, sites): (Vec<_>, Vec<_>) =
        network.invalid.iter().partition(|one| matches!(one.origin, RowLocation::Row(_)));
    if !rows.is_empty() {
        let _ = write!(text, ", {} of them without a valid domain name", rows.len());
    }
    if !sites.is_empty() {
        let sites = count(sites.len(), "site");
        let _ = write!(text, ", {sites} whose own domain is invalid");
    }
    if !network.invalid.is_empty() {
        text.push_str(" (`closte-sync plan` lists them)");
    }
    let sites_without_record =
        network.sites_without_record.iter().filter(|site| site.record.is_ok()).count();
    if sites_without_record > 0 {
        let _ = write!(text, ", {} without a domain record", count(sites_without_record, "site"));
    }
    text
}
