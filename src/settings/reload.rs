use super::{Settings, layers::FOUND};

impl Settings {
    /// The names of the settings that are not as they were.
    pub fn changes_since(&self, before: &Self) -> Vec<String> {
        let is_other = |key: &str| match key {
            "closte.api_key" => self.closte.api_key != before.closte.api_key,
            "http.token" => self.http.token != before.http.token,
            "wordpress.database_url" => self.wordpress.database != before.wordpress.database,
            _ => false,
        };
        let pairs = self.entries.iter().zip(&before.entries);
        pairs
            .filter(|(new, old)| new.value != old.value || is_other(&new.key))
            .map(|(new, _)| new.key.clone())
            .collect()
    }

    /// Why they say less than before by mistake: a file is gone or only half written, perhaps because an
    /// editor is between two versions of it. No default is as safe as what was set, and which network
    /// is meant would be left to the defaults, or to another file.
    pub fn lost_since(&self, before: &Self) -> Option<String> {
        if let (Some(gone), None) = (&before.config_file, &self.config_file) {
            let gone = gone.display();
            return Some(format!(
                "{gone} is gone: restart the daemon if it is not needed any more"
            ));
        }
        let file = before.wp_config.as_ref()?;
        let path = file.path.display();
        let is_from = |key: &str, source: &str| {
            self.entries.iter().any(|one| one.key == key && one.source == source)
        };
        if let Some(other) = self.wp_config.as_ref().filter(|other| other.path != file.path)
            && is_from("wordpress.config_file", FOUND)
        {
            let other = other.path.display();
            return Some(format!(
                "{path} is gone, and {other} was found instead: if that is meant, restart the daemon"
            ));
        }
        let network = file.network_settings().find(|key| is_from(key, "default"));
        let key = network.or_else(|| file.lost_of_connection(self.wp_config.as_ref()))?;
        Some(format!(
            "{key} was set by {path}, and is no longer: is that file whole? If it is, restart the daemon"
        ))
    }
}
