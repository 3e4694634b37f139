use tree_sitter::Node;

use super::{
    interpreter::{DEEPEST, Interpreter},
    scope::{Name, Outcome, Scope, Value, is_environment},
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
            "parenthesized_expression" | "argument"
                if node.child_by_field_name("name").is_none() =>
            {
                match first_but_comments(node) {
                    Some(inner) => self.evaluate(inner, scope),
                    None => Err(not_followed()),
                }
            }
            "string" => self.text(single_quoted(between(source, 1))),
            "encapsed_string" => self.pieces(node, scope),
            "heredoc" | "nowdoc" => self.heredoc(node, scope),
            "integer" => whole_number(source).map(Value::Number).ok_or_else(not_followed),
            "boolean" => Ok(Value::Bool(source.eq_ignore_ascii_case("true"))),
            "null" => Ok(Value::Null),
            "name" | "qualified_name" => self.look_up(&Name::constant(source), scope),
            "variable_name" => self.look_up(&self.variable(node), scope),
            "binary_expression" => self.binary(node, scope),
            "conditional_expression" => self.conditional(node, scope),
            "unary_op_expression" if source.starts_with('!') => {
                let argument = node.child_by_field_name("argument").or(node.named_child(0));
                let argument = argument.ok_or_else(not_followed)?;
                Ok(Value::Bool(!self.evaluate(argument, scope)?.is_truthy()?))
            }
            "cast_expression" if source.replace(' ', "").starts_with("(string)") => {
                let value = node.child_by_field_name("value").ok_or_else(not_followed)?;
                self.evaluate(value, scope)?.into_text().map(Value::Text)
            }
            "assignment_expression" => {
                let value = node.child_by_field_name("right").ok_or_else(not_followed)?;
                self.evaluate(value, scope)
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
                "string_content" => text.push_str(source),
                _ => text.push_str(&self.piece(piece, scope)?),
            }
        }
        self.text(text)
    }

    /// An escape, or a value in the middle of a text.
    fn piece(&mut self, piece: Node<'_>, scope: &Scope) -> Result<String, String> {
        match piece.kind() {
            "escape_sequence" => double_quoted(self.source(piece))
                .ok_or_else(|| "it has an escape that is no text".to_owned()),
            _ => self.evaluate(piece, scope)?.into_text(),
        }
    }

    /// The lines of a heredoc or nowdoc, without the indentation of the marker that ends it.
    fn heredoc(&mut self, node: Node<'_>, scope: &Scope) -> Outcome {
        let (Some(start), Some(end)) =
            (node.child_by_field_name("identifier"), node.child_by_field_name("end_tag"))
        else {
            return Err(not_followed());
        };
        let between = start.end_byte()..end.start_byte();
        let source = self.slice(between.clone());
        // The line breaks after the first marker and before the last one are not of the text.
        let (Some(first), Some(last)) = (source.find('\n'), source.rfind('\n')) else {
            return Err(not_followed());
        };
        let (mut from, end_of_text) = (between.start + first + 1, between.start + last);
        if from > end_of_text {
            return Ok(Value::Text(String::new()));
        }
        let mut lines = Unindented::new(end.start_position().column);
        if let Some(body) = node.child_by_field_name("value") {
            let mut cursor = body.walk();
            for piece in body.children(&mut cursor) {
                // The line breaks between the lines belong to none of them.
                if matches!(piece.kind(), "string_content" | "nowdoc_string") {
                    continue;
                }
                lines.push_source(self.slice(from..piece.start_byte()));
                // The braces around a variable are not named.
                if piece.is_named() {
                    lines.push_value(&self.piece(piece, scope)?);
                }
                from = piece.end_byte();
            }
        }
        lines.push_source(self.slice(from..end_of_text));
        self.text(lines.text.strip_suffix('\r').unwrap_or(&lines.text).to_owned())
    }

    /// A text of the file, unless PHP would see other bytes than those of the text here.
    fn text(&self, text: String) -> Outcome {
        if self.is_lossy && text.contains(char::REPLACEMENT_CHARACTER) {
            return Err(not_utf8());
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
                Ok(Value::Null | Value::Absent { is_null: true }) => self.evaluate(right, scope),
                other => other,
            };
        }
        let first = self.evaluate(left, scope)?;
        match operator {
            "&&" | "and" if !first.is_truthy()? => return Ok(Value::Bool(false)),
            "||" | "or" if first.is_truthy()? => return Ok(Value::Bool(true)),
            _ => {}
        }
        let second = self.evaluate(right, scope)?;
        match operator {
            "." => Ok(Value::Text(first.into_text()? + &second.into_text()?)),
            "&&" | "and" | "||" | "or" => second.is_truthy().map(Value::Bool),
            "===" => first.is_identical(&second).map(Value::Bool),
            "!==" => first.is_identical(&second).map(|is| Value::Bool(!is)),
            "==" => first.equals_as_text(&second).map(Value::Bool),
            "!=" | "<>" => first.equals_as_text(&second).map(|is| Value::Bool(!is)),
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
        let body = node.child_by_field_name("body");
        if let (Some(body), Some((tested, is_set_suffices))) = (body, self.tested(condition))
            && self.source(body) == self.source(tested)
        {
            return match self.evaluate(tested, scope)? {
                // The default that the file itself gives.
                Value::Absent { .. } => self.evaluate(alternative, scope),
                value if is_set_suffices || value.is_truthy()? => Ok(value),
                _ => self.evaluate(alternative, scope),
            };
        }
        let value = self.evaluate(condition, scope)?;
        match body {
            Some(body) if value.is_truthy()? => self.evaluate(body, scope),
            Some(_) => self.evaluate(alternative, scope),
            // The default that the file itself gives.
            None if matches!(value, Value::Absent { .. }) || !value.is_truthy()? => {
                self.evaluate(alternative, scope)
            }
            None => Ok(value),
        }
    }

    /// The environment variable of `getenv('X')`, `!empty($_ENV['X'])` and `isset($_ENV['X'])`, and
    /// whether it need only be set, as for the last, and not be true. As in
    /// `isset($_ENV['X']) ? $_ENV['X'] : 'default'`.
    fn tested<'tree>(&self, condition: Node<'tree>) -> Option<(Node<'tree>, bool)> {
        let mut node = condition;
        while node.kind() == "parenthesized_expression" {
            node = first_but_comments(node)?;
        }
        let is_not = node.kind() == "unary_op_expression" && self.source(node).starts_with('!');
        let called = if is_not { first_but_comments(node)? } else { node };
        let (tested, is_set_suffices) = match self.call_parts(called).1[..] {
            [argument] if is_not && self.is_call_of(called, "empty") => {
                (first_but_comments(argument)?, false)
            }
            [argument] if !is_not && self.is_call_of(called, "isset") => {
                (first_but_comments(argument)?, true)
            }
            _ if !is_not => (node, false),
            _ => return None,
        };
        self.is_variable_of_environment(tested).then_some((tested, is_set_suffices))
    }

    fn is_call_of(&self, node: Node<'_>, name: &str) -> bool {
        node.kind() == "function_call_expression" && self.call_parts(node).0 == name
    }

    fn is_variable_of_environment(&self, node: Node<'_>) -> bool {
        match node.kind() {
            "subscript_expression" => {
                node.named_child(0).is_some_and(|array| is_environment(self.source(array)))
            }
            _ => self.is_call_of(node, "getenv"),
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
            _ => return Err(not_run()),
        };
        if self.effects.is_own_function(&name) {
            return Err(not_run());
        }
        match name.as_str() {
            "getenv" => self.environment_value(first, Value::Absent { is_null: false }),
            // Bedrock's helper, and that of the official WordPress image.
            "env" => self.environment_value(first, Value::Absent { is_null: true }),
            "getenv_docker" => {
                let default = values.get(1).cloned().unwrap_or(Ok(Value::Absent { is_null: true }));
                self.docker_value(first, default)
            }
            "defined" => match scope.is_defined(first) {
                Some(false) if self.effects.may_define_more() => {
                    Err("something that is not followed may define it before".to_owned())
                }
                Some(is) => Ok(Value::Bool(is)),
                None => Err("whether it is defined before depends on a branch".to_owned()),
            },
            _ => Err(not_run()),
        }
    }

    fn docker_value(&self, name: &str, default: Outcome) -> Outcome {
        // As PHP judges what is true.
        let is_meant = |path: &&String| !matches!(path.as_str(), "" | "0");
        match self.environment.get(&format!("{name}_FILE")).filter(is_meant) {
            Some(path) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(Value::Text(text.trim_end_matches(['\r', '\n']).to_owned())),
                Err(error) => {
                    Err(format!("{name}_FILE: cannot read the file that it names ({error})"))
                }
            },
            None => match self.environment_value(name, Value::Null)? {
                Value::Null => default,
                value => Ok(value),
            },
        }
    }

    fn environment_value(&self, name: &str, absent: Value) -> Outcome {
        if self.effects.changes_environment(name) {
            return Err("the file sets that environment variable itself".to_owned());
        }
        match self.environment.get(name) {
            Some(value) if value.contains(char::REPLACEMENT_CHARACTER) => Err(not_utf8()),
            Some(value) => Ok(Value::Text(value.clone())),
            // As Bedrock's .env file.
            None if self.effects.may_define_more() => Err("it depends on an environment variable \
                                                           that is not set here, and something \
                                                           may set it that is not followed"
                .to_owned()),
            None => Ok(absent),
        }
    }

    /// `$_ENV['X']` and `$_SERVER['X']`. What the latter has beyond the environment, each request
    /// brings.
    fn subscript(&mut self, node: Node<'_>, scope: &Scope) -> Outcome {
        let (Some(array), Some(index)) = (node.named_child(0), node.named_child(1)) else {
            return Err(not_followed());
        };
        let array = self.source(array);
        if !is_environment(array) {
            return Err(not_followed());
        }
        let name = self.evaluate(index, scope)?.into_text()?;
        match self.environment_value(&name, Value::Absent { is_null: true })? {
            Value::Absent { .. } if array == "$_SERVER" => {
                Err("it depends on the request".to_owned())
            }
            value => Ok(value),
        }
    }
}

