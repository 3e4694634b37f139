use super::{DatabaseUrl, InvalidDatabaseUrl};

/// The parts of the database's address, as the official WordPress image takes them.
pub(super) const DATABASE_PARTS: [&str; 4] =
    ["WORDPRESS_DB_HOST", "WORDPRESS_DB_USER", "WORDPRESS_DB_PASSWORD", "WORDPRESS_DB_NAME"];

/// The address of the database, as WordPress has it.
pub(super) struct DatabaseParts {
    /// In any form of `DB_HOST`.
    pub(super) host: String,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) name: String,
}

impl DatabaseParts {
    /// Those of [`DATABASE_PARTS`] that are set override those of a `wp-config.php`. Without one, user
    /// and name are required, and the host defaults to that of the official image.
    pub(super) fn of_environment(
        [host, user, password, name]: [Option<String>; 4],
        wp_config: Option<Self>,
    ) -> Result<Self, String> {
        match (user, name, wp_config) {
            (Some(user), Some(name), _) => Ok(Self {
                host: host.unwrap_or_else(|| "mysql".to_owned()),
                user,
                password: password.unwrap_or_default(),
                name,
            }),
            (user, name, Some(base)) => Ok(Self {
                host: host.unwrap_or(base.host),
                user: user.unwrap_or(base.user),
                password: password.unwrap_or(base.password),
                name: name.unwrap_or(base.name),
            }),
            (user, name, None) => {
                let parts = DATABASE_PARTS.into_iter().zip([host, user, password, name]);
                let set = parts.filter_map(|(variable, value)| value.map(|_| variable));
                let set: Vec<_> = set.collect();
                let required = ["WORDPRESS_DB_USER", "WORDPRESS_DB_NAME"].into_iter();
                let unset: Vec<_> = required.filter(|variable| !set.contains(variable)).collect();
                let (set, unset) = (set.join(", "), unset.join(", "));
                Err(format!("only {set} of the database's address is set: set {unset} as well"))
            }
        }
    }

    pub(super) fn url(&self) -> Result<DatabaseUrl, InvalidDatabaseUrl> {
        DatabaseUrl::from_parts(&self.host, &self.user, &self.password, &self.name)
    }
}
