<?php
if ( $_SERVER['HTTP_HOST'] === strtolower('LOCAL.example') ) {
  define('DB_NAME', 'local');
  define('DB_USER', 'same');
} else {
  define('DB_NAME', 'live');
  define('DB_USER', 'same');
}
define('DB_HOST', 'h');
