//! The key that signs logins and the customers' links.

use super::{State, StateError};

/// In bytes, as long as a digest of SHA-256.
const LENGTH: usize = 32;

impl State {
    /// The key; a new one where there is none yet.
    pub async fn signing_key(&self) -> Result<[u8; LENGTH], StateError> {
        if let Some(key) = self.existing_signing_key().await? {
            return Ok(key);
        }
        // Another process may be first.
        let key: [u8; LENGTH] = rand::random();
        sqlx::query!("INSERT OR IGNORE INTO signing_key (id, key) VALUES (1, ?)", key.as_slice())
            .execute(&self.pool)
            .await?;
        let key = self.existing_signing_key().await?;
        key.ok_or_else(|| StateError::Damaged("the signing key was not stored".to_owned()))
    }

    /// Replaces the key: what it has signed ends.
    pub async fn rotate_signing_key(&self) -> Result<(), StateError> {
        let key: [u8; LENGTH] = rand::random();
        sqlx::query!("INSERT OR REPLACE INTO signing_key (id, key) VALUES (1, ?)", key.as_slice())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn existing_signing_key(&self) -> Result<Option<[u8; LENGTH]>, StateError> {
        let key = sqlx::query_scalar!("SELECT key FROM signing_key WHERE id = 1");
        let Some(key) = key.fetch_optional(&self.pool).await? else { return Ok(None) };
        let length = key.len();
        let key = key.try_into();
        let damaged = |_| StateError::Damaged(format!("a signing key of {length} bytes"));
        key.map(Some).map_err(damaged)
    }
}
