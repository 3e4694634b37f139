use std::time::Duration;

use jiff::Timestamp;
use strum::{EnumString, IntoStaticStr};

use super::{LedgerId, State, StateError, columns::At, ledger::json};
use crate::{
    domain::DomainName,
    events::EventBatch,
    status::{GoodRun, Stage},
};

/// A name whose check is late by more than this was not seen for too long.
const LATEST: Duration = Duration::from_secs(60 * 60);

/// Why the results of the checks may be wrong although they look right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, EnumString)]
#[strum(serialize_all = "kebab-case")]
pub enum ChecksDoubt {
    /// Many names seemed to stop working together.
    MassFailure,
    /// A resolver is failing.
    SickResolver,
}

/// A stage that was written, or that writing was begun. Also of a row that somebody else made done, and that was put
/// back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageNote {
    /// The one before.
    pub stage: Stage,
    /// When it was begun.
    pub at: Timestamp,
    /// Whether it was seen written.
    pub is_sure: bool,
    /// Whether it was written again after a lost race.
    pub is_retry: bool,
    /// When the row was written last before, in Unix seconds by WordPress's clock.
    pub modified: Option<i64>,
    /// The plugin's own check of the row that had ended last.
    pub last_ended: Option<i64>,
    /// [`GoodRun::times_broken`] then.
    pub times_broken: u32,
    /// How many calls for this row failed in a row.
    pub failures: u32,
    pub next_attempt: Option<Timestamp>,
    /// Whether somebody put the row back, which was reported.
    pub is_taken_back: bool,
}

/// A name whose stage may have to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageCandidate {
    pub name: DomainName,
    pub row_id: i64,
    pub blog_id: Option<i64>,
    pub is_at_closte: bool,
    pub good: GoodRun,
    pub note: Option<StageNote>,
}

/// A name whose row was seen done, and no longer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutBack<'a> {
    pub name: &'a DomainName,
    pub row_id: i64,
    /// The one now.
    pub stage: Stage,
}

/// How many names one query reads, and how many of them it returns at most.
#[derive(Debug, Clone, Copy)]
pub struct StageSearch {
    pub names: u32,
    pub most: u32,
}

/// The columns of a [`StageCandidate`].
struct Row {
    domain: DomainName,
    row_id: i64,
    blog_id: Option<i64>,
    is_at_closte: bool,
    good_checks: Option<u32>,
    times_broken: Option<u32>,
    stage: Option<String>,
    at: Option<At>,
    is_sure: Option<bool>,
    is_retry: Option<bool>,
    modified: Option<i64>,
    last_ended: Option<i64>,
    broken_then: Option<u32>,
    failures: Option<u32>,
    next_attempt: Option<At>,
    taken_back: Option<bool>,
}

/// A query of [`Row`]s from a join of `managed m`, `domain_status s` and `written_stage w`.
macro_rules! candidates {
    ($from:literal, $which:literal, $($arg:expr),* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"SELECT m.domain AS "domain: DomainName", m.row_id AS "row_id!", m.blog_id,
                   ((m.present_since IS NOT NULL AND m.missing_since IS NULL)
                       OR m.covered_by IS NOT NULL) AS "is_at_closte!: bool",
                   s.good_checks AS "good_checks?: u32", s.times_broken AS "times_broken?: u32",
                   w.stage AS "stage?", w.at AS "at?: At", w.is_sure AS "is_sure?: bool",
                   w.is_retry AS "is_retry?: bool", w.modified, w.last_ended,
                   w.times_broken AS "broken_then?: u32", w.failures AS "failures?: u32",
                   w.next_attempt AS "next_attempt: At", w.taken_back AS "taken_back?: bool"
               FROM "#
                + $from
                + $which,
            $($arg),*
        )
    };
}

