<?php
define('NOTE', "define('DB_NAME', 'trap');");
$x = 'define("DB_USER", "trap");';
/* <?php define('DB_HOST', 'trap'); */
define('DB_PASSWORD', 'define(');
