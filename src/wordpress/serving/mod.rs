//! Whether WordPress serves a site for each row of the domain table, by its tables alone. Pure.
//!
//! As in plugin 2.14.2, `x` and `www.x` are one name, for which one row decides: the first by primary, active
//! and secure.

use std::cmp::Reverse;

use super::sites::SiteOfRow;
use crate::{
    ledger::{CompactRowRef, RowRef},
    names::NameList,
    status::{RowState, Serving},
};

/// Sets [`RowState::serving`] of each row; the spelling is known before. `sites` are those of the rows, in their order. `mapping_is_on` is
/// the plugin's setting; none where that cannot be read.
pub(super) fn evaluate(
    rows: &mut NameList<CompactRowRef>,
    sites: &[SiteOfRow],
    mapping_is_on: Option<bool>,
) {
    let torn = sites_with_two_primaries(rows, sites);
    let alone = |index: usize, row: RowRef| {
        let (state, site) = (row.state?, sites.get(index)?);
        let is_torn = || row.blog_id.is_some_and(|site| torn.binary_search(&site).is_ok());
        Some(match site {
            SiteOfRow::Missing => Serving::SiteMissing,
            SiteOfRow::Gone => Serving::SiteArchived,
            SiteOfRow::OwnAddress => Serving::OwnAddress,
            SiteOfRow::Live if mapping_is_on == Some(false) => Serving::MappingOff,
            SiteOfRow::Live if !is_found(row) => Serving::OtherSpelling,
            SiteOfRow::Live if !state.active => Serving::Inactive,
            SiteOfRow::Live if !state.is_done() => Serving::StageNotDone,
            SiteOfRow::Live if mapping_is_on.is_none() => Serving::Unknown,
            SiteOfRow::Live if is_torn() => Serving::TwoPrimaries,
            SiteOfRow::Live => Serving::Served,
        })
    };
    let mut of_twins = decided_by_twins(rows, alone).into_iter().peekable();
    for (index, row) in rows.values_mut().enumerate() {
        let known = RowRef::from(*row);
        let of_twin = of_twins.next_if(|(one, _)| *one == index).map(|(_, serving)| serving);
        if let (Some(state), Some(serving)) = (known.state, of_twin.or_else(|| alone(index, known)))
        {
            *row = RowRef { state: Some(RowState { serving, ..state }), ..known }.into();
        }
    }
}

/// The sites of which two rows are primary and done, in order.
fn sites_with_two_primaries(rows: &NameList<CompactRowRef>, sites: &[SiteOfRow]) -> Vec<i64> {
    let mut primaries = Vec::new();
    for ((name, row), site) in rows.iter().zip(sites) {
        let row = RowRef::from(*row);
        let is_primary = row.state.is_some_and(|state| state.primary && state.is_done());
        let blog_id = row.blog_id.filter(|_| is_primary && *site == SiteOfRow::Live);
        // A name with and without www. is one.
        primaries.extend(blog_id.map(|blog_id| (blog_id, name.without_www().unwrap_or(name))));
    }
    primaries.sort_unstable();
    primaries.dedup();
    let several = primaries.chunk_by(|one, next| one.0 == next.0).filter(|same| same.len() > 1);
    several.filter_map(|same| same.first()).map(|(blog_id, _)| *blog_id).collect()
}

/// The rows for which the row of the name with `www.` added or removed decides, by their index, in order.
fn decided_by_twins(
    rows: &NameList<CompactRowRef>,
    alone: impl Fn(usize, RowRef) -> Option<Serving>,
) -> Vec<(usize, Serving)> {
    let mut with_www = NameList::new();
    for (index, (name, row)) in rows.iter().enumerate() {
        let Some(bare) = name.without_www() else { continue };
        let row = RowRef::from(*row);
        if is_found(row) {
            with_www.push(bare, (index, row));
        }
    }
    if with_www.is_empty() {
        return Vec::new();
    }
    let with_www = with_www.sorted();
    let mut decided = Vec::new();
    for (index, (name, row)) in rows.iter().enumerate() {
        let Some(twin) = with_www.get(name.as_str()).copied() else { continue };
        let this = (index, RowRef::from(*row));
        if !is_found(this.1) {
            continue;
        }
        let (winner, loser) = if rank(twin.1) > rank(this.1) { (twin, this) } else { (this, twin) };
        if alone(loser.0, loser.1) == Some(Serving::OwnAddress) {
            continue;
        }
        decided.push((
            loser.0,
            match alone(winner.0, winner.1) {
                Some(Serving::Served | Serving::OwnAddress) => Serving::Served,
                // These are no matter of the winner's row.
                Some(same @ (Serving::MappingOff | Serving::Unknown)) => same,
                _ => Serving::TwinDecides,
            },
        ));
    }
    decided.sort_unstable();
    decided
}

/// Whether WordPress finds the row by the name that browsers send.
fn is_found(row: RowRef) -> bool {
    row.state.is_none_or(|state| state.serving != Serving::OtherSpelling)
}

/// `ORDER BY primary_domain DESC, active DESC, secure DESC`, then the older row.
fn rank(row: RowRef) -> impl Ord {
    let flags = row.state.map(|state| (state.primary, state.active, state.secure));
    (flags, Reverse(row.row_id))
}

#[cfg(test)]
mod tests;