impl State {
    /// Up to `most` names whose DNS and certificate were good in
    /// `checks` checks in a row, and which WordPress does not serve because of their stage alone; with
    /// those that somebody put back, and those that wait after a failed call, only if `with_settled`. They are among the `window` names after `after`
    /// in alphabetical order; with the name after which the next ones are, if there are more.
    pub async fn stage_candidates(
        &self,
        ledger: LedgerId,
        checks: u32,
        after: Option<&DomainName>,
        window: StageSearch,
        with_settled: bool,
        now: Timestamp,
    ) -> Result<(Vec<StageCandidate>, Option<DomainName>), StateError> {
        let after = after.map_or("", DomainName::as_str);
        let StageSearch { names, most } = window;
        let end = sqlx::query_scalar!(
            r#"SELECT domain AS "domain: DomainName" FROM managed INDEXED BY managed_stage_not_done
               WHERE ledger_id = ? AND row_state & 3840 = 768 AND domain > ?
               ORDER BY domain LIMIT 1 OFFSET ?"#,
            ledger,
            after,
            names,
        );
        let end = end.fetch_optional(&self.pool).await?;
        let rows = candidates!(
            "managed m INDEXED BY managed_stage_not_done
             CROSS JOIN domain_status s ON s.ledger_id = m.ledger_id AND s.domain = m.domain
             LEFT JOIN written_stage w
                 ON w.ledger_id = m.ledger_id AND w.row_id = m.row_id AND w.domain = m.domain ",
            // Serving::StageNotDone, and each stage but done, done-without-ssl and unknown ones. For SQLite a
            // blob is after each text; with `?8 IS NULL OR`, it would search all that is after the window.
            "WHERE m.ledger_id = ?1 AND m.row_state & 3840 = 768
             AND m.row_state & 15 IN (1, 2, 5, 6)
             AND m.row_id IS NOT NULL AND m.undesired_since IS NULL
             AND m.domain > ?3 AND m.domain <= coalesce(?8, x'') AND m.domain NOT LIKE '*%'
             AND s.good_checks >= ?2 AND s.due_at >= ?5
             AND (?7 OR w.at IS NULL OR s.times_broken > w.times_broken
                 OR (w.taken_back = 0 AND coalesce(w.next_attempt <= ?6, 1)))
             AND NOT EXISTS (SELECT 1 FROM managed twin WHERE m.domain LIKE 'www.%'
                 AND twin.ledger_id = m.ledger_id AND twin.domain = substr(m.domain, 5)
                 AND twin.row_id = m.row_id)
             ORDER BY m.domain LIMIT ?4",
            ledger,
            checks,
            after,
            most,
            At(now.checked_sub(LATEST).unwrap_or(Timestamp::MIN)),
            At(now),
            with_settled,
            end.as_ref().map(DomainName::as_str),
        );
        let rows = rows.fetch_all(&self.pool).await?.into_iter();
        let found = rows.map(Row::read).collect::<Result<Vec<_>, _>>()?;
        let is_full = found.len() >= usize::try_from(most).unwrap_or(usize::MAX);
        let last = found.last().filter(|_| is_full).map(|candidate| candidate.name.clone());
        Ok((found, last.or(end)))
    }

    /// The names for which writing the stage was begun, and how it ended was not seen.
    pub async fn unsure_stages(
        &self,
        ledger: LedgerId,
        most: u32,
    ) -> Result<Vec<StageCandidate>, StateError> {
        let rows = candidates!(
            "written_stage w
             JOIN managed m ON m.ledger_id = w.ledger_id AND m.domain = w.domain
                 AND m.row_id = w.row_id
             LEFT JOIN domain_status s ON s.ledger_id = m.ledger_id AND s.domain = m.domain ",
            "WHERE w.ledger_id = ? AND w.is_sure = 0 ORDER BY w.at LIMIT ?",
            ledger,
            most,
        );
        rows.fetch_all(&self.pool).await?.into_iter().map(Row::read).collect()
    }

