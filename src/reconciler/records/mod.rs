//! The domain records that sites lack: which are written, which are not yet, and which never.
//!
//! | the site | its record |
//! | --- | --- |
//! | would have none from the plugin, or that is not known | never: [`NoRecord`] says why |
//! | its domain matches `sync.exclude` | never |
//! | the operator asks for it by name | **written** |
//! | `wordpress.create_domain_records` is off | not written |
//! | its record was there once, whoever wrote it, and somebody took it back | not written |
//! | has not lacked it, in the same state, for `sync.record_grace` and [`READS`] reads | not yet |
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
    events::{Event, EventBatch},
    ledger::later,
    span::span_between,
    state::{Lack, RecordNotes, State, StateError, Written},
    wordpress::{Network, NoRecord, Site},
};

/// In so many reads a site must have lacked its record: a rename by hand takes more than a moment.
const READS: u32 = 3;
/// So many records are begun before the first of them is written.
const BATCH: usize = 100;

/// What becomes of the record of a site that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum RecordDecision {
    /// It is written.
    Write,
    /// It is written when the site has been without it for long enough.
    NotYet {
        /// Not before.
        until: Timestamp,
        /// Nor before so many more reads.
        reads: u32,
    },
    /// The plugin would not have written it, or that is not known.
    Never(NoRecord),
    /// Its domain matches `sync.exclude`.
    Excluded,
    /// `wordpress.create_domain_records` is off.
    SwitchedOff,
    /// It was there once.
    TakenBack(Written),
}

/// What a decision rests on, beside the site.
#[derive(Debug, Clone, Copy)]
struct Circumstances<'a> {
    is_excluded: bool,
    /// The operator asks for it by name.
    is_asked_for: bool,
    is_switched_on: bool,
    written: Option<Written>,
    /// With the read that the decision is for.
    lack: Option<&'a Lack>,
    grace: Duration,
    now: Timestamp,
}

impl RecordDecision {
    /// Why the record is not written, in words; empty where it is.
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
                "it had one ({at:.0}), and somebody took it back; if it is to have it again: apply \
                 --create-record"
            ),
            Self::TakenBack(Written { at, is_sure: false }) => format!(
                "its writing was begun {at:.0} and it is not there; if it is to have it: apply \
                 --create-record"
            ),
        }
    }

    /// A stable word for programs.
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
    let (since, reads) = it.lack.map_or((it.now, 1), |lack| (lack.since, lack.reads));
    let (until, reads) = (later(since, it.grace), READS.saturating_sub(reads));
    if until > it.now || reads > 0 {
        return RecordDecision::NotYet { until, reads };
    }
    RecordDecision::Write
}

/// How long each site has lacked its record, with one more read.
fn one_more_read(
    network: &Network,
    known: &HashMap<i64, Lack>,
    now: Timestamp,
) -> HashMap<i64, Lack> {
    let lack = |site: &Site| {
        let Site { blog_id, domain, path, record: Ok(()) } = site else { return None };
        let (of_domain, of_path) = (&network.domain, &network.path);
        let state = format!("{domain} {path} in {of_domain} {of_path}");
        let lack = match known.get(blog_id).filter(|known| known.state == state) {
            Some(known) => Lack {
                state,
                // A clock that was set back must not make it wait for longer.
                since: known.since.min(now),
                reads: (known.reads + 1).min(READS),
            },
            None => Lack { state, since: now, reads: 1 },
        };
        Some((*blog_id, lack))
    };
    network.sites_without_record.iter().filter_map(lack).collect()
}

impl Rules {
    /// What becomes of the records of all sites that have none, in their order.
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
                lack: notes.sites_without_record.get(&site.blog_id),
                grace: self.record_grace,
                now,
            };
            decide(site.record, it)
        };
        network.sites_without_record.iter().map(decide_one).collect()
    }

    /// Why the record that the operator asks for is not written, if so.
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
        if let Some(row) = network.mappings.iter().find(|row| row.domain == *asked) {
            return Some(format!("the domain table has it, for site {}", row.blog_id));
        }
        if network.network_domains.contains(asked) {
            return Some("it is the network's own domain".to_owned());
        }
        Some("no site without a domain record has this domain".to_owned())
    }

    /// The same as [`Self::decide_records`], when the network has just been read once more; nothing is
    /// noted.
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
        notes.sites_without_record = one_more_read(network, &notes.sites_without_record, now);
        Ok(self.decide_records(network, &notes, now))
    }
}

/// The sites without a record that are of interest.
fn sites(network: &Network, is_of_interest: impl Fn(i64) -> bool) -> Vec<(i64, &DomainName)> {
    let sites = network.sites_without_record.iter().filter(|site| is_of_interest(site.blog_id));
    sites.map(|site| (site.blog_id, &site.domain)).collect()
}

