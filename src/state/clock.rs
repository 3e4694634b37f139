use jiff::Timestamp;
use sqlx::SqliteConnection;
use strum::IntoStaticStr;

use super::{State, StateError, columns::At};
use crate::{
    clock::{Boot, Clock, Jump},
    events::{Event, EventBatch},
    ledger::later,
};

/// The loop that a clock belongs to. Each has tables of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Loop {
    /// Those of the daemon and of `apply`.
    Cycles,
    Checks,
}

impl State {
    /// Sets `clock` to the stored clock of the loop. If the machine's clock has jumped since, both follow
    /// it, and all stored times are shifted by the jump. Returns whether the time has changed.
    ///
    /// After a boot it is not known how long the machine was off, so that time counts for no grace.
    pub async fn follow_clock(&self, whose: Loop, clock: &mut Clock) -> Result<bool, StateError> {
        let before = clock.boot().clone();
        if self.restore_clock(whose, clock).await? {
            let Some(jump) = clock.jump() else { return Ok(*clock.boot() != before) };
            self.skip(whose, &jump).await?;
            clock.follow(jump.boot);
            return Ok(true);
        }
        if let Some(jump) = clock.jump() {
            clock.follow(jump.boot);
        }
        let now = clock.now();
        let seen = self.last_cycle().await?.completed_at;
        let mut transaction = self.pool.begin().await?;
        if let Some(seen) = seen.map(|seen| later(seen, clock.machine_runs_for()))
            && seen < now
        {
            shift_graces(&mut transaction, whose, millis(seen, now)).await?;
        }
        store_clock(&mut transaction, whose, clock.boot()).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Sets `clock` to the stored clock of the loop. Returns false if there is none of this boot.
    pub async fn restore_clock(&self, whose: Loop, clock: &mut Clock) -> Result<bool, StateError> {
        let booted_at = sqlx::query_scalar!(
            r#"SELECT booted_at AS "booted_at: At" FROM loop_clock WHERE loop = ? AND boot = ?"#,
            <&str>::from(whose),
            clock.boot().id,
        );
        let Some(At(at)) = booted_at.fetch_optional(&self.pool).await? else { return Ok(false) };
        clock.follow(Boot { id: clock.boot().id.clone(), at });
        Ok(true)
    }

    async fn skip(&self, whose: Loop, jump: &Jump) -> Result<(), StateError> {
        let event = Event::ClockJumped { from: jump.from, to: jump.to, by_s: jump.by().as_secs() };
        // Only one of the loops reports it.
        let batch = EventBatch::of((whose == Loop::Cycles).then_some(event));
        let mut recording = self.recording(&batch, jump.to).await?;
        let connection = recording.connection();
        let by = millis(jump.from, jump.to);
        shift_graces(connection, whose, by).await?;
        shift_other_waits(connection, whose, by).await?;
        store_clock(connection, whose, &jump.boot).await?;
        Ok(recording.commit().await?)
    }
}

fn millis(from: Timestamp, to: Timestamp) -> i64 {
    to.as_millisecond().saturating_sub(from.as_millisecond())
}

/// Shifts the times since which something has lasted.
async fn shift_graces(connection: &mut SqliteConnection, whose: Loop, by: i64) -> sqlx::Result<()> {
    match whose {
        Loop::Cycles => {
            sqlx::query!(
                "UPDATE managed SET undesired_since = undesired_since + ?
                 WHERE undesired_since IS NOT NULL",
                by,
            )
            .execute(&mut *connection)
            .await?;
            sqlx::query!("UPDATE missing_record SET since = since + ?", by)
                .execute(&mut *connection)
                .await?;
            sqlx::query!("UPDATE leadership SET since = since + ?", by).execute(connection).await?;
        }
        // The time since which answers have differed is measured anew.
        Loop::Checks => {
            sqlx::query!(
                "UPDATE domain_status SET dns_since = dns_since + ?1, ssl_since = ssl_since + ?1,
                     since = since + ?1, alerted_at = alerted_at + ?1,
                     lacks_certificate_since = lacks_certificate_since + ?1,
                     latest = iif(json_valid(latest),
                         json_remove(latest, '$.dns.history.mixed_since'), latest)
                 WHERE checked_at IS NOT NULL",
                by,
            )
            .execute(connection)
            .await?;
        }
    }
    Ok(())
}

/// Shifts the times until which something waits.
async fn shift_other_waits(
    connection: &mut SqliteConnection,
    whose: Loop,
    by: i64,
) -> sqlx::Result<()> {
    match whose {
        Loop::Cycles => {
            sqlx::query!(
                "UPDATE managed SET next_attempt = next_attempt + ?1, refused_at = refused_at + ?1
                 WHERE next_attempt IS NOT NULL OR refused_at IS NOT NULL",
                by,
            )
            .execute(&mut *connection)
            .await?;
            sqlx::query!("UPDATE certificate_request SET asked_at = asked_at + ?", by)
                .execute(&mut *connection)
                .await?;
            sqlx::query!("UPDATE absent_call SET until = until + ?", by)
                .execute(&mut *connection)
                .await?;
            sqlx::query!(
                "UPDATE written_stage SET at = at + ?1, next_attempt = next_attempt + ?1",
                by,
            )
            .execute(connection)
            .await?;
        }
        Loop::Checks => {
            sqlx::query!("UPDATE domain_status SET due_at = due_at + ?", by)
                .execute(&mut *connection)
                .await?;
            sqlx::query!("UPDATE checks_doubt SET until = until + ?", by)
                .execute(connection)
                .await?;
        }
    }
    Ok(())
}

async fn store_clock(
    connection: &mut SqliteConnection,
    whose: Loop,
    boot: &Boot,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT OR REPLACE INTO loop_clock (loop, boot, booted_at) VALUES (?, ?, ?)",
        <&str>::from(whose),
        boot.id,
        At(boot.at),
    )
    .execute(connection)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;

