//! The parts of a file that matter: where it sets a name, and what else may affect the value.

use std::collections::HashMap;

use tree_sitter::Node;

use super::{
    CONSTANTS, TABLE_PREFIX,
    syntax::{
        DEEPEST, Walk, arguments, element_of_environment, function_name, index_of, is_function,
        is_read, line_of, literal, parts, source, squeezed,
    },
};

/// Functions whose argument is the name of a constant or of an environment variable, and that set neither.
const READERS: [&str; 5] = ["constant", "defined", "env", "getenv", "getenv_docker"];
/// PHP's own functions that such files often call. Once other code has run, any other function may be one
/// that it defines.
const HARMLESS: &str = "\
    basename constant define defined dirname empty error_reporting explode file_exists \
    function_exists getenv header in_array ini_set is_dir is_file is_readable isset realpath \
    set_time_limit str_replace stripos strpos trim";
/// Functions that call a function which is one of their arguments, by the index of the argument.
const TAKE_A_FUNCTION: [&str; 2] = [
    "array_map call_user_func call_user_func_array forward_static_call \
     forward_static_call_array ob_start register_shutdown_function register_tick_function \
     set_error_handler set_exception_handler spl_autoload_register",
    "array_filter array_reduce array_walk array_walk_recursive iterator_apply \
     preg_replace_callback uasort uksort usort",
];
/// Functions that run code that is not visible in the file.
const RUN_CODE: &str = "\
    array_diff_uassoc array_diff_ukey array_intersect_uassoc array_intersect_ukey \
    array_udiff array_udiff_assoc array_udiff_uassoc array_uintersect array_uintersect_assoc \
    array_uintersect_uassoc assert create_function header_register_callback mb_ereg_replace \
    mb_ereg_replace_callback pcntl_signal preg_replace_callback_array spl_autoload \
    spl_autoload_call";
/// The files that load WordPress.
const WORDPRESS: [&str; 4] = [
    "ABSPATH.'wp-settings.php'",
    "ABSPATH.'/wp-settings.php'",
    "__DIR__.'/wp-settings.php'",
    "dirname(__FILE__).'/wp-settings.php'",
];
/// The variable whose value the official image evaluates as code.
pub(super) const CONFIG_EXTRA: &str = "WORDPRESS_CONFIG_EXTRA";
const RUNS_CONFIG_EXTRA: &str =
    "if($configExtra=getenv_docker('WORDPRESS_CONFIG_EXTRA','')){eval($configExtra);}";

/// Something that may affect a value.
pub(super) struct Occurrence {
    pub(super) what: What,
    pub(super) line: usize,
    /// Its offset; none in a function, which may be called at any time.
    pub(super) at: Option<usize>,
}

/// It is not visible which function is called.
const COMPUTED: What = What::Runs("a call of a computed function");

#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    /// It is not PHP, or not for every version or configuration of PHP.
    Error,
    /// Code after it may not be reached, or too late.
    Ends,
    /// Other code runs.
    Runs(&'static str),
    /// Calls a function that code which has run may have defined.
    Calls,
    SetsAnyVariable,
    /// Sets this environment variable, or any.
    SetsEnvironment(Option<String>),
    /// Functions and constants may not be PHP's own after it.
    Renames,
}

/// A place that sets a name, or may set it.
pub(super) struct Mention<'t> {
    pub(super) name: &'static str,
    pub(super) line: usize,
    /// None if it is not certain that the place sets the name.
    pub(super) value: Option<Node<'t>>,
}

pub(super) struct Code<'t> {
    pub(super) text: &'t str,
    pub(super) events: Vec<Occurrence>,
    pub(super) mentions: Vec<Mention<'t>>,
    /// The code of each function that the file defines and of each import, by name in lower case.
    pub(super) functions: HashMap<String, String>,
}

impl<'t> Code<'t> {
    pub(super) fn new(text: &'t str, root: Node<'t>) -> Self {
        let (mut events, mut mentions, mut functions) = (Vec::new(), Vec::new(), HashMap::new());
        let mut walk = Walk::new(root);
        let mut end = 0;
        while let Some(node) = walk.next() {
            let at = (!walk.is_in_function()).then(|| node.start_byte());
            let mut note = |what| events.push(Occurrence { what, line: line_of(node), at });
            // The parser accepts more as white space than PHP does.
            let before = text.get(end..node.start_byte()).unwrap_or_default();
            let is_usual = |one: char| one.is_ascii_graphic() || " \n\r\t".contains(one);
            if node.is_error() || node.is_missing() || !before.chars().all(is_usual) {
                note(What::Error);
            }
            if node.child_count() == 0 {
                end = end.max(node.end_byte());
            }
            if let Some(what) = event(text, node, &walk) {
                note(what);
            }
            if let Some(name) = function(text, node) {
                if ["constant", "define", "defined", "getenv"].contains(&&*name) {
                    events.push(Occurrence { what: What::Renames, line: line_of(node), at: None });
                }
                // The code of a name that is defined twice equals no known function.
                functions.entry(name).or_insert_with(String::new).push_str(&squeezed(text, node));
            }
            mentions.extend(mention(text, node, &walk.path));
        }
        Self { text, events, mentions, functions }
    }
}

