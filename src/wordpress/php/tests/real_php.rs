//! Compares what is read from files with what PHP itself has after running them.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::LazyLock,
};

use super::*;

/// Prints the values after a file ran; null if it is no valid PHP.
const ASK: &str = r#"
    register_shutdown_function(function () use ($argv) {
        $kinds = [E_ERROR, E_PARSE, E_COMPILE_ERROR, E_CORE_ERROR];
        $failed = in_array(error_get_last()['type'] ?? 0, $kinds);
        $values = [];
        foreach (array_slice($argv, 2) as $name) {
            $is_constant = $name[0] != '$';
            if ($is_constant && defined($name)) $values[$name] = constant($name);
            if (!$is_constant) $values[$name] = $GLOBALS[substr($name, 1)] ?? null;
        }
        ob_end_clean();
        echo json_encode($failed ? null : (object) $values, JSON_PARTIAL_OUTPUT_ON_ERROR);
    });
    error_reporting(0);
    ob_start();
    require $argv[1];
"#;

/// The variable that a file sets in its last line.
const END: &str = "$end_of_file";
const LAST_LINE: &str = "$end_of_file = 'reached';";

static IS_INSTALLED: LazyLock<bool> =
    LazyLock::new(|| Command::new("php").arg("--version").stdout(Stdio::null()).status().is_ok());

/// The values of the constants and variables after PHP ran the file; none if it fails.
fn ask(file: &Path, environment: &BTreeMap<String, String>) -> Option<BTreeMap<String, Json>> {
    let output = Command::new("php")
        .args(["-n", "-d", "variables_order=EGPCS", "-r", ASK, "--"])
        .arg(file)
        // The flags' constants are those of an extension that may not be installed.
        .args(CONSTANTS.iter().filter(|name| **name != FLAGS))
        .args([TABLE_PREFIX, END])
        .env_clear()
        .envs(environment)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// As PHP converts a value to a text.
fn as_text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Bool(true) => "1".to_owned(),
        Json::Bool(false) | Json::Null => String::new(),
        other => other.to_string(),
    }
}

/// Known values are those of PHP, and every value of PHP is known or reported as unknown.
fn compare(file: &Path, environment: &BTreeMap<String, String>) {
    let Some(real) = ask(file, environment) else { return };
    let config = WpConfig::read(file, environment).unwrap();
    let shown = || fs::read_to_string(file).unwrap_or_default();
    // If it ended early, WordPress was not loaded: the values are those of a run that does not end early.
    let has_ended_early = shown().contains(LAST_LINE) && real.get(END).is_none_or(Json::is_null);
    for (name, setting) in &config.known {
        let value = real.get(*name).map(as_text);
        if value.is_none() && has_ended_early {
            continue;
        }
        assert_eq!(value.as_deref(), Some(setting.value.as_str()), "{name} in\n{}", shown());
    }
    let is_reported = |name: &str| config.unknown.iter().any(|unknown| unknown.name == name);
    let set = real.iter().filter(|(name, value)| *name != END && !as_text(value).is_empty());
    for (name, value) in set {
        assert!(
            config.get(name).is_some() || is_reported(name) || !config.not_followed.is_empty(),
            "{name} is {value} in\n{}",
            shown()
        );
    }
}

#[test]
fn the_corpus_is_read_as_php_runs_it() {
    if !*IS_INSTALLED {
        return;
    }
    for name in corpus().keys() {
        compare(&file(name), &environment());
    }
}

