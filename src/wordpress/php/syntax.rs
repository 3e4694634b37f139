//! Helpers for the syntax tree.

use tree_sitter::{Node, TreeCursor};

use super::strings::{double_quoted, single_quoted};

/// The most levels of nested expressions that are followed.
pub(super) const DEEPEST: usize = 100;

/// Iterates over all nodes, parents before children.
pub(super) struct Walk<'t> {
    cursor: TreeCursor<'t>,
    is_begun: bool,
    /// The ancestors of the current node, the root first.
    pub(super) path: Vec<Node<'t>>,
    /// How many of them are functions.
    functions: usize,
}

impl<'t> Walk<'t> {
    pub(super) fn new(root: Node<'t>) -> Self {
        Self { cursor: root.walk(), is_begun: false, path: Vec::new(), functions: 0 }
    }

    pub(super) fn next(&mut self) -> Option<Node<'t>> {
        let here = self.cursor.node();
        if !self.is_begun {
            self.is_begun = true;
            return Some(here);
        }
        if self.cursor.goto_first_child() {
            self.functions += usize::from(is_function(here));
            self.path.push(here);
            return Some(self.cursor.node());
        }
        while !self.cursor.goto_next_sibling() {
            let left = self.path.pop()?;
            self.functions -= usize::from(is_function(left));
            self.cursor.goto_parent();
        }
        Some(self.cursor.node())
    }

    pub(super) fn is_in_function(&self) -> bool {
        self.functions > 0
    }
}

pub(super) fn is_function(node: Node<'_>) -> bool {
    matches!(
        node.kind(),
        "anonymous_function"
            | "arrow_function"
            | "function_definition"
            | "method_declaration"
            | "property_hook"
    )
}

pub(super) fn line_of(node: Node<'_>) -> usize {
    node.start_position().row + 1
}

pub(super) fn source<'t>(text: &'t str, node: Node<'_>) -> &'t str {
    text.get(node.byte_range()).unwrap_or_default()
}

/// The text of a node without comments and white space, to compare with short texts: empty for a long
/// node.
pub(super) fn squeezed(text: &str, node: Node<'_>) -> String {
    let mut all = String::new();
    if node.byte_range().len() > 2_000 {
        return all;
    }
    let mut walk = Walk::new(node);
    while let Some(node) = walk.next() {
        if node.child_count() == 0 && node.kind() != "comment" {
            all.push_str(source(text, node));
        }
    }
    all
}

/// The named children of a node without comments.
pub(super) fn parts(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|one| one.kind() != "comment").collect()
}

/// The name of the called function, in lower case, as PHP ignores case; none if it is computed.
pub(super) fn function_name(text: &str, call: Node<'_>) -> Option<String> {
    let name = call.child_by_field_name("function")?;
    let is_name = matches!(name.kind(), "name" | "qualified_name");
    is_name.then(|| source(text, name).trim_start_matches('\\').to_ascii_lowercase())
}

/// The arguments of a call; none if they are named, unpacked or many.
pub(super) fn arguments(call: Node<'_>) -> Option<Vec<Node<'_>>> {
    let list = call.child_by_field_name("arguments").filter(|list| list.child_count() < 20)?;
    let value = |one| match parts(one)[..] {
        [value] => Some(value),
        _ => None,
    };
    parts(list).into_iter().map(value).collect()
}

/// A string without variables in it, or a whole number.
pub(super) fn literal(text: &str, node: Node<'_>) -> Option<String> {
    let here = source(text, node);
    match node.kind() {
        "string" => Some(single_quoted(here.strip_prefix('\'')?.strip_suffix('\'')?)),
        "encapsed_string" if here.starts_with('"') => {
            let mut all = String::new();
            for part in parts(node) {
                match part.kind() {
                    "string_content" => all.push_str(source(text, part)),
                    "escape_sequence" => all.push_str(&double_quoted(source(text, part))?),
                    _ => return None,
                }
            }
            Some(all)
        }
        "integer" => here.parse::<u32>().ok().map(|n| n.to_string()).filter(|n| n == here),
        _ => None,
    }
}

/// The index of an element, as in `$array['index']`.
pub(super) fn index_of(text: &str, element: Node<'_>) -> Option<String> {
    let index = element.named_child(1).filter(|_| element.kind() == "subscript_expression")?;
    literal(text, index)
}

/// The name of the environment variable in `$_ENV['X']` or `$_SERVER['X']`.
pub(super) fn element_of_environment(text: &str, node: Node<'_>) -> Option<String> {
    let index = index_of(text, node)?;
    matches!(source(text, node.named_child(0)?), "$_ENV" | "$_SERVER").then_some(index)
}

/// Whether the code around a variable only reads it.
pub(super) fn is_read(text: &str, node: Node<'_>, path: &[Node<'_>]) -> bool {
    let Some(parent) = path.last() else { return false };
    match parent.kind() {
        "binary_expression" | "conditional_expression" | "encapsed_string" | "heredoc_body" => true,
        "assignment_expression" | "augmented_assignment_expression" => {
            parent.child_by_field_name("right") == Some(node)
        }
        "argument" => path.iter().rev().nth(2).is_some_and(|call| {
            let name = function_name(text, *call);
            matches!(name.as_deref(), Some("define" | "empty" | "isset"))
        }),
        _ => false,
    }
}
