<?php
use Roots\WPConfig\Config;
use function Env\env;
require_once __DIR__ . '/vendor/autoload.php';
Config::define('DB_NAME', env('SITE_DB'));
Config::define('DB_USER', env('WORDPRESS_DB_USER'));
Config::define('DB_PASSWORD', env('NOT_SET'));
Config::define('DB_HOST', env('NOT_SET') ?: 'localhost');
$table_prefix = env('DB_PREFIX') ?: 'wp_';
Config::apply();
