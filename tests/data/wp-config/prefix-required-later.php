<?php
define('DB_NAME', 'n');
define('DB_USER', 'u');
$table_prefix = 'wp_';
require __DIR__ . '/prefix.php';
require ABSPATH . 'wp-settings.php';
