<?php
switch (php_uname('n')) {
  case 'web1': define('DB_HOST', 'one'); break;
  default: define('DB_HOST', 'two');
}
foreach (['DB_USER' => 'u'] as $k => $v) { define($k, $v); }
define('DB_NAME', 'n');
