use std::collections::HashMap;

/// A value of PHP, as far as a configuration needs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Bool(bool),
    Null,
}

/// A value, or why it cannot be known.
pub(super) type Outcome = Result<Value, String>;

impl Value {
    /// As PHP converts it to a string.
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
            Self::Bool(true) => "1".to_owned(),
            Self::Bool(false) | Self::Null => String::new(),
        }
    }

    /// As PHP converts it to a boolean.
    pub(super) fn is_truthy(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty() && text != "0",
            Self::Number(number) => *number != 0,
            Self::Bool(flag) => *flag,
            Self::Null => false,
        }
    }

    /// As the value of a setting.
    pub(super) fn into_setting(self) -> SettingOutcome {
        match self {
            Self::Text(text) => Ok(text),
            Self::Number(number) => Ok(number.to_string()),
            Self::Bool(_) | Self::Null => {
                Err("it is empty: an environment variable that is not set here, perhaps".to_owned())
            }
        }
    }
}

/// A setting's text, or why there is none.
pub(super) type SettingOutcome = Result<String, String>;

/// The name of a constant or a variable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Name(String);

impl Name {
    pub(super) fn constant(name: &str) -> Self {
        Self(name.trim_start_matches('\\').to_owned())
    }

    pub(super) fn variable(name: &str) -> Self {
        Self(format!("${name}"))
    }
}

/// The constants and variables that there are at a point of the file, and the lines that set them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scope(HashMap<Name, (Outcome, usize)>);

impl Scope {
    pub(super) fn get(&self, name: &Name) -> Option<(&Outcome, usize)> {
        self.0.get(name).map(|(value, line)| (value, *line))
    }

    /// Sets a variable, or defines a constant: of those, the first definition holds.
    pub(super) fn set(&mut self, name: Name, value: Outcome, line: usize) {
        let is_constant = !name.0.starts_with('$');
        if !(is_constant && self.0.contains_key(&name)) {
            self.0.insert(name, (value, line));
        }
    }

    /// Notes that the name may have been set to something that cannot be known.
    pub(super) fn forget(&mut self, name: Name, why: &str, line: usize) {
        self.0.insert(name, (Err(why.to_owned()), line));
    }

    /// What holds after one of these branches was taken, and it is not known which.
    pub(super) fn join(branches: Vec<Self>) -> Self {
        let names: HashMap<Name, usize> = branches
            .iter()
            .flat_map(|branch| branch.0.iter().map(|(name, (_, line))| (name.clone(), *line)))
            .collect();
        let mut joined = Self::default();
        for (name, line) in names {
            let mut values =
                branches.iter().map(|branch| branch.get(&name).map(|(value, _)| value));
            let first = values.next().flatten();
            match first {
                Some(value) if values.all(|other| other == Some(value)) => {
                    joined.set(name, value.clone(), line);
                }
                _ => joined.forget(name, OTHERWISE, line),
            }
        }
        joined
    }

    /// Whether a constant is defined; none where that depends on a branch.
    pub(super) fn is_defined(&self, name: &str) -> Option<bool> {
        match self.get(&Name::constant(name)) {
            Some((Err(why), _)) if why == OTHERWISE => None,
            found => Some(found.is_some()),
        }
    }
}

/// Why a value that branches set differently is not known.
pub(super) const OTHERWISE: &str = "the branches of an if set it differently";
