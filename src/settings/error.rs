use thiserror::Error;

/// Why there are no settings to work with.
#[derive(Debug, Error)]
#[error("{}", lines(.problems))]
pub struct SettingsError {
    /// All that is wrong, a sentence each.
    pub problems: Vec<String>,
}

fn lines(problems: &[String]) -> String {
    match problems {
        [one] => one.clone(),
        many => format!("the settings are wrong:\n  {}", many.join("\n  ")),
    }
}

impl SettingsError {
    pub(super) fn one(problem: impl Into<String>) -> Self {
        Self { problems: vec![problem.into()] }
    }

    /// What is wrong by both, once.
    pub fn and(mut self, other: Self) -> Self {
        let new = |problem: &String| !self.problems.contains(problem);
        let more: Vec<String> = other.problems.into_iter().filter(new).collect();
        self.problems.extend(more);
        self
    }
}

/// What to do about it differs where systemd runs the program.
pub(super) fn database_is_not_set(is_systemd_service: bool) -> String {
    let remedy = match is_systemd_service {
        true => {
            "tell the service where the network's wp-config.php is, by `systemctl edit` and \
             LoadCredential=wp-config.php:/its/path below [Service]"
        }
        false => {
            "name the network's wp-config.php with --wp-config, or set \
             CLOSTE_SYNC__WORDPRESS__DATABASE_URL, or WORDPRESS_DB_HOST, WORDPRESS_DB_USER, \
             WORDPRESS_DB_PASSWORD and WORDPRESS_DB_NAME"
        }
    };
    format!("wordpress.database_url is not set: {remedy}")
}

/// The same for the key.
pub(super) fn key_is_not_set(is_systemd_service: bool) -> String {
    let remedy = match is_systemd_service {
        true => {
            "where no wp-config.php defines CLOSTE_CLIENT_API_KEY, write the key into \
             /etc/closte-sync/closte_client_api_key (of closte-sync@NAME: NAME.closte_client_api_key)"
        }
        false => {
            "name the network's wp-config.php, which defines CLOSTE_CLIENT_API_KEY, with --wp-config, \
             or set CLOSTE_CLIENT_API_KEY (or CLOSTE_CLIENT_API_KEY_FILE) to the same key"
        }
    };
    format!("closte.api_key is not set: {remedy}")
}
