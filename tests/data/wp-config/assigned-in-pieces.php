<?php
$p = 'sec';
$p .= 'ret';
define('DB_PASSWORD', $p);
define('DB_NAME', $undefined);