const VALUES: [&str; 24] = [
    "'x'",
    "'0'",
    "''",
    "'p\\'q\\\\'",
    "\"a\\n\\x41\\u{e9}\\q\"",
    "\"p$a{$b}\"",
    "0",
    "42",
    "017",
    "1.5",
    "true",
    "null",
    "$a",
    "$table_prefix",
    "FOO",
    "DB_NAME",
    "PHP_EOL",
    "getenv('SITE_DB')",
    "getenv('NOT')",
    "$_ENV['SITE_KEY']",
    "defined('DB_USER')",
    "isset($a)",
    "<<<E\n  x\n\n  $a\n  E",
    "<<<'E'\n\t\n\n\tE",
];
/// Each `@` is replaced by a value.
const EXPRESSIONS: [&str; 33] = [
    "(isset($_ENV['NOT']) ? $_ENV['NOT'] : @)",
    "(isset($_ENV['SITE_KEY']) ? $_ENV['SITE_KEY'] : @)",
    "(!empty($_ENV['SITE_KEY']) ? $_ENV['SITE_KEY'] : @)",
    "((empty($_ENV['SITE_KEY'])) ? $_ENV['SITE_KEY'] : @)",
    "(getenv('SITE_DB') ? getenv('SITE_DB') : @)",
    "((isset($_ENV['EMPTY'])) ? $_ENV['EMPTY'] : @)",
    "(!empty($_ENV['EMPTY']) ? $_ENV['EMPTY'] : @)",
    "(getenv('SITE_DB') !== false ? getenv('SITE_DB') : @)",
    "(getenv('EMPTY') !== false ? getenv('EMPTY') : @)",
    "(getenv('NOT') ?: @)",
    "($_SERVER['SITE_DB'] ?? @)",
    "($_ENV['NOT'] ?? @)",
    "($_SERVER['SCRIPT_NAME'] ?? @)",
    "(@ . @)",
    "@ . @",
    "@ ?? @",
    "@ ?: @",
    "getenv('NOT') ?: @ . @",
    "$_ENV['NOT'] ?? @ . @",
    "@ . $_ENV['SITE_KEY'] ?? @",
    "isset($_ENV['NOT']) ? $_ENV['NOT'] : @ . @",
    "(@ ?: @)",
    "(@ ?? @)",
    "(@ === @)",
    "(@ != @)",
    "(@ && @)",
    "(@ or @)",
    "(@ + @)",
    "(@ ? @ : @)",
    "!@",
    "(string)@",
    "trim(@)",
    "/* c */ ($a = @)",
];
/// Common statements, and unusual ones.
const STATEMENTS: [&str; 86] = [
    "define('DB_NAME', 'plain');",
    "define('DB_USER', 'plain');",
    "$table_prefix = 'plain_';",
    "if (!defined('DB_NAME')) { define('DB_NAME', @); }",
    "if (!defined('DB_USER')): define('DB_USER', @); endif;",
    "if (!defined('DB_HOST')) define('DB_HOST', 'guarded');",
    "require __DIR__ . '/included.php';",
    "if (@) { include __DIR__ . '/included.php'; }",
    "(function () { require __DIR__ . '/included.php'; })();",
    "if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');",
    "require_once __DIR__ . '/wp-settings.php';",
    "if (function_exists('set_prefix')) { set_prefix(); }",
    "if (class_exists('Config')) { Config::define('DB_NAME', @); }",
    "if (class_exists('Config')) { Config::define('DB_HOST', @); Config::remove('DB_HOST'); }",
    "if (class_exists('Config')) { Config::apply(); }",
    "if (class_exists('Config')) { (new Config)->prefix(@); }",
    "class Own { static function define($k, $v) { \\define($k, $v); } }",
    "if (class_exists('Own')) { Own::define('DB_HOST', @); }",
    "eval('$table_prefix = \'ev_\'; define(\'DB_HOST\', \'ev\');');",
    "foreach (['DB_NAME' => @, 'DB_USER' => @] as $k => $v) { define($k, $v); }",
    "foreach (['_NAME', '_USER'] as $k) { define('DB' . $k, @); }",
    "foreach (['table_prefix' => @] as $k => $v) { $$k = $v; }",
    "call_user_func('define', 'DB' . '_NAME', @);",
    "array_map('def' . 'ine', ['DB' . '_NAME'], [@]);",
    "$f = 'def' . 'ine'; $f('DB' . '_USER', @);",
    "(new ReflectionFunction('def' . 'ine'))->invoke('DB' . '_NAME', @);",
    "spl_autoload_register(); class_exists('Missing');",
    "if (!defined('DB_NAME')) if (@) define('DB_NAME', @);",
    "if (!defined('DB_USER')) foreach (@ ? ['x'] : [] as $a) define('DB_USER', 'w');",
    "?><?php/**/ define('DB_USER', 'no'); ?><?php",
    "if (@) throw new Exception;",
    "$x = \"{$table_prefix}x\"; define('OTHER', $table_prefix . 'users');",
    "$e = &$_ENV; $e['NOT'] = @; $GLOBALS['_ENV']['SITE_DB'] = @;",
    "array_map('putenv', ['NOT=mapped']);",
    "define('DB_NAME', @);",
    "define('DB_USER', @);",
    "\\DEFINE(\"FOO\", @);",
    "const DB_HOST = 'c';",
    "$table_prefix = @;",
    "$a = @;",
    "$b .= @;",
    "$b ??= @;",
    "[$a, $b] = [@, @];",
    "$GLOBALS['a'] = @;",
    "defined('DB_USER') || define('DB_USER', @);",
    "@ and define('DB_HOST', @);",
    "@ ? define('DB_NAME', 't') : define('DB_NAME', 'u');",
    "echo @;",
    "$a = &$table_prefix;",
    "$n = 'table_prefix'; $$n = @;",
    "extract(['a' => @]);",
    "putenv('SITE_DB=changed');",
    "$_ENV['NOT'] = @;",
    "unset($a);",
    "$a++;",
    "h(@);",
    "(function () { define('DB_HOST', 'f'); })();",
    "foreach (['q'] as $a) { define('DB_HOST', @); }",
    "while (@) { $a = @; break; }",
    "switch (@) { case 'x': $b = @; }",
    "?> text <?php",
    "// define('DB_NAME', 'no');",
    "die('x');",
    "if (@): $a = @; else: $b = @; endif;",
    "if (@) $b = @;",
    "(function () { $GLOBALS['table_prefix'] = @; })();",
    "$_ENV = ['SITE_DB' => @];",
    "$_ENV += ['NOT' => @];",
    "$a = $_ENV['NOT'] ?? @;",
    "if (!function_exists('env')) { function env($x) { return 'own'; } }",
    "$b = env('NOT') ?: @;",
    "function r(&$x) { $x = 'r'; }",
    "r($table_prefix);",
    "r($a);",
    "(function (&$x) { $x = 'q'; })($table_prefix);",
    "class S { static function r(&$x) { $x = 's'; } }",
    "S::r($table_prefix);",
    "str_replace('a', 'b', 'c', $table_prefix);",
    "$b = str_replace('a', 'b', $table_prefix);",
    "similar_text('a', 'b', $a);",
    "return $table_prefix = @;",
    "exit($table_prefix = @);",
    "define('\\DB_USER', @);",
    "__halt_compiler();",
    "goto end; $a = @; end: $b = @;",
    "function h($x) { global $table_prefix; $table_prefix = 'h'; define('DB_NAME', 'h'); }",
];

