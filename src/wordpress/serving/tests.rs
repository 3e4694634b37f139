use std::collections::HashSet;

use proptest::prelude::*;
use strum::VariantArray as _;

use super::*;
use crate::{domain::DomainName, status::Stage};

/// A row as the plugin reads it, by a model that is plain and slow.
#[derive(Debug, Clone)]
struct Row {
    name: &'static str,
    blog_id: i64,
    site: SiteOfRow,
    state: RowState,
}

fn serving(rows: &[Row], mapping_is_on: Option<bool>) -> Vec<Serving> {
    let row = |(index, row): (usize, &Row)| {
        let name: DomainName = row.name.parse().unwrap();
        let (row_id, blog_id) = (Some(index as i64), Some(row.blog_id));
        let origin = RowRef { row_id, blog_id, modified: None, state: Some(row.state) };
        (name, CompactRowRef::from(origin))
    };
    let mut list = NameList::new();
    for (name, origin) in rows.iter().enumerate().map(row) {
        list.push(name.to_ref(), origin);
    }
    let sites: Vec<SiteOfRow> = rows.iter().map(|row| row.site).collect();
    evaluate(&mut list, &sites, mapping_is_on);
    list.iter().map(|(_, row)| RowRef::from(*row).state.unwrap().serving).collect()
}

fn row(name: &'static str, stage: Stage) -> Row {
    let state = RowState {
        stage: Some(stage),
        active: true,
        primary: false,
        secure: false,
        serving: Serving::Unknown,
    };
    Row { name, blog_id: 7, site: SiteOfRow::Live, state }
}

#[test]
fn a_row_without_a_stage_is_served() {
    let done = row("a.example", Stage::Done);
    let of = |active| RowState { stage: None, active, ..done.state };
    let with = |active| Row { state: of(active), ..done.clone() };
    assert_eq!(serving(&[with(true)], Some(true)), [Serving::Served]);
    assert_eq!(serving(&[with(false)], Some(true)), [Serving::Inactive]);
}

#[test]
fn a_row_that_is_not_found_is_not_served_and_decides_nothing() {
    let done = row("a.example", Stage::Done);
    let spelled = |row: &Row| {
        let state = RowState { serving: Serving::OtherSpelling, primary: true, ..row.state };
        Row { state, ..row.clone() }
    };
    let (on, other) = (Some(true), Serving::OtherSpelling);
    assert_eq!(serving(&[spelled(&done)], on), [other]);
    let own = Row { site: SiteOfRow::OwnAddress, ..spelled(&done) };
    assert_eq!(serving(&[own], on), [Serving::OwnAddress]);
    let failed = row("www.a.example", Stage::Failed);
    assert_eq!(serving(&[spelled(&done), failed], on), [other, Serving::StageNotDone]);
    let www = Row { name: "www.a.example", ..spelled(&done) };
    assert_eq!(serving(&[done, www], on), [Serving::Served, other]);
}

#[test]
fn one_row_decides_for_a_name_with_and_without_www() {
    let (done, failed) = (row("a.example", Stage::Done), row("www.a.example", Stage::Failed));
    let primary = |row: &Row| {
        let state = RowState { primary: true, ..row.state };
        Row { state, ..row.clone() }
    };
    let on = Some(true);
    assert_eq!(serving(&[done.clone(), failed.clone()], on), [Serving::Served; 2]);
    let both = [done.clone(), primary(&failed)];
    assert_eq!(serving(&both, on), [Serving::TwinDecides, Serving::StageNotDone]);
    let both = [failed.clone(), done.clone()];
    assert_eq!(serving(&both, on), [Serving::StageNotDone, Serving::TwinDecides], "the older one");
    let own = Row { site: SiteOfRow::OwnAddress, ..done.clone() };
    assert_eq!(serving(&[own, primary(&failed)], on), [Serving::OwnAddress, Serving::StageNotDone]);
    let other = Row { name: "b.example", ..primary(&done) };
    assert_eq!(serving(&[primary(&done), other], on), [Serving::TwoPrimaries; 2]);
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let names = ["a.example", "www.a.example", "b.example", "www.b.example", "c.example"];
    let sites = [SiteOfRow::Missing, SiteOfRow::Live, SiteOfRow::OwnAddress, SiteOfRow::Gone];
    let one = move |name: &'static str| {
        let site =
            prop_oneof![4 => Just(SiteOfRow::Live), 1 => prop::sample::select(sites.to_vec())];
        let stage = prop::option::of(prop::sample::select(Stage::VARIANTS));
        let flags = (any::<bool>(), any::<bool>(), any::<bool>());
        (1..4_i64, site, stage, flags).prop_map(move |(blog_id, site, stage, flags)| {
            let (active, primary, secure) = flags;
            let state = RowState { stage, active, primary, secure, serving: Serving::Unknown };
            Row { name, blog_id, site, state }
        })
    };
    let all: Vec<_> = names.map(one).into_iter().collect();
    let kept = prop::sample::subsequence(vec![0, 1, 2, 3, 4], 0..=names.len());
    let some = |(all, kept): (Vec<Row>, Vec<usize>)| -> Vec<Row> {
        kept.iter().map(|index| all[*index].clone()).collect()
    };
    (all, kept).prop_map(some).prop_shuffle()
}

/// The answer for one host, as `ORDER BY primary_domain DESC, active DESC, secure DESC LIMIT 1` gives it.
fn model(rows: &[Row], of: &Row, mapping_is_on: Option<bool>) -> Serving {
    let bare = |name: &'static str| name.strip_prefix("www.").unwrap_or(name);
    let alone = |row: &Row| {
        let primaries: HashSet<&str> = rows
            .iter()
            .filter(|one| {
                one.blog_id == row.blog_id
                    && one.site == SiteOfRow::Live
                    && one.state.primary
                    && one.state.is_done()
            })
            .map(|one| bare(one.name))
            .collect();
        match row.site {
            SiteOfRow::Missing => Serving::SiteMissing,
            SiteOfRow::Gone => Serving::SiteArchived,
            SiteOfRow::OwnAddress => Serving::OwnAddress,
            SiteOfRow::Live if mapping_is_on == Some(false) => Serving::MappingOff,
            SiteOfRow::Live if !row.state.active => Serving::Inactive,
            SiteOfRow::Live if !row.state.is_done() => Serving::StageNotDone,
            SiteOfRow::Live if mapping_is_on.is_none() => Serving::Unknown,
            SiteOfRow::Live if primaries.len() > 1 => Serving::TwoPrimaries,
            SiteOfRow::Live => Serving::Served,
        }
    };
    let order = |row: &&Row| (row.state.primary, row.state.active, row.state.secure);
    // Of equals, `max_by_key` takes the last.
    let deciding =
        rows.iter().rev().filter(|row| bare(row.name) == bare(of.name)).max_by_key(order);
    let deciding = deciding.unwrap();
    match (alone(of), alone(deciding)) {
        (Serving::OwnAddress, _) => Serving::OwnAddress,
        (own, _) if deciding.name == of.name => own,
        (_, serving) if serving.is_served() => Serving::Served,
        (_, serving @ (Serving::MappingOff | Serving::Unknown)) => serving,
        _ => Serving::TwinDecides,
    }
}

proptest! {
    #[test]
    fn each_row_is_served_as_the_plugin_would(
        rows in rows(),
        mapping_is_on in prop::option::weighted(0.9, prop::bool::weighted(0.9)),
    ) {
        let expected: Vec<Serving> = rows.iter().map(|row| model(&rows, row, mapping_is_on)).collect();
        prop_assert_eq!(serving(&rows, mapping_is_on), expected);
    }
}
