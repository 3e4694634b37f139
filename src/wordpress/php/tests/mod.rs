mod real_php;

use std::{collections::BTreeMap, fs, path::Path};

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

/// The assumed environment of the site's PHP.
fn environment() -> BTreeMap<String, String> {
    [
        ("WORDPRESS_DB_USER", "from-environment"),
        ("SITE_DB", "db-from-environment"),
        ("SITE_KEY", "key-from-environment"),
        ("SITE_PREFIX", "env_"),
        ("NOT_UTF8", "\u{fffd}"),
        ("EMPTY", ""),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn corpus() -> BTreeMap<String, Json> {
    serde_json::from_str(include_str!("../../../../tests/data/wp-config/expected.json")).unwrap()
}

fn file(name: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/wp-config");
    folder.join(format!("{name}.php"))
}

fn parse(text: &str) -> WpConfig {
    WpConfig::decode(text.as_bytes(), &environment()).unwrap_or_default()
}

fn known(config: &WpConfig) -> BTreeMap<&str, &str> {
    config.known.iter().map(|(name, setting)| (*name, setting.value.as_str())).collect()
}

#[test]
fn the_corpus_is_read_as_expected() {
    let corpus = corpus();
    assert!(corpus.len() >= 30, "{}", corpus.len());
    for (name, expected) in corpus {
        let config = WpConfig::read(&file(&name), &environment()).unwrap();
        assert_eq!(serde_json::json!(known(&config)), expected["known"], "{name}: {config:?}");
        let mut unknown: Vec<&str> = config.unknown.iter().map(|one| one.name).collect();
        unknown.sort_unstable();
        assert_eq!(serde_json::json!(unknown), expected["unknown"], "{name}: {config:?}");
    }
}

#[test]
fn bytes_are_read_as_php_does() {
    let sample = fs::read(file("closte")).unwrap();
    let read = |bytes: &[u8]| WpConfig::decode(bytes, &environment());
    let marked = [b"\xEF\xBB\xBF", &sample[..]].concat();
    assert_eq!(read(&marked).unwrap(), read(&sample).unwrap());
    let latin =
        read(b"<?php // caf\xE9\ndefine('DB_NAME', 'n'); define('DB_USER', '\xFF');").unwrap();
    assert_eq!(known(&latin).into_iter().collect::<Vec<_>>(), [("DB_NAME", "n")]);
    assert_eq!(latin.unknown[0].why, "it has bytes that are not UTF-8");
    // These do not begin PHP, or only if PHP is configured so.
    for start in ["<?php/**/", "<?php//\n", "<?php", "<?phP\u{b}", "<? "] {
        let text = format!("{start}define('DB_NAME', 'n');");
        assert!(parse(&text).known.is_empty(), "{text}");
    }
    // PHP does not treat this as white space.
    for text in ["define\u{a0}('DB_NAME', 'n');", "$table_prefix\u{a0} = 'wp_';"] {
        assert!(parse(&format!("<?php {text}")).known.is_empty(), "{text}");
    }

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wp-config.php");
    fs::write(&path, b"<\0?\0p\0h\0p\0").unwrap();
    let error = WpConfig::read(&path, &environment()).unwrap_err();
    assert!(matches!(error, WpConfigError::NotText { .. }), "{error}");
    fs::write(&path, vec![b' '; 5 << 20]).unwrap();
    let error = WpConfig::read(&path, &environment()).unwrap_err();
    assert!(matches!(error, WpConfigError::TooLarge { .. }), "{error}");
}

#[test]
fn errors_have_lines_and_reasons_but_no_values() {
    let config =
        parse("<?php\n\ndefine('DB_NAME', 'n');\ndefine('DB_PASSWORD', vault('s3cret'));\n");
    assert_eq!(config.get("DB_NAME").unwrap().line, 3);
    let why = "it calls a function, which is not run".to_owned();
    assert_eq!(config.unknown, [Unknown { name: "DB_PASSWORD", line: 4, why }]);
    let shown = format!("{:?}", parse("<?php define('DB_PASSWORD', 's3cret');"));
    assert!(!shown.contains("s3cret"), "{shown}");
    let bedrock = WpConfig::read(&file("bedrock-web"), &environment()).unwrap();
    for text in [
        "require 'local.php'; include $x;",
        "eval($code);",
        "foreach ($all as $k => $v) { define($k, $v); }",
        "$f('DB_NAME', 'x');",
        "call_user_func('define', 'DB_NAME', 'x');",
    ] {
        assert_ne!(parse(&format!("<?php {text}")).not_followed, [], "{text}");
    }
    assert_eq!(bedrock.not_followed, [(2, "the file required"), (3, "the file required")]);
    // The reason contains the line of the code that makes a value unknown.
    for (text, why) in [
        ("require 'a.php';\ndefine('DB_NAME', 'n');", "the file required in line 2 may set it"),
        ("eval($x);\ndefine('DB_NAME', 'n');", "eval in line 2 may set it"),
        ("if ($x) return;\ndefine('DB_NAME', 'n');", "the file may end or jump in line 2"),
        ("define('DB_NAME', 'n');\nConfig::define('DB_NAME', 'm');", "line 3 also sets it, or may"),
        ("echo 'a' 'b';\ndefine('DB_NAME', 'n');", "line 2 is not PHP"),
        ("\nif ($x) define('DB_NAME', 'n');", "only running the file would show"),
    ] {
        let config = parse(&format!("<?php\n{text}"));
        assert!(config.unknown[0].why.starts_with(why), "{text}: {config:?}");
    }
}

#[test]
fn reasons_contain_no_part_of_a_password() {
    for password in [
        "\"pass$s3cret\"",
        "s3cret",
        "\"\\xFFs3cret\"",
        "\"{$s3cret}\"",
        "S3CRET . 's3cret'",
        "(fn() => 's3cret')()",
        "s3cret(9)",
        "defined('s3cret') ? 1 : f()",
    ] {
        let config = parse(&format!("<?php define('DB_PASSWORD', {password});"));
        assert_eq!(config.unknown.len(), 1, "{password}: {config:?}");
        let shown = format!("{config:?}").to_lowercase();
        assert!(!shown.contains("s3cret") && !shown.contains("xff"), "{password}: {shown}");
    }
}

/// Values that only the site's PHP knows, or that other code may set, must stay unknown.
#[test]
fn an_uncertain_value_is_unknown() {
    let live_or_staging = |condition: &str| {
        format!(
            "<?php if ({condition}) {{ define('DB_NAME', 'live'); }} else \
             {{ define('DB_NAME', 'staging'); }}"
        )
    };
    let branches = [
        "$_SERVER['HTTP_HOST'] === 'www.example.com'",
        "$_SERVER['HTTP_HOST'] !== 'www.example.com'",
        "$_SERVER['HTTP_HOST'] == 'www.example.com'",
        "'www.example.com' === ($_SERVER['SERVER_NAME'] ?? null)",
        "!$_SERVER['REMOTE_ADDR']",
        "$_ENV['STAGE']",
        "getenv('STAGE')",
        "getenv('STAGE') === 'live'",
        "getenv('STAGE') !== false",
        "'x' . getenv('STAGE') === 'x'",
        "getenv('STAGE') && true",
    ];
    let others = [
        "$stage = $_SERVER['SERVER_NAME']; define('DB_NAME', $stage === 'www' ? 'live' : 'staging');",
        "define('DB_NAME', 'live' . getenv('STAGE'));",
        "define('DB_NAME', getenv('STAGE') ?? 'd');",
        "define('DB_NAME', isset($_ENV['STAGE']) ? 'live' : 'staging');",
        "define('DB_NAME', isset($_ENV['STAGE']) ? $_ENV['OTHER'] : 'staging');",
        "define('DB_NAME', empty($_ENV['STAGE']) ? $_ENV['STAGE'] : 'staging');",
        "define('DB_NAME', !isset($_ENV['STAGE']) ? $_ENV['STAGE'] : 'staging');",
        "define('DB_NAME', isset($_SERVER['STAGE']) ? $_SERVER['STAGE'] : 'd');",
        "if (file_exists('local.php')) require 'local.php'; defined('DB_NAME') || define('DB_NAME', 'n');",
        "$all = require 'local.php'; if (!defined('DB_NAME')) { define('DB_NAME', 'n'); }",
        "foreach ($_ENV as $k => $v) define($k, $v); if (!defined('DB_NAME')) define('DB_NAME', 'n');",
        "define(strtoupper('db_name'), 'a'); defined('DB_NAME') or define('DB_NAME', 'n');",
        "eval($code); defined('DB_NAME') or define('DB_NAME', 'n');",
        "while (f()) { define('DB_NAME', 'a'); } defined('DB_NAME') or define('DB_NAME', 'n');",
        "foreach ($all as $k => $v) define($k, $v); defined('DB_NAME') or define('DB_NAME', 'n');",
        "function f() { define('DB_NAME', 'a'); } f(); define('DB_NAME', 'n');",
        "(function () { define('DB_NAME', 'a'); })(); define('DB_NAME', 'n');",
        "class A { static function b() { define('DB_NAME', 'a'); } } A::b(); define('DB_NAME', 'n');",
        "Dotenv::load(__DIR__); require 'more.php'; define('DB_NAME', getenv('NOT') ?: 'd');",
        "putenv('SITE_DB=x'); define('DB_NAME', getenv('SITE_DB'));",
        "putenv('NOT=x'); define('DB_NAME', getenv('NOT') ?: 'd');",
        "putenv($line); define('DB_NAME', getenv('SITE_DB'));",
        "$_ENV['NOT'] = 'x'; define('DB_NAME', $_ENV['NOT'] ?? 'd');",
        "define('DB_NAME', 017);",
        "$_ENV = array_merge($_ENV, f()); define('DB_NAME', $_ENV['NOT'] ?? 'd');",
        "$_ENV += ['NOT' => 'x']; define('DB_NAME', $_ENV['NOT'] ?? 'd');",
        "function env($x) { return 'own'; } define('DB_NAME', env('NOT') ?: 'd');",
        "function getenv_docker($x, $y) { return 'own'; } define('DB_NAME', getenv_docker('NOT', 'd'));",
        "define('DB_NAME', '1' == '01' ? 'a' : 'b');",
        "goto end; define('DB_NAME', 'first'); end: define('DB_NAME', 'second');",
        "return define('DB_NAME', 'late');",
        "define('DB_NAME', getenv('NOT_UTF8') ?: 'd');",
        "define('DB_NAME', getenv('HTTP_HOST') ?: 'd');",
        "define('DB_NAME', $_SERVER['SERVER_NAME'] ?? 'd');",
        "use function Env\\env; define('DB_NAME', env('SITE_DB'));",
        "use function My\\thing as getenv; define('DB_NAME', getenv('SITE_DB'));",
        "namespace My; function define($k, $v) {} define('DB_NAME', 'n');",
        "Config::define('DB_NAME', 'a'); Config::define('DB_NAME', 'b');",
        "Config::define('DB_NAME', 'a');",
        "Config::define('DB_NAME', 'a'); define('DB_NAME', 'b');",
        "define('DB_NAME', 'a'); Config::remove('DB_NAME');",
        "$config->define('DB_NAME', 'a');",
        "require 'a.php'; define('DB_NAME', 'n');",
        "define('DB_NAME', 'n', true);",
        "define('db_name', 'n', true); define('DB_NAME', 'n');",
        "if (true) { define('DB_NAME', 'n'); }",
        "if (!defined('DB_USER')) { define('DB_NAME', 'n'); }",
        "if (!defined('DB_NAME')) { if ($x) { define('DB_NAME', 'n'); } }",
        "if (!defined('DB_NAME')) {} else { define('DB_NAME', 'n'); }",
        "defined('DB_NAME') || define('DB_NAME', 'n');",
        "$x && define('DB_NAME', 'n');",
        "try { define('DB_NAME', 'n'); } catch (E $e) {}",
        "if ($x) { exit; } define('DB_NAME', 'n');",
        "$x or die; define('DB_NAME', 'n');",
        "if ($x): return; endif; define('DB_NAME', 'n');",
        "echo 'a' 'b'; define('DB_NAME', 'n');",
        "?><? define('DB_NAME', 'n');",
        "require ABSPATH . 'wp-settings.php'; define('DB_NAME', 'n');",
        "call_user_func('define', $a, $b); define('DB_NAME', 'n');",
        "function f() { include 'a.php'; } f(); define('DB_NAME', 'n');",
        "f(); define('DB_NAME', 'n'); function f() { define(g(), 'm'); }",
        "$all = ['DB_NAME' => 'a']; define('DB_NAME', 'n');",
        "define('DB_NAME', $undefined);",
        "define('DB_NAME', \"a$b\");",
        "define('DB_NAME', true);",
        "define('DB_NAME', DB_USER);",
        "extract($_ENV); define('DB_NAME', getenv('NOT') ?: 'd');",
        "$e = &$_ENV; define('DB_NAME', $_ENV['NOT'] ?? 'd');",
        "$GLOBALS['_ENV']['NOT'] = 'x'; define('DB_NAME', $_ENV['NOT'] ?? 'd');",
        "array_map('putenv', $all); define('DB_NAME', getenv('NOT') ?: 'd');",
        "if (!defined('DB_NAME')) if ($x) define('DB_NAME', 'n');",
        "if (!defined('DB_NAME')) while ($x) define('DB_NAME', 'n');",
        "if ($x) throw new E; define('DB_NAME', 'n');",
        "array_map('def' . 'ine', ['DB' . '_NAME'], ['m']); define('DB_NAME', 'n');",
        "array_walk($all, $f); define('DB_NAME', 'n');",
        "array_map(callback: $f, array: $all); define('DB_NAME', 'n');",
        "call_user_func(...$all); define('DB_NAME', 'n');",
        "array_map('call_user_func', $all, $more); define('DB_NAME', 'n');",
        "ob_start($f); define('DB_NAME', 'n');",
        "spl_autoload_register(); class_exists('A'); define('DB_NAME', 'n');",
        "(new ReflectionFunction($f))->invoke($a, $b); define('DB_NAME', 'n');",
        "$class::run(); define('DB_NAME', 'n');",
        "assert($code); define('DB_NAME', 'n');",
        "class A { public $x { get { include 'a.php'; } } } define('DB_NAME', 'n');",
        "$a = new A; define('DB_NAME', 'n'); class A { public $x { get { include 'a.php'; } } }",
        "apache_setenv('NOT', 'x'); define('DB_NAME', getenv('NOT') ?: 'd');",
    ];
    let others = others.iter().map(|text| format!("<?php {text}"));
    for text in branches.iter().map(|one| live_or_staging(one)).chain(others) {
        let config = parse(&text);
        assert!(config.known.is_empty(), "{text}: {:?}", known(&config));
        assert_eq!(config.unknown.first().map(|one| one.name), Some("DB_NAME"), "{text}");
    }
    for text in [
        "$a = $table_prefix = 'shop_';",
        "[$table_prefix] = ['shop_'];",
        "list('a' => $table_prefix) = f();",
        "foreach (f() as $table_prefix) {}",
        "$table_prefix = 'wp_'; $table_prefix .= 'x';",
        "$table_prefix = 'wp_'; if (($table_prefix = f()) && true) {}",
        "$table_prefix = 'wp_'; f($table_prefix = 'x');",
        "$table_prefix = 'wp_'; define('X', $table_prefix = 'x');",
        "$table_prefix = 'wp_'; $p = &$table_prefix; $p = 'x';",
        "$p = &$table_prefix; $table_prefix = 'wp_'; $p = 'x';",
        "$table_prefix = 'wp_'; $name = 'table_prefix'; $$name = 'x';",
        "$table_prefix = 'wp_'; $GLOBALS[f()] = 'x';",
        "$table_prefix = 'wp_'; extract(f());",
        "$table_prefix = 'wp_'; $table_prefix[0] = 'x';",
        "$table_prefix = 'wp_'; $table_prefix++;",
        "$table_prefix = 'wp_'; unset($table_prefix);",
        "$table_prefix = 'wp_'; settype($table_prefix, 'int');",
        "$table_prefix = 'wp_'; function f() { global $table_prefix; $table_prefix = 'x'; } f();",
        "$table_prefix = 'wp_'; function f() { $GLOBALS['table_prefix'] = 'x'; } f();",
        "$table_prefix = 'wp_'; function f(&$x) { $x = 'x'; } f($table_prefix);",
        "$table_prefix = 'wp_'; $f = function (&$x) { $x = 'x'; }; $f($table_prefix);",
        "$table_prefix = 'wp_'; class A { static function f(&$x) { $x = 'x'; } } A::f($table_prefix);",
        "$table_prefix = 'wp_'; str_replace('a', 'b', 'c', $table_prefix);",
        "$table_prefix = 'wp_'; return $table_prefix = 'x';",
        "$table_prefix = 'wp_'; exit($table_prefix = 'x');",
        "$table_prefix = 'wp_'; $f = function () use (&$table_prefix) { $table_prefix = 'x'; }; $f();",
        "$table_prefix = 'wp_'; require 'local.php';",
        "for (; f(); $table_prefix = 'x_') {}",
        "return $table_prefix = 'x_';",
        "$table_prefix = 'wp_'; if ($x) { include 'local.php'; } require ABSPATH . 'wp-settings.php';",
        "$table_prefix = 'wp_'; eval($x);",
        "$table_prefix = 'wp_'; require 'more/wp-settings.php';",
        "require ABSPATH . 'wp-settings.php'; $table_prefix = 'wp_';",
        "require 'a.php'; $table_prefix = 'wp_'; set_up_multisite();",
        "require 'a.php'; $table_prefix = 'wp_'; Site::set_up();",
        "require 'a.php'; $table_prefix = env('NOT') ?: 'wp_';",
        "require 'a.php'; $table_prefix = getenv('SITE_PREFIX');",
        "if (!isset($table_prefix)) { $table_prefix = 'wp_'; }",
        "$table_prefix = 'wp_'; echo 'a' 'b';",
        "$table_prefix = 'wp_'; foreach ($all as $k => $v) { $$k = $v; }",
        "$table_prefix = 'wp_'; ${'table' . '_prefix'} = 'x';",
        "$table_prefix = 'wp_'; parse_str($x);",
        "$table_prefix = 'wp_'; mb_parse_str($x);",
        "$table_prefix = 'wp_'; $GLOBALS['GLOBALS'][$x] = 'x';",
        "$table_prefix = 'wp_'; array_map('ext' . 'ract', $all);",
        "$table_prefix = 'wp_'; $x->run();",
        "$x['table_prefix'] = 'a'; $table_prefix = 'wp_';",
        "function f() { include 'a.php'; } $table_prefix = 'wp_';",
    ] {
        let config = parse(&format!("<?php {text}"));
        assert_eq!(config.unknown.first().map(|one| one.name), Some("$table_prefix"), "{text}");
    }
}

#[test]
fn a_certain_value_is_known() {
    for (text, expected) in [
        ("define('DB_NAME', getenv('NOT') ?: 'd');", "d"),
        ("define('DB_NAME', getenv('EMPTY') ?: 'd');", "d"),
        ("define('DB_NAME', getenv('SITE_DB') ?: 'd');", "db-from-environment"),
        ("define('DB_NAME', getenv('NOT') !== false ? getenv('NOT') : 'd');", "d"),
        ("define('DB_NAME', getenv('EMPTY') !== false ? getenv('EMPTY') : 'd');", ""),
        ("define('DB_NAME', $_ENV['NOT'] ?? $_ENV['NEITHER'] ?? 'd');", "d"),
        ("define('DB_NAME', $_SERVER['SITE_DB'] ?? 'd');", "db-from-environment"),
        ("define('DB_NAME', isset($_ENV['NOT']) ? $_ENV['NOT'] : 'd');", "d"),
        (
            "define('DB_NAME', (isset($_ENV['SITE_KEY'])) ? $_ENV['SITE_KEY'] : 'd');",
            "key-from-environment",
        ),
        ("define('DB_NAME', env('NOT') ?: 'd');", "d"),
        ("define('DB_NAME', getenv_docker('SITE_DB', 'd'));", "db-from-environment"),
        ("define('DB_NAME', getenv('DB_NAME') ?: 'd');", "d"),
        ("\\Define(\"DB_NAME\", 'n');", "n"),
        ("define('\\DB_NAME', 'another'); define('DB_NAME', 'n');", "n"),
        ("define('DB_NAME', 'n'); __halt_compiler(); define('DB_USER', 'never');", "n"),
        ("foreach ($all as $k => $v) {} define('DB_NAME', getenv('NOT') ?: 'n');", "n"),
        ("define('DB_NAME', ( /* x */ 'n' ));", "n"),
        ("define('DB_NAME', 'a' . \"b\" . 7);", "ab7"),
        ("const DB_USER = 'u', DB_NAME = 'n';", "n"),
        ("if (!defined('DB_NAME')) { define('X', 1); define('DB_NAME', 'n'); }", "n"),
        ("if ( ! \\defined( \"DB_NAME\" ) ) define('DB_NAME', 'n');", "n"),
        ("if (!defined('DB_NAME')): define('DB_NAME', 'n'); endif;", "n"),
        ("define('DB_NAME', 'n'); if (!defined('DB_NAME')) die;", "n"),
        ("define('DB_NAME', 'n'); require 'more.php'; eval($x);", "n"),
        ("function f() { return 1; } define('DB_NAME', 'n');", "n"),
        ("$x = 'define it'; f($x); define('DB_NAME', 'n');", "n"),
        ("define('DB_NAME', 'db_name');", "db_name"),
        ("const DB_NAME = 'DB_' . 'NAME' . 'DB_NAME';", "DB_NAMEDB_NAME"),
        (
            "ob_start(); array_map('trim', $x); usort($x, fn($a, $b) => 1); define('DB_NAME', 'n');",
            "n",
        ),
        ("array_walk($x, function ($y) {}); define('DB_NAME', 'n');", "n"),
        (
            "if ($_SERVER['HTTPS'] == 'on') {} define('DB_NAME', $_ENV['SITE_DB'] ?? 'd');",
            "db-from-environment",
        ),
        (
            "$_SERVER['HTTPS'] = 'on'; define('DB_NAME', $_ENV['SITE_DB'] ?? 'd');",
            "db-from-environment",
        ),
    ] {
        let config = parse(&format!("<?php {text}"));
        assert_eq!(known(&config).get("DB_NAME"), Some(&expected), "{text}: {config:?}");
    }
    for text in [
        "$table_prefix = 'wp_'; define('CUSTOM_USER_TABLE', $table_prefix . 'users');",
        "$table_prefix = 'wp_'; define('X', \"{$table_prefix}users\"); $x = $table_prefix;",
        "require 'a.php'; define('DB_NAME', 'n'); $table_prefix = 'wp_'; if (!defined('X')) define('X', dirname(__FILE__));",
        "require 'a.php'; $table_prefix = 'wp_'; require_once(ABSPATH . \"wp-settings.php\");",
        "$table_prefix = 'wp_'; require_once __DIR__ . '/wp-settings.php';",
        "$x = 'table'; $table_prefix = 'wp' . '_';  # 'table_prefix'",
        "extract($x); $table_prefix = 'wp_'; $GLOBALS['other'] = 'x';",
        "parse_str($x, $y); $table_prefix = 'wp_'; parse_str($x, $y);",
    ] {
        let config = parse(&format!("<?php {text}"));
        assert_eq!(known(&config).get("$table_prefix"), Some(&"wp_"), "{text}: {config:?}");
    }
}

#[test]
fn flags_are_phps_constants() {
    let flags = |value: &str| parse(&format!("<?php define('MYSQL_CLIENT_FLAGS', {value});"));
    for (value, expected) in [
        ("MYSQLI_CLIENT_SSL", "MYSQLI_CLIENT_SSL"),
        ("MYSQLI_CLIENT_A | \\MYSQLI_CLIENT_B", "MYSQLI_CLIENT_A|MYSQLI_CLIENT_B"),
        ("0", ""),
    ] {
        assert_eq!(flags(value).get("MYSQL_CLIENT_FLAGS").unwrap().value, expected);
    }
    for value in ["2048", "MYSQLI_CLIENT_SSL & X", "$x", "MY_FLAG", "'MYSQLI_CLIENT_SSL'"] {
        assert_eq!(flags(value).unknown.len(), 1, "{value}");
    }
    let other = parse(
        "<?php use const A\\B as MYSQLI_CLIENT_COMPRESS;
         define('MYSQL_CLIENT_FLAGS', MYSQLI_CLIENT_COMPRESS);",
    );
    assert_eq!(other.unknown.len(), 1, "{other:?}");
}

#[test]
fn a_secret_file_of_the_docker_image_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("password");
    fs::write(&secret, "from a file\r\n").unwrap();
    let read = |variable: &str, value: &str| {
        let mut environment = environment();
        environment.insert(variable.to_owned(), value.to_owned());
        WpConfig::read(&file("docker-image"), &environment).unwrap()
    };
    let with_file = |path: &str| read("WORDPRESS_DB_PASSWORD_FILE", path);
    let config = with_file(secret.to_str().unwrap());
    assert_eq!(config.get("DB_PASSWORD").unwrap().value, "from a file");
    let config = with_file("");
    assert!(config.unknown.is_empty(), "an empty path is no path: {config:?}");
    for (path, why) in [
        ("/no/such/file", "cannot read that file"),
        ("Cargo.toml", "its value is no absolute path"),
    ] {
        let config = with_file(path);
        let why = format!("WORDPRESS_DB_PASSWORD_FILE: {why}");
        assert!(config.unknown[0].why.starts_with(&why), "{config:?}");
    }

    // The code in the variable may set the prefix.
    let config = read("WORDPRESS_CONFIG_EXTRA", "$table_prefix = 'x_';");
    assert_eq!(config.unknown.len(), 1, "{config:?}");
    assert!(config.unknown[0].why.starts_with("WORDPRESS_CONFIG_EXTRA in line 26"), "{config:?}");
    // Another function of that name may return anything.
    let text = fs::read_to_string(file("docker-image")).unwrap();
    let other = parse(&text.replace("return $val;", "return strtolower($val);"));
    assert!(other.known.is_empty(), "{other:?}");
}

#[test]
fn hostile_files_are_read_in_reasonable_time() {
    let deep = format!("<?php define('DB_NAME', {}'x'{});", "(".repeat(50_000), ")".repeat(50_000));
    assert_eq!(parse(&deep).unknown.len(), 1);
    let long = format!("<?php define('DB_NAME', 'a'{});", " . 'b'".repeat(100_000));
    assert!(parse(&long).known.len() + parse(&long).unknown.len() == 1);
    let ifs = format!(
        "<?php {} define('DB_NAME', 'n'); {}",
        "if ($x) {".repeat(5_000),
        "}".repeat(5_000)
    );
    assert!(parse(&ifs).known.is_empty());
    let long_name = format!("'{}'", "x".repeat(1 << 20));
    let named = format!("<?php define({long_name}, [{}]);", "'DB_NAME', ".repeat(100_000));
    assert_eq!(parse(&named).unknown.len(), 1);
    let many: String = (0..20_000).map(|n| format!("define('C{n}', 'v');\n")).collect();
    let config = parse(&format!("<?php\n{many} if ($x) {{ define('DB_NAME', 'a'); }}"));
    assert_eq!(config.unknown.len(), 1);
    let branches: String =
        (0..20_000).map(|n| format!("if ($x) {{ define('C{}', '{n}'); }}\n", n % 5_000)).collect();
    assert_eq!(parse(&format!("<?php\n{many}{branches}")), WpConfig::default());
    let lists = format!("<?php {}$table_prefix{} = $x;", "[".repeat(50_000), "]".repeat(50_000));
    assert!(parse(&lists).known.is_empty());
    let chain = format!("<?php {}'wp_';", "$table_prefix = ".repeat(5_000));
    assert!(parse(&chain).known.is_empty());
    let nested: String = (0..60).map(|n| format!("if ($x{n}) {{ define('A{n}', 1); ")).collect();
    let config = parse(&format!("<?php {nested} {} define('DB_NAME', 'n');", "}".repeat(60)));
    assert_eq!(known(&config).get("DB_NAME"), Some(&"n"));
}

#[test]
fn a_truncated_file_changes_no_value() {
    let sample = fs::read_to_string(file("closte")).unwrap();
    let whole = parse(&sample);
    for (end, _) in sample.char_indices().filter(|(end, _)| end % 7 == 0) {
        let cut = parse(&sample[..end]);
        for (name, setting) in &cut.known {
            assert_eq!(whole.known.get(name), Some(setting), "cut at {end}");
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_read(text in "\\PC{0,200}") {
        parse(&text);
        parse(&format!("<?php {text}"));
    }

    #[test]
    fn any_password_in_single_quotes_is_read(password in "\\PC{0,40}") {
        let quoted = password.replace('\\', "\\\\").replace('\'', "\\'");
        let config = parse(&format!("<?php define('DB_PASSWORD', '{quoted}');"));
        prop_assert_eq!(&config.get("DB_PASSWORD").unwrap().value, &password);
    }

    #[test]
    fn pieces_of_php_in_any_order_are_read(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "<?php ", "?>", "define(", "'DB_NAME'", ",", ")", ";", "if", "(", "{", "}", "!", "defined",
            "$x", "=", ".", "?", ":", "\"a$b\"", "<<<EOT\n", "EOT\n", "//", "/*", "*/", "\n", "const A",
            "getenv('X')", "else", "elseif", "return", "\\", "'", "\"",
        ]), 0..60)
    ) {
        parse(&pieces.concat());
    }
}
