use tree_sitter::Node;

use super::{
    interpreter::{DEEPEST, Interpreter},
    scope::{Name, Outcome, Scope, Value},
    strings::{double_quoted, single_quoted},
};

impl Interpreter<'_> {
    pub(super) fn evaluate(&mut self, node: Node<'_>, scope: &Scope) -> Outcome {
        if self.depth >= DEEPEST {
            return Err("it is nested too deeply".to_owned());
        }
        self.depth += 1;
        let value = self.evaluate_within(node, scope);
        self.depth -= 1;
        value
    }

    fn evaluate_within(&mut self, node: Node<'_>, scope: &Scope) -> Outcome {
        let source = self.source(node);
        match node.kind() {
            "parenthesized_expression" | "argument" => match node.named_child(0) {
                Some(inner) => self.evaluate(inner, scope),
                None => Err(not_followed()),
            },
            "string" => Ok(Value::Text(single_quoted(between(source, 1)))),
            "encapsed_string" => self.pieces(node, scope),
            "heredoc" | "nowdoc" => match node.child_by_field_name("value") {
                Some(body) => self.pieces(body, scope),
                None => Ok(Value::Text(String::new())),
            },
            "integer" => source.parse().map(Value::Number).map_err(|_| not_followed()),
            "boolean" => Ok(Value::Bool(source.eq_ignore_ascii_case("true"))),
            "null" => Ok(Value::Null),
            "name" | "qualified_name" => self.look_up(&Name::constant(source), scope),
            "variable_name" => self.look_up(&self.variable(node), scope),
            "binary_expression" => self.binary(node, scope),
            "conditional_expression" => self.conditional(node, scope),
            "unary_op_expression" if source.starts_with('!') => {
                let argument = node.child_by_field_name("argument").or(node.named_child(0));
                let argument = argument.ok_or_else(not_followed)?;
                Ok(Value::Bool(!self.evaluate(argument, scope)?.is_truthy()))
            }
            "cast_expression" if source.replace(' ', "").starts_with("(string)") => {
                let value = node.child_by_field_name("value").ok_or_else(not_followed)?;
                Ok(Value::Text(self.evaluate(value, scope)?.into_text()))
            }
            "function_call_expression" => self.function(node, scope),
            "subscript_expression" => self.subscript(node, scope),
            _ => Err(not_followed()),
        }
    }

    /// The name is not shown: it may be a password without quotes, or a part of one after a `$`.
    fn look_up(&self, name: &Name, scope: &Scope) -> Outcome {
        match scope.get(name) {
            Some((value, _)) => value.clone(),
            None => Err("it uses a constant or variable that this file does not set".to_owned()),
        }
    }

    /// The parts of a double-quoted string or a heredoc, joined.
    fn pieces(&mut self, node: Node<'_>, scope: &Scope) -> Outcome {
        let mut text = String::new();
        let mut cursor = node.walk();
        for piece in node.named_children(&mut cursor) {
            let source = self.source(piece);
            match piece.kind() {
                "string_content" | "nowdoc_string" => text.push_str(source),
                "escape_sequence" => match double_quoted(source) {
                    Some(escaped) => text.push_str(&escaped),
                    None => return Err("it has an escape that is no text".to_owned()),
                },
                _ => text.push_str(&self.evaluate(piece, scope)?.into_text()),
            }
        }
        Ok(Value::Text(text))
    }

    fn binary(&mut self, node: Node<'_>, scope: &Scope) -> Outcome {
        let (Some(left), Some(right)) =
            (node.child_by_field_name("left"), node.child_by_field_name("right"))
        else {
            return Err(not_followed());
        };
        let operator = self.operator(node);
        if operator == "??" {
            // What is not set counts as null there.
            return match self.evaluate(left, scope) {
                Ok(Value::Null) => self.evaluate(right, scope),
                other => other,
            };
        }
        let first = self.evaluate(left, scope)?;
        match (operator, first.is_truthy()) {
            ("&&" | "and", false) => return Ok(Value::Bool(false)),
            ("||" | "or", true) => return Ok(Value::Bool(true)),
            _ => {}
        }
        let second = self.evaluate(right, scope)?;
        match operator {
            "." => Ok(Value::Text(first.into_text() + &second.into_text())),
            "&&" | "and" | "||" | "or" => Ok(Value::Bool(second.is_truthy())),
            "===" => Ok(Value::Bool(first == second)),
            "!==" => Ok(Value::Bool(first != second)),
            "==" if both_text(&first, &second) => Ok(Value::Bool(first == second)),
            "!=" | "<>" if both_text(&first, &second) => Ok(Value::Bool(first != second)),
            _ => Err(not_followed()),
        }
    }

    /// `a ? b : c` and `a ?: c`.
    fn conditional(&mut self, node: Node<'_>, scope: &Scope) -> Outcome {
        let condition = node.child_by_field_name("condition");
        let alternative = node.child_by_field_name("alternative");
        let (Some(condition), Some(alternative)) = (condition, alternative) else {
            return Err(not_followed());
        };
        let value = self.evaluate(condition, scope)?;
        match (value.is_truthy(), node.child_by_field_name("body")) {
            (true, Some(body)) => self.evaluate(body, scope),
            (true, None) => Ok(value),
            (false, _) => self.evaluate(alternative, scope),
        }
    }

    fn function(&mut self, node: Node<'_>, scope: &Scope) -> Outcome {
        let (name, arguments) = self.call_parts(node);
        let mut values = Vec::new();
        for argument in &arguments {
            values.push(self.evaluate(*argument, scope));
        }
        let first = match values.first() {
            Some(Ok(Value::Text(text))) => text.as_str(),
            _ => return Err(not_run(&name)),
        };
        match name.as_str() {
            "getenv" => Ok(self.environment_value(first).unwrap_or(Value::Bool(false))),
            // Bedrock's helper, and that of the official WordPress image.
            "env" => Ok(self.environment_value(first).unwrap_or(Value::Null)),
            "getenv_docker" => match self.docker_value(first)? {
                Some(value) => Ok(value),
                None => values.get(1).cloned().unwrap_or(Ok(Value::Null)),
            },
            "defined" => match scope.is_defined(first) {
                Some(is) => Ok(Value::Bool(is)),
                None => Err(format!("whether {first} is defined depends on a branch")),
            },
            _ => Err(not_run(&name)),
        }
    }

    fn docker_value(&self, name: &str) -> Result<Option<Value>, String> {
        match self.environment.get(&format!("{name}_FILE")) {
            Some(path) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(Some(Value::Text(text.trim_end_matches(['\r', '\n']).to_owned()))),
                Err(error) => Err(format!("{name}_FILE: cannot read {path} ({error})")),
            },
            None => Ok(self.environment_value(name)),
        }
    }

    fn environment_value(&self, name: &str) -> Option<Value> {
        self.environment.get(name).cloned().map(Value::Text)
    }

    /// `$_ENV['X']` and `$_SERVER['X']`.
    fn subscript(&mut self, node: Node<'_>, scope: &Scope) -> Outcome {
        let (Some(array), Some(index)) = (node.named_child(0), node.named_child(1)) else {
            return Err(not_followed());
        };
        if !matches!(self.source(array), "$_ENV" | "$_SERVER") {
            return Err(not_followed());
        }
        let name = self.evaluate(index, scope)?.into_text();
        Ok(self.environment_value(&name).unwrap_or(Value::Null))
    }
}

fn both_text(first: &Value, second: &Value) -> bool {
    matches!((first, second), (Value::Text(_), Value::Text(_)))
}

/// Without what stands there: it may hold a password.
fn not_followed() -> String {
    "it is worked out in a way that is not followed".to_owned()
}

fn not_run(function: &str) -> String {
    let shown: String = function.chars().filter(|c| !c.is_control()).take(60).collect();
    format!("it calls {shown}(), which is not run")
}

/// A source text without so many bytes at either end.
fn between(source: &str, bytes: usize) -> &str {
    source.get(bytes..source.len().saturating_sub(bytes)).unwrap_or_default()
}
