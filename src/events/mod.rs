//! All events, in one table. docs/events.md says what each means and what to do.
//!
//! ERROR means that somebody must act, WARN that it may recover without action, INFO that something
//! changed.

pub mod conditions;
mod recorder;

use jiff::Timestamp;
pub use recorder::{Recorder, Recording};
use serde_json::{Map, Value, json};

use crate::{
    domain::DomainName,
    status::{Blocker, DnsVerdict, SiteVerdict, SslVerdict, Stage},
};

macro_rules! events {
    ($($level:ident $name:literal $variant:ident $(($domain:ident))? {
        $($field:ident: $type:ty),* $(,)?
    })*) => {
        /// Something that happened.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Event {
            $($variant {
                $($domain: DomainName,)? $($field: $type),*
            },)*
        }

        impl Event {
            /// The names of all events with their levels, for the tests of docs/events.md.
            pub const LEVELS: &[(&str, &str)] = &[$(($name, stringify!($level))),*];

            /// Stable: an interface, such as `domain.added`.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $name,)*
                }
            }

            pub fn level(&self) -> tracing::Level {
                match self {
                    $(Self::$variant { .. } => tracing::Level::$level,)*
                }
            }

            /// None for events that are not about one domain.
            pub fn domain(&self) -> Option<&DomainName> {
                match self {
                    $($(Self::$variant { $domain, .. } => Some($domain),)?)*
                    #[allow(unreachable_patterns)]
                    _ => None,
                }
            }

            /// All other fields, as a JSON object. Fields without a value are left out.
            pub fn detail(&self) -> Value {
                // All of one type: collecting arrays of each length is code for a sort each.
                let fields: Vec<(&str, Option<Value>)> = match self {
                    $(Self::$variant { $($field,)* .. } => {
                        vec![$((stringify!($field), $field.in_json())),*]
                    })*
                };
                let known = |(name, value): (&str, Option<Value>)| Some((name.to_owned(), value?));
                fields.into_iter().filter_map(known).collect::<Map<_, _>>().into()
            }

            /// Sets `for_s`, the time that the reported condition has lasted.
            pub(crate) fn set_duration(&mut self, time: std::time::Duration) {
                match self {
                    $(Self::$variant { $($field,)* .. } => { $(set_for_s!($field $field time);)* })*
                }
            }

            pub fn log(&self) {
                match self {
                    $(Self::$variant { $($domain,)? $($field),* } => tracing::event!(
                        name: $name,
                        target: "closte_sync",
                        tracing::Level::$level,
                        { $($domain = $domain.as_str(),)? $($field = for_log($field).as_deref()),* }
                    ),)*
                }
            }
        }
    };
}

trait Field {
    /// The value in the log and in the state database; none leaves the field out.
    fn in_json(&self) -> Option<Value>;
}

macro_rules! fields {
    ($($type:ty)*) => {$(
        impl Field for $type {
            fn in_json(&self) -> Option<Value> {
                Some(json!(self))
            }
        }
    )*};
}

fields! { u32 u64 i64 String &str DomainName DnsVerdict SiteVerdict SslVerdict Blocker Stage }

impl Field for Timestamp {
    /// To the second.
    fn in_json(&self) -> Option<Value> {
        Some(format!("{self:.0}").into())
    }
}

impl<T: Field> Field for Option<T> {
    fn in_json(&self) -> Option<Value> {
        self.as_ref()?.in_json()
    }
}

impl<T: Field> Field for Vec<T> {
    fn in_json(&self) -> Option<Value> {
        (!self.is_empty()).then(|| self.iter().filter_map(T::in_json).collect())
    }
}

/// `tracing` has neither lists nor times: [`crate::telemetry`] reads bytes as JSON.
fn for_log(field: &impl Field) -> Option<Vec<u8>> {
    Some(field.in_json()?.to_string().into_bytes())
}

/// Sets the field `for_s` and no other.
macro_rules! set_for_s {
    (for_s $field:ident $time:ident) => {
        *$field = $time.as_secs()
    };
    ($other:ident $field:ident $time:ident) => {
        let _ = ($field, $time);
    };
}

/// Events that are recorded together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventBatch {
    /// For the state database and the log.
    pub logged: Vec<Event>,
    /// For the state database only: the log has a summary of them. They are logged where they cannot be
    /// recorded.
    pub unlogged: Vec<Event>,
}

