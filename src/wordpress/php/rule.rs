//! The rule that decides whether a value is known, and the evaluation of literals and of expressions that
//! read the environment.

use std::collections::BTreeMap;

use tree_sitter::Node;

use super::{
    FLAGS, Setting, TABLE_PREFIX, Unknown,
    code::{CONFIG_EXTRA, Code, Occurrence, What},
    syntax::{
        DEEPEST, arguments, element_of_environment, function_name, literal, parts, source, squeezed,
    },
};

/// The function of the official image, without white space.
const GETENV_DOCKER: &str = concat!(
    "functiongetenv_docker($env,$default){if($fileEnv=getenv($env.'_FILE')){",
    r#"returnrtrim(file_get_contents($fileEnv),"\r\n");}"#,
    "elseif(($val=getenv($env))!==false){return$val;}else{return$default;}}"
);
/// Prefixes of variables that a web server or PHP itself sets for a request.
const OF_REQUEST: &str = "\
    AUTH_ CONTENT_ CONTEXT_ DOCUMENT_ FCGI_ GATEWAY_ HOME HTTP PATH PHP_ QUERY_ REDIRECT_ \
    REMOTE_ REQUEST_ SCRIPT_ SERVER_ SSL_ USER";

pub(super) struct Rule<'a> {
    code: &'a Code<'a>,
    environment: &'a BTreeMap<String, String>,
    /// Replacement characters in the text may stand for other bytes.
    is_lossy: bool,
    /// The official image's `WORDPRESS_CONFIG_EXTRA` may be set.
    has_extra: bool,
}

/// A read of an environment variable. If it is not set, the expression is null or false.
struct Variable {
    value: Option<String>,
    is_null: bool,
}

impl<'a> Rule<'a> {
    pub(super) fn new(
        code: &'a Code<'a>,
        environment: &'a BTreeMap<String, String>,
        is_lossy: bool,
    ) -> Self {
        let may_set = |event: &Occurrence| match &event.what {
            What::Runs(what) => *what != CONFIG_EXTRA,
            What::SetsEnvironment(name) => name.as_deref().is_none_or(|it| it == CONFIG_EXTRA),
            What::SetsAnyVariable => true,
            _ => false,
        };
        let is_set = |name: &str| environment.get(name).is_some_and(|value| is_true(value));
        let has_extra = is_set(CONFIG_EXTRA)
            || is_set(&format!("{CONFIG_EXTRA}_FILE"))
            || !is_image(code)
            || code.events.iter().any(may_set);
        Self { code, environment, is_lossy, has_extra }
    }

    /// The value of a name; none if the file does not mention it.
    pub(super) fn evaluate(&self, name: &'static str) -> Option<Result<Setting, Unknown>> {
        let mut mentions = self.code.mentions.iter().filter(|one| one.name == name);
        let (first, second) = (mentions.next()?, mentions.next());
        let value = match (second, first.value) {
            (Some(second), _) => Err(format!("line {} also sets it, or may", second.line)),
            (None, None) => {
                Err("only running the file would show whether its code is reached".to_owned())
            }
            (None, Some(value)) => self.obstacle(name, value.start_byte()).and_then(|()| {
                if name == FLAGS { self.flags(value, 0) } else { self.value(value, 0) }
            }),
        };
        let line = first.line;
        let setting = value.and_then(|value| match value {
            value if self.is_lossy && value.contains(char::REPLACEMENT_CHARACTER) => not_utf8(),
            value => Ok(Setting { value, line }),
        });
        Some(setting.map_err(|why| Unknown { name, line, why }))
    }

    /// Code that runs and is not followed.
    pub(super) fn not_followed(&self) -> Vec<(usize, &'static str)> {
        let run = |event: &Occurrence| Some((event.line, self.runs(event)?));
        self.code.events.iter().filter_map(run).collect()
    }

