//! The session with the lock.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt as _;

use super::standing::Observation;
use crate::{
    panics,
    wordpress::{LockError, LockName, LockSession, Source},
};

/// The lock, the session that asks for it, and what was known when it was asked last.
#[derive(Debug)]
pub(super) struct Held {
    source: Source,
    /// After which the server ends a session that asks nothing.
    idle_limit: Duration,
    /// Of the network that was read last.
    pub(super) lock: Option<LockName>,
    session: Option<LockSession>,
    /// Which second lock the session with the lock has, while the lock is ours.
    pub(super) proof: Option<LockName>,
    /// Whether this session has the lock itself, not that of another process with the same state.
    pub(super) is_taken: bool,
    /// How often the lock has become ours.
    pub(super) term: u64,
    /// When the database said last that it is ours, in time since the machine booted.
    pub(super) confirmed_at: Option<Duration>,
}

impl Held {
    pub(super) fn new(source: Source, idle_limit: Duration) -> Self {
        Self {
            source,
            idle_limit,
            lock: None,
            session: None,
            proof: None,
            is_taken: false,
            term: 0,
            confirmed_at: None,
        }
    }

    /// Asks whose the lock is, and takes it if it is free and `takes`. `known_proof` is the proof in the state
    /// database.
    pub(super) async fn observe(
        &mut self,
        lock: &LockName,
        known_proof: Option<LockName>,
        takes: bool,
    ) -> Observation {
        let asked = AssertUnwindSafe(self.ask(lock, known_proof, takes)).catch_unwind().await;
        let asked = asked.unwrap_or_else(|panic| Err(LockError::Failed(panics::reason(&*panic))));
        let observation = asked.unwrap_or_else(|error| {
            // What it has locked ends with it.
            self.session = None;
            match error {
                LockError::Unsupported(reason) => Observation::Unsupported(reason),
                LockError::Failed(reason) => Observation::Failed(reason),
            }
        });
        if !matches!(observation, Observation::Taken | Observation::Ours) {
            (self.proof, self.confirmed_at, self.is_taken) = (None, None, false);
        }
        observation
    }

    async fn ask(
        &mut self,
        lock: &LockName,
        known_proof: Option<LockName>,
        takes: bool,
    ) -> Result<Observation, LockError> {
        let session = match &mut self.session {
            Some(session) => session,
            empty => empty.insert(self.source.open_lock_session(self.idle_limit).await?),
        };
        let mut holder = session.holder(lock).await?;
        if holder.is_none() && takes {
            let proof = LockName::random();
            // Servers before MySQL 5.7 have one lock a session: the last one must be the lock itself.
            session.try_lock(&proof).await?;
            if session.try_lock(lock).await? {
                (self.proof, self.is_taken) = (Some(proof), true);
                self.term += 1;
                return Ok(Observation::Taken);
            }
            session.release(&proof).await?;
            holder = session.holder(lock).await?;
        }
        let Some(holder) = holder else {
            return Ok(Observation::Failed("the lock was lost".to_owned()));
        };
        if holder == session.id() {
            return Ok(Observation::Ours);
        }
        if let Some(proof) = known_proof
            && session.holder(&proof).await? == Some(holder)
        {
            if self.proof.as_ref() != Some(&proof) {
                (self.proof, self.is_taken) = (Some(proof), false);
                self.term += 1;
            }
            return Ok(Observation::Ours);
        }
        Ok(Observation::Others(session.describe(holder).await))
    }

    /// Releases what this session has locked, and ends it.
    pub(super) async fn end(&mut self, lock: &LockName) {
        self.confirmed_at = None;
        let Some(mut session) = self.session.take() else { return };
        let locks = self.proof.take().into_iter().chain([lock.clone()]);
        for name in locks {
            // The end of the session releases it as well.
            let _ = session.release(&name).await;
        }
        session.close().await;
    }
}