/// The name of the function that the node defines or imports.
fn function(text: &str, node: Node<'_>) -> Option<String> {
    let name = match node.kind() {
        "function_definition" => source(text, node.child_by_field_name("name")?),
        // `use function a\b` and `use function a\b as c`.
        kind if kind.starts_with("namespace_use") && kind.ends_with("clause") => {
            source(text, node).rsplit(|one: char| one == '\\' || one.is_whitespace()).next()?
        }
        _ => return None,
    };
    Some(name.to_ascii_lowercase())
}

fn event(text: &str, node: Node<'_>, walk: &Walk<'_>) -> Option<What> {
    let is_in_function = walk.is_in_function();
    match node.kind() {
        // A short tag begins PHP only if PHP is configured so.
        "php_tag" if source(text, node) == "<?" => Some(What::Error),
        "php_tag" if source(text, node) != "<?=" => {
            let next = text.as_bytes().get(node.end_byte());
            next.is_some_and(|byte| !b" \t\r\n".contains(byte)).then_some(What::Error)
        }
        "namespace_definition" => Some(What::Renames),
        "return_statement" | "exit_statement" | "goto_statement" | "throw_expression"
            if !is_in_function =>
        {
            Some(What::Ends)
        }
        "name" if !is_in_function => {
            let name = source(text, node).to_ascii_lowercase();
            matches!(&*name, "die" | "exit" | "__halt_compiler").then_some(What::Ends)
        }
        "include_expression"
        | "include_once_expression"
        | "require_expression"
        | "require_once_expression" => {
            let file = squeezed(text, *parts(node).first()?).replace('"', "'");
            let file =
                file.strip_prefix('(').and_then(|file| file.strip_suffix(')')).unwrap_or(&file);
            let is_wordpress = !is_in_function && WORDPRESS.contains(&file);
            Some(if is_wordpress { What::Ends } else { What::Runs("the file required") })
        }
        "dynamic_variable_name" => Some(What::SetsAnyVariable),
        "member_call_expression"
        | "nullsafe_member_call_expression"
        | "object_creation_expression"
        | "scoped_call_expression" => Some(What::Runs("the call of a method")),
        "function_call_expression" => Some(call(text, node, walk)?),
        "string" | "encapsed_string" => {
            let name = literal(text, node)?.to_ascii_lowercase();
            // As in `array_map('define', …)`.
            match name.trim_start_matches('\\') {
                "define" => Some(What::Runs("a call of define")),
                name if called_argument(name).is_some() => Some(COMPUTED),
                name => setter(name),
            }
        }
        "variable_name" => superglobal(text, node, &walk.path),
        _ => None,
    }
}

fn call(text: &str, node: Node<'_>, walk: &Walk<'_>) -> Option<What> {
    let Some(name) = function_name(text, node) else {
        return Some(COMPUTED);
    };
    let arguments = arguments(node);
    let first = arguments.as_ref().and_then(|all| all.first());
    match &*name {
        "eval" => {
            let place = walk.path.iter().rev().nth(2).filter(|_| !walk.is_in_function());
            let is_image = place.is_some_and(|it| squeezed(text, *it) == RUNS_CONFIG_EXTRA);
            Some(What::Runs(if is_image { CONFIG_EXTRA } else { "eval" }))
        }
        "define" if first.and_then(|name| literal(text, *name)).is_none() => {
            Some(What::Runs("a define of a computed name"))
        }
        "parse_str" | "mb_parse_str" if arguments.as_ref().is_some_and(|all| all.len() > 1) => None,
        name => {
            if let Some(index) = called_argument(name) {
                let is_none = name == "ob_start" && arguments.as_ref().is_some_and(Vec::is_empty);
                let called = arguments.as_ref().and_then(|all| all.get(index));
                let is_visible = called
                    .is_some_and(|called| is_function(*called) || literal(text, *called).is_some());
                return (!is_visible && !is_none).then_some(COMPUTED);
            }
            let is_harmless = lists(HARMLESS, name) || walk.is_in_function();
            setter(name).or((!is_harmless).then_some(What::Calls))
        }
    }
}

fn lists(names: &str, name: &str) -> bool {
    names.split(' ').any(|one| one == name)
}

/// The index of the argument that a function of this name calls.
fn called_argument(function: &str) -> Option<usize> {
    TAKE_A_FUNCTION.iter().position(|functions| lists(functions, function))
}

/// PHP's own functions that set or run something that is not visible.
fn setter(name: &str) -> Option<What> {
    match name {
        "extract" | "mb_parse_str" | "parse_str" => Some(What::SetsAnyVariable),
        "apache_setenv" | "putenv" => Some(What::SetsEnvironment(None)),
        name if lists(RUN_CODE, name) => Some(COMPUTED),
        _ => None,
    }
}

