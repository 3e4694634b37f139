<?php
define('DB_NAME', 'early');
if ( ! defined('DB_NAME') ) { define('DB_NAME', 'late'); }
if ( ! defined('DB_USER') ) define('DB_USER', 'u');
defined('DB_HOST') || define('DB_HOST', 'h');
defined('DB_HOST') or define('DB_HOST', 'i');
defined('DB_NAME') && define('DB_PASSWORD', 'p');
