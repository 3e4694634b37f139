<?php
define('DB_NAME', 'n');
define('DB_USER' 'u');
define('DB_HOST', 'h');
