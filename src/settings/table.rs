use std::fs;

use config::{Map, Value, ValueKind};

/// One table of a list of tables, such as `[[notify.targets]]`. Errors do not repeat values.
#[derive(Clone)]
pub struct Table {
    values: Map<String, Value>,
    /// The keys that were asked for.
    known: Vec<&'static str>,
}

impl Table {
    /// The tables of a list, or of a TOML text such as `[{name = "ops"}]`.
    pub(super) fn list_of(value: &Value) -> Result<Vec<Self>, &'static str> {
        const WHY: &str =
            "it must be a list of tables, such as [{name = \"ops\", kind = \"webhook\"}]";
        let parsed;
        let items = match &value.kind {
            ValueKind::Array(items) => items,
            ValueKind::String(text) if text.trim().is_empty() => return Ok(Vec::new()),
            ValueKind::String(text) => {
                parsed = super::catalog::toml_values(&format!("x = {}", text.trim()));
                match parsed.as_ref().ok().and_then(|parsed| parsed.get("x")).map(|x| &x.kind) {
                    Some(ValueKind::Array(items)) => items,
                    _ => return Err(WHY),
                }
            }
            _ => return Err(WHY),
        };
        let table = |item: &Value| match &item.kind {
            ValueKind::Table(values) => Ok(Self { values: values.clone(), known: Vec::new() }),
            _ => Err(WHY),
        };
        items.iter().map(table).collect()
    }

    /// None if it is not set.
    pub fn optional(&mut self, name: &'static str) -> Result<Option<String>, String> {
        self.known.push(name);
        let Some(value) = self.values.get(name) else { return Ok(None) };
        let text = value.clone().into_string();
        let text = text.map_err(|_| format!("{name}: it must be a single value"))?;
        Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    pub fn required(&mut self, name: &'static str) -> Result<String, String> {
        self.optional(name)?.ok_or_else(|| format!("{name} is not set"))
    }

    /// A secret: the value itself, or the content of the file that the second key names.
    pub fn secret(
        &mut self,
        name: &'static str,
        file: &'static str,
    ) -> Result<Option<String>, String> {
        match (self.optional(name)?, self.optional(file)?) {
            (Some(_), Some(_)) => Err(format!("{name} and {file} are both set; unset one")),
            (Some(text), None) => Ok(Some(text)),
            (None, None) => Ok(None),
            (None, Some(path)) => match fs::read_to_string(path) {
                Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
                Err(error) => Err(format!("{file}: cannot read the file that it names ({error})")),
            },
        }
    }

    /// A list, or comma-separated text. None if it is not set.
    pub fn list(&mut self, name: &'static str) -> Result<Option<Vec<String>>, String> {
        self.known.push(name);
        let Some(value) = self.values.get(name) else { return Ok(None) };
        let items: Vec<String> = match &value.kind {
            ValueKind::Array(items) => {
                items.iter().map(|item| item.clone().into_string().unwrap_or_default()).collect()
            }
            _ => self.required(name)?.split(',').map(|item| item.trim().to_owned()).collect(),
        };
        Ok(Some(items.into_iter().filter(|item| !item.is_empty()).collect()))
    }

    /// # Errors
    /// Where it has a key that was not asked for.
    pub fn finish(self) -> Result<(), String> {
        let unknown = self.values.keys().find(|key| !self.known.contains(&key.as_str()));
        let Some(unknown) = unknown else { return Ok(()) };
        let nearest = self.known.iter().min_by_key(|known| strsim::osa_distance(unknown, known));
        let nearest = nearest.map_or_else(String::new, |name| format!("; did you mean {name}?"));
        Err(format!("there is no {}{nearest}", crate::escape::escape_line(unknown)))
    }
}
