use super::SourceError;

/// Which network of an installation to use.
#[derive(Debug, Clone, Default)]
pub(super) struct NetworkChoice {
    /// `wordpress.network_id`
    pub(super) id: Option<i64>,
    /// `wordpress.primary_network_id`
    pub(super) primary: Option<i64>,
    /// Why these are uncertain. It does not matter if there is only one network.
    pub(super) doubts: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) id: i64,
    /// The primary network's tables of the plugin have no number in their names.
    pub(super) is_primary: bool,
}

impl NetworkChoice {
    /// Chooses among the networks of the `site` table, ordered by id. The primary one is that of
    /// WordPress's `get_main_network_id`.
    pub(super) fn among(&self, networks: &[i64], table: &str) -> Result<Chosen, SourceError> {
        let table = table.to_owned();
        let Some(lowest) = networks.first() else {
            return Err(SourceError::NoNetwork { table });
        };
        let known = networks.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
        if networks.len() > 1 && !self.doubts.is_empty() {
            let doubts = self.doubts.join("; ");
            return Err(SourceError::NetworkInDoubt { table, known, doubts });
        }
        let chosen = self.with_lowest(*lowest);
        if networks.contains(&chosen.id) {
            Ok(chosen)
        } else {
            Err(SourceError::UnknownNetwork { id: chosen.id, table, known })
        }
    }

    /// Chooses without knowing the networks, assuming that this is the lowest id.
    pub(super) fn with_lowest(&self, lowest: i64) -> Chosen {
        let primary = self.primary.unwrap_or(lowest);
        let id = self.id.unwrap_or(primary);
        Chosen { id, is_primary: id == primary }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_primary_network_is_the_lowest_unless_another_is_configured() {
        let among = |id, primary, networks: &[i64]| {
            let choice = NetworkChoice { id, primary, doubts: Vec::new() };
            choice.among(networks, "wp_site").map(|it| (it.id, it.is_primary)).ok()
        };
        assert_eq!(among(None, None, &[2, 3]), Some((2, true)));
        assert_eq!(among(Some(3), None, &[2, 3]), Some((3, false)));
        assert_eq!(among(None, Some(3), &[2, 3]), Some((3, true)));
        assert_eq!(among(Some(2), Some(3), &[2, 3]), Some((2, false)));
        assert_eq!(among(Some(4), None, &[2, 3]), None);
        assert_eq!(among(None, Some(4), &[2, 3]), None);
        assert_eq!(among(None, None, &[]), None);
    }

    #[test]
    fn doubts_matter_only_if_there_are_several_networks() {
        let choice = NetworkChoice { doubts: vec!["unknown".to_owned()], ..Default::default() };
        assert!(choice.among(&[1], "wp_site").is_ok());
        let error = choice.among(&[1, 2], "wp_site").unwrap_err().to_string();
        assert_eq!(
            error,
            "there are networks 1, 2 in wp_site, and it is not certain which one to use: unknown"
        );
    }
}
