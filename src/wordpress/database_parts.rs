use super::{DatabaseUrl, InvalidDatabaseUrl};

/// The parts of the database's address, as the official WordPress image takes them.
pub(super) const DATABASE_PARTS: [&str; 4] =
    ["WORDPRESS_DB_HOST", "WORDPRESS_DB_USER", "WORDPRESS_DB_PASSWORD", "WORDPRESS_DB_NAME"];

/// The address of the database, as WordPress has it.
pub(super) struct DatabaseParts {
    /// All forms of `DB_HOST`.
    pub(super) host: String,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) name: String,
}

impl DatabaseParts {
    /// Those of [`DATABASE_PARTS`] that are set, over those of a `wp-config.php`. Without one, user
    /// and name are needed; the host is then that of the official image.
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
                let parts = DATABASE_PARTS.iter().zip([host, user, password, name]);
                let (set, unset): (Vec<_>, Vec<_>) = parts.partition(|(_, value)| value.is_some());
                let list = |parts: Vec<(&&str, _)>| {
                    parts.iter().map(|(name, _)| **name).collect::<Vec<_>>().join(", ")
                };
                let unset = unset
                    .into_iter()
                    .filter(|(name, _)| ["WORDPRESS_DB_USER", "WORDPRESS_DB_NAME"].contains(*name));
                let (set, unset) = (list(set), list(unset.collect()));
                Err(format!("only {set} of the database's address is set: set {unset} as well"))
            }
        }
    }

    pub(super) fn url(&self) -> Result<DatabaseUrl, InvalidDatabaseUrl> {
        DatabaseUrl::from_parts(&self.host, &self.user, &self.password, &self.name)
    }
}