    use super::*;
    use crate::{
        ledger::{Attempt, Entry, Progress, RowRef},
        names::NameMap,
        plan::LedgerChange,
        state::{Asked, LedgerId, MissingRecord},
    };

    const HOUR: SignedDuration = SignedDuration::from_hours(1);
    const DAYS: SignedDuration = SignedDuration::from_hours(24);

    struct Place {
        _folder: tempfile::TempDir,
        state: State,
        ledger: LedgerId,
        clock: Clock,
    }

    /// With a name that was unmapped an hour before the last cycle, and one that waits for its next call.
    async fn place() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(&folder.path().join("state.db")).await.unwrap();
        let mut clock = Clock::default();
        state.follow_clock(Loop::Cycles, &mut clock).await.unwrap();
        let now = clock.now();
        let ledger = state.begin_ledger(1, "agency.example", "key", now).await.unwrap();
        let ago = now - HOUR;
        let mut undesired = Entry::new(RowRef::default(), ago);
        undesired.undesired_since = Some(ago);
        let mut failed = Entry::new(RowRef::default(), ago);
        let next = now + HOUR;
        failed.progress = Progress::Failed(Attempt { count: 1, next }, "no".to_owned());
        let change = |name: &str, entry| LedgerChange {
            name: name.parse().unwrap(),
            entry: Some(entry),
            transition: None,
        };
        let changes = [change("undesired.example", undesired), change("failed.example", failed)];
        state
            .record(ledger, &NameMap::default(), &changes, &EventBatch::default(), now)
            .await
            .unwrap();
        let missing = MissingRecord { state: String::new(), since: ago, reads: 1 };
        state.note_missing_records(1, &[(7, &missing)], &[]).await.unwrap();
        state.cycle_completed(ledger, &"", now).await.unwrap();
        Place { _folder: folder, state, ledger, clock }
    }

    impl Place {
        /// For how many hours a name has been undesired, a record has been missing, and a name still
        /// waits.
        async fn waits(&self) -> [i64; 3] {
            let ledger = self.state.load(self.ledger).await.unwrap();
            let entry = |name: &str| ledger.get(name).unwrap().entry();
            let Progress::Failed(attempt, _) = &entry("failed.example").progress else { panic!() };
            let notes = self.state.record_notes(1).await.unwrap();
            let now = self.clock.now();
            let hours = |wait: SignedDuration| (wait.as_secs() + 1_800).div_euclid(3_600);
            [
                hours(now.duration_since(entry("undesired.example").undesired_since.unwrap())),
                hours(now.duration_since(notes.missing[&7].since)),
                hours(attempt.next.duration_since(now)),
            ]
        }

        async fn follow(&mut self) -> bool {
            self.state.follow_clock(Loop::Cycles, &mut self.clock).await.unwrap()
        }

        async fn boot_anew(&mut self) {
            let anew = "UPDATE loop_clock SET boot = 'another', booted_at = 0";
            sqlx::query(anew).execute(&self.state.pool).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_clock_that_is_set_changes_no_wait() {
        let mut place = place().await;
        assert!(!place.follow().await);
        let waits = place.waits().await;
        for days in [3_000, -6_000, 1, 2_999] {
            place.clock.set_clock(DAYS * days);
            assert!(place.follow().await && !place.follow().await);
            assert_eq!(place.waits().await, waits, "{days}");
        }
        let events = place.state.events(None, None, 100).await.unwrap();
        assert_eq!(events.iter().filter(|one| one.event == "daemon.clock_jumped").count(), 4);
    }

    #[tokio::test]
    async fn a_new_process_knows_how_much_time_has_passed_since_the_last_one() {
        let mut place = place().await;
        place.clock.advance(Duration::from_secs(10 * 3_600));
        place.clock.set_clock(DAYS);
        // A process starts with the machine's clock.
        let jump = place.clock.jump().unwrap();
        place.clock.follow(jump.boot);
        assert!(place.follow().await);
        assert_eq!(place.waits().await, [11, 11, -9]);
    }

    #[tokio::test]
    async fn after_a_boot_no_more_counts_than_the_machine_has_run() {
        let mut place = place().await;
        let ran = (place.clock.machine_runs_for().as_secs() + 1_800) / 3_600;
        let most = 1 + i64::try_from(ran).unwrap();
        place.boot_anew().await;
        place.clock.set_clock(DAYS * 3_000);
        assert!(place.follow().await);
        let [undesired, missing, _] = place.waits().await;
        assert!(
            undesired == missing && (most..=most + 1).contains(&undesired),
            "{undesired} {most}"
        );
    }

    #[tokio::test]
    async fn a_quick_boot_changes_no_wait() {
        let mut place = place().await;
        let waits = place.waits().await;
        place.boot_anew().await;
        assert!(place.follow().await && !place.follow().await);
        assert_eq!(place.waits().await, waits);
    }

    async fn times(state: &State, query: &str) -> Vec<i64> {
        sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_all(&state.pool).await.unwrap()
    }

    #[tokio::test]
    async fn refusals_and_requests_wait_as_if_the_clock_had_not_jumped() {
        let Place { _folder, state, ledger, mut clock } = place().await;
        let now = clock.now();
        let name = "failed.example".parse().unwrap();
        let hour = Duration::from_secs(3_600);
        let asked = Asked { name: &name, answer: "", absent: &["/ssl"], absent_lasts: hour };
        state.certificate_requested(ledger, asked, &EventBatch::default(), now).await.unwrap();
        sqlx::query("UPDATE managed SET refused_at = ? WHERE domain = 'failed.example'")
            .bind(now.as_millisecond())
            .execute(&state.pool)
            .await
            .unwrap();
        let waits = async || {
            let mut all = Vec::new();
            for query in [
                "SELECT refused_at FROM managed WHERE refused_at IS NOT NULL",
                "SELECT asked_at FROM certificate_request",
                "SELECT until FROM absent_call",
            ] {
                all.extend(times(&state, query).await);
            }
            all
        };
        let before = waits().await;
        clock.set_clock(DAYS * 3_000);
        assert!(state.follow_clock(Loop::Cycles, &mut clock).await.unwrap());
        let by = clock.now().duration_since(now).as_millis();
        let moved = waits().await.into_iter().zip(&before).map(|(at, from)| i128::from(at - from));
        let near = moved.map(|moved| (moved - by).abs() < 3_600_000).collect::<Vec<_>>();
        assert_eq!(near, [true; 3]);
    }

    #[tokio::test]
    async fn names_are_checked_as_if_the_clock_had_not_jumped() {
        for (latest, becomes) in [
            (
                r#"{"dns":{"history":{"mixed_since":"2026-01-01T00:00:00Z"}}}"#,
                r#"{"dns":{"history":{}}}"#,
            ),
            ("damaged", "damaged"),
        ] {
            let Place { _folder, state, ledger, mut clock } = place().await;
            state.follow_clock(Loop::Checks, &mut clock).await.unwrap();
            let now = clock.now();
            state.sync_schedule(ledger, Duration::from_secs(300), now).await.unwrap();
            sqlx::query(
                "UPDATE domain_status SET checked_at = 1, due_at = 1, dns_since = 1, ssl_since = 1,
                     since = 1, alerted_at = 1, lacks_certificate_since = 1, latest = ?",
            )
            .bind(latest)
            .execute(&state.pool)
            .await
            .unwrap();
            clock.set_clock(DAYS * 3_000);
            assert!(state.follow_clock(Loop::Checks, &mut clock).await.unwrap());
            let by = clock.now().duration_since(now).as_millis();
            for column in [
                "due_at",
                "dns_since",
                "ssl_since",
                "since",
                "alerted_at",
                "lacks_certificate_since",
            ] {
                let all = times(&state, &format!("SELECT {column} FROM domain_status")).await;
                let [at] = all[..] else { panic!("{column}: {all:?}") };
                assert!((i128::from(at) - by).abs() < 3_600_000, "{column}");
            }
            let query = "SELECT latest FROM domain_status";
            let all: Vec<String> = sqlx::query_scalar(query).fetch_all(&state.pool).await.unwrap();
            assert_eq!(all, [becomes]);
            let events = state.events(None, None, 100).await.unwrap();
            let is_reported = events.iter().any(|one| one.event == "daemon.clock_jumped");
            assert!(!is_reported, "the cycles report it");
        }
    }

    #[tokio::test]
    async fn a_request_noted_by_a_clock_that_was_ahead_is_made_again() {
        let Place { _folder, state, ledger, clock } = place().await;
        let (now, wait) = (clock.now(), Duration::from_secs(3_600));
        state.sync_schedule(ledger, wait, now).await.unwrap();
        for statement in [
            "UPDATE managed SET present_since = 1",
            "UPDATE domain_status SET lacks_certificate_since = 1 WHERE domain = 'failed.example'",
        ] {
            sqlx::query(statement).execute(&state.pool).await.unwrap();
        }
        let name = "failed.example".parse().unwrap();
        for (asked_at, is_put_off) in [(now, true), (now + DAYS * 3_000, false)] {
            let asked = Asked { name: &name, answer: "", absent: &["/ssl"], absent_lasts: wait };
            state
                .certificate_requested(ledger, asked, &EventBatch::default(), asked_at)
                .await
                .unwrap();
            let missing = state.missing_certificates(ledger, wait, wait, 9, now).await.unwrap();
            assert_eq!(missing.is_empty(), is_put_off);
            assert_eq!(state.absent_calls(wait, now).await.unwrap().is_empty(), !is_put_off);
        }
    }
}
