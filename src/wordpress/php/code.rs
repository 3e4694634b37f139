//! What stands in a file: where a name is set, and what else may decide its value.

use std::collections::HashMap;

use tree_sitter::Node;

use super::{
    CONSTANTS, TABLE_PREFIX,
    syntax::{
        DEEPEST, Walk, arguments, element_of_environment, function_name, index_of, is_function,
        is_read, line_of, literal, parts, source, squeezed,
    },
};

/// Functions that take the name of a constant or of an environment variable, and set neither.
const READERS: [&str; 5] = ["constant", "defined", "env", "getenv", "getenv_docker"];
/// Functions of PHP's own that often stand there. Once other code has run, any other may be its.
const HARMLESS: [&str; 24] = [
    "basename",
    "constant",
    "define",
    "defined",
    "dirname",
    "empty",
    "error_reporting",
    "explode",
    "file_exists",
    "function_exists",
    "getenv",
    "header",
    "in_array",
    "ini_set",
    "is_dir",
    "is_file",
    "is_readable",
    "isset",
    "realpath",
    "set_time_limit",
    "str_replace",
    "stripos",
    "strpos",
    "trim",
];
/// Functions that run what they are given, at this place of their arguments.
const TAKE_A_FUNCTION: [(&str, usize); 20] = [
    ("array_filter", 1),
    ("array_map", 0),
    ("array_reduce", 1),
    ("array_walk", 1),
    ("array_walk_recursive", 1),
    ("call_user_func", 0),
    ("call_user_func_array", 0),
    ("forward_static_call", 0),
    ("forward_static_call_array", 0),
    ("iterator_apply", 1),
    ("ob_start", 0),
    ("preg_replace_callback", 1),
    ("register_shutdown_function", 0),
    ("register_tick_function", 0),
    ("set_error_handler", 0),
    ("set_exception_handler", 0),
    ("spl_autoload_register", 0),
    ("uasort", 1),
    ("uksort", 1),
    ("usort", 1),
];
/// Functions that run what nobody sees.
const RUN_CODE: [&str; 19] = [
    "array_diff_uassoc",
    "array_diff_ukey",
    "array_intersect_uassoc",
    "array_intersect_ukey",
    "array_udiff",
    "array_udiff_assoc",
    "array_udiff_uassoc",
    "array_uintersect",
    "array_uintersect_assoc",
    "array_uintersect_uassoc",
    "assert",
    "create_function",
    "header_register_callback",
    "mb_ereg_replace",
    "mb_ereg_replace_callback",
    "pcntl_signal",
    "preg_replace_callback_array",
    "spl_autoload",
    "spl_autoload_call",
];
/// How WordPress is loaded in the end.
const WORDPRESS: [&str; 4] = [
    "ABSPATH.'wp-settings.php'",
    "ABSPATH.'/wp-settings.php'",
    "__DIR__.'/wp-settings.php'",
    "dirname(__FILE__).'/wp-settings.php'",
];
/// What the official image evaluates, where it is set.
pub(super) const CONFIG_EXTRA: &str = "WORDPRESS_CONFIG_EXTRA";
const RUNS_CONFIG_EXTRA: &str =
    "if($configExtra=getenv_docker('WORDPRESS_CONFIG_EXTRA','')){eval($configExtra);}";

/// Something that may make a value another one.
pub(super) struct Occurrence {
    pub(super) what: What,
    pub(super) line: usize,
    /// Its place; none in a function, which may be called at any time.
    pub(super) at: Option<usize>,
}

/// What is called, or runs in the call, is only known while it runs.
const WORKED_OUT: What = What::Runs("a call that is worked out");

#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Not PHP, or not to every PHP.
    Error,
    /// What stands behind may not be reached, or come too late.
    Clients,
    /// Other code runs.
    Runs(&'static str),
    /// A call that may run other code once some has run.
    Calls,
    SetsAnyVariable,
    /// Sets this variable of the environment, or any.
    SetsEnvironment(Option<String>),
    /// Functions and `const` may not be PHP's own.
    Renames,
}

/// Where the file sets a name, or may set it.
pub(super) struct Mention<'t> {
    pub(super) name: &'static str,
    pub(super) line: usize,
    /// The value, where it is a definition in a place that counts.
    pub(super) value: Option<Node<'t>>,
}

pub(super) struct Code<'t> {
    pub(super) text: &'t str,
    pub(super) events: Vec<Occurrence>,
    pub(super) mentions: Vec<Mention<'t>>,
    /// The functions that it defines, and all that it imports, in lower case, as they stand there.
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
            // PHP takes less for white space than the parser does.
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
                // Two of one name are neither.
                functions.entry(name).or_insert_with(String::new).push_str(&squeezed(text, node));
            }
            mentions.extend(mention(text, node, &walk.path));
        }
        Self { text, events, mentions, functions }
    }
}

