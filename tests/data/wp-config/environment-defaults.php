<?php
define('DB_NAME', isset($_ENV['SITE_DB']) ? $_ENV['SITE_DB'] : 'n');
define('DB_USER', getenv('NOT_SET') !== false ? getenv('NOT_SET') : 'u');
define('DB_PASSWORD', $_ENV['NOT_SET'] ?? 'p' . '1');
define('DB_HOST', getenv('DB_HOST') ?: 'localhost');
define('DB_CHARSET', 'latin1');
define('DB_COLLATE', '');
define('PRIMARY_NETWORK_ID', 2);
define('CLOSTE_APP_ID', '5f3e0f2a9b1c4d6e8f7a0b12');
define('CLOSTE_PUBLIC_IP_ADDRESS', '203.0.113.9');
$table_prefix = $_SERVER['SITE_PREFIX'] ?? 'wp_';
