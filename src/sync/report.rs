use serde::Serialize;

use crate::{
    closte::{self, ClosteError},
    plan::{Decision, Guard, Plan},
};

/// What a cycle found and did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// How many names are wanted.
    pub wanted: usize,
    /// How many of them are at Closte under their own name, as of its list.
    pub in_place: usize,
    /// How many a wildcard at Closte serves.
    pub covered: usize,
    /// How many names at Closte are not ours.
    pub foreign: usize,
    /// How many names were added.
    pub added: usize,
    /// How many names were removed.
    pub removed: usize,
    /// How many calls failed, or wait for another attempt.
    pub failed: usize,
    /// How many names were at Closte, and are missing from this list: the next one decides.
    pub missing: usize,
    /// How many calls Closte said yes to, and its list does not show it yet.
    pub unconfirmed: usize,
    /// How many names Closte will not take.
    pub refused: usize,
    /// How many removals a guard stopped that will not stop them for good.
    pub held: usize,
    /// How many rows are no domain name.
    pub rejected: usize,
    /// How many domain records were written.
    pub records: usize,
    /// How many are written when `sync.record_grace` is over.
    pub records_waiting: usize,
    /// Why the domain record that was asked for was not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_refused: Option<String>,
    /// Removals that only a person can let through.
    #[serde(skip)]
    pub surprise: Option<Surprise>,
    /// How many elements of Closte's list were not understood, with an example.
    #[serde(skip)]
    pub odd_elements: Option<(usize, String)>,
    /// How many names were asked to be added or removed, with whatever success.
    #[serde(skip)]
    pub tried: usize,
    /// Why calls were left to the next cycle.
    #[serde(skip)]
    pub outage: Option<ClosteError>,
    /// Nothing was asked of Closte, because nothing called for it.
    #[serde(skip)]
    pub quiet: bool,
}

/// Removals that a cycle held because they would surprise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surprise {
    /// How many names would go.
    pub domains: usize,
    /// How many are managed.
    pub managed: usize,
    /// Whether the reason is that the domain table has no row at all.
    pub empty_table: bool,
}

impl Surprise {
    /// Why the removals are held, in words.
    pub fn reason(&self) -> &'static str {
        if self.empty_table {
            "the domain table is empty"
        } else {
            "more would go at once than sync.max_removal_percent allows, or all"
        }
    }
}

impl Report {
    /// Whether both ends agree as far as they ever will.
    pub fn is_settled(&self) -> bool {
        self.failed + self.missing + self.unconfirmed + self.held + self.records_waiting == 0
            && self.record_refused.is_none()
            && self.outage.is_none()
            && self.odd_elements.is_none()
    }

    /// Whether the next list has something to show, and should be asked for soon.
    pub fn awaits_a_list(&self) -> bool {
        self.added + self.removed + self.missing > 0
    }
}

pub(super) fn odd_elements(list: &closte::List) -> Option<(usize, String)> {
    (!list.is_complete()).then(|| (list.odd, list.example.clone().unwrap_or_default()))
}

impl Report {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut report = Self { wanted: plan.wanted, in_place: plan.in_place, ..Self::default() };
        let mut empty_table = 0;
        for (_, decision) in &plan.decisions {
            match decision {
                Decision::Add(_) | Decision::Remove { .. } => {}
                Decision::Waiting { .. } => report.failed += 1,
                Decision::Missing => report.missing += 1,
                Decision::Unconfirmed { .. } => report.unconfirmed += 1,
                Decision::Covered { .. } => report.covered += 1,
                Decision::Refused { .. } => report.refused += 1,
                Decision::Foreign => report.foreign += 1,
                Decision::Held(guard) if guard.is_lasting() => {}
                Decision::Held(guard) => {
                    report.held += 1;
                    match guard {
                        Guard::EmptyTable => empty_table += 1,
                        Guard::TooMany { removals, managed } => {
                            report.surprise = Some(Surprise {
                                domains: *removals,
                                managed: *managed,
                                empty_table: false,
                            });
                        }
                        _ => {}
                    }
                }
            }
        }
        if empty_table > 0 {
            report.surprise =
                Some(Surprise { domains: empty_table, managed: plan.managed, empty_table: true });
        }
        report
    }
}
