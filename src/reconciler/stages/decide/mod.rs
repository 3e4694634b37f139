//! Which stage may be written now, and why another may not. Pure.
//!
//! | the row | its stage |
//! | --- | --- |
//! | is gone, or holds another name | not written |
//! | is `done`, and writing it was begun | **written**, as it shows |
//! | is `done` or `done-without-ssl`, is not active, has no site here, or is a site's own address | not written: it needs none, or it is somebody's decision |
//! | its name is not at Closte, or was not good in two checks in a row | not yet |
//! | the checks are in doubt | not yet |
//! | was written, and is back: by the plugin's own check, which ended later | **written** again, once |
//! | was written or seen done, and is back in any other way | not written, until the name was bad and is good again |
//! | the plugin's own check is in progress, is due, or was within one interval | not yet |
//! | any other | **written** |

use std::time::Duration;

use jiff::Timestamp;
use strum::IntoStaticStr;

use crate::{
    domain::DomainName,
    ledger::later,
    span::{span, span_between},
    state::{ChecksDoubt, StageNote},
    status::{GoodRun, Stage},
    wordpress::{PluginCheck, RowFacts, RowSite},
};

/// A call whose outcome is not known may still have an effect for this long.
const IN_FLIGHT: Duration = Duration::from_secs(60);
/// A check of the plugin that is late by this much does not begin: WordPress's cron does not run.
const OVERDUE: Duration = Duration::from_secs(60 * 60);
/// How many checks in a row must have been good.
pub(super) const GOOD_CHECKS: u32 = 2;

/// What to do about the stage of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum StageDecision {
    Write,
    /// The plugin's own check was in progress while it was written, and put the row back.
    WriteAgain,
    /// Writing it was begun, and it shows.
    IsWritten,
    NotYet(StageWait),
    Never(NoStage),
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum StageWait {
    NotAtCloste,
    NotGoodTwice,
    InDoubt(ChecksDoubt),
    /// How the last call ended is not known.
    InFlight,
    /// The last call for this row failed.
    BackOff {
        until: Timestamp,
    },
    /// The plugin's own check is in progress.
    PluginChecks,
    /// The plugin's own check is due.
    PluginIsDue {
        late: Duration,
    },
    /// The plugin's own check ended less than one interval ago.
    PluginHasChecked,
    /// Whether the plugin checks the row is not known, and it changed less than one interval ago.
    RowHasChanged,
}

/// Why it is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum NoStage {
    NoRow,
    /// The row holds another name.
    OtherName,
    Done,
    /// `done-without-ssl`
    Decided,
    /// The plugin has no such stage.
    UnknownStage,
    Inactive,
    NoSite(RowSite),
    /// WordPress serves the name by its `blogs` table.
    OwnAddress,
    /// Somebody put the row back.
    TakenBack,
}

/// What a decision depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances<'a> {
    pub(super) name: &'a DomainName,
    /// None if it is gone.
    pub(super) row: Option<&'a RowFacts>,
    pub(super) is_at_closte: bool,
    pub(super) good: GoodRun,
    /// The last time that the stage of this row was written, or seen put back.
    pub(super) note: Option<&'a StageNote>,
    pub(super) doubt: Option<ChecksDoubt>,
    /// The time between two of the plugin's own checks.
    pub(super) plugin_interval: Duration,
    pub(super) now: Timestamp,
}

pub(super) fn decide(it: &Circumstances<'_>) -> StageDecision {
    let Some(row) = it.row else { return StageDecision::Never(NoStage::NoRow) };
    if !row.is_of(it.name) {
        return StageDecision::Never(NoStage::OtherName);
    }
    if let Some(decision) = decide_by_row(row, it.note) {
        return decision;
    }
    let wait = if !it.is_at_closte {
        Some(StageWait::NotAtCloste)
    } else if it.good.checks < GOOD_CHECKS {
        Some(StageWait::NotGoodTwice)
    } else {
        it.doubt.map(StageWait::InDoubt)
    };
    if let Some(wait) = wait {
        return StageDecision::NotYet(wait);
    }
    let decision = match it.note {
        Some(note) if it.good.times_broken <= note.times_broken => {
            decide_by_note(row, note, it.now)
        }
        _ => StageDecision::Write,
    };
    match (decision, wait_for_plugin(row, it.plugin_interval)) {
        (StageDecision::Write | StageDecision::WriteAgain, Some(wait)) => {
            StageDecision::NotYet(wait)
        }
        _ => decision,
    }
}

/// None where the row leaves it open.
fn decide_by_row(row: &RowFacts, note: Option<&StageNote>) -> Option<StageDecision> {
    let why = match row.stage {
        Some(Stage::Done) if note.is_some_and(|note| !note.is_sure) => {
            return Some(StageDecision::IsWritten);
        }
        Some(Stage::Done) => NoStage::Done,
        Some(Stage::DoneWithoutSsl) => NoStage::Decided,
        None => NoStage::UnknownStage,
        Some(Stage::CheckingDns | Stage::CheckingSslCert | Stage::Failed | Stage::SslFailed) => {
            match row.site {
                _ if !row.is_active => NoStage::Inactive,
                RowSite::Here if row.is_own_address => NoStage::OwnAddress,
                RowSite::Here => return None,
                fate => NoStage::NoSite(fate),
            }
        }
    };
    Some(StageDecision::Never(why))
}

