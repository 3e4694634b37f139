<?php
$stage = getenv('SITE_STAGE') ?: 'live';
if ($stage === 'dev') { define('DB_NAME', 'dev'); }
elseif ($stage === 'live') { define('DB_NAME', 'live'); }
else { define('DB_NAME', 'other'); }
