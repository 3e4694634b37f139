//! Missing domain records: which are written now, later or never.
//!
//! | the site | its record |
//! | --- | --- |
//! | would get none from the plugin, or that is not known | never: [`NoRecord`] says why |
//! | its domain matches `sync.exclude` | never |
//! | `apply --create-record` names it | **written** |
//! | `wordpress.create_domain_records` is off | not written |
//! | it had a record, which somebody deleted | not written |
//! | its record has not been missing, in the same state, for `sync.record_grace` and [`READS`] reads | not yet |
//! | any other | **written** |

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use jiff::Timestamp;
use strum::IntoStaticStr;

use super::{Reconciler, Rules, Shutdown};
use crate::{
    domain::DomainName,
    events::Event,
    ledger::later,
    span::span_between,
    state::{MissingRecord, RecordNotes, State, StateError, Written},
    wordpress::{Network, NoRecord, Site},
};

/// How many reads a record must be missing in: a rename by hand takes some time.
const READS: u32 = 3;
/// How many records are written together.
const BATCH: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum RecordDecision {
    Write,
    /// Not before `until`, and not before so many more reads.
    NotYet {
        until: Timestamp,
        reads: u32,
    },
    /// The plugin would not have written it, or that is not known.
    Never(NoRecord),
    /// Its domain matches `sync.exclude`.
    Excluded,
    /// `wordpress.create_domain_records` is off.
    SwitchedOff,
    /// It was there, and somebody deleted it.
    TakenBack(Written),
}

/// What a decision depends on, besides the site.
#[derive(Debug, Clone, Copy)]
struct Circumstances<'a> {
    is_excluded: bool,
    /// `apply --create-record` names it.
    is_asked_for: bool,
    is_switched_on: bool,
    written: Option<Written>,
    /// With the read that the decision is for.
    missing: Option<&'a MissingRecord>,
    grace: Duration,
    now: Timestamp,
}

impl RecordDecision {
    /// Why the record is not written; empty if it is.
    pub fn reason(self, network: &Network, now: Timestamp) -> String {
        match self {
            Self::Write => String::new(),
            Self::NotYet { until, .. } if until > now => {
                format!("not yet: sync.record_grace is over in {}", span_between(now, until))
            }
            Self::NotYet { reads, .. } => {
                format!("not yet: it must be missing in {reads} more reads")
            }
            Self::Never(reason) => network.why_not(reason),
            Self::Excluded => "it matches sync.exclude".to_owned(),
            Self::SwitchedOff => "wordpress.create_domain_records is off".to_owned(),
            Self::TakenBack(Written { at, is_sure: true }) => format!(
                "it had one ({at:.0}), and somebody deleted it; to write it again, run apply --create-record"
            ),
            Self::TakenBack(Written { at, is_sure: false }) => format!(
                "writing it was begun {at:.0} and it is not there; to write it, run apply --create-record"
            ),
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never(reason) => reason.as_str(),
            other => other.into(),
        }
    }
}

fn decide(record: Result<(), NoRecord>, it: Circumstances<'_>) -> RecordDecision {
    if let Err(reason) = record {
        return RecordDecision::Never(reason);
    }
    if it.is_excluded {
        return RecordDecision::Excluded;
    }
    if it.is_asked_for {
        return RecordDecision::Write;
    }
    if !it.is_switched_on {
        return RecordDecision::SwitchedOff;
    }
    if let Some(written) = it.written {
        return RecordDecision::TakenBack(written);
    }
    let (since, reads) = it.missing.map_or((it.now, 1), |missing| (missing.since, missing.reads));
    let (until, reads) = (later(since, it.grace), READS.saturating_sub(reads));
    if until > it.now || reads > 0 {
        return RecordDecision::NotYet { until, reads };
    }
    RecordDecision::Write
}

/// The records that are missing in this read as well.
fn one_more_read(
    network: &Network,
    known: &HashMap<i64, MissingRecord>,
    now: Timestamp,
) -> HashMap<i64, MissingRecord> {
    let missing = |site: &Site| {
        let Site { blog_id, domain, path, record: Ok(()) } = site else { return None };
        let (of_domain, of_path) = (&network.domain, &network.path);
        let state = format!("{domain} {path} in {of_domain} {of_path}");
        let known = known.get(blog_id).filter(|known| known.state == state);
        // A clock that was set back must not prolong the wait.
        let since = known.map_or(now, |known| known.since.min(now));
        let reads = known.map_or(1, |known| (known.reads + 1).min(READS));
        Some((*blog_id, MissingRecord { state, since, reads }))
    };
    network.sites_without_record.iter().filter_map(missing).collect()
}

