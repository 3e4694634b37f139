use super::{State, StateError, ledger::json};
use crate::events::conditions::KeptCondition;

impl State {
    /// The conditions that stood when the last `apply --check` ended; none if that is not known.
    pub async fn kept_conditions(&self) -> Result<Vec<KeptCondition>, StateError> {
        let kept = sqlx::query_scalar!("SELECT conditions FROM kept_conditions WHERE id = 1");
        let kept = kept.fetch_optional(&self.pool).await?;
        Ok(kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    pub async fn keep_conditions(&self, conditions: &[KeptCondition]) -> Result<(), StateError> {
        sqlx::query!(
            "INSERT OR REPLACE INTO kept_conditions (id, conditions) VALUES (1, ?)",
            json(&conditions),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