/// The text of a heredoc: so many blanks are taken from the beginning of each line of the source.
struct Unindented {
    text: String,
    indentation: usize,
    /// What is still to be taken from this line.
    left: usize,
}

impl Unindented {
    fn new(indentation: usize) -> Self {
        Self { text: String::new(), indentation, left: indentation }
    }

    fn push_source(&mut self, source: &str) {
        for next in source.chars() {
            match next {
                ' ' | '\t' if self.left > 0 => self.left -= 1,
                _ => {
                    self.left = if next == '\n' { self.indentation } else { 0 };
                    self.text.push(next);
                }
            }
        }
    }

    fn push_value(&mut self, value: &str) {
        self.left = 0;
        self.text.push_str(value);
    }
}

pub(super) fn first_but_comments(node: Node<'_>) -> Option<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).find(|child| child.kind() != "comment")
}

/// A decimal number. (One that begins with 0 is octal.)
fn whole_number(source: &str) -> Option<i64> {
    let is_decimal = source == "0" || !source.starts_with('0');
    is_decimal.then(|| source.parse().ok())?
}

fn not_utf8() -> String {
    "it has bytes that are not UTF-8".to_owned()
}

/// Without what stands there: it may hold a password.
fn not_followed() -> String {
    "it is worked out in a way that is not followed".to_owned()
}

/// Without its name, for the same reason.
fn not_run() -> String {
    "it calls a function, which is not run".to_owned()
}

/// A source text without so many bytes at either end.
fn between(source: &str, bytes: usize) -> &str {
    source.get(bytes..source.len().saturating_sub(bytes)).unwrap_or_default()
}
