use std::collections::{HashMap, HashSet};

use tree_sitter::Node;

use super::{
    interpreter::{Interpreter, line_of},
    scope::{Name, Scope, Value, is_environment},
};

/// What is passed over, and what it may do to what is worked out.
#[derive(Default)]
pub(super) struct Effects {
    /// The line, and what stands there.
    pub(super) not_followed: Vec<(usize, &'static str)>,
    /// What the functions of the file set for all the file, should they be called.
    by_functions: HashMap<Name, usize>,
    functions_may_have_run: bool,
    /// Variables that have another name as well.
    aliases: HashSet<Name>,
    /// It sets some whose names are not known.
    sets_any_variable: bool,
    /// Environment variables that the file itself sets.
    environment: HashSet<String>,
    /// It sets some whose names are not known.
    sets_any_environment: bool,
    /// Something was passed that may define any constant.
    may_define_more: bool,
    /// The functions that the file itself defines, in lower case.
    own_functions: HashSet<String>,
    /// Those of its functions and methods that may change what they are given; "" for one without a
    /// name.
    takes_references: HashSet<String>,
    has_jumps: bool,
}

impl Effects {
    pub(super) fn may_define_more(&self) -> bool {
        self.may_define_more
    }

    /// Whether more may set the variable than what says so, for the rest of the file.
    pub(super) fn may_set(&self, variable: &Name) -> bool {
        self.sets_any_variable
            || self.aliases.contains(variable)
            || self.functions_may_have_run && self.by_functions.contains_key(variable)
    }

    pub(super) fn changes_environment(&self, name: &str) -> bool {
        self.sets_any_environment || self.environment.contains(name)
    }

    pub(super) fn is_own_function(&self, name: &str) -> bool {
        self.own_functions.contains(name)
    }

    pub(super) fn has_jumps(&self) -> bool {
        self.has_jumps
    }

    fn pass(&mut self, line: usize, what: &'static str) {
        self.may_define_more = true;
        self.not_followed.push((line, what));
    }

    pub(super) fn set_environment(&mut self, name: Option<String>) {
        match name {
            Some(name) => drop(self.environment.insert(name)),
            None => self.sets_any_environment = true,
        }
    }
}

impl Interpreter<'_> {
    /// Looks through all functions of the file for what they set, before any can be called.
    pub(super) fn find_functions(&mut self, file: Node<'_>) {
        let mut nodes = vec![file];
        while let Some(node) = nodes.pop() {
            if is_function(node) {
                self.note_function(node);
                self.look_into(node);
            }
            self.effects.has_jumps |= node.kind() == "goto_statement";
            let mut cursor = node.walk();
            nodes.extend(node.named_children(&mut cursor));
        }
        self.effects.functions_may_have_run = false;
    }

    fn note_function(&mut self, function: Node<'_>) {
        let name = function.child_by_field_name("name");
        let name = name.map_or_else(String::new, |name| self.source(name).to_ascii_lowercase());
        if let Some(parameters) = function.child_by_field_name("parameters")
            && self.source(parameters).contains('&')
        {
            self.effects.takes_references.insert(name.clone());
        }
        // The official image's helper, which its file brings along, is known.
        let is_known = name == "getenv_docker" && self.source(function).contains("_FILE");
        if function.kind() == "function_definition" && !is_known {
            self.effects.own_functions.insert(name);
        }
    }

    /// Constants, and the variables that are not the function's own.
    fn look_into(&mut self, function: Node<'_>) {
        let mut inside = Scope::default();
        let mut cursor = function.walk();
        for part in function.named_children(&mut cursor) {
            self.spoil(part, &mut inside, "");
        }
        let shared = self.shared_variables(function);
        let names = inside.names().filter(|(name, _)| !name.is_variable() || shared.contains(name));
        self.effects.by_functions.extend(names.map(|(name, line)| (name.clone(), line)));
    }

    /// Those of `global $x`, `use (&$x)` and `$GLOBALS['x']`.
    fn shared_variables(&mut self, function: Node<'_>) -> HashSet<Name> {
        let mut shared = HashSet::new();
        let mut nodes = vec![(function, false)];
        while let Some((node, is_shared)) = nodes.pop() {
            match node.kind() {
                "subscript_expression" => shared.extend(self.target(node, &Scope::default())),
                "variable_name" if is_shared => drop(shared.insert(self.variable(node))),
                kind => {
                    let is_shared = is_shared || matches!(kind, "global_declaration" | "by_ref");
                    let mut cursor = node.walk();
                    nodes.extend(node.named_children(&mut cursor).map(|node| (node, is_shared)));
                }
            }
        }
        shared
    }