/// A file that others require.
const INCLUDED: &str = r#"<?php
    $GLOBALS['table_prefix'] = 'inc_';
    if (!defined('DB_NAME')) define('DB_NAME', 'included');
    if (!defined('DB_USER')) define('DB_USER', 'included');
    putenv('NOT=included');
    $_ENV['NOT'] = 'included';
    if (!function_exists('set_prefix')) {
        function set_prefix() { $GLOBALS['table_prefix'] = 'set_'; }
        function env($name) { return 'from a file'; }
        class Config {
            static $all = [];
            static function define($k, $v) { self::$all[$k] = $v; }
            static function remove($k) { unset(self::$all[$k]); }
            static function apply() { foreach (self::$all as $k => $v) define($k, $v); }
            function prefix($v) { $GLOBALS['table_prefix'] = $v; }
        }
    }
"#;

fn filled(template: &str, values: &[String]) -> String {
    let mut values = values.iter().map(String::as_str);
    let pieces = template.split_inclusive('@').map(|piece| match piece.strip_suffix('@') {
        Some(before) => format!("{before}{}", values.next().unwrap_or("null")),
        None => piece.to_owned(),
    });
    pieces.collect()
}

fn expression() -> impl Strategy<Value = String> {
    let plain = prop::sample::select(&VALUES[..]).prop_map(str::to_owned);
    plain.prop_recursive(3, 12, 3, |inner| {
        let values = prop::collection::vec(inner, 3);
        (prop::sample::select(&EXPRESSIONS[..]), values)
            .prop_map(|(template, values)| filled(template, &values))
    })
}

fn statement() -> impl Strategy<Value = String> {
    let values = prop::collection::vec(expression(), 2);
    let plain = (prop::sample::select(&STATEMENTS[..]), values)
        .prop_map(|(template, values)| filled(template, &values));
    plain.prop_recursive(2, 6, 2, |inner| {
        let conditions = prop::collection::vec(expression(), 2);
        (conditions, prop::collection::vec(inner, 4)).prop_map(|(conditions, inner)| {
            let [a, b, c, d] = <[String; 4]>::try_from(inner).unwrap();
            let (first, second) = (&conditions[0], &conditions[1]);
            format!("if ({first}) {{\n{a}\n{b}\n}} elseif ({second}) {{\n{c}\n}} else {{\n{d}\n}}")
        })
    })
}

proptest! {
    // Each starts PHP.
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn generated_files_are_read_as_php_runs_them(
        statements in prop::collection::vec(statement(), 1..6)
    ) {
        if !*IS_INSTALLED {
            return Ok(());
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wp-config.php");
        fs::write(folder.path().join("included.php"), INCLUDED).unwrap();
        fs::write(folder.path().join("wp-settings.php"), "<?php").unwrap();
        let text = format!("<?php\n{}\n{LAST_LINE}\n", statements.join("\n"));
        fs::write(&path, text).unwrap();
        compare(&path, &environment());
    }
}
