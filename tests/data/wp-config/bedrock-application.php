<?php
/** The base of all environments; a file for each may override it. */
use Roots\WPConfig\Config;
use function Env\env;

$root_dir = dirname(__DIR__);
if (file_exists($root_dir . '/.env')) {
    Dotenv\Dotenv::createImmutable($root_dir)->load();
}
define('WP_ENV', env('WP_ENV') ?: 'production');

Config::define('DB_NAME', 'site');
Config::define('DB_USER', env('DB_USER'));
Config::define('DB_PASSWORD', env('DB_PASSWORD'));
Config::define('DB_HOST', env('DB_HOST') ?: 'localhost');
Config::define('DB_CHARSET', 'utf8mb4');
$table_prefix = env('DB_PREFIX') ?: 'wp_';

Config::define('DOMAIN_CURRENT_SITE', 'network.example');
if (WP_ENV === 'staging') {
    Config::define('DOMAIN_CURRENT_SITE', 'staging.example');
    Config::remove('DB_HOST');
}
$env_config = __DIR__ . '/environments/' . WP_ENV . '.php';
if (file_exists($env_config)) {
    require_once $env_config;
}
Config::apply();
if (!defined('ABSPATH')) {
    define('ABSPATH', $root_dir . '/web/wp/');
}
