<?php
define('DB_NAME', 'n');
if (true) { return; }
define('DB_USER', 'never');
