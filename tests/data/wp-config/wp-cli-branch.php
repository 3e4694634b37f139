<?php
if ( defined('WP_CLI') && WP_CLI ) { define('DB_HOST', 'cli'); } else { define('DB_HOST', 'web'); }
define('DB_NAME', true ? 'yes' : 'no');
define('DB_USER', null ?? 'u');
