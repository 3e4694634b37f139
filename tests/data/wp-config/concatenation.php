<?php
define('BASE', 'shop');
define('DB_NAME', BASE . '_' . 'db' . 7);
define('DB_USER', BASE . NOWHERE);
