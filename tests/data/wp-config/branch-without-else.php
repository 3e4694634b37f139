<?php
define('DB_HOST', 'h');
if ( file_exists(__DIR__ . '/local.php') ) {
  define('DB_NAME', 'local');
  $table_prefix = 'x_';
}