/// For a row that was written, may have been, or was seen done, and is not done.
fn decide_by_note(row: &RowFacts, note: &StageNote, now: Timestamp) -> StageDecision {
    if !note.is_sure {
        if let Some(until) = note.next_attempt.filter(|until| *until > now) {
            return StageDecision::NotYet(StageWait::BackOff { until });
        }
        // A time in the future is from a clock that was ahead.
        if note.at <= now && now < later(note.at, IN_FLIGHT) {
            return StageDecision::NotYet(StageWait::InFlight);
        }
        // Every write changes that time.
        if row.modified == note.modified {
            return StageDecision::Write;
        }
    }
    let has_lost_race = row.check != PluginCheck::Unknown && row.last_ended > note.last_ended;
    if has_lost_race && !note.is_retry {
        StageDecision::WriteAgain
    } else {
        StageDecision::Never(NoStage::TakenBack)
    }
}

fn wait_for_plugin(row: &RowFacts, interval: Duration) -> Option<StageWait> {
    let is_recent = |time: Option<Duration>| time.is_some_and(|time| time < interval);
    match row.check {
        PluginCheck::InProgress => Some(StageWait::PluginChecks),
        PluginCheck::Due(late) => Some(StageWait::PluginIsDue { late }),
        PluginCheck::Idle(ended_ago) => is_recent(ended_ago).then_some(StageWait::PluginHasChecked),
        PluginCheck::Unknown => is_recent(row.unchanged_for).then_some(StageWait::RowHasChanged),
    }
}

impl StageDecision {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotYet(wait) => wait.into(),
            Self::Never(why) => why.into(),
            other => other.into(),
        }
    }

    /// Whether the plugin's own check should have begun long ago.
    pub(super) fn is_overdue(self) -> bool {
        matches!(self, Self::NotYet(StageWait::PluginIsDue { late }) if late >= OVERDUE)
    }

    pub fn is_to_write(self) -> bool {
        matches!(self, Self::Write | Self::WriteAgain)
    }

    /// Whether the row is on its way to `done`, or stays because somebody put it back.
    pub(super) fn concerns_a_person(self) -> bool {
        !matches!(self, Self::Never(why) if why != NoStage::TakenBack)
    }

    /// Why it is not written; empty if it is.
    pub fn reason(self, now: Timestamp) -> String {
        let reason = match self {
            Self::Write | Self::WriteAgain | Self::IsWritten => "",
            Self::NotYet(wait) => match wait {
                StageWait::BackOff { until } => {
                    return format!("the last call failed; again in {}", span_between(now, until));
                }
                StageWait::PluginIsDue { late } => {
                    return format!(
                        "not yet: the plugin's own check has been due for {}",
                        span(late)
                    );
                }
                StageWait::NotAtCloste => "not yet: it is not at Closte",
                StageWait::NotGoodTwice => "not yet: it was not good in two checks in a row",
                StageWait::InDoubt(ChecksDoubt::MassFailure) => {
                    "not yet: many domains seemed to stop working together, so the checks are in doubt"
                }
                StageWait::InDoubt(ChecksDoubt::SickResolver) => {
                    "not yet: a resolver is failing, so the checks are in doubt"
                }
                StageWait::InFlight => "not yet: how the last call ended is not known",
                StageWait::PluginChecks => "not yet: the plugin's own check is in progress",
                StageWait::PluginHasChecked => "not yet: the plugin itself checked it a moment ago",
                StageWait::RowHasChanged => {
                    "not yet: the row changed a moment ago, and whether the plugin checks it is not known"
                }
            },
            Self::Never(why) => match why {
                NoStage::NoRow => "its row is gone",
                NoStage::OtherName => "its row holds another name",
                NoStage::Done => "it is done",
                NoStage::Decided => "done-without-ssl is somebody's decision",
                NoStage::UnknownStage => "the plugin has no such stage",
                NoStage::Inactive => "the row is not active, which is somebody's decision",
                NoStage::NoSite(RowSite::Gone) => "its site is archived, spam or deleted",
                NoStage::NoSite(RowSite::OfOtherNetwork) => "its site is of another network",
                NoStage::NoSite(_) => "its site does not exist",
                NoStage::OwnAddress => "WordPress serves it as a site's own address",
                NoStage::TakenBack => {
                    "somebody put the row back after it was done; it is written again when the domain \
                     stopped working and works again, or set it to Ready in the plugin"
                }
            },
        };
        reason.to_owned()
    }
}

#[cfg(test)]
mod tests;
