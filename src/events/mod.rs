//! All events, in one table.
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
    status::{Blocker, DnsVerdict, SslVerdict, Stage},
};

macro_rules! events {
    ($($(#[$doc:meta])* $level:ident $name:literal $variant:ident $(($domain:ident))? {
        $($field:ident: $type:ty),* $(,)?
    })*) => {
        /// Something that happened.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Event {
            $($(#[$doc])* $variant {
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
                let fields: Map<String, Value> = match self {
                    $(Self::$variant { $($field,)* .. } => [$((stringify!($field), $field.in_json())),*]
                        .into_iter()
                        .filter_map(|(name, value): (&str, Option<Value>)| Some((name.to_owned(), value?)))
                        .collect(),)*
                };
                fields.into()
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

fields! { u32 u64 i64 String &str DomainName DnsVerdict SslVerdict Blocker Stage }

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
    /// Closte took the name.
    INFO "domain.added" Added(domain) { blog_id: Option<i64>, attempt: u32, took_ms: u64 }
    /// Closte no longer has the name.
    INFO "domain.removed" Removed(domain) { blog_id: Option<i64>, attempt: u32, took_ms: u64 }
    /// No row wants the name any more; it is removed when the grace is over.
    INFO "domain.unmapped" Unmapped(domain) { blog_id: Option<i64> }
    /// The name is desired again, before it was removed.
    INFO "domain.mapped_again" MappedAgain(domain) { blog_id: Option<i64> }
    /// Two lists of Closte lack the name, and nobody here removed it. It is added again.
    WARN "domain.lost" Lost(domain) { blog_id: Option<i64> }
    /// The same of many names at once.
    WARN "sync.domains_lost" DomainsLost { domains: u64, examples: Vec<DomainName>, remedy: String }
    /// So many of these were added again.
    INFO "sync.domains_restored" DomainsRestored { domains: u64 }
    /// Closte said yes, but does not list the name.
    WARN "domain.not_listed" NotListed(domain) { blog_id: Option<i64>, attempt: u32 }
    /// The same of many names at once.
    WARN "sync.domains_not_listed" DomainsNotListed {
        domains: u64, examples: Vec<DomainName>, remedy: String,
    }
    /// Closte said that the name is removed, but still lists it.
    WARN "domain.still_listed" StillListed(domain) { blog_id: Option<i64>, attempt: u32 }
    /// The same of many names at once.
    WARN "sync.domains_still_listed" DomainsStillListed {
        domains: u64, examples: Vec<DomainName>, remedy: String,
    }
    /// The name could not be added; it is tried again.
    WARN "domain.add_failed" AddFailed(domain) {
        blog_id: Option<i64>, attempt: u32, error: String, next_attempt: Timestamp,
    }
    /// The name could not be removed; it is tried again.
    WARN "domain.remove_failed" RemoveFailed(domain) {
        blog_id: Option<i64>, attempt: u32, error: String, next_attempt: Timestamp,
    }
    /// Many calls of one cycle failed: the first ones were told each, these are all of them.
    WARN "sync.calls_failed" CallsFailed {
        domains: u64, examples: Vec<DomainName>, error: String, remedy: String,
    }
    /// Closte will not take the name.
    ERROR "domain.refused" Refused(domain) { blog_id: Option<i64>, error: String, asked_again: Timestamp }
    /// A row that is no domain name.
    ERROR "row.invalid" InvalidRow {
        kind: &'static str, id: i64, blog_id: i64, value: String, reason: String, remedy: String,
    }
    /// A row holds a name that is never sent to Closte.
    INFO "domain.not_desired" NotDesired(domain) { kind: &'static str, id: i64, blog_id: i64, reason: String }
    /// A site had no domain record and got one.
    INFO "record.created" RecordCreated(domain) { blog_id: i64 }
    /// Domain records could not be written, most often for want of a right.
    WARN "record.not_created" RecordsNotCreated { sites: u64, error: String }
    /// The plugin's own settings could not be read. They change nothing then.
    WARN "plugin.settings_unread" PluginUnread { error: String }
    /// A ledger begins: the first start, another network or another key.
    INFO "ledger.started" LedgerStarted { network: String, left_behind: u64 }
    /// The network's domain has changed, and it is the same network by its names: the ledger is kept.
    INFO "ledger.network_renamed" NetworkRenamed { from: String, to: String }
    /// Another process has been in the middle of a cycle for long, and this one waits for it.
    WARN "sync.waits" Waits { remedy: String, for_s: u64 }
    /// It has ended.
    INFO "sync.goes_on" GoesOn { after_s: u64 }
    /// Names that were at Closte already, and are managed from now on.
    INFO "ledger.adopted" Adopted { domains: u64 }
    /// Removals were stopped, because too many would go at once or the domain table is empty.
    ERROR "sync.removals_held" RemovalsHeld {
        domains: u64, managed: u64, reason: String, remedy: String, for_s: u64,
    }
    /// No removals are held any more.
    INFO "sync.removals_released" RemovalsReleased { after_s: u64 }
    /// The network's database could not be read.
    WARN "wordpress.failed" SourceFailed { error: String, for_s: u64 }
    /// It can be read again.
    INFO "wordpress.recovered" SourceRecovered { after_s: u64 }
    /// TLS with the network's database failed and nobody asked for it, so the connection is plain.
    WARN "wordpress.tls_failed" TlsFailed { error: String, remedy: String }
    /// Closte does not accept the key.
    ERROR "closte.key_rejected" KeyRejected { error: String, for_s: u64 }
    /// Closte does not answer, or not as it should.
    WARN "closte.failed" ClosteFailed { error: String, for_s: u64 }
    /// Closte works again.
    INFO "closte.recovered" ClosteRecovered { after_s: u64 }
    /// Parts of Closte's list were not understood, so nothing is removed.
    WARN "closte.list_incomplete" ListIncomplete { elements: u64, example: String, for_s: u64 }
    /// Closte's list is understood again.
    INFO "closte.list_complete" ListComplete { after_s: u64 }
    /// The name points at the right place.
    INFO "dns.right" DnsRight(domain) {
        blog_id: Option<i64>, verdict: DnsVerdict, took_s: Option<u64>,
    }
    /// The name does not point at the right place yet.
    INFO "dns.pending" DnsPending(domain) { blog_id: Option<i64>, verdict: DnsVerdict, advice: String }
    /// The name pointed at the right place, and no longer does.
    WARN "dns.broke" DnsBroke(domain) { blog_id: Option<i64>, verdict: DnsVerdict, advice: String }
    /// The DNS verdicts of the name go back and forth. They are not told one by one meanwhile.
    WARN "dns.unsteady" DnsUnsteady(domain) { blog_id: Option<i64>, verdicts: Vec<DnsVerdict>, advice: String }
    /// They stay the same again.
    INFO "dns.steady" DnsSteady(domain) { blog_id: Option<i64>, verdict: DnsVerdict, after_s: u64 }
    /// Browsers accept the certificate.
    INFO "certificate.valid" CertificateValid(domain) {
        blog_id: Option<i64>, issuer: String, not_after: Timestamp, took_s: Option<u64>,
        after_added_s: Option<u64>,
    }
    /// The DNS is right, and the certificate is not there yet.
    INFO "certificate.pending" CertificatePending(domain) {
        blog_id: Option<i64>, verdict: SslVerdict, advice: String,
    }
    /// Browsers accepted the certificate, and no longer do.
    WARN "certificate.broke" CertificateBroke(domain) {
        blog_id: Option<i64>, verdict: SslVerdict, advice: String,
    }
    /// The certificate ends soon and was not renewed.
    WARN "certificate.expiring" CertificateExpiring(domain) {
        blog_id: Option<i64>, issuer: String, days_left: i64,
    }
    /// The certificate ends within a day and was not renewed.
    ERROR "certificate.last_day" CertificateLastDay(domain) {
        blog_id: Option<i64>, issuer: String, ends_in_s: u64, advice: String,
    }
    /// Something stops a certificate although the A record is right.
    WARN "certificate.blocked" CertificateBlocked(domain) {
        blog_id: Option<i64>, blockers: Vec<Blocker>, advice: String,
    }
    /// Closte was asked for a certificate.
    INFO "certificate.requested" CertificateRequested(domain) { blog_id: Option<i64>, answer: String }
    /// Closte could not be asked for a certificate, or would not issue it.
    WARN "certificate.request_failed" CertificateRequestFailed(domain) {
        blog_id: Option<i64>, error: String,
    }
    /// The name has not worked for long, and somebody must see to it.
    ERROR "domain.needs_attention" NeedsAttention(domain) {
        blog_id: Option<i64>, stage: Stage, not_working_for_s: u64, advice: String,
    }
    /// Many names seem to have stopped working at once, so the fault is probably here.
    WARN "checks.suspicious" ChecksSuspicious { failing: u64, of: u64 }
    /// The checks have ended by a fault of this program.
    ERROR "checks.ended" ChecksEnded { error: String }
    /// It is not known where names should point.
    WARN "checks.target_unknown" TargetUnknown { error: String, for_s: u64 }
    /// It is known again.
    INFO "checks.target_known" TargetKnown { after_s: u64 }
    /// Resolvers do not answer. The others decide meanwhile.
    WARN "checks.resolver_silent" ResolverSilent { resolvers: Vec<String>, for_s: u64 }
    /// They answer again.
    INFO "checks.resolver_answers" ResolverAnswers { after_s: u64 }
    /// Resolvers fail where the others answer. They have no say until they answer again.
    WARN "checks.resolver_sick" ResolverSick { resolvers: Vec<String>, remedy: String, for_s: u64 }
    /// They answer again.
    INFO "checks.resolver_well" ResolverWell { after_s: u64 }
    /// Resolvers see name after name otherwise than those that decide.
    WARN "checks.resolver_odd" ResolverOdd { resolvers: Vec<String>, remedy: String, for_s: u64 }
    /// They see the same again.
    INFO "checks.resolver_agrees" ResolverAgrees { after_s: u64 }
    /// There are more names than can be looked at within an interval.
    WARN "checks.late" ChecksLate { late_s: u64, remedy: String, for_s: u64 }
    /// They are looked at in time again.
    INFO "checks.in_time" ChecksInTime { after_s: u64 }
    /// The state database could not be written.
    ERROR "state.failed" StateFailed { file: String, error: String, for_s: u64 }
    /// The state database was deleted while the daemon runs.
    ERROR "state.deleted" StateDeleted { file: String, outcome: String, for_s: u64 }
    /// Another file is at its name. Nothing is added or removed any more.
    ERROR "state.replaced" StateReplaced { file: String, remedy: String, for_s: u64 }
    /// It can be written again.
    INFO "state.recovered" StateRecovered { after_s: u64 }
    /// The daemon runs.
    INFO "daemon.started" Started { version: &'static str, database: String, closte: String, state: String }
    /// The endpoint answers at this address.
    INFO "http.listening" Listening { address: String }
    /// New settings are in force.
    INFO "daemon.reloaded" Reloaded { changed: Vec<String> }
    /// The new settings are wrong; the old ones stay.
    ERROR "daemon.reload_refused" ReloadRefused { error: String }
    /// Others may read a file that holds a secret.
    WARN "settings.secret_exposed" SecretExposed { file: String, remedy: String }
    /// The daemon was told to stop.
    INFO "daemon.stopping" Stopping { signal: &'static str }
    /// The machine's clock was set. Waiting goes on as if no time had passed thereby.
    WARN "daemon.clock_jumped" ClockJumped { from: Timestamp, to: Timestamp, by_s: i64 }
    /// A fault of this program broke off what it was doing. It is tried again.
    WARN "daemon.panicked" Panicked { at: String, error: String }
    /// The daemon cannot run.
    ERROR "daemon.failed" Failed { error: String }
    /// The daemon is done.
    INFO "daemon.stopped" Stopped {}
}
