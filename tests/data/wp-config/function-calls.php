<?php
define('DB_NAME', trim(' x '));
define('DB_PASSWORD', file_get_contents('/run/secrets/db'));
define('DB_USER', base64_decode('dXNlcg=='));
