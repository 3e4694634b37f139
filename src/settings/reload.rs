use super::provenance::Provenance;

impl Provenance {
    /// The names of the settings that are not as they were. `is_other` says it of secrets, which all
    /// look alike.
    pub fn changes_since(&self, before: &Self, is_other: impl Fn(&str) -> bool) -> Vec<String> {
        let pairs = self.entries.iter().zip(&before.entries);
        pairs
            .filter(|(new, old)| new.value != old.value || is_other(&new.key))
            .map(|(new, _)| new.key.clone())
            .collect()
    }

    /// Why they say less than before by mistake: the file is gone, perhaps because an editor is between
    /// two versions of it. No default is as safe as what was set.
    pub fn lost_since(&self, before: &Self) -> Option<String> {
        let (Some(gone), None) = (&before.config_file, &self.config_file) else { return None };
        let gone = gone.display();
        Some(format!("{gone} is gone: restart the daemon if it is not needed any more"))
    }
}