/// The name of a function that is defined or imported there.
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
        // Whether that begins PHP is a setting of PHP, or it does not.
        "php_tag" if source(text, node) == "<?" => Some(What::Error),
        "php_tag" if source(text, node) != "<?=" => {
            let next = text.as_bytes().get(node.end_byte());
            next.is_some_and(|byte| !b" \t\r\n".contains(byte)).then_some(What::Error)
        }
        "namespace_definition" => Some(What::Renames),
        "return_statement" | "exit_statement" | "goto_statement" | "throw_expression"
            if !is_in_function =>
        {
            Some(What::Clients)
        }
        "name" if !is_in_function => {
            let name = source(text, node).to_ascii_lowercase();
            matches!(&*name, "die" | "exit" | "__halt_compiler").then_some(What::Clients)
        }
        "include_expression"
        | "include_once_expression"
        | "require_expression"
        | "require_once_expression" => {
            let file = squeezed(text, *parts(node).first()?).replace('"', "'");
            let file =
                file.strip_prefix('(').and_then(|file| file.strip_suffix(')')).unwrap_or(&file);
            let is_wordpress = !is_in_function && WORDPRESS.contains(&file);
            Some(if is_wordpress { What::Clients } else { What::Runs("the file required") })
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
                name if TAKE_A_FUNCTION.iter().any(|(one, _)| *one == name) => Some(WORKED_OUT),
                name => setter(name),
            }
        }
        "variable_name" => superglobal(text, node, &walk.path),
        _ => None,
    }
}

fn call(text: &str, node: Node<'_>, walk: &Walk<'_>) -> Option<What> {
    let Some(name) = function_name(text, node) else {
        return Some(WORKED_OUT);
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
            Some(What::Runs("a define of a name that is worked out"))
        }
        "parse_str" | "mb_parse_str" if arguments.as_ref().is_some_and(|all| all.len() > 1) => None,
        name => {
            if let Some((_, place)) = TAKE_A_FUNCTION.iter().find(|(one, _)| *one == name) {
                let is_none = name == "ob_start" && arguments.as_ref().is_some_and(Vec::is_empty);
                let given = arguments.as_ref().and_then(|all| all.get(*place));
                let is_seen = given
                    .is_some_and(|given| is_function(*given) || literal(text, *given).is_some());
                return (!is_seen && !is_none).then_some(WORKED_OUT);
            }
            let is_harmless = HARMLESS.contains(&name) || walk.is_in_function();
            setter(name).or((!is_harmless).then_some(What::Calls))
        }
    }
}

/// Functions of PHP's own that set or run more than is seen.
fn setter(name: &str) -> Option<What> {
    match name {
        "extract" | "mb_parse_str" | "parse_str" => Some(What::SetsAnyVariable),
        "apache_setenv" | "putenv" => Some(What::SetsEnvironment(None)),
        name if RUN_CODE.contains(&name) => Some(WORKED_OUT),
        _ => None,
    }
}

/// What is done to PHP's arrays of the environment and of all variables.
fn superglobal(text: &str, node: Node<'_>, path: &[Node<'_>]) -> Option<What> {
    let (parent, above) = path.split_last()?;
    let index = index_of(text, *parent);
    match source(text, node) {
        "$_ENV" | "$_SERVER" if index.is_some() && is_read(text, *parent, above) => None,
        "$_ENV" | "$_SERVER" => Some(What::SetsEnvironment(index)),
        // One that is the name of a variable is found as such.
        "$GLOBALS" if index.is_some_and(|index| !index.starts_with('_') && index != "GLOBALS") => {
            None
        }
        "$GLOBALS" => Some(What::SetsAnyVariable),
        _ => None,
    }
}

/// Where a name is set, or may be.
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
            let said = literal(text, node)?;
            let name = match &*said {
                "table_prefix" => TABLE_PREFIX,
                said => named(said)?,
            };
            let call = path.iter().rev().nth(2).and_then(|call| function_name(text, *call));
            let is_asked = call.is_some_and(|name| READERS.contains(&&*name));
            let is_element = element_of_environment(text, *path.last()?).is_some();
            if is_asked || is_element || is_in_own_value(text, node, path, name) {
                return None;
            }
            of(name, definition(text, node, path, name).filter(|_| said == name))
        }
        _ => None,
    }
}

/// Whether a text stands in the value of what has the same name, as in `define('DB_NAME', 'db_name')`.
fn is_in_own_value(text: &str, node: Node<'_>, path: &[Node<'_>], name: &str) -> bool {
    let is_of_name = |place: &Node<'_>| match place.kind() {
        "function_call_expression" => {
            let is_define = function_name(text, *place).as_deref() == Some("define");
            let first = arguments(*place).and_then(|all| all.first().copied());
            // A long text is no such name, and would be copied again and again.
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

/// The constant of that name. PHP 7 can define them without regard to letter case.
fn named(text: &str) -> Option<&'static str> {
    CONSTANTS.into_iter().find(|name| name.eq_ignore_ascii_case(text))
}

/// The value in `define('X', value);`, at the top level or directly in `if (!defined('X'))`.
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
