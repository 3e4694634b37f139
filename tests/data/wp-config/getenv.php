<?php
define('DB_NAME', getenv('SITE_DB'));
define('DB_USER', getenv('NOT_SET') ?: 'fallback');
define('DB_PASSWORD', getenv('NOT_SET'));
define('DB_HOST', $_ENV['NOT_SET'] ?? 'db.example');
define('CLOSTE_CLIENT_API_KEY', $_ENV['SITE_KEY']);
$table_prefix = (string) $_SERVER['SITE_PREFIX'];