    fn runs(&self, event: &Occurrence) -> Option<&'static str> {
        match event.what {
            What::Runs(what) => (what != CONFIG_EXTRA || self.has_extra).then_some(what),
            _ => None,
        }
    }

    /// An error if other code may set the value that is set at `place`. For a constant the first definition
    /// counts, for a variable the last assignment.
    fn obstacle(&self, name: &str, place: usize) -> Result<(), String> {
        let is_variable = name == TABLE_PREFIX;
        let mut has_run = false;
        for event in &self.code.events {
            let is_before = event.at.is_none_or(|at| at < place);
            let is_after = event.at.is_none_or(|at| at > place);
            let may_set = if is_variable { is_after } else { is_before };
            let line = event.line;
            match &event.what {
                What::Error if is_variable || is_before => {
                    return Err(format!("line {line} is not PHP"));
                }
                What::Renames => return Err(format!("line {line} may redefine functions")),
                What::Ends if is_before => {
                    return Err(format!("the file may end or jump in line {line}"));
                }
                What::Calls if is_variable && is_after && has_run => {
                    return Err(format!("the call in line {line} may set it"));
                }
                What::SetsAnyVariable if is_variable && is_after => {
                    return Err(format!("line {line} may set any variable"));
                }
                _ => {}
            }
            if let Some(what) = self.runs(event) {
                if may_set {
                    return Err(format!("{what} in line {line} may set it"));
                }
                has_run = true;
            }
        }
        Ok(())
    }

    fn value(&self, node: Node<'_>, depth: usize) -> Result<String, String> {
        if depth > DEEPEST {
            return Err("it is nested too deeply".to_owned());
        }
        let text = self.code.text;
        if let Some(value) = literal(text, node) {
            return Ok(value);
        }
        if let Some(variable) = self.variable(node)? {
            return variable.value.ok_or_else(not_set);
        }
        let field = |name| node.child_by_field_name(name);
        match (node.kind(), field("condition"), field("alternative")) {
            ("parenthesized_expression", ..) => match parts(node)[..] {
                [inner] => self.value(inner, depth + 1),
                _ => not_followed(),
            },
            ("binary_expression", ..) => {
                let (Some(left), Some(right)) = (field("left"), field("right")) else {
                    return not_followed();
                };
                match field("operator").map(|it| source(text, it)) {
                    Some(".") => Ok(self.value(left, depth + 1)? + &self.value(right, depth + 1)?),
                    Some("??") => match self.variable(left)? {
                        Some(Variable { value: Some(value), .. }) => Ok(value),
                        Some(Variable { is_null: true, .. }) => self.value(right, depth + 1),
                        _ => not_followed(),
                    },
                    _ => not_followed(),
                }
            }
            ("conditional_expression", Some(condition), Some(default)) => {
                let body = field("body");
                let is_asked = body.is_none_or(|body| self.asks_whether_set(condition, body));
                match self.variable(body.unwrap_or(condition))? {
                    None => not_followed(),
                    Some(_) if !is_asked => not_followed(),
                    Some(Variable { value: Some(value), .. })
                        if body.is_some() || is_true(&value) =>
                    {
                        Ok(value)
                    }
                    Some(_) => self.value(default, depth + 1),
                }
            }
            ("function_call_expression", ..) => self.docker_value(node, depth),
            _ => not_followed(),
        }
    }

    /// `isset($_ENV['X'])` and `getenv('X') !== false`.
    fn asks_whether_set(&self, condition: Node<'_>, variable: Node<'_>) -> bool {
        let condition = squeezed(self.code.text, condition);
        let condition =
            condition.strip_prefix('(').and_then(|it| it.strip_suffix(')')).unwrap_or(&condition);
        let variable_text = squeezed(self.code.text, variable);
        match variable.kind() {
            "subscript_expression" => condition == format!("isset({variable_text})"),
            _ => condition == format!("{variable_text}!==false"),
        }
    }

    /// `getenv('X')`, `env('X')`, `$_ENV['X']` and `$_SERVER['X']`; none for other expressions.
    fn variable(&self, node: Node<'_>) -> Result<Option<Variable>, String> {
        let text = self.code.text;
        if let Some(name) = element_of_environment(text, node) {
            let value = self.look_up(&name, node)?;
            if value.is_none() && source(text, node).starts_with("$_SERVER") {
                return Err(of_request());
            }
            return Ok(Some(Variable { value, is_null: true }));
        }
        let function = function_name(text, node).unwrap_or_default();
        let name = match arguments(node).as_deref() {
            Some([name]) => literal(text, *name),
            _ => None,
        };
        let has_own = self.code.functions.contains_key(&function);
        Ok(match (&*function, name) {
            ("getenv", Some(name)) => {
                Some(Variable { value: self.look_up(&name, node)?, is_null: false })
            }
            ("env", Some(name)) if !has_own => {
                Some(Variable { value: self.look_up(&name, node)?, is_null: true })
            }
            _ => None,
        })
    }

    /// `getenv_docker('X', 'd')`.
    fn docker_value(&self, node: Node<'_>, depth: usize) -> Result<String, String> {
        let text = self.code.text;
        let is_docker = function_name(text, node).as_deref() == Some("getenv_docker");
        let arguments = arguments(node).unwrap_or_default();
        let (Some(name), [_, default], true) = (
            arguments.first().and_then(|name| literal(text, *name)),
            &arguments[..],
            is_docker && is_image(self.code),
        ) else {
            return Err("it calls a function, which is not run".to_owned());
        };
        if let Some(path) = self.look_up(&format!("{name}_FILE"), node)?.filter(|it| is_true(it)) {
            if !path.starts_with('/') {
                return Err(format!("{name}_FILE: its value is no absolute path"));
            }
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("{name}_FILE: cannot read that file ({error})"))?;
            return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
        }
        match self.look_up(&name, node)? {
            Some(value) => Ok(value),
            None => self.value(*default, depth + 1),
        }
    }

    /// The value of an environment variable when the code at `place` runs.
    fn look_up(&self, name: &str, place: Node<'_>) -> Result<Option<String>, String> {
        let may_set = |event: &&Occurrence| match &event.what {
            What::Runs(_) => self.runs(event).is_some(),
            What::SetsEnvironment(set) => set.as_deref().is_none_or(|set| set == name),
            What::SetsAnyVariable => true,
            _ => false,
        };
        let is_before = |event: &&Occurrence| event.at.is_none_or(|at| at < place.start_byte());
        if let Some(event) = self.code.events.iter().filter(is_before).find(may_set) {
            return Err(format!("line {} may set that environment variable", event.line));
        }
        if OF_REQUEST.split(' ').any(|prefix| name.starts_with(prefix)) {
            return Err(of_request());
        }
        match self.environment.get(name) {
            Some(value) if value.contains(char::REPLACEMENT_CHARACTER) => not_utf8(),
            value => Ok(value.cloned()),
        }
    }

    /// PHP's constants, joined by `|`.
    fn flags(&self, node: Node<'_>, depth: usize) -> Result<String, String> {
        let field = |name| node.child_by_field_name(name);
        let name = source(self.code.text, node).trim_start_matches('\\');
        let is_or = || field("operator").is_some_and(|it| source(self.code.text, it) == "|");
        match (node.kind(), field("left"), field("right")) {
            // `use const` may redefine it.
            ("name" | "qualified_name", ..)
                if name.starts_with("MYSQLI_CLIENT_")
                    && !self.code.functions.contains_key(&name.to_ascii_lowercase()) =>
            {
                Ok(name.to_owned())
            }
            ("integer", ..) if name == "0" => Ok(String::new()),
            ("binary_expression", Some(left), Some(right)) if is_or() && depth < DEEPEST => {
                Ok(self.flags(left, depth + 1)? + "|" + &self.flags(right, depth + 1)?)
            }
            _ => Err("it is more than PHP's MYSQLI_CLIENT_ constants joined by |".to_owned()),
        }
    }
}

/// Whether `getenv_docker` is the official image's.
fn is_image(code: &Code<'_>) -> bool {
    code.functions.get("getenv_docker").is_none_or(|text| text == GETENV_DOCKER)
}

/// As PHP converts a text to a boolean.
fn is_true(value: &str) -> bool {
    !matches!(value, "" | "0")
}

fn of_request() -> String {
    "it depends on the request".to_owned()
}

fn not_set() -> String {
    "it depends on an environment variable that is not set here".to_owned()
}

fn not_followed<T>() -> Result<T, String> {
    Err("it is more than a literal or a value of the environment".to_owned())
}

fn not_utf8<T>() -> Result<T, String> {
    Err("it has bytes that are not UTF-8".to_owned())
}
