//! Who leads, asked once by somebody who does not take part.

use super::SHORTEST_IDLE;
use crate::wordpress::{LockError, LockName, Source};

/// Who leads, as the database says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhoLeads {
    Nobody,
    /// A process with this state.
    ThisState,
    /// Who that is.
    Other(String),
}

impl WhoLeads {
    /// `proof` is that of [`crate::state::LeadershipNote`].
    pub async fn ask(
        source: &Source,
        lock: &LockName,
        proof: Option<LockName>,
    ) -> Result<Self, LockError> {
        let mut session = source.open_lock_session(SHORTEST_IDLE).await?;
        // A server may tell who has a lock, and give none.
        let trial = LockName::random();
        session.try_lock(&trial).await?;
        session.release(&trial).await?;
        let found = match (session.holder(lock).await?, proof) {
            (None, _) => Self::Nobody,
            (Some(holder), Some(proof)) if session.holder(&proof).await? == Some(holder) => {
                Self::ThisState
            }
            (Some(holder), _) => Self::Other(session.describe(holder).await),
        };
        session.close().await;
        Ok(found)
    }
}
