use std::collections::BTreeMap;

use tree_sitter::Node;

use super::{
    scope::{Name, Outcome, Scope, Value},
    strings::{double_quoted, single_quoted},
};

/// Deeper nesting than this is no configuration that a person wrote.
const DEEPEST: usize = 100;

/// Works out what follows from the text.
pub(super) struct Interpreter<'a> {
    text: &'a str,
    environment: &'a BTreeMap<String, String>,
    depth: usize,
    pub(super) required: Vec<(usize, String)>,
}

/// Whether the statements after this one are reached.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    Ended,
}

impl<'a> Interpreter<'a> {
    pub(super) fn new(text: &'a str, environment: &'a BTreeMap<String, String>) -> Self {
        Self { text, environment, depth: 0, required: Vec::new() }
    }

    /// Runs the statements of a file or a block.
    pub(super) fn run(&mut self, block: Node<'_>, scope: &mut Scope) {
        self.statements(block, scope);
    }

    fn statements(&mut self, block: Node<'_>, scope: &mut Scope) -> Flow {
        let mut cursor = block.walk();
        for statement in block.named_children(&mut cursor) {
            if self.statement(statement, scope) == Flow::Ended {
                return Flow::Ended;
            }
        }
        Flow::On
    }

    fn statement(&mut self, node: Node<'_>, scope: &mut Scope) -> Flow {
        if self.depth >= DEEPEST {
            return Flow::Ended;
        }
        self.depth += 1;
        let flow = self.statement_within(node, scope);
        self.depth -= 1;
        flow
    }

    fn statement_within(&mut self, node: Node<'_>, scope: &mut Scope) -> Flow {
        match node.kind() {
            // What is wrong inside of a block spoils only what it stands in.
            "compound_statement" | "colon_block" => return self.statements(node, scope),
            "if_statement" => return self.if_statement(node, scope),
            _ if node.has_error() => self.spoil(node, scope, "the file is not PHP there"),
            "expression_statement" => {
                if let Some(expression) = node.named_child(0) {
                    return self.expression_statement(expression, scope);
                }
            }
            "const_declaration" => self.const_declaration(node, scope),
            "return_statement" | "exit_statement" => return Flow::Ended,
            // What they define is not defined by being read.
            "function_definition"
            | "class_declaration"
            | "interface_declaration"
            | "trait_declaration"
            | "comment"
            | "text"
            | "text_interpolation"
            | "php_tag" => {}
            _ => self.spoil(node, scope, "a loop or a block that is not followed sets it"),
        }
        Flow::On
    }

    fn expression_statement(&mut self, node: Node<'_>, scope: &mut Scope) -> Flow {
        let line = line_of(node);
        match node.kind() {
            "assignment_expression" => self.assign(node, scope),
            "function_call_expression" | "scoped_call_expression" => self.call(node, scope),
            "require_once_expression"
            | "require_expression"
            | "include_expression"
            | "include_once_expression" => {
                let what = node.named_child(0).map_or("", |what| self.source(what));
                self.required.push((line, what.to_owned()));
            }
            "exit_statement" => return Flow::Ended,
            // `defined('X') || define('X', …)` and its kin.
            "binary_expression" => {
                let (left, right) =
                    (node.child_by_field_name("left"), node.child_by_field_name("right"));
                let (Some(left), Some(right)) = (left, right) else { return Flow::On };
                let runs_when = match self.operator(node) {
                    "||" | "or" => Some(false),
                    "&&" | "and" => Some(true),
                    _ => None,
                };
                let is_true = self.evaluate(left, scope).map(|value| value.is_truthy());
                match (runs_when, is_true) {
                    (Some(when), Ok(is)) if when == is => {
                        return self.expression_statement(right, scope);
                    }
                    (Some(_), Ok(_)) => {}
                    _ => self.spoil(node, scope, "it depends on what only running it would tell"),
                }
            }
            _ => self.spoil(node, scope, "it is set in a way that is not followed"),
        }
        Flow::On
    }

    fn assign(&mut self, node: Node<'_>, scope: &mut Scope) {
        let (Some(left), Some(right)) =
            (node.child_by_field_name("left"), node.child_by_field_name("right"))
        else {
            return;
        };
        let value = self.evaluate(right, scope);
        if left.kind() == "variable_name" {
            scope.set(self.variable(left), value, line_of(node));
        }
    }

    /// `define('X', …)`, and Bedrock's `Config::define('X', …)`. Other calls may do anything, but
    /// nothing that a configuration would need.
    fn call(&mut self, node: Node<'_>, scope: &mut Scope) {
        let (name, arguments) = self.call_parts(node);
        if let ("define", [first, second, ..]) = (name.as_str(), &arguments[..])
            && let Ok(Value::Text(constant)) = self.evaluate(*first, scope)
        {
            let value = self.evaluate(*second, scope);
            scope.set(Name::constant(&constant), value, line_of(node));
        }
    }