impl Rules {
    /// In the order of [`Network::sites_without_record`].
    pub(super) fn decide_records(
        &self,
        network: &Network,
        notes: &RecordNotes,
        now: Timestamp,
    ) -> Vec<RecordDecision> {
        let decide_one = |site: &Site| {
            let asked = self.record_asked_for.as_ref();
            let of_site = || notes.written.get(&(site.blog_id, site.domain.clone())).copied();
            let it = Circumstances {
                is_excluded: self.policy.exclude.iter().any(|one| one.matches(&site.domain)),
                is_asked_for: asked == Some(&site.domain),
                is_switched_on: self.create_records,
                written: if notes.written.is_empty() { None } else { of_site() },
                missing: notes.missing.get(&site.blog_id),
                grace: self.record_grace,
                now,
            };
            decide(site.record, it)
        };
        network.sites_without_record.iter().map(decide_one).collect()
    }

    /// Why the record of `apply --create-record` is not written, if it is not.
    fn why_not(
        &self,
        network: &Network,
        decisions: &[RecordDecision],
        now: Timestamp,
    ) -> Option<String> {
        let asked = self.record_asked_for.as_ref()?;
        let mut of_sites = network.sites_without_record.iter().zip(decisions);
        if let Some((_, decision)) = of_sites.find(|(site, _)| site.domain == *asked) {
            return (*decision != RecordDecision::Write).then(|| decision.reason(network, now));
        }
        if let Some(row) = network.mappings().find(|row| row.domain == asked.to_ref()) {
            return Some(format!("the domain table has it, for site {}", row.blog_id));
        }
        if network.network_domains.contains(asked) {
            return Some("it is the network's own domain".to_owned());
        }
        Some("no site without a domain record has this domain".to_owned())
    }

    /// [`Self::decide_records`] for a network that was just read. Nothing is recorded.
    pub(super) async fn preview_records(
        &self,
        network: &Network,
        state: Option<&State>,
        now: Timestamp,
    ) -> Result<Vec<RecordDecision>, StateError> {
        let mut notes = RecordNotes::default();
        if let Some(state) = state {
            notes = state.record_notes(network.id).await?;
            let taken_back = state.taken_back(network.id, &sites(network, |_| true)).await?;
            notes.take_back(taken_back, now);
        }
        notes.missing = one_more_read(network, &notes.missing, now);
        Ok(self.decide_records(network, &notes, now))
    }
}

/// Those of the sites without a record that pass the filter.
fn sites(network: &Network, filter: impl Fn(i64) -> bool) -> Vec<(i64, &DomainName)> {
    let sites = network.sites_without_record.iter().filter(|site| filter(site.blog_id));
    sites.map(|site| (site.blog_id, &site.domain)).collect()
}

/// The notes in memory: with 100,000 sites, reading them takes half of a cycle.
#[derive(Debug)]
pub(super) struct RecordMemory {
    network: i64,
    notes: RecordNotes,
    /// The sites that had no record in the read before, for any reason.
    without: HashSet<i64>,
    /// [`State::data_version`] when they were read.
    version: i64,
}

/// How many records a cycle wrote.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) written: usize,
    /// How many wait for the end of `sync.record_grace`.
    pub(super) waiting: usize,
    /// Why the record of `apply --create-record` was not written.
    pub(super) refused: Option<String>,
}

impl Reconciler {
    /// Records that the network was read once more, and decides.
    pub(super) async fn decide_records(
        &mut self,
        network: &Network,
        now: Timestamp,
    ) -> Result<Vec<RecordDecision>, StateError> {
        let mut memory = self.remember_records(network, now).await?;
        // The ledger still has the row of a record that was there in the read before.
        let new = sites(network, |site| !memory.without.contains(&site));
        let taken_back = self.state.taken_back(network.id, &new).await?;
        self.state.note_taken_back(network.id, &taken_back, now).await?;
        memory.notes.take_back(taken_back, now);
        memory.without = network.sites_without_record.iter().map(|site| site.blog_id).collect();
        let missing = one_more_read(network, &memory.notes.missing, now);
        let known = &memory.notes.missing;
        let changed: Vec<(i64, &MissingRecord)> = missing
            .iter()
            .filter(|(site, record)| known.get(site) != Some(record))
            .map(|(site, record)| (*site, record))
            .collect();
        let ended: Vec<i64> =
            known.keys().filter(|site| !missing.contains_key(site)).copied().collect();
        self.state.note_missing_records(network.id, &changed, &ended).await?;
        memory.notes.missing = missing;
        let decisions = self.rules.decide_records(network, &memory.notes, now);
        self.records = Some(memory);
        Ok(decisions)
    }

