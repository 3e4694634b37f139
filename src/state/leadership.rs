//! What this state has seen of who leads.

use jiff::Timestamp;

use super::{State, StateError, columns::At};
use crate::events::EventBatch;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadershipNote {
    /// The second lock of the session that leads for this state, if one does.
    pub proof: Option<String>,
    /// Since when nobody else has led, as far as this state has seen.
    pub since: Timestamp,
    /// Whether another state leads, or may have led since the last note.
    pub other_leads: bool,
    /// Who that is, for people.
    pub leader: Option<String>,
}

impl LeadershipNote {
    /// Who leads instead of this state.
    pub fn other_leader(&self) -> Option<&str> {
        self.leader.as_deref().filter(|_| self.other_leads)
    }
}

impl State {
    pub async fn leadership(&self, lock: &str) -> Result<Option<LeadershipNote>, StateError> {
        let note = sqlx::query!(
            r#"SELECT proof, since AS "since: At", other_leads AS "other_leads: bool", leader
               FROM leadership WHERE lock_name = ?"#,
            lock,
        )
        .map(|row| LeadershipNote {
            proof: row.proof,
            since: row.since.0,
            other_leads: row.other_leads,
            leader: row.leader,
        });
        Ok(note.fetch_optional(&self.pool).await?)
    }

    /// That of the network and account that were served last.
    pub async fn last_leadership(&self) -> Result<Option<LeadershipNote>, StateError> {
        let lock = sqlx::query_scalar!(
            "SELECT lock_name FROM leadership ORDER BY noted_at DESC, lock_name LIMIT 1"
        );
        match lock.fetch_optional(&self.pool).await? {
            Some(lock) => self.leadership(&lock).await,
            None => Ok(None),
        }
    }

    /// A session leads for this state from now on. After an end that was not orderly, another one may have led
    /// in between.
    pub async fn note_leading(
        &self,
        lock: &str,
        proof: &str,
        batch: &EventBatch,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mut recording = self.recording(batch, now).await?;
        sqlx::query!(
            "INSERT INTO leadership (lock_name, proof, since, other_leads, leader, noted_at)
             VALUES (?1, ?2, ?3, 0, NULL, ?3)
             ON CONFLICT (lock_name) DO UPDATE SET
                 since = iif(other_leads = 0 AND proof IS NULL, since, ?3),
                 proof = ?2, other_leads = 0, leader = NULL, noted_at = ?3",
            lock,
            proof,
            At(now),
        )
        .execute(recording.connection())
        .await?;
        Ok(recording.commit().await?)
    }

    /// Another state leads, or may lead: `leader` says who, if it is known.
    pub async fn note_other_leads(
        &self,
        lock: &str,
        leader: Option<&str>,
        batch: &EventBatch,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mut recording = self.recording(batch, now).await?;
        sqlx::query!(
            "INSERT INTO leadership (lock_name, proof, since, other_leads, leader, noted_at)
             VALUES (?1, NULL, ?2, 1, ?3, ?2)
             ON CONFLICT (lock_name) DO UPDATE SET
                 proof = NULL, other_leads = 1, leader = ?3, noted_at = ?2",
            lock,
            At(now),
            leader,
        )
        .execute(recording.connection())
        .await?;
        Ok(recording.commit().await?)
    }

    /// The session with this proof has given up its leadership in an orderly way.
    pub async fn note_resigned(&self, lock: &str, proof: &str) -> Result<(), StateError> {
        sqlx::query!(
            "UPDATE leadership SET proof = NULL WHERE lock_name = ? AND proof = ?",
            lock,
            proof,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_leader_counts_from_when_another_may_have_led() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(&folder.path().join("state.db")).await.unwrap();
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let nothing = EventBatch::default();
        let leads = async |proof, second| {
            state.note_leading("lock", proof, &nothing, at(second)).await.unwrap();
            state.leadership("lock").await.unwrap().unwrap().since
        };
        assert_eq!(state.last_leadership().await.unwrap(), None);
        assert_eq!(leads("one", 10).await, at(10));
        state.note_resigned("lock", "another").await.unwrap();
        let note = state.last_leadership().await.unwrap().unwrap();
        assert_eq!(note.proof.as_deref(), Some("one"));

        state.note_resigned("lock", "one").await.unwrap();
        assert_eq!(leads("two", 20).await, at(10), "nobody led in between");
        assert_eq!(leads("three", 30).await, at(30), "the session before was killed");
        state.note_other_leads("lock", Some("connection 7"), &nothing, at(40)).await.unwrap();
        let note = state.last_leadership().await.unwrap().unwrap();
        assert_eq!((note.proof, note.other_leads), (None, true));
        assert_eq!(note.leader.as_deref(), Some("connection 7"));
        assert_eq!(leads("four", 50).await, at(50));
        state.note_other_leads("lock", None, &nothing, at(60)).await.unwrap();
        assert_eq!(leads("five", 70).await, at(70), "the session before was cut off");
    }
}
