use super::provenance::Provenance;

impl Provenance {
    /// The names of the changed settings. `is_other` compares secrets, which are masked here.
    pub fn changes_since(&self, before: &Self, is_other: impl Fn(&str) -> bool) -> Vec<String> {
        let pairs = self.entries.iter().zip(&before.entries);
        pairs
            .filter(|(new, old)| new.value != old.value || is_other(&new.key))
            .map(|(new, _)| new.key.clone())
            .collect()
    }

    /// An error where the configuration file has disappeared, for example while an editor replaces it:
    /// falling back to the defaults would be unsafe.
    pub fn lost_since(&self, before: &Self) -> Option<String> {
        let (Some(gone), None) = (&before.config_file, &self.config_file) else { return None };
        let gone = gone.display();
        Some(format!("{gone} is gone: restart the daemon if you removed it on purpose"))
    }
}