    fn const_declaration(&mut self, node: Node<'_>, scope: &mut Scope) {
        let mut cursor = node.walk();
        for element in node.named_children(&mut cursor).filter(|one| one.kind() == "const_element")
        {
            let (Some(name), Some(value)) = (element.named_child(0), element.named_child(1)) else {
                continue;
            };
            let value = self.evaluate(value, scope);
            scope.set(Name::constant(self.source(name)), value, line_of(element));
        }
    }

    /// The branch that is taken, or every one that may be.
    fn if_statement(&mut self, node: Node<'_>, scope: &mut Scope) -> Flow {
        let mut outcomes = Vec::new();
        let mut cursor = node.walk();
        let mut clauses = vec![node];
        clauses.extend(node.children_by_field_name("alternative", &mut cursor));
        let mut may_fall_through = true;
        for clause in clauses {
            let condition = match clause.child_by_field_name("condition") {
                Some(condition) if condition.has_error() => {
                    Err("the file is not PHP there".to_owned())
                }
                Some(condition) => self.evaluate(condition, scope).map(|value| value.is_truthy()),
                None => Ok(true),
            };
            let Some(body) = clause.child_by_field_name("body") else { continue };
            if condition == Ok(false) {
                continue;
            }
            let mut branch = scope.clone();
            let flow = self.statement(body, &mut branch);
            if condition == Ok(true) && outcomes.is_empty() {
                *scope = branch;
                return flow;
            }
            // A branch that ends the file leaves nothing behind it.
            if flow == Flow::On {
                outcomes.push(branch);
            }
            if condition == Ok(true) {
                may_fall_through = false;
                break;
            }
        }
        if may_fall_through {
            outcomes.push(scope.clone());
        }
        if outcomes.is_empty() {
            return Flow::Ended;
        }
        *scope = Scope::join(outcomes);
        Flow::On
    }

    /// Everything that is set somewhere in there is unknown from now on.
    fn spoil(&mut self, node: Node<'_>, scope: &mut Scope, why: &str) {
        let mut nodes = vec![node];
        while let Some(node) = nodes.pop() {
            match node.kind() {
                "assignment_expression" | "augmented_assignment_expression" => {
                    let left = node.child_by_field_name("left");
                    if let Some(left) = left.filter(|left| left.kind() == "variable_name") {
                        scope.forget(self.variable(left), why, line_of(node));
                    }
                }
                "function_call_expression" | "scoped_call_expression" => {
                    let (name, arguments) = self.call_parts(node);
                    if name == "define"
                        && let Some(first) = arguments.first()
                        && let Ok(Value::Text(constant)) = self.evaluate(*first, scope)
                    {
                        scope.forget(Name::constant(&constant), why, line_of(node));
                    }
                }
                "const_element" => {
                    if let Some(name) = node.named_child(0) {
                        scope.forget(Name::constant(self.source(name)), why, line_of(node));
                    }
                }
                _ => {}
            }
            let mut cursor = node.walk();
            nodes.extend(node.named_children(&mut cursor));
        }
    }

    fn evaluate(&mut self, node: Node<'_>, scope: &Scope) -> Outcome {
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
            "name" | "qualified_name" => self.look_up(&Name::constant(source), source, scope),
            "variable_name" => self.look_up(&self.variable(node), source, scope),
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

    fn look_up(&self, name: &Name, shown: &str, scope: &Scope) -> Outcome {
        match scope.get(name) {
            Some((value, _)) => value.clone(),
            None => Err(format!("{shown} is not set in this file")),
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
                    None => return Err(format!("{source} is no text")),
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

    /// A call's name, without class or namespace and in lower case, as PHP compares it, and its
    /// arguments.
    fn call_parts<'tree>(&self, node: Node<'tree>) -> (String, Vec<Node<'tree>>) {
        let name = node.child_by_field_name("function").or(node.child_by_field_name("name"));
        let name = name.map_or("", |name| self.source(name));
        let mut arguments = Vec::new();
        if let Some(list) = node.child_by_field_name("arguments") {
            let mut cursor = list.walk();
            arguments
                .extend(list.named_children(&mut cursor).filter(|one| one.kind() == "argument"));
        }
        (name.trim_start_matches('\\').to_ascii_lowercase(), arguments)
    }

    fn operator(&self, node: Node<'_>) -> &'a str {
        let operator = node.child_by_field_name("operator").or(node.child(1));
        operator.map_or("", |operator| self.source(operator))
    }

    fn variable(&self, node: Node<'_>) -> Name {
        Name::variable(self.source(node).trim_start_matches('$'))
    }

    fn source(&self, node: Node<'_>) -> &'a str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }
}

fn line_of(node: Node<'_>) -> usize {
    node.start_position().row + 1
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
