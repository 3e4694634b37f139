use std::collections::HashMap;

/// A value of PHP, as far as a configuration needs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Bool(bool),
    Null,
    /// An environment variable that is not set here. The site's PHP may well have it: only where the
    /// file itself gives a default does that count.
    Absent {
        /// `null` and not `false`: what `??` replaces.
        is_null: bool,
    },
}

/// A value, or why it cannot be known.
pub(super) type Outcome = Result<Value, String>;

impl Value {
    /// As PHP converts it to a string.
    pub(super) fn into_text(self) -> Result<String, String> {
        Ok(match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
            Self::Bool(true) => "1".to_owned(),
            Self::Bool(false) | Self::Null => String::new(),
            Self::Absent { .. } => return Err(absent()),
        })
    }

    /// As PHP converts it to a boolean.
    pub(super) fn is_truthy(&self) -> Result<bool, String> {
        Ok(match self {
            Self::Text(text) => !text.is_empty() && text != "0",
            Self::Number(number) => *number != 0,
            Self::Bool(flag) => *flag,
            Self::Null => false,
            Self::Absent { .. } => return Err(absent()),
        })
    }

    /// Whether it is the same to `===`.
    pub(super) fn is_identical(&self, other: &Self) -> Result<bool, String> {
        match (self, other) {
            (Self::Absent { .. }, _) | (_, Self::Absent { .. }) => Err(absent()),
            _ => Ok(self == other),
        }
    }

    /// Whether two texts are the same to `==`, which compares them as numbers where both are.
    pub(super) fn equals_as_text(&self, other: &Self) -> Result<bool, String> {
        let is_number = |text: &str| text.trim().parse::<f64>().is_ok();
        match (self, other) {
            (Self::Text(one), Self::Text(other)) if !is_number(one) || !is_number(other) => {
                Ok(one == other)
            }
            _ => Err("it compares what may be numbers".to_owned()),
        }
    }

    /// As the value of a setting.
    pub(super) fn into_setting(self) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Number(number) => Ok(number.to_string()),
            Self::Bool(_) | Self::Null => Err("it is empty".to_owned()),
            Self::Absent { .. } => Err(absent()),
        }
    }
}

fn absent() -> String {
    "it depends on an environment variable that is not set here".to_owned()
}

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

    /// Whether it is the environment as a whole.
    pub(super) fn is_environment(&self) -> bool {
        is_environment(&self.0)
    }

    pub(super) fn is_variable(&self) -> bool {
        self.0.starts_with('$')
    }
}

/// Whether the variable of this source holds the environment.
pub(super) fn is_environment(source: &str) -> bool {
    matches!(source, "$_ENV" | "$_SERVER")
}

/// The constants and variables that there are at a point of the file.
#[derive(Debug, Default)]
pub(super) struct Scope {
    entries: HashMap<Name, Entry>,
    /// What each change replaced, oldest first: a branch is taken back by it, without a copy of all.
    replaced: Vec<(Name, Option<Entry>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    value: Outcome,
    line: usize,
    /// Whether it is set at all depends on what only running the file would tell.
    may_be_unset: bool,
}

/// What a branch set.
#[derive(Default)]
pub(super) struct Branch(HashMap<Name, Entry>);

impl Scope {
    pub(super) fn get(&self, name: &Name) -> Option<(&Outcome, usize)> {
        self.entries.get(name).map(|entry| (&entry.value, entry.line))
    }

    /// Sets a variable, or defines a constant: of those, the first definition holds.
    pub(super) fn set(&mut self, name: Name, value: Outcome, line: usize) {
        if name.is_variable() || !self.entries.contains_key(&name) {
            self.put(name, Entry { value, line, may_be_unset: false });
        }
    }

    /// Notes that the name may have been set to something that cannot be known. A constant that is
    /// defined stays what it is.
    pub(super) fn forget(&mut self, name: Name, why: &str, line: usize) {
        let is_fixed =
            !name.is_variable() && self.entries.get(&name).is_some_and(|entry| !entry.may_be_unset);
        if is_fixed {
            return;
        }
        self.put(name, Entry { value: Err(why.to_owned()), line, may_be_unset: true });
    }

    /// The same for every variable.
    pub(super) fn forget_variables(&mut self, why: &str, line: usize) {
        let variables = self.entries.keys().filter(|name| name.is_variable());
        let table_prefix = Name::variable("table_prefix");
        for name in variables.cloned().chain([table_prefix]).collect::<Vec<_>>() {
            self.forget(name, why, line);
        }
    }

    /// All names that there are, each with its line.
    pub(super) fn names(&self) -> impl Iterator<Item = (&Name, usize)> {
        self.entries.iter().map(|(name, entry)| (name, entry.line))
    }

    fn put(&mut self, name: Name, entry: Entry) {
        let replaced = self.entries.insert(name.clone(), entry);
        self.replaced.push((name, replaced));
    }

    /// Where [`Scope::take_back`] is to go back to.
    pub(super) fn mark(&self) -> usize {
        self.replaced.len()
    }

    /// Takes back what was set since the mark.
    pub(super) fn take_back(&mut self, mark: usize) -> Branch {
        let mut branch = HashMap::new();
        for (name, replaced) in self.replaced.drain(mark.min(self.replaced.len())..).rev() {
            let last = match replaced {
                Some(replaced) => self.entries.insert(name.clone(), replaced),
                None => self.entries.remove(&name),
            };
            // The latest change comes first, and is what counts.
            if let Some(last) = last {
                branch.entry(name).or_insert(last);
            }
        }
        Branch(branch)
    }

    /// What holds after one of these branches was taken, and it is not known which.
    pub(super) fn join(&mut self, branches: &[Branch]) {
        let names: HashMap<&Name, usize> = branches
            .iter()
            .flat_map(|branch| branch.0.iter().map(|(name, entry)| (name, entry.line)))
            .collect();
        for (name, line) in names {
            let mut entries =
                branches.iter().map(|branch| branch.0.get(name).or(self.entries.get(name)));
            let first = entries.next().flatten();
            let is_same = |other: Option<&Entry>| {
                other.map(|entry| &entry.value) == first.map(|entry| &entry.value)
            };
            match first {
                Some(entry) if entries.all(is_same) => {
                    let entry = entry.clone();
                    self.put(name.clone(), entry);
                }
                _ => self.forget(name.clone(), "the branches of an if set it differently", line),
            }
        }
    }

    /// Whether a constant is defined; none where that depends on what only running would tell.
    pub(super) fn is_defined(&self, name: &str) -> Option<bool> {
        match self.entries.get(&Name::constant(name)) {
            Some(entry) if entry.may_be_unset => None,
            found => Some(found.is_some()),
        }
    }
}
