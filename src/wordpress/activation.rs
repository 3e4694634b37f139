use super::{Source, database::Connection, error::WhyMissing, location::quoted, plugin};

impl Source {
    /// Whether the plugin is among this network's active plugins; none if that is not known.
    pub async fn plugin_is_active(&self, network: i64) -> Option<bool> {
        let of_network = format!("AND site_id = {network}");
        let read = self.on(async |connection| Ok(self.is_active(connection, &of_network).await));
        read.await.ok()?.ok()?
    }

    /// How far the set-up of the network and the plugin has come without this table.
    pub(super) async fn why_missing(&self, connection: &mut Connection, table: &str) -> WhyMissing {
        if [self.prefix.table("site"), self.prefix.table("blogs")].contains(&table.to_owned()) {
            let options = quoted(&self.prefix.table("options"));
            let sql = format!("SELECT 0, 0, NULL, NULL, NULL FROM {options} LIMIT 1");
            let is_wordpress = connection.each(&sql, |_| {}).await.is_ok();
            return if is_wordpress { WhyMissing::NoNetwork } else { WhyMissing::Unknown };
        }
        match self.is_active(connection, "").await {
            Ok(Some(true)) => WhyMissing::NotSetUp,
            Ok(_) => WhyMissing::PluginInactive,
            Err(()) => WhyMissing::Unknown,
        }
    }

    /// None where no plugin was ever active.
    async fn is_active(&self, connection: &mut Connection, more: &str) -> Result<Option<bool>, ()> {
        let table = quoted(&self.prefix.table("sitemeta"));
        let sql = format!(
            "SELECT 0, 0, meta_value, NULL, NULL FROM {table}
             WHERE meta_key = 'active_sitewide_plugins' {more}"
        );
        let mut is_active = None;
        let read = connection.each(&sql, |row| {
            is_active = Some(is_active == Some(true) || plugin::is_among(row.domain));
        });
        read.await.map_err(drop)?;
        Ok(is_active)
    }
}
