use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};

use super::layers::Layers;

const SYSTEM_STATE: &str = "/var/lib/closte-sync";
/// Where a container's secrets are.
pub(super) const MOUNTED_SECRETS: &str = "/run/secrets";

/// An optional file.
pub(super) enum OptionalFile {
    Text(PathBuf, String),
    Nothing,
    /// A file for a secret that is empty.
    Empty(PathBuf),
    Unreadable(PathBuf, io::Error),
}

impl Layers {
    /// `--config`, or the user's or the system's file.
    pub(super) fn config_path(&self) -> Option<PathBuf> {
        let usual = || self.folder().map(|folder| folder.join("config.toml"));
        self.config_file.clone().or_else(usual)
    }

    /// The text of the configuration file. One that `--config` names must exist.
    pub(super) fn config_text(&self) -> OptionalFile {
        match self.config_path() {
            Some(path) if self.config_file.is_none() => find(path),
            Some(path) => match fs::read_to_string(&path) {
                Ok(text) => OptionalFile::Text(path, text),
                Err(error) => OptionalFile::Unreadable(path, error),
            },
            None => OptionalFile::Nothing,
        }
    }

    /// `--config /etc/closte-sync/shops.toml` is the instance `shops` of the unit `closte-sync@shops`.
    fn instance(&self) -> Option<&str> {
        let path = self.config_file.as_deref()?;
        let name = path.file_name()?.to_str()?.strip_suffix(".toml")?;
        (path.parent() == self.system_folder.as_deref() && name != "config").then_some(name)
    }

    fn variable_with_text(&self, name: &str) -> Option<&String> {
        self.environment.get(name).filter(|text| !text.is_empty())
    }

    /// Where systemd puts the credentials.
    pub(super) fn credentials_folder(&self) -> Option<&Path> {
        self.variable_with_text("CREDENTIALS_DIRECTORY").map(Path::new)
    }

    /// A file with a secret: a credential of systemd (`LoadCredential=`, systemd.exec(5)), or outside the
    /// service the file that the unit loads it from.
    pub(super) fn secret(&self, file: &str) -> OptionalFile {
        let of_instance =
            || Some(self.system_folder.as_ref()?.join(format!("{}.{file}", self.instance()?)));
        let beside_config = || {
            let folder = self.folder()?;
            (self.config_path()? == folder.join("config.toml")).then(|| folder.join(file))
        };
        let credential = self.credentials_folder().map(|folder| folder.join(file));
        let Some(path) = credential.or_else(of_instance).or_else(beside_config) else {
            return OptionalFile::Nothing;
        };
        match find(path) {
            OptionalFile::Text(path, text) if text.trim().is_empty() => {
                match self.credentials_folder() {
                    // The unit provides an empty one where the administrator has none.
                    Some(_) => OptionalFile::Nothing,
                    None => OptionalFile::Empty(path),
                }
            }
            found => found,
        }
    }

    /// The `wp-config.php` to use unless one is named.
    pub fn wp_config_found(&self) -> Option<PathBuf> {
        let credential = self.credentials_folder().map(|folder| folder.join("wp-config.php"));
        let of_instance = || {
            Some(self.system_folder.as_ref()?.join(format!("{}.wp-config.php", self.instance()?)))
        };
        // A credential holds only a line break where the machine has no wp-config.php.
        let is_there = |path: &PathBuf| path.metadata().is_ok_and(|found| found.len() > 1);
        let first = credential.or_else(of_instance);
        first.into_iter().chain(self.wp_config_places.iter().cloned()).find(is_there)
    }

    /// The state database unless `state.url` is set.
    pub fn default_state_path(&self) -> PathBuf {
        let variable = |name| self.variable_with_text(name);
        // A unit with several folders has a list here.
        if let Some(folders) = variable("STATE_DIRECTORY") {
            return state_file(Path::new(folders.split(':').next().unwrap_or(folders)));
        }
        if let Some(name) = self.instance() {
            return state_file(Path::new(&format!("{SYSTEM_STATE}-{name}")));
        }
        let of_system = state_file(Path::new(SYSTEM_STATE));
        if is_writable(Path::new(SYSTEM_STATE)) {
            return of_system;
        }
        let user = user_folder(&self.environment, "XDG_STATE_HOME", ".local/state");
        let of_user = state_file(&user.unwrap_or_else(|| PathBuf::from("closte-sync")));
        // A service's state that this user cannot read must be an error, not an empty state elsewhere.
        let has_service_state = Path::new(SYSTEM_STATE).symlink_metadata().is_ok();
        if has_service_state && !of_user.exists() { of_system } else { of_user }
    }
}

/// This program's folder in one of a user's base folders
/// (<https://specifications.freedesktop.org/basedir-spec/latest/>).
pub fn user_folder(
    environment: &BTreeMap<String, String>,
    variable: &str,
    usual: &str,
) -> Option<PathBuf> {
    let absolute = |name| environment.get(name).map(Path::new).filter(|path| path.is_absolute());
    let base = absolute(variable).map(Path::to_owned);
    let base = base.or_else(|| absolute("HOME").map(|home| home.join(usual)))?;
    Some(base.join("closte-sync"))
}

fn find(path: PathBuf) -> OptionalFile {
    match fs::read_to_string(&path) {
        Ok(text) => OptionalFile::Text(path, text),
        Err(error) if is_missing(&error) => OptionalFile::Nothing,
        Err(error) => OptionalFile::Unreadable(path, error),
    }
}

/// Why a file cannot be read, and what to do.
pub fn cannot_read(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let user = user();
            format!(
                "cannot read {path} as the user with the id {user} ({error}); let that user read it, as by \
                 chown {user} or chmod o+r (of a mounted file: on the host)"
            )
        }
        io::ErrorKind::IsADirectory => format!(
            "cannot read {path}, which is a folder: Docker makes one where the file to be mounted is missing"
        ),
        _ => format!("cannot read {path} ({error})"),
    }
}

/// The id of the user that this process runs as.
pub fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn state_file(folder: &Path) -> PathBuf {
    folder.join("closte-sync.db")
}

/// Whether files can be created in the folder, or the folder itself where it does not exist.
fn is_writable(folder: &Path) -> bool {
    let there = if folder.exists() { Some(folder) } else { folder.parent() };
    there.is_some_and(|folder| access(folder, Access::WRITE_OK).is_ok())
}

/// Whether every user of the machine can read the file. `/run/secrets` is exempt: its mode says
/// "everybody", but only one container has it.
pub fn others_may_read(path: &Path) -> bool {
    if path.starts_with(MOUNTED_SECRETS) {
        return false;
    }
    let allows = |path: &Path, right| {
        path.metadata().is_ok_and(|found| found.permissions().mode() & right == right)
    };
    path.canonicalize().is_ok_and(|path| {
        allows(&path, 0o004) && path.ancestors().skip(1).all(|folder| allows(folder, 0o001))
    })
}