    /// Records what is known of a stage: that writing it begins, how it ended, or, if none, that it was
    /// not written. If `is_checked_now`, the name is checked again at once.
    pub async fn note_stage(
        &self,
        ledger: LedgerId,
        candidate: &StageCandidate,
        note: Option<&StageNote>,
        is_checked_now: bool,
        batch: &EventBatch,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let (name, row) = (candidate.name.as_str(), candidate.row_id);
        let mut recording = self.recording(batch, now).await?;
        match note {
            Some(note) => {
                sqlx::query!(
                    "INSERT OR REPLACE INTO written_stage (ledger_id, row_id, domain, stage, at,
                         is_sure, is_retry, modified, last_ended, times_broken, failures,
                         next_attempt, taken_back)
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    ledger,
                    row,
                    name,
                    note.stage.as_str(),
                    At(note.at),
                    note.is_sure,
                    note.is_retry,
                    note.modified,
                    note.last_ended,
                    note.times_broken,
                    note.failures,
                    note.next_attempt.map(At),
                    note.is_taken_back,
                )
                .execute(recording.connection())
                .await?;
            }
            None => {
                sqlx::query!(
                    "DELETE FROM written_stage WHERE ledger_id = ? AND row_id = ? AND domain = ?",
                    ledger,
                    row,
                    name,
                )
                .execute(recording.connection())
                .await?;
            }
        }
        if is_checked_now {
            sqlx::query!(
                "UPDATE domain_status SET due_at = min(due_at, ?) WHERE ledger_id = ? AND domain = ?",
                At(now),
                ledger,
                name,
            )
            .execute(recording.connection())
            .await?;
        }
        Ok(recording.commit().await?)
    }

    /// Notes rows that were put back, so that they are not written again until the name was broken and works.
    /// What is known of a row that was written since the name was broken last stays. A name that is broken now
    /// was put back because of that, and has no note.
    pub async fn note_put_back(
        &self,
        ledger: LedgerId,
        put_back: &[PutBack<'_>],
        now: Timestamp,
    ) -> Result<(), StateError> {
        if put_back.is_empty() {
            return Ok(());
        }
        let line = |one: &PutBack<'_>| (one.row_id, one.name.as_str().to_owned(), one.stage);
        let lines: Vec<_> = put_back.iter().map(line).collect();
        // Which of the plugin's checks ended after the row was done is not known: no lost race, and no retry.
        sqlx::query!(
            "INSERT INTO written_stage (ledger_id, row_id, domain, stage, at, is_sure, is_retry,
                 times_broken, failures, taken_back)
             SELECT ?1, value->>0, value->>1, value->>2, ?2, 1, 1, coalesce(s.times_broken, 0), 0, 0
             FROM json_each(?3)
             LEFT JOIN domain_status s ON s.ledger_id = ?1 AND s.domain = value->>1
             WHERE s.checked_at IS NULL OR s.good_checks > 0 OR s.suspect_since IS NOT NULL
             ON CONFLICT (ledger_id, row_id, domain) DO UPDATE SET
                 stage = excluded.stage, at = excluded.at, is_sure = 1, is_retry = 1, modified = NULL,
                 last_ended = NULL, times_broken = excluded.times_broken, failures = 0,
                 next_attempt = NULL, taken_back = 0
             WHERE excluded.times_broken > written_stage.times_broken",
            ledger,
            At(now),
            json(&lines),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Records until when the checks are in doubt.
    pub async fn note_doubt(
        &self,
        reason: ChecksDoubt,
        until: Timestamp,
    ) -> Result<(), StateError> {
        sqlx::query!(
            "INSERT OR REPLACE INTO checks_doubt (reason, until) VALUES (?, ?)",
            <&str>::from(reason),
            At(until),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Why the checks are in doubt now, if they are.
    pub async fn checks_doubt(&self, now: Timestamp) -> Result<Option<ChecksDoubt>, StateError> {
        let reason = sqlx::query_scalar!(
            "SELECT reason FROM checks_doubt WHERE until > ? ORDER BY reason LIMIT 1",
            At(now),
        );
        let Some(reason) = reason.fetch_optional(&self.pool).await? else { return Ok(None) };
        let unknown = |_| StateError::Damaged(format!("checks_doubt: {reason:?}"));
        reason.parse().map(Some).map_err(unknown)
    }
}

impl Row {
    fn read(self) -> Result<StageCandidate, StateError> {
        let note = match self.stage.zip(self.at) {
            None => None,
            Some((stage, At(at))) => {
                let unknown = |error| StateError::Damaged(format!("written_stage: {error}"));
                Some(StageNote {
                    stage: stage.parse().map_err(unknown)?,
                    at,
                    is_sure: self.is_sure.unwrap_or(false),
                    is_retry: self.is_retry.unwrap_or(false),
                    modified: self.modified,
                    last_ended: self.last_ended,
                    times_broken: self.broken_then.unwrap_or(0),
                    failures: self.failures.unwrap_or(0),
                    next_attempt: self.next_attempt.map(|At(at)| at),
                    is_taken_back: self.taken_back.unwrap_or(false),
                })
            }
        };
        Ok(StageCandidate {
            name: self.domain,
            row_id: self.row_id,
            blog_id: self.blog_id,
            is_at_closte: self.is_at_closte,
            good: GoodRun {
                checks: self.good_checks.unwrap_or(0),
                times_broken: self.times_broken.unwrap_or(0),
            },
            note,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use strum::VariantArray as _;

    use super::*;
    use crate::{
        ledger::{Entry, RowRef},
        names::NameMap,
        plan::LedgerChange,
        status::{RowState, Serving},
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A state with these names, all on their way and good in two checks.
    async fn state(names: &[&str]) -> (tempfile::TempDir, State, LedgerId) {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(&folder.path().join("state.db")).await.unwrap();
        let ledger = state.begin_ledger(1, "agency.example", "key", at(0)).await.unwrap();
        let change = |(row, name): (i64, &&str)| {
            let state = RowState {
                stage: Some(Stage::Failed),
                active: true,
                primary: false,
                secure: false,
                serving: Serving::StageNotDone,
            };
            let (row_id, state) = (Some(row), Some(state));
            let origin = RowRef { row_id, state, ..RowRef::default() };
            let entry = Entry { present_since: Some(at(0)), ..Entry::new(origin, at(0)) };
            LedgerChange { name: name.parse().unwrap(), entry: Some(entry), transition: None }
        };
        let changes: Vec<_> = (1..).zip(names).map(change).collect();
        let (none, nothing) = (NameMap::default(), EventBatch::default());
        state.record(ledger, &none, &changes, &nothing, at(0)).await.unwrap();
        state.sync_schedule(ledger, Duration::from_secs(60), at(0)).await.unwrap();
        let good = "UPDATE domain_status SET good_checks = 2";
        sqlx::raw_sql(good).execute(&state.pool).await.unwrap();
        (folder, state, ledger)
    }

    #[tokio::test]
    async fn a_search_in_parts_finds_what_one_finds() {
        let names =
            ["*.e.example", "a.example", "b.example", "c.example", "d.example", "e.example"];
        let (_folder, state, ledger) = state(&names).await;
        for (names, most) in [(100, 100), (1, 1), (2, 1), (2, 100), (100, 2), (3, 2)] {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let search = StageSearch { names, most };
                let (some, next) = state
                    .stage_candidates(ledger, 2, after.as_ref(), search, false, at(0))
                    .await
                    .unwrap();
                assert!(some.len() <= most as usize);
                found.extend(some.into_iter().map(|one| one.name.to_string()));
                after = next;
                if after.is_none() {
                    break;
                }
            }
            let expected = ["a.example", "b.example", "c.example", "d.example", "e.example"];
            assert_eq!(found, expected, "{names} {most}");
        }
        let search = StageSearch { names: 100, most: 100 };
        let thrice = state.stage_candidates(ledger, 3, None, search, false, at(0)).await.unwrap();
        assert!(thrice.0.is_empty());
    }

    #[tokio::test]
    async fn a_search_ends_with_its_window() {
        let steps = async |names: usize| {
            let names: Vec<String> = (0..names).map(|number| format!("{number}.example")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let (_folder, state, ledger) = state(&names).await;
            let steps = Arc::new(AtomicUsize::new(0));
            let mut connection = state.pool.acquire().await.unwrap();
            connection.lock_handle().await.unwrap().set_progress_handler(1, {
                let steps = steps.clone();
                move || steps.fetch_add(1, Ordering::Relaxed) < usize::MAX
            });
            drop(connection);
            let search = StageSearch { names: 10, most: 10 };
            // None of them is good in three checks.
            let found =
                state.stage_candidates(ledger, 3, None, search, false, at(0)).await.unwrap();
            assert!(found.0.is_empty() && found.1.is_some());
            steps.load(Ordering::Relaxed)
        };
        assert_eq!(steps(50).await, steps(500).await);
    }

    #[tokio::test]
    async fn a_row_that_was_put_back_has_a_note_until_the_name_was_broken() {
        let own = StageNote {
            stage: Stage::CheckingDns,
            at: at(1),
            is_sure: true,
            is_retry: false,
            modified: Some(7),
            last_ended: Some(8),
            times_broken: 3,
            failures: 0,
            next_attempt: None,
            is_taken_back: true,
        };
        let noted = |times_broken| {
            let (stage, at) = (Stage::Failed, at(5));
            let (modified, last_ended) = (None, None);
            let note = StageNote { stage, at, modified, last_ended, ..own.clone() };
            Some(StageNote { times_broken, is_retry: true, is_taken_back: false, ..note })
        };
        let none = || None;
        for (status, before, expected) in [
            ("checked_at = NULL, good_checks = 0", none(), noted(3)),
            ("checked_at = 4, good_checks = 2", none(), noted(3)),
            ("checked_at = 4, good_checks = 0, suspect_since = 4", none(), noted(3)),
            ("checked_at = 4, good_checks = 0", none(), none()),
            ("checked_at = 4, good_checks = 2", Some(own.clone()), Some(own.clone())),
            (
                "checked_at = 4, good_checks = 2",
                Some(StageNote { times_broken: 2, ..own.clone() }),
                noted(3),
            ),
        ] {
            let (_folder, state, ledger) = state(&["a.example"]).await;
            let set = format!("UPDATE domain_status SET times_broken = 3, {status}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(set)).execute(&state.pool).await.unwrap();
            let read = async || {
                let all = StageSearch { names: 9, most: 9 };
                state.stage_candidates(ledger, 0, None, all, true, at(0)).await.unwrap().0.remove(0)
            };
            let candidate = read().await;
            let nothing = EventBatch::default();
            let before = before.as_ref();
            state.note_stage(ledger, &candidate, before, false, &nothing, at(1)).await.unwrap();
            let one = PutBack { name: &candidate.name, row_id: 1, stage: Stage::Failed };
            for now in [5, 6] {
                state.note_put_back(ledger, &[one], at(now)).await.unwrap();
            }
            assert_eq!(read().await.note, expected, "{status}");
        }
    }

    #[test]
    fn the_numbers_of_the_query_are_those_of_the_states() {
        for serving in Serving::VARIANTS.iter().copied() {
            for stage in Stage::VARIANTS.iter().copied().map(Some).chain([None]) {
                let state = RowState { stage, active: true, primary: true, secure: true, serving };
                let bits = state.to_bits();
                assert_eq!(bits & 3840 == 768, serving == Serving::StageNotDone, "{serving}");
                let is_on_its_way = stage.is_some_and(|stage| !stage.is_done());
                assert_eq!([1, 2, 5, 6].contains(&(bits & 15)), is_on_its_way, "{stage:?}");
            }
        }
    }
}
