use std::{collections::BTreeMap, ops::Range};

use tree_sitter::Node;

use super::{
    effects::Effects,
    expressions::first_but_comments,
    scope::{Branch, Name, Outcome, Scope, Value},
};

/// Deeper nesting than this is no configuration that a person wrote.
pub(super) const DEEPEST: usize = 100;

/// Why what is set in the middle of an expression is not known.
const WITHIN: &str = "it is set within another expression";

/// Works out what follows from the text.
pub(super) struct Interpreter<'a> {
    text: &'a str,
    pub(super) environment: &'a BTreeMap<String, String>,
    /// The text stands for other bytes where it has a replacement character.
    pub(super) is_lossy: bool,
    pub(super) depth: usize,
    pub(super) effects: Effects,
    /// `const` defines nothing global from here on.
    is_in_namespace: bool,
}

/// Whether the statements after this one are reached.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    Ended,
}

impl<'a> Interpreter<'a> {
    pub(super) fn new(
        text: &'a str,
        is_lossy: bool,
        environment: &'a BTreeMap<String, String>,
    ) -> Self {
        let effects = Effects::default();
        Self { text, environment, is_lossy, depth: 0, effects, is_in_namespace: false }
    }

    /// Runs the statements of a file.
    pub(super) fn run(&mut self, file: Node<'_>, scope: &mut Scope) {
        self.find_functions(file);
        if self.effects.has_jumps() {
            self.spoil(file, scope, "the file jumps with goto");
        } else {
            self.statements(file, scope);
        }
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
                if let Some(expression) = first_but_comments(node) {
                    return self.expression_statement(expression, scope);
                }
            }
            "const_declaration" if !self.is_in_namespace => self.const_declaration(node, scope),
            "const_declaration" => {}
            "namespace_definition" if node.child_by_field_name("body").is_none() => {
                self.is_in_namespace = node.child_by_field_name("name").is_some();
            }
            "return_statement" | "exit_statement" => return self.end(node, scope),
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
        match node.kind() {
            "assignment_expression" => self.assign(node, scope),
            "function_call_expression" | "scoped_call_expression" => return self.call(node, scope),
            "error_suppression_expression" => {
                if let Some(quiet) = first_but_comments(node) {
                    return self.expression_statement(quiet, scope);
                }
            }
            "exit_statement" => return self.end(node, scope),
            "name" if self.source(node).eq_ignore_ascii_case("die") => return Flow::Ended,
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
                match (runs_when, self.condition(left, scope)) {
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

    /// The file ends there, with what that itself may set.
    fn end(&mut self, node: Node<'_>, scope: &mut Scope) -> Flow {
        self.spoil(node, scope, WITHIN);
        Flow::Ended
    }

    fn condition(&mut self, node: Node<'_>, scope: &mut Scope) -> Result<bool, String> {
        self.spoil(node, scope, WITHIN);
        self.evaluate(node, scope)?.is_truthy()
    }

    fn assign(&mut self, node: Node<'_>, scope: &mut Scope) {
        let (Some(left), Some(right)) =
            (node.child_by_field_name("left"), node.child_by_field_name("right"))
        else {
            return;
        };
        self.spoil(right, scope, WITHIN);
        match self.target(left, scope) {
            Some(variable) => {
                let value = self.evaluate(right, scope);
                self.set_variable(variable, value, scope, line_of(node));
            }
            None => self.spoil(node, scope, WITHIN),
        }
    }

    /// The variable that an assignment goes to, `$x` or `$GLOBALS['x']`, if it is one.
    pub(super) fn target(&mut self, left: Node<'_>, scope: &Scope) -> Option<Name> {
        match left.kind() {
            "variable_name" => Some(self.variable(left)),
            "subscript_expression" if self.source(left.named_child(0)?) == "$GLOBALS" => {
                let index = self.evaluate(left.named_child(1)?, scope).ok()?;
                Some(Name::variable(&index.into_text().ok()?))
            }
            _ => None,
        }
    }

    fn set_variable(&mut self, name: Name, value: Outcome, scope: &mut Scope, line: usize) {
        if name.is_environment() {
            self.effects.set_environment(None);
        }
        let value = match self.effects.may_set(&name) {
            true => Err("something that is not followed may set it as well".to_owned()),
            false => value,
        };
        scope.set(name, value, line);
    }

    /// `define('X', …)`, and Bedrock's `Config::define('X', …)`. What other calls do is not known.
    fn call(&mut self, node: Node<'_>, scope: &mut Scope) -> Flow {
        let (name, arguments) = self.call_parts(node);
        match (name.as_str(), &arguments[..]) {
            ("define", [first, second, ..]) => {
                for argument in &arguments {
                    self.spoil(*argument, scope, WITHIN);
                }
                match self.evaluate(*first, scope) {
                    // Defined, but by that name out of reach.
                    Ok(Value::Text(constant)) if constant.starts_with('\\') => {}
                    Ok(Value::Text(constant)) => {
                        let value = self.evaluate(*second, scope);
                        scope.set(Name::constant(&constant), value, line_of(node));
                    }
                    _ => self.spoil(node, scope, WITHIN),
                }
            }
            ("die" | "exit" | "__halt_compiler", _) => return self.end(node, scope),
            _ => self.spoil(node, scope, WITHIN),
        }
        Flow::On
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
        let mut cursor = node.walk();
        let mut clauses = vec![node];
        clauses.extend(node.children_by_field_name("alternative", &mut cursor));
        let mut branches = Vec::new();
        let (mut goes_on, mut may_fall_through) = (false, true);
        for clause in clauses {
            let condition = match clause.child_by_field_name("condition") {
                Some(condition) if condition.has_error() => {
                    Err("the file is not PHP there".to_owned())
                }
                Some(condition) => self.condition(condition, scope),
                None => Ok(true),
            };
            let Some(body) = clause.child_by_field_name("body") else { continue };
            if condition == Ok(false) {
                continue;
            }
            let mark = scope.mark();
            goes_on |= self.statement(body, scope) == Flow::On;
            // What a branch sets that ends the file may be all that is ever set.
            branches.push(scope.take_back(mark));
            if condition == Ok(true) {
                may_fall_through = false;
                break;
            }
        }
        if may_fall_through {
            branches.push(Branch::default());
        }
        scope.join(&branches);
        if goes_on || may_fall_through { Flow::On } else { Flow::Ended }
    }

    /// A call's name, without class or namespace and in lower case, as PHP compares it, and its
    /// arguments.
    pub(super) fn call_parts<'tree>(&self, node: Node<'tree>) -> (String, Vec<Node<'tree>>) {
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

    pub(super) fn operator(&self, node: Node<'_>) -> &'a str {
        let operator = node.child_by_field_name("operator").or(node.child(1));
        operator.map_or("", |operator| self.source(operator))
    }

    pub(super) fn variable(&self, node: Node<'_>) -> Name {
        Name::variable(self.source(node).trim_start_matches('$'))
    }

    pub(super) fn source(&self, node: Node<'_>) -> &'a str {
        self.slice(node.byte_range())
    }

    pub(super) fn slice(&self, range: Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }
}

pub(super) fn line_of(node: Node<'_>) -> usize {
    node.start_position().row + 1
}