    /// Everything that is set somewhere in there is unknown from now on.
    pub(super) fn spoil(&mut self, node: Node<'_>, scope: &mut Scope, why: &str) {
        let mut nodes = vec![node];
        while let Some(node) = nodes.pop() {
            // What stands in them happens when they are called, if ever.
            if is_function(node) {
                continue;
            }
            match node.kind() {
                "assignment_expression" | "augmented_assignment_expression" => {
                    if let Some(left) = node.child_by_field_name("left") {
                        self.forget_variables(left, scope, why);
                    }
                }
                "reference_assignment_expression" | "by_ref" => {
                    self.forget_variables(node, scope, why);
                    self.note_aliases(node);
                }
                // What it goes through stays as it is.
                "foreach_statement" => {
                    let mut cursor = node.walk();
                    for part in node.named_children(&mut cursor).skip(1) {
                        self.forget_variables(part, scope, why);
                    }
                }
                "update_expression"
                | "unset_statement"
                | "function_static_declaration"
                | "catch_clause" => self.forget_variables(node, scope, why),
                "function_call_expression"
                | "scoped_call_expression"
                | "member_call_expression"
                | "nullsafe_member_call_expression"
                | "object_creation_expression" => self.spoil_by_call(node, scope, why),
                // Every file ends by requiring that one, which sets nothing of this.
                "require_once_expression"
                | "require_expression"
                | "include_expression"
                | "include_once_expression"
                    if !self.source(node).contains("wp-settings.php") =>
                {
                    self.effects.pass(line_of(node), "the file required");
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

    fn spoil_by_call(&mut self, node: Node<'_>, scope: &mut Scope, why: &str) {
        let line = line_of(node);
        let (name, arguments) = self.call_parts(node);
        let first = arguments.first().map(|first| self.evaluate(*first, scope));
        match name.as_str() {
            "define" => match first {
                Some(Ok(Value::Text(constant))) => {
                    scope.forget(Name::constant(&constant), why, line);
                }
                _ => self.effects.pass(line, "the definition of a name that is worked out"),
            },
            "putenv" => {
                let assignment = first.and_then(|first| first.ok()?.into_text().ok());
                let name = assignment
                    .map(|text| text.split_once('=').map_or(text.clone(), |(name, _)| name.into()));
                self.effects.set_environment(name);
            }
            "eval" => self.effects.pass(line, "the code given to eval"),
            "extract" => self.forget_all_variables(scope, line),
            _ if is_worked_out(node, &name) => {
                self.effects.pass(line, "the call of a function that is worked out");
            }
            _ => {}
        }
        let called = if is_worked_out(node, &name) { "" } else { &name };
        let by_value = match self.effects.takes_references.contains(called) {
            true => 0,
            false => leading_values(&name),
        };
        for argument in arguments.iter().skip(by_value) {
            self.forget_variables(*argument, scope, why);
        }
        if !self.effects.functions_may_have_run {
            self.effects.functions_may_have_run = true;
            for (name, line) in &self.effects.by_functions {
                scope.forget(name.clone(), "a function of this file sets it", *line);
            }
        }
    }

    fn forget_all_variables(&mut self, scope: &mut Scope, line: usize) {
        if !self.effects.sets_any_variable {
            self.effects.sets_any_variable = true;
            scope.forget_variables("something that is not followed may set it", line);
        }
    }

    /// The variables that stand there, as in `[$a, [$b]] =`, or before the body of a loop.
    fn forget_variables(&mut self, node: Node<'_>, scope: &mut Scope, why: &str) {
        let mut nodes = vec![node];
        while let Some(node) = nodes.pop() {
            match node.kind() {
                "variable_name" => {
                    let name = self.variable(node);
                    if name.is_environment() {
                        self.effects.set_environment(None);
                    }
                    scope.forget(name, why, line_of(node));
                }
                "dynamic_variable_name" => self.forget_all_variables(scope, line_of(node)),
                "subscript_expression" => {
                    let array = node.named_child(0);
                    let index = node.named_child(1).map(|index| self.evaluate(index, scope));
                    let index = index.and_then(|index| index.ok()?.into_text().ok());
                    match (array.map_or("", |array| self.source(array)), index) {
                        ("$GLOBALS", Some(name)) => {
                            scope.forget(Name::variable(&name), why, line_of(node));
                        }
                        ("$GLOBALS", None) => self.forget_all_variables(scope, line_of(node)),
                        (array, name) if is_environment(array) => {
                            self.effects.set_environment(name);
                        }
                        _ => nodes.extend(array),
                    }
                }
                "compound_statement" | "colon_block" => {}
                _ => {
                    let mut cursor = node.walk();
                    nodes.extend(node.named_children(&mut cursor));
                }
            }
        }
    }

    fn note_aliases(&mut self, node: Node<'_>) {
        let mut nodes = vec![node];
        while let Some(node) = nodes.pop() {
            if node.kind() == "variable_name" {
                self.effects.aliases.insert(self.variable(node));
            }
            let mut cursor = node.walk();
            nodes.extend(node.named_children(&mut cursor));
        }
    }
}

fn is_function(node: Node<'_>) -> bool {
    matches!(
        node.kind(),
        "anonymous_function" | "arrow_function" | "function_definition" | "method_declaration"
    )
}

/// How many of a function's arguments come before those that it may change.
fn leading_values(name: &str) -> usize {
    match name {
        "settype" => 0,
        "parse_str" => 1,
        "is_callable" | "preg_match" | "preg_match_all" | "similar_text" | "sscanf" => 2,
        "str_ireplace" | "str_replace" => 3,
        "preg_replace" | "preg_replace_callback" => 4,
        _ => usize::MAX,
    }
}

/// Whether what is called is the value of an expression: it may be `define`, too.
fn is_worked_out(node: Node<'_>, name: &str) -> bool {
    let is_plain = node
        .child_by_field_name("function")
        .is_none_or(|function| matches!(function.kind(), "name" | "qualified_name"));
    !is_plain || name.starts_with("call_user_func") || matches!(name, "array_map" | "array_walk")
}