    async fn remember_records(
        &mut self,
        network: &Network,
        now: Timestamp,
    ) -> Result<RecordMemory, StateError> {
        let version = self.state.data_version().await?;
        let is_current =
            |known: &RecordMemory| known.network == network.id && known.version == version;
        if let Some(known) = self.records.take().filter(is_current) {
            return Ok(known);
        }
        let mut notes = self.state.record_notes(network.id).await?;
        // Records that were written before a crash, and not reported.
        let is_there = |(site, domain): &(i64, DomainName)| {
            network.mappings().any(|row| row.blog_id == *site && row.domain == domain.to_ref())
        };
        let begun = notes.written.iter_mut().filter(|(_, written)| !written.is_sure);
        let found: Vec<_> = begun.filter(|(key, _)| is_there(key)).collect();
        if !found.is_empty() {
            let mut sites = Vec::new();
            for (key, written) in found {
                written.is_sure = true;
                sites.push((key.0, &key.1));
            }
            self.state.end_records(network.id, &sites, &[], now).await?;
        }
        Ok(RecordMemory { network: network.id, notes, without: HashSet::new(), version })
    }

    /// Writes records. Their names are desired whether this works or not, so a failure is reported and
    /// stops nothing.
    pub(super) async fn create_records(
        &mut self,
        network: &Network,
        decisions: &[RecordDecision],
        stop: &Shutdown,
        now: Timestamp,
    ) -> Result<Records, StateError> {
        let to_write = network.sites_without_record.iter().zip(decisions);
        let to_write = to_write.filter(|(_, decision)| **decision == RecordDecision::Write);
        let to_write = to_write.filter(|_| self.mandate.is_some());
        let to_write: Vec<Site> = to_write.map(|(site, _)| site.clone()).collect();
        let is_waiting = |one: &&RecordDecision| matches!(one, RecordDecision::NotYet { .. });
        let mut records = Records {
            waiting: decisions.iter().filter(is_waiting).count(),
            refused: self.rules.why_not(network, decisions, now),
            ..Records::default()
        };
        let asked_for = self.rules.record_asked_for.as_ref();
        let (mut failure, mut asked_is_written) = (None, false);
        // The next cycle reads the notes again if any record is written.
        let memory = self.records.take();
        let is_known = |site: i64, domain: &DomainName| {
            let mut notes = memory.iter().map(|memory| &memory.notes.written);
            notes.any(|written| written.contains_key(&(site, domain.clone())))
        };
        for batch in to_write.chunks(BATCH) {
            if stop.draining().is_cancelled() || !self.may_act().await {
                break;
            }
            let sites: Vec<_> = batch.iter().map(|site| (site.blog_id, &site.domain)).collect();
            // First the note, then the record: after a crash between them it is not written again.
            self.state.begin_records(network.id, &sites, now).await?;
            let written =
                match stop.until_too_late(self.source.create_records(network, batch)).await {
                    Some(Ok(written)) => written,
                    Some(Err(not_created)) => {
                        failure = Some(not_created.error.to_string());
                        if not_created.undetermined {
                            break;
                        }
                        Vec::new()
                    }
                    None => break,
                };
            let is_written = |(site, _): &(i64, &DomainName)| written.contains(site);
            let (written, mut not_written): (Vec<_>, Vec<_>) =
                sites.into_iter().partition(is_written);
            // The note of a record that was written before stays.
            not_written.retain(|(site, domain)| !is_known(*site, domain));
            asked_is_written |= written.iter().any(|(_, domain)| Some(*domain) == asked_for);
            self.state.end_records(network.id, &written, &not_written, now).await?;
            records.written += written.len();
            if failure.is_some() {
                break;
            }
        }
        self.records = memory.filter(|_| to_write.is_empty());
        if asked_for.is_some() && !asked_is_written {
            let standby = || self.leader.standing().why_not();
            let reason = || failure.clone().or_else(standby);
            let reason = || reason().unwrap_or("its site has changed in the meantime".to_owned());
            records.refused.get_or_insert_with(reason);
        }
        let not_written = to_write.len() - records.written;
        self.report_records(network, not_written, failure, now).await?;
        Ok(records)
    }

    /// Reports why records are not written that a person can make possible.
    async fn report_records(
        &mut self,
        network: &Network,
        not_written: usize,
        failure: Option<String>,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mut reasons: Vec<(usize, String)> = Vec::new();
        if self.rules.create_records {
            for doubt in NoRecord::DOUBTS {
                let sites = network
                    .sites_without_record
                    .iter()
                    .filter(|site| site.record == Err(doubt))
                    .count();
                if sites > 0 {
                    reasons.push((sites, network.why_not(doubt)));
                }
            }
        }
        reasons.extend(failure.map(|error| (not_written, error)));
        let event = |(sites, error): (usize, String)| {
            (error.clone(), Event::RecordsNotCreated { sites: sites as u64, error })
        };
        self.report("records", reasons.into_iter().map(event), now).await
    }
}

#[cfg(test)]
mod tests;
