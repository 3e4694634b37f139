<?php
$env = 'prod';
define('DB_NAME', "wp_$env");
define('DB_USER', "{$env}_user");
define('DB_HOST', "$unknown.example");