impl EventBatch {
    /// Events for the state database and the log.
    pub fn of(events: impl IntoIterator<Item = Event>) -> Self {
        Self { logged: events.into_iter().collect(), unlogged: Vec::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.logged.is_empty() && self.unlogged.is_empty()
    }
}

events! {
    INFO "domain.added" Added(domain) { blog_id: Option<i64>, attempt: u32, took_ms: u64 }
    INFO "domain.removed" Removed(domain) { blog_id: Option<i64>, attempt: u32, took_ms: u64 }
    INFO "domain.unmapped" Unmapped(domain) { blog_id: Option<i64> }
    INFO "domain.mapped_again" MappedAgain(domain) { blog_id: Option<i64> }
    WARN "domain.lost" Lost(domain) { blog_id: Option<i64> }
    WARN "sync.domains_lost" DomainsLost { domains: u64, examples: Vec<DomainName>, remedy: String }
    INFO "sync.domains_restored" DomainsRestored { domains: u64 }
    WARN "domain.not_listed" NotListed(domain) { blog_id: Option<i64>, attempt: u32 }
    WARN "sync.domains_not_listed" DomainsNotListed {
        domains: u64, examples: Vec<DomainName>, remedy: String,
    }
    WARN "domain.still_listed" StillListed(domain) { blog_id: Option<i64>, attempt: u32 }
    WARN "sync.domains_still_listed" DomainsStillListed {
        domains: u64, examples: Vec<DomainName>, remedy: String,
    }
    WARN "domain.add_failed" AddFailed(domain) {
        blog_id: Option<i64>, attempt: u32, error: String, next_attempt: Timestamp,
    }
    WARN "domain.remove_failed" RemoveFailed(domain) {
        blog_id: Option<i64>, attempt: u32, error: String, next_attempt: Timestamp,
    }
    WARN "domain.outcome_unknown" OutcomeUnknown(domain) {
        blog_id: Option<i64>, call: &'static str, remedy: String,
    }
    WARN "sync.calls_failed" CallsFailed {
        domains: u64, examples: Vec<DomainName>, error: String, remedy: String,
    }
    ERROR "domain.refused" Refused(domain) { blog_id: Option<i64>, error: String, asked_again: Timestamp }
    ERROR "row.invalid" InvalidRow {
        kind: &'static str, id: i64, blog_id: i64, value: String, reason: String, remedy: String,
    }
    INFO "domain.not_desired" NotDesired(domain) { kind: &'static str, id: i64, blog_id: i64, reason: String }
    INFO "record.created" RecordCreated(domain) { blog_id: i64 }
    WARN "record.not_created" RecordsNotCreated { sites: u64, error: String }
    INFO "stage.written" StageWritten(domain) { blog_id: Option<i64>, before: Stage, by: Option<&'static str> }
    WARN "stage.not_written" StageNotWritten(domain) {
        blog_id: Option<i64>, stage: Stage, reason: String,
    }
    WARN "wordpress.stages_failed" StagesFailed { examples: Vec<DomainName>, error: String, for_s: u64 }
    INFO "wordpress.stages_recovered" StagesRecovered { after_s: u64 }
    WARN "plugin.settings_unread" PluginUnread { error: String }
    INFO "ledger.started" LedgerStarted { network: String, left_behind: u64 }
    INFO "ledger.network_renamed" NetworkRenamed { from: String, to: String }
    WARN "sync.waits" Waits { remedy: String, for_s: u64 }
    INFO "sync.goes_on" GoesOn { after_s: u64 }
    INFO "ledger.adopted" Adopted { domains: u64 }
    ERROR "sync.removals_held" RemovalsHeld {
        domains: u64, managed: u64, reason: String, remedy: String, for_s: u64,
    }
    INFO "sync.removals_released" RemovalsReleased { after_s: u64 }
    WARN "wordpress.failed" SourceFailed { error: String, for_s: u64 }
    INFO "wordpress.recovered" SourceRecovered { after_s: u64 }
    WARN "wordpress.tls_failed" TlsFailed { error: String, remedy: String }
    ERROR "closte.key_rejected" KeyRejected { error: String, for_s: u64 }
    WARN "closte.failed" ClosteFailed { error: String, for_s: u64 }
    INFO "closte.recovered" ClosteRecovered { after_s: u64 }
    WARN "closte.list_incomplete" ListIncomplete { elements: u64, example: String, for_s: u64 }
    INFO "closte.list_complete" ListComplete { after_s: u64 }
    INFO "dns.right" DnsRight(domain) {
        blog_id: Option<i64>, verdict: DnsVerdict, took_s: Option<u64>,
    }
    INFO "dns.pending" DnsPending(domain) { blog_id: Option<i64>, verdict: DnsVerdict, advice: String }
    WARN "dns.broke" DnsBroke(domain) { blog_id: Option<i64>, verdict: DnsVerdict, advice: String }
    WARN "dns.unsteady" DnsUnsteady(domain) { blog_id: Option<i64>, verdicts: Vec<DnsVerdict>, advice: String }
    INFO "dns.steady" DnsSteady(domain) { blog_id: Option<i64>, verdict: DnsVerdict, after_s: u64 }
    INFO "certificate.valid" CertificateValid(domain) {
        blog_id: Option<i64>, issuer: String, not_after: Timestamp, took_s: Option<u64>,
        after_added_s: Option<u64>,
    }
    INFO "certificate.pending" CertificatePending(domain) {
        blog_id: Option<i64>, verdict: SslVerdict, advice: String,
    }
    WARN "certificate.broke" CertificateBroke(domain) {
        blog_id: Option<i64>, verdict: SslVerdict, advice: String,
    }
    WARN "certificate.expiring" CertificateExpiring(domain) {
        blog_id: Option<i64>, issuer: String, days_left: i64,
    }
    ERROR "certificate.last_day" CertificateLastDay(domain) {
        blog_id: Option<i64>, issuer: String, ends_in_s: u64, advice: String,
    }
    WARN "certificate.blocked" CertificateBlocked(domain) {
        blog_id: Option<i64>, blockers: Vec<Blocker>, advice: String,
    }
    INFO "certificate.requested" CertificateRequested(domain) { blog_id: Option<i64>, answer: String }
    WARN "certificate.request_failed" CertificateRequestFailed(domain) {
        blog_id: Option<i64>, error: String,
    }
    WARN "site.broke" SiteBroke(domain) { blog_id: Option<i64>, verdict: SiteVerdict, advice: String }
    INFO "site.recovered" SiteRecovered(domain) {
        blog_id: Option<i64>, verdict: SiteVerdict, after_s: u64,
    }
    INFO "domain.live" Live(domain) { blog_id: Option<i64>, after_s: Option<u64> }
    ERROR "domain.needs_attention" NeedsAttention(domain) {
        blog_id: Option<i64>, stage: Stage, not_working_for_s: u64, advice: String,
    }
    WARN "checks.suspicious" ChecksSuspicious { failing: u64, of: u64 }
    ERROR "checks.ended" ChecksEnded { error: String }
    WARN "checks.target_unknown" TargetUnknown { error: String, for_s: u64 }
    INFO "checks.target_known" TargetKnown { after_s: u64 }
    WARN "checks.resolver_silent" ResolverSilent { resolvers: Vec<String>, for_s: u64 }
    INFO "checks.resolver_answers" ResolverAnswers { after_s: u64 }
    WARN "checks.resolver_sick" ResolverSick { resolvers: Vec<String>, remedy: String, for_s: u64 }
    INFO "checks.resolver_well" ResolverWell { after_s: u64 }
    WARN "checks.resolver_odd" ResolverOdd { resolvers: Vec<String>, remedy: String, for_s: u64 }
    INFO "checks.resolver_agrees" ResolverAgrees { after_s: u64 }
    WARN "checks.late" ChecksLate { late_s: u64, remedy: String, for_s: u64 }
    INFO "checks.in_time" ChecksInTime { after_s: u64 }
    ERROR "state.failed" StateFailed { file: String, error: String, for_s: u64 }
    ERROR "state.deleted" StateDeleted { file: String, outcome: String, for_s: u64 }
    ERROR "state.replaced" StateReplaced { file: String, remedy: String, for_s: u64 }
    INFO "state.recovered" StateRecovered { after_s: u64 }
    ERROR "daemon.awaits_files" AwaitsFiles { error: String, remedy: String }
    WARN "daemon.standby" Standby { state: String, remedy: String }
    ERROR "daemon.hangs" Hangs { silent_s: u64, remedy: String }
    INFO "daemon.started" Started { version: &'static str, database: String, closte: String, state: String }
    INFO "leader.acquired" LeaderAcquired { after: Option<String> }
    INFO "leader.standby" LeaderStandby { leader: String }
    WARN "leader.lost" LeaderLost { reason: String }
    WARN "leader.undecided" LeaderUndecided { reason: String, remedy: String }
    INFO "notify.muted" NotifyMuted { subject: String, for_s: u64, because: Option<String> }
    INFO "notify.unmuted" NotifyUnmuted { subject: String }
    WARN "notify.delayed" NotifyDelayed { target: String, error: String }
    ERROR "notify.failed" NotifyFailed { target: String, error: String, for_s: u64 }
    INFO "notify.recovered" NotifyRecovered { target: String, after_s: u64 }
    INFO "http.listening" Listening { address: String }
    INFO "daemon.reloaded" Reloaded { changed: Vec<String> }
    ERROR "daemon.reload_refused" ReloadRefused { error: String }
    WARN "settings.secret_exposed" SecretExposed { file: String, remedy: String }
    INFO "daemon.stopping" Stopping { signal: &'static str }
    WARN "daemon.clock_jumped" ClockJumped { from: Timestamp, to: Timestamp, by_s: i64 }
    WARN "daemon.panicked" Panicked { at: String, error: String }
    ERROR "daemon.failed" Failed { error: String }
    INFO "daemon.stopped" Stopped {}
}
