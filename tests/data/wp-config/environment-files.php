<?php
define('DB_HOST', 'db.example');
require __DIR__ . '/config/' . (getenv('STAGE') ?: 'live') . '.php';
define('DB_NAME', 'site');
if (!defined('DB_USER')) { define('DB_USER', 'site'); }
$table_prefix = 'wp_';
require ABSPATH . 'wp-settings.php';
