<?php
define('DB_NAME', 'first');
define('DB_NAME', 'second');
$table_prefix = 'a_';
$table_prefix = 'b_';
