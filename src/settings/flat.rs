//! Values under dotted keys, such as `sync.interval`.

use std::{collections::BTreeMap, fmt};

use config::{ConfigError, Map, Source, Value, ValueKind};

/// A layer for the `config` crate. `Debug` does not print its values.
#[derive(Clone)]
pub(super) struct Flat(pub(super) Map<String, Value>);

impl fmt::Debug for Flat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Source for Flat {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

pub(super) fn flatten(root: Value) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    let mut tables = vec![(String::new(), root)];
    while let Some((prefix, value)) = tables.pop() {
        let key =
            |name: &str| if prefix.is_empty() { name.into() } else { format!("{prefix}.{name}") };
        match value.kind {
            ValueKind::Table(table) => {
                tables.extend(table.into_iter().map(|(name, value)| (key(&name), value)));
            }
            _ => {
                flat.insert(prefix, value);
            }
        }
    }
    flat
}
