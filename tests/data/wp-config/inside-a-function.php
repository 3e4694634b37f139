<?php
function configure() { define('DB_NAME', 'never'); }
class C { const DB_USER = 'never'; }
define('DB_HOST', 'h');