/// What the code does with PHP's arrays of the environment and of global variables.
fn superglobal(text: &str, node: Node<'_>, path: &[Node<'_>]) -> Option<What> {
    let (parent, above) = path.split_last()?;
    let index = index_of(text, *parent);
    match source(text, node) {
        "$_ENV" | "$_SERVER" if index.is_some() && is_read(text, *parent, above) => None,
        "$_ENV" | "$_SERVER" => Some(What::SetsEnvironment(index)),
        // `mention` finds the name of a variable that matters.
        "$GLOBALS" if index.is_some_and(|index| !index.starts_with('_') && index != "GLOBALS") => {
            None
        }
        "$GLOBALS" => Some(What::SetsAnyVariable),
        _ => None,
    }
}

fn mention<'t>(text: &str, node: Node<'t>, path: &[Node<'t>]) -> Option<Mention<'t>> {
    let of = |name, value| Some(Mention { name, line: line_of(node), value });
    match node.kind() {
        "variable_name" if source(text, node) == TABLE_PREFIX => {
            let assignment = *path.last()?;
            let is_set = assignment.kind() == "assignment_expression"
                && assignment.child_by_field_name("left") == Some(node);
            let is_at_top = path.len() == 3
                && path.get(1).is_some_and(|it| it.kind() == "expression_statement");
            let value = assignment.child_by_field_name("right").filter(|_| is_at_top && is_set);
            if is_read(text, node, path) { None } else { of(TABLE_PREFIX, value) }
        }
        "const_element" => {
            let [name, value] = parts(node)[..] else { return None };
            let name = named(source(text, name))?;
            of(name, (path.len() == 2).then_some(value))
        }
        "string" | "encapsed_string" => {
            let content = literal(text, node)?;
            let name = match &*content {
                "table_prefix" => TABLE_PREFIX,
                content => named(content)?,
            };
            let call = path.iter().rev().nth(2).and_then(|call| function_name(text, *call));
            let is_only_read = call.is_some_and(|name| READERS.contains(&&*name));
            let is_element = element_of_environment(text, *path.last()?).is_some();
            if is_only_read || is_element || is_in_own_value(text, node, path, name) {
                return None;
            }
            of(name, definition(text, node, path, name).filter(|_| content == name))
        }
        _ => None,
    }
}

/// Whether a text is part of the value of the constant with this name, as in
/// `define('DB_NAME', 'db_name')`.
fn is_in_own_value(text: &str, node: Node<'_>, path: &[Node<'_>], name: &str) -> bool {
    let is_of_name = |place: &Node<'_>| match place.kind() {
        "function_call_expression" => {
            let is_define = function_name(text, *place).as_deref() == Some("define");
            let first = arguments(*place).and_then(|all| all.first().copied());
            // A long text is no constant's name, and copying it repeatedly would be slow.
            let is_short = |first: &Node<'_>| first.byte_range().len() < 100;
            let first = first.filter(|first| is_define && *first != node && is_short(first));
            first.and_then(|first| literal(text, first)).is_some_and(|first| first == name)
        }
        "const_element" => parts(*place).first().is_some_and(|it| source(text, *it) == name),
        "assignment_expression" => {
            place.child_by_field_name("left").is_some_and(|it| source(text, it) == name)
        }
        _ => false,
    };
    path.iter().rev().take(DEEPEST).any(is_of_name)
}

/// The constant of that name. PHP 7 can define constants whose names ignore case.
fn named(text: &str) -> Option<&'static str> {
    CONSTANTS.into_iter().find(|name| name.eq_ignore_ascii_case(text))
}

/// The value in `define('X', value);` at the top level or directly in `if (!defined('X'))`.
fn definition<'t>(text: &str, node: Node<'t>, path: &[Node<'t>], name: &str) -> Option<Node<'t>> {
    let [place @ .., statement, call, _, _] = path else { return None };
    let is_define = function_name(text, *call).as_deref() == Some("define");
    let [first, value] = arguments(*call)?[..] else { return None };
    let is_guarded = || match place {
        [_, guard] => is_guard(text, *guard, *statement, name),
        [_, guard, block] if matches!(block.kind(), "compound_statement" | "colon_block") => {
            is_guard(text, *guard, *block, name)
        }
        _ => false,
    };
    let counts = place.len() == 1 || is_guarded();
    let is_statement = statement.kind() == "expression_statement";
    (is_define && is_statement && first == node && counts).then_some(value)
}

fn is_guard(text: &str, guard: Node<'_>, body: Node<'_>, name: &str) -> bool {
    let condition = guard.child_by_field_name("condition");
    let condition = condition.map(|condition| squeezed(text, condition).to_ascii_lowercase());
    let expected = format!("(!defined('{}'))", name.to_ascii_lowercase());
    guard.kind() == "if_statement"
        && guard.child_by_field_name("body") == Some(body)
        && condition.is_some_and(|it| it.replace('"', "'").replace("!\\", "!") == expected)
}
