use jiff::Timestamp;

use super::Sync;
use crate::{
    event::Event,
    state::StateError,
    wordpress::{Network, Site},
};

impl Sync {
    /// Writes the domain records that sites lack. Their names are wanted whether it works or not,
    /// so a failure is told once and stops nothing.
    pub(super) async fn create_records(
        &mut self,
        network: &Network,
        now: Timestamp,
    ) -> Result<usize, StateError> {
        let sites = self.rules.records_to_create(network);
        if sites.is_empty() {
            return Ok(0);
        }
        let events = match self.source.create_records(&sites).await {
            Ok(_) => {
                self.told_of_records = false;
                let event = |site: &Site| Event::RecordCreated {
                    domain: site.domain.clone(),
                    blog_id: site.blog_id,
                };
                sites.iter().map(event).collect()
            }
            Err(_) if self.told_of_records => return Ok(0),
            Err(error) => {
                self.told_of_records = true;
                let sites = sites.len() as u64;
                self.tell(vec![Event::RecordsNotCreated { sites, error: error.to_string() }], now)
                    .await?;
                return Ok(0);
            }
        };
        self.tell(events, now).await?;
        Ok(sites.len())
    }
}