/// The notes in memory: at 100,000 sites, reading them would be half of a cycle.
#[derive(Debug)]
pub(super) struct RecordMemory {
    network: i64,
    notes: RecordNotes,
    /// The sites that had no record in the read before, whatever the reason.
    without: HashSet<i64>,
    /// [`State::data_version`] when they were read.
    version: i64,
}

/// What came of the records of a cycle.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// How many were written.
    pub(super) written: usize,
    /// How many wait for the end of `sync.record_grace`.
    pub(super) waiting: usize,
    /// Why the one that was asked for was not written.
    pub(super) refused: Option<String>,
}

impl Reconciler {
    /// Notes that the network was read once more, and decides.
    pub(super) async fn decide_records(
        &mut self,
        network: &Network,
        now: Timestamp,
    ) -> Result<Vec<RecordDecision>, StateError> {
        let mut memory = self.remember_records(network, now).await?;
        // The ledger still knows of a record that was there in the read before.
        let new = sites(network, |site| !memory.without.contains(&site));
        let taken_back = self.state.taken_back(network.id, &new).await?;
        self.state.note_taken_back(network.id, &taken_back, now).await?;
        memory.notes.take_back(taken_back, now);
        memory.without = network.sites_without_record.iter().map(|site| site.blog_id).collect();
        let sites_without_record = one_more_read(network, &memory.notes.sites_without_record, now);
        let known = &memory.notes.sites_without_record;
        let changed: Vec<(i64, &Lack)> = sites_without_record
            .iter()
            .filter(|(site, lack)| known.get(site) != Some(lack))
            .map(|(site, lack)| (*site, lack))
            .collect();
        let ended: Vec<i64> =
            known.keys().filter(|site| !sites_without_record.contains_key(site)).copied().collect();
        self.state.note_lacking(network.id, &changed, &ended).await?;
        memory.notes.sites_without_record = sites_without_record;
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
        match self.records.take() {
            Some(known) if known.network == network.id && known.version == version => {
                return Ok(known);
            }
            _ => {}
        }
        let mut notes = self.state.record_notes(network.id).await?;
        // What a crash kept from being told.
        let is_there = |(site, domain): &(i64, DomainName)| {
            network.mappings.iter().any(|row| row.blog_id == *site && row.domain == *domain)
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

    /// Writes the records that were decided upon. Their names are desired whether it works or not, so
    /// a failure is told once and stops nothing.
    pub(super) async fn create_records(
        &mut self,
        network: &Network,
        decisions: &[RecordDecision],
        stop: &Shutdown,
        now: Timestamp,
    ) -> Result<Records, StateError> {
        let to_write = network.sites_without_record.iter().zip(decisions);
        let to_write = to_write.filter(|(_, decision)| **decision == RecordDecision::Write);
        let to_write: Vec<Site> = to_write.map(|(site, _)| site.clone()).collect();
        let is_waiting = |one: &&RecordDecision| matches!(one, RecordDecision::NotYet { .. });
        let mut records = Records {
            waiting: decisions.iter().filter(is_waiting).count(),
            refused: self.rules.why_not(network, decisions, now),
            ..Records::default()
        };
        let asked_for = self.rules.record_asked_for.as_ref();
        let (mut failure, mut asked_is_written) = (None, false);
        // What is written is read again in the next cycle, however this one ends.
        let memory = self.records.take();
        let is_known = |site: i64, domain: &DomainName| {
            let mut notes = memory.iter().map(|memory| &memory.notes.written);
            notes.any(|written| written.contains_key(&(site, domain.clone())))
        };
        for batch in to_write.chunks(BATCH) {
            if stop.draining().is_cancelled() {
                break;
            }
            let sites: Vec<_> = batch.iter().map(|site| (site.blog_id, &site.domain)).collect();
            // First the note, then the record: a crash between them cannot write it twice.
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
            // What was written once before stays so.
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
            let reason = || failure.clone().unwrap_or("its site has changed meanwhile".to_owned());
            records.refused.get_or_insert_with(reason);
        }
        let not_written = to_write.len() - records.written;
        self.tell_of_records(network, not_written, failure, now).await?;
        Ok(records)
    }

    /// Tells why records are not written that somebody could have written: once, until it changes.
    async fn tell_of_records(
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
        let new = reasons.iter().filter(|(_, error)| !self.told_of_records.contains(error));
        let event = |(sites, error): &(usize, String)| Event::RecordsNotCreated {
            sites: *sites as u64,
            error: error.clone(),
        };
        let events = EventBatch::of(new.map(event));
        self.told_of_records = reasons.into_iter().map(|(_, error)| error).collect();
        self.state.emit(&events, now).await
    }
}

#[cfg(test)]
mod tests;
