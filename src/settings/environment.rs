use std::{collections::BTreeMap, fs, io, path::Path};

use config::{Map, Value};

use super::{
    catalog::{Catalog, WELL_KNOWN},
    notes::Notes,
    paths::{MOUNTED_SECRETS, cannot_read, is_missing},
};

const PREFIX: &str = "CLOSTE_SYNC__";
/// A common misspelling of [`PREFIX`].
const NEAR_PREFIX: &str = "CLOSTE_SYNC_";

/// Has no `Debug`, so that its values are not printed.
#[derive(Clone)]
pub(super) struct Environment(pub(super) BTreeMap<String, String>);

impl Environment {
    pub(super) fn values(&self, catalog: &Catalog, notes: &mut Notes) -> Map<String, Value> {
        let mut values = Map::new();
        for (variable, key) in WELL_KNOWN {
            if let Some(text) = self.variable(variable, notes) {
                values.insert(key.to_owned(), value(variable, text));
            }
        }
        for variable in self.0.keys() {
            let Some(name) = variable.strip_prefix(PREFIX) else { continue };
            let name = match name.strip_suffix("_FILE") {
                // A setting whose own name ends in `_file`.
                Some(_) if catalog.has(&key_of(name)) => name,
                Some(stem) if !self.0.contains_key(&format!("{PREFIX}{stem}")) => stem,
                Some(_) => continue,
                None => name,
            };
            let variable = format!("{PREFIX}{name}");
            if let Some(text) = self.variable(&variable, notes) {
                values.insert(key_of(name), value(&variable, text));
            }
        }
        values
    }

    /// A variable's value: its own, or the content of the file that `NAME_FILE` names. An empty one
    /// counts as not set.
    pub(super) fn variable(&self, name: &str, notes: &mut Notes) -> Option<String> {
        let get = |name: &str| self.0.get(name).filter(|text| !text.is_empty());
        let twin = format!("{name}_FILE");
        match (get(name), get(&twin)) {
            (Some(_), Some(_)) => {
                notes.problems.push(format!("{name} and {twin} are both set; unset one"));
                None
            }
            (Some(text), None) if text.contains(char::REPLACEMENT_CHARACTER) => {
                notes.problems.push(format!("environment {name}: it is not UTF-8"));
                None
            }
            (Some(text), None) => Some(text.clone()),
            (None, Some(path)) => from_file(&twin, Path::new(path), notes),
            (None, None) => None,
        }
    }

    /// Variables that have one underscore instead of two. Other unknown ones are ignored: a cluster sets
    /// `CLOSTE_SYNC_SERVICE_HOST`, for example.
    pub(super) fn misspelt_variables(&self, catalog: &Catalog) -> Vec<String> {
        let right_names: BTreeMap<String, String> = catalog
            .keys()
            .map(|key| (key.replace('.', "_"), key.replace('.', "__").to_uppercase()))
            .collect();
        let near = self.0.keys().filter(|variable| !variable.starts_with(PREFIX));
        near.filter_map(|variable| {
            let name = variable.strip_prefix(NEAR_PREFIX)?.to_lowercase().replace("__", "_");
            let (right_name, end) = match right_names.get(&name) {
                Some(right_name) => (right_name, ""),
                None => (right_names.get(name.strip_suffix("_file")?)?, "_FILE"),
            };
            Some(format!("environment {variable}: its name must be {PREFIX}{right_name}{end}"))
        })
        .collect()
    }
}

/// The content of the file that a variable names.
fn from_file(variable: &str, path: &Path, notes: &mut Notes) -> Option<String> {
    let error = match fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => {
            let shown = path.display();
            notes.problems.push(format!("{variable}: {shown} is empty; write the value into it"));
            return None;
        }
        Ok(text) => {
            notes.secret_files.push(path.to_owned());
            return Some(text.trim_end_matches(['\r', '\n']).to_owned());
        }
        Err(error) => error,
    };
    let why = if is_surely_path(path, &error) {
        cannot_read(path, &error)
    } else {
        format!(
            "cannot read the file that it names ({error}); set it to a path, not to the value itself"
        )
    };
    let problem = format!("{variable}: {why}");
    if path.is_absolute() && is_missing(&error) {
        notes.missing_file(problem);
    } else {
        notes.problems.push(problem);
    }
    None
}

/// Whether a text that names no readable file is a path, and not the secret itself by mistake: whether the
/// system has found a part of it.
fn is_surely_path(path: &Path, error: &io::Error) -> bool {
    let is_in_folder =
        || path.parent().is_some_and(|folder| folder.parent().is_some() && folder.is_dir());
    path.is_absolute()
        && match error.kind() {
            io::ErrorKind::NotFound => path.starts_with(MOUNTED_SECRETS) || is_in_folder(),
            io::ErrorKind::PermissionDenied
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::InvalidData => true,
            _ => false,
        }
}

/// The key of a variable's name without [`PREFIX`].
fn key_of(name: &str) -> String {
    name.to_lowercase().replace("__", ".")
}

fn value(variable: &str, text: String) -> Value {
    Value::new(Some(&format!("environment {variable}")), text)
}
